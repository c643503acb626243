// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* descriptor.c - the library's own descriptors, which the program may close. */
#include "descriptor.h"

#include <stdint.h>

#include "arch.h"
#include "fatal.h"

void baton_descriptor_lost(void)
{
	baton_fatal("the program has closed a descriptor of the library's");
}

/* Never inline: errno is that of the thread where the fiber is now. */
void __attribute__((noinline)) baton_event_set(int fd)
{
	uint64_t one = 1;
	int saved = errno;

	/* It never blocks: EAGAIN says that it is readable anyway. */
	while (write(fd, &one, sizeof(one)) < 0) {
		if (errno == EAGAIN)
			break;
		if (errno != EINTR)
			baton_descriptor_lost();
	}
	errno = saved;
}
