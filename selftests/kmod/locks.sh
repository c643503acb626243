#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# locks.sh - how often our locks are waited for, and how long they are held
#
# usage: selftests/kmod/locks.sh BUILD_DIR
#
# As root, on a kernel with CONFIG_LOCK_STAT, while as many processors as there are
# CPUs are handed off all the time: see scale.c.

[ -e /proc/lock_stat ] || { echo "this kernel does not count" >&2; exit 1; }
echo 0 >/proc/lock_stat
echo 1 >/proc/sys/kernel/lock_stat
"$1/scale" "$(nproc)"
echo 0 >/proc/sys/kernel/lock_stat
# Times are microseconds
grep 'class name' /proc/lock_stat
grep -E '^ *(&inst->lock|&h->lock|&rq->__lock):' /proc/lock_stat
