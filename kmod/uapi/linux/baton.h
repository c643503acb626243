/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * baton.h - what baton.ko and its user share: one region of memory, and the
 * calls on /dev/baton.
 *
 * Vocabulary. A *processor* is the right to run fibers; there are nprocs of
 * them. A *worker* is a thread that runs fibers while it holds a processor.
 * A *standby* is a worker parked in BATON_IOC_PARK until it is given one.
 *
 * Life of an instance. open() the device with O_CLOEXEC; BATON_IOC_CREATE
 * fixes the sizes and makes the region; mmap() it whole and shared, at offset
 * 0. Every worker calls BATON_IOC_REGISTER on its own thread, learns its slot,
 * and stays registered until BATON_IOC_UNREGISTER or its death; once the file
 * is closed, BATON_IOC_REGISTER on another one ends it, too. All of it
 * belongs to the address space that called CREATE: a process that inherits
 * or is sent the descriptor gets -EPERM from every call.
 *
 * The region. One header, nprocs processor records, max_workers slots, at the
 * offsets the header names. It is a hint to the kernel, never an authority:
 * an index is checked on one read of it, and a lie harms the liar alone.
 *
 * Who has a processor. Bit p of header.idle[] is set while processor p is
 * free. Whoever clears the bit, with an atomic read-modify-write that finds
 * it set, holds p. Whoever holds it may set the bit, or pass p on by
 * BATON_IOC_WAKE or BATON_IOC_SWAP. Kernel and user follow the same rule.
 *
 * The hook. When a registered worker is scheduled out because it blocks, its
 * slot says FIBER or FOREIGN, and `taken` is not BATON_TAKEN, the kernel sets
 * `taken` to BATON_TAKEN and
 *   - if fibers wait in a processor's queue or globally, passes slot.proc to
 *     a standby, whose BATON_IOC_PARK returns it;
 *   - if none wait, or no standby is there, sets slot.proc's bit in idle[].
 * The worker that comes back looks at `taken` after it has stored RUNTIME,
 * and must find a processor anew if it was lost. The hook runs on the
 * worker's own CPU, between two of its instructions: a compiler barrier
 * between the store and the load is enough.
 *
 * Lost wake-ups. Who makes work (queue, then idle[]) and who lets go of a
 * processor (idle[], then queue) both put a full barrier between the two and
 * look at the other's half afterwards. The hook, PARK, WAKE and SWAP do the
 * kernel's share.
 *
 * Where workers block. What blocks with a slot that says FIBER or FOREIGN is
 * accounted to a site: the foreign function, the system call and the place in
 * the program. Sites are in a table at site_offset, of header.nsites entries;
 * see struct baton_site. Whoever maps the region may read it at any time.
 *
 * More workers. poll() reports POLLIN when the last standby was used, one was
 * missing, or a worker found a processor waiting as it parked and left no
 * standby behind; read() returns a __u64, the number of times that happened
 * since the last read, or -EAGAIN on a non-blocking file.
 */
#ifndef _UAPI_LINUX_BATON_H
#define _UAPI_LINUX_BATON_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * 2: another magic number, and `queued` in the header. 3: flags of CREATE, and of
 * WAKE. 4: BATON_CREATE_REGAIN.
 */
#define BATON_ABI		4

/* Bounds of an instance; CREATE returns -EINVAL outside of them. */
#define BATON_PROCS_MAX		256
#define BATON_WORKERS_MAX	16384

/*
 * What a worker is doing: slot.state, written by the worker alone.
 * @BATON_RUNTIME: scheduler code; its processor is never taken
 * @BATON_FIBER:   fiber code; its processor may be taken when it blocks
 * @BATON_FOREIGN: a foreign call; its processor may be taken at any time
 * @BATON_PARKED:  waits for a processor and has none
 * @BATON_DEAD:    the thread is gone (written by the kernel, a last time)
 */
enum baton_state {
	BATON_RUNTIME	= 0,
	BATON_FIBER	= 1,
	BATON_FOREIGN	= 2,
	BATON_PARKED	= 3,
	BATON_DEAD	= 4,
};

/*
 * Whether the worker's processor is still its own: slot.taken.
 * @BATON_KEPT:   it is. Only the worker goes back to KEPT from TAKEN; or, with
 *                BATON_CREATE_REGAIN, the kernel while the worker is in FIBER
 * @BATON_TAKING: a taker in user space has begun; either side settles it with
 *                a compare-and-swap: the taker to TAKEN, the worker to KEPT.
 * @BATON_TAKEN:  it is not
 */
