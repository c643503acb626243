#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# tracers.sh - do trace-cmd and bpftrace see the module's tracepoints?
#
# usage: selftests/kmod/tracers.sh, as root where baton.ko is loaded; see make
# check-trace. Where the machine is emulated it takes minutes. The program blocks
# 100 times.

program=$(dirname "$0")/../../build/selftests/kmod/account
file=${TMPDIR:-/tmp}/baton-trace.dat
export BATON_TRACED=1
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/../tap.sh"

result()
{
	if [ "$2" = 100 ]; then ok "$1"; else not_ok "$1: '$2' blocks, not 100"; fi
}

trace-cmd record -q -e baton -o "$file" "$program" >/dev/null 2>&1
result trace-cmd "$(trace-cmd report "$file" 2>/dev/null |
		    grep -c 'block:.*fn=0x123456789abc .*nr=230')"
rm -f "$file"
result bpftrace "$(bpftrace -c "$program" -e \
	'tracepoint:baton:block { @n = count(); }' 2>/dev/null |
	sed -n 's/^@n: //p')"
plan
