# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# fish completion of the tools.

for tool in baton-sum baton-bench
    complete -c $tool -l tier -x -a 'auto poll idle kmod' -d 'How blocking is found out'
end
for tool in baton-sum baton-bench baton-top
    complete -c $tool -l json -d 'As JSON'
end
for tool in baton-sum baton-bench baton-top baton-trace
    complete -c $tool -l help -d 'A summary of the options'
    complete -c $tool -l version -d 'The version'
end

complete -c baton-sum -s b -l binary -d 'Mark names with *'
complete -c baton-sum -s c -l check -d 'Read checksums and check them'
complete -c baton-sum -s j -l procs -x -d 'Processors'
complete -c baton-sum -s q -l quiet -d 'No bar, no summary, no OK lines'
complete -c baton-sum -s t -l text -d 'Mark names with a space'
complete -c baton-sum -s w -l warn -d 'Tell each malformed line'
complete -c baton-sum -s z -l zero -d 'End lines with NUL'
complete -c baton-sum -l ignore-missing -d 'No word of files that are not there'
complete -c baton-sum -l in-flight -x -d 'Most files at once'
complete -c baton-sum -l io -x -a 'auto uring call' -d 'How to wait for files'
complete -c baton-sum -l status -d 'Print nothing'
complete -c baton-sum -l strict -d 'Fail for malformed lines'
complete -c baton-sum -l summary -d 'Print a summary'
complete -c baton-sum -l tag -d 'In the style of BSD'
complete -c baton-sum -l unannounced -d 'Call open and read in fiber code'

complete -c baton-bench -f -a '(baton-bench --list | cut -d" " -f1 | sort -u)'
complete -c baton-bench -l nprocs -x -d 'Processors'
complete -c baton-bench -l case -x -a '(baton-bench --list | cut -d" " -f2-)' -d 'Only that case'
complete -c baton-bench -l trials -x -d 'Trials of each case'
complete -c baton-bench -l block -x -d 'Milliseconds that calls block'
complete -c baton-bench -l time -x -d 'Milliseconds that a turn lasts'
complete -c baton-bench -l dir -r -d 'Folder on a slow disk'
complete -c baton-bench -l plot -r -d 'Draw a chart'
complete -c baton-bench -l list -d 'Scenarios and cases'

complete -c baton-top -f -a '(__fish_complete_pids)'
complete -c baton-top -s b -l batch -d 'Plain lines'
complete -c baton-top -s d -l delay -x -d 'Seconds between two looks'
complete -c baton-top -s f -l fibers -d 'List each fiber'
complete -c baton-top -s n -l count -x -d 'Looks'

complete -c baton-trace -f -a '(__fish_complete_pids)'
complete -c baton-trace -s d -l duration -x -d 'Seconds'
complete -c baton-trace -s o -l output -r -F -d 'File for the timeline'
