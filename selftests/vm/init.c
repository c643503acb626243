/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * init.c - process 1 of the test machine that selftests/vm/run boots
 *
 * Makes the guest look like the host (its root folder is mounted through 9p,
 * read-only), loads baton.ko, runs one command, and finds out whether the
 * kernel came through it unharmed.
 *
 * Three virtio-serial ports lead to the host.  "out" and "err" carry what the
 * command writes, byte for byte; "status" carries lines of our own:
 *
 *	ready			the command is about to start
 *	out N, err N		N bytes have been written to that port
 *	fail TEXT		the kernel, or the module, did something wrong
 *	exit N, signal N	how the command ended
 *	timeout			it did not
 *	end			the last line
 *
 * A port can be open once only and this process keeps all three, so no other
 * process can write a verdict.  The kernel's console is a serial line that
 * nobody parses.
 *
 * The counts let the host read exactly what is there, in the order in which it
 * was written, and know that it has everything when it reads "end": it then
 * stops the machine, which is why we never shut it down.
 *
 * What to do comes from a file of NUL-terminated strings that run(1) writes in
 * a folder of the host, see read_config().
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define HOST	"/.host"
#define PORTS	"/sys/class/virtio-ports"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct config {
	const char *cwd;
	const char *top;	/* of the project */
	const char *modules;	/* the host's name of lib/modules/RELEASE */
	const char *release;	/* uname -r */
	const char *ko;		/* "" for none */
	int timeout;		/* in seconds, 0 for none */
	bool shell;		/* talk to the console, not to the ports */
	char **argv;
};

/* One of the command's output streams: our end of a pipe, and the port */
struct stream {
	const char *name;
	int pipe;
	int port;
};

static struct config conf;
static struct stream streams[2] = {
	{ .name = "out", .pipe = -1, .port = -1 },
	{ .name = "err", .pipe = -1, .port = -1 },
};
static int status_port = -1;
static int console = -1;
static int kmsg = -1;
static unsigned long taint_before;
static int failures;
static pid_t child;
static int child_status = -1;	/* of wait(2), -1 while it runs */

static void say(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
static void fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
static void die(const char *what)
	__attribute__((noreturn));

/* ------------------------------------------------------- small helpers */

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

/* Sends one line to the host; with no port (yet, or -s) to the console */
static void vsay(const char *prefix, const char *fmt, va_list ap)
{
	char line[512];
	int len, n;

	len = snprintf(line, sizeof(line), "%s", prefix);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	len += n;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	write_all(status_port >= 0 ? status_port : 2, line, len);
}

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay("", fmt, ap);
	va_end(ap);
}

static void fail(const char *fmt, ...)
{
	va_list ap;

	/* one splat is many lines */
	if (failures++ >= 10)
		return;
	va_start(ap, fmt);
	vsay("fail ", fmt, ap);
	va_end(ap);
}

/* Something is wrong with the harness itself */
static void die(const char *what)
{
	fail("init: %s: %s", what, strerror(errno));
	say("end");
	if (status_port < 0)
		reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void msleep(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static bool put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static ssize_t get_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = 0;
	return n;
}

static void mkdirs(const char *path)
{
	char buf[PATH_MAX], *p;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = buf + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(buf, 0755);
	}
	mkdir(buf, 0755);
}

static const char *on_host(const char *path)
{
	static char buf[sizeof(HOST) + PATH_MAX];

	snprintf(buf, sizeof(buf), HOST "%s", path);
	return buf;
}

/* ------------------------------------------------------------ the root */

/* What the way to the host needs, in an order that works */
static void load_boot_modules(void)
{
	char path[PATH_MAX];
	FILE *order = fopen("order", "re");

	while (order && fscanf(order, "%4095s", path) == 1) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die(path);
		close(fd);
		unlink(path);
	}
	if (!order)
		die("order");
	fclose(order);
	unlink("order");
	unlink("init");
}

static void try_mount(const char *what, const char *where, const char *type,
		      const char *opts)
{
	mkdirs(where);
	mount(what, where, type, MS_NOSUID, opts);
}

static void mount_kernel_trees(void)
{
	try_mount("proc", "/proc", "proc", NULL);
	try_mount("sys", "/sys", "sysfs", NULL);
	try_mount("dev", "/dev", "devtmpfs", "mode=755");
	try_mount("shm", "/dev/shm", "tmpfs", "mode=1777");
	try_mount("pts", "/dev/pts", "devpts", "mode=620,gid=5,ptmxmode=666");
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", NULL);
	try_mount("tracefs", "/sys/kernel/tracing", "tracefs", NULL);
	try_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", NULL);
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		die("/dev");
}

