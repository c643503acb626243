// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_wrap.c - libbaton-wrap.so: what waits in the C library waits as a fiber.
 *
 * It is linked before the C library here; wrap_plain, the same without it, is
 * run with LD_PRELOAD. A test that hangs without it has more fibers that wait
 * than threads that may, and fails by its time-out then.
 */
#include "common.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#define FIBERS	1000
#define FEW	4	/* threads: workers, and the watcher */

static unsigned int threads(void)
{
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/task");

	expect(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	/* An emulator has one of its own. */
	return n - 2 - under_qemu_user();
}

/* @n fibers run @fn(@arg), and end. */
static void crowd(unsigned int n, baton_fn fn, void *arg)
{
	struct baton_fiber **f = malloc(n * sizeof(*f));

	for (unsigned int i = 0; i < n; i++)
		f[i] = spawn(fn, arg);
	for (unsigned int i = 0; i < n; i++)
		join(f[i]);
	free(f);
}

/* --- time ---------------------------------------------------------------- */

static void *sleeper(void *arg)
{
	struct timespec ts = { .tv_nsec = 100 * BATON_MSEC };
	int64_t start = baton_now();

	switch (add((int *)arg, 1) % 5) {
	case 0:
		expect_eq(usleep(100000), 0);
		break;
	case 1:
		expect_eq(nanosleep(&ts, NULL), 0);
		break;
	case 2:
		expect_eq(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL), 0);
		break;
	case 3:
		start += 100 * BATON_MSEC;
		ts.tv_sec = (time_t)(start / BATON_SEC);
		ts.tv_nsec = (long)(start % BATON_SEC);
		expect_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
					  NULL), 0);
		expect(baton_now() >= start);
		return NULL;
	case 4:
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec++;
		expect_eq(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts,
					  NULL), 0);
		break;
	}
	expect(baton_now() - start >= 100 * BATON_MSEC);
	return NULL;
}

static void *sleep_all(void *arg)
{
	int64_t start = baton_now();
	int n = 0;

	(void)arg;
	crowd(FIBERS, sleeper, &n);
	expect(threads() <= FEW + tier_threads());
	/* One after the other it would be minutes. */
	expect(baton_now() - start < FIBERS / 4 * 100 * BATON_MSEC);
	return NULL;
}

START_TEST(sleeps)
{
	run_with(1, 2, sleep_all, NULL);
}
END_TEST

static void *sleep_long(void *arg)
{
	struct timespec req = { .tv_sec = 1000 }, rem = { 0 };

	errno = 0;
	store((int *)arg, 1);
	expect_eq(nanosleep(&req, &rem), -1);
	expect_eq(errno, ECANCELED);
	expect(rem.tv_sec > 900);
	store((int *)arg, 2);
	expect(sleep(1000) > 900);
	return NULL;
}

static void *cancel_sleeps(void *arg)
{
	int at = 0;
	struct baton_fiber *f = spawn(sleep_long, &at);

	(void)arg;
	while (load(&at) < 1)
		baton_yield();
	baton_cancel(f);
	while (load(&at) < 2)
		baton_yield();
	baton_cancel(f);
	join(f);
	return NULL;
}

START_TEST(canceled)
{
	run_with(1, 2, cancel_sleeps, NULL);
}
END_TEST

/* Past the end of a scope: a sleep says so, a mutex is waited for. */
static void *in_scope(void *arg)
{
	struct baton_scope scope;

	baton_deadline_push(&scope, baton_now() + BATON_MSEC);
	expect_eq(usleep(2000000), -1);
	expect_eq(errno, ETIMEDOUT);
	expect_eq(pthread_mutex_lock(arg), 0);
	expect_eq(pthread_mutex_unlock(arg), 0);
	expect_eq(usleep(1), -1);
	baton_deadline_pop(&scope);
	expect_eq(usleep(1), 0);
	return NULL;
}

static void *scopes(void *arg)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct baton_fiber *f;

	(void)arg;
	pthread_mutex_lock(&m);
	f = spawn(in_scope, &m);
	expect_eq(usleep(20000), 0);
	pthread_mutex_unlock(&m);
	join(f);
	return NULL;
}

