/* What a step must do: the operations that its nodes count, and the bytes that must pass through memory at least once. */
#include "bench.h"
#include "engine/engine.h"

#include <stdlib.h>

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

/* The version of the variable has moved on since it was read. */
static bool is_written(const tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    return n->op == &tg__leaf_var && ((const tg__var *)n->attr)->version != n->u.num[1];
}

/* Inputs are read; variables are read, and some written. */
static double leaf_bytes(const tg_tape *t, uint32_t id) {
    const tg__node *n = &t->nodes[id];
    if (n->op == &tg__leaf_input || n->op == &tg__leaf_borrow) return bytes_of(t, id);
    if (n->op != &tg__leaf_var) return 0;
    return bytes_of(t, id) * (is_written(t, id) ? 2 : 1);
}

/* Marks what the results need. Inputs stand before their readers, since nothing is held over a rewind here. */
static void mark_needed(const tg_tape *t, const tg_tensor *results, int n, bool *needed) {
    for (int i = 0; i < n; i++) needed[results[i].id] = true;
    for (uint32_t id = t->n - 1; id > 0; id--) {
        uint32_t count = 0;
        const uint32_t *in = t->nodes[id].flags & TG__IS_LEAF ? NULL : tg__inputs(t, &t->nodes[id], &count);
        for (uint32_t i = 0; i < count && needed[id]; i++) needed[in[i]] = true;
    }
}

/* Of a step that wrote variables everything counts: it records nothing that it does not need. */
bench_cost bench_cost_of(const tg_tape *t, const tg_tensor *results, int n) {
    bool *needed = calloc(t->n, sizeof *needed), wrote = false;
    if (!needed) exit(1);
    mark_needed(t, results, n, needed);
    for (uint32_t id = 1; id < t->n; id++) wrote = wrote || is_written(t, id);
    bench_cost c = {0, 0};
    for (uint32_t id = 1; id < t->n; id++) {
        if (!needed[id] && !wrote) continue;
        if (t->nodes[id].flags & TG__IS_LEAF)
            c.bytes += leaf_bytes(t, id);
        else
            c.flops += node_flops(t, id);
    }
    for (int i = 0; i < n; i++) c.bytes += (double)tg_numel(results[i]) * (double)tg_dtype_size(tg_dtype_of(results[i]));
    free(needed);
    return c;
}
