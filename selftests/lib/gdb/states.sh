# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# states.sh - the fibers of states.c, for scripts that have a debugger look at
# them: what it said is in $tmp/out

tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT
# shellcheck source=selftests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tap.sh"

report()
{
	if [ "$2" = ok ]; then
		ok "$1"
	else
		not_ok "$1"
		echo "# $2"
		sed 's/^/# /' "$tmp/out"
	fi
}

# Starts $1, until its fibers are as they are to be
start()
{
	mkfifo "$tmp/says" || exit 1
	(cd "$tmp" && exec "$@" >says 2>/dev/null) &
	pid=$!
	read -r -t 60 _ <"$tmp/says"
	rm "$tmp/says"
}

stop()
{
	kill "-$1" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
}

# One line of the list of fibers: of the fiber called $1, without its number and age
line()
{
	sed -nE "/^[* ] [0-9]+ .* $1( |\$)/{
		s/^[* ] [0-9]+ +//; s/ +[0-9]+\.[0-9] s / /; s/ +/ /g; p; q; }" \
		"$tmp/out"
}

# Are the fibers in their states? With names of functions and lines, if $1 is so
states()
{
	local hex='0x[0-9a-f]+' name state where text

	while IFS='|' read -r name state where; do
		text=$(line "$name")
		[ "$1" = named ] || where='.*'
		if ! grep -qxE "$state $name ?$where" <<<"$text"; then
			echo "not so: $name: $text"
			return
		fi
	done <<-EOT
	\(first\)|joins fiber [0-9]+ "parks"|baton_join(_until)? in first at .*states.c:[0-9]+
	parks|parked|baton_park(_until)? in park at .*states.c:[0-9]+
	holds|waits|baton_sleep(_until)? in hold at .*states.c:[0-9]+
	locks|waits for $hex, held by fiber [0-9]+ "holds"|[a-z_]+ in wait_mutex at .*states.c:[0-9]+
	receives|waits for $hex|[a-z_]+ in receive at .*states.c:[0-9]+
	reads|waits for descriptor [0-9]+|baton_read in read_pipe at .*states.c:[0-9]+
	counts|waits for $hex|[a-z_]+ in wait_sem at .*states.c:[0-9]+
	calls|foreign call, thread [0-9]+|.*
	calls-back|parked, in a callback|baton_park(_until)? in park_back at .*states.c:[0-9]+
	has-ended|ended|
	runs|runs, thread [0-9]+|.*spin.*
	is-ready|ready|baton_yield in yield at .*states.c:[0-9]+
	is-new|new|end
	EOT
	echo ok
}
