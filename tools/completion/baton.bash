# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# bash completion of the tools. Options are what --help lists.

_baton()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local words=

	# bash takes --tier=poll apart
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	COMPREPLY=()
	case $1,$prev in
	*,--tier)		words='auto poll idle kmod' ;;
	*,--io)			words='auto uring call' ;;
	*,--dir)		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
				return ;;
	*,--case)		words=$("$1" --list 2>/dev/null |
					cut -d' ' -f2- | grep -v ' ') ;;
	*,--procs|*,-j|*,--in-flight|*,--nprocs|*,--trials|*,--block|*,--time|\
	*,--delay|*,--count|*,--duration|*baton-top,-[dn]|*baton-trace,-d)
				return ;;
	*baton-bench,--plot|*baton-trace,--output|*baton-trace,-o)
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return ;;
	*)	if [[ $cur == -* ]]; then
			words=$("$1" --help 2>/dev/null |
				grep -oE -- '(^|[ ,])--?[a-z-]*[a-z]' |
				grep -oE -- '-.*')
		elif [[ $1 == *baton-bench ]]; then
			words=$("$1" --list 2>/dev/null | cut -d' ' -f1)
		elif [[ $1 == *baton-top || $1 == *baton-trace ]]; then
			words=$(ps -eo pid= 2>/dev/null)
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur" | sort -u)
}
complete -o filenames -F _baton baton-sum baton-bench baton-top baton-trace
