// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * stack.c - memory for fibers.
 *
 * Stacks of one size are a class. They come in slabs of one mapping each:
 *
 *	| slab, magazines | guard | stack 0 | guard | stack 1 | ...
 *
 * and a stack has its fiber's record at the top. It is *bare* as long as it has
 * no memory and no record: its slab knows it by its number alone. Later it is
 * always some fiber's, or free, in a magazine.
 *
 * A magazine is an array of free stacks. Each processor has two (proc.c), and
 * exchanges a full one for an empty one here, or the other way round, so that
 * nobody goes through a list of cold stacks under the lock. Each slab brings as
 * many as its stacks can fill, and one more for the rest, so that there always is
 * an empty one for whoever has a full one:
 *
 *	floor(sum of n / 64) + 1 <= sum of (floor(n / 64) + 1)
 *
 * What the watcher has in its hand may be one more: for that the pool has one.
 *
 * The watcher gives back what was free all the time lately, the coldest first:
 * such stacks become bare again (baton_stack_pool_tick()).
 *
 * Nothing is unmapped before the end: who uses a handle that is void finds an
 * ended fiber, or zeros, which is JOIN_FREED.
 *
 * Where threads have shadow stacks, each fiber has one, half as large as its own
 * stack and a thread's together: a call takes 8 bytes of it, and at least 16, by
 * the ABI, of one of those. So they always overflow first, and shadow stacks
 * need no guard between two. Hardly any of it is ever touched.
 *
 * REJECTED: growing or moving stacks. C code keeps pointers into them.
 * After Bonwick and Adams, Magazines and Vmem (2001).
 */
#include "stack.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base.h"
#include "clock.h"
#include "debug.h"
#include "fiber.h"
#include "guard.h"
#include "lock.h"
#include "slab.h"

/* Stacks in a slab: the first, and the most; and how large it may get. */
#define SLAB_STACKS	32u
#define SLAB_STACKS_MAX	1024u
#define SLAB_BYTES_MAX	((size_t)128 << 20)

static void pool_lock(struct stack_pool *pool)
{
	baton_unstoppable_begin();
	pthread_mutex_lock(&pool->lock);
}

static void pool_unlock(struct stack_pool *pool)
{
	pthread_mutex_unlock(&pool->lock);
	baton_unstoppable_end();
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t in_pages(size_t bytes)
{
	size_t page = page_size();

	return (bytes + page - 1) & ~(page - 1);
}

size_t baton_stack_size_check(size_t bytes)
{
	if (bytes < STACK_SIZE_MIN || bytes > STACK_SIZE_MAX)
		return 0;
	return in_pages(bytes);
}

/* --- magazines ---------------------------------------------------------- */

static void empty_push_locked(struct stack_pool *pool, struct magazine *m)
{
	m->next = pool->empty;
	pool->empty = m;
}

static struct magazine *empty_pop_locked(struct stack_pool *pool)
{
	struct magazine *m = pool->empty;

	debug_assert(m);	/* see above */
	pool->empty = m->next;
	return m;
}

static void full_push_locked(struct stack_class *c, struct magazine *m)
{
	m->prev = NULL;
	m->next = c->warm;
	if (m->next)
		m->next->prev = m;
	else
		c->cold = m;
	c->warm = m;
}

static void full_unlink_locked(struct stack_class *c, struct magazine *m)
{
	if (m->prev)
		m->prev->next = m->next;
	else
		c->warm = m->next;
	if (m->next)
		m->next->prev = m->prev;
	else
		c->cold = m->prev;
}

/* What is free and was used last, or NULL. The caller counts it. */
static struct magazine *full_pop_locked(struct stack_class *c)
{
	struct magazine *m = c->warm;

	if (m)
		full_unlink_locked(c, m);
	return m;
}

/* --- slabs -------------------------------------------------------------- */

/* What a thread that nobody chose the stack of may use of one. */
static size_t thread_stack_size(void)
{
	pthread_attr_t attr;
	size_t size = 0;

	pthread_attr_init(&attr);
	pthread_attr_getstacksize(&attr, &size);
	pthread_attr_destroy(&attr);
	return size;
}

static size_t foreign_size(void)
{
	return baton_shadow_on() ? thread_stack_size() : 0;
}

/* For @foreign see struct stack_pool. */
static bool shadows_map(struct stack_slab *slab, size_t foreign)
{
	/* A page for signal handlers on a stack of their own. */
	size_t size = (slab->size + foreign) / 2 + page_size();

	slab->shadows = 0;
	if (!foreign)
		return true;
	size = (size + BATON_SHADOW_ALIGN - 1) & ~(BATON_SHADOW_ALIGN - 1);
	slab->shadow_size = size;
	slab->shadows = baton_shadow_map(size, slab->n);
	return slab->shadows;
}

/*
 * LeakSanitizer skips what the process may not read, but cannot know of markers,
 * and would die of the first: then each stack is told to it when it is dressed.
 * Otherwise all of the slab at once, because for each region it reads the list
 * of all mappings.
 */
static bool root_each(const struct stack_slab *slab)
{
	return san_leaks() && slab->guard == GUARD_MARKER;
}

static bool root_whole(const struct stack_slab *slab)
{
	return san_leaks() && slab->guard != GUARD_MARKER;
}

/* One mapping of @n bare stacks of @size bytes, with room for @room besides. */
static struct stack_slab *slab_map(size_t size, unsigned int n, size_t room,
				   size_t foreign, int *uffd)
{
	size_t head = in_pages(sizeof(struct stack_slab) +
			       n * sizeof(uint16_t) + room);
	size_t bytes = head + n * (size + page_size());
	struct stack_slab *slab;
	int saved = errno;	/* what fails here is nobody's business */

	slab = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slab == MAP_FAILED) {
		slab = NULL;
		goto out;
	}
	/* One small page touched must not become a huge one. */
	madvise(slab, bytes, MADV_NOHUGEPAGE);
	slab->bytes = bytes;
	slab->size = size;
	slab->step = size + page_size();
	slab->n = n;
	slab->class = NULL;
	slab->special = 0;
	slab->stacks = (char *)slab + head;
	for (slab->nbare = 0; slab->nbare < n; slab->nbare++)
		slab->bare[slab->nbare] = (uint16_t)(n - 1 - slab->nbare);
	if (!shadows_map(slab, foreign)) {
		munmap(slab, bytes);
		slab = NULL;
		goto out;
	}
	slab->guard = baton_guard_choose(uffd, slab, bytes, slab->stacks, n);
	slab->uffd = uffd ? *uffd : -1;
	if (root_whole(slab))
		san_root(slab, slab->bytes);
out:
	errno = saved;
	return slab;
}