START_TEST(scope)
{
	run_with(1, 2, scopes, NULL);
}
END_TEST

/* --- mutexes ------------------------------------------------------------- */

struct counter {
	pthread_mutex_t mutex;
	int inside, total;
};

/* The mutex is held over a yield, and now and then over a sleep. */
static void *counting(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < 20; i++) {
		expect_eq(pthread_mutex_lock(&c->mutex), 0);
		expect_eq(c->inside++, 0);
		baton_yield();
		if (i % 8 == 0)
			usleep(10);
		expect_eq(--c->inside, 0);
		c->total++;
		expect_eq(pthread_mutex_unlock(&c->mutex), 0);
	}
	return NULL;
}

#define COUNTERS	50

static void *count_all(void *arg)
{
	struct counter *c = arg;
	int total = c->total;

	crowd(COUNTERS, counting, c);
	expect_eq(c->total - total, COUNTERS * 20);
	return NULL;
}

static const int kinds[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
			     PTHREAD_MUTEX_ERRORCHECK,
			     PTHREAD_MUTEX_ADAPTIVE_NP };

static void make(pthread_mutex_t *m, int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
}

START_TEST(held_over_yield)
{
	struct counter c = { .total = 0 };

	make(&c.mutex, kinds[_i % 4]);
	run_with(_i < 4 ? 1 : 3, 0, count_all, &c);
	expect_eq(pthread_mutex_destroy(&c.mutex), 0);
}
END_TEST

static void *count_as_thread(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < 2000; i++) {
		expect_eq(pthread_mutex_lock(&c->mutex), 0);
		expect_eq(c->inside++, 0);
		if (i % 64 == 0)
			sched_yield();
		expect_eq(--c->inside, 0);
		expect_eq(pthread_mutex_unlock(&c->mutex), 0);
	}
	return NULL;
}

START_TEST(with_threads)
{
	struct counter c = { .total = 0 };
	pthread_t thread[2];

	make(&c.mutex, _i ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, count_as_thread, &c);
	run_with(2, 0, count_all, &c);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}
END_TEST

/* Foreign code of the fiber has what the fiber has. */
static int lock_in_foreign(pthread_mutex_t *m)
{
	int err = pthread_mutex_lock(m);

	return err ? err : pthread_mutex_unlock(m);
}

static void *other_fiber(void *arg)
{
	pthread_mutex_t *m = arg;

	expect_eq(pthread_mutex_trylock(m), EBUSY);
	expect_eq(pthread_mutex_unlock(m), EPERM);
	return NULL;
}

static void *owners(void *arg)
{
	pthread_mutex_t recursive, check;

	(void)arg;
	make(&recursive, PTHREAD_MUTEX_RECURSIVE);
	make(&check, PTHREAD_MUTEX_ERRORCHECK);
	expect_eq(pthread_mutex_unlock(&check), EPERM);
	expect_eq(pthread_mutex_lock(&recursive), 0);
	expect_eq(pthread_mutex_lock(&recursive), 0);
	expect_eq(pthread_mutex_trylock(&recursive), 0);
	expect_eq(pthread_mutex_lock(&check), 0);
	expect_eq(pthread_mutex_lock(&check), EDEADLK);
	expect_eq(pthread_mutex_trylock(&check), EBUSY);
	/* Others, on this thread and elsewhere; and this one, elsewhere */
	for (int i = 0; i < 20; i++) {
		join(spawn(other_fiber, &recursive));
		join(spawn(other_fiber, &check));
		usleep(10);
	}
	expect_eq(BATON_CALL_NOERR(lock_in_foreign, &recursive), 0);
	expect_eq(BATON_CALL_NOERR(lock_in_foreign, &check), EDEADLK);
	expect_eq(pthread_mutex_unlock(&check), 0);
	expect_eq(pthread_mutex_unlock(&check), EPERM);
	expect_eq(pthread_mutex_unlock(&recursive), 0);
	expect_eq(pthread_mutex_unlock(&recursive), 0);
	join(spawn(other_fiber, &recursive));
	expect_eq(pthread_mutex_unlock(&recursive), 0);
	expect_eq(pthread_mutex_unlock(&recursive), EPERM);
	expect_eq(pthread_mutex_destroy(&recursive), 0);
	expect_eq(pthread_mutex_destroy(&check), 0);
	return NULL;
}

