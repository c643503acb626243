// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * limits.c - what a user without privileges may cost the others
 *
 * So many instances, and for all the names that he can give himself together;
 * their memory is charged to him; and neither his comings and goings nor his
 * calls keep other CPUs busy, or the kernel's threads.
 */

#include <sys/epoll.h>

#include "cgroup.h"

#define PARAMETERS	BATON_SYSFS "/parameters"
#define MEGABYTE	(1024 * 1024)

FIXTURE(limits) {
	struct cgroup group;
	int up[2];
	int down[2];
	long max;
	long all;
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->down, O_CLOEXEC));
	self->max = file_number(PARAMETERS "/user_instances");
	ASSERT_LT(0, self->max);
	ASSERT_GT(100000, self->max);
	self->all = file_number(PARAMETERS "/instances");
}

FIXTURE_TEARDOWN(limits)
{
	if (self->all > 0)
		write_number(PARAMETERS, "instances", self->all);
	cgroup_end(&self->group);
	EXPECT_TRUE(wait_module_idle());
}

/* Opens as many as it may, at most max + 1; what the last one failed with */
static int use_up(uint32_t workers, long max, long *n)
{
	struct rlimit files = { max + 64, max + 64 };
	int fd, ret = 0;

	setrlimit(RLIMIT_NOFILE, &files);
	for (*n = 0; *n <= max; ++*n) {
		fd = dev_open(O_CLOEXEC);
		ret = fd < 0 ? fd : dev_create(fd, 1, workers, NULL);
		if (ret)
			break;
	}
	return ret;
}

/*
 * How many
 */

static int limit_child(long max, int up, int down)
{
	struct inst in;
	long n;
	int fd;

	if (become_nobody())
		return 1;
	if (use_up(1, max, &n) != -EUSERS || n != max)
		return 2;
	/* Closing one of them makes room for one */
	fd = dev_open(O_CLOEXEC);
	if (fd < 0 || dev_create(fd, 1, 1, NULL) != -EUSERS)
		return 3;
	close(fd - 2);
	if (!poll_until(dev_create(fd, 1, 1, NULL) == 0))
		return 4;
	if (inst_open(&in, 1, 1) != -EUSERS)
		return 5;
	pipe_put(up, 1);
	pipe_get(down);
	return 0;
}

TEST_F_TIMEOUT(limits, per_user, TEST_SECONDS)
{
	struct inst in;
	int i, status;
	pid_t pid;

	/* The second time shows that the first one's were given back */
	for (i = 0; i < 2; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(limit_child(self->max, self->up[1],
					  self->down[0]));
		EXPECT_EQ(1, pipe_get(self->up[0]));
		/* It is that user's limit, not everybody's */
		EXPECT_EQ(0, inst_open(&in, 1, 1));
		inst_close(&in);
		pipe_put(self->down[1], 1);
		status = wait_child(pid);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(0, WEXITSTATUS(status));
		EXPECT_TRUE(wait_module_idle());
	}
}

/* What fails must not count */
TEST_F_TIMEOUT(limits, failed_creates, TEST_SECONDS)
{
	long i;
	int fd;

	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2 * self->max + 10; i++)
		ASSERT_EQ(-EINVAL, dev_create(fd, 0, 1, NULL));
	ASSERT_EQ(0, dev_create(fd, 1, 1, NULL));
	for (i = 0; i < 2 * self->max + 10; i++)
		ASSERT_EQ(-EBUSY, dev_create(fd, 1, 1, NULL));
	close(fd);
	fd = dev_open(O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, dev_create(fd, 1, 1, NULL));
	close(fd);
}

/* In a user namespace of nobody's: one of the names that he has been lent */
static int sub_uid(uid_t uid, long max, int up, int down)
{
	long n;

	die_with_parent();
	if (setresuid(uid, uid, uid))
		return 1;
	use_up(1, max, &n);
	pipe_put(up, n);
	pipe_get(down);
	return 0;
}

