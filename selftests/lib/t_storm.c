// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * t_storm.c - cancels and deadlines at random, of fibers that wait for
 * descriptors and the ring, and that give their descriptors' numbers to each
 * other all the time. Each cancel is heard once, no deadline is early, and what
 * was not had is not lost.
 */
#include "descs.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>

#define SAILORS	8u
#define PAGE	4096u
#define PAGES	64u

/* Whose turn it is with sailor.cancel. */
enum { NONE, SENDING, SENT, OVER };

/**
 * struct sailor - a fiber in the storm
 * @cancel: NONE: it may be canceled; SENDING, SENT: it is to hear of one
 * @fds:    a pair of its own: it writes into the one and reads from the other
 * @full:   another, which takes no more
 * @listen: to which nobody connects
 * @file:   of PAGES pages, each full of its number
 * @wrote:  messages into the pair; its mate's, while there is one
 * @had:    messages out of it
 */
struct sailor {
	struct baton_fiber *fiber;
	uint64_t number;
	uint32_t seed;
	unsigned int cancel;
	unsigned int heard;
	int fds[2];
	int full[2];
	int listen;
	int file;
	uint64_t wrote;
	uint64_t had;
};

static struct sailor sailors[SAILORS];
static unsigned int sent, at_sea;

static uint32_t draw(struct sailor *s, uint32_t n)
{
	return random_next(&s->seed) % n;
}