START_TEST(owner)
{
	run_on(nprocs_list[_i], owners, NULL);
}
END_TEST

/* A robust mutex is the C library's: its owner stays where it is. */
static void *robust_all(void *arg)
{
	expect_eq(pthread_mutex_lock(arg), 0);
	usleep(10);
	expect_eq(pthread_mutex_unlock(arg), 0);
	return NULL;
}

static void *robusts(void *arg)
{
	crowd(10, robust_all, arg);
	return NULL;
}

START_TEST(robust)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&m, &attr);
	run_on(2, robusts, &m);
	expect_eq(pthread_mutex_destroy(&m), 0);
}
END_TEST

/* --- times of mutexes and conditions ------------------------------------- */

static struct timespec in_ms(clockid_t clock, int ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * (long)BATON_MSEC;
	if (ts.tv_nsec >= BATON_SEC) {
		ts.tv_sec++;
		ts.tv_nsec -= BATON_SEC;
	}
	return ts;
}

static int was_late;

/* Of what is read first the time is over first. */
static void *lock_late(void *arg)
{
	struct timespec mono = in_ms(CLOCK_MONOTONIC, 5);
	struct timespec ts = in_ms(CLOCK_REALTIME, 5);
	struct timespec bad = { 0, -1 };

	expect_eq(pthread_mutex_timedlock(arg, &ts), ETIMEDOUT);
	expect(baton_now() >= mono.tv_sec * BATON_SEC + mono.tv_nsec);
	expect_eq(pthread_mutex_clocklock(arg, CLOCK_MONOTONIC, &mono),
		  ETIMEDOUT);
	expect_eq(pthread_mutex_timedlock(arg, &bad), EINVAL);
	store(&was_late, 1);
	ts = in_ms(CLOCK_REALTIME, 100000);
	expect_eq(pthread_mutex_timedlock(arg, &ts), 0);
	expect_eq(pthread_mutex_unlock(arg), 0);
	return NULL;
}

static void *time_out(void *arg)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER, mono;
	struct timespec ts, bad = { 0, BATON_SEC };
	pthread_condattr_t attr;
	struct baton_fiber *f;
	int64_t start;

	(void)arg;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mono, &attr);
	pthread_mutex_lock(&m);
	f = spawn(lock_late, &m);
	while (!load(&was_late))
		usleep(1000);
	start = baton_now();
	ts = in_ms(CLOCK_REALTIME, 10);
	expect_eq(pthread_cond_timedwait(&c, &m, &ts), ETIMEDOUT);
	expect(baton_now() - start >= 9 * BATON_MSEC);
	start = baton_now();
	ts = in_ms(CLOCK_MONOTONIC, 10);
	expect_eq(pthread_cond_timedwait(&mono, &m, &ts), ETIMEDOUT);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	start = baton_now();
	ts = in_ms(CLOCK_MONOTONIC, 10);
	expect_eq(pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &ts),
		  ETIMEDOUT);
	expect(baton_now() - start >= 10 * BATON_MSEC);
	expect_eq(pthread_cond_timedwait(&c, &m, &bad), EINVAL);
	expect_eq(pthread_mutex_trylock(&m), EBUSY);
	expect_eq(pthread_mutex_unlock(&m), 0);
	join(f);
	return NULL;
}

START_TEST(timed)
{
	run_with(1, 2, time_out, NULL);
}
END_TEST

/* --- conditions ---------------------------------------------------------- */

#define ITEMS	2000
#define SIDES	20	/* producers, and as many consumers: fibers */

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t more, room;
	int items, put, got;
	bool as_threads;
};

