/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* cpus.h - how many CPUs this process may use. */
#ifndef BATON_CORE_CPUS_H
#define BATON_CORE_CPUS_H

/* By affinity and by the quotas of its cgroups, rounded up; at least 1. */
unsigned int baton_cpus_allowed(void);

#endif /* BATON_CORE_CPUS_H */
