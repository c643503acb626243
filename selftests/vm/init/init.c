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
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORTS	"/sys/class/virtio-ports"

/* One of the command's output streams: our end of a pipe, and the port */
struct stream {
	const char *name;
	int pipe;
	int port;
};

struct config conf;
static struct stream streams[2] = {
	{ .name = "out", .pipe = -1, .port = -1 },
	{ .name = "err", .pipe = -1, .port = -1 },
};
static pid_t child;
static int child_status = -1;	/* of wait(2), -1 while it runs */

/* ----------------------------------------------------------------- ports */

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

/* --------------------------------------------------------------- command */

static void set_environment(void)
{
	static const char *const defaults[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin",
		"HOME=/tmp", "TMPDIR=/tmp", "USER=root", "LOGNAME=root",
		"SHELL=/bin/sh", "LANG=C.UTF-8",
		/* For tests that change what belongs to the whole machine */
		"BATON_VM=1",
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
	const char *path = getenv("BATON_VM"), *cpus = "1", *shell = "", *timeout = "";
	const struct {
		const char *name, **value;
	} keys[] = {
		{ "command", &conf.command },
		{ "cpus", &cpus },
		{ "cwd", &conf.cwd },
		{ "ko", &conf.ko },
		{ "modules", &conf.modules },
		{ "notifiers", &conf.notifiers },
		{ "release", &conf.release },
		{ "shell", &shell },
		{ "target", &conf.target },
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
	conf.cpus = atoi(cpus);
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

/*
 * Waits for something to happen and deals with it; true while there are pipes
 */
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

/* -------------------------------------------------------------- the rest */

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
	console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	status_port = wait_for_port("org.baton.status");
	streams[0].port = wait_for_port("org.baton.out");
	streams[1].port = wait_for_port("org.baton.err");
	mount_host();
	read_config();
	make_root();
	set_up_network();
	start_cpus();
	set_sysctls();
	start_log();
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