static void *produce(void *arg)
{
	struct queue *q = arg;

	pthread_mutex_lock(&q->mutex);
	while (q->put < ITEMS) {
		while (q->items == 3 && q->put < ITEMS)
			expect_eq(pthread_cond_wait(&q->room, &q->mutex), 0);
		if (q->put == ITEMS)
			break;
		q->put++;
		q->items++;
		pthread_cond_signal(&q->more);
		if (q->put % 7 == 0 && baton_self())
			baton_yield();
	}
	pthread_cond_broadcast(&q->room);
	pthread_mutex_unlock(&q->mutex);
	return NULL;
}

static void *consume(void *arg)
{
	struct queue *q = arg;

	pthread_mutex_lock(&q->mutex);
	while (q->got < ITEMS) {
		while (!q->items && q->got < ITEMS)
			expect_eq(pthread_cond_wait(&q->more, &q->mutex), 0);
		if (q->got == ITEMS)
			break;
		q->items--;
		q->got++;
		pthread_cond_signal(&q->room);
	}
	pthread_cond_broadcast(&q->more);
	pthread_mutex_unlock(&q->mutex);
	return NULL;
}

static void *make_sides(void *arg)
{
	struct queue *q = arg;
	struct baton_fiber *f[2 * SIDES];
	unsigned int n = 0;

	for (int i = 0; i < SIDES; i++) {
		f[n++] = spawn(consume, q);
		if (!q->as_threads)
			f[n++] = spawn(produce, q);
	}
	while (n)
		join(f[--n]);
	expect(q->as_threads || threads() <= FEW + tier_threads());
	return NULL;
}

static struct queue new_queue(bool as_threads)
{
	return (struct queue){
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.room = PTHREAD_COND_INITIALIZER,
		.as_threads = as_threads,
	};
}

START_TEST(producers)
{
	struct queue q = new_queue(false);

	run_with(nprocs_list[_i], 3, make_sides, &q);
	expect_eq(q.got, ITEMS);
}
END_TEST

/* Consumers are fibers, producers threads. */
START_TEST(producer_threads)
{
	struct queue q = new_queue(true);
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, produce, &q);
	run_with(nprocs_list[_i], 0, make_sides, &q);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	expect_eq(q.got, ITEMS);
}
END_TEST

/* --- rwlocks ------------------------------------------------------------- */

struct shelf {
	pthread_rwlock_t lock;
	int writers, readers, most;
};

static void *write_shelf(void *arg)
{
	struct shelf *s = arg;

	for (int i = 0; i < 20; i++) {
		expect_eq(pthread_rwlock_wrlock(&s->lock), 0);
		expect_eq(add(&s->writers, 1), 1);
		expect_eq(load(&s->readers), 0);
		usleep(10);
		add(&s->writers, -1);
		expect_eq(pthread_rwlock_unlock(&s->lock), 0);
		baton_yield();
	}
	return NULL;
}

static void *read_shelf(void *arg)
{
	struct timespec ts = in_ms(CLOCK_REALTIME, 100000);
	struct shelf *s = arg;
	int n;

	for (int i = 0; i < 20; i++) {
		if (i % 2)
			expect_eq(pthread_rwlock_rdlock(&s->lock), 0);
		else
			expect_eq(pthread_rwlock_timedrdlock(&s->lock, &ts), 0);
		n = add(&s->readers, 1);
		if (n > load(&s->most))
			store(&s->most, n);
		expect_eq(load(&s->writers), 0);
		usleep(10);
		add(&s->readers, -1);
		expect_eq(pthread_rwlock_unlock(&s->lock), 0);
		baton_yield();
	}
	return NULL;
}

static void *read_late(void *arg)
{
	struct timespec ts = in_ms(CLOCK_REALTIME, 5);

	expect_eq(pthread_rwlock_timedrdlock(arg, &ts), ETIMEDOUT);
	return NULL;
}

