/* What a run has to compute, and the key of its structure. Both passes are proportional to the nodes that are needed. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "planner.h"

bool tg__reserve_local(tg_tape *t) {
    return tg__grow(&t->local, &t->local_cap, t->nodes_cap, sizeof *t->local) && tg__idset_reserve(&t->ids, t->nodes_cap);
}

/* Ids are taken in falling order, so that they fill the buffer from its end. Moves them to the end of a larger one. */
static bool make_room(tg__live *live) {
    uint32_t before = live->buffer_cap;
    if (!tg__grow(&live->buffer, &live->buffer_cap, (uint64_t)before + 1, sizeof *live->buffer)) return false;
    live->ids = live->buffer + (live->buffer_cap - before);
    memmove(live->ids, live->buffer, before * sizeof *live->ids);
    return true;
}

static bool add_leaf(tg__live *live, uint32_t id) {
    if (live->n_leaves >= live->leaves_cap &&
        !tg__grow(&live->leaves, &live->leaves_cap, live->n_leaves + 1, sizeof *live->leaves))
        return false;
    live->leaves[live->n_leaves++] = id;
    return true;
}

static bool collect(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots, bool past_values) {
    live->n = live->n_leaves = 0;
    if (!tg__reserve_local(t)) return false;
    const tg__node *nodes = t->nodes;
    live->ids = live->buffer + live->buffer_cap;
    for (uint32_t i = 0; i < n_roots; i++) tg__idset_add(&t->ids, roots[i]);
    bool ok = true;
    for (uint32_t id; (id = tg__idset_take(&t->ids)) != TG__NONE;) {
        const tg__node *n = &nodes[id];
        if (live->ids == live->buffer) ok = ok && make_room(live);
        if (!ok) continue; /* empties the set */
        *--live->ids = id;
        if (n->flags & TG__IS_LEAF || (n->data && !past_values)) {
            ok = add_leaf(live, id);
            continue;
        }
        uint32_t count;
        const uint32_t *in = tg__inputs(t, n, &count);
        for (uint32_t i = 0; i < count; i++) tg__idset_add(&t->ids, in[i]);
    }
    if (!ok) return false;
    live->n = (uint32_t)(live->buffer + live->buffer_cap - live->ids);
    for (uint32_t i = 0; i < live->n; i++) t->local[live->ids[i]] = i;
    return true;
}

bool tg__live_set(tg__live *live, const uint32_t *ids, uint32_t n, const uint32_t *leaves, uint32_t n_leaves) {
    if (!tg__grow(&live->buffer, &live->buffer_cap, n, sizeof *ids) ||
        !tg__grow(&live->leaves, &live->leaves_cap, n_leaves, sizeof *leaves))
        return false;
    live->ids = live->buffer + (live->buffer_cap - n);
    live->n = n;
    if (n) memcpy(live->ids, ids, n * sizeof *ids);
    if (n_leaves) memcpy(live->leaves, leaves, n_leaves * sizeof *leaves);
    live->n_leaves = n_leaves;
    return true;
}

void tg__live_free(tg__live *live) {
    tg__free(live->buffer);
    tg__free(live->leaves);
    tg__free(live->key);
}

bool tg__live_collect(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots) {
    return collect(t, live, roots, n_roots, false);
}

bool tg__live_ancestors(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots) {
    return collect(t, live, roots, n_roots, true);
}

/* ------------------------------------------------------------------ key */

static inline uint64_t *leaf_words(uint64_t *w, const tg__node *n) {
    const tg_op *op = n->op == &tg__leaf_const || n->op == &tg__leaf_number ? n->op
                      : n->op == &tg__leaf_var                              ? &tg__leaf_var
                                                                            : &tg__leaf_value;
    *w++ = (uint64_t)(uintptr_t)op;
    *w++ = (uint64_t)n->shape << 32 | (uint64_t)n->dtype << 8 | (n->flags & (TG__KEEP | TG__WANT));
    *w++ = op == &tg__leaf_const ? (uint64_t)(uintptr_t)n->attr : 0;
    return w;
}

