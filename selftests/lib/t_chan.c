// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* t_chan.c - channels and select, between fibers, foreign code and threads. */
#include "sides.h"

/* Later than any test takes. */
#define LONG (1000 * BATON_SEC)

/* --- what is an error ---------------------------------------------------- */

static void *refused(void *arg)
{
	struct baton_chan ch;
	char buffer[8];

	expect_eq(baton_chan_init(NULL, 8, 0, NULL), -EINVAL);
	expect_eq(baton_chan_init(&ch, 8, 1, NULL), -EINVAL);
	expect(*baton_reason());
	expect_eq(baton_chan_init(&ch, SIZE_MAX / 2, 3, buffer), -EINVAL);
	expect_eq(baton_chan_init(&ch, SIZE_MAX, 1, buffer), -EINVAL);
	expect_eq(baton_chan_init(&ch, 8, 0, NULL), 0);
	expect_eq(baton_chan_send(NULL, buffer), -EINVAL);
	expect_eq(baton_chan_send(&ch, NULL), -EINVAL);
	expect_eq(baton_chan_try_send(&ch, NULL), -EINVAL);
	expect_eq(baton_chan_recv(NULL, buffer), -EINVAL);
	expect_eq(baton_chan_try_recv(NULL, buffer), -EINVAL);
	expect_eq(baton_chan_close(NULL), -EINVAL);
	expect_eq(baton_chan_destroy(NULL), -EINVAL);
	expect_eq(baton_chan_try_send(&ch, buffer), -EAGAIN);
	expect_eq(baton_chan_try_recv(&ch, buffer), -EAGAIN);
	expect_eq(baton_chan_send_until(&ch, buffer, 0), -ETIMEDOUT);
	expect_eq(baton_chan_recv_until(&ch, buffer, baton_now() + 1000000),
		  -ETIMEDOUT);
	expect_eq(baton_chan_close(&ch), 0);
	expect_eq(baton_chan_close(&ch), -EPIPE);
	expect(*baton_reason());
	expect_eq(baton_chan_send(&ch, buffer), -EPIPE);
	expect_eq(baton_chan_try_send(&ch, buffer), -EPIPE);
	expect_eq(baton_chan_recv(&ch, buffer), -EPIPE);
	expect_eq(baton_chan_try_recv(&ch, buffer), -EPIPE);
	expect_eq(baton_chan_destroy(&ch), 0);
	return arg;
}

static void *waits_there(void *arg)
{
	expect_eq(baton_chan_recv(arg, NULL), -EPIPE);
	return arg;
}

static void *busy(void *arg)
{
	struct baton_chan ch = BATON_CHAN_INIT(8, 0, NULL);
	struct baton_fiber *f = spawn(waits_there, &ch);
	int err;

	/* Until it waits. It is alone meanwhile. */
	while (!(err = baton_chan_destroy(&ch))) {
		expect_eq(baton_chan_init(&ch, 8, 0, NULL), 0);
		baton_yield();
	}
	expect_eq(err, -EBUSY);
	expect_eq(baton_chan_close(&ch), 0);
	join(f);
	expect_eq(baton_chan_destroy(&ch), 0);
	return arg;
}

START_TEST(errors)
{
	run_on(nprocs_list[_i], refused, NULL);
	run_in_order(busy, NULL);
	/* Without a scheduler, too. */
	refused(NULL);
}
END_TEST

/* --- elements ------------------------------------------------------------ */

