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
