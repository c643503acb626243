#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_noring.sh - t_file where the kernel has been told to make no rings
#
# For the virtual machine: the setting is for all of it. It is put back.

set -eu
setting=/proc/sys/kernel/io_uring_disabled

if [ ! -e $setting ]; then
	echo "# SKIP disabled: this kernel has no such setting"
	echo "1..0"
	exit
fi
before=$(cat $setting)
trap 'echo "$before" >$setting' EXIT
echo 2 >$setting
BATON_TEST_NO_RING=1 CK_RUN_CASE=disabled \
	"$(dirname "$0")/../../build/selftests/lib/t_file"
