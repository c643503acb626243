# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# make help lists what there is. Everything is built below build/.

VERSION := $(shell cat VERSION)
HOSTARCH := $(shell uname -m | sed 's/i.86/i386/; s/arm.*/arm/')
ARCH ?= $(HOSTARCH)
# SAN=address, thread or undefined: all of it under that sanitizer. SAN=delay: with
# threads that are late, see selftests/delay/delay.c.
SAN ?=
# DEBUG=1: the library looks for more mistakes of its callers.
DEBUG ?=
ifeq ($(ARCH),$(HOSTARCH))
CC ?= cc
CXX ?= g++
AR ?= ar
O := build$(if $(SAN),/san-$(SAN))$(if $(DEBUG),/debug)
else
TRIPLET := $(shell awk '$$1 == "$(ARCH)" { print $$2 }' selftests/arch/archs)
CC := $(TRIPLET)-gcc
CXX := $(TRIPLET)-g++
AR := $(TRIPLET)-ar
O := build/arch/$(ARCH)$(if $(DEBUG),/debug)
endif

# Each of these installs a compiler first, or needs none.
ifeq ($(shell command -v $(firstword $(CC)) 2>/dev/null),)
ifneq ($(filter-out check% clean deb demo deps% dist docs help release-check rpm style \
	uninstall, $(or $(MAKECMDGOALS),all)),)
$(error There is no compiler $(firstword $(CC)). On Debian, \
	"make deps$(if $(TRIPLET),-check-arch)" installs $(or $(TRIPLET:%=it),gcc))
endif
NO_CC := yes
endif

