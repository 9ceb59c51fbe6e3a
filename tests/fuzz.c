/* Random programs, run in several ways that must agree bit for bit. A failure names the seed of the program;
 * TG_FUZZ_SEED=n starts there, TG_FUZZ_COUNT=n runs so many programs, TG_FUZZ_LOG=1 prints what they do and observe. */
#include <stdlib.h>

#include "engine/alloc.h"
#include "tests/fuzz.h"
#include "tests/test.h"

static uint64_t setting(const char *name, uint64_t fallback) {
    const char *v = getenv(name);
    return v && *v ? strtoull(v, NULL, 0) : fallback;
}

static fuzz_trace run(uint64_t seed, const fuzz_way *way) {
    fuzz_trace r = {.log = setting("TG_FUZZ_LOG", 0)};
    if (r.log) fprintf(stderr, "program %llu, %s\n", (unsigned long long)seed, way->name);
    uint64_t alive = tg__alloc_live();
    fuzz_run(seed, way, &r);
    CHECK(tg__alloc_live() == alive, "program %llu, %s: %lld blocks leaked", (unsigned long long)seed, way->name,
          (long long)(tg__alloc_live() - alive));
    CHECK(!r.failed, "program %llu, %s: %d unexpected errors", (unsigned long long)seed, way->name, r.failed);
    return r;
}

static bool agree(uint64_t seed, const fuzz_way *ways, int n) {
    char text[600];
    bool ok = true;
    fuzz_trace first = run(seed, &ways[0]);
    for (int i = 1; i < n && ok; i++) {
        fuzz_trace r = run(seed, &ways[i]);
        bool differ = fuzz_differ(&r, &first, text, sizeof text);
        ok = CHECK(!differ, "program %llu, %s against %s: %s (TG_FUZZ_SEED=%llu TG_FUZZ_COUNT=1)", (unsigned long long)seed,
                   ways[i].name, ways[0].name, text, (unsigned long long)seed);
        fuzz_trace_free(&r);
    }
    ok = CHECK(first.n > 0, "program %llu observed nothing", (unsigned long long)seed) && ok;
    fuzz_trace_free(&first);
    return ok;
}

/* Tapes and models are given back to a list, not to the system: as many as a program has must be there before counting. */
static void warm_up(void) {
    tg_model *m[8];
    for (int i = 0; i < 8; i++) m[i] = tg_model_new(0);
    for (int i = 0; i < 8; i++) tg_model_free(m[i]);
    tg_tape_free(tg_tape_new());
}

static void fuzz(uint64_t seed, uint64_t count, const fuzz_way *ways, int n) {
    seed = setting("TG_FUZZ_SEED", seed);
    count = setting("TG_FUZZ_COUNT", count);
    int bad = 0;
    warm_up();
    for (uint64_t i = 0; i < count && bad < 10; i++) bad += !agree(seed + i, ways, n);
}

TEST(fuzz, planned_equals_eager) {
    static const fuzz_way ways[] = {{.name = "eager", .eager = true, .threads = 1},
                                    {.name = "planned", .threads = 1},
                                    {.name = "planned in poisoned memory, values made twice",
                                     .poison = true,
                                     .remat = true,
                                     .threads = 1}};
    fuzz(1, 600, ways, 3);
}

TEST(fuzz, threads_change_no_bit) {
    static const fuzz_way ways[] = {{.name = "one thread", .threads = 1},
                                    {.name = "three threads", .poison = true, .remat = true, .threads = 3},
                                    {.name = "eager, three threads", .eager = true, .threads = 3}};
    fuzz(1000001, 60, ways, 3);
}

TEST(fuzz, failing_allocations) { /* nothing crashes, nothing leaks */
    static const fuzz_way ways[] = {{.name = "planned", .poison = true, .remat = true, .threads = 1, .faults = true},
                                    {.name = "eager", .eager = true, .threads = 1, .faults = true}};
    for (int way = 0; way < 2; way++) fuzz(2000001, 200, &ways[way], 1);
}
