/* Checkpoints: a part of a recording whose values the gradient computes again instead of keeping them (Griewank, Walther 2000,
 * "Algorithm 799: revolve"; Chen, Xu, Zhang, Guestrin 2016, arXiv:1604.06174).
 *
 * The part is recorded as it is. A view at its end knows where it began and what it reads from outside. The rule of that view
 * records the part again, on fences around what it reads: copies that also depend on the incoming cotangent, so that no plan
 * can make them early or merge the second recording with the first. Then it differentiates the second recording. Random
 * sources keep their stream, so that the bits are those of the first time. */
#include <stdlib.h>

#include "engine.h"

typedef struct checkpoint_attr {
    int64_t length; /* from the first node of the part to the view */
} checkpoint_attr;

static const tg_field checkpoint_fields[] = {{"length", TG_FIELD_INT, offsetof(checkpoint_attr, length)}, {0}};

static const tg_op checkpoint_op;

/* ------------------------------------------------------------------ the part */

/* What a part reads of the outside, and the leaves that it can be differentiated by. */
static bool is_outside(const tg_tape *t, uint32_t id, uint32_t start) {
    const tg__node *n = &t->nodes[id];
    return id < start || n->flags & (TG__IS_LEAF | TG__HELD);
}

static bool can_differ(const tg__node *n) { return tg__is_float(n->dtype) && n->op != &tg__leaf_const; }

typedef struct id_list {
    uint32_t *ids, n, cap;
} id_list;

static bool append(id_list *l, uint32_t id) {
    if (l->n >= l->cap && !tg__grow(&l->ids, &l->cap, (uint64_t)l->n + 1, sizeof *l->ids)) return false;
    l->ids[l->n++] = id;
    return true;
}

/* Nodes of the part that y needs, and floats from outside that they read: both from the newest to the oldest. */
static bool walk(tg_tape *t, uint32_t y, uint32_t start, id_list *inside, id_list *outside) {
    if (!tg__idset_reserve(&t->ids, t->nodes_cap)) return false;
    tg__idset_add(&t->ids, y);
    bool ok = true;
    for (uint32_t id; (id = tg__idset_take(&t->ids)) != TG__NONE;) {
        const tg__node *n = &t->nodes[id];
        if (!ok) continue;
        if (is_outside(t, id, start)) {
            ok = !outside || !can_differ(n) || append(outside, id);
            continue;
        }
        ok = !inside || append(inside, id);
        uint32_t count;
        const uint32_t *in = tg__inputs(t, n, &count);
        for (uint32_t i = 0; i < count && !n->op->source_fn; i++) tg__idset_add(&t->ids, in[i]);
    }
    return ok;
}

/* ------------------------------------------------------------------ recording it again */

typedef struct fence {
    uint32_t id, fence; /* of a node outside, and what stands for it */
    int input;          /* of the view */
} fence;

typedef struct replay {
    tg_tape *t;
    const tg_vjp_args *v;
    uint32_t start; /* of the part */
    uint32_t *copy; /* by id - start; 0: not yet recorded */
    fence *fences;  /* by id */
    int n_fences;
} replay;

static int by_id(const void *a, const void *b) {
    uint32_t i = ((const fence *)a)->id, j = ((const fence *)b)->id;
    return (i > j) - (i < j);
}

static uint32_t find_outside(const replay *r, uint32_t id) {
    const fence key = {.id = id}, *found = NULL;
    if (r->n_fences) found = bsearch(&key, r->fences, (size_t)r->n_fences, sizeof key, by_id);
    return found ? found->fence : id;
}

static uint32_t copy_of(const replay *r, uint32_t id) {
    return is_outside(r->t, id, r->start) ? find_outside(r, id) : r->copy[id - r->start];
}

