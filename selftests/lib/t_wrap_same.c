// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_wrap_same.c - libbaton-wrap.so: what threads see of the C library's calls
 * fibers see, too: errors that need no wait, errno, locks that prefer, fork().
 */
#include "wrapped.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>

static void run(baton_fn fn)
{
	run_with(1, 3, fn, NULL);
}

/* --- errno --------------------------------------------------------------- */

/* What is done while others wait, for @fd */
static void *write_later(void *arg)
{
	usleep(1000);
	expect_eq(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void *post_later(void *arg)
{
	usleep(1000);
	expect_eq(sem_post(arg), 0);
	return NULL;
}

/* It waits, and succeeds: errno is nobody's. */
#define keeps(call, result) do {					\
	errno = EXDEV;							\
	expect_eq(call, result);					\
	expect_eq(errno, EXDEV);					\
} while (0)

static void keep_reading(int fd[2], int kind)
{
	struct baton_fiber *f = spawn(write_later, &fd[1]);
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };

	switch (kind) {
	case 0:
		keeps(read(fd[0], &c, 1), 1);
		break;
	case 1:
		keeps(readv(fd[0], &iov, 1), 1);
		break;
	case 2:
		keeps(recv(fd[0], &c, 1, 0), 1);
		break;
	case 3:
		keeps(recvmsg(fd[0], &m, 0), 1);
		break;
	case 4:
		keeps(recvmmsg(fd[0], &mm, 1, 0, NULL), 1);
		break;
	}
	join(f);
}

static void *keep_errno(void *arg)
{
	struct baton_fiber *f;
	int fd[2];
	sem_t sem;

	for (int kind = 0; kind < 5; kind++) {
		pair(fd, SOCK_STREAM);
		keep_reading(fd, kind);
		keeps(write(fd[0], "x", 1), 1);
		close_both(fd);
	}
	for (int kind = 0; kind < 2; kind++) {
		expect_eq(pipe(fd), 0);
		keep_reading(fd, kind);
		keeps(write(fd[1], "x", 1), 1);
		close_both(fd);
	}
	sem_init(&sem, 0, 0);
	f = spawn(post_later, &sem);
	keeps(sem_wait(&sem), 0);
	join(f);
	return arg;
}

START_TEST(errno_kept)
{
	run(keep_errno);
}
END_TEST

/* --- errors that need no wait -------------------------------------------- */

static void *accept_wrong(void *arg)
{
	int fd[2], one;

	one = socket(AF_INET, SOCK_DGRAM, 0);
	fails(accept(one, NULL, NULL), EOPNOTSUPP);
	expect_eq(close(one), 0);
	pair(fd, SOCK_STREAM);
	fails(accept(fd[0], NULL, NULL), EINVAL);
	close_both(fd);
	expect_eq(pipe(fd), 0);
	fails(accept(fd[0], NULL, NULL), ENOTSOCK);
	close_both(fd);
	return arg;
}

START_TEST(no_listener)
{
	run(accept_wrong);
}
END_TEST

/* The queue of a listener is full: its socket, and one that waits for it. */
static int full(int family, const struct sockaddr *a, socklen_t len, int n)
{
	struct timeval tv = { .tv_usec = 20000 };
	int fd;

	do {
		fd = socket(family, SOCK_STREAM, 0);
		expect_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv,
				     sizeof(tv)), 0);
		errno = 0;
	} while (!connect(fd, a, len) && n--);
	return fd;
}

static void *connect_to_full(void *arg)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	struct baton_scope scope;
	int server, fd;

	server = socket(AF_UNIX, SOCK_STREAM, 0);
	expect_eq(bind(server, (struct sockaddr *)&un, sizeof(sa_family_t)), 0);
	len = sizeof(un);
	expect_eq(getsockname(server, (struct sockaddr *)&un, &len), 0);
	expect_eq(listen(server, 0), 0);
	full(AF_UNIX, (struct sockaddr *)&un, len, 100);
	expect_eq(errno, EAGAIN);
	server = socket(AF_INET, SOCK_STREAM, 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof(in);
	expect_eq(bind(server, (struct sockaddr *)&in, len), 0);
	expect_eq(getsockname(server, (struct sockaddr *)&in, &len), 0);
	expect_eq(listen(server, 0), 0);
	fd = full(AF_INET, (struct sockaddr *)&in, len, 100);
	expect_eq(errno, EINPROGRESS);
	/* It goes on: who asks once more waits for it. */
	baton_deadline_push(&scope, baton_now() + BATON_MSEC);
	fails(connect(fd, (struct sockaddr *)&in, len), ETIMEDOUT);
	baton_deadline_pop(&scope);
	return arg;
}

START_TEST(queue_full)
{
	run(connect_to_full);
}
END_TEST