PREFIX ?= /usr/local
prefix ?= $(PREFIX)
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
bindir ?= $(prefix)/bin
docdir ?= $(prefix)/share/doc/baton
bashdir ?= $(prefix)/share/bash-completion/completions
zshdir ?= $(prefix)/share/zsh/site-functions
fishdir ?= $(prefix)/share/fish/vendor_completions.d
datadir ?= $(prefix)/share

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wmissing-prototypes -Wpointer-arith -Wshadow
WARN += $(if $(CI),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
SANLINK := $(SANFLAGS)
ifeq ($(SAN),delay)
SANFLAGS := -fsanitize=thread -Wno-tsan -U__SANITIZE_THREAD__
SANFLAGS += --param=tsan-instrument-func-entry-exit=0
SANLINK :=
DELAY := $(O)/selftests/delay/delay.o
endif
BASE := -std=gnu11 -D_GNU_SOURCE -fno-omit-frame-pointer $(WARN)
BASE += -Ilib/include -isystem kmod/uapi -Iasm -Iasm/$(ARCH) -I$(O)
BASE += $(SANFLAGS) $(if $(DEBUG),-DBATON_DEBUG)
# Backtraces in a running program need the tables, which not all ABIs give unasked.
LIBFLAGS := $(BASE) -fPIC -fvisibility=hidden -fno-plt -funwind-tables
# What -fno-plt makes of calls of __tls_get_addr() leaves out the linker's stub,
# which ppc64le's loader relies on: none of them.
LIBFLAGS += $(if $(filter ppc64le,$(ARCH)),-ftls-model=initial-exec)
DEPFLAGS = -MMD -MP
# -MMD leaves out what -isystem finds.
UAPI := kmod/uapi/linux/baton.h
LINK = $(CC) $(SANLINK) $(LDFLAGS)
# What a sanitizer adds may be left to the program.
DEFS := $(if $(SAN),,-Wl,-z,defs)
# Quiet unless V=1.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

KERNELS := 6.1 6.1-rt 6.12

# Files are waited for by foreign calls alone where $(CC) finds no liburing, 2.3
# or later, and with URING=.
ifeq ($(origin URING),undefined)
URING := $(shell t=$$(mktemp) && echo 'int main(void) { return io_uring_submit_and_get_events(0); }' | \
	$(CC) $(CFLAGS) -D_GNU_SOURCE -include liburing.h -x c - -o "$$t" $(LDFLAGS) \
	-luring 2>/dev/null && echo yes; rm -f "$$t")
endif
URING_LIBS := $(if $(URING),-luring)

# Probes, which are nops until somebody looks, are left out where $(CC) finds no
# <sys/sdt.h>, and with SDT=.
ifeq ($(origin SDT),undefined)
SDT := $(shell $(CC) $(CFLAGS) -include sys/sdt.h -x c -E /dev/null >/dev/null 2>&1 && echo yes)
endif
LIBFLAGS += $(if $(SDT),-DHAVE_SDT)

LIB_SRC :=			\
	lib/call/adopt.c	\
	lib/call/alloc.c	\
	lib/call/call.c	\
	lib/call/callback.c	\
	lib/call/panic.c	\
	lib/core/adopted.c	\
	lib/core/cancel.c	\
	lib/core/config.c	\
	lib/core/contend.c	\
	lib/core/cpus.c	\
	lib/core/cxx.c		\
	lib/core/deadlock.c	\
	lib/core/debug.c	\
	lib/core/descriptor.c	\
	lib/core/door.c		\
	lib/core/dump.c	\
	lib/core/fatal.c	\
	lib/core/fence.c	\
	lib/core/fiber.c	\
	lib/core/global.c	\
	lib/core/guard.c	\
	lib/core/held.c		\
	lib/core/hog.c		\
	lib/core/interrupt.c	\
	lib/core/key.c		\
	lib/core/layout.c	\
	lib/core/list.c	\
	lib/core/lock.c	\
	lib/core/polling.c	\
	lib/core/pprof.c	\
	lib/core/proc.c	\
	lib/core/profile.c	\
	lib/core/profiler.c	\
	lib/core/reason.c	\
	lib/core/rt.c		\
	lib/core/runq.c	\
	lib/core/runtime.c	\
	lib/core/sanitize.c	\
	lib/core/sched.c	\
	lib/core/self.c	\
	lib/core/site.c		\
	lib/core/stack.c	\
	lib/core/stats.c	\
	lib/core/symbols.c	\
	lib/core/syscalls.c	\
	lib/core/threads.c	\
	lib/core/timer.c	\
	lib/core/trace.c	\
	lib/core/turn.c		\
	lib/core/version.c	\
	lib/core/wait.c		\
	lib/core/watch.c	\
	lib/core/watcher.c	\
	lib/core/worker.c	\
	lib/io/child.c		\
	lib/io/desc.c		\
	lib/io/file.c		\
	lib/io/move.c		\
	lib/io/name.c		\
	lib/io/op.c		\
	lib/io/poller.c		\
	$(if $(URING),lib/io/ring.c,lib/io/noring.c) \
	lib/io/rw.c		\
	lib/io/several.c	\
	lib/io/signal.c		\
	lib/io/socket.c		\
	lib/sync/barrier.c	\
	lib/sync/chan.c	\
	lib/sync/cond.c		\
	lib/sync/contend.c	\
	lib/sync/group.c	\
	lib/sync/mutex.c	\
	lib/sync/once.c		\
	lib/sync/order.c	\
	lib/sync/rwlock.c	\
	lib/sync/select.c	\
	lib/sync/sem.c		\
	lib/sync/sleep.c	\
	lib/sync/stop.c	\
	lib/sync/tick.c	\
	lib/sync/wg.c		\
	lib/sync/word.c		\
	lib/tier/bunk.c	\
	lib/tier/idle.c	\
	lib/tier/kmod.c	\
	lib/tier/monitor.c	\
	lib/tier/poll.c	\
	# EOL
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o) $(O)/asm/$(ARCH)/switch.o $(DELAY)
WRAP_SRC :=			\
	lib/wrap/c11.c		\
	lib/wrap/cond.c		\
	lib/wrap/fortify.c	\
	lib/wrap/init.c		\
	lib/wrap/io.c		\
	lib/wrap/mutex.c	\
	lib/wrap/poll.c		\
	lib/wrap/real.c		\
	lib/wrap/rwlock.c	\
	lib/wrap/sleep.c	\
	lib/wrap/table.c	\
	# EOL
WRAP_OBJ := $(WRAP_SRC:%.c=$(O)/%.o)
# baton-sum is left out where $(CC) finds no libcrypto, and with CRYPTO=.
ifeq ($(origin CRYPTO),undefined)
CRYPTO := $(shell t=$$(mktemp) && echo 'int main(void) { return !EVP_sha256(); }' | \
	$(CC) $(CFLAGS) -include openssl/evp.h -x c - -o "$$t" $(LDFLAGS) -lcrypto \
	2>/dev/null && echo yes; rm -f "$$t")
endif
# A sanitizer has wrappers of its own; another C library has other mutexes.
WRAP := $(if $(SAN)$(NO_CC),,$(shell echo __GLIBC__ | $(CC) -include features.h -E -P - | \
	sed -n 's|^[0-9]*$$|$(O)/libbaton-wrap.so|p' | tail -n 1))
