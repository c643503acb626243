// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c - /dev/baton: open, ioctl, mmap, poll, read, close.
 *
 * The instance is in file->private_data from CREATE on. Every operation that
 * touches it is for the address space of CREATE alone: a region that two
 * processes wrote would be nobody's, and a notifier follows its thread.
 */
#include "device.h"

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/personality.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "instance.h"
#include "park.h"
#include "worker.h"

static struct baton_instance *file_instance(struct file *file)
{
	/* Acquire: a whole instance; pairs with ioctl_create(). */
	struct baton_instance *inst = smp_load_acquire(&file->private_data);

	if (!inst)
		return ERR_PTR(-ENXIO);
	return inst->mm == current->mm ? inst : ERR_PTR(-EPERM);
}

/*
 * An argument that starts with its own size: at least @min bytes, and zero
 * beyond what we know.
 */
static int get_arg(void *arg, size_t ksize, size_t min, const void __user *from)
{
	u32 size;
	int err;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < min)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(arg, ksize, from, size);
	if (err)
		return err;
	/* It may have changed since it was read. */
	*(u32 *)arg = size;
	return 0;
}

/* No version of any argument has been extended yet. */
#define GET_ARG(arg, from) get_arg(arg, sizeof(*(arg)), sizeof(*(arg)), from)

static long ioctl_create(struct file *file, struct baton_create __user *from)
{
	struct baton_instance *inst = file_instance(file);
	struct baton_create a;
	u32 when;
	int err;

	/* One file, one instance. */
	if (inst != ERR_PTR(-ENXIO))
		return IS_ERR(inst) ? PTR_ERR(inst) : -EBUSY;
	err = GET_ARG(&a, from);
	if (err)
		return err;
	when = a.flags & ~BATON_CREATE_REGAIN;
	if (a.flags & ~BATON_CREATE_FLAGS ||
	    when == (BATON_CREATE_LEARN | BATON_CREATE_OFF) ||
	    a.region_size || !a.nprocs || a.nprocs > BATON_PROCS_MAX ||
	    !a.max_workers || a.max_workers > BATON_WORKERS_MAX)
		return -EINVAL;
	inst = baton_instance_create(a.nprocs, a.max_workers, a.flags);
	if (IS_ERR(inst))
		return PTR_ERR(inst);
	if (put_user((u64)inst->bytes, &from->region_size)) {
		err = -EFAULT;
		goto err_put;
	}
	/* Release; two at once: one wins. Pairs with file_instance(). */
	if (cmpxchg_release(&file->private_data, NULL, inst)) {
		err = -EBUSY;
		goto err_put;
	}
	return 0;

err_put:
	baton_instance_put(inst);
	return err;
}

static long ioctl_register(struct baton_instance *inst,
			   struct baton_register __user *from)
{
	struct baton_register a;
	int slot, err;

	err = GET_ARG(&a, from);
	if (err)
		return err;
	if (a.flags || a.slot || a.reserved)
		return -EINVAL;
	slot = baton_worker_register(inst);
	if (slot < 0)
		return slot;
	if (put_user((u32)slot, &from->slot)) {
		baton_worker_unregister(baton_worker_current(inst));
		return -EFAULT;
	}
	return 0;
}

static long ioctl_park(struct baton_instance *inst,
		       struct baton_park __user *from)
{
	struct baton_worker *w = baton_worker_current(inst);
	struct baton_park a;
	int err;

	err = GET_ARG(&a, from);
	if (err)
		return err;
	if (a.flags & ~BATON_PARK_FLAGS)
		return -EINVAL;
	return w ? baton_worker_park(w, a.flags) : -ESRCH;
}

static long ioctl_wake(struct baton_instance *inst,
		       struct baton_wake __user *from)
{
	struct baton_wake a;
	int err;

	err = GET_ARG(&a, from);
	if (err)
		return err;
	if (a.flags & ~BATON_WAKE_FLAGS)
		return -EINVAL;
	return baton_instance_wake(inst, a.proc, a.worker, a.flags);
}

static long ioctl_swap(struct baton_instance *inst,
		       struct baton_swap __user *from)
{
	struct baton_worker *w = baton_worker_current(inst);
	struct baton_swap a;
	int err;

	err = GET_ARG(&a, from);
	if (err)
		return err;
	if (a.flags & ~BATON_PARK_FLAGS)
		return -EINVAL;
	return w ? baton_worker_swap(w, a.proc, a.worker, a.flags) : -ESRCH;
}

static long ioctl_counts(struct baton_instance *inst,
			 struct baton_counts __user *from)
{
	struct baton_counts a;
	int err;

	err = GET_ARG(&a, from);
	if (err)
		return err;
	if (a.flags)
		return -EINVAL;
	raw_spin_lock_irq(&inst->lock);
	a.handoffs = inst->handoffs;
	a.starved = inst->starved;
	a.parks = inst->parks;
	a.wakes = inst->wakes;
	a.swaps = inst->swaps;
	raw_spin_unlock_irq(&inst->lock);
	a.idled = atomic64_read(&inst->idled);
	a.size = sizeof(a);
	return copy_to_user(from, &a, sizeof(a)) ? -EFAULT : 0;
}

/* @inst: of this file, or NULL */
static long ioctl_unregister(struct baton_instance *inst)
{
	struct baton_worker *w = baton_worker_leaving(inst);

	if (!w)
		return inst ? -ESRCH : -ENXIO;
	baton_worker_unregister(w);
	return 0;
}

