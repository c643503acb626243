// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* trace.c - what fibers do, recorded for another process; see trace.h. */
#include "trace.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "descriptor.h"
#include "fiber.h"
#include "lock.h"
#include "proc.h"
#include "rt.h"
#include "worker.h"

/* Bytes of all rings: of address space, most of which is never touched. */
#define REGION_MAX	((size_t)1 << (sizeof(size_t) > 4 ? 30 : 26))

static struct trace_region *region;	/* A; release, once it is whole */
static uint32_t lock;			/* who makes it; and ring 0 */

/* --- the memory ---------------------------------------------------------------- */

/* A larger file than that would be the program's end, by SIGXFSZ. */
static bool may_be_large(size_t bytes)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) &&
	       (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= bytes);
}

/* The region, or NULL; the door says why. */
static struct trace_region *map_locked(void)
{
	const struct baton_rt *rt = rt_running();
	size_t nrings = (rt ? rt->max_workers : 0) + 1, bytes;
	struct trace_region *r = MAP_FAILED;
	int fd;

	bytes = sizeof(*r) + nrings * sizeof(struct trace_ring);
	if (bytes > REGION_MAX) {
		nrings = (REGION_MAX - sizeof(*r)) / sizeof(struct trace_ring);
		bytes = sizeof(*r) + nrings * sizeof(struct trace_ring);
	}
	/* Never 0, which is "none yet". */
	fd = descriptor_keep(memfd_create("baton-trace", MFD_CLOEXEC));
	if (fd < 0)
		return MAP_FAILED;
	if (may_be_large(bytes) && !ftruncate(fd, (off_t)bytes))
		r = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
	if (r == MAP_FAILED) {
		close(fd);
		return r;
	}
	r->nrings = nrings;
	smp_store_release(&region, r);
	WRITE_ONCE(baton_door.rings, fd);
	return r;
}

/* The same, once; who comes meanwhile waits, or would lose what it has to tell.
 * After a failure nobody records anything. */
static __attribute__((noinline)) struct trace_region *region_make(void)
{
	struct trace_region *r;
	int saved = errno;

	if (READ_ONCE(baton_door.rings) < 0)
		return NULL;
	/* As in record(). */
	baton_unstoppable_begin();
	lock_take(&lock);
	if (!region && baton_door.rings >= 0 && map_locked() == MAP_FAILED)
		WRITE_ONCE(baton_door.rings, errno ? -errno : -ENOMEM);
	r = region;
	lock_drop(&lock);
	baton_unstoppable_end();
	errno = saved;
	return r;
}

static struct trace_region *region_get(void)
{
	struct trace_region *r = smp_load_acquire(&region);

	return likely(r) ? r : region_make();
}

void baton_trace_forked(void)
{
	if (baton_door.rings > 0)
		close(baton_door.rings);
	baton_door.rings = 0;
	baton_door.trace = 0;
	region = NULL;
	lock = 0;
}

/* --- entries ------------------------------------------------------------------- */

/* @e, but for its time and type, by the one writer of @ring. */
static void put(struct trace_ring *ring, enum trace_type type, int64_t when,
		struct trace_entry e)
{
	uint64_t count = ring->count;

	e.when = (uint64_t)when | (uint64_t)type << TRACE_TYPE_SHIFT;
	ring->entries[count % TRACE_ENTRIES] = e;
	smp_store_release(&ring->count, count + 1);
}

/* NULL: on no worker. */
static void record(const struct baton_worker *w, enum trace_type type,
		   int64_t when, struct trace_entry e)
{
	struct trace_region *r = region_get();

	if (!r)
		return;
	if (!w) {
		/* Scheduler code waits for it, too. */
		baton_unstoppable_begin();
		lock_take(&lock);
		put(&r->rings[0], type, when, e);
		lock_drop(&lock);
		baton_unstoppable_end();
	} else if (w->index + 1 < r->nrings) {
		put(&r->rings[w->index + 1], type, when, e);
	}
}

