# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""pprof.py FILE - what a file in pprof's format says, a line for each sample:
the frames from the outermost on, and the values. Fails if anything in it is not
as profile.proto has it."""

import gzip
import sys


def fields(data):
    """The fields of a message: (number, value), value an int or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            assert at + value <= len(data), "a field is cut off"
            at += value
            value = data[at - value:at]
        else:
            assert tag & 7 == 0, "wire type %d" % (tag & 7)
        yield tag >> 3, value


def several(message, number):
    return [value for field, value in fields(message) if field == number]


def only(message, number):
    value, = several(message, number)
    return value


with gzip.open(sys.argv[1]) as f:       # checks length and CRC
    profile = f.read()
strings = [s.decode() for s in several(profile, 6)]
assert strings[0] == ""
functions = {only(f, 1): strings[only(f, 2)] for f in several(profile, 5)}
locations = {only(l, 1): functions[only(only(l, 4), 1)]
             for l in several(profile, 4)}
assert 0 not in functions and 0 not in locations
types = [strings[only(t, 1)] + "/" + strings[only(t, 2)]
         for t in several(profile, 1)]
assert only(profile, 9) > 10 ** 18 and only(profile, 10) > 0
assert strings[only(profile, 14)] == "blocked"
print("types", *types)
for sample in several(profile, 2):
    stack = [locations[i] for i in several(sample, 1)]
    values = several(sample, 2)
    assert len(values) == len(types)
    print(";".join(reversed(stack)), *values)
