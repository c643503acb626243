#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_pprof.sh - what t_profile has been told is what its file says, by a decoder
# of ours, and by go tool pprof, if that is there

set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../../build/selftests/lib/t_profile
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=selftests/tap.sh
. "$here/../tap.sh"

report()
{
	if [ "$1" = "$2" ]; then ok "$3"; else not_ok "$3: '$1', not '$2'"; fi
}

# The sum of column $1 of lines that begin with $2
sum()
{
	awk -v column="$1" -v name="$2" \
		'index($0, name) == 1 { n += $(NF - 5 + column) } END { printf "%d", n }' \
		"$dir/decoded"
}

CK_FORK=no CK_RUN_CASE=truth BATON_PROFILE=$dir/p "$program" >"$dir/said" 2>&1 ||
	sed 's/^/# /' "$dir/said"
truth=$(sed -n 's/^# delay //p' "$dir/said")
python3 "$here/pprof.py" "$dir/p" >"$dir/decoded" 2>&1
report "$(head -n 1 "$dir/decoded")" "types blocks/count blocked/nanoseconds \
no_cpu/nanoseconds no_processor/nanoseconds contentions/count delay/nanoseconds" \
	"it is decoded"
report "$(sum 0 delay) $(sum 1 delay)" "$truth" "blocks, and their time"
report "$(sed -n 's/^delay.* //p' "$dir/p.folded" |
	awk '{ n += $1 } END { printf "%d", n }')" "${truth#* }" "folded stacks"
# Without the module nobody knows which system call it is
if [ "${BATON_TIER:-}" = kmod ]; then
	report "$(grep -o '^delay;.*system call .* ' "$dir/p.folded" |
		sed 's/.*;system call \(.*\) /\1/' | sort -u)" \
		clock_nanosleep "a system call has its name"
else
	echo "# SKIP a system call has its name: not in the tier kmod"
fi
if command -v go >/dev/null && go tool pprof -h >/dev/null 2>&1; then
	report "$(go tool pprof -raw -sample_index=blocks "$dir/p" 2>/dev/null |
		awk '/^Samples:/ { on = 1 } /^Locations/ { on = 0 }
		     on && $1 ~ /^[0-9]+$/ { n += $1 } END { printf "%d", n }')" \
		"$(awk 'NR > 1 { n += $(NF - 5) } END { printf "%d", n }' \
		   "$dir/decoded")" "go tool pprof"
else
	echo "# SKIP go tool pprof: no go"
fi
plan
