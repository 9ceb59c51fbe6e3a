/* The plain executor: one node at a time, in recording order, every value in memory of its own. It is what eager mode runs,
 * what the hunt for a NaN runs, and the truth that plans are tested against: so it stays simple. */
#include "planner.h"

typedef struct plain {
    tg_tape *t;
    tg__live live;
} plain;

static tg_status no_memory(tg_tape *t, uint32_t id) { return tg__fail_node(t, TG_ENOMEM, id, "out of memory"); }

static size_t bytes_of(const tg_tape *t, uint32_t id) {
    return (size_t)tg__node_shape(t, id)->numel * tg_dtype_size(t->nodes[id].dtype);
}

static bool is_one_element(const tg__node *n) { return n->op == &tg__leaf_const; }

/* A packed copy of a node's value seen as broadcast to shape; the value itself where that is the same. Owned: to be freed. */
static const void *dense(tg_tape *t, uint32_t id, const tg_shape *shape, bool *owned) {
    const tg__shape_info *own = tg__node_shape(t, id);
    const void *data = tg__leaf_data(t, id);
    *owned = false;
    if (!is_one_element(&t->nodes[id]) && own->numel == tg_shape_numel(shape)) return data;
    int64_t strides[TG_MAX_RANK] = {0}, n = tg_shape_numel(shape);
    size_t size = tg_dtype_size(t->nodes[id].dtype);
    if (!is_one_element(&t->nodes[id])) tg__broadcast_strides(&own->shape, own->strides, shape, strides);
    void *copy = tg__alloc((size_t)n * size);
    if (!copy) return NULL;
    *owned = true;
    tg__copy_in(copy, data, size, shape, strides, 0, n);
    return copy;
}

static tg_status run_micro(tg_tape *t, uint32_t id, void *out) {
    const tg__node *n = &t->nodes[id];
    const tg__shape_info *shape = tg__node_shape(t, id);
    if (n->op->source_fn) {
        n->op->source_fn[n->dtype]((size_t)shape->numel, out, n->u.num, 0);
        return TG_OK;
    }
    const void *in[TG_MICRO_INPUTS] = {0};
    bool owned[TG_MICRO_INPUTS] = {0}, ok = true;
    for (int i = 0; i < n->n_in && ok; i++) ok = (in[i] = dense(t, n->u.in[i], &shape->shape, &owned[i])) != NULL;
    tg_dtype last = t->nodes[n->u.in[n->n_in - 1]].dtype;
    if (ok) tg__micro_get(n->op->micro, last)((size_t)shape->numel, out, in[0], in[1], in[2]);
    for (int i = 0; i < n->n_in; i++)
        if (owned[i]) tg__free((void *)(uintptr_t)in[i]);
    return ok ? TG_OK : no_memory(t, id);
}

static tg_status run_view(tg_tape *t, uint32_t id, void *out) {
    const tg__node *n = &t->nodes[id];
    uint32_t count, x = *tg__inputs(t, n, &count);
    const tg__shape_info *from = tg__node_shape(t, x), *to = tg__node_shape(t, id);
    size_t size = tg_dtype_size(n->dtype);
    bool owned;
    const char *in = dense(t, x, &from->shape, &owned);
    if (!in) return no_memory(t, id);
    int64_t strides[TG_MAX_RANK] = {0};
    tg_view_args v = {&from->shape, &to->shape, from->strides, n->attr, strides, 0};
    bool ok = n->op->view(&v);
    if (ok) tg__copy_in(out, in + v.offset * (int64_t)size, size, &to->shape, strides, 0, to->numel);
    if (owned) tg__free((void *)(uintptr_t)in);
    return ok ? TG_OK : tg__fail_node(t, TG_EINTERNAL, id, "the view of packed memory was refused");
}

static tg_operand operand(const tg_tape *t, uint32_t id, const void *data) {
    const tg__shape_info *s = tg__node_shape(t, id);
    return (tg_operand){(void *)(uintptr_t)data, &s->shape, s->strides, s->numel, t->nodes[id].dtype};
}

size_t tg__kernel_scratch(const tg_tape *t, const tg_op *op, const void *attr, const tg_operand *in, int n_in,
                          const tg_operand *out, int n_out) {
    int64_t most = 0;
    for (int k = 0; k < n_out; k++) most = out[k].numel > most ? out[k].numel : most;
    return most && op->scratch ? op->scratch(in, n_in, out, attr, tg__threads(t)) : 0;
}

tg_status tg__call_kernel(tg_tape *t, uint32_t id, const tg_operand *in, int n_in, const tg_operand *out, int n_out,
                          void *scratch) {
    const tg__node *n = &t->nodes[id];
    char message[200] = "";
    tg_kernel_args k = {n_in, n_out, in, out, n->attr, scratch, tg__threads(t), message, sizeof message};
    tg_status s = n->op->kernel(&k);
    return s ? tg__fail_node(t, s, id, "%s", *message ? message : "the kernel failed") : TG_OK;
}

