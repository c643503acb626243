# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Fibers in lldb, on x86_64: baton-debug(7) says how to use this.

    command script import /path/to/baton_lldb.py

    fibers [TEXT]           all fibers, or those whose line has this text
    fiber N [COMMAND]       bt, frame select and so on are of fiber N; or one
                            command is
    fiber off               not any more

What reads the library's records is baton-gdb.py, which is to lie beside this
file, and finds here, in place of gdb's module, as much of it as it reads with. A
fiber that no thread runs is shown to lldb as one more thread, by what it has for
operating systems that it does not know: OperatingSystemPlugIn, of this file, too.
Such a thread has the fiber's stack pointer, and the rest of the registers are
found on the stack by the unwind tables of baton_asm_switch.
"""

import importlib.util
import os
import struct
import sys
from types import ModuleType, SimpleNamespace

import lldb

SETTING = "target.process.python-os-plugin-path"
# Their order is that of their numbers in unwind tables.
REGISTERS = ("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 "
             "rip").split()
GENERIC = {"rbp": "fp", "rsp": "sp", "rip": "pc"}
# No thread of the system's has such a number.
TID = 1 << 40


def target():
    return lldb.debugger.GetSelectedTarget()


def process():
    return target().GetProcess()


# --- gdb's module, as far as it is used ------------------------------------------

class Error(Exception):
    pass


class Frame:
    def __init__(self, thread, level=0):
        self.thread, self.level = thread, level
        self.frame = thread.GetFrameAtIndex(level)

    def pc(self):
        return self.frame.GetPC()

    def read_register(self, _):
        return self.frame.GetSP()

    def older(self):
        if self.level + 1 < self.thread.GetNumFrames():
            return Frame(self.thread, self.level + 1)
        return None


class Thread:
    def __init__(self, thread):
        self.thread, self.num = thread, thread.GetIndexID()
        self.ptid = (0, thread.GetThreadID(), 0)

    def __eq__(self, other):
        return self.num == other.num

    def switch(self):
        process().SetSelectedThread(self.thread)


def selected_thread():
    return process().GetSelectedThread()


def read_memory(addr, size):
    error = lldb.SBError()
    data = process().ReadMemory(addr, size, error) if size else b""
    if size and (not error.Success() or len(data) != size):
        raise Error("no memory at 0x%x" % addr)
    return data


def selected_inferior():
    live = process().GetPluginName() != "elf-core"
    return SimpleNamespace(
        read_memory=read_memory, pid=process().GetProcessID(),
        threads=lambda: [Thread(t) for t in process()],
        architecture=lambda: SimpleNamespace(name=lambda: "i386:x86-64"),
        connection=SimpleNamespace(type="native" if live else "core"))


def address(pc):
    return target().ResolveLoadAddress(pc)


def execute(command, to_string):
    """The three commands of gdb's whose text is read."""
    if command == "show endian":
        return "little endian"
    if command == "info files":
        found = [m.FindSection("baton.layout") for m in target().module_iter()]
        ranges = [(s.GetLoadAddress(target()), s.GetByteSize())
                  for s in found if s.IsValid()]
        return "\n".join("0x%x - 0x%x is baton.layout" % (start, start + size)
                         for start, size in ranges)
    at = address(int(command.split()[-1], 16))
    name = at.GetFunction().GetName() or at.GetSymbol().GetName() or ""
    return name if name and "lldb_unnamed" not in name else "No symbol"


def find_pc_line(pc):
    line = address(pc).GetLineEntry()
    return SimpleNamespace(
        line=line.GetLine() if line.IsValid() else 0,
        symtab=SimpleNamespace(filename=str(line.GetFileSpec())))


def solib_name(pc):
    found = address(pc).GetModule().GetFileSpec()
    return None if found == target().GetExecutable() else str(found)


def parse_and_eval(text):
    value = target().EvaluateExpression(text)
    if not value.GetError().Success():
        raise Error(value.GetError().GetCString())
    return value.GetValueAsUnsigned()


