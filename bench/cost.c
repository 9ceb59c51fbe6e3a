/* What a step must do: the operations that its nodes count, and the bytes that must pass through memory at least once. */
#include "bench.h"
#include "engine/engine.h"

static double bytes_of(const tg_tape *t, uint32_t id) {
    return (double)tg__node_shape(t, id)->numel * (double)tg_dtype_size((tg_dtype)t->nodes[id].dtype);
}

static double node_flops(const tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    if (n->op->view || n->op == &tg__op_output) return 0;
    const tg__shape_info *out = tg__node_shape(t, id);
    if (!n->op->flops) return n->op->micro ? (double)out->numel : 0;
    const tg_shape *shapes[64];
    uint32_t count = 0;
    const uint32_t *in = tg__inputs(t, n, &count);
    if (count > 64) return 0; /* sums and concatenations of many: nothing beside the rest */
    for (uint32_t i = 0; i < count; i++) shapes[i] = &tg__node_shape(t, in[i])->shape;
    return n->op->flops(shapes, (int)count, &out->shape, n->attr);
}

/* Inputs are read; variables are read, and written if their version has moved on since. */
static double leaf_bytes(const tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    if (n->op == &tg__leaf_input || n->op == &tg__leaf_borrow) return bytes_of(t, id);
    if (n->op != &tg__leaf_var) return 0;
    const tg__var *v = n->attr;
    return bytes_of(t, id) * (v->version == n->u.num[1] ? 1 : 2);
}

bench_cost bench_cost_of(const tg_tape *t, const tg_tensor *results, int n) {
    bench_cost c = {0, 0};
    for (uint32_t id = 1; id < t->n; id++)
        if (t->nodes[id].flags & TG__IS_LEAF)
            c.bytes += leaf_bytes(t, id);
        else
            c.flops += node_flops(t, id);
    for (int i = 0; i < n; i++) c.bytes += (double)tg_numel(results[i]) * (double)tg_dtype_size(tg_dtype_of(results[i]));
    return c;
}
