/* Running a block: its micro-ops over one chunk of elements after the other, and the sums at its end. */
#include <stdatomic.h>

#include "chain.h"
#include "planner.h"

typedef struct block_run {
    const tg_tape *t;
    const tg__plan *plan;
    const tg__block *b;
    char *const *base; /* by storage */
    const tg__chain *chain;
    bool in_runs;
    const tg__instr *last; /* not NULL: the last micro-op is left to the fold at the end, which reads its operands itself */
    void (*leaf)(const void *a, const void *b, int64_t n, int one, void *out);
    int ones; /* operands of it that are one element */
    _Atomic int workers; /* each takes a part of the scratch memory */
} block_run;

static int64_t leaves_of(int64_t segment) { return tg__pieces(segment, TG__FOLD_LEAF); }

/* What a fold takes: elements that registers point to. */
typedef struct folded {
    const block_run *w;
    const tg__tail *tail;
    void *const *reg;
} folded;

/* One leaf of at most `n` elements, from element `at` on. */
static inline void fold_leaf(const folded *f, int64_t at, int64_t n, char *out) {
    int64_t bytes = at * f->tail->size;
    const tg__instr *last = f->w->last;
    if (n > TG__FOLD_LEAF) n = TG__FOLD_LEAF;
    if (!last) {
        f->tail->fold->leaf((char *)f->reg[f->tail->reg] + bytes, n, out);
        return;
    }
    const char *a = f->reg[last->a], *b = f->reg[last->b];
    f->w->leaf(f->w->ones & 1 ? a : a + bytes, f->w->ones & 2 ? b : b + bytes, n, f->w->ones, out);
}

/* n elements of whole segments, each folded to its end. */
static void fold_segments(const folded *f, char *out, int64_t segment, int64_t n) {
    int64_t size = f->tail->size;
    for (int64_t begin = 0; begin < n; begin += segment, out += size) {
        if (segment <= TG__FOLD_LEAF) {
            fold_leaf(f, begin, segment, out);
            continue;
        }
        _Alignas(64) char leaves[(TG__LONGEST_CHUNK / TG__FOLD_LEAF + 1) * 8];
        int64_t m = leaves_of(segment);
        for (int64_t l = 0; l < m; l++)
            fold_leaf(f, begin + l * TG__FOLD_LEAF, segment - l * TG__FOLD_LEAF, leaves + l * size);
        f->tail->fold->combine(leaves, m, out);
    }
}

/* A piece of a segment that is longer than a chunk: its leaves wait for the others. */
static void fold_piece(const folded *f, char *partials, int64_t segment, int64_t begin, int64_t n) {
    char *out = partials + (begin / segment * leaves_of(segment) + begin % segment / TG__FOLD_LEAF) * f->tail->size;
    for (int64_t at = 0; at < n; at += TG__FOLD_LEAF, out += f->tail->size) fold_leaf(f, at, n - at, out);
}

static void run_tails(const block_run *w, void *const *reg, int64_t begin, int64_t n) {
    const tg__block *b = w->b;
    for (uint32_t i = 0; i < b->n_tails; i++) {
        const folded f = {w, &w->plan->tails[b->tails + i], reg};
        if (b->pieces)
            fold_piece(&f, w->base[f.tail->partials], b->segment, begin, n);
        else
            fold_segments(&f, w->base[f.tail->storage] + begin / b->segment * f.tail->size, b->segment, n);
    }
}

/* What a worker works with: the addresses of registers, and its part of the scratch memory. */
typedef struct worker {
    const block_run *w;
    void **reg;
    char *scratch;
    bool chained;
} worker;

static char *slot_of(const worker *k, uint32_t slot) { return k->scratch + (size_t)slot * k->w->b->slot_bytes; }

static bool is_copied(const block_run *w, const tg__stream *s) {
    return s->kind == TG__STRIDED && !(w->in_runs && s->in_runs);
}

static void copy_streams(const worker *k, int64_t begin, int64_t n) {
    const block_run *w = k->w;
    const tg__stream *s = w->plan->streams + w->b->streams, *end = s + w->b->n_streams;
    for (; s < end; s++)
        if (is_copied(w, s))
            tg__copy_in(slot_of(k, s->slot), w->base[s->storage] + s->offset, s->size, &tg__shape_at(w->t, s->shape)->shape,
                        w->plan->strides + s->strides, begin, n);
}

