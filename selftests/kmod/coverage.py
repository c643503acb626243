#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""coverage.py - which lines and branches of the module were reached

usage: selftests/kmod/coverage.py BUILD_DIR UNREACHED

BUILD_DIR is where the module was built with GCOV_PROFILE=y; the .gcda files lie
beside its objects. UNREACHED is a table: a regular expression for a line of the
source, a tab, and why that line, or a branch in it, is not reached. All lines
but those must be, and nine of ten branches in the others.
"""
import glob
import json
import re
import subprocess
import sys

BRANCHES = 90


def read_table(path):
    """The pairs of the table."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file
                if line.strip() and not line.startswith("#")]
    return [(re.compile(row[0]), row[1]) for row in rows]


def count(build):
    """Of each file of ours: line -> times, (line, number) -> times."""
    lines, branches = {}, {}
    for gcda in sorted(glob.glob(build + "/kmod/*.gcda")):
        text = subprocess.run(
            ["gcov-12", "--json-format", "--stdout", "-b", gcda],
            check=True, stdout=subprocess.PIPE).stdout
        for file in json.loads(text)["files"]:
            name = file["file"].partition("/kmod/")[2] or \
                re.sub("^kmod/", "", file["file"])
            if name == file["file"] or "compat" in name:
                continue
            for line in file["lines"]:
                where = name, line["line_number"]
                lines[where] = lines.get(where, 0) + line["count"]
                for i, branch in enumerate(line["branches"]):
                    key = where + (i,)
                    branches[key] = branches.get(key, 0) + branch["count"]
    return lines, branches


def source(build, name, cache={}):
    """The lines of a file."""
    if name not in cache:
        with open(f"{build}/kmod/{name}", encoding="utf-8") as file:
            cache[name] = file.read().split("\n")
    return cache[name]


def main():
    """Counts, lists, judges."""
    build, table = sys.argv[1], read_table(sys.argv[2])
    lines, branches = count(build)

    def text(where):
        return source(build, where[0])[where[1] - 1].strip()

    def reason(where):
        return next((why for expr, why in table if expr.search(text(where))),
                    None)

    missed = sorted(where for where, times in lines.items() if not times)
    for where in missed:
        print(f"line {where[0]}:{where[1]}: {text(where)}"
              f" # {reason(where) or 'NOT ARGUED'}")
    bad = [where for where in missed if not reason(where)]
    reached = sum(1 for times in lines.values() if times)
    print(f"{reached} of {len(lines)} lines, {len(bad)} not argued")

    counted = {key: times for key, times in branches.items()
               if not reason(key)}
    for key in sorted(counted):
        if not counted[key]:
            print(f"branch {key[0]}:{key[1]}.{key[2]}: {text(key)}")
    taken = sum(1 for times in counted.values() if times)
    part = 100 * taken / max(len(counted), 1)
    print(f"{taken} of {len(counted)} branches, {part:.1f} %;"
          f" of all, {sum(1 for t in branches.values() if t)}"
          f" of {len(branches)}")
    return 1 if bad or part < BRANCHES or not lines else 0


sys.exit(main())
