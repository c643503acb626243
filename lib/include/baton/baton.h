/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* baton.h - all of libbaton's interface. */
#ifndef BATON_BATON_H
#define BATON_BATON_H

#include <baton/runtime.h>
#include <baton/fiber.h>
#include <baton/sync.h>
#include <baton/time.h>
#include <baton/chan.h>
#include <baton/file.h>
#include <baton/group.h>
#include <baton/io.h>
#include <baton/key.h>
#include <baton/panic.h>
#include <baton/profile.h>
#include <baton/call.h>
#include <baton/version.h>

#endif /* BATON_BATON_H */
