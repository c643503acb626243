# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Fibers in gdb: baton-debug(7) says how to use this.

    info fibers             all fibers: what each does, for how long, and where
    fiber N                 backtrace, up, down, info locals are those of fiber N
    fiber apply all bt      a command for each
    fiber off               back to the thread

on a running program and on a core dump alike. Of the library nothing is needed
but a table, which is there in a stripped program, too (lib/core/layout.h).

A fiber that no thread runs has its registers on its stack. They are not written
to the thread's, which a core does not allow: an unwinder says instead that the
innermost frame of the selected thread was called by the fiber. So frames are
numbered from 1, and a frame filter hides frame 0. That the fiber's registers lie
at its stack pointer, and where, gdb knows by the unwind tables of
baton_asm_switch, on each architecture.
"""

import re
import struct
import time

import gdb
from gdb.FrameDecorator import FrameDecorator
from gdb.unwinder import Unwinder

# What the library's code is called, where it comes from, and which of it calls the
# program's; and the most that is read
# below a fiber's record at once, and frames looked at, to say where it is.
OUR_NAME = re.compile("baton_|fiber_main$|__morestack$")
OUR_FILE = re.compile("(^|/)(lib/(call|core|io|sync|tier)|asm/\\w+)/")
CALL_BACK = ("baton_once", "baton_once_until", "baton_try", "baton_callback",
             "baton_call", "baton_asm_call", "fiber_main")
BELOW = 1024
FRAMES = 24

FREE, DETACHED, DONE, HOW = 0, 1, 2, 12


class NoFibers(gdb.GdbError):
    pass


# --- memory -------------------------------------------------------------------

def read(addr, size):
    return bytes(gdb.selected_inferior().read_memory(addr, size))


class Layout:
    """The library's table, and how to read numbers of this target."""

    def __init__(self):
        big = "big endian" in gdb.execute("show endian", to_string=True)
        self.order = ">" if big else "<"
        self.word = gdb.lookup_type("void").pointer().sizeof
        self.u8 = struct.Struct("B")
        self.u16 = struct.Struct(self.order + "H")
        self.u32 = struct.Struct(self.order + "I")
        self.u64 = struct.Struct(self.order + "Q")
        self.ptr = self.u64 if self.word == 8 else self.u32
        self.pair = struct.Struct(self.order + ("QQ" if self.word == 8
                                                else "II"))
        self.at = {}
        for start, end in self.sections():
            if self.parse(read(start, end - start)):
                return
        raise NoFibers("no libbaton in this program, or one that is too old")

    @staticmethod
    def sections():
        text = gdb.execute("info files", to_string=True)
        for m in re.finditer(r"(0x\w+) - (0x\w+) is baton\.layout", text):
            yield int(m.group(1), 16), int(m.group(2), 16)

    def parse(self, table):
        if table[:8] != b"batonL1\0":
            return False
        self.running = self.ptr.unpack_from(table, 8)[0]
        self.suspended = self.ptr.unpack_from(table, 8 + self.word)[0]
        for pos in range(8 + 2 * self.word, len(table) - 23, 24):
            name = table[pos:pos + 20].split(b"\0")[0].decode()
            if not name:
                break
            self.at[name] = self.u32.unpack_from(table, pos + 20)[0]
        return self.running != 0

    def pointer(self, addr):
        return self.ptr.unpack(read(addr, self.word))[0]

    def number(self, addr):
        return self.u32.unpack(read(addr, 4))[0]

    def field(self, base, name):
        return self.pointer(base + self.at[name])

    def field32(self, base, name):
        return self.number(base + self.at[name])


# --- symbols ------------------------------------------------------------------