static long baton_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *from = (void __user *)arg;
	struct baton_instance *inst;

	if (cmd == BATON_IOC_CREATE)
		return ioctl_create(file, from);
	if (_IOC_TYPE(cmd) != BATON_IOC_MAGIC)
		return -ENOTTY;
	inst = file_instance(file);
	/* The file with which the caller registered may be gone. */
	if (cmd == BATON_IOC_UNREGISTER && inst == ERR_PTR(-ENXIO))
		return ioctl_unregister(NULL);
	if (IS_ERR(inst))
		return PTR_ERR(inst);
	switch (cmd) {
	case BATON_IOC_REGISTER:
		return ioctl_register(inst, from);
	case BATON_IOC_PARK:
		return ioctl_park(inst, from);
	case BATON_IOC_WAKE:
		return ioctl_wake(inst, from);
	case BATON_IOC_SWAP:
		return ioctl_swap(inst, from);
	case BATON_IOC_COUNTS:
		return ioctl_counts(inst, from);
	case BATON_IOC_UNREGISTER:
		return ioctl_unregister(inst);
	case BATON_IOC_STOP:
		baton_instance_stop(inst);
		return 0;
	}
	return -ENOTTY;
}

/*
 * What ptrace() and /proc/PID/mem do with the region: the kernel does not touch
 * VM_IO memory for them by itself, though this is ordinary memory.
 */
static int baton_vm_access(struct vm_area_struct *vma, unsigned long addr,
			   void *buf, int len, int write)
{
	/* The mapping, or what is left of it, holds the file. */
	struct baton_instance *inst = vma->vm_file->private_data;
	unsigned long off = (vma->vm_pgoff << PAGE_SHIFT) +
			    (addr - vma->vm_start);

	if (len <= 0 || off >= inst->bytes || len > inst->bytes - off)
		return -EFAULT;
	if (write)
		memcpy((void *)inst->hdr + off, buf, len);
	else
		memcpy(buf, (void *)inst->hdr + off, len);
	return len;
}

static const struct vm_operations_struct baton_vm_ops = {
	.access	= baton_vm_access,
};

static int baton_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct baton_instance *inst = file_instance(file);

	if (IS_ERR(inst))
		return PTR_ERR(inst);
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != inst->bytes ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* Nobody may ask for code there; but a personality asks by itself. */
	if ((vma->vm_flags & VM_EXEC) &&
	    !(current->personality & READ_IMPLIES_EXEC))
		return -EINVAL;
	/*
	 * A child is not a user of the instance: VM_DONTCOPY. VM_IO is there so
	 * that madvise(MADV_DOFORK) cannot take that off again: of our flags it
	 * is the only one which that refuses on all kernels. It makes the kernel
	 * keep its hands off the memory in other ways, too: it is not dumped,
	 * and ptrace() needs baton_vm_access().
	 */
	baton_vma_flags(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP |
			VM_MIXEDMAP, VM_EXEC | VM_MAYEXEC);
	/* As it was computed before, with VM_EXEC. */
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_ops = &baton_vm_ops;
	return baton_instance_map(inst, vma);
}

static __poll_t baton_poll(struct file *file, poll_table *wait)
{
	struct baton_instance *inst = file_instance(file);

	if (IS_ERR(inst))
		return EPOLLERR;
	poll_wait(file, &inst->wait, wait);
	/*
	 * On the list, then a look. Pairs with want() in instance.c: either it
	 * sees us there, or we see what it has counted.
	 */
	smp_mb();
	return atomic64_read(&inst->wanted) ? EPOLLIN | EPOLLRDNORM : 0;
}

static ssize_t baton_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	struct baton_instance *inst = file_instance(file);
	u64 wanted;
	int err;

	if (IS_ERR(inst))
		return PTR_ERR(inst);
	if (count < sizeof(wanted))
		return -EINVAL;
	while (!(wanted = baton_instance_wanted(inst))) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(inst->wait,
					       atomic64_read(&inst->wanted));
		if (err)
			return err;
	}
	if (copy_to_user(buf, &wanted, sizeof(wanted))) {
		baton_instance_unread(inst, wanted);
		return -EFAULT;
	}
	return sizeof(wanted);
}

static int baton_open(struct inode *inode, struct file *file)
{
	/* The misc layer leaves its own pointer there. */
	file->private_data = NULL;
	return stream_open(inode, file);
}

static int baton_release(struct inode *inode, struct file *file)
{
	struct baton_instance *inst = file->private_data;

	/*
	 * Neither a call nor a mapping is left. Workers may be: they hold the
	 * instance until they die, register elsewhere or unregister, and the
	 * hook has nothing more to do.
	 */
	if (inst) {
		WRITE_ONCE(inst->closed, true);
		baton_instance_stop(inst);
		baton_instance_put(inst);
	}
	return 0;
}

static const struct file_operations baton_fops = {
	.owner		= THIS_MODULE,
	.open		= baton_open,
	.release	= baton_release,
	.unlocked_ioctl	= baton_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= baton_mmap,
	.poll		= baton_poll,
	.read		= baton_read,
};

static struct miscdevice baton_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "baton",
	.fops	= &baton_fops,
	.mode	= 0666,
};

int baton_device_init(void)
{
	return misc_register(&baton_misc);
}

void baton_device_uninit(void)
{
	misc_deregister(&baton_misc);
}