static void *sizes(void *arg)
{
	static const size_t size[] = {0, 1, 3, 4, 8, 16, 100};
	unsigned char buffer[5 * 100], in[101], out[101];

	for (unsigned int s = 0; s < ARRAY_SIZE(size); s++) {
		struct baton_chan ch;

		expect_eq(baton_chan_init(&ch, size[s], 5,
					  size[s] ? buffer : NULL),
			  0);
		expect_eq(baton_chan_cap(&ch), 5);
		for (int i = 0; i < 50; i++) {
			int n = 1 + i % 5;

			for (int k = 0; k < n; k++) {
				memset(in, i + k, sizeof(in));
				expect_eq(baton_chan_send(&ch, in), 0);
				expect_eq(baton_chan_len(&ch), k + 1);
			}
			if (n == 5)
				expect_eq(baton_chan_try_send(&ch, in),
					  -EAGAIN);
			for (int k = 0; k < n; k++) {
				memset(out, 0xee, sizeof(out));
				expect_eq(baton_chan_recv(&ch, out), 0);
				for (size_t b = 0; b < sizeof(out); b++)
					expect_eq(out[b],
						  b < size[s] ? i + k : 0xee);
			}
			expect_eq(baton_chan_try_recv(&ch, out), -EAGAIN);
		}
		/* What it holds when it is closed is had. */
		expect_eq(baton_chan_send(&ch, in), 0);
		expect_eq(baton_chan_close(&ch), 0);
		expect_eq(baton_chan_recv(&ch, NULL), 0);
		expect_eq(baton_chan_recv(&ch, out), -EPIPE);
	}
	return arg;
}

START_TEST(all_sizes)
{
	run_on(1, sizes, NULL);
	sizes(NULL);
}
END_TEST

/* --- in order ------------------------------------------------------------ */

static struct {
	struct baton_chan ch;
	intptr_t got[5];
} line;

static void *receives_one(void *arg)
{
	intptr_t i = (intptr_t)arg;

	expect_eq(baton_chan_recv(&line.ch, &line.got[i]), 0);
	return NULL;
}

static void *sends_one(void *arg)
{
	intptr_t i = (intptr_t)arg;

	expect_eq(baton_chan_send(&line.ch, &i), 0);
	return NULL;
}

static void *in_line(void *arg)
{
	struct baton_fiber *f[5];
	intptr_t value, buffer[2];

	expect_eq(baton_chan_init(&line.ch, sizeof(value), 0, NULL), 0);
	for (intptr_t i = 0; i < 5; i++)
		f[i] = spawn(receives_one, (void *)i);
	baton_yield();
	for (value = 0; value < 5; value++)
		expect_eq(baton_chan_send(&line.ch, &value), 0);
	for (int i = 0; i < 5; i++) {
		join(f[i]);
		expect_eq(line.got[i], i);
	}
	for (int capacity = 0; capacity < 3; capacity++) {
		expect_eq(baton_chan_init(&line.ch, sizeof(value),
					  (size_t)capacity, buffer),
			  0);
		for (intptr_t i = 0; i < 5; i++)
			f[i] = spawn(sends_one, (void *)i);
		baton_yield();
		expect_eq(baton_chan_len(&line.ch), capacity);
		for (int i = 0; i < 5; i++) {
			expect_eq(baton_chan_recv(&line.ch, &value), 0);
			expect_eq(value, i);
		}
		for (int i = 0; i < 5; i++)
			join(f[i]);
	}
	return arg;
}

START_TEST(first_come)
{
	run_in_order(in_line, NULL);
}
END_TEST

/* --- all kinds of pairs -------------------------------------------------- */

#define SENDERS 3
#define RECEIVERS 3

/* Larger than a word: none is to be seen in part. */
struct elem {
	uint64_t sender;
	uint64_t n;
	uint64_t sum;
};

struct flow {
	struct baton_chan ch;
	unsigned int each;
	uint64_t received;
	uint64_t sum;
};

struct sender {
	struct flow *flow;
	uint64_t id;
};

static void *flow_send(void *arg)
{
	struct sender *s = arg;

	for (uint64_t n = 1; n <= s->flow->each; n++) {
		struct elem e = {s->id, n, s->id + n};

		expect_eq(baton_chan_send(&s->flow->ch, &e), 0);
	}
	return NULL;
}

