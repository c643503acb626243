# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# tap.sh - small tests of whole programs, for scripts that read this: TAP on
# standard output

num=0 bad=0
ok()
{
	num=$((num + 1))
	echo "ok $num - $1"
}

not_ok()
{
	num=$((num + 1)) bad=1
	echo "not ok $num - $1"
}

skip()
{
	ok "$1 # SKIP $2"
}

# status STATUS WHAT: of what has just run
status()
{
	if [ "$1" = 0 ]; then ok "$2"; else not_ok "$2"; fi
}

# none WHAT LIST: the list names what is wrong
none()
{
	if [ -z "$2" ]; then ok "$1"; return; fi
	not_ok "$1"
	# shellcheck disable=SC2001 # each line
	sed 's/^/# /' <<<"$2"
}

# try WHAT COMMAND...
try()
{
	local what=$1
	shift

	if "$@"; then ok "$what"; else not_ok "$what"; fi
}

plan()
{
	echo "1..$num"
	return $bad
}
