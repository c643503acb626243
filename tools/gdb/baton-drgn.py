# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""The module's side, in drgn: its instances, their processors and workers.

    drgn -q -s /path/to/baton.ko baton-drgn.py [PID...]

as root, of the kernel that runs. baton.ko is not to be stripped: all types are of
it, the kernel's among them, whose own debugging symbols are not needed. Where the
two roots of all this are is in /proc/kallsyms: a dump has no such file. The kernel
goes on meanwhile, so two lines may be of two instants.

An instance is found by its workers, and these by their hooks: among a thread's
preempt notifiers, or in the table of kmod/probe.c.
"""

import sys

from drgn import FaultError, Object, container_of
from drgn.helpers.linux.list import (hlist_for_each_entry,
                                     list_for_each_entry, list_empty)

# Of kmod/probe.c; debugging information has no macros.
TABLE_BITS = 14

# Bits of task_struct.__state, as ps(1) has them
TASK_STATES = ((0x80, "X"), (0x4, "T"), (0x8, "t"), (0x2, "D"), (0x1, "S"))


def roots():
    """Addresses: of the first task, and of the pointer to the module's table."""
    found = {}
    with open("/proc/kallsyms") as f:
        for line in f:
            word = line.split()
            if word[2:] in (["init_task"], ["table", "[baton]"]):
                found[word[2]] = int(word[0], 16)
    if not found.get("init_task"):
        sys.exit("/proc/kallsyms has no addresses: who is not root sees none")
    return found


def threads(init):
    for leader in list_for_each_entry("struct task_struct",
                                      init.tasks.address_of_(), "tasks"):
        try:
            yield from list_for_each_entry(
                "struct task_struct",
                leader.signal.thread_head.address_of_(), "thread_node")
        except FaultError:
            pass        # It has just ended.


def notifiers(prog, init):
    """Ours have the task behind them; KVM's have something else there."""
    for task in threads(init):
        try:
            for pn in hlist_for_each_entry(
                    "struct preempt_notifier",
                    task.preempt_notifiers.address_of_(), "link"):
                hook = Object(prog, "struct baton_hook", address=pn.value_())
                if hook.task == task:
                    yield hook.address_of_()
        except FaultError:
            pass


def hooks(prog):
    found = roots()
    init = Object(prog, "struct task_struct", address=found["init_task"])
    if any(m.name == "preempt_notifiers" for m in init.type_.members):
        yield from notifiers(prog, init)
    table = Object(prog, "struct hlist_head *", address=found.get("table", 0))
    # Null where the hooks are notifiers
    if "table" in found and table:
        for i in range(1 << TABLE_BITS):
            yield from hlist_for_each_entry("struct baton_hook",
                                            table[i].address_of_(), "node")


def instances(prog):
    found = {}
    for hook in hooks(prog):
        inst = container_of(hook, "struct baton_worker", "hook").inst
        found[inst.value_()] = inst
    return found.values()


def name(prog, enum, value):
    """BATON_FOREIGN: foreign"""
    for e in prog.type("enum " + enum).enumerators:
        if e.value == value:
            return e.name[len("BATON_"):].lower()
    return str(value)


def text(comm):
    """A thread's name, with nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in
                   comm.string_().decode("utf-8", "replace"))


def task_state(task):
    state = task.member_("__state").value_()
    return next((c for bit, c in TASK_STATES if state & bit),
                "I" if state else "R")


def kernel_says(worker):
    """What its thread waits for in the module, or was given there; its block."""
    standby, block = worker.standby, worker.handoff.block
    said = []
    if standby.granted:
        said.append("granted %d" % (standby.granted - 1))
    elif standby.parked:
        said.append("parks" if list_empty(standby.list.address_of_())
                    else "standby")
    if block.on:
        said.append("blocks in a fault" if block.nr < 0 else
                    "blocks in system call %d" % block.nr)
    if worker.handoff.due:
        said.append("a hand-off waits")
    return ", ".join(said) or "-"


def show(inst, workers):
    leader, n = workers[0][1].task.group_leader, inst.nprocs.value_()
    print("instance 0x%x, process %d (%s): %d processors, %d workers, "
          "%d standbys%s%s" %
          (inst, leader.tgid, text(leader.comm), n, len(workers),
           inst.nstandby, ", stopped" if inst.stopped else "",
           ", closed" if inst.closed else ""))
    print("handoffs %d, starved %d, parks %d, wakes %d, swaps %d, idled %d, "
          "wanted %d; delay %d ns" %
          (inst.handoffs, inst.starved, inst.parks, inst.wakes, inst.swaps,
           inst.idled.counter, inst.wanted.counter, inst.delay))
    print("\n PROC  WORKER   QUEUE   HANDOFFS      IDLED   REGAINED")
    for p in range(n):
        rec = inst.recs[p].read_()
        idle = inst.hdr.idle[p // 64].value_() >> p % 64 & 1
        print("%5d  %-7s %6d %10d %10d %10d" %
              (p, "idle" if idle else rec.worker.value_(),
               (rec.tail - rec.head) & 0xffffffff,
               rec.handoffs, rec.idled, rec.regained))
    print("\nWORKER     TID  PROC  SLOT            TASK  KERNEL")
    for i, w in workers:
        slot = inst.slots[i].read_()
        state = name(inst.prog_, "baton_state", slot.state)
        taken = name(inst.prog_, "baton_taken", slot.taken)
        holds = state != "parked" and taken != "taken"
        print("%6d %7d  %4s  %-14s  %-4s  %s" %
              (i, w.task.pid, slot.proc.value_() if holds else "-",
               state + (", " + taken if taken != "kept" else ""),
               task_state(w.task), kernel_says(w)))


def main(prog, pids):
    found = 0
    for inst in instances(prog):
        try:
            workers = [(i, inst.workers[i].read_())
                       for i in range(inst.max_workers) if inst.workers[i]]
            if not workers or \
               pids and workers[0][1].task.tgid.value_() not in pids:
                continue
            print(end="\n" if found else "")
            found += 1
            show(inst, workers)
        except FaultError as e:
            print("instance 0x%x has just ended: %s" % (inst, e))
    print("\n%d instances" % found)


try:
    main(prog, [int(arg) for arg in sys.argv[1:]])  # noqa: F821: drgn's
except LookupError as e:
    sys.exit("%s: is it a baton.ko with debugging information?" % e)