static void *flow_recv(void *arg)
{
	struct flow *flow = arg;
	uint64_t last[SENDERS] = {0};
	struct elem e;
	int err;

	while (!(err = baton_chan_recv(&flow->ch, &e))) {
		expect_eq(e.sum, e.sender + e.n);
		/* Each sender's come in order. */
		expect(e.n > last[e.sender]);
		last[e.sender] = e.n;
		add(&flow->received, 1);
		add(&flow->sum, e.n);
	}
	expect_eq(err, -EPIPE);
	return NULL;
}

static void flow_between(enum side_kind from, enum side_kind to,
			 size_t capacity)
{
	struct side senders[SENDERS], receivers[RECEIVERS];
	struct sender s[SENDERS];
	struct elem buffer[7];
	struct flow flow = {.each = scaled(300)};
	uint64_t n = flow.each;

	expect_eq(baton_chan_init(&flow.ch, sizeof(struct elem), capacity,
				  buffer),
		  0);
	for (int i = 0; i < RECEIVERS; i++)
		side_start(&receivers[i], to, flow_recv, &flow);
	for (unsigned int i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){&flow, i};
		side_start(&senders[i], from, flow_send, &s[i]);
	}
	for (int i = 0; i < SENDERS; i++)
		side_join(&senders[i]);
	expect_eq(baton_chan_close(&flow.ch), 0);
	for (int i = 0; i < RECEIVERS; i++)
		side_join(&receivers[i]);
	expect_eq(flow.received, SENDERS * n);
	expect_eq(flow.sum, SENDERS * (n * (n + 1) / 2));
	expect_eq(baton_chan_destroy(&flow.ch), 0);
}

static void *all_flows(void *arg)
{
	static const size_t capacity[] = {0, 1, 7};

	for (int from = 0; from < SIDE_KINDS; from++)
		for (int to = 0; to < SIDE_KINDS; to++)
			for (unsigned int i = 0; i < ARRAY_SIZE(capacity); i++)
				flow_between((enum side_kind)from,
					     (enum side_kind)to, capacity[i]);
	return arg;
}

START_TEST(pairs)
{
	run_on(nprocs_list[_i], all_flows, NULL);
}
END_TEST

static void *thread_flow(void *arg)
{
	return flow_send(arg);
}

START_TEST(no_scheduler)
{
	struct flow flow = {.each = scaled(1000)};
	struct sender s = {&flow, 0};
	struct elem e;
	pthread_t t;

	expect_eq(baton_chan_init(&flow.ch, sizeof(e), 0, NULL), 0);
	expect_eq(pthread_create(&t, NULL, thread_flow, &s), 0);
	for (uint64_t i = 1; i <= flow.each; i++) {
		expect_eq(baton_chan_recv(&flow.ch, &e), 0);
		expect_eq(e.n, i);
	}
	pthread_join(t, NULL);
}
END_TEST

/* --- nothing is lost, nothing comes twice -------------------------------- */

#define CHAOS_SIDES 4

/*
 * Senders and receivers with random deadlines, canceled at random; then a close
 * in the middle of it all. Each element was sent or not, as its sender was told.
 */
struct chaos {
	struct baton_chan ch[2];
	unsigned int limit;
	bool selects;
	unsigned char *sent; /* by element: its sender was told 0 */
	unsigned char *had; /* how often it was received */
	unsigned int next;
	unsigned int count; /* of those received */
	unsigned int over;
};

struct chaos_side {
	struct chaos *c;
	uint32_t seed;
};

static int64_t chaos_deadline(uint32_t *seed, int64_t latest)
{
	switch (random_next(seed) % 4) {
	case 0:
		return 0;
	case 1:
		return baton_now() + random_next(seed) % 100000;
	default:
		return latest;
	}
}