static void *use_shelf(void *arg)
{
	struct baton_fiber *f[20];
	struct shelf *s = arg;

	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		f[i] = spawn(i % 4 ? read_shelf : write_shelf, s);
	for (unsigned int i = 0; i < ARRAY_SIZE(f); i++)
		join(f[i]);
	expect(s->most > 1);
	expect_eq(pthread_rwlock_wrlock(&s->lock), 0);
	join(spawn(read_late, &s->lock));
	expect_eq(pthread_rwlock_unlock(&s->lock), 0);
	return NULL;
}

START_TEST(rwlock)
{
	struct shelf s = { .lock = PTHREAD_RWLOCK_INITIALIZER };

	run_with(nprocs_list[_i], 6, use_shelf, &s);
}
END_TEST

/* --- errno --------------------------------------------------------------- */

/*
 * As compilers do: the address of errno is looked up once. Here for certain;
 * and once in a register, once in memory.
 */
static void *keep_errno(void *arg)
{
	int *volatile in_memory = &errno;
	int *in_register = &errno;

	for (int i = 0; i < 50; i++) {
		__asm__ volatile("" : "+r"(in_register));
		*in_register = 0;
		expect_eq(usleep(20), 0);
		__asm__ volatile("" : "+r"(in_register));
		expect_eq(read(-1, arg, 1), -1);
		expect_eq(*in_register, EBADF);
		expect_eq(*in_memory, EBADF);
	}
	return NULL;
}

static void *keep_all(void *arg)
{
	crowd(50, keep_errno, arg);
	return NULL;
}

START_TEST(errno_follows)
{
	char c;

	run_on(4, keep_all, &c);
}
END_TEST

/* --- who gets the C library's own ---------------------------------------- */

static void *foreign(void *arg)
{
	(void)arg;
	/* There is no other fiber, and still it takes time. */
	expect_eq(BATON_CALL_NOERR(usleep, 20000), 0);
	return NULL;
}

START_TEST(in_foreign_code)
{
	int64_t start = baton_now();

	expect_eq(usleep(1000), 0);
	run_on(1, foreign, NULL);
	expect(baton_now() - start >= 21 * BATON_MSEC);
}
END_TEST

/* --- a mutex that the C library lets go of ------------------------------- */

/**
 * struct meeting - a fiber waits in foreign code for another one
 * @mutex: is the first one's, and then the other's
 * @cond:  of @here
 * @here:  the other one has had the mutex
 */
struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool here;
};

static int await(struct meeting *m)
{
	int err = 0;

	while (!m->here && !err)
		err = pthread_cond_wait(&m->cond, &m->mutex);
	return err;
}

static void *come(void *arg)
{
	struct meeting *m = arg;

	expect_eq(pthread_mutex_lock(&m->mutex), 0);
	m->here = true;
	expect_eq(pthread_cond_signal(&m->cond), 0);
	expect_eq(pthread_mutex_unlock(&m->mutex), 0);
	return NULL;
}

static void *meet(void *arg)
{
	struct meeting *m = arg;
	struct baton_fiber *f;

	expect_eq(pthread_mutex_lock(&m->mutex), 0);
	f = spawn(come, m);
	/* It waits for the mutex, which is a fiber's. */
	usleep(1000);
	expect_eq(BATON_CALL_NOERR(await, m), 0);
	expect_eq(pthread_mutex_unlock(&m->mutex), 0);
	join(f);
	return NULL;
}

START_TEST(let_go_in_foreign_code)
{
	struct meeting m = { .cond = PTHREAD_COND_INITIALIZER };

	make(&m.mutex, kinds[_i]);
	run_on(1, meet, &m);
}
END_TEST

/* --- what a scheduler leaves behind -------------------------------------- */

static void *lock_it(void *arg)
{
	expect_eq(pthread_mutex_lock(arg), 0);
	expect_eq(pthread_mutex_unlock(arg), 0);
	return NULL;
}

static void *leave_waiting(void *arg)
{
	pthread_mutex_t *m = arg;

	for (int i = 0; i < FIBERS; i++)
		spawn(lock_it, &m[i]);
	usleep(1000);
	return NULL;
}

static void *lock_all(void *arg)
{
	pthread_mutex_t *m = arg;

	for (int i = 0; i < FIBERS; i++)
		join(spawn(lock_it, &m[i]));
	return NULL;
}

