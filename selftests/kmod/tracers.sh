#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# tracers.sh - do trace-cmd and bpftrace see the module's tracepoints, and does
# drgn its instances?
#
# usage: selftests/kmod/tracers.sh, as root where baton.ko is loaded; see make
# check-trace. Where the machine is emulated it takes minutes. The program blocks
# 100 times; drgn looks at the one with fibers in all states.

top=$(dirname "$0")/../..
program=$top/build/selftests/kmod/account
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

# The baton.ko that was built for the kernel that runs
ko()
{
	local ko

	for ko in "$top"/build/kmod/*/baton.ko; do
		case $(modinfo -F vermagic "$ko") in
		"$(uname -r) "*)
			echo "$ko"
			return ;;
		esac
	done
}

# What it says of workers is what baton-top says, which reads the region; and
# what the kernel alone knows is as it has to be.
drgn_fits()
{
	python3 -B - "$1" "$2" <<-'EOP'
	import json, re, sys
	drgn = open(sys.argv[1]).read()
	top = json.loads(open(sys.argv[2]).readlines()[-1])
	head = re.search(r"process (\d+) \(known\): 1 processors, (\d+) workers",
	                 drgn)
	assert head, "no such instance"
	assert int(head[1]) == top["pid"], "another process"
	rows = [line.split(maxsplit=3) for line in
	        drgn.split("KERNEL\n")[1].split("\n\n")[0].splitlines()]
	assert int(head[2]) == len(rows) == len(top["workers"])
	said = {int(n): (int(tid), proc, rest) for n, tid, proc, rest in rows}
	for w in top["workers"]:
	    tid, proc, rest = said[w["n"]]
	    assert tid == w["tid"], w
	    assert proc == str(w.get("processor", "-")), w
	    rest = re.sub(" +", " ", rest)
	    want = {
	        "runs": r"fiber R -",
	        "foreign call": r"foreign, taken S blocks in system call 0",
	        "waits in a callback": r"parked S parks",
	        "idle": r"parked S standby",
	        "polls": r"parked S -",
	    }[w["does"]]
	    assert re.fullmatch(want, rest), (w, rest)
	assert {w["does"] for w in top["workers"]} >= \
	    {"runs", "foreign call", "waits in a callback"}
	assert re.search(r"^ +0  %d +1 " % next(
	    w["n"] for w in top["workers"] if w["does"] == "runs"), drgn, re.M)
	assert "\n1 instances\n" in drgn
	EOP
}

if command -v drgn >/dev/null; then
	dir=$(mktemp -d)
	mkfifo "$dir/in" "$dir/said"
	BATON_TIER=kmod "$top/build/selftests/tools/known" states \
		<"$dir/in" >"$dir/said" &
	exec 8>"$dir/in" 9<"$dir/said"
	read -r _ <&9
	drgn -q -s "$(ko)" "$top/tools/gdb/baton-drgn.py" >"$dir/drgn" 2>&1
	"$top/build/baton-top" --json -n 1 $! >"$dir/top"
	if drgn_fits "$dir/drgn" "$dir/top" 2>"$dir/why"; then
		ok drgn
	else
		not_ok drgn
		sed 's/^/# /' "$dir/drgn" "$dir/top" "$dir/why"
	fi
	exec 8>&- 9<&-
	wait
	rm -r "$dir"
else
	skip drgn "there is none"
fi
plan