/* Is this, without the slash, a folder that the host does not lend us? */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"", ".", "..", "dev", "dev/shm", "lib", "proc", "run", "sys",
		"tmp", "var/tmp",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ours); i++) {
		if (!strcmp(name, ours[i]))
			return true;
	}
	return false;
}

/* Makes the host's folder appear at the same place here, where it is ro */
static void show(const char *path)
{
	mkdirs(path);
	if (mount(on_host(path), path, NULL, MS_BIND | MS_REC, NULL))
		die(path);
}

/* The same, unless it is there already, or a folder of which we have our own */
static void show_hidden(const char *path)
{
	struct stat here, there;

	if (stat(on_host(path), &there))
		die(path);
	if (stat(path, &here) ||
	    (here.st_ino != there.st_ino && !is_ours(path + 1)))
		show(path);
}

/* Our root is the initramfs; what is in the host's root appears in it */
static void show_root(void)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct dirent *de;
	DIR *dir = opendir(HOST);

	if (!dir)
		die(HOST);
	while ((de = readdir(dir))) {
		struct stat st;
		ssize_t n;

		snprintf(path, sizeof(path), "/%s", de->d_name);
		if (is_ours(de->d_name) || lstat(on_host(path), &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			show(path);
		} else if (S_ISLNK(st.st_mode)) {
			n = readlink(on_host(path), target, sizeof(target) - 1);
			target[n < 0 ? 0 : n] = 0;
			if (symlink(target, path))
				die(path);
		}
	}
	closedir(dir);
}

/*
 * modprobe insists on /lib/modules, which a host need not have.  /lib is a link
 * to usr/lib, where we cannot make it; so here it is a folder of links.
 */
static void make_lib(void)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *de;
	DIR *dir = opendir("/usr/lib");

	mkdir("/lib", 0755);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.' || !strcmp(de->d_name, "modules"))
			continue;
		snprintf(from, sizeof(from), "/lib/%s", de->d_name);
		snprintf(to, sizeof(to), "../usr/lib/%s", de->d_name);
		if (symlink(to, from))
			die(from);
	}
	if (dir)
		closedir(dir);

	snprintf(to, sizeof(to), "/lib/modules/%s", conf.release);
	mkdirs(to);
	if (mount(on_host(conf.modules), to, NULL, MS_BIND, NULL))
		die(to);
}

static void mount_host(void)
{
	/* loose: only the host writes, and not while a test runs */
	mkdir(HOST, 0755);
	if (mount("host", HOST, "9p", MS_RDONLY,
		  "trans=virtio,version=9p2000.L,msize=1048576,cache=loose"))
		die("9p");
}

static void make_root(void)
{
	static const char *const fresh[] = { "/tmp", "/run", "/var/tmp" };
	size_t i;

	show_root();
	make_lib();
	for (i = 0; i < ARRAY_SIZE(fresh); i++)
		try_mount("tmpfs", fresh[i], "tmpfs", "mode=1777");
	/* Where the caller works may be below one of those */
	show_hidden(conf.top);
	show_hidden(conf.cwd);
	umount2(HOST, MNT_DETACH);
	rmdir(HOST);
}

/* --------------------------------------------------------------- ports */

/* udev would have made links with these names */
static int open_port(const char *want)
{
	char path[PATH_MAX], name[64];
	struct dirent *de;
	DIR *dir = opendir(PORTS);
	int fd = -1;

	while (dir && fd < 0 && (de = readdir(dir))) {
		snprintf(path, sizeof(path), PORTS "/%s/name", de->d_name);
		if (de->d_name[0] == '.' ||
		    get_file(path, name, sizeof(name)) < 0)
			continue;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, want))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", de->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* The host tells the driver about its ports one by one, in its own time */
static int wait_for_port(const char *name)
{
	long deadline = now_ms() + 10000;
	int fd;

	while ((fd = open_port(name)) < 0) {
		if (now_ms() > deadline)
			die(name);
		msleep(2);
	}
	return fd;
}

/*
 * The count goes first: the host may then block reading the data, but never
 * the other way round, us with a full port that nobody reads.
 */
