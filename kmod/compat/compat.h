/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - what differs between the kernels we build for, 6.1 to 6.12 and,
 * untested, later. Nothing else in kmod/ asks for a version.
 */
#ifndef BATON_COMPAT_H
#define BATON_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "baton.ko needs Linux 6.1 or later"
#endif

#if !defined(BATON_HOOK_NOTIFIERS) && !defined(BATON_HOOK_TRACEPOINT)
#error "baton.ko needs CONFIG_PREEMPT_NOTIFIERS, which KVM selects, or CONFIG_TRACEPOINTS"
#endif

/*
 * The region's words are 64 bits wide, and user space changes them with atomic
 * instructions. There, the kernel would do it with locks that it does not know.
 */
#ifdef CONFIG_GENERIC_ATOMIC64
#error "baton.ko needs a kernel with atomic instructions of 64 bits"
#endif

/*
 * Bits of these words are set and cleared here as those of an array of longs,
 * which lie elsewhere where a long is half as wide and its upper half comes first.
 */
#if BITS_PER_LONG != 64 && !defined(__LITTLE_ENDIAN)
#error "baton.ko needs longs of 64 bits, or a little-endian CPU"
#endif

/*
 * Is @p, being scheduled out, asleep rather than preempted? Since delayed
 * dequeue a sleeping task can stay on the run queue. Upstream: cd9626e9ebc7
 * ("sched/fair: Fix external p->on_rq users"), 6.12.
 *
 * With proxy execution a task that waits for a mutex stays there as well, to
 * lend its turn to the mutex' owner. Kbuild looks whether there is a flag for
 * it. Upstream: 9b6c639aecc1 ("sched: Add is_blocked task flag").
 */
static inline bool baton_task_blocked(struct task_struct *p)
{
#ifdef BATON_HAVE_IS_BLOCKED
	if (p->is_blocked)
		return true;
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return !task_is_runnable(p);
#else
	return !READ_ONCE(p->on_rq);
#endif
}

/*
 * @p is dead: wait until it is off its CPU for good. Acquire: pairs with
 * finish_task() in the kernel. On a single CPU, where the field did not exist
 * before it was made unconditional (cac5cefbade9, "sched/smp: Make SMP
 * unconditional", 6.17), the caller runs, so @p does not.
 */
static inline void baton_task_wait_off_cpu(struct task_struct *p)
{
#ifdef CONFIG_SMP
	smp_cond_load_acquire(&p->on_cpu, !VAL);
#endif
}

/*
 * The freezer of cgroup v2 sleeps in an ordinary state, interruptible. A thread
 * in vfork() counts as frozen, too, but is not interruptible.
 */
static inline bool baton_task_frozen(struct task_struct *p, unsigned int state)
{
#ifdef CONFIG_CGROUPS
	return p->frozen && (state & TASK_INTERRUPTIBLE);
#else
	return false;
#endif
}

/*
 * The scheduler's own notes of @p, in nanoseconds of one clock. When it came to
 * its CPU, and how long it has been runnable without one in its life until then;
 * and when it left, in its last context switch, but for interrupts meanwhile.
 *
 * What it has run since it came is noted for the fair classes alone. A kernel
 * that keeps no such notes has a clock. (CONFIG_SCHED_INFO is that of delay
 * accounting or schedstats, one of which all distributions have.)
 *
 * By the name of cpu_clock(): sched_clock_cpu() is the same, but exported only
 * where the clocks of CPUs may differ, as on x86.
 */
#ifdef CONFIG_SCHED_INFO
/* @p comes: within the switch, where it is queued still, or after that. */
static inline u64 baton_task_came(struct task_struct *p, u64 *delay)
{
	u64 queued = READ_ONCE(p->sched_info.last_queued), came;

	*delay = p->sched_info.run_delay;
	if (likely(!queued))
		return p->sched_info.last_arrival;
	came = cpu_clock(raw_smp_processor_id());
	if (came > queued)
		*delay += came - queued;
	return came;
}

/* @p leaves. */
static inline u64 baton_task_delay(struct task_struct *p)
{
	return p->sched_info.run_delay;
}

static inline u64 baton_task_left(struct task_struct *p)
{
	if (unlikely(p->prio < MAX_RT_PRIO))
		return cpu_clock(raw_smp_processor_id());
	return p->sched_info.last_arrival + p->se.sum_exec_runtime -
	       p->se.prev_sum_exec_runtime;
}
#else
static inline u64 baton_task_came(struct task_struct *p, u64 *delay)
{
	*delay = 0;
	return cpu_clock(raw_smp_processor_id());
}

static inline u64 baton_task_delay(struct task_struct *p)
{
	return 0;
}

static inline u64 baton_task_left(struct task_struct *p)
{
	return cpu_clock(raw_smp_processor_id());
}
#endif

/* Upstream: 908a1d775422 ("hrtimers: Introduce hrtimer_setup() to replace
 * hrtimer_init()"), 6.13; the latter is gone since 6.15. */
static inline void
baton_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*fn)(struct hrtimer *timer),
		    clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, fn, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
#endif
}

/* Upstream: bc292ab00f6c ("mm: introduce vma->vm_flags wrapper functions"). */
static inline void baton_vma_flags(struct vm_area_struct *vma,
				   unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif /* BATON_COMPAT_H */