/* 0; or what ended it: -EPIPE both channels are closed. */
static int chaos_op(struct chaos *c, uint32_t *seed, bool send,
		    unsigned int *elem)
{
	enum baton_case_kind kind = send ? BATON_CASE_SEND : BATON_CASE_RECV;
	int64_t deadline;
	struct baton_case cases[3];
	unsigned int at = random_next(seed) % 2, other;
	int got;

	if (!c->selects || random_next(seed) % 2) {
		/* Not for ever: all senders may be here, all receivers there. */
		deadline = chaos_deadline(seed, baton_now() + BATON_MSEC);
		return send ? baton_chan_send_until(&c->ch[at], elem,
						    deadline) :
			      baton_chan_recv_until(&c->ch[at], elem, deadline);
	}
	deadline = chaos_deadline(seed, BATON_NEVER);
	for (unsigned int i = 0; i < 2; i++) {
		cases[i].kind = kind;
		cases[i].object = &c->ch[(at + i) % 2];
		cases[i].elem = elem;
	}
	/* The same channel twice, now and then. */
	cases[2] = cases[0];
	got = baton_select(cases, 2 + random_next(seed) % 2, deadline);
	if (got < 0 || !cases[got].result)
		return got < 0 ? got : 0;
	expect_eq(cases[got].result, -EPIPE);
	/* One may be closed before the other. */
	other = cases[got].object == &c->ch[0];
	return send ? baton_chan_send(&c->ch[other], elem) :
		      baton_chan_recv(&c->ch[other], elem);
}

static void *chaos_send(void *arg)
{
	struct chaos_side *s = arg;
	struct chaos *c = s->c;

	for (;;) {
		unsigned int elem = add(&c->next, 1) - 1;
		int err;

		if (elem >= c->limit)
			break;
		do
			err = chaos_op(c, &s->seed, true, &elem);
		while (err == -ETIMEDOUT || err == -ECANCELED);
		if (!err)
			c->sent[elem] = 1;
		else
			expect_eq(err, -EPIPE);
	}
	add(&c->over, 1);
	return NULL;
}

static void *chaos_recv(void *arg)
{
	struct chaos_side *s = arg;
	struct chaos *c = s->c;
	unsigned int closed = 0;

	while (closed < 20) {
		unsigned int elem = ~0u;
		int err = chaos_op(c, &s->seed, false, &elem);

		if (!err) {
			expect(elem < c->limit);
			add(&c->had[elem], 1);
			add(&c->count, 1);
		} else {
			expect_eq(elem, ~0u);
			/* What is left over is looked for at the end. */
			closed += err == -EPIPE;
			expect(err == -ETIMEDOUT || err == -ECANCELED ||
			       err == -EPIPE);
		}
	}
	add(&c->over, 1);
	return NULL;
}

static void chaos_between(enum side_kind from, enum side_kind to, bool selects,
			  size_t capacity, uint32_t seed)
{
	struct side sides[2 * CHAOS_SIDES];
	struct chaos_side args[2 * CHAOS_SIDES];
	unsigned int buffer[2][3], elem;
	struct chaos c = {.limit = scaled(3000), .selects = selects};

	c.sent = calloc(c.limit, 1);
	c.had = calloc(c.limit, 1);
	for (int i = 0; i < 2; i++)
		expect_eq(baton_chan_init(&c.ch[i], sizeof(elem), capacity,
					  buffer[i]),
			  0);
	for (int i = 0; i < 2 * CHAOS_SIDES; i++) {
		args[i] = (struct chaos_side){&c, random_next(&seed)};
		side_start(&sides[i], i % 2 ? from : to,
			   i % 2 ? chaos_send : chaos_recv, &args[i]);
	}
	while (load(&c.count) < c.limit * 3 / 4) {
		struct side *s = &sides[random_next(&seed) % (2 * CHAOS_SIDES)];

		if (s->fiber)
			expect_eq(baton_cancel(s->fiber), 0);
		for (uint32_t i = random_next(&seed) % 8; i; i--)
			baton_yield();
	}
	expect_eq(baton_chan_close(&c.ch[0]), 0);
	baton_yield();
	expect_eq(baton_chan_close(&c.ch[1]), 0);
	for (int i = 0; i < 2 * CHAOS_SIDES; i++)
		side_join(&sides[i]);
	expect_eq(c.over, 2 * CHAOS_SIDES);
	for (int i = 0; i < 2; i++) {
		while (!baton_chan_recv(&c.ch[i], &elem)) {
			c.had[elem]++;
		}
		expect_eq(baton_chan_destroy(&c.ch[i]), 0);
	}
	for (unsigned int i = 0; i < c.limit; i++)
		expect_eq(c.had[i], c.sent[i]);
	free(c.sent);
	free(c.had);
}