static inline uint64_t *node_words(const tg_tape *t, uint64_t *w, const tg__node *n) {
    uint32_t count;
    const uint32_t *in = tg__inputs(t, n, &count);
    *w++ = (uint64_t)(uintptr_t)n->op;
    *w++ = (uint64_t)n->shape << 32 | (uint64_t)(count & 0xffff) << 16 | (uint64_t)n->dtype << 8 | (uint64_t)n->output << 4 |
           (n->flags & (TG__KEEP | TG__WANT));
    *w++ = (uint64_t)(uintptr_t)n->attr;
    const uint32_t *local = t->local;
    uint32_t i = 0;
    for (; i + 1 < count; i += 2) *w++ = (uint64_t)local[in[i]] << 32 | local[in[i + 1]];
    if (i < count) *w++ = local[in[i]];
    return w;
}

static bool reserve_key(tg__live *live, uint64_t used, uint64_t more) {
    return used + more <= live->key_cap || tg__grow(&live->key, &live->key_cap, used + more, sizeof *live->key);
}

bool tg__live_key(tg_tape *t, tg__live *live, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots) {
    uint64_t used = 0;
    if (!reserve_key(live, 0, 2 + (uint64_t)live->n * 5 + n_roots + 3 * (uint64_t)t->n_effects)) return false;
    uint64_t *w = live->key;
    *w++ = (uint64_t)live->n << 32 | n_roots;
    *w++ = (uint64_t)tg__threads(t) << 48 | (uint64_t)t->n_effects << 8 | (uint64_t)t->check_finite << 4 | (uint64_t)mode;
    for (uint32_t i = 0; i < live->n; i++) {
        const tg__node *n = &t->nodes[live->ids[i]];
        if (n->n_in == TG__WIDE && !tg__node_is_leaf(n)) {
            used = (uint64_t)(w - live->key);
            if (!reserve_key(live, used, n->u.in[1] + 8 + (uint64_t)(live->n - i) * 5 + n_roots + 3 * (uint64_t)t->n_effects))
                return false;
            w = live->key + used;
        }
        w = tg__node_is_leaf(n) ? leaf_words(w, n) : node_words(t, w, n);
    }
    for (uint32_t i = 0; i < n_roots; i++) *w++ = t->local[roots[i]];
    if (mode == TG__STEP)
        for (uint32_t i = 0; i < t->n_effects; i++) {
            const tg__effect *e = &t->effects[i];
            bool reads = false; /* whether the old value is read in this run */
            if (e->target != TG__NONE) {
                uint32_t local = t->local[e->target];
                reads = local < live->n && live->ids[local] == e->target;
            }
            *w++ = (uint64_t)t->local[e->value] << 32 | (reads ? t->local[e->target] : TG__NONE);
        }
    live->n_key = (uint32_t)(w - live->key);
    XXH128_hash_t h = XXH3_128bits(live->key, live->n_key * sizeof *live->key);
    live->hash[0] = h.low64;
    live->hash[1] = h.high64;
    return true;
}

tg_status tg__check_borrowed(tg_tape *t, const tg__live *live) {
    if (!t->check_borrowed) return TG_OK;
    for (uint32_t i = 0; i < live->n_leaves; i++) {
        const tg__node *n = &t->nodes[live->leaves[i]];
        if (n->op != &tg__leaf_borrow || n->data == n->u.num) continue;
        size_t bytes = (size_t)tg__node_shape(t, live->leaves[i])->numel * tg_dtype_size(n->dtype);
        if (XXH3_64bits(n->data, bytes) != n->u.num[0])
            return tg__fail_node(t, TG_ECHANGED, live->leaves[i],
                                 "the bytes of a borrowed input changed between recording and running");
    }
    return TG_OK;
}

uint32_t tg__sibling(const tg_tape *t, uint32_t primary, int k) {
    for (uint32_t id = primary; id < t->n; id++) {
        const tg__node *n = &t->nodes[id];
        if (k == 0) return id;
        if (n->op == &tg__op_output && n->u.in[0] == primary && n->output == k) return id;
    }
    return 0;
}
