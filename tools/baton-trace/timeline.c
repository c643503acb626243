// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * timeline.c - events become spans of time: of fibers, workers and processors.
 *
 * Each fiber, worker and processor is a track. A span is written when it ends,
 * so only what is open has to be kept: of a fiber what it does, and the foreign
 * calls and callbacks that it is in; of a processor which fiber it runs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

enum { TRACK_PROCS = 1, TRACK_WORKERS, TRACK_FIBERS };	/* as processes */

#define DEPTH_MAX 32
#define BUCKETS 4096u
#define WORKERS (BATON_WORKERS_MAX + 1u)

/* Between two events, a fiber does one of these. */
enum does { UNKNOWN, RUNNING, READY, PARKED, JOINING, WAITING };

static const char *const does_names[] = {
	[RUNNING] = "running",	[READY] = "ready",     [PARKED] = "parked",
	[JOINING] = "joining",	[WAITING] = "waiting",
};

/**
 * struct track - a fiber's
 * @id:     its number as a track; a record that is used again gets another
 * @since:  when it began to do that
 * @proc:   where it runs; -1: without one
 * @ring:   of the worker where it runs or ran last
 * @flow:   of the arrow from who made it ready; 0: none
 * @begins: when its calls and callbacks, from the outermost, began
 */
struct track {
	struct track *next;
	uint64_t fiber;
	unsigned int id;
	char name[NAME_SIZE];
	uint64_t fn;
	enum does does;
	int64_t since;
	int proc;
	uint32_t ring;
	unsigned int flow;
	unsigned int depth;
	int64_t begins[DEPTH_MAX];
	uint64_t fns[DEPTH_MAX];	/* 0: a callback */
};

struct timeline {
	FILE *out;
	const struct target *target;
	int64_t zero;
	unsigned int ids;
	unsigned int flows;
	bool any;
	struct track *buckets[BUCKETS];
	struct track *on_proc[BATON_PROCS_MAX];
	int64_t proc_since[BATON_PROCS_MAX];
	bool procs_named[BATON_PROCS_MAX];
	bool workers_named[WORKERS];
};

/* --- JSON --------------------------------------------------------------------- */

static void text(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fputc(*s < ' ' || *s > '~' ? '?' : *s, out);
	fputc('"', out);
}

/* Perfetto finds a track by "tid" alone when it is named, so no two share one,
 * whatever their process; and 0 is the idle thread there. */
static void begin_object(struct timeline *l, const char *phase, int process,
			 unsigned int track)
{
	fprintf(l->out, "%s\n{\"ph\": \"%s\", \"pid\": %d, \"tid\": %u",
		l->any ? "," : "", phase, process,
		4 * track + (unsigned int)process);
	l->any = true;
}

/* Microseconds, as the format has it. */
static void at(struct timeline *l, const char *key, int64_t ns)
{
	fprintf(l->out, ", \"%s\": %" PRId64 ".%03d", key, ns / 1000,
		(int)(ns % 1000));
}

static void name_track(struct timeline *l, const char *what, int process,
		       unsigned int track, const char *name)
{
	begin_object(l, "M", process, track);
	fprintf(l->out, ", \"name\": \"%s\", \"args\": {\"name\": ", what);
	text(l->out, name);
	fputs("}}", l->out);
}

static void span(struct timeline *l, int process, unsigned int track,
		 const char *name, int64_t from, int64_t to)
{
	begin_object(l, "X", process, track);
	at(l, "ts", from - l->zero);
	at(l, "dur", to > from ? to - from : 0);
	fputs(", \"name\": ", l->out);
	text(l->out, name);
	fputc('}', l->out);
}

/*
 * One end of an arrow, in the span around it; its tip, "f", in the next span to
 * begin there, which is the one that begins with it and is written later: of
 * what has the same time Perfetto takes first what was written first.
 */
static void flow(struct timeline *l, const char *phase, int process,
		 unsigned int track, unsigned int id, int64_t when)
{
	begin_object(l, phase, process, track);
	at(l, "ts", when - l->zero);
	fprintf(l->out,
		", \"id\": %u, \"cat\": \"ready\", \"name\": \"ready\"}", id);
}

/* --- fibers -------------------------------------------------------------------- */

static struct track **bucket(struct timeline *l, uint64_t fiber)
{
	return &l->buckets[(fiber >> 6) * 2654435761u % BUCKETS];
}

static const char *fiber_name(const struct timeline *l, const struct track *f,
			      char *room, size_t size)
{
	if (*f->name)
		return f->name;
	if (f->fn)
		snprintf(room, size, "%s", target_function(l->target, f->fn));
	else
		snprintf(room, size, "fiber %#" PRIx64, f->fiber);
	return room;
}