static void *all_chaos(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;

	for (int from = 0; from < SIDE_KINDS; from++)
		for (int to = 0; to < SIDE_KINDS; to++)
			for (int i = 0; i < 4; i++)
				chaos_between((enum side_kind)from,
					      (enum side_kind)to, i % 2,
					      i / 2 ? 3 : 0,
					      random_next(&seed));
	return arg;
}

START_TEST(exact)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], all_chaos, &seed);
}
END_TEST

/* --- select -------------------------------------------------------------- */

/*
 * Two kinds of sides: the one sends on one channel or receives on the other,
 * the other one the other way round; no deadline. If two of them missed each
 * other they would wait for ever.
 */
struct duel {
	struct baton_chan ch[2];
	struct baton_chan done;
	unsigned int limit;
	unsigned int received;
	uint64_t sent_sum;
	uint64_t received_sum;
};

struct duelist {
	struct duel *d;
	int sends_on;
	bool both;
	uint32_t seed;
};

static void *duel_play(void *arg)
{
	struct duelist *me = arg;
	struct duel *d = me->d;

	for (;;) {
		uint64_t out = random_next(&me->seed), in = 0;
		struct baton_chan *mine = &d->ch[me->sends_on];
		struct baton_chan *other = &d->ch[!me->sends_on];
		struct baton_case cases[5] = {
			{.kind = BATON_CASE_SEND, .object = mine, .elem = &out},
			{.kind = BATON_CASE_RECV, .object = other, .elem = &in},
			{.kind = BATON_CASE_RECV, .object = &d->done},
			/* With these, any two can meet. */
			{.kind = BATON_CASE_SEND, .object = other, .elem = &out},
			{.kind = BATON_CASE_RECV, .object = mine, .elem = &in},
		};
		int got = baton_select(cases, me->both ? 5 : 3, BATON_NEVER);

		expect(got >= 0);
		if (got == 2) {
			expect_eq(cases[2].result, -EPIPE);
			break;
		}
		expect_eq(cases[got].result, 0);
		if (cases[got].kind == BATON_CASE_SEND) {
			expect_eq(in, 0);
			add(&d->sent_sum, out);
			continue;
		}
		add(&d->received_sum, in);
		if (add(&d->received, 1) == d->limit)
			expect_eq(baton_chan_close(&d->done), 0);
	}
	return NULL;
}

static void duel_between(enum side_kind a, enum side_kind b, int pairs,
			 bool both, uint32_t seed)
{
	struct duel d = {.limit = scaled(1000)};
	struct duelist players[8];
	struct side sides[8];

	expect_eq(baton_chan_init(&d.ch[0], sizeof(uint64_t), 0, NULL), 0);
	expect_eq(baton_chan_init(&d.ch[1], sizeof(uint64_t), 0, NULL), 0);
	expect_eq(baton_chan_init(&d.done, 0, 0, NULL), 0);
	for (int i = 0; i < 2 * pairs; i++) {
		players[i] =
			(struct duelist){&d, i % 2, both, random_next(&seed)};
		side_start(&sides[i], i % 2 ? a : b, duel_play, &players[i]);
	}
	for (int i = 0; i < 2 * pairs; i++)
		side_join(&sides[i]);
	expect(d.received >= d.limit);
	expect_eq(d.sent_sum, d.received_sum);
	for (int i = 0; i < 2; i++)
		expect_eq(baton_chan_destroy(&d.ch[i]), 0);
}