def load():
    """baton-gdb.py, which is told that its commands are there already."""
    event = SimpleNamespace(connect=lambda _: None)
    pointer = SimpleNamespace(sizeof=8)
    gdb, decorator, unwinder = modules = [
        ModuleType(name) for name in
        ("gdb", "gdb.FrameDecorator", "gdb.unwinder")]
    gdb.__dict__.update(
        Command=object, Function=object, GdbError=Error, error=Error,
        events=SimpleNamespace(cont=event, exited=event, new_objfile=event,
                               memory_changed=event, inferior_call=event),
        execute=execute, find_pc_line=find_pc_line,
        frame_filters={"baton fiber": None},
        invalidate_cached_frames=lambda: None,
        lookup_type=lambda _: SimpleNamespace(pointer=lambda: pointer),
        newest_frame=lambda: Frame(selected_thread()),
        parse_and_eval=parse_and_eval, selected_frame=lambda: None,
        selected_inferior=selected_inferior,
        selected_thread=lambda: Thread(selected_thread()),
        solib_name=solib_name)
    decorator.FrameDecorator = unwinder.Unwinder = object
    sys.modules.update({m.__name__: m for m in modules})
    spec = importlib.util.spec_from_file_location(
        "baton_gdb", os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                  "baton-gdb.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- a fiber is a thread -----------------------------------------------------------

class OperatingSystemPlugIn:
    """What is there besides the threads of the system: the fiber that is shown."""

    def __init__(self, _):
        pass

    def get_thread_info(self):
        f = readers.Current.fiber
        return [{"tid": TID, "name": f.title(), "state": "stopped",
                 "stop_reason": "none"}] if f and f.stop == stop() else []

    def get_register_info(self):
        registers = [{"name": name, "bitsize": 64, "offset": 8 * i, "set": 0,
                      "encoding": "uint", "format": "hex", "gcc": i, "dwarf": i}
                     for i, name in enumerate(REGISTERS)]
        for r in registers:
            if r["name"] in GENERIC:
                r["generic"] = GENERIC[r["name"]]
        return {"sets": ["General"], "registers": registers}

    def get_register_data(self, _):
        f = readers.Current.fiber
        values = {"rsp": f.sp, "rip": f.rt.lay.pointer(f.rt.lay.suspended)}
        return struct.pack("<17Q", *(values.get(n, 0) for n in REGISTERS))


def stop():
    """Which one it is: what was read is of no other."""
    return process().GetStopID()


def show(f):
    # It asks for threads anew when it is told of a plug-in, or of none.
    lldb.debugger.HandleCommand("settings clear " + SETTING)
    readers.show(f)
    if readers.Current.fiber:
        f.stop = stop()
        lldb.debugger.HandleCommand("settings set %s %s" % (
            SETTING, os.path.realpath(__file__)))
        process().SetSelectedThreadByID(TID)


# --- commands ------------------------------------------------------------------------

def runtime():
    if process().GetState() != lldb.eStateStopped:
        raise Error("there is no process that is stopped")
    if not target().GetTriple().startswith("x86_64"):
        raise Error("this is for x86_64")
    return readers.Runtime(readers.Layout())


def fibers(debugger, words, result, _):
    """List fibers: number, what each does, for how long, name, and where."""
    try:
        result.PutCString(readers.table(runtime(), words.strip()))
    except Error as e:
        result.SetError(str(e))


def fiber(debugger, words, result, _):
    """fiber N [COMMAND]: select one by number, name or address; do that there."""
    which, _, command = words.strip().partition(" ")
    try:
        if not which:
            raise Error("usage: fiber N [COMMAND] or fiber off")
        f = None if which == "off" else runtime().find(which)
        show(f)
        if f:
            result.PutCString("[%s: %s]" % (f.title(), f.does()))
    except Error as e:
        result.SetError(str(e))
        return
    if command:
        debugger.GetCommandInterpreter().HandleCommand(
            command, lldb.SBExecutionContext(selected_thread()), result)


# lldb reads this file once more as it looks for the plug-in.
readers = sys.modules.get("baton_gdb")
if readers:
    Error = readers.gdb.error
else:
    readers = sys.modules["baton_gdb"] = load()
    for name in ("fibers", "fiber"):
        lldb.debugger.HandleCommand(
            "command script add -f %s.%s %s" % (__name__, name, name))
