// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * stack.c - memory for fibers.
 *
 * Stacks come in slabs of one mapping each, a guard at the low end of every
 * stack. A guard is a marker in the page table where the kernel has those
 * (MADV_GUARD_INSTALL, Linux 6.13), otherwise a PROT_NONE page, which costs
 * two mappings of the 65,530 a process may have.
 *
 * Where threads have shadow stacks, each fiber has one, half as large as its own
 * stack and a thread's together: a call takes 8 bytes of it, and at least 16, by
 * the ABI, of one of those. So they always overflow first, and shadow stacks
 * need no guard between two. Hardly any of it is ever touched.
 *
 * REJECTED: growing or moving stacks. C code keeps pointers into them.
 */
#include "stack.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base.h"
#include "debug.h"
#include "fiber.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS	32u

/* At the start of its mapping, which has a page for it before the stacks. */
struct stack_slab {
	struct stack_slab *next;
	struct stack_slab **pprev;
	size_t bytes;
	size_t size;		/* of each stack */
	unsigned int n;		/* stacks */
	bool marked;		/* there are guards that are markers */
	uintptr_t shadows;	/* mapping of their shadow stacks; 0: none */
	size_t shadow_bytes;
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t baton_stack_size_check(size_t bytes)
{
	size_t page = page_size();

	if (bytes < STACK_SIZE_MIN || bytes > STACK_SIZE_MAX)
		return 0;
	return (bytes + page - 1) & ~(page - 1);
}

/*
 * Equal addresses modulo the page size share the sets of a first-level cache:
 * a few hundred fibers whose hot lines all lay at the same offset would evict
 * one another. So each starts at one of 16 offsets.
 */
static struct baton_fiber *fiber_at(char *base, size_t size, unsigned int n)
{
	uintptr_t top = (uintptr_t)base + size - (n % 16) * 128;

	top = (top - sizeof(struct baton_fiber)) & ~(uintptr_t)63;
	return (struct baton_fiber *)top;
}

/* Sets *@marked if it is a marker. */
static int guard(char *addr, size_t page, bool *marked)
{
	if (!madvise(addr, page, MADV_GUARD_INSTALL)) {
		*marked = true;
		return 0;
	}
	return mprotect(addr, page, PROT_NONE);	/* an older kernel */
}

/*
 * LeakSanitizer skips what the process may not read, but cannot know of markers,
 * and would die of the first: then each stack is told to it. Otherwise all of
 * the slab at once, because for each region it reads the list of all mappings.
 */
static void slab_roots(struct stack_slab *slab,
		       void (*tell)(const void *p, size_t bytes))
{
	size_t page = page_size();
	char *base = (char *)slab + 2 * page;

	if (!slab->marked)
		tell(slab, slab->bytes);
	for (unsigned int i = 0; slab->marked && i < slab->n; i++)
		tell(base + i * (slab->size + page), slab->size);
}

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

/* To each fiber of @chain, all of @slab. */
static bool shadows_map(struct stack_pool *pool, struct stack_slab *slab,
			struct baton_fiber *chain)
{
	/* A page for signal handlers on a stack of their own. */
	size_t size = (slab->size + pool->foreign) / 2 + page_size();
	uintptr_t top;

	if (!pool->foreign)
		return true;
	size = (size + BATON_SHADOW_ALIGN - 1) & ~(BATON_SHADOW_ALIGN - 1);
	top = slab->shadows = baton_shadow_map(size, slab->n);
	if (!top)
		return false;
	slab->shadow_bytes = slab->n * size;
	for (; chain; chain = chain->next) {
		top += size;
		chain->shadow = baton_shadow_token(top);
	}
	return true;
}

/* One mapping of @n stacks of @size bytes, chained; 0 in size marks pooled. */
static struct baton_fiber *slab_map(struct stack_pool *pool, size_t size,
				    unsigned int n, bool pooled)
{
	size_t page = page_size(), step = size + page;
	size_t bytes = page + n * step;
	struct baton_fiber *chain = NULL;
	struct stack_slab *slab;
	int saved = errno;	/* what fails here is nobody's business */

	slab = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slab == MAP_FAILED)
		goto out;
	/* One small page touched must not become a huge one. */
	madvise(slab, bytes, MADV_NOHUGEPAGE);
	for (unsigned int i = n; i-- > 0;) {
		char *base = (char *)slab + page + i * step;
		struct baton_fiber *f = fiber_at(base + page, size, i);

		if (guard(base, page, &slab->marked)) {
			munmap(slab, bytes);
			chain = NULL;
			goto out;
		}
		f->base = base + page;
		f->id = san_stack_register(f->base, f);
		f->size = pooled ? 0 : (uint32_t)(size / page);
		f->joiner = JOIN_FREED;	/* it is no fiber yet */
		f->next = chain;
		chain = f;
	}
	slab->bytes = bytes;
	slab->size = size;
	slab->n = n;
	if (!shadows_map(pool, slab, chain)) {
		munmap(slab, bytes);
		chain = NULL;
		goto out;
	}
	slab->next = pool->slabs;
	slab->pprev = &pool->slabs;
	if (slab->next)
		slab->next->pprev = &slab->next;
	pool->slabs = slab;
	if (san_leaks())
		slab_roots(slab, san_root);
out:
	errno = saved;
	return chain;
}