static int sub_uids_child(long max, int up, int down)
{
	uid_t uid;

	if (become_nobody() || unshare(CLONE_NEWUSER))
		return 1;
	pipe_put(up, 0);
	/* The map is there */
	pipe_get(down);
	for (uid = 1; uid <= 3; uid++) {
		pid_t pid = fork();

		if (!pid)
			_exit(sub_uid(uid, max, up, down));
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

TEST_F_TIMEOUT(limits, sub_uids, TEST_SECONDS)
{
	static const char map[] = "0 65534 1\n1 100000 8\n";
	long total = 0;
	char dir[32];
	pid_t pid;
	int i;

	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "no user namespaces");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(sub_uids_child(self->max, self->up[1], self->down[0]));
	ASSERT_EQ(0, pipe_get(self->up[0]));
	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	ASSERT_TRUE(write_file(dir, "uid_map", map));
	pipe_put(self->down[1], 1);
	for (i = 0; i < 3; i++)
		total += pipe_get(self->up[0]);
	EXPECT_EQ(self->max, total);
	for (i = 0; i < 3; i++)
		pipe_put(self->down[1], 1);
	EXPECT_EQ(0, wait_child(pid));
}

/* Root of a container that the administrator has made */
static int container(long max, int up, int down)
{
	long n;

	die_with_parent();
	if (unshare(CLONE_NEWUSER))
		return 1;
	if (use_up(1, max, &n) != -EUSERS)
		return 2;
	pipe_put(up, n);
	pipe_get(down);
	return 0;
}

/* Each has an account of its own, for all who are in it, and it ends with it */
TEST_F_TIMEOUT(limits, containers, TEST_SECONDS)
{
	struct inst in;
	pid_t pid[2];
	int i;

	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "no user namespaces");
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			_exit(container(self->max, self->up[1],
					self->down[0]));
		EXPECT_EQ(self->max, pipe_get(self->up[0]));
	}
	EXPECT_EQ(0, inst_open(&in, 1, 1));
	inst_close(&in);
	for (i = 0; i < 2; i++)
		pipe_put(self->down[1], 1);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, wait_child(pid[i]));
	EXPECT_TRUE(wait_module_idle());
}

TEST_F_TIMEOUT(limits, all_users, TEST_SECONDS)
{
	struct inst in;
	int status;
	pid_t pid;
	long n;

	ASSERT_LT(0, self->all);
	ASSERT_TRUE(write_number(PARAMETERS, "instances", 5));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (become_nobody())
			_exit(1);
		_exit(use_up(1, self->max, &n) == -EUSERS && n == 5 ? 0 : 2);
	}
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(wait_module_idle());
	/* Who may pass any limit may pass this one */
	ASSERT_TRUE(write_number(PARAMETERS, "instances", 0));
	EXPECT_EQ(0, inst_open(&in, 1, 1));
	inst_close(&in);
}

/*
 * Memory
 */

/* The child's memory is counted from now on; false: it cannot, and is dead */
static bool grouped(struct cgroup *group, pid_t pid)
{
	if (cgroup_make(group, pid, "memory"))
		return true;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return false;
}

/* As nobody, in a group whose memory is counted */
static int memory_child(int up, int down)
{
	int fd, i;

	die_with_parent();
	pipe_put(up, 1);
	pipe_get(down);
	if (become_nobody())
		return 1;
	for (i = 0; i < 8; i++) {
		fd = dev_open(O_CLOEXEC);
		if (fd < 0 || dev_create(fd, 1, BATON_WORKERS_MAX, NULL))
			return 2;
	}
	pipe_put(up, 2);
	pipe_get(down);
	return 0;
}

