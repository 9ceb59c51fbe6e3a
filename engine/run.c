/* Running a plan. All memory is taken before the first kernel; nothing after the commit point can fail. */
#include <stdatomic.h>

#include "chain.h"
#include "planner.h"

typedef struct run {
    tg_tape *t;
    tg__planner *p;
    const tg__plan *plan;
    char **base; /* by storage */
} run;

/* ------------------------------------------------------------------ blocks */

typedef struct block_run {
    const run *r;
    const tg__block *b;
    const tg__chain *chain;
    _Atomic int workers;    /* each takes a part of the scratch memory */
} block_run;

static int64_t leaves_of(int64_t segment) { return tg__pieces(segment, TG__FOLD_LEAF); }

/* Elements [begin, begin + n) of whole segments, each folded to its end. */
static void fold_segments(const tg__tail *tail, const char *x, char *out, int64_t segment, int64_t n) {
    int64_t size = tail->size;
    for (int64_t s = 0; s < n / segment; s++, x += segment * size, out += size) {
        if (segment <= TG__FOLD_LEAF) {
            tail->fold->leaf(x, segment, out);
            continue;
        }
        _Alignas(64) char leaves[(TG__LONGEST_CHUNK / TG__FOLD_LEAF + 1) * 8];
        int64_t m = leaves_of(segment);
        for (int64_t l = 0; l < m; l++) {
            int64_t from = l * TG__FOLD_LEAF, left = segment - from;
            tail->fold->leaf(x + from * size, left < TG__FOLD_LEAF ? left : TG__FOLD_LEAF, leaves + l * size);
        }
        tail->fold->combine(leaves, m, out);
    }
}

/* A piece of a segment that is longer than a chunk: its leaves wait for the others. */
static void fold_piece(const tg__tail *tail, const char *x, char *partials, int64_t segment, int64_t begin, int64_t n) {
    int64_t size = tail->size, at = begin / segment * leaves_of(segment) + begin % segment / TG__FOLD_LEAF;
    for (int64_t from = 0; from < n; from += TG__FOLD_LEAF, at++)
        tail->fold->leaf(x + from * size, n - from < TG__FOLD_LEAF ? n - from : TG__FOLD_LEAF, partials + at * size);
}

static void run_tails(const block_run *w, void *const *reg, int64_t begin, int64_t n) {
    const tg__block *b = w->b;
    for (uint32_t i = 0; i < b->n_tails; i++) {
        const tg__tail *tail = &w->r->plan->tails[b->tails + i];
        if (b->pieces)
            fold_piece(tail, reg[tail->reg], w->r->base[tail->partials], b->segment, begin, n);
        else
            fold_segments(tail, reg[tail->reg], w->r->base[tail->storage] + begin / b->segment * tail->size, b->segment, n);
    }
}

static void load_streams(const block_run *w, void **reg, char *scratch, int64_t begin, int64_t n) {
    const tg__block *b = w->b;
    const tg__stream *streams = w->r->plan->streams + b->streams;
    for (uint32_t i = 0; i < b->n_streams; i++) {
        const tg__stream *s = &streams[i];
        if (s->kind == TG__LINEAR) {
            reg[s->reg] = w->r->base[s->storage] + s->offset + begin * s->size;
        } else if (s->kind == TG__STRIDED) {
            char *to = scratch + (size_t)s->slot * b->slot_bytes;
            tg__copy_in(to, w->r->base[s->storage] + s->offset, s->size, &tg__shape_at(w->r->t, s->shape)->shape,
                        w->r->plan->strides + s->strides, begin, n);
        }
    }
    const tg__out *outs = w->r->plan->outs + b->outs;
    for (uint32_t i = 0; i < b->n_outs; i++) reg[outs[i].reg] = w->r->base[outs[i].storage] + begin * outs[i].size;
}