class Symbols:
    """Names of code, each looked up once."""

    def __init__(self, library):
        self.library = library
        self.names = {}
        self.lines = {}
        self.mine = {}
        self.places = {}

    def name(self, pc):
        if pc not in self.names:
            text = gdb.execute("info symbol 0x%x" % pc, to_string=True)
            found = not text.startswith("No symbol")
            self.names[pc] = text.split(" ")[0].strip() if found else ""
        return self.names[pc]

    def line(self, pc):
        if pc not in self.lines:
            sal = gdb.find_pc_line(pc)
            self.lines[pc] = ("%s:%d" % (sal.symtab.filename, sal.line)
                              if sal.symtab and sal.line else "")
        return self.lines[pc]

    def ours(self, pc):
        """Is it the library's code? Of an archive's as far as names tell."""
        if pc not in self.mine:
            if self.library:
                self.mine[pc] = gdb.solib_name(pc) == self.library
            else:
                self.mine[pc] = bool(OUR_NAME.match(self.name(pc)) or
                                     OUR_FILE.search(self.line(pc)))
        return self.mine[pc]

    def where(self, pcs):
        if pcs not in self.places:
            self.places[pcs] = self.place(pcs)
        return self.places[pcs]

    def place(self, pcs):
        """The first of these that is the program's, and what it has called."""
        at = 0
        while at < len(pcs) and \
                (self.ours(pcs[at]) or self.between(pcs, at)):
            at += 1
        if at == len(pcs):
            return self.name(pcs[0]) if pcs else ""
        text = self.name(pcs[at]) or "0x%x" % (pcs[at] + 1)
        if at:
            text = "%s in %s" % (self.name(pcs[at - 1]) or "?", text)
        line = self.line(pcs[at])
        return text + " at " + line if line else text

    def between(self, pcs, at):
        """A static function of the archive's, without a line."""
        return not self.library and at and at + 1 < len(pcs) and \
            not self.line(pcs[at]) and self.ours(pcs[at + 1]) and \
            self.name(pcs[at + 1]) not in CALL_BACK


# --- fibers -------------------------------------------------------------------

class Fiber:
    """One record, as it was read."""

    def __init__(self, rt, number, addr, data, below):
        at, lay = rt.lay.at, rt.lay
        self.rt, self.number, self.addr = rt, number, addr
        self.data, self.below, self.is_in = data, below, None
        self.joiner = self.word("f.joiner")
        self.sp = self.word("f.ctx.sp")
        self.on_stack = lay.u32.unpack_from(data, at["f.ctx.on_stack"])[0]

    def word(self, name):
        lay = self.rt.lay
        return lay.ptr.unpack_from(self.data, lay.at[name])[0]

    def u32(self, name):
        lay = self.rt.lay
        return lay.u32.unpack_from(self.data, lay.at[name])[0]

    @property
    def name(self):
        start = self.rt.lay.at["f.name"]
        raw = self.data[start:start + self.rt.lay.at["name"]]
        # A terminal would obey what it may have in it.
        return "".join(c if c.isprintable() else "?" for c in
                       raw.split(b"\0")[0].decode("utf-8", "replace"))

    @property
    def base(self):
        return self.word("f.base")

    def state(self):
        if not self.is_in:
            self.is_in = self.find_state()
        return self.is_in

    def find_state(self):
        """As fiber_state() in lib/core/fiber.h."""
        if self.joiner in (FREE, DONE):
            return "ended" if self.joiner == DONE else "free"
        if self.u32("f.permit") >= self.rt.lay.at["waited"]:
            return "parked"
        joined = self.word("f.waiter.joined")
        if joined and self.rt.joiner_of(joined) & ~HOW == self.addr:
            return "joins"
        if self.u32("f.waiter.blocked"):
            return "waits"
        if self.on_stack:
            return "runs"
        return "new" if self.word("f.ctx.entry") else "ready"

    def does(self):
        """The state, for people."""
        state = self.state()
        if state == "runs":
            state = self.rt.runs(self)
        elif state in ("parked", "joins", "waits"):
            state += self.what(state)
            if self.rt.depth(self.word("f.pin")):
                state += ", in a callback"
        return state

    def what(self, state):
        if state == "joins":
            return " " + self.rt.title(self.word("f.waiter.joined"))
        on = self.word("f.on")
        if state == "parked" or not on:
            return ""
        if on & 1:
            return " for descriptor %d" % (on >> 1)
        holder = self.rt.holder(on)
        return " for 0x%x%s" % (on, ", held by " + self.rt.title(holder)
                                if holder else "")

    def age(self):
        if self.state() not in ("parked", "joins", "waits"):
            return ""
        ticks = (self.rt.now - self.u32("f.waiter.since")) & 0xffffffff
        # What began after the clock was last looked at
        if ticks >= 1 << 31:
            ticks = 0
        return "%.1f s" % ((ticks << self.rt.lay.at["stamp"]) / 1e9)

    def thread(self):
        return self.rt.thread_of(self) if self.on_stack else None

    def chain(self):
        """Return addresses by the frame pointers, one less each."""
        lay, mask, pcs = self.rt.lay, self.rt.code_mask, []
        pair = 2 * lay.word
        back = pair if self.rt.riscv else 0
        start = self.addr - len(self.below)
        low, high = self.base, self.addr - pair
        at = self.sp + lay.at["frame"]
        while low <= at <= high and len(pcs) < FRAMES:
            if at >= start:
                frame, pc = lay.pair.unpack_from(self.below, at - start)
            else:
                frame, pc = lay.pair.unpack(read(at, pair))
            if not pc:
                break
            pcs.append((pc & mask) - 1)
            low, at = at + pair, frame - back
        return tuple(pcs)

    def where(self):
        state = self.state()
        if state == "new":
            fn = self.word("f.fn")
            return self.rt.symbols.name(fn) or "0x%x" % fn
        if state == "ended":
            return ""
        try:
            if not self.on_stack and "frame" in self.rt.lay.at:
                return self.rt.symbols.where(self.chain())
            with Selected(self):
                frame = gdb.newest_frame()
                if not self.on_stack:
                    frame = frame.older()
                pcs = []
                while frame and len(pcs) < FRAMES:
                    pcs.append(frame.pc() - bool(pcs or not self.on_stack))
                    frame = frame.older()
                return self.rt.symbols.where(tuple(pcs))
        except gdb.error as e:
            return "? (%s)" % e

    def title(self):
        name = self.name
        return "fiber %s%s" % (self.number, ' "%s"' % name if name else "")