TOOLS := baton-bench $(if $(CRYPTO),baton-sum) baton-top baton-trace
EXAMPLES := crawl httpd kvfault nap outline pipeline pool rows sort sqld workers
# One is left out where there is no Lua.
EXAMPLES += $(shell pkg-config --exists lua5.4 2>/dev/null && echo lua)
HEADERS := $(wildcard lib/include/baton/*.h lib/include/baton/*.hpp)
KMOD_SRC := Kbuild VERSION $(wildcard kmod/*.[ch] kmod/*/*.h kmod/*/*/*.h)

all: $(O)/libbaton.a $(O)/libbaton.so $(WRAP) $(TOOLS:%=$(O)/%)
	$(if $(CRYPTO),,@echo "baton-sum is left out: it needs OpenSSL's libcrypto and its headers")

ifeq ($(wildcard asm/$(ARCH)),)
$(error no port for $(ARCH): asm/PSEUDOCODE.md has the checklist for asm/$(ARCH))
endif

# --- library --------------------------------------------------------------

$(O)/asm-offsets.h: asm/offsets.c asm/routines.h $(wildcard asm/*/ctx.h)
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -S -o $@.s $<
	$(Q)sed -n 's/.*"->\([A-Z_]*\) [$$#]*\([0-9]*\)".*/#define \1 \2/p' \
		$@.s >$@.tmp && mv $@.tmp $@

# Calls and callbacks put things right when they are unwound. Their speed is that
# of their branches, which depends on where these lie.
$(O)/lib/call/%.o: LIBFLAGS += -fexceptions -falign-functions=64
$(O)/lib/sync/once.o: LIBFLAGS += -fexceptions

# The names of system calls are those of the machine that it is built for.
$(O)/lib/core/syscalls.o: $(O)/lib/core/syscall_names.h
$(O)/lib/core/syscall_names.h: Makefile
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)echo '#include <sys/syscall.h>' | $(CC) $(BASE) -E -dM -x c - >$@.i
	$(Q)LC_ALL=C sort $@.i | sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/{ SYS_\1, "\1" },/p' >$@.tmp && \
		mv $@.tmp $@ && rm $@.i

$(O)/lib/%.o: lib/%.c $(UAPI) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LIBFLAGS) $(CFLAGS) $(DEPFLAGS) -c -o $@ $<