static struct baton_fiber *fiber_at(const struct stack_slab *slab,
				    unsigned int n)
{
	return (struct baton_fiber *)slab_record((uintptr_t)slab->stacks,
						 slab->step, n,
						 sizeof(struct baton_fiber));
}

/* What sanitizers and valgrind know of @f and its stack is no more. */
static void forget(struct baton_fiber *f)
{
	if (root_each(f->slab))
		san_unroot(f->base, f->slab->size);
	san_stack_deregister(f->id);
	san_fiber_uninit(&f->san);
}

static void slab_unmap(struct stack_slab *slab)
{
	bool told = san_watch() || san_leaks();

	for (unsigned int i = 0; told && i < slab->n; i++) {
		struct baton_fiber *f = fiber_at(slab, i);

		if (f->base)	/* it is not bare */
			forget(f);
	}
	if (root_whole(slab))
		san_unroot(slab, slab->bytes);
	if (slab->shadows)
		baton_shadow_unmap(slab->shadows, slab->n * slab->shadow_size);
	baton_guard_forget(slab->guard, slab->n);
	munmap(slab, slab->bytes);
}

/* Stack @n of @slab, which was bare, gets its record. */
static struct baton_fiber *dress(struct stack_slab *slab, unsigned int n)
{
	char *low = slab->stacks + n * slab->step;
	struct baton_fiber *f = fiber_at(slab, n);
	int saved = errno;

	f->base = low + page_size();
	f->slab = slab;
	f->special = slab->special;
	if (unlikely(!baton_guard_set(slab->guard, slab->uffd, low)))
		f->special |= STACK_UNGUARDED;
	f->id = san_stack_register(f->base, f);
	if (root_each(slab))
		san_root(f->base, slab->size);
	f->shadow = 0;
	if (slab->shadows) {
		f->shadow = baton_shadow_token(slab->shadows +
					       (n + 1) * slab->shadow_size);
		baton_shadow_begin(&f->ctx, f->shadow);
	}
	/* The rest is zeros. */
	f->waiter.fiber = f;
	fiber_rest(f);
	errno = saved;
	return f;
}

/* --- pools -------------------------------------------------------------- */