static bool forward(struct stream *s)
{
	static char buf[65536];
	ssize_t n = read(s->pipe, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!n)
		return false;
	say("%s %zd", s->name, n);
	write_all(s->port, buf, n);
	return true;
}

/* ---------------------------------------------------------- kernel log */

/*
 * What a healthy kernel never says, whatever user space does to it.  Lockdep
 * and the sleep checks say BUG: or WARNING: first, so does KASAN.
 */
static const char *const splats[] = {
	"BUG",
	"INFO: lockdep is turned off",
	"INFO: trying to register non-static key",
	"Kernel panic",
	"ODEBUG:",
	"Oops",
	"UBSAN:",
	"WARNING:",
	"blocked for more than",
	"corruption",
	"detected stall",
	"exited with irqs disabled",
	"exited with preempt_count",
	"general protection fault",
	"new suspected memory leaks",
	"nobody cared",
	"possible deadlock",
	"refcount_t:",
	"scheduling while atomic",
	"sleeping function called",
	"soft lockup",
	"suspicious RCU usage",
};

/* What would match but is what some process did to itself */
static const char *const harmless[] = {
	"segfault at",
	"traps: ",
};

static bool match(const char *text, const char *const *list, size_t n)
{
	while (n--) {
		if (strstr(text, list[n]))
			return true;
	}
	return false;
}

/*
 * Looks at what was logged since the last time.  A record is
 * "priority,sequence,time,flags;text", and the priority says whether it is the
 * kernel's: what programs write to /dev/kmsg proves nothing.
 */
static void scan_log(void)
{
	char record[8192], *text;
	ssize_t n;

	for (;;) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* some were overwritten: go on */
		if (n <= 0)
			return;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text || strtoul(record, NULL, 10) >> 3)
			continue;
		*strchrnul(++text, '\n') = 0;
		if (match(text, splats, ARRAY_SIZE(splats)) &&
		    !match(text, harmless, ARRAY_SIZE(harmless)))
			fail("kernel: %s", text);
	}
}

static unsigned long taint(void)
{
	char buf[32];

	get_file("/proc/sys/kernel/tainted", buf, sizeof(buf));
	return strtoul(buf, NULL, 10);
}

/* For a splat that our list does not know: bad page, died, warned, lockup */
static void check_taint(void)
{
	unsigned long bad = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14;

	bad &= taint() & ~taint_before;
	if (bad)
		fail("kernel: tainted, %#lx", bad);
}

/*
 * The console shows warnings and worse.  This adds all the rest, for the host
 * to find in its file, when somebody is going to read that.  Only the end of
 * it: the line is slow.
 */
static void dump_log(void)
{
	static char buf[32768];
	int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buf, sizeof(buf));

	dprintf(console, "\n---- kernel log:\n");
	if (n > 0)
		write_all(console, buf, n);
	tcdrain(console);
}

static void dump_thread(const char *pid, const char *tid)
{
	static const char *const files[] = { "comm", "syscall", "stack" };
	static char buf[4096];
	char path[PATH_MAX];
	size_t i;

	dprintf(console, "process %s, thread %s, ", pid, tid);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/%s/task/%s/%s", pid, tid,
			 files[i]);
		get_file(path, buf, sizeof(buf));
		dprintf(console, "%s%s", buf, *buf ? "" : "\n");
	}
}

static void dump_process(const char *pid)
{
	char path[PATH_MAX], buf[PATH_MAX];
	struct dirent *de;
	DIR *dir;

	/* kernel threads have no program */
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (readlink(path, buf, sizeof(buf)) < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] != '.')
			dump_thread(pid, de->d_name);
	}
	if (dir)
		closedir(dir);
}

/* What everybody is doing when the time is up */
static void dump_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *de;

	dprintf(console, "\n---- what is running:\n");
	while (dir && (de = readdir(dir))) {
		if (!de->d_name[strspn(de->d_name, "0123456789")] &&
		    strcmp(de->d_name, "1"))
			dump_process(de->d_name);
	}
	tcdrain(console);
	if (dir)
		closedir(dir);
}

/* -------------------------------------------------------------- module */

/*
 * Anything wrong shall end the machine at once, with the state in which it went
 * wrong in the log.  Not set on the kernel's command line: what Debian's kernel
 * does while it boots is not our business.  The time limits are generous
 * because the machine under this one may be busy.
 */
