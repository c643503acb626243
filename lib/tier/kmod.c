// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * kmod.c - the tier of baton.ko: each operation is one call on /dev/baton,
 * whose rules are in <linux/baton.h>.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/claim.h"
#include "../core/descriptor.h"
#include "../core/fatal.h"
#include "../core/proc.h"
#include "../core/reason.h"
#include "../core/worker.h"
#include "tier.h"

#define DEVICE	"/dev/baton"

/* The hook is no thread whose order ThreadSanitizer could be told. */
#ifdef __SANITIZE_THREAD__
#define KMOD_REGAIN	0u
#else
#define KMOD_REGAIN	BATON_CREATE_REGAIN
#endif

struct kmod {
	int fd;
	size_t bytes;
};

static struct kmod *kmod_of(struct baton_rt *rt)
{
	return rt->tier_data;
}

/* ioctl() as the kernel has it: a result or -errno, and errno is let be. */
static int call(struct baton_rt *rt, unsigned long cmd, void *arg)
{
	int saved = errno;
	int ret = ioctl(kmod_of(rt)->fd, cmd, arg);

	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

/*
 * The instance of @k. A module of an older ABI refuses flags that it does not
 * know. It makes one without any, whose region has the number of that ABI.
 */
static int instance(struct kmod *k, struct baton_create *c)
{
	if (!ioctl(k->fd, BATON_IOC_CREATE, c))
		return 0;
	if (errno == EINVAL) {
		c->flags = 0;
		if (!ioctl(k->fd, BATON_IOC_CREATE, c))
			return 0;
	}
	return baton_error(-errno, DEVICE ": no instance: %s", strerror(errno));
}

static int create(struct baton_rt *rt, struct kmod *k)
{
	static const uint32_t flags[] = {
		[HANDOFF_LEARN] = BATON_CREATE_LEARN,
		[HANDOFF_NOW] = 0,
		[HANDOFF_OFF] = BATON_CREATE_OFF,
	};
	struct baton_create c = {
		.size = sizeof(c),
		.flags = flags[rt->handoff] | KMOD_REGAIN,
		.nprocs = rt->nprocs,
		.max_workers = rt->max_workers,
	};
	void *region;
	int err = instance(k, &c);

	if (err)
		return err;
	k->bytes = c.region_size;
	region = mmap(NULL, k->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      k->fd, 0);
	if (region == MAP_FAILED)
		return baton_error(-errno, DEVICE ": no region: %s",
				   strerror(errno));
	rt->hdr = region;
	if (rt->hdr->abi != BATON_ABI) {
		err = baton_error(-EPROTO, DEVICE ": ABI %u, need %u",
				  rt->hdr->abi, BATON_ABI);
		munmap(region, k->bytes);
		return err;
	}
	rt->recs = (void *)((char *)region + rt->hdr->proc_offset);
	rt->slots = (void *)((char *)region + rt->hdr->slot_offset);
	if (rt->hdr->site_offset) {
		rt->sites = (void *)((char *)region + rt->hdr->site_offset);
		rt->nsites = rt->hdr->nsites;
	}
	return 0;
}

static int kmod_open(struct baton_rt *rt)
{
	struct kmod *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return baton_error(-ENOMEM, "no memory");
	k->fd = descriptor_keep(
		open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK));
	if (k->fd < 0) {
		err = baton_error(-errno, DEVICE ": %s", strerror(errno));
		goto err_free;
	}
	err = create(rt, k);
	if (err)
		goto err_close;
	err = baton_watch_open(&rt->watch, k->fd);
	if (err)
		goto err_unmap;
	rt->tier_data = k;
	return 0;

err_unmap:
	munmap(rt->hdr, k->bytes);
err_close:
	close(k->fd);
err_free:
	free(k);
	return err;
}

static void kmod_close(struct baton_rt *rt)
{
	struct kmod *k = kmod_of(rt);

	munmap(rt->hdr, k->bytes);
	baton_watch_close(&rt->watch);
	close(k->fd);
	free(k);
}