static void *ask_for_nothing(void *arg)
{
	struct pollfd *volatile nowhere = NULL;
	struct baton_scope scope;
	struct iovec none = { 0 };
	int fd[2];
	fd_set in;
	char c;

	fails(poll(nowhere, 3, 1), EFAULT);
	/* write() sends an empty datagram, writev() does not. */
	pair(fd, SOCK_DGRAM);
	expect_eq(writev(fd[1], &none, 1), 0);
	fails(recv(fd[0], &c, 1, MSG_DONTWAIT), EAGAIN);
	/* A failure leaves the sets as they were. */
	FD_ZERO(&in);
	FD_SET(fd[0], &in);
	baton_deadline_push(&scope, baton_now() + BATON_MSEC);
	fails(select(fd[0] + 1, &in, NULL, NULL, NULL), ETIMEDOUT);
	baton_deadline_pop(&scope);
	expect(FD_ISSET(fd[0], &in));
	close_both(fd);
	return arg;
}

START_TEST(nothing)
{
	run(ask_for_nothing);
}
END_TEST

/* --- descriptors that are sent ------------------------------------------- */

#define BIG	(1 << 20)

static void *count_received(void *arg)
{
	union {
		char buf[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	static char buf[65536];
	ssize_t n, total = 0;
	int *fd = arg;

	for (; total < BIG; total += n) {
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr m = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *c;

		n = recvmsg(fd[0], &m, 0);
		expect(n > 0);
		c = CMSG_FIRSTHDR(&m);
		fd[2] += c && c->cmsg_type == SCM_RIGHTS;
	}
	return NULL;
}

/* With more bytes than there is room for it goes once. */
static void *send_descriptor(void *arg)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr c;
	} control = { .c = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { calloc(1, BIG), BIG };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct baton_fiber *f;
	int fd[3] = { 0 };

	pair(fd, SOCK_STREAM);
	memcpy(CMSG_DATA(&control.c), &fd[1], sizeof(int));
	f = spawn(count_received, fd);
	expect_eq(sendmsg(fd[1], &m, 0), BIG);
	join(f);
	expect_eq(fd[2], 1);
	close_both(fd);
	free(iov.iov_base);
	return arg;
}

START_TEST(sent_once)
{
	run(send_descriptor);
}
END_TEST

/* --- rwlocks ------------------------------------------------------------- */

static void init_rwlock(pthread_rwlock_t *l)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(l, &attr);
}

static void *lock_twice(void *arg)
{
	pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
	struct timespec bad = { 0, -1 };

	expect_eq(pthread_rwlock_timedrdlock(&l, &bad), EINVAL);
	expect_eq(pthread_rwlock_wrlock(&l), 0);
	expect_eq(pthread_rwlock_wrlock(&l), EDEADLK);
	expect_eq(pthread_rwlock_rdlock(&l), EDEADLK);
	expect_eq(pthread_rwlock_trywrlock(&l), EBUSY);
	expect_eq(BATON_CALL_NOERR(pthread_rwlock_wrlock, &l), EDEADLK);
	expect_eq(pthread_rwlock_unlock(&l), 0);
	expect_eq(pthread_rwlock_rdlock(&l), 0);
	expect_eq(pthread_rwlock_unlock(&l), 0);
	return arg;
}

START_TEST(twice)
{
	run(lock_twice);
}
END_TEST

static void *write_once(void *arg)
{
	expect_eq(pthread_rwlock_wrlock(arg), 0);
	expect_eq(pthread_rwlock_wrlock(arg), EDEADLK);
	expect_eq(pthread_rwlock_unlock(arg), 0);
	return NULL;
}

static void *read_once(void *arg)
{
	expect_eq(pthread_rwlock_rdlock(arg), 0);
	expect_eq(pthread_rwlock_unlock(arg), 0);
	return NULL;
}

/* Somebody who waits to write keeps readers out, as the lock is to have it. */
static void await_writer(pthread_rwlock_t *l)
{
	while (!pthread_rwlock_tryrdlock(l)) {
		expect_eq(pthread_rwlock_unlock(l), 0);
		usleep(100);
	}
}

static int had_enough;

static void *write_in_vain(void *arg)
{
	struct timespec ts;

	while (!load(&had_enough)) {
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec += (ts.tv_nsec + 100 * BATON_MSEC) / BATON_SEC;
		ts.tv_nsec = (ts.tv_nsec + 100 * BATON_MSEC) % BATON_SEC;
		expect_eq(pthread_rwlock_timedwrlock(arg, &ts), ETIMEDOUT);
	}
	return NULL;
}

static void *prefer_writers(void *arg)
{
	struct baton_fiber *f;
	pthread_rwlock_t l;
	pthread_t thread;

	init_rwlock(&l);
	expect_eq(pthread_rwlock_rdlock(&l), 0);
	f = spawn(write_once, &l);
	await_writer(&l);
	expect_eq(pthread_rwlock_unlock(&l), 0);
	join(f);
	/* One that waits no more keeps them out no longer. */
	expect_eq(pthread_rwlock_rdlock(&l), 0);
	expect_eq(pthread_create(&thread, NULL, write_in_vain, &l), 0);
	await_writer(&l);
	store(&had_enough, 1);
	join(spawn(read_once, &l));
	expect_eq(pthread_join(thread, NULL), 0);
	expect_eq(pthread_rwlock_unlock(&l), 0);
	return arg;
}