/* The fiber of that record; one that is new to us if there is none. */
static struct track *track_of(struct timeline *l, uint64_t fiber)
{
	struct track *f;

	for (f = *bucket(l, fiber); f; f = f->next)
		if (f->fiber == fiber)
			return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->fiber = fiber;
	f->id = ++l->ids;
	f->proc = -1;
	f->next = *bucket(l, fiber);
	*bucket(l, fiber) = f;
	return f;
}

/* What @f has done until @when is over. */
static void does(struct timeline *l, struct track *f, enum does next,
		 int64_t when)
{
	if (f->does != UNKNOWN)
		span(l, TRACK_FIBERS, f->id, does_names[f->does], f->since,
		     when);
	f->does = next;
	f->since = when;
}

static void proc_over(struct timeline *l, int p, int64_t when)
{
	char room[256];

	if (p < 0 || !l->on_proc[p])
		return;
	span(l, TRACK_PROCS, (unsigned int)p,
	     fiber_name(l, l->on_proc[p], room, sizeof(room)),
	     l->proc_since[p], when);
	l->on_proc[p] = NULL;
}

/* @f is on processor @p now; whoever was there has lost it. */
static void proc_begin(struct timeline *l, struct track *f, uint32_t p,
		       int64_t when)
{
	char name[32];

	/* It may have lost another one, and nobody said so. */
	if (f->proc >= 0 && f->proc != (int)p && l->on_proc[f->proc] == f)
		proc_over(l, f->proc, when);
	f->proc = -1;
	if (p >= BATON_PROCS_MAX || l->on_proc[p] == f) {
		f->proc = p < BATON_PROCS_MAX ? (int)p : -1;
		return;
	}
	proc_over(l, (int)p, when);
	if (!l->procs_named[p]) {
		snprintf(name, sizeof(name), "processor %u", p);
		name_track(l, "thread_name", TRACK_PROCS, p, name);
		l->procs_named[p] = true;
	}
	l->on_proc[p] = f;
	l->proc_since[p] = when;
	f->proc = (int)p;
}

static void worker_name(struct timeline *l, uint32_t ring)
{
	char name[32];

	if (ring >= WORKERS || l->workers_named[ring])
		return;
	snprintf(name, sizeof(name), "worker %u", ring - 1);
	name_track(l, "thread_name", TRACK_WORKERS, ring, name);
	l->workers_named[ring] = true;
}

/* The innermost call or callback of @f is over. */
static void call_over(struct timeline *l, struct track *f, int64_t when)
{
	const char *name;
	unsigned int d;

	if (!f->depth)
		return;
	d = --f->depth;
	if (d >= DEPTH_MAX)
		return;
	name = f->fns[d] ? target_function(l->target, f->fns[d]) : "callback";
	span(l, TRACK_FIBERS, f->id, name, f->begins[d], when);
	/* A callback may wait, and others run on its worker: not a nested span. */
	if (f->does == RUNNING && f->begins[d] >= f->since)
		span(l, TRACK_WORKERS, f->ring, name, f->begins[d], when);
}

static void call_begins(struct track *f, uint64_t fn, int64_t when)
{
	if (f->depth < DEPTH_MAX) {
		f->begins[f->depth] = when;
		f->fns[f->depth] = fn;
	}
	f->depth++;
}

static void run(struct timeline *l, struct track *f, uint32_t ring, uint32_t p,
		int64_t when)
{
	/* Who is joined, or has joined, is switched to without being queued. */
	does(l, f, RUNNING, when);
	f->ring = ring;
	worker_name(l, ring);
	proc_begin(l, f, p, when);
	if (f->flow) {
		flow(l, "f", TRACK_WORKERS, ring, f->flow, when);
		f->flow = 0;
	}
}

/* @f stops running, to go on with @next. */
static void leave(struct timeline *l, struct track *f, enum does next,
		  int64_t when)
{
	char room[256];

	if (f->does == RUNNING)
		span(l, TRACK_WORKERS, f->ring,
		     fiber_name(l, f, room, sizeof(room)), f->since, when);
	if (f->proc >= 0 && l->on_proc[f->proc] == f)
		proc_over(l, f->proc, when);
	f->proc = -1;
	does(l, f, next, when);
}

/* Its name is known for sure by now; the track is told only here. */
static void end(struct timeline *l, struct track *f, int64_t when)
{
	char room[256];

	while (f->depth)
		call_over(l, f, when);
	leave(l, f, UNKNOWN, when);
	name_track(l, "thread_name", TRACK_FIBERS, f->id,
		   fiber_name(l, f, room, sizeof(room)));
	for (struct track **p = bucket(l, f->fiber); *p; p = &(*p)->next)
		if (*p == f) {
			*p = f->next;
			break;
		}
	free(f);
}