void baton_stack_pool_init(struct stack_pool *pool, size_t size, int64_t keep)
{
	*pool = (struct stack_pool){
		.foreign = foreign_size(),
		.uffd = -1,
		.keep = keep,
	};
	baton_lock_init(&pool->lock);
	empty_push_locked(pool, &pool->extra);
	pool->classes[0].size = size;
	for (unsigned int i = 1; i < STACK_CLASSES; i++)
		pool->classes[i].size = STACK_SIZE_MIN << (i - 1);
}

void baton_stack_pool_uninit(struct stack_pool *pool)
{
	struct stack_slab *slab;

	while ((slab = pool->slabs)) {
		pool->slabs = slab->next;
		slab_unmap(slab);
	}
	if (pool->uffd >= 0)
		close(pool->uffd);
	pthread_mutex_destroy(&pool->lock);
}

/* The smallest that will do. */
static struct stack_class *class_of(struct stack_pool *pool, size_t size)
{
	struct stack_class *c = &pool->classes[1];

	while (c->size < size)
		c++;
	return !size || c->size == pool->classes[0].size ? pool->classes : c;
}

/* As many stacks as there are, so that there are few slabs in the end. */
static unsigned int slab_stacks(const struct stack_pool *pool,
				const struct stack_class *c)
{
	bool own = c != pool->classes;
	size_t most = SLAB_BYTES_MAX / (c->size + page_size());
	size_t n = c->total;

	if (!own && n < SLAB_STACKS)
		n = SLAB_STACKS;
	/* All of its shadow stacks are mapped at once. */
	if (n > (pool->foreign ? SLAB_STACKS : SLAB_STACKS_MAX))
		n = pool->foreign ? SLAB_STACKS : SLAB_STACKS_MAX;
	if (n > most)
		n = most;
	return n ? (unsigned int)n : 1;
}

/* One more slab for @c, if there is memory. */
static struct stack_slab *grow_locked(struct stack_pool *pool,
				      struct stack_class *c)
{
	struct stack_slab *slab = NULL;
	struct magazine *m;
	unsigned int n;

	debug_assert_locked(&pool->lock);
	/* What memory there is at last is better used. */
	for (n = slab_stacks(pool, c); !slab && n; n /= 2)
		slab = slab_map(c->size, n, (n / MAGAZINE_SIZE + 1) * sizeof(*m),
				pool->foreign, &pool->uffd);
	if (!slab)
		return NULL;
	m = (struct magazine *)slab->stacks - (slab->n / MAGAZINE_SIZE + 1);
	for (; m != (struct magazine *)slab->stacks; m++)
		empty_push_locked(pool, m);
	slab->class = c;
	slab->special = c == pool->classes ? 0 : STACK_OWN_SIZE;
	slab->next = pool->slabs;
	pool->slabs = slab;
	slab->next_bare = c->bare;
	c->bare = slab;
	c->total += slab->n;
	return slab;
}

/*
 * Up to @want bare stacks of one slab, which is returned; @which of it they are,
 * and how many. NULL without memory.
 */
static struct stack_slab *take_bare_locked(struct stack_pool *pool,
					   struct stack_class *c,
					   uint16_t *which, unsigned int *want)
{
	struct stack_slab *slab = c->bare ? c->bare : grow_locked(pool, c);
	unsigned int n = 0;

	if (!slab)
		return NULL;
	while (n < *want && slab->nbare)
		which[n++] = slab->bare[--slab->nbare];
	if (!slab->nbare)
		c->bare = slab->next_bare;
	*want = n;
	return slab;
}

static void took_locked(struct stack_class *c, unsigned int n)
{
	c->nfree -= n;
	if (c->low > c->nfree)
		c->low = c->nfree;
}

struct magazine *baton_stack_pool_full(struct stack_pool *pool,
				       struct magazine *empty)
{
	struct stack_class *c = pool->classes;
	unsigned int n = MAGAZINE_SIZE;
	struct stack_slab *slab = NULL;
	uint16_t which[MAGAZINE_SIZE];
	struct magazine *m;

	pool_lock(pool);
	m = full_pop_locked(c);
	if (!m && c->part && c->part->n) {
		m = c->part;
		c->part = NULL;
	}
	if (m) {
		took_locked(c, m->n);
		empty_push_locked(pool, empty);
	} else {
		slab = take_bare_locked(pool, c, which, &n);
	}
	pool_unlock(pool);
	if (!slab)
		return m;
	/* System calls and page faults, which nobody else is to wait for. */
	while (n)
		empty->fibers[empty->n++] = dress(slab, which[--n]);
	return empty;
}