static int kmod_attach(struct baton_worker *w)
{
	struct baton_register r = { .size = sizeof(r) };
	int ret = call(w->rt, BATON_IOC_REGISTER, &r);

	if (ret < 0)
		return ret;
	w->index = r.slot;
	WRITE_ONCE(w->slot, &w->rt->slots[r.slot]);
	return 0;
}

static void kmod_detach(struct baton_worker *w)
{
	call(w->rt, BATON_IOC_UNREGISTER, NULL);
}

/*
 * @ret of call(), where nothing but the end of the scheduler is to be expected:
 * then the processor is nobody's any more. Anything else leaves it with a caller
 * that has no use for it, and would be tried for ever: the program has closed
 * the descriptor, or put another file in its place.
 */
static int expected(int ret, const char *what)
{
	if (unlikely(ret < 0 && ret != -ESHUTDOWN))
		baton_fatal(DEVICE ": %s: %s%s", what, strerror(-ret),
			    ret == -EBADF || ret == -ENOTTY ?
			    "; the program has closed it" : "");
	return ret;
}

static int kmod_park(struct baton_worker *w, unsigned int flags)
{
	struct baton_park p = { .size = sizeof(p), .flags = flags };
	int ret;

	do
		ret = call(w->rt, BATON_IOC_PARK, &p);
	while (ret == -EINTR);
	return expected(ret, "park");
}

static int kmod_wake(struct baton_rt *rt, unsigned int proc,
		     unsigned int index)
{
	struct baton_wake a = {
		.size = sizeof(a),
		.proc = proc,
		.worker = index,
	};

	san_release(&rt->procs[proc]);
	return expected(call(rt, BATON_IOC_WAKE, &a), "wake");
}

static int kmod_rouse(struct baton_rt *rt, unsigned int index)
{
	int p = idle_claim_any(rt->hdr, rt->nprocs);
	struct baton_wake a = {
		.size = sizeof(a),
		.flags = BATON_WAKE_STANDBY,
		.proc = (unsigned int)p,
		.worker = index,
	};
	int ret;

	if (p < 0)
		return -EBUSY;
	san_release(&rt->procs[p]);
	ret = call(rt, BATON_IOC_WAKE, &a);
	/* It waits no more, or has even left its slot. */
	if (ret != -EBUSY && ret != -ESRCH)
		return expected(ret, "wake");
	/* A fiber may have been queued that found the processor taken. */
	kmod_wake(rt, (unsigned int)p, TIER_ANY);
	return -EBUSY;
}

static int kmod_swap(struct baton_worker *w, unsigned int proc,
		     unsigned int index, unsigned int flags)
{
	struct baton_swap a = {
		.size = sizeof(a),
		.flags = flags,
		.proc = proc,
		.worker = index,
	};
	int ret = call(w->rt, BATON_IOC_SWAP, &a);

	/* Given, and interrupted while waiting. */
	return ret == -EINTR ? kmod_park(w, flags) : expected(ret, "swap");
}

static void kmod_stop(struct baton_rt *rt)
{
	expected(call(rt, BATON_IOC_STOP, NULL), "stop");
	/* Until then the hook may have given one back to who was to find it
	 * gone. It does so under a lock that STOP has taken. */
	for (unsigned int i = 0; i < rt->max_workers; i++)
		if (smp_load_acquire(&rt->workers[i]))
			claim_stop(&rt->slots[i]);
}

/* The child has not inherited the mapping: plain memory in its place. */
static void kmod_forked(struct baton_rt *rt)
{
	if (mmap(rt->hdr, kmod_of(rt)->bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		baton_fatal("no memory after fork(): error %d", errno);
}

const struct tier_ops baton_tier_kmod = {
	.id = BATON_TIER_KMOD,
	.open = kmod_open,
	.close = kmod_close,
	.attach = kmod_attach,
	.detach = kmod_detach,
	.park = kmod_park,
	.wake = kmod_wake,
	.swap = kmod_swap,
	.rouse = kmod_rouse,
	.stop = kmod_stop,
	.forked = kmod_forked,
};
