#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# loops.sh - no change of an idle bit is a loop, which others could keep going
#
# usage: selftests/kmod/loops.sh KERNEL...
#
# User space changes the same words while the module does it under rq->lock. Looks
# at the code that was built for each kernel, of x86-64: on other CPUs it is the
# CPU's matter what there is instead of a loop.

set -u -o pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=selftests/tap.sh
. selftests/tap.sh

# one_instruction KERNEL FUNCTION: it changes memory by one locked instruction,
# and does not compare before
one_instruction()
{
	objdump -d --no-show-raw-insn --disassemble="$2" \
		"build/kmod/$1/baton.ko" | awk -v f="<$2>:" '
		$2 == f		{ found = 1 }
		/\tlock /	{ locked++ }
		/cmpxchg/	{ loop = 1 }
		END {
			if (found && locked == 1 && !loop)
				exit
			print "# found", found + 0, "locked", locked + 0,
				"cmpxchg", loop + 0
			exit 1
		}'
}

for kernel; do
	for function in baton_idle_set baton_idle_claim; do
		try "$kernel: $function" one_instruction "$kernel" $function
	done
done
plan
