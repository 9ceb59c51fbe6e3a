/* The debug memory of planned runs (TG_POISON=1): pool memory that holds no live value is full of NaNs, and so are guard
 * bytes around each value and the scratch memory of each step. What reads a dead value computes NaNs; what writes beside
 * its values is found here. For tests: slow, and the pool is larger. */
#include "planner.h"

#define POISON 0xff /* every float made of it is a NaN, every whole number -1 */

static bool is_poison(const char *p, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if ((unsigned char)p[i] != POISON) return false;
    return true;
}

static void fill(void *p, size_t n) {
    if (n) memset(p, POISON, n);
}

static void fill_scratch(tg_tape *t) {
    fill(t->scratch, t->scratch_size);
    fill(t->block_scratch, t->block_scratch_size);
}

void tg__debug_start(tg_tape *t) {
    fill(t->pool, t->pool_size);
    fill_scratch(t);
}

static bool guards_whole(const tg_tape *t, const tg__storage *s) {
    const char *begin = t->pool + s->offset;
    return is_poison(begin - TG__GUARD, TG__GUARD) && is_poison(begin + s->bytes, TG__GUARD);
}

tg_status tg__debug_step(tg_tape *t, const tg__plan *plan, uint32_t step, const char *name) {
    for (uint32_t i = 0; i < plan->n_storages; i++) {
        const tg__storage *s = &plan->storages[i];
        if (s->cls != TG__ST_POOL || s->def > step || s->last < step || s->last == TG__NONE) continue;
        if (!guards_whole(t, s)) return tg__fail(t, TG_EINTERNAL, name, NULL, 0, "step %u wrote beside its values", step);
        if (s->last == step) fill(t->pool + s->offset, (size_t)s->bytes);
    }
    fill_scratch(t);
    return TG_OK;
}