static enum trace_why why(const struct baton_fiber *f)
{
	return !fiber_lives(f)				? TRACE_ENDS :
	       READ_ONCE(f->permit) >= PERMIT_WAITED	? TRACE_PARKS :
	       READ_ONCE(f->waiter.joined)		? TRACE_JOINS :
	       READ_ONCE(f->waiter.blocked)		? TRACE_WAITS :
							  TRACE_YIELDS;
}

/*
 * The time comes before the look at why: if somebody ends the wait meanwhile,
 * either he is seen here, or the time of his entry is later.
 */
void baton_trace_switch(struct baton_worker *w, const struct baton_fiber *f,
			const struct baton_fiber *next)
{
	int64_t when = now_ns();
	uint64_t p = w->proc ? w->proc->index : UINT32_MAX;

	if (f)
		p |= (uint64_t)why(f) << TRACE_WHY_SHIFT;
	record(w, TRACE_SWITCH, when,
	       (struct trace_entry){ .fiber = (uintptr_t)next,
				     .a = (uintptr_t)f,
				     .b = p });
}

void baton_trace_name(struct baton_worker *w, const struct baton_fiber *f)
{
	struct trace_entry e = { .fiber = (uintptr_t)f };
	int64_t when = now_ns();
	char name[BATON_NAME_SIZE];

	_Static_assert(sizeof(name) == 2 * sizeof(e.name), "two entries");
	fiber_name(f, name);
	for (unsigned int i = 0; i < sizeof(e.name); i++)
		e.name[i] = name[i];
	record(w, TRACE_NAME, when, e);
	for (unsigned int i = 0; i < sizeof(e.name); i++)
		e.name[i] = name[sizeof(e.name) + i];
	record(w, TRACE_NAME_END, when, e);
}

void baton_trace_spawn(struct baton_worker *w, const struct baton_fiber *f)
{
	record(w, TRACE_SPAWN, now_ns(),
	       (struct trace_entry){ .fiber = (uintptr_t)f,
				     .a = (uintptr_t)w->fiber,
				     .b = (uintptr_t)f->fn });
	if (f->name[0])
		baton_trace_name(w, f);
}

/* A worker that goes to the scheduler makes ready what it had run itself. */
void baton_trace_ready(struct baton_worker *w, const struct baton_fiber *f)
{
	record(w, TRACE_READY, now_ns(),
	       (struct trace_entry){
		       .fiber = (uintptr_t)f,
		       .a = w && w->fiber != f ? (uintptr_t)w->fiber : 0 });
}

/* Who has left foreign code looks at rare, and records the rest. */
static void about_call(struct baton_worker *w, enum trace_type type,
		       uintptr_t a, bool foreign)
{
	record(w, type, now_ns(),
	       (struct trace_entry){
		       .fiber = (uintptr_t)w->fiber,
		       .a = a,
		       /* Of the region: a callback of an adopted thread may be
			* the last that the scheduler waits for. */
		       .b = READ_ONCE(w->slot->proc) });
	if (foreign)
		atomic_fetch_or(&w->rare, RARE_TRACE);
}

void baton_trace_call(struct baton_worker *w, uintptr_t fn)
{
	about_call(w, TRACE_CALL, fn, true);
}

void baton_trace_return(struct baton_worker *w)
{
	about_call(w, TRACE_RETURN, 0, false);
}

void baton_trace_runs(struct baton_worker *w)
{
	about_call(w, TRACE_RUNS, 0, false);
}

void baton_trace_callback(struct baton_worker *w)
{
	about_call(w, TRACE_CALLBACK, 0, false);
}

void baton_trace_callback_over(struct baton_worker *w)
{
	about_call(w, TRACE_CALLBACK_OVER, 0,
		   slot_state(w->slot) == BATON_FOREIGN);
}

void baton_trace_handoff(unsigned int p, unsigned int index)
{
	record(NULL, TRACE_HANDOFF, now_ns(),
	       (struct trace_entry){ .a = index, .b = p });
}