$(O)/asm/%.o: asm/%.S asm/common.h $(wildcard asm/*/switch.S) $(O)/asm-offsets.h
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -g -c -o $@ $<

# Is called by what the others are instrumented with.
$(O)/selftests/delay/%.o: selftests/delay/%.c $(UAPI) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out $(SANFLAGS),$(LIBFLAGS)) $(CFLAGS) $(DEPFLAGS) \
		-c -o $@ $<

$(O)/libbaton.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# A thread that called back runs the library's code when it ends: the library stays
# loaded, whoever has closed it. Its own calls stay within it, in a program with
# another copy in sight, too.
$(O)/libbaton.so: $(LIB_OBJ) lib/libbaton.map
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -Wl,-soname,libbaton.so.0 $(DEFS) -Wl,-z,nodelete \
		-Wl,-Bsymbolic-functions -Wl,-z,relro,-z,now -Wl,--version-script,lib/libbaton.map \
		-o $@ $(LIB_OBJ) $(URING_LIBS) -pthread
	$(Q)ln -sf $(@F) $@.0

# Others' calls lead into it: it stays loaded. Conditions have a version where the
# C library has had two kinds of them.
WRAP_MAP := $(if $(filter i386 ppc64 s390x x86_64,$(ARCH)),lib/wrap/wrap.map)
$(O)/lib/wrap/%.o: LIBFLAGS += -U_FORTIFY_SOURCE \
	$(if $(WRAP_MAP),-DWRAP_COND_VERSION='"GLIBC_2.3.2"')

$(O)/libbaton-wrap.so: $(WRAP_OBJ) $(O)/libbaton.so $(WRAP_MAP)
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -Wl,-soname,libbaton-wrap.so.0 $(DEFS) -Wl,-z,nodelete \
		-Wl,-z,relro,-z,now $(WRAP_MAP:%=-Wl,--version-script,%) \
		-o $@ $(WRAP_OBJ) $(O)/libbaton.so -ldl -pthread
	$(Q)ln -sf $(@F) $@.0

# --- tools ----------------------------------------------------------------

tool_obj = $(patsubst %.c,$(O)/%.o,$(wildcard tools/$(1)/*.c))

$(O)/tools/%.o: tools/%.c $(UAPI) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(DEPFLAGS) -pthread -c -o $@ $<

$(O)/tools/baton-bench/cmd_files.o $(O)/tools/baton-bench/uloop.o: BASE += $(if $(URING),-DHAVE_URING)

$(O)/baton-bench: $(call tool_obj,baton-bench) $(call tool_obj,usage) $(O)/libbaton.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(URING_LIBS) -pthread -lm

$(O)/baton-sum: $(call tool_obj,baton-sum) $(call tool_obj,usage) $(O)/libbaton.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lcrypto $(URING_LIBS) -pthread

# On a terminal baton-top prints line by line where $(CC) finds no ncurses, and with
# CURSES=.
ifeq ($(origin CURSES),undefined)
CURSES := $(shell t=$$(mktemp) && echo 'int main(void) { return !initscr(); }' | \
	$(CC) $(CFLAGS) -include curses.h -x c - -o "$$t" $(LDFLAGS) -lncurses \
	2>/dev/null && echo yes; rm -f "$$t")
endif
$(O)/tools/baton-top/screen.o: BASE += $(if $(CURSES),-DHAVE_CURSES)

$(O)/baton-top: $(call tool_obj,baton-top) $(call tool_obj,usage) $(call tool_obj,door) $(O)/libbaton.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(if $(CURSES),-lncurses) -pthread

$(O)/baton-trace: $(call tool_obj,baton-trace) $(call tool_obj,usage) $(call tool_obj,door) $(O)/libbaton.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -pthread

# Each one file, with a library that knows nothing of fibers; servers have serve.c,
# too
examples: $(EXAMPLES:%=$(O)/examples/%)

$(O)/examples/httpd: LIBS := -lhttp_parser
$(O)/examples/kvfault: PKG := lmdb
$(O)/examples/lua: PKG := lua5.4
$(O)/examples/outline: PKG := expat
$(O)/examples/pipeline: PKG := sqlite3
$(O)/examples/pool: PKG := glib-2.0
$(O)/examples/rows: PKG := sqlite3
$(O)/examples/sqld: PKG := sqlite3
$(O)/examples/httpd $(O)/examples/sqld: tools/examples/serve.c \
					tools/examples/serve.h
pkg = $(if $(PKG),$(shell pkg-config $(1) $(PKG)))

$(O)/examples/%: tools/examples/%.c $(O)/libbaton.a $(HEADERS) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -std=gnu11 -D_GNU_SOURCE $(WARN) -Ilib/include $(CFLAGS) \
		$(call pkg,--cflags) -o $@ $(filter %.c,$^) $(O)/libbaton.a \
		-pthread $(call pkg,--libs) $(LIBS) $(URING_LIBS)

# --- module ---------------------------------------------------------------
# Built in a copy: several kernels' objects side by side, the tree left clean.

kmod: $(O)/kmod/$(or $(K),6.1)/baton.ko

# Kbuild refuses such a path, with words that do not name it.
check_path = case "$(CURDIR)" in *[[:space:]:]*) \
	echo "The module cannot be built below $(CURDIR):" \
		"Kbuild takes no path with a space or a colon." >&2; \
	exit 1 ;; esac

vm-%: $(O)/kmod/%/baton.ko $(O)/kmod/%/notifiers/notifiers.ko ;

$(O)/kmod/%/baton.ko: $(KMOD_SRC)
	$(Q)$(check_path)
	$(call say,KMOD,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp -r Kbuild VERSION kmod $(@D)
	$(kmod_make)

# What an emulated machine needs besides, see there.
$(O)/kmod/%/notifiers/notifiers.ko: selftests/vm/notifiers/notifiers.c \
				    $(O)/kmod/%/baton.ko
	$(call say,KMOD,$@)
	$(Q)rm -rf $(@D) && cp -r selftests/vm/notifiers $(@D)
	$(kmod_make)

# What UBSan looks for in the module, where the kernel has what it then calls.
KUBSAN := -fsanitize=bool,bounds,enum,integer-divide-by-zero,shift

# In the target's folder, for the kernel that the stem names.
define kmod_make
	$(Q)info=$$(selftests/vm/kernel $*) && \
	kdir=$$(echo "$$info" | sed -n 's/^kdir=//p') && \
	$(MAKE) -s -C "$$kdir" $$(echo "$$info" | sed -n 's/^make=//p') \
		M="$$(cd $(@D) && pwd)" \
		KCFLAGS="$(if $(CI),-Werror) $(if $(filter debug,$*),$(KUBSAN))" \
		modules >$(@D)/log 2>&1 || { cat $(@D)/log; exit 1; }
	$(Q)grep -i warning $(@D)/log | grep -v 'skipping BTF\|unavailable' || :
endef

# The running kernel's own, for HOST=1 and for installing.
$(O)/kmod/host/baton.ko: $(KMOD_SRC)
	$(Q)$(check_path)
	$(call say,KMOD,$@)
	$(Q)rm -rf $(@D) && mkdir -p $(@D)
	$(Q)cp -r Kbuild VERSION kmod $(@D)
	$(Q)$(MAKE) -s -C /lib/modules/$$(uname -r)/build \
		M="$$(cd $(@D) && pwd)" modules

# --- tests ----------------------------------------------------------------

deps:
	@selftests/vm/deps build

deps-%:
	@selftests/vm/deps $*

$(O)/selftests/examples/peer: selftests/examples/peer.c Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Tools look at it: with the library in it, and beside it
$(O)/selftests/tools/known: selftests/tools/known.c $(O)/libbaton.a $(HEADERS) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -std=gnu11 -D_GNU_SOURCE $(WARN) -Ilib/include $(CFLAGS) \
		-o $@ $< $(O)/libbaton.a $(URING_LIBS) -pthread

$(O)/selftests/tools/known-so: selftests/tools/known.c $(O)/libbaton.so $(HEADERS) Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -std=gnu11 -D_GNU_SOURCE $(WARN) -Ilib/include $(CFLAGS) \
		-o $@ $< $(O)/libbaton.so -Wl,-rpath,$(abspath $(O)) -pthread

KNOWN := $(O)/selftests/tools/known $(O)/selftests/tools/known-so
selftests: all examples $(O)/selftests/examples/peer $(KNOWN)
	@$(MAKE) -s -C selftests/lib SAN=$(SAN) DEBUG=$(DEBUG)
	@$(MAKE) -s -C selftests/kmod

check: deps-check
	@$(MAKE) -s all selftests $(KERNELS:%=vm-%)
	@selftests/check $(KERNELS)

check-delays: deps-check
	@selftests/delay/run

check-debug: deps-check
	@$(MAKE) -s all selftests
	@selftests/debug

check-kernels: deps-check-kernels
	@$(MAKE) -s all selftests
	@selftests/kernels

model: deps-check
	@selftests/model/run

check-arch: deps-check-arch
	@selftests/check --arch

check-shadow: deps-check
	@selftests/vm/shadow/check all

check-trace: deps-check
	@$(MAKE) -s selftests vm-6.12
	@selftests/vm/run -k 6.12 -t 600 -- selftests/kmod/tracers.sh
	@selftests/vm/run -k 6.12 -t 600 -- selftests/tools/run bpftraces

demo: deps-demo
	@$(MAKE) -s all
	@tools/demo first
	@$(MAKE) -s $(if $(HOST),$(O)/kmod/host/baton.ko,vm-6.1)
	@tools/demo

bench: all
	@$(O)/baton-bench

# Beside other runtimes, whose Debian packages it installs
bench-peers: all
	@tools/peers/run

style:
	@selftests/style

# --- install --------------------------------------------------------------

# Quoted: a path may have spaces in it.
D := "$(DESTDIR)
# What lies below the prefix moves with it: pkg-config --define-variable=prefix=...
below = $(subst ^,,$(subst ^$(prefix)/,$${prefix}/,^$(1)))
PAGES1 := $(wildcard $(TOOLS:%=tools/%/*.1))
PAGES3 := $(wildcard lib/man/*.3)
PAGES4 := $(wildcard lib/man/*.4)
PAGES7 := $(wildcard lib/man/*.7)
PAGES8 := $(wildcard $(TOOLS:%=tools/%/*.8))
# All that README leads to, at the same places there
TEXTS := COPYING HACKING.md NEWS README.md lib/README.md
TEXTS += tools/baton-bench/README.md tools/package/README.md
TEXTS += $(wildcard tools/examples/*.* tools/examples/lua/* tools/pictures/*.svg)
TEXT_DIRS := lib tools/baton-bench tools/examples/lua tools/examples tools/package
TEXT_DIRS += tools/pictures tools

# gdb looks for it there when it loads the library; for a program that the archive
# was linked into it is to be named.
GDB_SCRIPT := tools/gdb/baton-gdb.py
# Those for other debuggers are always named.
SCRIPTS := $(GDB_SCRIPT)
SCRIPTS += tools/gdb/baton-drgn.py
SCRIPTS += tools/gdb/baton_lldb.py
GDB_DIR := $(datadir)/gdb/auto-load$(libdir)

define install_wrap
install -m 755 $(WRAP) $D$(libdir)/libbaton-wrap.so.$(VERSION)"
	ln -sf libbaton-wrap.so.$(VERSION) $D$(libdir)/libbaton-wrap.so.0"
	ln -sf libbaton-wrap.so.0 $D$(libdir)/libbaton-wrap.so"
endef
# A page that is another one's, too, is a link to it.
define install_pages
for f in $(1); do if [ -h $$f ]; \
		then ln -sf $$(readlink $$f) $D$(mandir)/$(2)/$${f##*/}"; \
		else install -m 644 $$f $D$(mandir)/$(2)"; fi || exit; done
