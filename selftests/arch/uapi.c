// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * uapi.c - how the module's interface is laid out: the same in all ports, or a
 * 32-bit program could not use a 64-bit kernel's. Compiled to assembly alone,
 * out of which the Makefile makes a table.
 */
#include <linux/baton.h>
#include <stddef.h>

#define NUMBER(name, value) \
	__asm__ volatile("\n.ascii \"->" name " %0\"" : : "i"(value))
#define SIZE(type)	NUMBER("sizeof." #type, sizeof(struct type))
#define AT(type, field)	NUMBER(#type "." #field, offsetof(struct type, field))
/* Directions are numbered otherwise on Power, in its kernel as well. */
#define IOC(name)	NUMBER(#name, (name) & 0x1fffffff)

int main(void)
{
	SIZE(baton_slot);
	AT(baton_slot, state);
	AT(baton_slot, taken);
	AT(baton_slot, proc);
	AT(baton_slot, tid);
	AT(baton_slot, calls);
	AT(baton_slot, fn);
	AT(baton_slot, site);
	AT(baton_slot, since);
	SIZE(baton_proc_rec);
	AT(baton_proc_rec, head);
	AT(baton_proc_rec, tail);
	AT(baton_proc_rec, worker);
	AT(baton_proc_rec, handoffs);
	AT(baton_proc_rec, idled);
	AT(baton_proc_rec, regained);
	SIZE(baton_header);
	AT(baton_header, abi);
	AT(baton_header, nprocs);
	AT(baton_header, max_workers);
	AT(baton_header, proc_offset);
	AT(baton_header, slot_offset);
	AT(baton_header, site_offset);
	AT(baton_header, nsites);
	AT(baton_header, idle);
	AT(baton_header, nglobal);
	AT(baton_header, nspinning);
	AT(baton_header, nstandby);
	AT(baton_header, nworkers);
	SIZE(baton_site);
	AT(baton_site, fn);
	AT(baton_site, nr);
	AT(baton_site, total);
	AT(baton_site, late);
	AT(baton_site, hist);
	SIZE(baton_create);
	AT(baton_create, size);
	AT(baton_create, flags);
	AT(baton_create, nprocs);
	AT(baton_create, max_workers);
	AT(baton_create, region_size);
	SIZE(baton_register);
	AT(baton_register, slot);
	SIZE(baton_park);
	AT(baton_park, flags);
	SIZE(baton_wake);
	AT(baton_wake, proc);
	AT(baton_wake, worker);
	SIZE(baton_swap);
	AT(baton_swap, proc);
	AT(baton_swap, worker);
	SIZE(baton_counts);
	AT(baton_counts, handoffs);
	AT(baton_counts, idled);
	AT(baton_counts, starved);
	AT(baton_counts, parks);
	AT(baton_counts, wakes);
	AT(baton_counts, swaps);
	IOC(BATON_IOC_CREATE);
	IOC(BATON_IOC_REGISTER);
	IOC(BATON_IOC_PARK);
	IOC(BATON_IOC_WAKE);
	IOC(BATON_IOC_SWAP);
	IOC(BATON_IOC_COUNTS);
	return 0;
}