/* A checkpoint inside of the part: its own part begins at the copy of its first node. */
static const void *inner_attr(replay *r, uint32_t id) {
    uint32_t first = id - (uint32_t)((const checkpoint_attr *)r->t->nodes[id].attr)->length, begin = r->t->n;
    for (uint32_t i = first; i < id; i++)
        if (i >= r->start && r->copy[i - r->start]) {
            begin = r->copy[i - r->start];
            break;
        }
    checkpoint_attr a = {(int64_t)r->t->n - begin};
    tg_status status;
    return tg__attr_intern(r->t, &checkpoint_op, &a, &status);
}

static bool record_copy(replay *r, uint32_t id) {
    tg_tape *t = r->t;
    tg__node node = t->nodes[id];
    uint32_t count = 0, *in = NULL;
    bool source = node.op->source_fn != NULL;
    if (!source) {
        const uint32_t *from = tg__inputs(t, &node, &count);
        if (!(in = tg__alloc((count ? count : 1) * sizeof *in))) return false;
        for (uint32_t i = 0; i < count; i++) in[i] = copy_of(r, from[i]);
    }
    const void *attr = node.op == &checkpoint_op ? inner_attr(r, id) : node.attr;
    t->site_override = node.site;
    t->scope = node.scope;
    uint32_t copy = attr || !node.attr ? tg__record(t, node.op, attr, in, count, node.shape, node.dtype, node.site) : 0;
    tg__free(in);
    if (!copy) return false;
    t->nodes[copy].output = node.output;
    if (source) t->nodes[copy].u = node.u;
    r->copy[id - r->start] = copy;
    return true;
}

/* A node of several outputs comes back with all of them. */
static bool record_outputs(replay *r, uint32_t id) {
    int n_out = r->t->nodes[id].op->n_out;
    for (int k = 1; k < n_out; k++) {
        uint32_t output = tg__sibling(r->t, id, k);
        if (!output || !record_copy(r, output)) return false;
    }
    return true;
}

static bool record_again(replay *r, const id_list *inside) {
    tg_tape *t = r->t;
    for (uint32_t i = inside->n; i-- > 0;) {
        uint32_t id = inside->ids[i];
        if (r->copy[id - r->start]) continue;
        if (!record_copy(r, id) || !record_outputs(r, id)) {
            tg__fail_nomem(t, "checkpoint", NULL);
            return false;
        }
        uint32_t copy = r->copy[id - r->start];
        if (t->eager && tg__plain_run(t, &copy, 1)) return false;
    }
    return true;
}

/* A variable has memory of its own, which nothing frees: it needs no copy, only a node at which the derivative ends. A tangent
 * has no memory that a fence could wait for. */
static bool make_fences(replay *r) {
    const tg_vjp_args *v = r->v;
    tg_tensor after = r->t->for_tangents ? v->in[0] : v->g[0];
    for (int i = 1; i < v->n_in; i++) {
        bool variable = r->t->nodes[v->in[i].id].op == &tg__leaf_var;
        uint32_t made = variable ? tg__identity(v->in[i]).id : tg__fence(v->in[i], after).id;
        if (!made) return false;
        r->fences[r->n_fences++] = (fence){v->in[i].id, made, i};
    }
    qsort(r->fences, (size_t)r->n_fences, sizeof *r->fences, by_id);
    return true;
}

static void give(tg_vjp_args *v, const replay *r, tg_tensor y) {
    tg_tensor *xs = tg__alloc((size_t)v->n_in * 2 * sizeof *xs), *gs = xs ? xs + v->n_in : NULL;
    int n = 0;
    if (!xs) {
        tg__fail_nomem(r->t, "checkpoint", NULL);
        return;
    }
    for (int i = 0; i < r->n_fences; i++)
        if (tg_vjp_needs(v, r->fences[i].input)) xs[n++] = tg__handle(r->t, r->fences[i].fence);
    if (!tg__vjp_where(NULL, y, v->g[0], xs, n, gs))
        for (int i = 0, k = 0; i < r->n_fences; i++)
            if (tg_vjp_needs(v, r->fences[i].input) && !tg__is_none(gs[k++])) tg_vjp_give(v, r->fences[i].input, gs[k - 1]);
    tg__free(xs);
}