/* The numbers that it has had are free for a moment, and the others take them. */
static void renew(struct sailor *s)
{
	static const char block[PAGE];
	struct sockaddr_in a = { .sin_family = AF_INET };

	if (s->listen >= 0) {
		close_pair(s->fds);
		close_pair(s->full);
		expect_eq(baton_close(s->listen), 0);
	}
	pair(s->fds);
	expect_eq(pipe2(s->full, O_CLOEXEC | O_NONBLOCK), 0);
	expect(fcntl(s->full[1], F_SETPIPE_SZ, PAGE) > 0);
	while (write(s->full[1], block, PAGE) > 0)
		;
	s->listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect_eq(bind(s->listen, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_eq(listen(s->listen, 1), 0);
	s->wrote = s->had = 0;
}

/* Nobody else has a turn with @s. */
static bool turn(struct sailor *s, unsigned int as)
{
	unsigned int none = NONE;

	return __atomic_compare_exchange_n(&s->cancel, &none, as, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* A wait was canceled: by somebody, and not for the second time. */
static void hear(struct sailor *s)
{
	expect(load(&s->cancel) != NONE);
	while (load(&s->cancel) != SENT)
		baton_yield();
	s->heard++;
	store(&s->cancel, NONE);
}

/* What came of a wait that could end with @had, or at @deadline. */
static void came(struct sailor *s, ssize_t ret, ssize_t had, int64_t deadline)
{
	if (ret == -ECANCELED)
		hear(s);
	else if (ret == -ETIMEDOUT)
		expect(baton_now() >= deadline);
	else
		expect_eq(ret, had);
}

static void write_one(struct sailor *s)
{
	uint64_t message[2] = { s->number, s->wrote };

	expect_eq(baton_write(s->fds[1], message, sizeof(message)),
		  sizeof(message));
	s->wrote++;
}

static void *mate(void *arg)
{
	struct sailor *s = arg;

	for (uint64_t n = s->wrote % 4; n; n--)
		baton_yield();
	write_one(s);
	return NULL;
}

/* Something is there. @s may be canceled before it is had. */
static void read_one(struct sailor *s)
{
	uint64_t message[2];
	ssize_t ret;

	do {
		ret = draw(s, 2) ? baton_recv(s->fds[0], message,
					      sizeof(message), 0) :
				   baton_read(s->fds[0], message,
					      sizeof(message));
		came(s, ret, sizeof(message), BATON_NEVER);
	} while (ret < 0);
	expect_eq(message[0], s->number);
	expect_eq(message[1], s->had);
	s->had++;
}

/* Or comes while @s waits. */
static void read_later(struct sailor *s)
{
	struct baton_fiber *f = spawn(mate, s);
	int err;

	read_one(s);
	do {
		err = baton_join(f, NULL);
		came(s, err, 0, BATON_NEVER);
	} while (err);
}

static void read_none(struct sailor *s, int64_t deadline)
{
	uint64_t message[2];

	came(s, baton_read_until(s->fds[0], message, sizeof(message), deadline),
	     -ETIMEDOUT, deadline);
}

static void poll_both(struct sailor *s, int64_t deadline)
{
	struct pollfd p[2] = {
		{ .fd = s->fds[0], .events = POLLIN },
		{ .fd = s->full[1], .events = POLLOUT },
	};
	int ret = baton_poll(p, 2, deadline);

	if (ret)
		came(s, ret, s->wrote != s->had, deadline);
	else
		expect(s->wrote == s->had && baton_now() >= deadline);
}

static void read_page(struct sailor *s)
{
	uint32_t page = draw(s, PAGES), buf[PAGE / 4];
	ssize_t ret = baton_pread(s->file, buf, PAGE, (off_t)page * PAGE);

	came(s, ret, PAGE, BATON_NEVER);
	for (unsigned int i = 0; ret > 0 && i < PAGE / 4; i++)
		expect_eq(buf[i], page);
}

static void act(struct sailor *s)
{
	int64_t deadline = baton_now() + draw(s, 60000);

	switch (draw(s, 12)) {
	case 0:
	case 1:
		if (s->wrote - s->had < 64)
			write_one(s);
		break;
	case 2:
	case 3:
		if (s->wrote != s->had)
			read_one(s);
		else if (draw(s, 2))
			read_later(s);
		else
			read_none(s, deadline);
		break;
	case 4:
		poll_both(s, deadline);
		break;
	case 5:
		read_page(s);
		break;
	case 6:
		came(s, baton_fdatasync(s->file), 0, BATON_NEVER);
		break;
	case 7:
		came(s, baton_write_until(s->full[1], &deadline,
					  sizeof(deadline), deadline),
		     -ETIMEDOUT, deadline);
		break;
	case 8:
		came(s, baton_accept4_until(s->listen, NULL, NULL, SOCK_CLOEXEC,
					    deadline),
		     -ETIMEDOUT, deadline);
		break;
	case 9:
		came(s, baton_sleep_until(deadline), 0, BATON_NEVER);
		break;
	case 10:
		baton_yield();
		break;
	case 11:
		renew(s);
		break;
	}
}

static void *sail(void *arg)
{
	struct sailor *s = arg;

	renew(s);
	for (unsigned int i = scaled(4000); i; i--)
		act(s);
	/* The last one is not lost, either. */
	while (!turn(s, OVER)) {
		expect_eq(baton_sleep(1000 * BATON_SEC), -ECANCELED);
		hear(s);
	}
	expect_eq(baton_canceled(), 0);
	close_pair(s->fds);
	close_pair(s->full);
	expect_eq(baton_close(s->listen), 0);
	add(&at_sea, -1u);
	return NULL;
}

/* Cancels whoever has heard of the last one. */
static void *blow(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;

	while (load(&at_sea)) {
		struct sailor *s = &sailors[random_next(&seed) % SAILORS];

		if (turn(s, SENDING)) {
			expect_eq(baton_cancel(s->fiber), 0);
			add(&sent, 1);
			store(&s->cancel, SENT);
		}
		if (random_next(&seed) % 2)
			baton_yield();
		else
			baton_sleep(random_next(&seed) % 20000);
	}
	return NULL;
}

static int make_file(void)
{
	int fd = memfd_create("storm", MFD_CLOEXEC);

	for (uint32_t page = 0; page < PAGES; page++) {
		uint32_t buf[PAGE / 4];

		for (unsigned int i = 0; i < PAGE / 4; i++)
			buf[i] = page;
		expect_eq(write(fd, buf, PAGE), PAGE);
	}
	return fd;
}

static void *storm_main(void *arg)
{
	uint32_t *seed = arg;
	unsigned int heard = 0;
	struct baton_fiber *f;
	int fd = make_file();

	at_sea = SAILORS;
	sent = 0;
	for (unsigned int i = 0; i < SAILORS; i++) {
		struct sailor *s = &sailors[i];

		*s = (struct sailor){
			.number = i,
			.seed = random_next(seed),
			.listen = -1,
			.file = fd,
		};
		s->fiber = spawn(sail, s);
	}
	f = spawn(blow, seed);
	join(f);
	for (unsigned int i = 0; i < SAILORS; i++) {
		join(sailors[i].fiber);
		heard += sailors[i].heard;
	}
	printf("# %u cancels\n", sent);
	expect_eq(heard, sent);
	expect(sent);
	close(fd);
	return arg;
}

START_TEST(storm)
{
	uint32_t seed = random_seed();

	run(_i, storm_main, &seed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storm");
	TCase *tc = test_case(s, "storm");

	LOOP(storm);
	return suite_main(s);
}
