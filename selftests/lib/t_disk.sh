#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_disk.sh - t_file with a disk that is slow, and one that has bad blocks
#
# For the virtual machine: it makes null_blk devices, as root, and leaves them.

set -eu
config=/sys/kernel/config

# disk NAME KEY=VALUE...: prints its device, which newer kernels call by its name
disk()
{
	local name=$1 dir=$config/nullb/$1 pair

	shift
	mkdir "$dir"
	for pair in "$@" size=1024 blocksize=4096 power=1; do
		echo "${pair#*=}" >"$dir/${pair%%=*}"
	done
	[ -e "/sys/block/$name" ] || name=nullb$(cat "$dir/index")
	echo none >"/sys/block/$name/queue/scheduler"
	# An emulated machine may be slower than the kernel's patience
	echo 600000 >"/sys/block/$name/queue/io_timeout"
	echo "/dev/$name"
}

modprobe null_blk nr_devices=0
mountpoint -q "$config" || mount -t configfs none "$config"
# Every request takes 5 s, and all that are made are in flight at once
slow=$(disk slow irqmode=2 completion_nsec=5000000000 hw_queue_depth=10240)
bad=$(disk bad badblocks=+0-7)
BATON_TEST_DISK=$slow BATON_TEST_BAD_DISK=$bad CK_RUN_CASE=disk \
	exec "$(dirname "$0")/../../build/selftests/lib/t_file"