static void checkpoint_vjp(tg_vjp_args *v) {
    tg_tape *t = tg_tape_of(v->out[0]);
    uint32_t length = (uint32_t)((const checkpoint_attr *)v->attr)->length, y = v->in[0].id, scope = t->scope;
    const char *site = t->site_override;
    replay r = {.t = t, .v = v, .start = v->out[0].id - length};
    id_list inside = {0};
    r.copy = tg__calloc(length, sizeof *r.copy);
    r.fences = tg__calloc((size_t)v->n_in, sizeof *r.fences);
    bool ok = r.copy && r.fences && walk(t, y, r.start, &inside, NULL);
    if (!ok) tg__fail_nomem(t, "checkpoint", NULL);
    ok = ok && make_fences(&r) && record_again(&r, &inside);
    t->site_override = site;
    t->scope = scope;
    if (ok) give(v, &r, tg__handle(t, copy_of(&r, y)));
    tg__free(inside.ids);
    tg__free(r.fences);
    tg__free(r.copy);
}

/* ------------------------------------------------------------------ the op */

static tg_status checkpoint_infer(tg_infer *f) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool checkpoint_view(tg_view_args *v) {
    memcpy(v->out_strides, v->in_strides, (size_t)v->in_shape->rank * sizeof *v->in_strides);
    return true;
}

static const tg_op checkpoint_op = {.name = "checkpoint",
                                    .formula = "y, computed again for its gradient",
                                    .min_in = 1,
                                    .max_in = -1,
                                    .attr_size = sizeof(checkpoint_attr),
                                    .fields = checkpoint_fields,
                                    .infer = checkpoint_infer,
                                    .view = checkpoint_view,
                                    .vjp = checkpoint_vjp};

static tg_tensor close_part(const char *site, tg_tape *t, tg_tensor y, uint32_t start) {
    id_list outside = {0};
    uint32_t id = tg__resolve(t, y, "checkpoint", site, 0);
    if (!id) return tg__poison(t);
    if (is_outside(t, id, start)) return tg__handle(t, id);
    tg_tensor *in = NULL, result = tg__poison(t);
    bool ok = walk(t, id, start, NULL, &outside) && (in = tg__alloc(((size_t)outside.n + 1) * sizeof *in));
    if (ok) {
        in[0] = tg__handle(t, id);
        for (uint32_t i = 0; i < outside.n; i++) in[i + 1] = tg__handle(t, outside.ids[i]);
        checkpoint_attr a = {(int64_t)t->n - start};
        result = tg_apply_at(site, t, &checkpoint_op, &a, in, (int)outside.n + 1);
    } else {
        tg__fail_nomem(t, "checkpoint", site);
    }
    tg__free(in);
    tg__free(outside.ids);
    return result;
}

TG_API(tg_tensor, tg_checkpoint, (tg_tape *t, tg_part_fn fn, void *user, const tg_tensor *xs, int n), (t, fn, user, xs, n)) {
    t = tg__tape_from(t, xs, n);
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (!fn || n < 0 || (n && !xs)) {
        tg__fail(t, TG_EARG, "checkpoint", site, t->scope, "needs a function and its tensors");
        return tg__poison(t);
    }
    tg_tensor *in = tg__alloc((size_t)(n ? n : 1) * sizeof *in), y = tg__poison(t);
    if (!in) tg__fail_nomem(t, "checkpoint", site);
    for (int i = 0; i < n && !t->base.error.status; i++) {
        uint32_t id = tg__resolve(t, xs[i], "checkpoint", site, i);
        in[i] = tg__handle(t, id);
    }
    uint32_t start = t->n;
    if (!t->base.error.status) y = fn(t, in, n, user);
    tg__free(in);
    return t->base.error.status ? tg__poison(t) : close_part(site, t, y, start);
}
