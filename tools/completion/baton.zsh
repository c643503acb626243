#compdef baton-sum baton-bench
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# zsh completion of baton-sum and baton-bench.

local tier='(auto poll kmod)'

case $service in
baton-sum)
	_arguments -s -S \
		'(-b --binary -t --text)'{-b,--binary}'[mark names with *]' \
		'(-c --check)'{-c,--check}'[read checksums and check them]' \
		'(-j --procs)'{-j+,--procs=}'[processors]:number' \
		'(-q --quiet)'{-q,--quiet}'[no bar, no summary, no OK lines]' \
		'(-b --binary -t --text)'{-t,--text}'[mark names with a space]' \
		'(-w --warn)'{-w,--warn}'[tell each malformed line]' \
		'(-z --zero)'{-z,--zero}'[end lines with NUL]' \
		'--ignore-missing[no word of files that are not there]' \
		'--in-flight=[most files at once]:number' \
		'--io=[how to wait for files]:way:(auto uring call)' \
		'--json[the summary as JSON]' \
		'--status[print nothing]' \
		'--strict[fail for malformed lines]' \
		'--summary[print a summary]' \
		'--tag[in the style of BSD]' \
		"--tier=[how blocking is found out]:tier:$tier" \
		'--unannounced[call open and read in fiber code]' \
		'--help[a summary of the options]' \
		'--version[the version]' \
		'*:file:_files' ;;
baton-bench)
	_arguments -S \
		"--tier=[how blocking is found out]:tier:$tier" \
		'--nprocs=[processors]:number' \
		'--case=[only that case]:case:($(baton-bench --list 2>/dev/null | cut -d" " -f2-))' \
		'--trials=[trials of each case]:number' \
		'--block=[how long calls block]:milliseconds' \
		'--time=[how long a turn lasts]:milliseconds' \
		'--dir=[folder on a slow disk]:folder:_files -/' \
		'--plot=[draw a chart]:file:_files' \
		'--json[one object for each result]' \
		'--list[scenarios and cases]' \
		'--help[a summary of the options]' \
		'--version[the version]' \
		'*:scenario:($(baton-bench --list 2>/dev/null | cut -d" " -f1 | sort -u))' ;;
esac