static void *all_duels(void *arg)
{
	uint32_t seed = *(uint32_t *)arg;

	for (int a = 0; a < SIDE_KINDS; a++)
		for (int b = 0; b < SIDE_KINDS; b++)
			for (int i = 0; i < 4; i++)
				duel_between((enum side_kind)a,
					     (enum side_kind)b, i % 2 ? 4 : 1,
					     i / 2, random_next(&seed));
	return arg;
}

START_TEST(select_meets_select)
{
	uint32_t seed = random_seed();

	run_on(nprocs_list[_i], all_duels, &seed);
}
END_TEST

/* Of those that are ready each is as likely as any other. */
static void *chosen(void *arg)
{
	struct baton_chan ch[4];
	int value = 0, buffer[4], count[4] = {0};
	struct baton_case cases[4];
	int rounds = 4000;

	for (int i = 0; i < 4; i++) {
		expect_eq(baton_chan_init(&ch[i], sizeof(int), 1, &buffer[i]),
			  0);
		cases[i] = (struct baton_case){.kind = BATON_CASE_RECV,
					       .object = &ch[i],
					       .elem = &value};
	}
	/* The second one is never ready, between two that are. */
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 4; k++)
			if (k != 1)
				expect(baton_chan_try_send(&ch[k], &k) !=
				       -EPIPE);
		value = baton_select(cases, 4, BATON_NEVER);
		expect(value >= 0);
		count[value]++;
	}
	expect_eq(count[1], 0);
	/* 1,333 are expected, and the deviation is 30. */
	for (int k = 0; k < 4; k++)
		if (k != 1)
			expect(count[k] > 1000 && count[k] < 1700);
	return arg;
}

START_TEST(fair_choice)
{
	run_on(1, chosen, NULL);
	chosen(NULL);
}
END_TEST

static void *looks(void *arg)
{
	struct baton_chan a, b;
	int value = 5, out = 0, buffer[1];
	struct baton_case cases[3] = {
		{.kind = BATON_CASE_NONE},
		{.kind = BATON_CASE_SEND, .object = &a, .elem = &value},
		{.kind = BATON_CASE_RECV, .object = &a, .elem = &out},
	};
	int64_t start;

	expect_eq(baton_chan_init(&a, sizeof(int), 0, NULL), 0);
	expect_eq(baton_chan_init(&b, sizeof(int), 1, buffer), 0);
	/* It does not meet itself. */
	expect_eq(baton_select(cases, 3, 0), -ETIMEDOUT);
	start = baton_now();
	expect_eq(baton_select(cases, 3, start + BATON_MSEC), -ETIMEDOUT);
	expect(baton_now() - start >= BATON_MSEC);
	expect_eq(out, 0);
	expect_eq(baton_select(NULL, 0, 0), -ETIMEDOUT);
	expect_eq(baton_select(NULL, 0, baton_now() + 1000), -ETIMEDOUT);
	expect_eq(baton_select(NULL, 1, 0), -EINVAL);
	cases[0].kind = BATON_CASE_SEND;
	expect_eq(baton_select(cases, 3, 0), -EINVAL);
	expect(*baton_reason());
	cases[0].object = &b;
	expect_eq(baton_select(cases, 3, 0), -EINVAL);
	cases[0].elem = &value;
	expect_eq(baton_select(cases, 3, 0), 0);
	expect_eq(cases[0].result, 0);
	expect_eq(baton_select(cases, 3, 0), -ETIMEDOUT);
	cases[0].kind = (enum baton_case_kind)77;
	expect_eq(baton_select(cases, 3, 0), -EINVAL);
	cases[0] = (struct baton_case){
		.kind = BATON_CASE_RECV, .object = &b, .elem = &out};
	expect_eq(baton_chan_close(&b), 0);
	expect_eq(baton_select(cases, 3, 0), 0);
	expect_eq(cases[0].result, 0);
	expect_eq(out, 5);
	expect_eq(baton_select(cases, 3, 0), 0);
	expect_eq(cases[0].result, -EPIPE);
	cases[0].kind = BATON_CASE_SEND;
	expect_eq(baton_select(cases, 3, 0), 0);
	expect_eq(cases[0].result, -EPIPE);
	expect_eq(baton_chan_destroy(&a), 0);
	return arg;
}

