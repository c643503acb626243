#compdef baton-sum baton-bench baton-top baton-trace
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# zsh completion of the tools.

local tier='(auto poll idle kmod)'

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
baton-top)
	_arguments -s -S \
		'(-b --batch)'{-b,--batch}'[plain lines]' \
		'(-d --delay)'{-d+,--delay=}'[between two looks]:seconds' \
		'(-f --fibers)'{-f,--fibers}'[list each fiber]' \
		'(-n --count)'{-n+,--count=}'[looks]:number' \
		'--json[an object for each look]' \
		'--help[a summary of the options]' \
		'--version[the version]' \
		'1:process:_pids' ;;
baton-trace)
	_arguments -s -S \
		'(-d --duration)'{-d+,--duration=}'[how long]:seconds' \
		'(-o --output)'{-o+,--output=}'[where to]:file:_files' \
		'--help[a summary of the options]' \
		'--version[the version]' \
		'1:process:_pids' ;;
esac
