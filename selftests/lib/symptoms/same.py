# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Does a program say what a page says that it does?

usage: same.py PAGE FILE COMMAND...

The page has an example that begins with the last command's line, "$ COMMAND"
or "(gdb) COMMAND", after those of the others, and ends where the next one
begins. What is in the file, of a run just now, must be the same but for what
differs from one run to the next: addresses, numbers of threads and fibers,
times, which of the library's own functions a fiber is suspended in, and the
order of fibers. Where the page leaves lines out, " ...", there may be others.
"""

import re
import sys

# What stands for itself, and what for anything like it
ALIKE = [(re.compile(what), how) for what, how in (
    # What lies beyond a fiber's first frame
    (r"^==\d+== +by 0x\w+: \?\?\?$", ""),
    (r"\+?0x[0-9a-fA-F]+", "@"),
    (r"\b\d+\.\d+ s\b", "TIME"),
    (r"\bfiber \d+", "fiber N"),
    (r"^\*? *\d+ +(?=(joins|waits|foreign call)\b)", "N "),
    (r"\b(thread|worker|Process) \d+", r"\1 N"),
    (r"\b\d+ (threads|processors|workers)\b", r"N \1"),
    (r"==\d+==", "==N=="),
    (r"\[pid +\d+\]", "[pid N]"),
    (r"^ *\d+ (baton\S+) +\S+ +\d+\.\d$", r"N \1 N N"),
    (r"^ *\d+ (\S+) +(\S+) +\d+\.\d$", r"N \1 \2 N"),
    (r"^Segmentation fault.*", "Segmentation fault"),
    # Of the library and others the line, too
    (r"\b((fiber|asan_interceptors)\.\w+|switch\.S|strdup\.c):\d+", r"\1"),
    (r"(?<![\w.])[\w./+-]*/(?=[\w+-]+\.\w)", ""),
    (r"\b\w+ in (?=\w+ at )", "in "),
    (r"^ *(baton_(?!asm_)|lock_slow|wait_)\w*@$", ""),
    (r" +", " "),
)]


def example(page, commands):
    """The lines of the page's example."""
    lines, on, commands = [], False, list(commands)
    for line in open(page):
        line = line.rstrip("\n").replace("\\-", "-").replace("\\&", "")
        if line == ".fi" or line.startswith(("$ ", "(gdb) ")):
            if on:
                return lines
            if line in ("$ " + commands[0], "(gdb) " + commands[0]):
                on = len(commands) == 1
                del commands[:not on]
        elif on:
            lines.append(line)
    sys.exit("%s has no example of: %s" % (page, commands[0]))


# A line that belongs to the one before
FRAME = re.compile(r"\w+@$|#\d+ |==N== (at|by) |in a foreign call")


def plain(lines):
    """What stands there, with a backtrace as one."""
    found = []
    for line in lines:
        for what, how in ALIKE:
            line = what.sub(how, line)
        line = line.strip()
        if FRAME.match(line) and found:
            found[-1] += "\n" + line
        elif line:
            found.append(line)
    return found


def find(text, have, cut):
    """The one that is so, or begins so where the page is @cut."""
    for h in have:
        if h == text or cut and h.startswith(text + "\n"):
            return h
    sys.exit("\n".join(["not said:", text, "but:"] + have))


def main(page, file, *commands):
    want = plain(example(page, commands))
    have = plain(line.rstrip("\n") for line in open(file, errors="replace"))
    if not want:
        sys.exit("the example says nothing")
    for text, after in zip(want, want[1:] + [""]):
        if text != "...":
            have.remove(find(text, have, after == "..."))
    if have and "..." not in want:
        sys.exit("\n".join(["not in the page:"] + have))


main(*sys.argv[1:])
