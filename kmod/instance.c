// SPDX-License-Identifier: GPL-2.0-only
/*
 * instance.c - one scheduler's kernel side.
 *
 * Lifetime: the file holds a reference, and so does every worker until it is
 * retired. A worker can outlive the file, a file its workers.
 */
#include "instance.h"

#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "account.h"
#include "limit.h"

struct workqueue_struct *baton_wq;

/* --- wants a worker ------------------------------------------------------ */

/*
 * Waking a poller takes locks that sleep on PREEMPT_RT, and rq->lock: so from
 * the hook to an interrupt, and from there to a work item.
 *
 * Both are at the expense of others, of whom they interrupt and of the kernel's
 * threads, while any user may raise the event as often as he likes. So it is
 * raised when `wanted` leaves 0, and if somebody waits. That is enough: whoever
 * comes to wait looks at `wanted` first, and it stays above 0 until it is read.
 */
static void event_work(struct work_struct *work)
{
	struct baton_instance *inst =
		container_of(work, struct baton_instance, event_work);

	wake_up_interruptible_poll(&inst->wait, EPOLLIN | EPOLLRDNORM);
}

static void event_irq(struct irq_work *work)
{
	struct baton_instance *inst =
		container_of(work, struct baton_instance, event);

	queue_work(baton_wq, &inst->event_work);
}

static void want(struct baton_instance *inst, u64 times)
{
	/*
	 * The atomic is a full barrier, before the look at who waits. Pairs
	 * with baton_poll() in device.c and, in baton_read(), with
	 * prepare_to_wait(): on the list, then a look at `wanted`.
	 */
	if (atomic64_add_return(times, &inst->wanted) == times &&
	    waitqueue_active(&inst->wait))
		irq_work_queue(&inst->event);
}

void baton_instance_want(struct baton_instance *inst)
{
	want(inst, 1);
}

u64 baton_instance_wanted(struct baton_instance *inst)
{
	return atomic64_xchg(&inst->wanted, 0);
}

void baton_instance_unread(struct baton_instance *inst, u64 wanted)
{
	want(inst, wanted);
}

/* --- the region ---------------------------------------------------------- */

/*
 * The hook asks under rq->lock: so many queues are looked at, each in a line of
 * its own, before the answer is yes unseen. A yes that is wrong wakes a worker
 * in vain; so does a region full of lies, and that is all it does.
 */
#define LOOKS_MAX	8

/* Is there a fiber in @p's queue? Head before tail, see below. */
static bool proc_has_work(const struct baton_instance *inst, u32 p)
{
	u32 head = smp_load_acquire(&inst->recs[p].head);

	return READ_ONCE(inst->recs[p].tail) != head;
}

bool baton_instance_has_work(const struct baton_instance *inst)
{
	unsigned int looks = LOOKS_MAX;
	u32 i;

	/* In this order; see region_has_work() in the library's region.h. */
	if (smp_load_acquire(&inst->hdr->nglobal))
		return true;
	for (i = 0; i < inst->nprocs; i += 64) {
		u64 word = READ_ONCE(inst->hdr->queued[i / 64]);

		for (; word; word &= word - 1) {
			u32 p = i + __ffs64(word);

			if (p >= inst->nprocs)
				break;
			if (!looks--)
				return true;
			p = array_index_nospec(p, inst->nprocs);
			if (proc_has_work(inst, p))
				return true;
		}
	}
	return false;
}

/*
 * User space changes these words with instructions of its own, as often as it
 * likes, while we hold rq->lock. So here they are changed by operations on a bit,
 * which are one instruction where there is one, as on x86: atomic64_fetch_or()
 * is a loop there, and ends when nobody else has come between.
 */
static unsigned long *idle_word(struct baton_instance *inst, u32 p)
{
	return (unsigned long *)&inst->hdr->idle[p / 64];
}

void baton_idle_set(struct baton_instance *inst, u32 p)
{
	set_bit(p % 64, idle_word(inst, p));
	/* Full barrier; pairs with wake_one() in the library's sched.c: one of
	 * the two sees the other's half. */
	smp_mb__after_atomic();
}

bool baton_idle_test(struct baton_instance *inst, u32 p)
{
	return test_bit(p % 64, idle_word(inst, p));
}

bool baton_idle_claim(struct baton_instance *inst, u32 p)
{
	/* A full barrier also where the bit was clear. */
	return test_and_clear_bit(p % 64, idle_word(inst, p));
}

int baton_idle_claim_any(struct baton_instance *inst)
{
	u32 p;

	for (p = 0; p < inst->nprocs; p++) {
		u64 word = READ_ONCE(inst->hdr->idle[p / 64]);

		if (!word)
			p |= 63;
		else if ((word & BIT_ULL(p % 64)) &&
			 baton_idle_claim(inst, p))
			return p;
	}
	return -1;
}

/*
 * For the region. As BATON_GFP, but for one flag of which __vmalloc() warns where
 * it does not know it: since 07003531e03c ("mm/vmalloc: warn on invalid vmalloc
 * gfp flags"), 6.19, it does not know __GFP_RETRY_MAYFAIL. __GFP_NORETRY, which it
 * has always known, gives up earlier, after it has reclaimed memory once.
 */
#define REGION_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN | \
			 __GFP_ZERO)

/*
 * Not by vmalloc_user(), which charges nobody. The pages are ordinary ones all
 * the same, and baton_instance_map() maps them as remap_vmalloc_range() would.
 */