class Runtime:
    """The scheduler that runs, and its fibers, as of one stop."""

    def __init__(self, lay):
        self.lay = lay
        self.symbols = Symbols(gdb.solib_name(lay.running))
        self.addr = lay.pointer(lay.running)
        if not self.addr:
            raise NoFibers("no scheduler runs")
        name = gdb.selected_inferior().architecture().name()
        self.riscv = name.startswith("riscv")
        # Without a signature
        self.code_mask = (1 << 48) - 1 if name == "aarch64" else -1
        self.fibers = {}
        self.numbers = {}
        self.now = self.clock()
        self.threads = {}
        for t in gdb.selected_inferior().threads():
            self.threads[t.ptid[1] or t.ptid[2]] = t

    def clock(self):
        """A live process's own; otherwise when it last looked at it."""
        lay = self.lay
        link = getattr(gdb.selected_inferior(), "connection", None)
        if link is not None and link.type == "native":
            ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            return ns >> lay.at["stamp"] & 0xffffffff
        procs = lay.field(self.addr, "rt.procs")
        stamps = [lay.number(procs + i * lay.at["proc"] + lay.at["proc.now"])
                  for i in range(lay.field32(self.addr, "rt.nprocs"))]
        return max(stamps, key=lambda s: (s - stamps[0] + (1 << 31))
                   & 0xffffffff)

    def slabs(self):
        """The oldest first, so that a fiber keeps its number."""
        lay, found = self.lay, []
        slab = lay.field(self.addr, "rt.stacks.slabs")
        while slab:
            found.append(slab)
            slab = lay.field(slab, "slab.next")
        return reversed(found)

    def record(self, number, addr, below=BELOW):
        data = read(addr - below, below + self.lay.at["fiber"])
        return Fiber(self, number, addr, data[below:], data[:below])

    def load(self):
        """All fibers but those that are free, in order."""
        if self.fibers:
            return self.fibers
        lay, number = self.lay, 0
        for slab in self.slabs():
            n = lay.field32(slab, "slab.n")
            nbare = lay.field32(slab, "slab.nbare")
            bare = read(slab + lay.at["slab.bare"], 2 * nbare)
            bare = {lay.u16.unpack_from(bare, 2 * i)[0] for i in range(nbare)}
            step = lay.field(slab, "slab.step")
            stacks = lay.field(slab, "slab.stacks")
            for i in range(n):
                number += 1
                if i in bare:
                    continue
                top = stacks + (i + 1) * step - i % 16 * 128
                f = self.record(number, top - lay.at["fiber"] & ~63)
                if f.joiner != FREE:
                    self.add(f)
        for w in self.workers():
            if lay.u8.unpack(read(w + lay.at["w.adopted"], 1))[0] and \
               self.depth(w):
                self.add(self.record("t%d" % lay.field32(w, "w.tid"),
                                     lay.field(w, "w.fiber"), 0))
        return self.fibers

    def add(self, f):
        self.fibers[str(f.number)] = f
        self.numbers[f.addr] = f

    def workers(self):
        lay = self.lay
        table = lay.field(self.addr, "rt.workers")
        n = lay.field32(self.addr, "rt.max_workers")
        entries = read(table, n * lay.word)
        for i in range(n):
            w = lay.ptr.unpack_from(entries, i * lay.word)[0]
            if w:
                yield w

    def depth(self, worker):
        return self.lay.field32(worker, "w.depth") if worker else 0

    def joiner_of(self, addr):
        f = self.numbers.get(addr)
        return f.joiner if f else self.lay.field(addr, "f.joiner")

    def title(self, addr):
        self.load()
        f = self.numbers.get(addr)
        return f.title() if f else "fiber at 0x%x" % addr

    def holder(self, obj):
        """Whose the object is: what has an owner has it in these words."""
        self.load()
        for i in range(2):
            try:
                word = self.lay.pointer(obj + i * self.lay.word) & ~3
            except gdb.error:
                return None
            if word in self.numbers:
                return word
        return None

    def thread_of(self, f):
        worker = f.word("f.worker")
        if not worker or self.lay.field(worker, "w.fiber") != f.addr:
            return None
        return self.threads.get(self.lay.field32(worker, "w.tid"))

    def runs(self, f):
        thread = self.thread_of(f)
        if not thread:
            return "runs"
        with Thread(thread):
            sp = int(gdb.newest_frame().read_register("sp"))
        if not f.base <= sp & self.mask() < f.addr:
            text = "foreign call"
        else:
            text = "runs"
        if self.depth(f.word("f.worker")):
            text += ", in a callback"
        return text + ", thread %d" % thread.num

    def mask(self):
        return (1 << 8 * self.lay.word) - 1

    def find(self, text):
        """By number, address or name."""
        fibers = self.load()
        if text in fibers:
            return fibers[text]
        named = [f for f in fibers.values() if f.name == text]
        if len(named) == 1:
            return named[0]
        if named:
            raise gdb.GdbError("%d fibers have that name" % len(named))
        try:
            addr = int(gdb.parse_and_eval(text)) & self.mask()
        except gdb.error:
            addr = None
        if addr in self.numbers:
            return self.numbers[addr]
        raise gdb.GdbError("there is no fiber %s" % text)