/* What does not change from chunk to chunk: splats, sources, scratch registers. */
static void start_registers(const block_run *w, void **reg, char *scratch) {
    const tg__block *b = w->b;
    const tg__stream *streams = w->r->plan->streams + b->streams;
    static const int64_t still[TG_MAX_RANK] = {0};
    for (uint32_t i = 0; i < b->n_streams; i++) {
        const tg__stream *s = &streams[i];
        if (s->kind == TG__FIXED) reg[s->reg] = w->r->base[s->storage];
        if (s->slot != TG__NONE) reg[s->reg] = scratch + (size_t)s->slot * b->slot_bytes;
        if (s->kind == TG__SPLAT) {
            tg_shape line = {1, {b->chunk}};
            tg__copy_in(reg[s->reg], w->r->base[s->storage] + s->offset, s->size, &line, still, 0, b->chunk);
        }
    }
    for (uint32_t i = 0; i < b->n_slots; i++) reg[b->n_regs - b->n_slots + i] = scratch + (size_t)i * b->slot_bytes;
}

static inline void run_micro_ops(const block_run *w, void *const *reg, int64_t begin, int64_t n) {
    const tg__instr *ins = w->r->plan->instrs + w->b->instrs, *end = ins + w->b->n_instrs;
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

/* Chunks [first, last) of the block. */
static inline void run_range(block_run *w, int64_t first, int64_t last, char *cells) {
    const tg__block *b = w->b;
    char *scratch = w->r->t->block_scratch +
                    (size_t)atomic_fetch_add_explicit(&w->workers, 1, memory_order_relaxed) * w->r->plan->block_scratch;
    void *regs[TG__CHAIN_REGS + 1];
    void **reg = regs;
    start_registers(w, reg, scratch);
    if (cells) tg__chain_place(w->chain, w->r->plan, b, reg, cells);
    for (int64_t c = first; c < last; c++) {
        int64_t begin, end;
        if (b->pieces) {
            int64_t segment = c / b->pieces * b->segment;
            begin = segment + c % b->pieces * b->chunk;
            end = begin + b->chunk < segment + b->segment ? begin + b->chunk : segment + b->segment;
        } else {
            begin = c * b->chunk;
            end = begin + b->chunk < b->numel ? begin + b->chunk : b->numel;
        }
        load_streams(w, reg, scratch, begin, end - begin);
        if (cells)
            run_chain(w, reg, begin, end - begin);
        else
            run_micro_ops(w, reg, begin, end - begin);
        run_tails(w, reg, begin, end - begin);
    }
}

static void run_chunks(int64_t first, int64_t last, void *ctx) { run_range(ctx, first, last, NULL); }

static void run_chained_chunks(int64_t first, int64_t last, void *ctx) {
    _Alignas(64) char cells[TG__CHAIN_CELLS * TG__CHAIN_CELL];
    run_range(ctx, first, last, cells);
}

static void combine_tails(const block_run *w) {
    const tg__block *b = w->b;
    int64_t m = leaves_of(b->segment);
    for (uint32_t i = 0; i < b->n_tails; i++) {
        const tg__tail *tail = &w->r->plan->tails[b->tails + i];
        for (int64_t s = 0; s < b->numel / b->segment; s++)
            tail->fold->combine(w->r->base[tail->partials] + s * m * tail->size, m, w->r->base[tail->storage] + s * tail->size);
    }
}

static void run_block(const run *r, const tg__block *b) {
    if (b->numel == 0) return;
    tg__chain chain;
    bool chained = tg__chain_make(&chain, r->plan, b);
    block_run w = {r, b, &chain, 0};
    int64_t chunks = b->pieces ? b->pieces * (b->numel / b->segment) : (b->numel + b->chunk - 1) / b->chunk;
    if (chunks == 1 && !chained)
        run_chunks(0, 1, &w);
    else
        tg_parallel(r->t->threads, chunks, b->work, chained ? run_chained_chunks : run_chunks, &w);
    if (b->pieces) combine_tails(&w);
}

/* ------------------------------------------------------------------ kernels, packings, writes */

static void bind_operands(const run *r, const tg__kernel_call *k) {
    uint32_t n = k->n_in + k->n_out;
    for (uint32_t i = 0; i < n; i++) {
        const tg__operand_ref *o = &r->plan->operands[k->operands + i];
        const tg__shape_info *s = tg__shape_at(r->t, o->shape);
        r->p->args[i] = (tg_operand){r->base[o->storage] + o->offset, &s->shape,
                                     o->strides == TG__NONE ? s->strides : r->plan->strides + o->strides, s->numel, o->dtype};
    }
}

static tg_status run_kernel(const run *r, const tg__step *s) {
    const tg__kernel_call *k = &r->plan->kernels[s->index];
    bind_operands(r, k);
    return tg__call_kernel(r->t, r->p->live.ids[s->node], r->p->args, (int)k->n_in, r->p->args + k->n_in, (int)k->n_out,
                           k->scratch ? r->t->scratch : NULL);
}

#define PACK_PIECE 4096
#define PACK_ROWS 256 /* at a time: a transpose reads along its columns */

typedef struct packing {
    const tg_operand *in, *out;
    int64_t piece; /* elements */
} packing;

static int64_t pack_piece(const tg_shape *s) {
    int64_t rows = s->rank && s->dims[s->rank - 1] > 0 ? PACK_ROWS * s->dims[s->rank - 1] : PACK_PIECE;
    return rows >= PACK_PIECE ? rows : PACK_PIECE / rows * rows;
}

static void pack_pieces(int64_t first, int64_t last, void *ctx) {
    const packing *p = ctx;
    size_t size = tg__dtype_sizes[p->in->dtype];
    int64_t begin = first * p->piece, end = last * p->piece < p->in->numel ? last * p->piece : p->in->numel;
    tg__copy_in((char *)p->out->data + begin * (int64_t)size, p->in->data, size, p->in->shape, p->in->strides, begin,
                end - begin);
}

static const tg__node *node_of(const run *r, uint32_t local) { return &r->t->nodes[r->p->live.ids[local]]; }

static void run_pack(const run *r, const tg__step *s) {
    const tg__kernel_call *k = &r->plan->kernels[s->index];
    bind_operands(r, k);
    if (!r->p->args[0].numel) return;
    int64_t still[TG_MAX_RANK] = {0};
    const tg__storage *from = &r->plan->storages[r->plan->operands[k->operands].storage];
    if (from->cls == TG__ST_LEAF && node_of(r, from->ref)->op == &tg__leaf_const && !node_of(r, from->ref)->data)
        r->p->args[0].strides = still;
    packing p = {&r->p->args[0], &r->p->args[1], pack_piece(r->p->args[0].shape)};
    tg_parallel(r->t->threads, (p.in->numel + p.piece - 1) / p.piece, (double)s->bytes, pack_pieces, &p);
}

static void run_write(const run *r, const tg__step *s) {
    const tg__operand_ref *o = &r->plan->operands[r->plan->kernels[s->node].operands];
    const tg__var *v = r->t->effects[s->index].var;
    if (v->numel) memcpy(v->data, r->base[o->storage] + o->offset, (size_t)v->numel * tg_dtype_size(v->dtype));
}

static tg_status run_step(const run *r, const tg__step *s) {
    switch (s->kind) {
    case TG__BLOCK:
        run_block(r, &r->plan->blocks[s->index]);
        return TG_OK;
    case TG__KERNEL:
        return run_kernel(r, s);
    case TG__PACK:
        run_pack(r, s);
        return TG_OK;
    default:
        run_write(r, s);
        return TG_OK;
    }
}

static const char *step_name(const run *r, const tg__step *s) {
    return s->kind == TG__BLOCK   ? "block"
           : s->kind == TG__PACK  ? "pack"
           : s->kind == TG__WRITE ? "write"
                                  : node_of(r, s->node)->op->name;
}

static tg_status run_steps(const run *r, uint32_t from, uint32_t to) {
    tg_status status = TG_OK;
    for (uint32_t i = from; i < to && !status; i++) {
        const tg__step *s = &r->plan->steps[i];
        uint64_t start = r->t->profiling ? tg__now_ns() : 0;
        status = run_step(r, s);
        if (r->t->profiling) tg__profile_add(r->t, step_name(r, s), tg__now_ns() - start, (uint64_t)s->bytes);
        if (r->t->debug_memory && !status) status = tg__debug_step(r->t, r->plan, i, step_name(r, s));
    }
    return status;
}

/* ------------------------------------------------------------------ memory */

/* A borrowed array that lies in a variable which this run writes is copied first: the run reads what was there when it
 * began. */
static bool rescue_borrowed(run *r) {
    tg_tape *t = r->t;
    for (uint32_t i = 0; i < r->p->live.n_leaves; i++) {
        uint32_t id = r->p->live.leaves[i];
        if (t->nodes[id].op != &tg__leaf_borrow) continue;
        size_t bytes = (size_t)tg__node_shape(t, id)->numel * tg_dtype_size(t->nodes[id].dtype);
        const char *data = t->nodes[id].data;
        for (uint32_t k = 0; k < t->n_effects; k++) {
            const tg__var *v = t->effects[k].var;
            const char *var = v->data;
            if (data >= var + (size_t)v->numel * tg_dtype_size(v->dtype) || data + bytes <= var) continue;
            void *copy = tg__value_memory(t, id, bytes);
            if (!copy) return false;
            t->nodes[id].data = memcpy(copy, data, bytes);
            break;
        }
    }
    return true;
}

static bool grow_block(char **p, size_t *have, size_t need) {
    if (need <= *have) return true;
    char *q = tg__alloc(need);
    if (!q) return false;
    tg__free(*p);
    *p = q;
    *have = need;
    return true;
}

/* Only the stand-in for the cotangent of a jvp has no memory. */
static char *leaf_memory(tg_tape *t, uint32_t id) {
    char *data = tg__leaf_data(t, id);
    if (!data) tg__fail_node(t, TG_EINTERNAL, id, "a derivative rule is not linear in its cotangent");
    return data;
}

static char *storage_memory(run *r, const tg__storage *s) {
    tg_tape *t = r->t;
    switch (s->cls) {
    case TG__ST_LEAF:
        return leaf_memory(t, r->p->live.ids[s->ref]);
    case TG__ST_POOL:
        return t->pool + s->offset;
    case TG__ST_VAR:
        return t->effects[s->ref].var->data;
    default: {
        uint32_t id = r->p->live.ids[s->ref];
        return tg__value_memory(t, s->output ? tg__sibling(t, id, s->output) : id, (size_t)s->bytes);
    }
    }
}

static bool take_memory(run *r, tg__run_mode mode) {
    tg_tape *t = r->t;
    const tg__plan *plan = r->plan;
    if (mode == TG__STEP && t->n_effects && !rescue_borrowed(r)) return false;
    if (!grow_block(&t->pool, &t->pool_size, plan->pool_bytes) ||
        !grow_block(&t->scratch, &t->scratch_size, plan->scratch_bytes))
        return false;
    size_t workers = (size_t)tg__threads(t);
    if (!grow_block(&t->block_scratch, &t->block_scratch_size, plan->block_scratch * workers)) return false;
    if (!tg__grow(&r->p->base, &r->p->base_cap, plan->n_storages, sizeof *r->p->base)) return false;
    if (!tg__grow(&r->p->args, &r->p->args_cap, plan->max_in, sizeof *r->p->args)) return false;
    r->base = r->p->base;
    for (uint32_t i = 0; i < plan->n_storages; i++)
        if (!(r->base[i] = storage_memory(r, &plan->storages[i]))) return false;
    return true;
}

static void keep_values(const run *r) {
    tg_tape *t = r->t;
    for (uint32_t i = 0; i < r->plan->n_kept; i++) {
        const tg__kept *k = &r->plan->kept[i];
        uint32_t id = r->p->live.ids[k->local];
        if (k->output) id = tg__sibling(t, id, k->output);
        t->nodes[id].data = r->base[k->storage];
    }
}

/* ------------------------------------------------------------------ non-finite guard */

static bool all_finite(const void *data, tg_dtype d, int64_t n) { return tg__first_not_finite(data, d, n) < 0; }

static bool is_root(const run *r, uint32_t id) {
    for (uint32_t i = 0; i < r->p->n_roots; i++)
        if (r->p->roots[i] == id) return true;
    return false;
}

static bool results_finite(const run *r) {
    for (uint32_t i = 0; i < r->plan->n_steps; i++) {
        const tg__step *s = &r->plan->steps[i];
        if (s->kind != TG__WRITE) continue;
        const tg__var *v = r->t->effects[s->index].var;
        if (!all_finite(r->base[r->plan->operands[r->plan->kernels[s->node].operands].storage], v->dtype, v->numel))
            return false;
    }
    for (uint32_t i = 0; i < r->p->n_roots; i++)
        if (!tg__is_finite(r->t, r->p->roots[i])) return false; /* one that was there before */
    for (uint32_t i = 0; i < r->plan->n_kept; i++) {
        const tg__kept *k = &r->plan->kept[i];
        uint32_t id = r->p->live.ids[k->local];
        if (!k->output && is_root(r, id) &&
            !all_finite(r->base[k->storage], r->t->nodes[id].dtype, tg__node_shape(r->t, id)->numel))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ a whole run */

static tg_status run_locked(run *r, tg__run_mode mode, tg__locks *locks) {
    tg_tape *t = r->t;
    const tg__plan *plan = r->plan;
    bool commits = mode == TG__STEP && t->n_effects;
    uint32_t commit = plan->commit;
    tg_status s = run_steps(r, 0, commit);
    if (!s && mode == TG__STEP && t->check_finite && !results_finite(r)) return TG_ENONFINITE;
    if (!s && commits) s = tg__lock_commit(t, locks, r->p->live.leaves, r->p->live.n_leaves);
    if (!s) s = run_steps(r, commit, plan->n_steps);
    if (s) return s;
    keep_values(r);
    if (mode == TG__STEP) tg__commit(t);
    return TG_OK;
}

static const uint32_t *step_roots(tg_tape *t, tg__planner *p, uint32_t *n) {
    *n = t->n_effects + t->n_wants;
    if (!tg__grow(&p->root_ids, &p->root_ids_cap, *n, sizeof *p->root_ids)) return NULL;
    tg__step_roots(t, p->root_ids);
    return p->root_ids;
}

static void count_run(tg_tape *t, const tg__planner *p, const tg__plan *plan) {
    t->stats.runs++;
    t->stats.steps = plan->n_steps;
    t->stats.blocks = plan->n_blocks;
    t->stats.kernels = plan->n_kernels;
    t->stats.micro_ops = plan->n_instrs;
    t->stats.plans_cached = p->n_cached;
    t->stats.plan_bytes = p->cached_bytes;
}

static tg_status execute(tg_tape *t, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots) {
    tg__planner *p = t->planner;
    if (mode == TG__STEP && !(roots = step_roots(t, p, &n_roots))) return tg__fail_nomem(t, "step", NULL);
    p->mode = mode;
    p->roots = roots;
    p->n_roots = n_roots;
    run r = {t, p, tg__plan_get(p), NULL};
    if (!r.plan) return t->base.error.status;
    t->has_values = true;
    tg_status s = tg__check_borrowed(t, &p->live);
    if (s) return s;
    if (!take_memory(&r, mode)) return tg__fail_nomem(t, "run", NULL);
    tg__locks locks;
    if ((s = tg__lock_shared(t, &locks, p->live.leaves, p->live.n_leaves))) return s;
    if (t->debug_memory) tg__debug_start(t);
    unsigned denormals = tg__denormals_flush();
    s = run_locked(&r, mode, &locks);
    tg__denormals_restore(denormals);
    tg__unlock(&locks);
    if (s == TG_ENONFINITE && !t->base.error.status) return tg__hunt(t, roots, n_roots);
    if (!s) count_run(t, p, r.plan);
    return s;
}

tg_status tg__execute(tg_tape *t, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots, const char *site) {
    if (!tg__planner_start(t)) return tg__fail_nomem(t, "run", site);
    const char *outer = t->site_override;
    if (!outer) t->site_override = site; /* of errors that belong to no node */
    tg_status s = execute(t, mode, roots, n_roots);
    t->site_override = outer;
    return s;
}
