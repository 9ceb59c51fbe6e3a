/* Running a plan. All memory is taken before the first kernel; nothing after the commit point can fail. */
#include "planner.h"

typedef struct run {
    tg_tape *t;
    tg__planner *p;
    const tg__plan *plan;
    char **base; /* by storage */
} run;

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
        tg__block_run(r->t, r->plan, &r->plan->blocks[s->index], r->base);
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
