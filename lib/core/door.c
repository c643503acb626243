// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* door.c - how another process sees what the fibers of this one do. */
#include "door.h"

#include "layout.h"
#include "rt.h"

/* Not constant: what is only read lies where a search does not look. */
__attribute__((used, aligned(DOOR_ALIGN))) struct door baton_door = {
	.magic = DOOR_MAGIC,
	.self = &baton_door,
	.rt = &baton_rt_running,
	.layout = &baton_layout,
};