struct magazine *baton_stack_pool_empty(struct stack_pool *pool,
					struct magazine *full)
{
	struct stack_class *c = pool->classes;
	struct magazine *m;

	pool_lock(pool);
	m = empty_pop_locked(pool);
	full_push_locked(c, full);
	c->nfree += full->n;
	pool_unlock(pool);
	return m;
}

static struct baton_fiber *get_locked(struct stack_pool *pool,
				      struct stack_class *c)
{
	if (!c->nfree)
		return NULL;
	if (!c->part || !c->part->n) {
		if (c->part)
			empty_push_locked(pool, c->part);
		c->part = full_pop_locked(c);
	}
	took_locked(c, 1);
	return c->part->fibers[--c->part->n];
}

static void put_locked(struct stack_pool *pool, struct stack_class *c,
		       struct baton_fiber *f)
{
	if (c->part && c->part->n == MAGAZINE_SIZE) {
		full_push_locked(c, c->part);
		c->part = NULL;
	}
	if (!c->part)
		c->part = empty_pop_locked(pool);
	c->part->fibers[c->part->n++] = f;
	c->nfree++;
}

struct baton_fiber *baton_stack_get(struct stack_pool *pool, size_t size)
{
	struct stack_class *c = class_of(pool, size);
	struct stack_slab *slab = NULL;
	struct baton_fiber *f;
	unsigned int n = 1;
	uint16_t which;

	pool_lock(pool);
	f = get_locked(pool, c);
	if (!f)
		slab = take_bare_locked(pool, c, &which, &n);
	pool_unlock(pool);
	return slab ? dress(slab, which) : f;
}

void baton_stack_put(struct stack_pool *pool, struct baton_fiber *f)
{
	pool_lock(pool);
	put_locked(pool, f->slab->class, f);
	pool_unlock(pool);
}

bool baton_stack_overrun(const struct baton_fiber *f)
{
	return f->special & STACK_UNGUARDED &&
	       !baton_guard_untouched((char *)f->base - page_size());
}

/*
 * By what is there: mincore() takes a page that is swapped out for one that was
 * never touched. The owner may write meanwhile, above where we stop.
 */
NO_SANITIZE size_t baton_stack_high_water(const struct baton_fiber *f)
{
	const char *low = f->base, *top = low + f->slab->size;
	const uintptr_t *word = f->base;

	if (baton_stack_overrun(f))
		return f->slab->size + page_size();
	san_quiet(true);
	while (!READ_ONCE(*word))
		word++;
	san_quiet(false);
	return (size_t)(top - (const char *)word);
}

void baton_stack_pool_each(struct stack_pool *pool,
			   void (*fn)(struct baton_fiber *f, void *arg),
			   void *arg)
{
	pool_lock(pool);
	for (struct stack_slab *slab = pool->slabs; slab; slab = slab->next) {
		bool bare[SLAB_STACKS_MAX] = { false };

		/* A look at those would take memory. */
		for (unsigned int i = 0; i < slab->nbare; i++)
			bare[slab->bare[i]] = true;
		for (unsigned int i = 0; i < slab->n; i++)
			if (!bare[i])
				fn(fiber_at(slab, i), arg);
	}
	pool_unlock(pool);
}

bool baton_stack_pool_has(struct stack_pool *pool, const struct baton_fiber *f)
{
	bool has = false;

	pool_lock(pool);
	for (struct stack_slab *slab = pool->slabs; slab && !has;
	     slab = slab->next) {
		size_t at = (uintptr_t)f - (uintptr_t)slab->stacks;
		unsigned int n = (unsigned int)(at / slab->step);

		if ((uintptr_t)f < (uintptr_t)slab->stacks || at / slab->step >= slab->n)
			continue;
		has = f == fiber_at(slab, n);
		for (unsigned int i = 0; has && i < slab->nbare; i++)
			has = slab->bare[i] != n;
	}
	pool_unlock(pool);
	return has;
}

/* --- giving memory back ------------------------------------------------- */

/* So many, and a pause: others want the CPU, and the lock of the mappings. */
#define ROUND_STACKS	256u
#define ROUND_PAUSE	INT64_C(1000000)

/* What is owed, the coldest up to a magazine, in one; NULL: no more is. */
static struct magazine *take_cold_locked(struct stack_pool *pool,
					 struct stack_class *c)
{
	struct magazine *m = c->cold, *part = c->part;

