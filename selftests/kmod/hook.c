// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * hook.c - each way in which the module can be told of context switches
 *
 * The other tests run with one of them, which BATON_KO_PARAMS may choose. Here
 * are the parameter, and what each way must do on every kernel: see a worker
 * block, see another die, and let go of it when it is removed.
 */

#include <sys/stat.h>

#include "lifetime.h"

static const char *const ways[] = { "notifiers", "tracepoint" };

/* Is this the way in use? */
static bool in_use(const char *way)
{
	char buf[32];
	ssize_t n;
	int fd;

	fd = open(BATON_SYSFS "/parameters/hook", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n == (ssize_t)strlen(way) + 1 && !memcmp(buf, way, n - 1) &&
	       buf[n - 1] == '\n';
}

TEST_F_TIMEOUT(life, parameter, TEST_SECONDS)
{
	const char *params = getenv("BATON_KO_PARAMS");
	const char *want = params ? strstr(params, "hook=") : NULL;
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		n += in_use(ways[i]);
		if (want && !strcmp(want + strlen("hook="), ways[i]))
			EXPECT_TRUE(in_use(ways[i]));
	}
	EXPECT_EQ(1, n);
	/* Nobody changes it now */
	EXPECT_EQ(-1, open(BATON_SYSFS "/parameters/hook", O_WRONLY));
}

TEST_F_TIMEOUT(life, no_such_way, TEST_SECONDS)
{
	if (!getenv("BATON_KO"))
		SKIP(return, "BATON_KO is not set");
	ASSERT_EQ(0, module_remove());
	EXPECT_EQ(-EINVAL, module_load_with("hook=nonsense"));
	EXPECT_EQ(-EINVAL, module_load_with("hook="));
	ASSERT_EQ(0, module_load());
}

/*
 * The module's file, loaded once more under another name of the same length.
 * That stands in an array, whose rest is zeros.
 */
static int load_namesake(const char *params)
{
	static const char name[64 - sizeof(long)] = "baton";
	int fd = open(getenv("BATON_KO"), O_RDONLY | O_CLOEXEC);
	int ret = -ENOENT;
	struct stat st;
	char *ko, *at;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		close(fd);
		return -EIO;
	}
	ko = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (ko == MAP_FAILED)
		return -ENOMEM;
	at = ko;
	while ((at = memmem(at, ko + st.st_size - at, name, sizeof(name)))) {
		at[1] = 'o';
		ret = 0;
	}
	if (!ret && syscall(SYS_init_module, ko, st.st_size, params))
		ret = -errno;
	munmap(ko, st.st_size);
	return ret;
}

/*
 * All that a load has done before it fails is undone: a hook that stayed would
 * call code that is gone, at the next context switch.
 */
TEST_F_TIMEOUT(life, name_taken, TEST_SECONDS)
{
	unsigned int i, n = 0;
	char params[64];
	int ret;

	if (!getenv("BATON_KO"))
		SKIP(return, "BATON_KO is not set");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		snprintf(params, sizeof(params), "hook=%s", ways[i]);
		ret = load_namesake(params);
		/* -EINVAL: this kernel has it not */
		EXPECT_TRUE(ret == -EEXIST || ret == -EINVAL)
			TH_LOG("%s: %d", params, ret);
		n += ret == -EEXIST;
		EXPECT_EQ(-1, access("/sys/module/boton", F_OK));
		EXPECT_EQ(0, try_instance());
	}
	EXPECT_LT(0, n);
	EXPECT_TRUE(wait_module_idle());
}

/* A worker of a child's, which dies as one; as -errno if it cannot be one */
static int die_as_worker(void)
{
	struct inst in;
	int ret = inst_open(&in, 1, 2);

	die_with_parent();
	if (!ret)
		ret = inst_register(&in);
	return ret < 0 ? -ret : 0;
}

static void try_way(struct __test_metadata *_metadata, const char *way)
{
	int status;
	pid_t pid;

	EXPECT_TRUE(in_use(way));
	EXPECT_EQ(0, try_instance());
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(die_as_worker());
	status = wait_child(pid);
	EXPECT_EQ(0, status);
	/* It was buried */
	EXPECT_TRUE(wait_module_idle());
	EXPECT_EQ(0, try_instance());
	EXPECT_TRUE(wait_module_idle());
}

TEST_F_TIMEOUT(life, each_way, TEST_SECONDS)
{
	unsigned int i, n = 0;
	char params[64];
	int ret;

	if (!getenv("BATON_KO"))
		SKIP(return, "BATON_KO is not set");
	ASSERT_EQ(0, module_remove());
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		snprintf(params, sizeof(params), "hook=%s", ways[i]);
		ret = module_load_with(params);
		/* This kernel has it not */
		if (ret == -EINVAL)
			continue;
		ASSERT_EQ(0, ret);
		n++;
		try_way(_metadata, ways[i]);
		ASSERT_EQ(0, module_remove());
	}
	EXPECT_LT(0, n);
	ASSERT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