static tg_status run_kernel(tg_tape *t, uint32_t id, void *out) {
    const tg__node *n = &t->nodes[id];
    uint32_t count;
    const uint32_t *in = tg__inputs(t, n, &count);
    int n_out = n->op->n_out > 1 ? n->op->n_out : 1;
    tg_operand outs[TG_MAX_OUTPUTS];
    tg_operand *ins = tg__alloc((count ? count : 1) * sizeof *ins);
    bool *owned = tg__calloc(count ? count : 1, sizeof *owned);
    bool ok = ins && owned;
    for (uint32_t i = 0; i < count && ok; i++) {
        const void *data = dense(t, in[i], &tg__node_shape(t, in[i])->shape, &owned[i]);
        ok = data != NULL;
        ins[i] = operand(t, in[i], data);
    }
    outs[0] = operand(t, id, out);
    for (int k = 1; k < n_out && ok; k++) {
        uint32_t sibling = tg__sibling(t, id, k);
        void *data = tg__value_memory(t, sibling, bytes_of(t, sibling));
        ok = data != NULL;
        outs[k] = operand(t, sibling, data);
    }
    size_t scratch_size = ok ? tg__kernel_scratch(t, n->op, n->attr, ins, (int)count, outs, n_out) : 0;
    void *scratch = scratch_size ? tg__alloc(scratch_size) : NULL;
    ok = ok && (!scratch_size || scratch);
    tg_status s = ok ? tg__call_kernel(t, id, ins, (int)count, outs, n_out, scratch) : no_memory(t, id);
    for (int k = 1; k < n_out && !s; k++) t->nodes[tg__sibling(t, id, k)].data = outs[k].data;
    for (uint32_t i = 0; i < count && owned && ins; i++)
        if (owned[i]) tg__free(ins[i].data);
    tg__free(scratch);
    tg__free(owned);
    tg__free(ins);
    return s;
}

/* ------------------------------------------------------------------ runs */

static tg_status run_node(tg_tape *t, uint32_t id) {
    tg__node *n = &t->nodes[id];
    if (n->op == &tg__op_output) return TG_OK; /* came with its node */
    void *out = tg__value_memory(t, id, bytes_of(t, id));
    if (!out) return no_memory(t, id);
    tg_status s = n->op->micro || n->op->source_fn ? run_micro(t, id, out)
                  : n->op->view                    ? run_view(t, id, out)
                                                   : run_kernel(t, id, out);
    if (!s) t->nodes[id].data = out;
    return s;
}

static tg_status run_all(plain *p) {
    tg_tape *t = p->t;
    for (uint32_t i = 0; i < p->live.n; i++) {
        uint32_t id = p->live.ids[i];
        tg_status s = tg__leaf_data(t, id) && !t->nodes[id].op->source_fn ? TG_OK : t->nodes[id].data ? TG_OK : run_node(t, id);
        if (s) return s;
    }
    return TG_OK;
}

static tg_status locked_run(plain *p) {
    tg__locks locks;
    tg_status s = tg__check_borrowed(p->t, &p->live);
    if (!s) s = tg__lock_shared(p->t, &locks, p->live.leaves, p->live.n_leaves);
    if (s) return s;
    unsigned mode = tg__denormals_flush();
    s = run_all(p);
    tg__denormals_restore(mode);
    tg__unlock(&locks);
    return s;
}

tg_status tg__plain_run(tg_tape *t, const uint32_t *roots, uint32_t n_roots) {
    plain p = {.t = t};
    t->has_values = true;
    tg_status s = tg__live_collect(t, &p.live, roots, n_roots) ? locked_run(&p) : tg__fail_nomem(t, "run", NULL);
    tg__live_free(&p.live);
    return s;
}

/* Values that may lie in a variable are copied first, so that variables can be swapped. */
static bool may_lie_in_variable(const tg__node *n) { return n->op == &tg__leaf_var || n->op == &tg__leaf_borrow; }

static tg_status write_effects(tg_tape *t) {
    void **copies = tg__calloc(t->n_effects ? t->n_effects : 1, sizeof *copies);
    tg_status s = copies ? TG_OK : tg__fail_nomem(t, "step", NULL);
    for (uint32_t i = 0; i < t->n_effects && !s; i++) {
        bool owned;
        uint32_t value = t->effects[i].value;
        const void *data = dense(t, value, &tg__node_shape(t, value)->shape, &owned);
        size_t bytes = bytes_of(t, value);
        if (data && !owned && may_lie_in_variable(&t->nodes[value])) {
            void *copy = tg__alloc(bytes);
            if (copy) memcpy(copy, data, bytes);
            data = copy;
            owned = true;
        }
        if (!data) s = no_memory(t, value);
        copies[i] = owned ? (void *)(uintptr_t)data : NULL;
    }
    for (uint32_t i = 0; i < t->n_effects && !s; i++) {
        const tg__effect *e = &t->effects[i];
        const void *data = copies[i] ? copies[i] : tg__leaf_data(t, e->value);
        if (e->var->numel) memcpy(e->var->data, data, bytes_of(t, e->value));
    }
    for (uint32_t i = 0; copies && i < t->n_effects; i++) tg__free(copies[i]);
    tg__free(copies);
    return s;
}

tg_status tg__plain_step(tg_tape *t) {
    uint32_t n_roots = t->n_effects + t->n_wants;
    uint32_t *roots = tg__alloc(n_roots * sizeof *roots);
    if (!roots) return tg__fail_nomem(t, "step", NULL);
    tg__step_roots(t, roots);
    plain p = {.t = t};
    tg_status s = tg__live_collect(t, &p.live, roots, n_roots) ? locked_run(&p) : tg__fail_nomem(t, "step", NULL);
    tg__locks locks = {.n = 0};
    for (uint32_t i = 0; i < n_roots && !s && t->check_finite; i++)
        if (!tg__is_finite(t, roots[i])) s = tg__hunt(t, roots, n_roots);
    if (!s) s = tg__lock_commit(t, &locks, p.live.leaves, p.live.n_leaves);
    if (!s) {
        s = write_effects(t);
        if (!s) tg__commit(t);
        tg__unlock(&locks);
    }
    tg__live_free(&p.live);
    tg__free(roots);
    return s;
}