class Current:
    """What is known between two stops, and which fiber is selected."""

    rt = None
    fiber = None        # suspended, shown by the unwinder
    at = None           # sp and pc of the thread that it is shown by


def forget(*_):
    Current.rt = Current.fiber = Current.at = None


def runtime():
    if not Current.rt:
        if not gdb.selected_inferior().pid and not gdb.selected_thread():
            raise NoFibers("nothing runs")
        Current.rt = Runtime(Layout())
    return Current.rt


for event in ("cont", "exited", "new_objfile", "memory_changed",
              "inferior_call"):
    getattr(gdb.events, event).connect(forget)


# --- the frames of one -----------------------------------------------------------

class Id:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


REGISTERS = (("rsp", "rip"), ("esp", "eip"), ("r1", "pc"), ("r15", "pswa"),
             ("sp", "pc"))


def registers(arch):
    """Of the stack pointer, and of the next instruction, by gdb's names."""
    name = arch.name()
    return REGISTERS[0 if name.startswith("i386:x86-64") else
                     1 if name.startswith("i386") else
                     2 if name.startswith("powerpc") else
                     3 if name.startswith("s390") else 4]


def innermost(frame):
    return (int(frame.read_register("sp")), int(frame.read_register("pc")))


class FiberUnwinder(Unwinder):
    def __init__(self):
        super().__init__("baton fiber")

    def __call__(self, pending):
        f = Current.fiber
        if not f or innermost(pending) != Current.at:
            return None
        sp, pc = registers(pending.architecture())
        resume = f.rt.lay.pointer(f.rt.lay.suspended)
        # Below all frames of the fiber, or gdb takes the stack for corrupt
        info = pending.create_unwind_info(
            Id(gdb.Value(f.sp - 16), pending.read_register("pc")))
        values = {sp: f.sp, pc: resume}
        if pc == "pswa":
            values["pc"] = resume
        for name, value in values.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info