enum baton_taken {
	BATON_KEPT	= 0,
	BATON_TAKING	= 1,
	BATON_TAKEN	= 2,
};

/**
 * struct baton_slot - one worker
 * @state: enum baton_state
 * @taken: enum baton_taken
 * @proc:  the processor it holds, or held when it was taken; by the worker
 * @tid:   thread id, by the kernel at REGISTER, for tools
 * @calls: foreign calls made, by the worker: two equal readings with state
 *         FOREIGN mean one and the same call
 * @fn:    the function of the foreign call in progress, by the worker
 * @site:  1 + the number of the site where it blocked last, by the kernel; 0:
 *         it has not blocked yet
 * @since: when the call in progress was first seen, by a taker in user space
 */
struct baton_slot {
	__u32 state;
	__u32 taken;
	__u32 proc;
	__u32 tid;
	__u64 calls;
	__u64 fn;
	__u32 site;
	__u32 reserved0;
	__u64 since;
	__u64 reserved[2];
};

/**
 * struct baton_proc_rec - one processor
 * @head:     run queue: next to be taken; user
 * @tail:     run queue: next free entry; user. Empty when equal to @head.
 * @worker:   slot that holds it, for tools; whoever makes it KEPT there
 * @handoffs: times it was passed to a standby by the hook; kernel
 * @idled:    times the hook made it idle instead; kernel
 * @regained: times the hook gave it back, see BATON_CREATE_REGAIN; kernel
 */
struct baton_proc_rec {
	__u32 head;
	__u32 tail;
	__u32 worker;
	__u32 reserved0;
	__u64 handoffs;
	__u64 idled;
	__u64 regained;
	__u64 reserved[3];
};

/**
 * struct baton_header - the start of the region
 * @abi:         BATON_ABI
 * @nprocs:      as given to CREATE
 * @max_workers: as given to CREATE
 * @proc_offset: bytes from the start of the region to the first processor
 * @slot_offset: bytes from the start of the region to the first slot
 * @site_offset: bytes from the start of the region to the first site; 0: the
 *               kernel keeps none
 * @nsites:      how many entries are there
 * @idle:        a bit for each processor, set while it is free; both
 * @queued:      a bit for each processor: its queue may hold fibers; user. See
 *               below.
 * @nglobal:     fibers in the global queue; user
 * @nspinning:   workers that hold a processor and look for work; user
 * @nstandby:    parked workers that any processor may be given to; kernel
 * @nworkers:    registered workers; kernel
 *
 * The first line is written once, by the kernel; the others each have the
 * writers that their fields name.
 *
 * Bit p of @queued says that processor p's queue may hold fibers. Only the
 * processor's holder, who alone can push to that queue, changes it: it sets the
 * bit after a push and a full barrier, before it looks at idle[], unless it is
 * set already; and clears it, if at all, while the queue is empty. So a clear
 * bit says that the queue is empty, or that its holder is about to set the bit
 * and to look at idle[]; a set bit says that a look may be worth while.
 */
struct baton_header {
	__u32 abi;
	__u32 nprocs;
	__u32 max_workers;
	__u32 proc_offset;
	__u32 slot_offset;
	__u32 site_offset;
	__u32 nsites;
	__u32 reserved0[9];

	__u64 idle[BATON_PROCS_MAX / 64];
	__u64 queued[BATON_PROCS_MAX / 64];

	__u32 nglobal;
	__u32 nspinning;
	__u32 reserved2[14];

	__u32 nstandby;
	__u32 nworkers;
	__u32 reserved3[14];
};

/* site.state. A site never changes its place, and none is free again. */
enum baton_site_state {
	BATON_SITE_FREE		= 0,
	BATON_SITE_FILLED	= 1,	/* somebody writes where it is */
	BATON_SITE_USED		= 2,
};

/* For site.nr, where there is no system call's number. */
#define BATON_SITE_FAULT	(-1)	/* an exception: a page fault */
#define BATON_SITE_OTHER	(-2)	/* any: there was no room for more */
#define BATON_SITE_CALL		(-3)	/* nobody saw; user space's takers */

/* site.hist[i]: blocks shorter than 2^(10 + i) ns, and the last one all others. */
#define BATON_SITE_HIST		24

