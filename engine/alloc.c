#define _DEFAULT_SOURCE /* madvise */
#include "alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

static _Atomic uint64_t calls, fail_at, live;
static _Atomic bool fail_forever;
static _Atomic size_t most = SIZE_MAX;

uint64_t tg__alloc_fail_at(uint64_t n, bool forever) {
    fail_at = n;
    fail_forever = forever;
    return atomic_exchange(&calls, 0);
}

void tg__alloc_most(size_t size) { most = size ? size : SIZE_MAX; }

uint64_t tg__alloc_live(void) { return live; }

void tg__alloc_for_ever(void) { atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed); }

static bool must_fail(void) {
    uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return at != 0 && (call == at || (call > at && fail_forever));
}

#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE (4 * HUGE_PAGE)

/* Large blocks ask for huge pages: fewer faults when they are first touched, and fewer misses of the address cache when they
 * are walked with long strides. A wish that the system may refuse. */
static void *large_block(size_t size) {
    void *p = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
#ifdef MADV_HUGEPAGE
    if (p) madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

void *tg__alloc(size_t size) {
    if (must_fail() || size > PTRDIFF_MAX - HUGE_PAGE || size > most) return NULL;
    void *p = size >= LARGE ? large_block(size) : aligned_alloc(64, (size + 64) & ~(size_t)63);
    if (p) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

void *tg__calloc(size_t count, size_t size) {
    if (size && count > PTRDIFF_MAX / size) return NULL;
    void *p = tg__alloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

void *tg__realloc(void *p, size_t old_size, size_t size) {
    void *q = tg__alloc(size);
    if (!q) return NULL;
    if (p) memcpy(q, p, old_size < size ? old_size : size);
    tg__free(p);
    return q;
}

void tg__free(void *p) {
    if (p) atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(p);
}

char *tg__strdup(const char *s) {
    size_t n = strlen(s) + 1;
    char *p = tg__alloc(n);
    return p ? memcpy(p, s, n) : NULL;
}

bool tg__grow(void *p, uint32_t *cap, uint64_t need, size_t size) {
    if (need <= *cap) return true;
    uint64_t next = *cap < 16 ? 32 : (uint64_t)*cap * 2;
    if (next < need) next = need;
    if (next > UINT32_MAX) return false;
    void *old;
    memcpy(&old, p, sizeof old);
    void *q = tg__realloc(old, *cap * size, next * size);
    if (!q) return false;
    memcpy(p, &q, sizeof q);
    *cap = (uint32_t)next;
    return true;
}
