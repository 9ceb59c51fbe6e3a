/* Placing: where in the pool each stored value lies. One sweep over the steps: the values that a step writes take the first
 * hole that is large enough, or the place of an input that dies there and is read element for element; then the holes of the
 * dead open. */
#include "planner.h"

#define ALIGN 64

static int64_t rounded(int64_t bytes) { return bytes <= 0 ? ALIGN : (bytes + ALIGN - 1) & ~(int64_t)(ALIGN - 1); }

/* What a value takes of the pool: itself, and guards where memory is debugged. */
static int64_t guard(const tg__planner *p) { return p->t->debug_memory ? TG__GUARD : 0; }
static int64_t span(const tg__planner *p, int64_t bytes) {
    return rounded((int64_t)tg__apart((size_t)bytes)) + 2 * guard(p);
}

static bool open_hole(tg__planner *p, int64_t offset, int64_t bytes) {
    uint32_t i = p->n_holes;
    while (i > 0 && p->holes[i - 1].offset > offset) i--;
    bool joins_before = i > 0 && p->holes[i - 1].offset + p->holes[i - 1].bytes == offset;
    bool joins_after = i < p->n_holes && offset + bytes == p->holes[i].offset;
    if (joins_before && joins_after) {
        p->holes[i - 1].bytes += bytes + p->holes[i].bytes;
        memmove(p->holes + i, p->holes + i + 1, (--p->n_holes - i) * sizeof *p->holes);
    } else if (joins_before) {
        p->holes[i - 1].bytes += bytes;
    } else if (joins_after) {
        p->holes[i] = (tg__hole){offset, bytes + p->holes[i].bytes};
    } else {
        if (!tg__grow(&p->holes, &p->holes_cap, p->n_holes + 1, sizeof *p->holes)) return false;
        memmove(p->holes + i + 1, p->holes + i, (p->n_holes++ - i) * sizeof *p->holes);
        p->holes[i] = (tg__hole){offset, bytes};
    }
    return true;
}

/* Small values come and go in great numbers and few sizes: a free place of exactly the size is taken at once. Such places do
 * not join others, which costs little, since they are small. */
static uint32_t *bin_of(tg__planner *p, int64_t bytes) {
    return bytes / ALIGN < TG__BINS ? &p->bins[bytes / ALIGN] : NULL;
}

/* The smallest hole that is large enough, else the end of the pool (after taking in a hole that ends there). */
static int64_t take(tg__planner *p, int64_t bytes) {
    uint32_t best = TG__NONE, *bin = bin_of(p, bytes);
    if (bin && *bin != TG__NONE) {
        uint32_t free = *bin;
        *bin = p->death_next[free];
        return p->draft.storages[free].offset - guard(p);
    }
    for (uint32_t i = 0; i < p->n_holes; i++)
        if (p->holes[i].bytes >= bytes && (best == TG__NONE || p->holes[i].bytes < p->holes[best].bytes)) best = i;
    int64_t end = (int64_t)p->draft.pool_bytes;
    if (best == TG__NONE) {
        int64_t offset = end;
        if (p->n_holes && p->holes[p->n_holes - 1].offset + p->holes[p->n_holes - 1].bytes == end)
            offset = p->holes[--p->n_holes].offset;
        p->draft.pool_bytes = (size_t)(offset + bytes);
        return offset;
    }
    int64_t offset = p->holes[best].offset;
    p->holes[best].offset += bytes;
    p->holes[best].bytes -= bytes;
    if (!p->holes[best].bytes) memmove(p->holes + best, p->holes + best + 1, (--p->n_holes - best) * sizeof *p->holes);
    return offset;
}

#define MOST_DYING 64 /* of one block: more are not looked at */

/* The inputs of block b that die there, whose memory an output might take over. */
static uint32_t list_dying(const tg__planner *p, const tg__block *b, uint32_t step, const tg__stream **dying) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n_streams && n < MOST_DYING; i++) {
        const tg__stream *in = &p->draft.streams[b->streams + i];
        const tg__storage *s = &p->draft.storages[in->storage];
        if (s->cls == TG__ST_POOL && s->last == step && s->def < step && s->ref != TG__NONE) dying[n++] = in;
    }
    return n;
}

static bool may_take_over(const tg__planner *p, const tg__stream *in, uint32_t step, const tg__out *o) {
    const tg__storage *from = &p->draft.storages[in->storage];
    return from->last == step && from->bytes == p->draft.storages[o->storage].bytes && in->size == o->size &&
           tg__only_reads_in_place(p, step, in->storage, o->written);
}

/* A storage that was taken over leaves no hole: its last step is set to none. */
static void take_over(tg__planner *p, uint32_t step) {
    const tg__step *s = &p->draft.steps[step];
    if (s->kind != TG__BLOCK) return;
    const tg__block *b = &p->draft.blocks[s->index];
    const tg__stream *dying[MOST_DYING];
    uint32_t n = list_dying(p, b, step, dying);
    for (uint32_t i = 0; i < b->n_outs && n; i++) {
        const tg__out *o = &p->draft.outs[b->outs + i];
        tg__storage *to = &p->draft.storages[o->storage];
        if (to->cls != TG__ST_POOL) continue;
        uint32_t k = 0;
        while (k < n && !may_take_over(p, dying[k], step, o)) k++;
        if (k == n) continue;
        to->offset = p->draft.storages[dying[k]->storage].offset;
        p->draft.storages[dying[k]->storage].last = TG__NONE;
    }
}

static bool start_deaths(tg__planner *p) {
    uint32_t steps = p->draft.n_steps, n = p->draft.n_storages;
    if (!tg__grow(&p->deaths, &p->deaths_cap, steps, sizeof *p->deaths) ||
        !tg__grow(&p->death_next, &p->death_next_cap, n, sizeof *p->death_next))
        return false;
    for (uint32_t i = 0; i < steps; i++) p->deaths[i] = TG__NONE;
    for (uint32_t i = 0; i < n; i++) {
        tg__storage *s = &p->draft.storages[i];
        s->offset = -1;
        if (s->cls != TG__ST_POOL) continue;
        p->death_next[i] = p->deaths[s->last];
        p->deaths[s->last] = i;
    }
    return true;
}

static bool close_value(tg__planner *p, uint32_t storage) {
    const tg__storage *s = &p->draft.storages[storage];
    uint32_t *bin = bin_of(p, span(p, s->bytes));
    if (!bin) return open_hole(p, s->offset - guard(p), span(p, s->bytes));
    p->death_next[storage] = *bin;
    *bin = storage;
    return true;
}

bool tg__place(tg__planner *p) {
    p->n_holes = 0;
    for (int i = 0; i < TG__BINS; i++) p->bins[i] = TG__NONE;
    if (!start_deaths(p)) return false;
    uint32_t next = 0, n = p->n_births ? p->n_births : p->draft.n_storages;
    for (uint32_t step = 0; step < p->draft.n_steps; step++) {
        take_over(p, step);
        for (; next < n; next++) { /* storages were made in the order of their steps; leaves are among them */
            tg__storage *s = &p->draft.storages[p->n_births ? p->births[next] : next];
            if (s->cls == TG__ST_LEAF) continue;
            if (s->def > step) break;
            if (s->cls == TG__ST_POOL && s->offset < 0) s->offset = take(p, span(p, s->bytes)) + guard(p);
        }
        for (uint32_t i = p->deaths[step], next_death; i != TG__NONE; i = next_death) {
            next_death = p->death_next[i];
            if (p->draft.storages[i].last == step && !close_value(p, i)) return false;
        }
    }
    return true;
}