START_TEST(select_once)
{
	run_on(1, looks, NULL);
	looks(NULL);
}
END_TEST

/* Far more cases than anybody has, in no order. */
static void *many_cases(void *arg)
{
	enum {
		N = 200
	};
	static struct baton_chan ch[N];
	struct baton_case cases[N];
	int value = 0, buffer[N];

	for (int i = 0; i < N; i++) {
		int at = i * 77 % N;

		expect_eq(baton_chan_init(&ch[i], sizeof(int), 1, &buffer[i]),
			  0);
		cases[at] = (struct baton_case){.kind = BATON_CASE_RECV,
						.object = &ch[i],
						.elem = &value};
	}
	for (int i = 0; i < N; i++) {
		expect_eq(baton_chan_send(&ch[i], &i), 0);
		expect_eq(baton_select(cases, N, BATON_NEVER), i * 77 % N);
		expect_eq(value, i);
	}
	return arg;
}

START_TEST(select_many)
{
	run_on(1, many_cases, NULL);
}
END_TEST

static void *selects_for_ever(void *arg)
{
	struct baton_chan *ch = arg;
	int value = 1;
	struct baton_case cases[] = {
		{.kind = BATON_CASE_SEND, .object = &ch[0], .elem = &value},
		{.kind = BATON_CASE_RECV, .object = &ch[1]},
	};
	struct baton_scope scope;

	expect_eq(baton_select(cases, 2, BATON_NEVER), -ECANCELED);
	expect_eq(baton_deadline_push(&scope, baton_now() + BATON_MSEC), 0);
	expect_eq(baton_select(cases, 2, BATON_NEVER), -ETIMEDOUT);
	expect_eq(baton_select(cases, 2, baton_now() + LONG), -ETIMEDOUT);
	expect_eq(baton_chan_recv(&ch[1], &value), -ETIMEDOUT);
	expect_eq(baton_deadline_pop(&scope), 0);
	return NULL;
}

static void *cancels(void *arg)
{
	struct baton_chan ch[2];
	struct baton_fiber *f;
	int value;

	for (int i = 0; i < 2; i++)
		expect_eq(baton_chan_init(&ch[i], sizeof(int), 0, NULL), 0);
	f = spawn(selects_for_ever, ch);
	for (int i = 0; i < 3; i++)
		baton_yield();
	expect_eq(baton_cancel(f), 0);
	join(f);
	expect_eq(baton_chan_try_recv(&ch[0], &value), -EAGAIN);
	for (int i = 0; i < 2; i++)
		expect_eq(baton_chan_destroy(&ch[i]), 0);
	return arg;
}

START_TEST(select_ends)
{
	run_on(nprocs_list[_i], cancels, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chan");
	TCase *tc = test_case(s, "chan");
	int n = (int)ARRAY_SIZE(nprocs_list);

	tcase_add_loop_test(tc, errors, 0, n);
	tcase_add_test(tc, all_sizes);
	tcase_add_test(tc, first_come);
	tcase_add_loop_test(tc, pairs, 0, n);
	tcase_add_test(tc, no_scheduler);
	tcase_add_loop_test(tc, exact, 0, n);
	tcase_add_loop_test(tc, select_meets_select, 0, n);
	tcase_add_test(tc, fair_choice);
	tcase_add_test(tc, select_once);
	tcase_add_test(tc, select_many);
	tcase_add_loop_test(tc, select_ends, 0, n);
	return suite_main(s);
}
