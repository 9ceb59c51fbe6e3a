# tapegrad: `make help` lists what can be made.
#
# Everything built goes to build/, and for another configuration to build/CONFIG/ (CONFIG=asan, tsan, wide), so that they live
# side by side. Sources are found by wildcard: a new file is part of the build.

VERSION := $(shell sed -n 's/^#define TG_VERSION "\(.*\)".*/\1/p' include/tapegrad/core.h)
SO      := libtapegrad.so
SONAME  := $(SO).$(firstword $(subst ., ,$(VERSION)))

# What a user may set: CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR, DEPS=skip, V=1 (show commands), and what the targets below name.
CFLAGS ?= -O3 -g
PREFIX ?= /usr/local
Q      := $(if $(V),,@)

# One job at a time may use every core; two jobs named together run one after the other.
ifeq ($(MAKELEVEL)$(word 2,$(MAKECMDGOALS))$(findstring j,$(firstword -$(MAKEFLAGS)))$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
endif

# ---------------------------------------------------------------- configurations

CONFIG  :=
B       := build$(addprefix /,$(CONFIG))
ifeq ($(CONFIG),asan)
CC      := gcc
CFLAGS  := -O1 -g -fno-omit-frame-pointer
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=all
endif
ifeq ($(CONFIG),tsan)
CC      := clang
CFLAGS  := -O1 -g -fno-omit-frame-pointer
SAN     := -fsanitize=thread
endif

ifeq ($(CONFIG),wide)
CPPFLAGS += -DTG__WIDE_BUILD
endif

# ---------------------------------------------------------------- libraries and flags

# Looked up when first needed, not when make starts: tools/deps may have to install pkg-config first.
once       = $(eval $(1) := $$(shell $(2)))$($(1))
ZLIB       = $(call once,ZLIB,pkg-config --exists zlib && echo zlib)
PKG_CFLAGS = $(call once,PKG_CFLAGS,pkg-config --cflags libxxhash $(ZLIB))
PKG_LIBS   = $(call once,PKG_LIBS,pkg-config --libs libxxhash $(ZLIB))
# LAPACK= on the command line builds without it.
LAPACK     = $(call once,LAPACK,pkg-config --libs lapack 2>/dev/null || \
               { echo 'int main(void) { return 0; }' | $(CC) -x c - -llapack -o /dev/null 2>/dev/null && echo -llapack; })
JANSSON    = $(call once,JANSSON,pkg-config --libs jansson 2>/dev/null) # a second opinion for the tests of the JSON reader
CRITERION  = $(call once,CRITERION,pkg-config --cflags --libs criterion)

# -fno-math-errno and -fno-trapping-math change no value; contraction would, so that it is off (docs/design.md, bits).
FLAGS = -std=c11 $(CPPFLAGS) $(CFLAGS) $(SAN) -Wall -Wextra -Wpedantic $(WERROR) \
        -fno-math-errno -fno-trapping-math -ffp-contract=off -fvisibility=hidden -fPIC -fno-semantic-interposition -fopenmp -pthread -Iinclude -I. \
        $(if $(ZLIB),-DTG_HAVE_ZLIB) $(if $(LAPACK),-DTG_HAVE_LAPACK) $(if $(JANSSON),-DTG_HAVE_JANSSON) \
        $(PKG_CFLAGS) -MMD -MP
LINK  = $(CC) $(CFLAGS) $(SAN) -fopenmp $(LDFLAGS)
LIBS  = $(PKG_LIBS) $(if $(LAPACK),$(LAPACK) -ldl) -pthread -lm

# The hot kernels are compiled once for each instruction set, and picked at run time.
ISAS       := any $(if $(filter x86_64%,$(shell $(CC) -dumpmachine 2>/dev/null)),avx2 avx512)
ISA_avx2   := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512
ifeq ($(CONFIG),wide) # kernels/set.h
ISA_avx512 := -mavx2 -mfma -DTG__VECTOR_BYTES=64 -Wno-psabi
endif

# ---------------------------------------------------------------- files

GENERATED := kernels/micro.inc ops/list.c include/tapegrad/ops.h docs/ops.md
HOT       := $(filter $(wildcard kernels/*.c),$(addprefix kernels/,micro.c chain.c fold.c rows.c norm.c depthwise.c direct.c winograd.c gemm.c))
SOURCES   := $(sort ops/list.c $(filter-out $(HOT),$(wildcard engine/*.c kernels/*.c ops/*.c check/*.c nn/*.c optim/*.c io/*.c)))
objects    = $(patsubst %.c,$(B)/obj/%.o,$(1))
OBJECTS   := $(call objects,$(SOURCES)) $(foreach isa,$(ISAS),$(HOT:%.c=$(B)/obj/%.$(isa).o))

TOOLS     := $(patsubst tools/%.c,$(B)/%,$(wildcard tools/tg_*.c))
TOOLS     := $(subst tg_,tg-,$(TOOLS))
EXAMPLES  := $(patsubst %.c,$(B)/%,$(wildcard examples/*.c))
PROTO     := $(patsubst bench/%.c,$(B)/%,$(wildcard bench/proto_*.c))
TESTS     := $(filter-out tests/main.c tests/criterion.c,$(wildcard tests/*.c))
BENCHES   := $(filter-out bench/proto_%,$(wildcard bench/*.c))

# ---------------------------------------------------------------- targets

.PHONY: all demo test nightly gradcheck bench bench-check bench-compare proto docs flags install uninstall clean asan tsan check \
        lint deps needs help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/libtapegrad.a $(B)/$(SO) $(TOOLS) $(EXAMPLES) ## the library, static and shared, the tools and the examples

demo: all ## train on digits, DATA=dir on IDX files (QUICK=1: short); results in build/demo/
	@mkdir -p $(B)/demo
	OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-passive} \
	$(B)/examples/mnist --out $(B)/demo $(if $(DATA),--data '$(DATA)') $(if $(QUICK),--quick)

test: all $(B)/tests $(B)/tests-criterion $(B)/instructions ## every check there is
	@tests/run $(B)

nightly: needs ## hours: the full product of every op, fuzzing, all floats; NIGHTLY='step ...' for some, NIGHTLY=list
	@tests/nightly

check: $(B)/tests ## the tests in one process, T='pattern ...' for some of them
	$(B)/tests $(T)

gradcheck: $(B)/tg-gradcheck $(B)/tests ## every op: layouts, errors of first and second order; writes docs/gradients.md
	$(B)/tg-gradcheck -o docs/gradients.md
	$(B)/tests -q reference/agrees_with_pytorch

bench: $(B)/bench ## speed, one JSON line per case: CASES=regex THREADS=n
	@$(B)/bench $(if $(CASES),--cases '$(CASES)') $(if $(THREADS),--threads $(THREADS))

bench-check: $(B)/bench ## the same cases untimed: the same bits on 1, 2 and 3 threads
	$(B)/bench --check $(if $(CASES),--cases '$(CASES)')

VENV ?= $(B)/venv
bench-compare: $(B)/bench ## beside PyTorch, which is installed into VENV=dir: CASES=regex THREADS=1,2 QUIET=command
	@tools/deps compare
	bench/compare.py --bench $(B)/bench --venv '$(VENV)' --results $(B)/compare.jsonl --report docs/performance.md \
	    --plot docs/performance.svg $(if $(CASES),--cases '$(CASES)') $(if $(THREADS),--threads $(THREADS)) \
	    $(if $(QUIET),--prefix '$(QUIET)')

proto: $(PROTO) ## the measurements behind the design (docs/design.md)
	@set -e; for p in $(PROTO); do $$p; done

docs: $(GENERATED) ## the generated parts of docs/ and of the headers

# Some tests ask for more memory than there is: that is to be a failed call, as without the sanitizer.
asan: ## the tests under the address, undefined-behaviour and leak sanitizers (gcc)
	@$(MAKE) --no-print-directory CONFIG=asan all build/asan/tests
	tests/harness build/asan asan
	ASAN_OPTIONS=allocator_may_return_null=1 build/asan/tests $(T)

# Archer, in libomp, tells ThreadSanitizer what OpenMP orders; without it correct loops are reported.
TSAN_TESTS ?= threads
tsan: ## the tests of concurrency under the thread sanitizer (clang)
	@$(MAKE) --no-print-directory CONFIG=tsan build/tsan/tests
	TSAN_OPTIONS=ignore_noninstrumented_modules=1 tests/harness build/tsan tsan
	TSAN_OPTIONS=ignore_noninstrumented_modules=1 build/tsan/tests $(or $(T),$(TSAN_TESTS))

.PHONY: wide port
WIDE_TESTS ?= kernels chains fuzz op
wide: ## the code for AVX-512, made of AVX2, and products on emulated tiles of AMX, under the tests of kernels and ops
	@$(MAKE) --no-print-directory CONFIG=wide build/wide/tests
	TG_ISA=avx512 build/wide/tests $(or $(T),$(WIDE_TESTS))
	TG_MATMUL=amx-emulated build/wide/tests -q $(or $(T),amx op/matmul op/conv op/attention)

port: ## the tests for aarch64, by a cross compiler and an emulator: NEON; T= works here, too
	@tests/port-arm64 $(T)

lint: $(B)/libtapegrad.a $(B)/$(SO) ## the rules of the sources, the headers alone in C and C++, the symbols
	tools/lint $(B)

deps: ## install what the build, the demo and the tests need
	@tools/deps build demo test

flags: ## what a program needs of a library that is not installed: cc my.c $(make -s flags)
	@echo $(PKG_CFLAGS) -Iinclude $(B)/libtapegrad.a -fopenmp $(LIBS)

install: all ## PREFIX=/usr/local, DESTDIR= for packagers
	install -d $(addprefix '$(DESTDIR)$(PREFIX)'/,bin include/tapegrad lib/pkgconfig)
	install -m 644 include/tapegrad.h '$(DESTDIR)$(PREFIX)'/include
	install -m 644 include/tapegrad/*.h '$(DESTDIR)$(PREFIX)'/include/tapegrad
	install -m 644 $(B)/libtapegrad.a '$(DESTDIR)$(PREFIX)'/lib
	install -m 755 $(B)/$(SO).$(VERSION) '$(DESTDIR)$(PREFIX)'/lib
	ln -sf $(SO).$(VERSION) '$(DESTDIR)$(PREFIX)'/lib/$(SONAME)
	ln -sf $(SONAME) '$(DESTDIR)$(PREFIX)'/lib/$(SO)
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@ZLIB@|$(ZLIB)|; s|@LAPACK@|$(if $(LAPACK),$(LAPACK) -ldl)|' tapegrad.pc.in \
	    >'$(DESTDIR)$(PREFIX)'/lib/pkgconfig/tapegrad.pc
	$(if $(TOOLS),install -m 755 $(TOOLS) '$(DESTDIR)$(PREFIX)'/bin)

uninstall: ## with the same PREFIX and DESTDIR
	rm -rf '$(DESTDIR)$(PREFIX)'/include/tapegrad
	rm -f $(addprefix '$(DESTDIR)$(PREFIX)'/,include/tapegrad.h lib/libtapegrad.a lib/$(SO) lib/$(SONAME) lib/$(SO).$(VERSION) \
	    lib/pkgconfig/tapegrad.pc $(addprefix bin/,$(notdir $(TOOLS))))

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
	    while IFS='|' read -r target text; do printf '  make %-13s %s\n' $$target "$$text"; done

# ---------------------------------------------------------------- rules

# What is missing is installed where the user asked for a whole job, and only named where not.
JOBS := $(filter demo test nightly gradcheck bench bench-check bench-compare proto asan tsan check,$(MAKECMDGOALS) $(CONFIG))
needs:
	@tools/deps $(if $(JOBS),,--check) build $(filter demo test tsan,$(JOBS:nightly=test tsan))

# The stamp is newer than every source it was made from; gen-ops touches a generated file only where its content changes.
$(GENERATED): $(B)/generated ;@:
$(B)/generated: tools/gen-ops $(filter-out ops/list.c,$(wildcard ops/*.c))
	@mkdir -p $(@D)
	tools/gen-ops
	@touch $@

$(B)/obj/%.o: %.c | needs $(GENERATED)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $@")
	$(Q)$(CC) $(FLAGS) -c $< -o $@

define isa_rule
$(B)/obj/%.$(1).o: %.c | needs $(GENERATED)
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  CC    $$@")
	$(Q)$$(CC) $$(FLAGS) -DTG__ISA=$(1) $$(ISA_$(1)) -c $$< -o $$@
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

$(B)/libtapegrad.a: $(OBJECTS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/$(SO): $(OBJECTS)
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) -o $@.$(VERSION) $^ $(LIBS)
	@ln -sf $(SO).$(VERSION) $(B)/$(SONAME)
	@ln -sf $(SONAME) $@

$(B)/tests: $(call objects,tests/main.c $(TESTS))
$(B)/tests-criterion: $(call objects,tests/criterion.c $(TESTS))
$(B)/tests $(B)/tests-criterion: LIBS += $(JANSSON)
$(B)/tests-criterion: PKG_LIBS += $(CRITERION)
$(B)/obj/tests/%.o: CFLAGS := $(patsubst -O%,-O1,$(CFLAGS))
$(B)/obj/tests/criterion.o: PKG_CFLAGS += $(CRITERION)
$(B)/instructions: $(call objects,tests/instructions/count.c)
$(B)/bench: $(call objects,$(BENCHES))
$(TOOLS): $(B)/tg-%: $(B)/obj/tools/tg_%.o
# an example is a file, or a file and a folder of its name
$(foreach e,$(EXAMPLES),$(eval $(e): $(call objects,$(wildcard $(e:$(B)/%=%).c $(e:$(B)/%=%)/*.c))))
$(PROTO): $(B)/proto_%: $(B)/obj/bench/proto_%.o

PROGRAMS := $(B)/tests $(B)/tests-criterion $(B)/instructions $(B)/bench $(TOOLS) $(EXAMPLES) $(PROTO)
$(PROGRAMS): $(B)/libtapegrad.a | needs
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(B)/libtapegrad.a $(LIBS)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