START_TEST(preferred)
{
	run(prefer_writers);
}
END_TEST

/* --- <threads.h> --------------------------------------------------------- */

struct box {
	mtx_t mutex;
	cnd_t more;
	int inside, items;
};

/* A recursive mutex is a fiber's, not its thread's. */
static void *put_items(void *arg)
{
	const struct timespec ts = { .tv_nsec = 10000 };
	struct box *b = arg;

	for (int i = 0; i < 10; i++) {
		expect_eq(mtx_lock(&b->mutex), thrd_success);
		expect_eq(mtx_trylock(&b->mutex), thrd_success);
		expect_eq(b->inside++, 0);
		expect_eq(thrd_sleep(&ts, NULL), 0);
		expect_eq(--b->inside, 0);
		b->items++;
		expect_eq(mtx_unlock(&b->mutex), thrd_success);
		expect_eq(cnd_signal(&b->more), thrd_success);
		expect_eq(mtx_unlock(&b->mutex), thrd_success);
	}
	return NULL;
}

static void *use_c11(void *arg)
{
	struct timespec past = { .tv_sec = 1 };
	struct baton_fiber *f[4];
	struct box b = { .items = 0 };

	expect_eq(mtx_init(&b.mutex, mtx_timed | mtx_recursive), thrd_success);
	expect_eq(cnd_init(&b.more), thrd_success);
	/* While nobody else has it, or signals */
	expect_eq(mtx_timedlock(&b.mutex, &past), thrd_success);
	expect_eq(cnd_timedwait(&b.more, &b.mutex, &past), thrd_timedout);
	for (int i = 0; i < 4; i++)
		f[i] = spawn(put_items, &b);
	while (b.items < 40)
		expect_eq(cnd_wait(&b.more, &b.mutex), thrd_success);
	expect_eq(mtx_unlock(&b.mutex), thrd_success);
	for (int i = 0; i < 4; i++)
		join(f[i]);
	return arg;
}

START_TEST(c11)
{
	run(use_c11);
}
END_TEST

/* --- handlers of fork() -------------------------------------------------- */

static pthread_mutex_t kept[] = { PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
				  PTHREAD_MUTEX_INITIALIZER };
static bool handled;
static int forks_left;

static void lock_kept(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		expect_eq(pthread_mutex_lock(&kept[i]), 0);
}

static void unlock_kept(void)
{
	for (unsigned int i = ARRAY_SIZE(kept); i--;)
		expect_eq(pthread_mutex_unlock(&kept[i]), 0);
}

/* Of a thread's child this test says nothing. */
static void handle_before(void)
{
	if (handled)
		lock_kept();
}

static void handle_after(void)
{
	if (handled)
		unlock_kept();
}

/* As a library's that is there before: in a child they are the first. */
static void begin(int argc, char **argv, char **env)
{
	(void)argc;
	(void)argv;
	(void)env;
	pthread_atfork(handle_before, handle_after, handle_after);
}

__attribute__((section(".preinit_array"), used))
static void (*const early)(int, char **, char **) = begin;

static void *keep(void *arg)
{
	while (load(&forks_left) > 0)
		for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
			expect_eq(pthread_mutex_lock(&kept[i]), 0);
			usleep(100);
			expect_eq(pthread_mutex_unlock(&kept[i]), 0);
		}
	return arg;
}

static void *fork_on(void *arg)
{
	int status;
	pid_t pid;

	while (add(&forks_left, -1) >= 0) {
		pid = fork();
		expect(pid >= 0);
		if (!pid) {
			alarm(10);
			lock_kept();
			unlock_kept();
			_exit(5);
		}
		status = child_status(pid);
		expect(WIFEXITED(status));
		expect_eq(WEXITSTATUS(status), 5);
	}
	return arg;
}

/* Fibers have the mutexes, wait with them and for them; others fork. */
static void *fork_all(void *arg)
{
	struct baton_fiber *f[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(i % 2 ? fork_on : keep, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	return arg;
}

START_TEST(fork_handlers)
{
	handled = true;
	forks_left = 100;
	run_on(3, fork_all, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wrap_same");
	TCase *tc = test_case(s, "same");

	/* A debug build would find what is then put right. */
	setenv("BATON_TLS_CHECK", "off", 1);
	tcase_add_test(tc, errno_kept);
	tcase_add_test(tc, no_listener);
	tcase_add_test(tc, queue_full);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, sent_once);
	tcase_add_test(tc, twice);
	tcase_add_test(tc, preferred);
	tcase_add_test(tc, c11);
	tcase_add_test(tc, fork_handlers);
	return suite_main(s);
}