static void set_sysctls(void)
{
	static const struct {
		const char *name, *value;
	} sysctls[] = {
		{ "hung_task_panic", "1" },
		{ "hung_task_timeout_secs", "60" },
		{ "panic_on_oops", "1" },
		{ "panic_on_rcu_stall", "1" },
		{ "panic_on_warn", "1" },
		{ "softlockup_panic", "1" },
		{ "sysrq", "1" },
		{ "watchdog_thresh", "30" },
	};
	char path[PATH_MAX];
	size_t i;

	/* a kernel need not have each of them */
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		snprintf(path, sizeof(path), "/proc/sys/kernel/%s",
			 sysctls[i].name);
		put_file(path, sysctls[i].value);
	}
	put_file("/sys/kernel/debug/kmemleak", "scan=off");
	taint_before = taint();
	/* and what was logged until now neither */
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		die("/dev/kmsg");
	lseek(kmsg, 0, SEEK_END);
}

static bool load_module(void)
{
	int fd;

	if (!conf.ko[0])
		return true;
	fd = open(conf.ko, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0)) {
		fail("insmod %s: %s", conf.ko, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* In a process of its own, since the module's exit function may never return */
static void remove_module(void)
{
	long deadline = now_ms() + 10000;
	pid_t pid = fork();
	int status;

	if (!pid) {
		/* files that were open until just now are put a bit later */
		while (syscall(SYS_delete_module, "baton", O_NONBLOCK)) {
			if ((errno != EWOULDBLOCK && errno != EBUSY) ||
			    now_ms() > deadline)
				_exit(errno);
			msleep(10);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ms() > deadline + 5000) {
			fail("rmmod baton: does not return");
			dump_processes();
			return;
		}
		msleep(2);
	}
	status = WEXITSTATUS(status);
	if (status && status != ENOENT)
		fail("rmmod baton: %s", status == EWOULDBLOCK ?
		     "still in use" : strerror(status));
}

/*
 * Takes objects for leaked that are older than five seconds and that did not
 * change from one scan to the next
 */
static void check_leaks(void)
{
	static const char kmemleak[] = "/sys/kernel/debug/kmemleak";
	char line[256];
	FILE *file;

	if (access(kmemleak, F_OK))
		return;
	msleep(5500);
	if (!put_file(kmemleak, "scan") || !put_file(kmemleak, "scan"))
		fail("kmemleak: cannot scan");
	file = fopen(kmemleak, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		fail("kmemleak: %s", line);
	}
	if (file)
		fclose(file);
}

/* ------------------------------------------------------------- command */

static void set_environment(void)
{
	static const char *const defaults[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin",
		"HOME=/tmp", "TMPDIR=/tmp", "USER=root", "LOGNAME=root",
		"SHELL=/bin/sh", "LANG=C.UTF-8",
	};
	size_t i;

	clearenv();
	for (i = 0; i < ARRAY_SIZE(defaults); i++)
		putenv((char *)defaults[i]);
}

/*
 * The file is "key=value" strings, any number of them "env=NAME=VALUE", then
 * "--" and the command
 */
static void read_config(void)
{
	static char buf[1 << 20], *argv[4096];
	const char *path = getenv("BATON_VM"), *shell = "", *timeout = "";
	const struct {
		const char *name, **value;
	} keys[] = {
		{ "cwd", &conf.cwd },
		{ "ko", &conf.ko },
		{ "modules", &conf.modules },
		{ "release", &conf.release },
		{ "shell", &shell },
		{ "timeout", &timeout },
		{ "top", &conf.top },
	};
	char *p = buf, *value;
	size_t i, n = 0;
	ssize_t len;

	len = path ? get_file(on_host(path), buf, sizeof(buf)) : -1;
	if (len <= 0)
		die("configuration");
	set_environment();
	for (; strcmp(p, "--"); p = value + strlen(value) + 1) {
		value = strchr(p, '=');
		if (!value)
			die("configuration");
		*value++ = 0;
		if (!strcmp(p, "env"))
			putenv(value);
		for (i = 0; i < ARRAY_SIZE(keys); i++) {
			if (!strcmp(p, keys[i].name))
				*keys[i].value = value;
		}
	}
	conf.shell = atoi(shell);
	conf.timeout = atoi(timeout);
	/* an argument may be empty */
	for (p += 3; p < buf + len && n < ARRAY_SIZE(argv) - 1;
	     p += strlen(p) + 1)
		argv[n++] = p;
	conf.argv = argv;
}

static void use_terminal(void)
{
	int fd = open("/dev/ttyS0", O_RDWR);

	if (fd < 0 || ioctl(fd, TIOCSCTTY, 1))
		die("/dev/ttyS0");
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
}

static void exec_command(int out, int err)
{
	struct rlimit files = { 1024, 524288 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_NOFILE, &files);
	setsid();
	if (conf.shell) {
		use_terminal();
	} else {
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
		dup2(out, 1);
		dup2(err, 2);
	}
	if (!chdir(conf.cwd))
		execvp(conf.argv[0], conf.argv);
	dprintf(2, "%s: %s\n", conf.argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void start_command(void)
{
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	say("ready");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		exec_command(out[1], err[1]);
	close(out[1]);
	close(err[1]);
	streams[0].pipe = out[0];
	streams[1].pipe = err[0];
}

/* False when there are no children left */
static bool reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == child)
			child_status = status;
	}
	return !pid;
}

/* Waits for something to happen and deals with it; true while there are pipes */
static bool serve(int timeout)
{
	struct pollfd fds[3] = {
		{ .fd = streams[0].pipe, .events = POLLIN },
		{ .fd = streams[1].pipe, .events = POLLIN },
		{ .fd = kmsg, .events = POLLIN },
	};
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000 };
	sigset_t none;
	int i;

	/* SIGCHLD is blocked but for this wait, so that it always ends it */
	sigemptyset(&none);
	if (ppoll(fds, ARRAY_SIZE(fds), &ts, &none) < 0 && errno != EINTR)
		die("ppoll");
	reap();
	scan_log();
	for (i = 0; i < 2; i++) {
		if (fds[i].fd >= 0 && fds[i].revents &&
		    !forward(&streams[i])) {
			close(fds[i].fd);
			streams[i].pipe = -1;
		}
	}
	return streams[0].pipe >= 0 || streams[1].pipe >= 0;
}