class Hide:
    """Not the frame that the fiber's hang on."""

    name, enabled, priority = "baton fiber", True, 100

    def __init__(self):
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        for f in frames:
            if Current.fiber and f.inferior_frame().level() == 0 and \
               innermost(f.inferior_frame()) == Current.at:
                continue
            yield f


def show(f):
    """From now on the frames are those of @f; None: of the thread."""
    Current.fiber = Current.at = None
    gdb.invalidate_cached_frames()
    if not f:
        return
    thread = f.thread()
    if thread:
        thread.switch()
    elif f.state() == "ended" or f.state() == "new":
        raise gdb.GdbError("%s has no frames: %s" % (f.title(), f.state()))
    elif f.on_stack:
        raise gdb.GdbError("%s is on its way to another stack" % f.title())
    else:
        Current.at = innermost(gdb.newest_frame())
        Current.fiber = f
        gdb.invalidate_cached_frames()


class Thread:
    """Another thread for a while."""

    def __init__(self, thread):
        self.thread, self.was = thread, gdb.selected_thread()
        self.frame = gdb.selected_frame()

    def __enter__(self):
        if self.thread != self.was:
            self.thread.switch()

    def __exit__(self, *_):
        if self.thread != self.was:
            self.was.switch()


class Selected:
    """The same for a fiber."""

    def __init__(self, f):
        self.f = f
        self.thread = gdb.selected_thread()
        self.was = Current.fiber, Current.at

    def __enter__(self):
        show(self.f)

    def __exit__(self, *_):
        if gdb.selected_thread() != self.thread:
            self.thread.switch()
        Current.fiber, Current.at = self.was
        gdb.invalidate_cached_frames()


# --- commands ------------------------------------------------------------------------

def table(rt, text):
    """All fibers, or those whose line has this text."""
    rows = [("", "Id", "State", "Age", "Name", "Where")]
    main = rt.lay.field(rt.addr, "rt.main")
    service = rt.lay.field(rt.addr, "rt.service")
    for f in rt.load().values():
        name = f.name or ("(first)" if f.addr == main else
                          "(library's)" if f.addr == service else "")
        row = ("*" if f is Current.fiber else " ", str(f.number),
               f.does(), f.age(), name, f.where())
        if not text or any(text in column for column in row):
            rows.append(row)
    wide = [max(len(r[i]) for r in rows) for i in range(5)]
    return "".join(
        " ".join(r[i].ljust(wide[i]) for i in range(5)) + " " + r[5] + "\n"
        for r in rows) + "%d fibers\n" % (len(rows) - 1)


class InfoFibers(gdb.Command):
    """List fibers: number, what each does, for how long, name, and where.
An argument chooses: those whose line has this text."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        gdb.write(table(runtime(), arg))


class FiberCommand(gdb.Command):
    """Select a fiber, by number, name or address; without one say which it is.