endef
# How programs are told where it is, from the template $(1).
fill_in = sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(call below,$(libdir))|' \
	-e 's|@includedir@|$(call below,$(includedir))|' \
	-e "s|@include_from_cmake@|$$(realpath -ms --relative-to="$(libdir)/cmake/baton" "$(includedir)")|" \
	-e 's|@version@|$(VERSION)|' -e 's|@cmake_private@|$(if $(URING),uring;)|' \
	-e 's|@private@|$(strip $(URING_LIBS) -pthread)|' $(1)
# What a system needs that this was installed to; not a folder that is packed.
define tell_loader
@[ "$$(id -u)" != 0 ] || PATH="$$PATH:/usr/sbin:/sbin" ldconfig 2>/dev/null || :
	@PATH="$$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | \
		grep -qF " $(libdir)/libbaton.so.0" || \
		echo "The loader does not look into $(libdir):" \
			"link with -Wl,-rpath,$(libdir), or set LD_LIBRARY_PATH."
endef

install: all
	install -d $D$(libdir)/pkgconfig" $D$(libdir)/cmake/baton" $D$(bindir)"
	install -d $D$(includedir)/baton" $D$(includedir)/linux"
	install -d $D$(mandir)/man1" $D$(mandir)/man3" $D$(mandir)/man4"
	install -d $D$(mandir)/man7" $D$(mandir)/man8" $D$(docdir)"
	install -m 644 $(HEADERS) $D$(includedir)/baton"
	install -m 644 $(UAPI) $D$(includedir)/linux"
	install -m 644 $(O)/libbaton.a $D$(libdir)"
	install -m 755 $(O)/libbaton.so $D$(libdir)/libbaton.so.$(VERSION)"
	ln -sf libbaton.so.$(VERSION) $D$(libdir)/libbaton.so.0"
	ln -sf libbaton.so.0 $D$(libdir)/libbaton.so"
	$(if $(WRAP),$(install_wrap))
	$(call fill_in,lib/libbaton.pc.in) >$D$(libdir)/pkgconfig/baton.pc"
	for f in config config-version; do $(call fill_in, \
		"tools/package/baton-$$f.cmake.in") \
		>$D$(libdir)/cmake/baton/baton-$$f.cmake" || exit; done
	install -d $D$(GDB_DIR)" $D$(datadir)/baton"
	install -m 644 $(SCRIPTS) $D$(datadir)/baton"
	install -m 644 $(GDB_SCRIPT) $D$(GDB_DIR)/libbaton.so.$(VERSION)-gdb.py"
	install -m 755 $(TOOLS:%=$(O)/%) $D$(bindir)"
	$(call install_pages,$(PAGES3),man3)
	$(if $(PAGES4),$(call install_pages,$(PAGES4),man4))
	$(call install_pages,$(PAGES7),man7)
	$(if $(PAGES1),$(call install_pages,$(PAGES1),man1))
	$(if $(PAGES8),$(call install_pages,$(PAGES8),man8))
	for f in $(TEXTS); do install -D -m 644 $$f $D$(docdir)/$$f" || exit; done
	install -d $D$(bashdir)" $D$(zshdir)" $D$(fishdir)"
	install -m 644 tools/completion/baton.bash $D$(bashdir)/baton-bench"
	for t in $(filter-out baton-bench,$(TOOLS)); do \
		ln -sf baton-bench $D$(bashdir)/$$t" || exit; done
	install -m 644 tools/completion/baton.zsh $D$(zshdir)/_baton"
	install -m 644 tools/completion/baton.fish $D$(fishdir)/baton-bench.fish"
	for t in $(filter-out baton-bench,$(TOOLS)); do \
		ln -sf baton-bench.fish $D$(fishdir)/$$t.fish" || exit; done
	$(if $(DESTDIR),,$(tell_loader))