static int region_create(struct baton_instance *inst)
{
	struct baton_header *hdr;
	size_t procs = sizeof(*hdr);
	size_t slots = procs + inst->nprocs * sizeof(*inst->recs);
	size_t sites = slots + inst->max_workers * sizeof(*inst->slots);
	u32 p;

	BUILD_BUG_ON(sizeof(struct baton_header) != 256);
	BUILD_BUG_ON(sizeof(struct baton_proc_rec) != 64);
	BUILD_BUG_ON(sizeof(struct baton_slot) != 64);

	inst->nsites = baton_account_sites(inst->nprocs);
	inst->bytes = PAGE_ALIGN(sites + inst->nsites * sizeof(*inst->site));
	hdr = __vmalloc(inst->bytes, REGION_GFP);
	if (!hdr)
		return -ENOMEM;
	inst->hdr = hdr;
	inst->recs = (void *)hdr + procs;
	inst->slots = (void *)hdr + slots;
	inst->site = (void *)hdr + sites;
	hdr->abi = BATON_ABI;
	hdr->nprocs = inst->nprocs;
	hdr->max_workers = inst->max_workers;
	hdr->proc_offset = procs;
	hdr->slot_offset = slots;
	hdr->site_offset = sites;
	hdr->nsites = inst->nsites;
	baton_account_init(inst);
	for (p = 1; p < inst->nprocs; p++)
		baton_idle_set(inst, p);
	return 0;
}

int baton_instance_map(struct baton_instance *inst, struct vm_area_struct *vma)
{
	unsigned long off;
	int err;

	lockdep_assert_held_write(&vma->vm_mm->mmap_lock);
	/* Each page is counted: they outlive the instance if need be. */
	for (off = 0; off < inst->bytes; off += PAGE_SIZE) {
		err = vm_insert_page(vma, vma->vm_start + off,
				     vmalloc_to_page((void *)inst->hdr + off));
		if (err)
			return err;
	}
	return 0;
}

/* Until it is known what a hand-off takes here. */
#define DELAY_GUESS_NS	(10 * NSEC_PER_USEC)

/* --- life ---------------------------------------------------------------- */

/* Nobody is there yet; all slots are free, the first one first. */
static int slots_create(struct baton_instance *inst)
{
	u32 i;

	BUILD_BUG_ON(BATON_WORKERS_MAX > U16_MAX);

	inst->workers = kvcalloc(inst->max_workers, sizeof(*inst->workers),
				 BATON_GFP);
	inst->free = kvmalloc_array(inst->max_workers, sizeof(*inst->free),
				    BATON_GFP);
	if (!inst->workers || !inst->free) {
		kvfree(inst->workers);
		kvfree(inst->free);
		return -ENOMEM;
	}
	for (i = 0; i < inst->max_workers; i++)
		inst->free[i] = i;
	return 0;
}

static void slots_destroy(struct baton_instance *inst)
{
	kvfree(inst->free);
	kvfree(inst->workers);
}

struct baton_instance *baton_instance_create(u32 nprocs, u32 max_workers,
					     u32 flags)
{
	struct baton_instance *inst;
	int err = -ENOMEM;

	inst = kzalloc(sizeof(*inst), BATON_GFP);
	if (!inst)
		return ERR_PTR(err);
	kref_init(&inst->ref);
	raw_spin_lock_init(&inst->lock);
	INIT_LIST_HEAD(&inst->standbys);
	init_waitqueue_head(&inst->wait);
	inst->event = IRQ_WORK_INIT_HARD(event_irq);
	INIT_WORK(&inst->event_work, event_work);
	inst->nprocs = nprocs;
	inst->max_workers = max_workers;
	inst->flags = flags & ~BATON_CREATE_REGAIN;
	inst->regain = flags & BATON_CREATE_REGAIN;
	inst->delay = DELAY_GUESS_NS;
	memset(inst->sites, SITE_UNKNOWN, sizeof(inst->sites));

	inst->account = baton_limit_charge();
	if (IS_ERR(inst->account)) {
		err = PTR_ERR(inst->account);
		goto err_free;
	}
	err = slots_create(inst);
	if (err)
		goto err_account;
	err = region_create(inst);
	if (err)
		goto err_slots;
	/* Compared with, never used: the struct must not be another's. */
	inst->mm = current->mm;
	mmgrab(inst->mm);
	return inst;

err_slots:
	slots_destroy(inst);
err_account:
	baton_limit_uncharge(inst->account);
err_free:
	kfree(inst);
	return ERR_PTR(err);
}

static void instance_free(struct kref *ref)
{
	struct baton_instance *inst =
		container_of(ref, struct baton_instance, ref);

	/*
	 * No hook is left to raise it, no file to poll. It is freed by RCU, as
	 * workers are: see worker_free() in worker.c.
	 */
	irq_work_sync(&inst->event);
	cancel_work_sync(&inst->event_work);
	mmdrop(inst->mm);
	vfree(inst->hdr);
	slots_destroy(inst);
	baton_limit_uncharge(inst->account);
	kfree_rcu(inst, rcu);
}

void baton_instance_put(struct baton_instance *inst)
{
	kref_put(&inst->ref, instance_free);
}

/* --- load and unload ----------------------------------------------------- */

int __init baton_instance_init(void)
{
	baton_wq = alloc_workqueue("baton", WQ_UNBOUND, 0);
	return baton_wq ? 0 : -ENOMEM;
}

void baton_instance_uninit(void)
{
	/*
	 * No file and no worker is left, but the work item that freed the last
	 * one may be on its way out of our code: wait for it.
	 */
	destroy_workqueue(baton_wq);
}