"fiber off" goes back to the thread."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK, prefix=True)

    def invoke(self, arg, from_tty):
        arg = arg.strip()
        if not arg:
            if not Current.fiber:
                raise gdb.GdbError("no fiber is selected but what the thread runs")
            gdb.write("%s: %s\n" % (Current.fiber.title(),
                                    Current.fiber.does()))
        elif arg == "off":
            show(None)
            gdb.execute("frame 0")
        else:
            f = runtime().find(arg)
            show(f)
            gdb.write("[%s: %s]\n" % (f.title(), f.does()))
            gdb.execute("frame %d" % (1 if Current.fiber else 0))


class FiberApply(gdb.Command):
    """fiber apply all|N... COMMAND: execute it for each of these fibers."""

    def __init__(self):
        super().__init__("fiber apply", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        rt = runtime()
        words = arg.split()
        if words[:1] == ["all"]:
            chosen, words = list(rt.load().values()), words[1:]
        else:
            chosen = []
            while words and words[0] in rt.load():
                chosen.append(rt.find(words.pop(0)))
        if not chosen or not words:
            raise gdb.GdbError("usage: fiber apply all|N... COMMAND")
        for f in chosen:
            gdb.write("\n%s: %s\n" % (f.title(), f.does()))
            if f.state() in ("ended", "new"):
                continue
            try:
                with Selected(f):
                    gdb.execute(" ".join(words), from_tty)
            except gdb.error as e:
                gdb.write("%s\n" % e)


class FiberFunction(gdb.Function):
    """$fiber(N): its handle."""

    def __init__(self):
        super().__init__("fiber")

    def invoke(self, which):
        try:
            text = which.string()
        except gdb.error:
            text = str(int(which))
        value = gdb.Value(runtime().find(text).addr)
        try:
            return value.cast(gdb.lookup_type("struct baton_fiber").pointer())
        except gdb.error:
            return value.cast(gdb.lookup_type("void").pointer())


# --- printers ----------------------------------------------------------------------------

def waiters(queue):
    n, entry = 0, queue["first"]
    while entry and n < 10000:
        n, entry = n + 1, entry["next"]
    return "" if not n else ", %d wait" % n + ("s" if n == 1 else "")


class Handle:
    """A pointer to a fiber, with its name and what it does."""

    def __init__(self, value):
        self.addr = int(value)

    def to_string(self):
        try:
            rt = runtime()
            rt.load()
            f = rt.numbers.get(self.addr)
        except gdb.error:
            f = None
        if not f:
            return "0x%x" % self.addr + (" (no fiber)" if self.addr else "")
        return "0x%x (%s)" % (self.addr, f.title())


class Mutex:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        word = int(self.value["baton_word"])
        word &= (1 << 8 * self.value["baton_word"].type.sizeof) - 1
        if word == (1 << 8 * self.value["baton_word"].type.sizeof) - 1:
            return "destroyed"
        owner = word & ~3
        if not owner:
            return "free"
        rt = runtime()
        rt.load()
        who = rt.title(owner) if owner in rt.numbers else \
            "thread 0x%x" % owner
        return "held by " + who + waiters(self.value["baton_waiters"])


class Count:
    """A semaphore, and what else counts in the upper bits of its word."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "%d" % (int(self.value["baton_word"]) >> 2) + \
            waiters(self.value["baton_waiters"])


PRINTERS = {"baton_mutex": Mutex, "baton_sem": Count, "baton_wg": Count}


def printer(value):
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        target = kind.target().unqualified()
        return Handle(value) if target.tag == "baton_fiber" else None
    made = PRINTERS.get(kind.unqualified().tag)
    return made(value) if made else None


# A second copy, of the archive and the shared library at once, changes nothing.
if "baton fiber" not in gdb.frame_filters:
    gdb.unwinder.register_unwinder(None, FiberUnwinder(), replace=True)
    gdb.pretty_printers.append(printer)
    Hide()
    InfoFibers()
    FiberCommand()
    FiberApply()
    FiberFunction()
