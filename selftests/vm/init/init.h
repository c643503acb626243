/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* init.h - what the parts of the test machine's process 1 share */
#ifndef SELFTESTS_VM_INIT_H
#define SELFTESTS_VM_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where the host's root folder is until ours is made */
#define HOST	"/.host"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct config {
	const char *cwd;
	const char *top;	/* of the project */
	/* Folders or files of the host's that are hidden; "" for none */
	const char *command;	/* where the command's name leads */
	const char *target;	/* the same, of the links that it may be */
	const char *modules;	/* the host's name of lib/modules/RELEASE */
	const char *release;	/* uname -r */
	const char *ko;		/* "" for none */
	const char *notifiers;	/* a module; "" for none */
	int cpus;
	int timeout;		/* in seconds, 0 for none */
	bool shell;		/* talk to the console, not to the ports */
	char **argv;
};

extern struct config conf;
extern int status_port;		/* -1: not yet, or -s */
extern int console;
extern int kmsg;
extern int failures;

/* util.c: say() is one line to the host; die(): the harness itself is broken */
void say(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
void fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
void die(const char *what)
	__attribute__((noreturn));
void write_all(int fd, const char *buf, size_t len);
long now_ms(void);
void msleep(long ms);
bool put_file(const char *path, const char *text);
ssize_t get_file(const char *path, char *buf, size_t size);
void mkdirs(const char *path);

/* root.c, in this order */
void load_boot_modules(void);
void mount_kernel_trees(void);
void mount_host(void);
void make_root(void);
const char *on_host(const char *path);	/* until make_root() */

/* log.c */
void start_log(void);
void scan_log(void);
void check_taint(void);
void dump_log(void);
void dump_processes(void);

/* cpus.c */
void start_cpus(void);

/* module.c */
void set_sysctls(void);
bool load_module(void);
void remove_module(void);
void check_leaks(void);

#endif /* SELFTESTS_VM_INIT_H */