/**
 * struct baton_site - a place where workers block, and for how long
 * @fn:       the foreign function; 0: fiber code
 * @pc:       where the thread was in user space, behind the system call
 * @nr:       the system call's number, or one of the above
 * @state:    enum baton_site_state, USED last. The three above it do not change
 *            from then on. One place may be there more than once.
 * @total:    nanoseconds from when it blocked until it was woken, of all blocks
 * @longest:  of one
 * @waited:   nanoseconds from then on until it had a CPU, of all blocks
 * @starved:  nanoseconds that its fiber then waited for a processor; user
 * @handoffs: its processor was given to a standby
 * @idled:    became idle, since no fiber waited
 * @missed:   became idle, since there was no standby
 * @late:     of these three: not at once, see BATON_CREATE_LEARN
 * @hist:     blocks by how long they lasted; all of them are here
 *
 * Each counter is added to by atomic instructions alone, when a block is over.
 */
struct baton_site {
	__u64 fn;
	__u64 pc;
	__s32 nr;
	__u32 state;
	__u64 total;
	__u64 longest;
	__u64 waited;
	__u64 starved;
	__u64 handoffs;
	__u64 idled;
	__u64 missed;
	__u64 late;
	__u64 reserved[5];
	__u64 hist[BATON_SITE_HIST];
};

/*
 * For baton_create.flags: when a worker that blocks while fibers wait has its
 * processor taken. Neither of them: at once.
 * @BATON_CREATE_LEARN: at once where its last blocks were long, that is in the
 *		   same foreign function and system call; otherwise once it has
 *		   blocked for a while, which is about what a hand-off costs
 * @BATON_CREATE_OFF:	   never, for comparison
 */
#define BATON_CREATE_LEARN	(1u << 0)
#define BATON_CREATE_OFF	(1u << 1)

/*
 * For baton_create.flags, with any of these: a worker that comes to its CPU
 * while its slot says FIBER and TAKEN, and slot.proc is idle, has that processor
 * again before it runs: the kernel clears the bit in idle[] and makes the slot
 * KEPT; unless a signal is pending, since it may be about to stop. So fiber code
 * that has blocked does not go on beside whoever would have been given that
 * processor next. Foreign code does, which is outside of the limit. After
 * BATON_IOC_STOP nobody is given one.
 */
#define BATON_CREATE_REGAIN	(1u << 2)

/* All that there are. */
#define BATON_CREATE_FLAGS	(BATON_CREATE_LEARN | BATON_CREATE_OFF | \
				 BATON_CREATE_REGAIN)

/*
 * Every argument starts with its own size, so that it can grow: the kernel
 * takes a longer one whose tail is zero, up to a page, and returns -E2BIG for
 * any other, and
 * -EINVAL for one shorter than its first version, for an unknown flag, or for
 * a reserved field that is not zero.
 */

/**
 * struct baton_create - BATON_IOC_CREATE
 * @size:        sizeof(struct baton_create)
 * @flags:       0, BATON_CREATE_LEARN or BATON_CREATE_OFF; and, with any of them,
 *               BATON_CREATE_REGAIN
 * @nprocs:      1 to BATON_PROCS_MAX; processor 0 starts out held by the
 *               caller, the others idle
 * @max_workers: 1 to BATON_WORKERS_MAX
 * @region_size: returned: bytes to mmap()
 *
 * Errors: -EBUSY this file has an instance; -EINVAL; -E2BIG; -ENOMEM; -EFAULT;
 * -EUSERS too many instances of this user (module parameter user_instances),
 * or of all of them (instances). The region and what belongs to it are charged
 * to the caller's memory control group.
 */
struct baton_create {
	__u32 size;
	__u32 flags;
	__u32 nprocs;
	__u32 max_workers;
	__u64 region_size;
};

/**
 * struct baton_register - BATON_IOC_REGISTER: the calling thread is a worker
 * @size:  sizeof(struct baton_register)
 * @flags: none defined
 * @slot:  returned: its slot; all zero but for tid
 *
 * Errors: -EBUSY it is one already, of this instance or of another whose file
 * is open; -EAGAIN max_workers are registered; -ESHUTDOWN; -ENOMEM; -EFAULT
 * @slot could not be returned, and the caller is no worker; -ENXIO no CREATE
 * yet; -EPERM not the address space of CREATE.
 */
struct baton_register {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reserved;
};

/* For baton_park.flags and baton_swap.flags. */
#define BATON_PARK_PINNED	(1u << 0)	/* only a WAKE or SWAP that
						 * names this worker ends the
						 * wait */
#define BATON_PARK_FLAGS	BATON_PARK_PINNED	/* all that there are */