/* --- events --------------------------------------------------------------------- */

static void on_switch(struct timeline *l, const struct event *e, int64_t when)
{
	static const enum does next[] = {
		[TRACE_YIELDS] = READY,	  [TRACE_PARKS] = PARKED,
		[TRACE_JOINS] = JOINING,  [TRACE_WAITS] = WAITING,
	};
	uint64_t why = e->e.b >> TRACE_WHY_SHIFT;

	if (e->e.a && why == TRACE_ENDS)
		end(l, track_of(l, e->e.a), when);
	else if (e->e.a && why <= TRACE_WAITS)
		leave(l, track_of(l, e->e.a), next[why], when);
	if (e->e.fiber)
		run(l, track_of(l, e->e.fiber), e->ring, (uint32_t)e->e.b,
		    when);
}

/* @e: a fiber may run; from a worker, an arrow leads there. */
static void on_ready(struct timeline *l, const struct event *e, int64_t when)
{
	struct track *f = track_of(l, e->e.fiber);

	/* Another worker's report that it has left is still to come. */
	if (f->does != RUNNING)
		does(l, f, READY, when);
	if (e->ring && e->e.a) {
		f->flow = ++l->flows;
		worker_name(l, e->ring);
		flow(l, "s", TRACK_WORKERS, e->ring, f->flow, when);
	}
}

static void on_spawn(struct timeline *l, const struct event *e, int64_t when)
{
	struct track *f = track_of(l, e->e.fiber);

	/* Its end was lost, if there is one. */
	if (f->does != UNKNOWN) {
		end(l, f, when);
		f = track_of(l, e->e.fiber);
	}
	f->fn = e->e.b;
	f->name[0] = 0;
	on_ready(l, e, when);
}

static void on_event(struct timeline *l, const struct event *e)
{
	int64_t when = event_when(e);
	struct track *f;

	switch (event_type(e)) {
	case TRACE_SWITCH:
		on_switch(l, e, when);
		break;
	case TRACE_SPAWN:
		on_spawn(l, e, when);
		break;
	case TRACE_READY:
		on_ready(l, e, when);
		break;
	case TRACE_CALL:
	case TRACE_CALLBACK:
		f = track_of(l, e->e.fiber);
		if (f->does == UNKNOWN)
			run(l, f, e->ring, (uint32_t)e->e.b, when);
		call_begins(f, event_type(e) == TRACE_CALL ? e->e.a : 0, when);
		break;
	case TRACE_RETURN:
	case TRACE_CALLBACK_OVER:
		call_over(l, track_of(l, e->e.fiber), when);
		break;
	case TRACE_RUNS:
		proc_begin(l, track_of(l, e->e.fiber), (uint32_t)e->e.b, when);
		break;
	case TRACE_NAME:
		memcpy(track_of(l, e->e.fiber)->name, e->e.name, 16);
		break;
	case TRACE_NAME_END:
		memcpy(track_of(l, e->e.fiber)->name + 16, e->e.name, 15);
		break;
	case TRACE_HANDOFF:
		if (e->e.b < BATON_PROCS_MAX)
			proc_over(l, (int)e->e.b, when);
		break;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (event_when(x) != event_when(y))
		return event_when(x) < event_when(y) ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void begin_tracks(struct timeline *l, const struct view *begin)
{
	name_track(l, "process_name", TRACK_PROCS, 0, "processors");
	name_track(l, "process_name", TRACK_WORKERS, 0, "workers");
	name_track(l, "process_name", TRACK_FIBERS, 0, "fibers");
	for (size_t i = 0; i < begin->nfibers; i++) {
		struct track *f = track_of(l, begin->fibers[i].at);

		memcpy(f->name, begin->fibers[i].name, sizeof(f->name));
		f->fn = begin->fibers[i].fn;
	}
}

bool timeline_write(FILE *out, const struct target *t, struct events *events,
		    const struct view *begin)
{
	struct timeline *l = calloc(1, sizeof(*l));
	int64_t last = 0;

	if (!l)
		return false;
	qsort(events->all, events->n, sizeof(*events->all), by_time);
	l->out = out;
	l->target = t;
	l->zero = events->n ? event_when(&events->all[0]) : 0;
	fputs("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [", out);
	begin_tracks(l, begin);
	for (size_t i = 0; i < events->n; i++) {
		on_event(l, &events->all[i]);
		last = event_when(&events->all[i]);
	}
	for (unsigned int i = 0; i < BUCKETS; i++)
		while (l->buckets[i])
			end(l, l->buckets[i], last);
	fprintf(out, "\n], \"otherData\": {\"events\": %zu, \"lost\": %" PRIu64 "}}\n",
		events->n, events->lost);
	free(l);
	return !ferror(out);
}