/* Points registers to elements from `at` on, in the chunk that begins at `begin`. */
static void point_registers(const worker *k, int64_t begin, int64_t at) {
    const block_run *w = k->w;
    const tg__stream *s = w->plan->streams + w->b->streams, *end = s + w->b->n_streams;
    for (; s < end; s++) {
        if (s->kind == TG__LINEAR)
            k->reg[s->reg] = w->base[s->storage] + s->offset + at * s->size;
        else if (is_copied(w, s))
            k->reg[s->reg] = slot_of(k, s->slot) + (at - begin) * s->size;
    }
    const tg__out *outs = w->plan->outs + w->b->outs;
    for (uint32_t i = 0; i < w->b->n_outs; i++) k->reg[outs[i].reg] = w->base[outs[i].storage] + at * outs[i].size;
    const tg__tail *tails = w->plan->tails + w->b->tails;
    uint32_t fixed = w->b->n_regs - w->b->n_slots; /* the first scratch register */
    for (uint32_t i = 0; i < w->b->n_tails; i++)
        if (tails[i].reg >= fixed) k->reg[tails[i].reg] = slot_of(k, tails[i].reg - fixed) + (at - begin) * tails[i].size;
}

/* n elements of the run that element `at` lies in; chains read a group of one element again and again. */
static void point_to_run(const worker *k, int64_t at, int64_t n) {
    const block_run *w = k->w;
    const tg__stream *s = w->plan->streams + w->b->streams, *end = s + w->b->n_streams;
    int64_t run = at / w->b->run, in_run = at - run * w->b->run;
    if (k->chained && n > w->chain->set->group) n = w->chain->set->group;
    for (; s < end; s++) {
        if (!s->in_runs) continue;
        char *data = w->base[s->storage] + tg__run_offset(w->plan, s, run);
        if (!s->one_element)
            k->reg[s->reg] = data + in_run * s->size;
        else if (w->ones)
            k->reg[s->reg] = data;
        else
            tg__fill(k->reg[s->reg], data, s->size, n);
    }
}

/* What does not change from chunk to chunk: splats, sources, scratch registers. */
static void start_registers(const worker *k) {
    const block_run *w = k->w;
    const tg__block *b = w->b;
    const tg__stream *s = w->plan->streams + b->streams, *end = s + b->n_streams;
    for (; s < end; s++) {
        if (s->kind == TG__FIXED) k->reg[s->reg] = w->base[s->storage];
        if (s->slot != TG__NONE) k->reg[s->reg] = slot_of(k, s->slot);
        if (s->kind == TG__SPLAT) tg__fill(k->reg[s->reg], w->base[s->storage] + s->offset, s->size, b->chunk);
    }
    for (uint32_t i = 0; i < b->n_slots; i++) k->reg[b->n_regs - b->n_slots + i] = slot_of(k, i);
}

static inline void run_micro_ops(const block_run *w, void *const *reg, int64_t begin, int64_t n) {
    const tg__instr *ins = w->plan->instrs + w->b->instrs, *end = w->last ? w->last : ins + w->b->n_instrs;
    for (; ins < end; ins++) {
        if (ins->c == TG__SOURCE_MARK)
            ins->fn.source((size_t)n, reg[ins->out], reg[ins->a], (uint64_t)begin);
        else
            ins->fn.micro((size_t)n, reg[ins->out], reg[ins->a], reg[ins->b], reg[ins->c]);
    }
}

/* Whole groups by the chain, the rest by the loops; registers are left as they were. */
static void run_chain(const block_run *w, void **reg, int64_t begin, int64_t n) {
    const tg__chain *c = w->chain;
    int64_t groups = n / c->set->group, done = groups * c->set->group;
    c->set->run(c->steps, reg, c->moves, c->n_moves, groups);
    if (done < n) run_micro_ops(w, reg, begin + done, n - done);
    for (int i = 0; i < c->n_moves; i++) reg[c->moves[i].reg] = (char *)reg[c->moves[i].reg] - groups * c->moves[i].bytes;
}

static inline void compute(const worker *k, int64_t begin, int64_t n) {
    if (k->chained)
        run_chain(k->w, k->reg, begin, n);
    else
        run_micro_ops(k->w, k->reg, begin, n);
    if (k->w->last) run_tails(k->w, k->reg, begin, n);
}

static void compute_runs(const worker *k, int64_t begin, int64_t n) {
    for (int64_t at = begin, end = begin + n, next; at < end; at = next) {
        next = (at / k->w->b->run + 1) * k->w->b->run;
        if (next > end) next = end;
        point_registers(k, begin, at);
        point_to_run(k, at, next - at);
        compute(k, at, next - at);
    }
    point_registers(k, begin, begin);
}

static void chunk_bounds(const tg__block *b, int64_t c, int64_t *begin, int64_t *end) {
    int64_t from = b->pieces ? c / b->pieces * b->segment : 0, to = b->pieces ? from + b->segment : b->numel;
    *begin = from + (b->pieces ? c % b->pieces : c) * b->chunk;
    *end = *begin + b->chunk < to ? *begin + b->chunk : to;
}

