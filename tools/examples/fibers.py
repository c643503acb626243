#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
fibers.py - functions of Python in fibers, by ctypes alone.

	fibers.py [N]		with libbaton.so, or the one that BATON_LIBRARY names

N clients wait for a line from a server, all at once, on one processor: each of
them blocks in recv(), and the next one goes on.

Python is foreign code. A thread has one stack of Python's frames: if a function
of Python were fiber code, and yielded, the next fiber on that thread would put
its frames on top, and the first one would take them off. So a fiber here is a
foreign call of a function of Python, from its begin to its end: it has its thread
to itself, which is the library's, and whose processor others run on when it
blocks, or waits for the interpreter's lock. ctypes takes that lock for the
function, and gives it back around each call of the library.

baton_call_args() is what such a fiber runs: it takes one pointer, as the function
of a fiber does, and makes the foreign call that lies there.
"""
import ctypes
import os
import socket
import sys

lib = ctypes.CDLL(os.environ.get("BATON_LIBRARY", "libbaton.so.0"))
FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
lib.baton_reason.restype = ctypes.c_char_p
lib.baton_sleep.argtypes = [ctypes.c_int64]


class Args(ctypes.Structure):
    """struct baton_args"""
    _fields_ = [("fn", FUNCTION), ("arg", ctypes.c_void_p * 6),
                ("ret", ctypes.c_void_p)]


def check(err):
    if err < 0:
        raise OSError(-err, os.strerror(-err) + ": " +
                      lib.baton_reason().decode())
    return err


class Fiber:
    """A fiber that calls fn(*args); to be joined."""
    alive = set()       # what the library has the address of

    def __init__(self, fn, *args):
        self.fn, self.args = fn, args
        self.result = self.error = None
        self.call = Args(fn=FUNCTION(self.run))
        # struct baton_group, which is ready when it is all zeros
        self.group = ctypes.create_string_buffer(256)

    def start(self):
        # errno of the call is what a function of a group returns
        check(lib.baton_group_spawn(self.group, None, lib.baton_call_args,
                                    ctypes.byref(self.call)))
        Fiber.alive.add(self)
        return self

    def run(self, _):
        try:
            self.result = self.fn(*self.args)
        except BaseException as e:
            self.error = e

    def join(self):
        # From foreign code the thread waits, and its processor goes on. It is
        # the end of the fiber: the function alone might still be returning.
        lib.baton_group_wait(self.group)
        Fiber.alive.discard(self)
        if self.error:
            raise self.error
        return self.result


def spawn(fn, *args):
    return Fiber(fn, *args).start()


def run(fn, *args, nprocs=0):
    """Start the scheduler, with fn(*args) in its first fiber."""
    first = Fiber(fn, *args)
    config = ctypes.c_void_p()
    check(lib.baton_config_create(ctypes.byref(config)))
    try:
        check(lib.baton_config_set_nprocs(config, nprocs))
        check(lib.baton_run(config, lib.baton_call_args,
                            ctypes.byref(first.call), None))
    finally:
        lib.baton_config_destroy(config)
    return first.join()


def sleep(seconds):
    check(lib.baton_sleep(int(seconds * 1e9)))


def client(port):
    with socket.create_connection(("127.0.0.1", port)) as s:
        return int(s.makefile().readline())


def fails():
    sleep(0.001)
    raise ValueError("as it should")


def main(n):
    with socket.create_server(("127.0.0.1", 0), backlog=n) as server:
        port = server.getsockname()[1]
        clients = [spawn(client, port) for _ in range(n)]
        # None is answered before all of them wait
        peers = [server.accept()[0] for _ in range(n)]
    for i, peer in enumerate(peers):
        peer.sendall(b"%d\n" % i)
        peer.close()
    try:
        spawn(fails).join()
    except ValueError as e:
        print("an exception:", e)
    return sum(c.join() for c in clients)


if __name__ == "__main__":
    print(run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 20, nprocs=1))