static void slab_unmap(struct stack_slab *slab)
{
	*slab->pprev = slab->next;
	if (slab->next)
		slab->next->pprev = slab->pprev;
	char *base = (char *)slab + page_size();

	for (unsigned int i = 0; san_watch() && i < slab->n; i++) {
		struct baton_fiber *f = fiber_at(base + page_size(),
						 slab->size, i);

		san_stack_deregister(f->id);
		san_fiber_uninit(&f->san);
		base += slab->size + page_size();
	}
	if (san_leaks())
		slab_roots(slab, san_unroot);
	if (slab->shadows)
		baton_shadow_unmap(slab->shadows, slab->shadow_bytes);
	munmap(slab, slab->bytes);
}

void baton_stack_pool_init(struct stack_pool *pool, size_t size)
{
	baton_mutex_init(&pool->lock);
	pool->size = size;
	pool->foreign = baton_shadow_on() ? thread_stack_size() : 0;
	pool->free = NULL;
	pool->buried = NULL;
	pool->slabs = NULL;
}

void baton_stack_pool_uninit(struct stack_pool *pool)
{
	while (pool->slabs)
		slab_unmap(pool->slabs);
	pthread_mutex_destroy(&pool->lock);
}

struct baton_fiber *baton_stack_pool_get(struct stack_pool *pool,
					 unsigned int want)
{
	struct baton_fiber *first, *last;

	pthread_mutex_lock(&pool->lock);
	if (!pool->free)
		pool->free = slab_map(pool, pool->size, SLAB_STACKS, true);
	/* The last mappings a process may have are better small. */
	if (!pool->free)
		pool->free = slab_map(pool, pool->size, 1, true);
	first = last = pool->free;
	while (last && --want && last->next)
		last = last->next;
	if (last) {
		pool->free = last->next;
		last->next = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	return first;
}

void baton_stack_pool_put(struct stack_pool *pool, struct baton_fiber *first,
			  struct baton_fiber *last)
{
	pthread_mutex_lock(&pool->lock);
	last->next = pool->free;
	pool->free = first;
	pthread_mutex_unlock(&pool->lock);
}

static void unmap(struct baton_fiber *f)
{
	size_t page = page_size();

	slab_unmap((struct stack_slab *)((char *)f->base - 2 * page));
}

/* Under the lock: those of the buried that are off their stacks. */
static void unmap_buried(struct stack_pool *pool)
{
	struct baton_fiber **link = &pool->buried, *f;

	while ((f = *link)) {
		/* Acquire; pairs with switch.S. */
		if (smp_load_acquire(&f->ctx.on_stack)) {
			link = &f->next;
		} else {
			*link = f->next;
			unmap(f);
		}
	}
}

struct baton_fiber *baton_stack_map(struct stack_pool *pool, size_t size)
{
	struct baton_fiber *f;

	pthread_mutex_lock(&pool->lock);
	unmap_buried(pool);
	f = slab_map(pool, size, 1, false);
	pthread_mutex_unlock(&pool->lock);
	return f;
}

void baton_stack_unmap(struct stack_pool *pool, struct baton_fiber *f)
{
	pthread_mutex_lock(&pool->lock);
	unmap(f);
	pthread_mutex_unlock(&pool->lock);
}

void baton_stack_bury(struct stack_pool *pool, struct baton_fiber *f)
{
	pthread_mutex_lock(&pool->lock);
	f->next = pool->buried;
	pool->buried = f;
	pthread_mutex_unlock(&pool->lock);
}

void baton_stack_pool_each(struct stack_pool *pool,
			   void (*fn)(struct baton_fiber *f, void *arg),
			   void *arg)
{
	size_t page = page_size();

	pthread_mutex_lock(&pool->lock);
	for (struct stack_slab *slab = pool->slabs; slab; slab = slab->next) {
		char *base = (char *)slab + 2 * page;

		for (unsigned int i = 0; i < slab->n; i++) {
			fn(fiber_at(base, slab->size, i), arg);
			base += slab->size + page;
		}
	}
	pthread_mutex_unlock(&pool->lock);
}