/* Chunks [first, last) of the block. */
static inline void run_range(block_run *w, int64_t first, int64_t last, char *cells) {
    void *reg[TG__CHAIN_REGS + 1];
    int part = atomic_fetch_add_explicit(&w->workers, 1, memory_order_relaxed);
    worker k = {w, reg, w->t->block_scratch + (size_t)part * w->plan->block_scratch, cells != NULL};
    start_registers(&k);
    if (cells) tg__chain_place(w->chain, w->plan, w->b, reg, cells);
    for (int64_t c = first, begin, end; c < last; c++) {
        chunk_bounds(w->b, c, &begin, &end);
        copy_streams(&k, begin, end - begin);
        if (w->in_runs) {
            compute_runs(&k, begin, end - begin);
        } else {
            point_registers(&k, begin, begin);
            compute(&k, begin, end - begin);
        }
        if (!w->last) run_tails(w, reg, begin, end - begin);
    }
}

static void run_chunks(int64_t first, int64_t last, void *ctx) { run_range(ctx, first, last, NULL); }

static void run_chained_chunks(int64_t first, int64_t last, void *ctx) {
    _Alignas(64) char cells[TG__CHAIN_CELLS * TG__CHAIN_CELL];
    const block_run *w = ctx;
    run_range(ctx, first, last, cells);
    if (w->chain->past) w->chain->set->end_past();
}

static void combine_tails(const block_run *w) {
    const tg__block *b = w->b;
    int64_t m = leaves_of(b->segment);
    for (uint32_t i = 0; i < b->n_tails; i++) {
        const tg__tail *tail = &w->plan->tails[b->tails + i];
        for (int64_t s = 0; s < b->numel / b->segment; s++)
            tail->fold->combine(w->base[tail->partials] + s * m * tail->size, m, w->base[tail->storage] + s * tail->size);
    }
}

/* Whether no end of a run cuts a leaf of a sum, and no fold is cut that ends in one chunk. */
static bool runs_hold_leaves(const block_run *w) {
    const tg__block *b = w->b;
    if (!w->in_runs || b->run % b->segment == 0) return true;
    return b->pieces && b->run % TG__FOLD_LEAF == 0 && (b->segment == b->numel || b->segment % TG__FOLD_LEAF == 0);
}

static bool is_one_element(const block_run *w, uint16_t reg) {
    const tg__stream *s = w->plan->streams + w->b->streams, *end = s + w->b->n_streams;
    for (; s < end; s++)
        if (s->reg == reg) return s->kind == TG__SPLAT || (w->in_runs && s->in_runs && s->one_element);
    return false;
}

/* A fold alone at the end takes the last micro-op over, where its kernels know how. */
static void leave_last_to_fold(block_run *w) {
    const tg__block *b = w->b;
    const tg__tail *tail = &w->plan->tails[b->tails];
    const tg__instr *last = &w->plan->instrs[b->instrs + b->n_instrs - 1];
    if (b->n_tails != 1 || b->n_instrs == 0 || last->out != tail->reg || last->out < b->n_regs - b->n_slots) return;
    if (last->c == TG__SOURCE_MARK || !tail->fold->pairs || !runs_hold_leaves(w)) return;
    const tg__fold_pair *pair = tail->fold->pairs;
    while (pair->micro && pair->micro != last->fn.micro) pair++;
    if (!pair->micro) return;
    w->last = last;
    w->leaf = pair->leaf;
    if (b->n_instrs == 1) w->ones = is_one_element(w, last->a) | is_one_element(w, last->b) << 1;
}

#define LONG_RUN 1024 /* elements: loops are called for every run, so that copies cost less where runs are shorter */

void tg__block_run(const tg_tape *t, const tg__plan *plan, const tg__block *b, char *const *base) {
    if (b->numel == 0) return;
    tg__chain chain;
    bool chained = tg__chain_make(&chain, plan, b, base);
    block_run w = {t, plan, b, base, &chain, b->run && (chained || b->run >= LONG_RUN), NULL, NULL, 0, 0};
    if (!chained) leave_last_to_fold(&w);
    int64_t chunks = b->pieces ? b->pieces * (b->numel / b->segment) : tg__pieces(b->numel, b->chunk);
    if (chunks == 1 && !chained)
        run_chunks(0, 1, &w);
    else
        tg_parallel(t->threads, chunks, b->work, chained ? run_chained_chunks : run_chunks, &w);
    if (b->pieces) combine_tails(&w);
}