/**
 * struct baton_park - BATON_IOC_PARK: wait until given a processor
 * @size:  sizeof(struct baton_park)
 * @flags: BATON_PARK_PINNED
 *
 * Returns the processor's number. Before it sleeps it claims an idle
 * processor itself if there is work and the park is not pinned. Errors:
 * -EINTR a signal; -ESHUTDOWN after BATON_IOC_STOP; -ESRCH not a worker of
 * this instance.
 */
struct baton_park {
	__u32 size;
	__u32 flags;
};

#define BATON_ANY	(~0u)

/* To a worker that waits as a standby, and to no other: -EBUSY it does not. */
#define BATON_WAKE_STANDBY	(1u << 0)
#define BATON_WAKE_FLAGS	BATON_WAKE_STANDBY	/* all that there are */

/**
 * struct baton_wake - BATON_IOC_WAKE: give a processor that the caller holds
 * @size:   sizeof(struct baton_wake)
 * @flags:  BATON_WAKE_STANDBY
 * @proc:   the processor
 * @worker: slot of the worker to have it, parked or about to park; or
 *          BATON_ANY for any standby
 *
 * Returns 0 when it was given; 1 when no standby was there: its idle bit is
 * set and POLLIN raised. Any thread of the process may call it. Errors:
 * -EINVAL a number out of range; -ESRCH no such worker; -EBUSY that worker
 * has been given one already; -ESHUTDOWN. On an error the caller holds it
 * still.
 */
struct baton_wake {
	__u32 size;
	__u32 flags;
	__u32 proc;
	__u32 worker;
};

/**
 * struct baton_swap - BATON_IOC_SWAP: WAKE and PARK in one crossing
 * @size:   sizeof(struct baton_swap)
 * @flags:  BATON_PARK_PINNED, for the caller's own wait
 * @proc:   the processor that the caller gives away
 * @worker: slot of the worker to have it, not the caller's; or BATON_ANY, any
 *          standby, as for WAKE
 *
 * Returns and fails as PARK does once @proc was given, and then -EINTR means
 * "given, wait interrupted: go on with PARK". Before that it fails as WAKE
 * does, never with -EINTR.
 */
struct baton_swap {
	__u32 size;
	__u32 flags;
	__u32 proc;
	__u32 worker;
};

/**
 * struct baton_counts - BATON_IOC_COUNTS: the instance's counters
 * @size:       sizeof(struct baton_counts)
 * @flags:      none defined
 * @handoffs:   processors passed on by the hook
 * @idled:      processors made idle by the hook
 * @starved:    of these, with work waiting and no standby
 * @parks:      parks that slept
 * @wakes:      processors given by WAKE
 * @swaps:      processors given by SWAP
 */
struct baton_counts {
	__u32 size;
	__u32 flags;
	__u64 handoffs;
	__u64 idled;
	__u64 starved;
	__u64 parks;
	__u64 wakes;
	__u64 swaps;
};

/*
 * Nobody has it in Documentation/userspace-api/ioctl/ioctl-number.rst of the
 * kernel, which gives 0xBA to liveupdate.
 */
#define BATON_IOC_MAGIC		0xBD
#define BATON_IOC_CREATE	_IOWR(BATON_IOC_MAGIC, 0x40, struct baton_create)
#define BATON_IOC_REGISTER	_IOWR(BATON_IOC_MAGIC, 0x41, struct baton_register)
#define BATON_IOC_PARK		_IOW(BATON_IOC_MAGIC, 0x42, struct baton_park)
#define BATON_IOC_WAKE		_IOW(BATON_IOC_MAGIC, 0x43, struct baton_wake)
#define BATON_IOC_SWAP		_IOW(BATON_IOC_MAGIC, 0x44, struct baton_swap)
#define BATON_IOC_COUNTS	_IOWR(BATON_IOC_MAGIC, 0x45, struct baton_counts)
/*
 * No argument. The caller stops being a worker, of this file's instance, or of
 * one whose file is closed; -ESRCH if it is neither, -ENXIO if this file has no
 * instance and it is not the latter. So any file is a way out once that of the
 * instance is closed: by the last who has a descriptor of it, which may be a
 * child of fork(). Until then there is no other way than that file.
 */
#define BATON_IOC_UNREGISTER	_IO(BATON_IOC_MAGIC, 0x46)
/* No argument. Every PARK, now and later, returns -ESHUTDOWN. */
#define BATON_IOC_STOP		_IO(BATON_IOC_MAGIC, 0x47)

#endif /* _UAPI_LINUX_BATON_H */