/* False when the time is up */
static bool wait_for_command(void)
{
	long left = 1000, deadline = now_ms() + conf.timeout * 1000L;

	while (child_status < 0) {
		if (conf.timeout)
			left = deadline - now_ms();
		if (left <= 0)
			return false;
		serve(left < 1000 ? left : 1000);
	}
	return true;
}

/*
 * Processes that the command left behind go, and what they and the command have
 * written is passed on.  All orphans are our children.
 */
static void kill_leftovers(void)
{
	long deadline = now_ms() + 10000;
	bool alive, pipes = true;

	for (;;) {
		kill(-1, SIGKILL);
		alive = reap();
		if (!alive && !pipes)
			return;
		if (now_ms() > deadline)
			break;
		pipes = serve(2);
	}
	if (alive)
		fail("a process does not die");
	else
		fail("the command's output does not end");
	dump_processes();
}

/* ------------------------------------------------------------- the rest */

static void set_up_network(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("lo");
	close(fd);
	sethostname("baton", 5);
}

static void on_sigchld(int sig)
{
	(void)sig;
}

static void set_up(void)
{
	struct sigaction sa = { .sa_handler = on_sigchld };
	sigset_t set;

	umask(022);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGCHLD, &sa, NULL);

	load_boot_modules();
	mount_kernel_trees();
	console = open("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	status_port = wait_for_port("org.baton.status");
	streams[0].port = wait_for_port("org.baton.out");
	streams[1].port = wait_for_port("org.baton.err");
	mount_host();
	read_config();
	make_root();
	set_up_network();
	set_sysctls();
}

static void run_command(void)
{
	start_command();
	if (!wait_for_command()) {
		say("timeout");
		dump_processes();
		return;
	}
	kill_leftovers();
	if (WIFSIGNALED(child_status))
		say("signal %d", WTERMSIG(child_status));
	else
		say("exit %d", WEXITSTATUS(child_status));
	remove_module();
	if (conf.ko[0])
		check_leaks();
}

int main(void)
{
	set_up();
	if (load_module())
		run_command();
	scan_log();
	check_taint();
	if (failures && !conf.shell)
		dump_log();
	say("end");
	if (conf.shell) {
		/* the host does not listen, and keeps the line in a file */
		msleep(200);
		reboot(RB_AUTOBOOT);
	}
	for (;;)
		pause();
}
