#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# t_abi.sh - libbaton.so exports what libbaton.map lists, no more and no less,
# the public headers declare each of these, and each has a man page; and
# libbaton.a has no other global names than those that begin with baton_, nor
# calls functions of the C library that threads must not share; and whom a
# set-user-ID program obeys

set -u
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
lib=${BATON_SO:-$top/build/libbaton.so}
archive=${lib%.so}.a
man=$top/lib/man
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/../tap.sh"

has_page()
{
	local page=$man/$1.3

	[ -e "$page" ] || return 1
	# Another one's page, which must be there
	if [[ $(head -n 1 "$page") =~ ^\.so\ (man3/)?([^ ]+)$ ]]; then
		page=$man/${BASH_REMATCH[2]}
	fi
	grep -q "$1" "$page" 2>/dev/null
}

without_page()
{
	for name in $listed; do
		has_page "$name" || echo "$name"
	done
}

undeclared()
{
	for name in $listed; do
		grep -qE "[ *]$name\(" "$top"/lib/include/baton/*.h ||
			echo "$name"
	done
}

listed=$(sed -n 's/^\t\t\(baton_[a-z0-9_]*\);$/\1/p' \
	 "$top/lib/libbaton.map" | sort)
exported=$(nm -D --defined-only "$lib" |
	   awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
untyped=$(nm -D --defined-only "$lib" |
	  awk '$2 != "A" && $3 !~ /@@BATON_/ { print $3 }')

# A program that links the static library has all its names but ours to itself;
# what the compiler puts there is shared by all who use it
unprefixed=$(nm -g --defined-only "$archive" |
	     awk 'NF == 3 && $3 !~ /^((__)?baton_|DW\.ref\.|__x86\.|__asan_|__odr_|_\.stapsdt\.base$)/ {
		  print $3 }' | sort -u)

# Functions whose state the program, or another thread, has in use; and getenv(),
# by which the caller of a set-user-ID program would have a say
shared='asctime|crypt|ctime|drand48|getenv|getgrgid|getgrnam|gethostbyname|getlogin|getpwnam|getpwuid|gmtime|inet_ntoa|localeconv|localtime|putenv|rand|random|setenv|setlocale|strsignal|strtok|tmpnam|ttyname'
unsafe=$(nm -u "$archive" | awk '$1 == "U" { print $2 }' | sort -u |
	 grep -xE "$shared")

# The only copies of the file VERSION are what the preprocessor reads, and the
# name of the newest symbols
other_versions()
{
	local header=$top/lib/include/baton/version.h version

	version=$(sed -n 's/^#define BATON_VERSION_[A-Z]*\t\([0-9]*\)$/\1/p' \
		  "$header" | paste -sd.)
	[ "$version" = "$(cat "$top/VERSION")" ] || echo "version.h: $version"
	sed -n 's/^BATON_\([0-9.]*\) {$/\1/p' "$top/lib/libbaton.map" |
		grep -qxF "${version%.*}" || echo "libbaton.map: not ${version%.*}"
}

# What its caller wants is nothing to a program that runs as somebody else; that
# the program starts at all, in spite of a tier that there is not, says so. Its
# caller's own copy does not.
set_user_id()
{
	local dir bench=$top/build/baton-bench status=1
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups --
		  env BATON_TIER=none)

	dir=$(mktemp -d) && chmod 755 "$dir" &&
		cp "$bench" "$dir/set" && cp "$bench" "$dir/plain" &&
		chmod 4755 "$dir/set" && chmod 755 "$dir/plain" &&
		"${as[@]}" "$dir/set" --time 1 --case pair yield >/dev/null &&
		! "${as[@]}" "$dir/plain" --time 1 --case pair yield \
			>/dev/null 2>"$dir/said" &&
		grep -q BATON_TIER "$dir/said" && status=0
	rm -rf "$dir"
	return $status
}

# Where such a bit means nothing, or to whom it is not to give, there is no test
can_set_user_id()
{
	local dir status=1

	[ "$(id -u)" = 0 ] && dir=$(mktemp -d) && chmod 755 "$dir" || return 1
	cp "$(command -v id)" "$dir/id" && chmod 4755 "$dir/id" &&
		[ "$(setpriv --reuid 65534 --regid 65534 --clear-groups -- \
			"$dir/id" -u)" = 0 ] && status=0
	rm -rf "$dir"
	return $status
}

echo "1..11"
none "the map lists symbols" "$([ -n "$listed" ] || echo nothing)"
none "all that is listed is exported" \
	"$(comm -23 <(echo "$listed") <(echo "$exported"))"
none "all that is exported is listed" \
	"$(comm -13 <(echo "$listed") <(echo "$exported"))"
none "each has a version" "$untyped"
none "no name in the archive is without the prefix" "$unprefixed"
# Of a program that has a copy of its own, and shows its symbols
none "its own functions are never another copy's" \
	"$(readelf -rW "$lib" | grep -o ' baton_[a-z0-9_]*@@.*')"
none "it needs no function that keeps state for all, nor getenv()" "$unsafe"
none "each is declared in a public header" "$(undeclared)"
none "each has a man page" "$(without_page)"
none "one version everywhere" "$(other_versions)"
if can_set_user_id 2>/dev/null; then
	try "a set-user-ID program does not obey its caller" set_user_id
else
	skip "a set-user-ID program does not obey its caller" "it cannot be made"
fi
exit $bad