/* Fibers that wait when their scheduler ends are gone, with their stacks. */
START_TEST(left_waiting)
{
	static pthread_mutex_t m[FIBERS];

	for (int i = 0; i < FIBERS; i++) {
		make(&m[i], PTHREAD_MUTEX_NORMAL);
		expect_eq(pthread_mutex_lock(&m[i]), 0);
	}
	run_on(1, leave_waiting, m);
	for (int i = 0; i < FIBERS; i++)
		expect_eq(pthread_mutex_unlock(&m[i]), 0);
	run_on(1, lock_all, m);
}
END_TEST

static void *fork_child(void *arg)
{
	char c = 0;
	int fd[2], status;
	pid_t pid;

	(void)arg;
	expect_eq(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		usleep(1000);
		if (write(fd[1], "x", 1) != 1)
			_exit(1);
		_exit(close(fd[1]) != 0);
	}
	expect_eq(read(fd[0], &c, 1), 1);
	expect_eq(c, 'x');
	expect_eq(waitpid(pid, &status, 0), pid);
	expect_eq(status, 0);
	expect_eq(close(fd[0]), 0);
	expect_eq(close(fd[1]), 0);
	return NULL;
}

START_TEST(forked)
{
	run_on(1, fork_child, NULL);
}
END_TEST

#ifdef __x86_64__
/* Who asks for the conditions of 2002 gets the C library's. */
START_TEST(versions)
{
	void *new = dlvsym(RTLD_DEFAULT, "pthread_cond_wait", "GLIBC_2.3.2");
	void *old = dlvsym(RTLD_DEFAULT, "pthread_cond_wait", "GLIBC_2.2.5");
	Dl_info info;

	expect(dladdr(new, &info) && strstr(info.dli_fname, "libbaton-wrap"));
	expect(dladdr(old, &info) && strstr(info.dli_fname, "libc.so"));
}
END_TEST
#endif

/* --- a program that does not know of it ---------------------------------- */

static int run_plain(const char *preload)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(preload ? 60 : 1);
		if (preload)
			setenv("LD_PRELOAD", preload, 1);
		setenv("BATON_TIER", "poll", 1);
		execl(PLAIN, PLAIN, (char *)NULL);
		_exit(127);
	}
	expect_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(preloaded)
{
	if (getenv("BATON_EMULATOR")) {
		skip("preloaded", "what runs it is told by its command");
		return;
	}
	expect_eq(run_plain(LIBRARY), 0);
}
END_TEST

/* And that this shows something. */
START_TEST(not_preloaded)
{
	if (getenv("BATON_EMULATOR"))
		return;
	expect_eq(WTERMSIG(run_plain(NULL)), SIGALRM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wrap");
	TCase *tc = test_case(s, "time");

	/* A debug build would find what is then put right. */
	setenv("BATON_TLS_CHECK", "off", 1);
	tcase_add_test(tc, sleeps);
	tcase_add_test(tc, canceled);
	tcase_add_test(tc, scope);
	tc = test_case(s, "locks");
	tcase_add_loop_test(tc, held_over_yield, 0, 8);
	tcase_add_loop_test(tc, with_threads, 0, 2);
	tcase_add_loop_test(tc, owner, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_test(tc, robust);
	tcase_add_test(tc, timed);
	tcase_add_loop_test(tc, producers, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, producer_threads, 0, ARRAY_SIZE(nprocs_list));
	tcase_add_loop_test(tc, rwlock, 0, ARRAY_SIZE(nprocs_list));
	tc = test_case(s, "who calls");
	tcase_add_test(tc, errno_follows);
	tcase_add_test(tc, in_foreign_code);
	tcase_add_loop_test(tc, let_go_in_foreign_code, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, left_waiting);
	tcase_add_test(tc, forked);
#ifdef __x86_64__
	tcase_add_test(tc, versions);
#endif
	tcase_add_test(tc, preloaded);
	tcase_add_test(tc, not_preloaded);
	return suite_main(s);
}