	if (m && c->owed >= m->n) {
		full_unlink_locked(c, m);
	} else if (!m && part && part->n && c->owed) {
		m = empty_pop_locked(pool);
		m->n = c->owed < part->n ? c->owed : part->n;
		part->n -= m->n;
		memcpy(m->fibers, part->fibers, m->n * sizeof(*m->fibers));
		memmove(part->fibers, part->fibers + m->n,
			part->n * sizeof(*m->fibers));
	} else {
		c->owed = 0;	/* less than a magazine, and not worth it */
		return NULL;
	}
	c->owed -= m->n;
	took_locked(c, m->n);
	return m;
}

/* @f has no memory any more. False: it is as it was. */
static bool undress(struct stack_pool *pool, struct baton_fiber *f)
{
	struct baton_fiber was;

	/* Acquire; pairs with switch.S. */
	if (smp_load_acquire(&f->ctx.on_stack))
		return false;
	san_acquire(&f->cxx);
	baton_shadow_begin(&f->ctx, f->shadow);
	was = *f;
	if (madvise(f->base, f->slab->size, MADV_DONTNEED)) {
		pool->keep = 0;	/* all memory is locked: it never works */
		return false;
	}
	forget(&was);
	return true;
}

static void bare_locked(struct stack_slab *slab, unsigned int n)
{
	if (!slab->nbare) {
		slab->next_bare = slab->class->bare;
		slab->class->bare = slab;
	}
	slab->bare[slab->nbare++] = (uint16_t)n;
}

/* There is something in the watcher's hand. False: nothing is owed any more. */
static bool hand_fill(struct stack_pool *pool)
{
	struct stack_class *c = pool->classes;

	if (pool->hand && pool->hand->n)
		return true;
	pool_lock(pool);
	if (pool->hand)
		empty_push_locked(pool, pool->hand);
	do
		pool->hand = take_cold_locked(pool, c++);
	while (!pool->hand && c < pool->classes + STACK_CLASSES);
	pool_unlock(pool);
	return pool->hand;
}

/* One of those in hand is given back, or at least tried. */
static void give_back(struct stack_pool *pool)
{
	struct baton_fiber *f = pool->hand->fibers[--pool->hand->n];
	struct stack_slab *slab = f->slab;
	size_t which = (size_t)((char *)f->base - slab->stacks) / slab->step;
	/* A system call, which nobody else is to wait for. */
	bool bare = undress(pool, f);

	pool_lock(pool);
	if (bare)
		bare_locked(slab, (unsigned int)which);
	else
		put_locked(pool, slab->class, f);
	/* It will never work: the others are of use as they are. */
	while (!pool->keep && pool->hand->n) {
		f = pool->hand->fibers[--pool->hand->n];
		put_locked(pool, f->slab->class, f);
	}
	pool_unlock(pool);
}

/* One, at time @now; when to go on. */
static int64_t give_back_one(struct stack_pool *pool, int64_t now)
{
	pool->owing = hand_fill(pool);
	if (!pool->owing)
		return now + pool->keep;
	give_back(pool);
	if (++pool->round < ROUND_STACKS)
		return now;
	pool->round = 0;
	return now_ns() + ROUND_PAUSE;
}

/* What nobody has used since the last time is owed. False: none is free. */
static bool begin_period(struct stack_pool *pool)
{
	bool any = false;

	pool_lock(pool);
	for (unsigned int i = 0; i < STACK_CLASSES; i++) {
		struct stack_class *c = &pool->classes[i];

		c->owed = pool->due ? c->low : 0;
		c->low = c->nfree;
		any |= c->nfree;
	}
	if (!any)
		WRITE_ONCE(pool->watched, 0);
	pool_unlock(pool);
	return any;
}

/*
 * A period begins when the last one's debts are paid. While one is under way
 * @owing is set, and @due is after the pause.
 */
int64_t baton_stack_pool_tick(struct stack_pool *pool)
{
	int64_t t;

	if (!pool->keep || !READ_ONCE(pool->watched))
		return -1;
	t = now_ns();
	if (t >= pool->due) {
		if (!pool->owing && !begin_period(pool)) {
			pool->due = 0;
			return -1;
		}
		pool->due = give_back_one(pool, t);
	}
	return pool->due > t ? pool->due - t : 0;
}

/* --- without a pool ----------------------------------------------------- */

struct baton_fiber *baton_stack_map(size_t size)
{
	struct stack_slab *slab = slab_map(size, 1, 0, foreign_size(), NULL);

	return slab ? dress(slab, 0) : NULL;
}

void baton_stack_unmap(struct baton_fiber *f)
{
	slab_unmap(f->slab);
}