TEST_F_TIMEOUT(limits, memory_is_charged, TEST_SECONDS)
{
	const long least = 8l * BATON_WORKERS_MAX * sizeof(struct baton_slot);
	long before, after;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(memory_child(self->up[1], self->down[0]));
	ASSERT_EQ(1, pipe_get(self->up[0]));
	if (!grouped(&self->group, pid))
		SKIP(return, "no memory cgroup");
	before = cgroup_number(&self->group, "memory.current");
	ASSERT_LE(0, before);
	pipe_put(self->down[1], 1);
	ASSERT_EQ(2, pipe_get(self->up[0]));
	after = cgroup_number(&self->group, "memory.current");
	pipe_put(self->down[1], 1);
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_LE(least, after - before);
}

/* It is told, and lives on */
static int full_child(long max, int up, int down)
{
	long n;

	die_with_parent();
	pipe_put(up, 1);
	pipe_get(down);
	if (become_nobody())
		return 1;
	if (use_up(BATON_WORKERS_MAX, max, &n) != -ENOMEM)
		return 2;
	return n < 8 ? 0 : 3;
}

TEST_F_TIMEOUT(limits, memory_is_full, TEST_SECONDS)
{
	long before;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(full_child(self->max, self->up[1], self->down[0]));
	ASSERT_EQ(1, pipe_get(self->up[0]));
	if (!grouped(&self->group, pid))
		SKIP(return, "no memory cgroup");
	before = cgroup_number(&self->group, "memory.current");
	ASSERT_LE(0, before);
	ASSERT_TRUE(write_number(self->group.dir, "memory.max",
				 before + 6l * MEGABYTE));
	pipe_put(self->down[1], 1);
	status = wait_child(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/*
 * Interrupts
 */

/* How many there were of a kind, on all CPUs; -1 if there is no such line */
static long interrupts(const char *what)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[4096], *s, *end;
	long n, sum = -1;

	while (f && sum < 0 && fgets(line, sizeof(line), f)) {
		s = strchr(line, ':');
		if (!s || !strstr(line, what))
			continue;
		sum = 0;
		for (s++; n = strtol(s, &end, 10), end != s; s = end)
			sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

/*
 * Other CPUs notice nothing of instances that come and go, but for the kernel's
 * own affairs with memory: one or two calls a round. Where another module holds
 * preempt notifiers, as in an emulated machine, this says nothing about them.
 */
TEST_F_TIMEOUT(limits, others_undisturbed, TEST_SECONDS)
{
	static const char what[] = "Function call interrupts";
	long before = interrupts(what), after;
	struct inst in;
	int i;

	if (before < 0)
		SKIP(return, "no count of interrupts");
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, inst_open(&in, 1, 1));
		inst_close(&in);
		ASSERT_TRUE(wait_module_idle());
	}
	after = interrupts(what);
	TH_LOG("%ld interrupts in 100 rounds", after - before);
	EXPECT_GT(300, after - before);
}

/* Once that it wants a worker has been said, it need not be said again */
TEST_F_TIMEOUT(limits, wants_once, TEST_SECONDS)
{
	static const char what[] = "IRQ work interrupts";
	struct epoll_event ev = { .events = EPOLLIN };
	struct inst in;
	long before, after;
	int i, ep;

	ASSERT_EQ(0, inst_open(&in, 1, 1));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, in.fd, &ev));
	before = interrupts(what);
	if (before < 0)
		SKIP(return, "no count of interrupts");
	for (i = 0; i < 2000; i++)
		ASSERT_EQ(1, inst_wake(&in, 0, BATON_ANY));
	after = interrupts(what);
	TH_LOG("%ld interrupts in 2000 calls", after - before);
	EXPECT_GT(500, after - before);
	/* But said it has been, and again after it was heard */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, DEADLINE_MS));
		EXPECT_EQ(i ? 1 : 2000, inst_missing(&in));
		EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
		EXPECT_EQ(1, inst_wake(&in, 0, BATON_ANY));
	}
	close(ep);
	inst_close(&in);
}

TEST_HARNESS_MAIN