# What an install with all tools puts there. Of the folders only those that are
# called after us are ours alone.
OLD_PAGES := $(PAGES3:lib/man/%=man3/%) $(PAGES4:lib/man/%=man4/%)
OLD_PAGES += $(PAGES7:lib/man/%=man7/%)
OLD_PAGES += $(patsubst %,man1/%,$(notdir $(wildcard tools/*/*.1)))
OLD_PAGES += $(patsubst %,man8/%,$(notdir $(wildcard tools/*/*.8)))
uninstall:
	for f in $(notdir $(HEADERS)); do rm -f $D$(includedir)/baton/$$f" || exit; done
	rm -f $D$(includedir)/linux/baton.h"
	for f in $(TEXTS); do rm -f $D$(docdir)/$$f" || exit; done
	rm -f $D$(libdir)/cmake/baton/baton-config.cmake"
	rm -f $D$(libdir)/cmake/baton/baton-config-version.cmake"
	for t in bench sum top trace; do rm -f $D$(bashdir)/baton-$$t" \
		$D$(fishdir)/baton-$$t.fish" || exit; done
	rm -f $D$(zshdir)/_baton"
	for d in $(TEXT_DIRS:%=$D$(docdir)/%") $D$(includedir)/baton" \
		$D$(docdir)" $D$(libdir)/cmake/baton"; do \
		[ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d"; done
	rm -f $D$(libdir)/libbaton.a" $D$(libdir)/libbaton.so.$(VERSION)"
	rm -f $D$(libdir)/libbaton.so.0" $D$(libdir)/libbaton.so"
	rm -f $D$(libdir)/libbaton-wrap.so.$(VERSION)"
	rm -f $D$(libdir)/libbaton-wrap.so.0" $D$(libdir)/libbaton-wrap.so"
	rm -f $D$(libdir)/pkgconfig/baton.pc"
	rm -f $(patsubst tools/gdb/%,$D$(datadir)/baton/%",$(SCRIPTS))
	rm -f $D$(GDB_DIR)/libbaton.so.$(VERSION)-gdb.py"
	[ ! -d $D$(GDB_DIR)" ] || { cd $D$(datadir)/gdb" && \
		rmdir -p --ignore-fail-on-non-empty "auto-load$(libdir)"; }
	[ ! -d $D$(datadir)/baton" ] || \
		rmdir --ignore-fail-on-non-empty $D$(datadir)/baton"
	rm -f $D$(bindir)/baton-bench" $D$(bindir)/baton-sum"
	rm -f $D$(bindir)/baton-top" $D$(bindir)/baton-trace"
	for f in $(OLD_PAGES); do rm -f $D$(mandir)/$$f" || exit; done

# With the rule for its device, and such that it is loaded when the system starts;
# both below the prefix, where udev and systemd look, too: /etc is the administrator's.
# K: for that kernel of the cache; otherwise for the running one.
udevdir ?= $(prefix)/lib/udev/rules.d
modulesloaddir ?= $(prefix)/lib/modules-load.d
KO_DIR := $(O)/kmod/$(or $(K),host)
# Kbuild signs with the kernel's own key, which whoever has just its headers has
# not: no word of that then.
unsigned = cd "$$kdir" && key=$$(sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' .config) && \
	case $$key in pkcs11:*) ;; *) [ -f "$$key" ] || echo CONFIG_MODULE_SIG_ALL= ;; esac
modules_install: $(KO_DIR)/baton.ko
	$(Q)kdir=$(if $(K),$$(selftests/vm/kernel $(K) | sed -n 's/^kdir=//p'),/lib/modules/$$(uname -r)/build) && \
	$(MAKE) -s -C "$$kdir" M="$(CURDIR)/$(KO_DIR)" INSTALL_MOD_DIR=updates \
		INSTALL_MOD_PATH=$D" $$($(unsigned)) modules_install
	install -d $D$(udevdir)" $D$(modulesloaddir)"
	install -m 644 tools/package/60-baton.rules $D$(udevdir)"
	install -m 644 tools/package/modules-load.d/baton.conf $D$(modulesloaddir)"

modules_uninstall:
	$(Q)release=$(if $(K),$$(selftests/vm/kernel $(K) | sed -n 's/^release=//p'),$$(uname -r)) && \
	rm -f $D/lib/modules/$$release/updates/baton.ko"*
	rm -f $D$(udevdir)/60-baton.rules" $D$(modulesloaddir)/baton.conf"

# --- releases and packages -------------------------------------------------

# The same archive from the same tree, whoever makes it: git's files as they are
# here, whoever owns them; or, in an archive unpacked, all but what was built.
DIST := baton-$(VERSION)
GIT := git -c safe.directory='*'
dist:
	$(Q)mkdir -p "$(O)"
	$(Q)files=$$(if [ -e .git ]; then $(GIT) ls-files; else \
		find * .[!.]* -path build -prune -o ! -type d -print; fi) && \
		time=$$([ -e .git ] && $(GIT) log -1 --format=%ct 2>/dev/null || \
			stat -c %Y VERSION) && \
		echo "$$files" | LC_ALL=C sort | \
		tar -cf - -T - --transform 's|^|$(DIST)/|S' --owner=0 --group=0 \
			--numeric-owner --mode=u=rwX,go=rX --format=ustar \
			--mtime="@$$time" | \
		gzip -n9 >"$(O)/$(DIST).tar.gz"
	$(call say,DIST,"$(O)/$(DIST).tar.gz")

# Those of README, from the data beside them; tools/pictures/measure has made these.
PICTURES := tools/pictures/handoff.svg tools/pictures/timeline.svg
pictures: $(PICTURES)

$(O)/draw: $(O)/tools/pictures/draw.o $(O)/tools/baton-bench/chart.o
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lm

tools/pictures/%.svg: tools/pictures/%.tsv $(O)/draw
	$(call say,DRAW,$@)
	$(Q)$(O)/draw $* <$< >$@.tmp && mv $@.tmp $@

# For a browser, in build/docs/.
docs:
	@tools/docs/build $(O)/docs

# Each in build/package, by the tools of its distribution.
deb rpm:
	@tools/package/build $@

check-package: deps-package
	@tools/package/check

release-check: deps-release
	@tools/package/release-check

help:
	@echo 'make             libbaton.a, libbaton.so and the tools, in build/'
	@echo 'make demo        the main job, with and without the module, in a VM'
	@echo '                 (HOST=1: load the module on this machine instead)'
	@echo 'make check       all tests: here, and in a VM on each kernel'
	@echo 'make check-arch  all ports, emulated; make check has four of the eight'
	@echo 'make check-debug  the module, on a kernel that looks for mistakes: an hour or more'
	@echo 'make check-kernels  the module: more kernels, its other hook, checkers'
	@echo 'make check-delays  the library, with threads that are late at random'
	@echo 'make check-trace  trace-cmd, bpftrace and drgn on the module, in a VM'
	@echo 'make model       the protocols, in all states that they can get to'
	@echo 'make bench       the benchmarks, here'
	@echo 'make bench-peers other runtimes beside the library, and charts of it'
	@echo 'make kmod K=6.12 baton.ko for one of: $(KERNELS) 7.3 debug'
	@echo 'make selftests   build the tests'
	@echo 'make examples    servers and the like, in build/examples/'
	@echo 'make style       what the style checks find'
	@echo 'make deps        install the packages that building needs; deps-demo,'
	@echo '                 deps-check, deps-check-arch: what these commands need'
	@echo 'make install     DESTDIR, prefix, libdir, includedir, mandir, ...'
	@echo 'make uninstall   with the same ones: remove what was installed'
	@echo '                 (CRYPTO=: without baton-sum, as where there is no OpenSSL;'
	@echo '                 URING=: files by foreign calls, as where there is no liburing)'
	@echo 'make pictures    draw the pictures of README anew, from measured data'
	@echo 'make docs        the manual pages and the like, for a browser'
	@echo 'make modules_install  the module, its rule for udev: for this kernel;'
	@echo '                 modules_uninstall removes them'
	@echo 'make deb, rpm    packages, in build/package/'
	@echo 'make release-check  is this a tree to be released as VERSION?'
	@echo 'make check-package  these, installed in fresh roots; network, root'
	@echo 'make dist        the archive of a release, the same whoever makes it'
	@echo 'make clean'
	@echo 'SAN=address, thread or undefined: under that sanitizer'
	@echo 'DEBUG=1          the library looks for more mistakes, in build/debug/'
	@echo 'ARCH=riscv64     or another folder of asm/: for that, in build/arch/'
	@echo 'V=1 shows commands; CI=1 makes warnings errors'

clean:
	rm -rf $(O)

.PHONY: all bench bench-peers check check-arch check-debug check-delays check-kernels check-package check-shadow check-trace clean deb demo deps dist docs examples help install kmod model modules_install modules_uninstall pictures release-check rpm selftests style uninstall
.DELETE_ON_ERROR:
.SECONDARY:

# Below these alone: what has an O of its own may be made meanwhile, and of a file
# that is being written there would be half.
-include $(shell find $(O)/lib $(O)/tools -name '*.d' -type f 2>/dev/null)
