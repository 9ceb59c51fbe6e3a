/* The life of a tape: making, resetting, marking and rewinding, scopes, keeping values. */
#include <stdatomic.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine.h"
#include "tapegrad/model.h"

static _Atomic uint32_t mark_serial = 1;

static bool env_is_one(const char *name) {
    const char *v = getenv(name);
    return v && strcmp(v, "1") == 0;
}

static tg__remat_mode remat_mode(void) {
    const char *v = getenv("TG_REMAT");
    if (v && strcmp(v, "never") == 0) return TG__REMAT_NEVER;
    return v && strcmp(v, "always") == 0 ? TG__REMAT_ALWAYS : TG__REMAT_LARGE;
}

static bool start(tg_tape *t) {
    static const tg_op poison = {.name = "poison", .n_out = 1};
    tg_shape scalar = TG_SCALAR;
    if (!tg__scopes_start(t)) return false;
    if (!tg__grow(&t->values, &t->values_cap, 1, sizeof *t->values)) return false;
    memset(t->values, 0, t->values_cap * sizeof *t->values);
    uint32_t shape = tg__shape_intern(t, &scalar);
    t->next_held = TG__NONE;
    if (shape == TG__NONE || !tg__grow(&t->nodes, &t->nodes_cap, 1, sizeof *t->nodes)) return false;
    memset(t->nodes, 0, t->nodes_cap * sizeof *t->nodes);
    t->nodes[0].op = &poison;
    t->nodes[0].flags = TG__IS_LEAF;
    t->nodes[0].shape = shape;
    t->n = 1;
    return true;
}

tg_tape *tg_tape_new(void) {
    tg_tape *t = (tg_tape *)tg__owner_take(TG__OWNER_TAPE);
    if (!t) return NULL;
    t->eager = env_is_one("TG_EAGER");
    t->check_borrowed = env_is_one("TG_CHECK");
    t->debug_memory = env_is_one("TG_POISON");
    t->remat = remat_mode();
    if (start(t)) return t;
    tg_tape_free(t);
    return NULL;
}

static void free_held(tg_tape *t) {
    for (uint32_t i = 0; i < t->n_held; i++) {
        tg__node *n = &t->nodes[t->held[i]];
        tg__free(n->data);
        n->data = NULL;
        n->flags &= (uint8_t)~TG__HELD;
    }
    t->n_held = 0;
    t->next_held = TG__NONE;
}

void tg_tape_free(tg_tape *t) {
    if (!t || t->base.kind != TG__OWNER_TAPE) return;
    free_held(t);
    tg__planner_free(t);
    tg__grad_free(t);
    tg__free(t->repeats);
    tg__free(t->repeat_words);
    tg__model_destroy(t->states);
    for (uint32_t i = 0; i < t->values_cap; i++) tg__arena_free(&t->values[i]);
    for (uint32_t i = 0; i < t->n_scopes; i++) tg__free(t->scopes[i].path);
    tg__interned_free(&t->shapes);
    tg__interned_free(&t->attrs);
    tg__arena_free(&t->meta);
    tg__idset_free(&t->ids);
    void *const blocks[] = {t->values,    t->nodes,       t->spill,   t->scopes, t->scope_table,
                            t->var_slots, t->effects,     t->wants,   t->marks,  t->held,
                            t->local,     t->pool,        t->scratch, t->block_scratch, t->profile};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) tg__free(blocks[i]);
    tg__owner_give(&t->base);
}

/* ------------------------------------------------------------------ reset */

static void report_pending(tg_tape *t, const char *by, const tg__effect *first, uint32_t n) {
    tg__fail(t, TG_EPENDING, by, first->site, 0,
             "%u recorded assignments never ran (the first: %s): call tg_step, or tg_discard_effects if it is meant", n,
             first->var->name);
}

/* Interned shapes and attributes stay for the next recording, unless a stream of new ones has piled up. */
static void purge_interned(tg_tape *t) {
    if (t->shapes.n + t->attrs.n < 65536) return;
    tg__planner_forget(t);
    tg__repeat_end(t, 0);
    tg__interned_clear(&t->shapes);
    tg__interned_clear(&t->attrs);
    memset(t->pairs, 0, sizeof t->pairs);
    memset(t->inferred, 0, sizeof t->inferred);
    tg__arena_reset(&t->meta);
    tg_shape scalar = TG_SCALAR;
    t->nodes[0].shape = tg__shape_intern(t, &scalar);
    if (t->nodes[0].shape == TG__NONE) tg__fail_nomem(t, "tape_reset", NULL);
}

tg_status tg_tape_reset(tg_tape *t) {
    if (!t) return TG_EARG;
    if (t->n_effects) report_pending(t, "tape_reset", &t->effects[0], t->n_effects);
    tg_discard_effects(t);
    free_held(t);
    t->base.epoch++;
    t->n = 1;
    t->n_spill = 0;
    t->n_wants = 0;
    t->scope = 0;
    t->has_values = false;
    for (uint32_t i = 0; i <= t->n_marks; i++) tg__arena_reset(&t->values[i]);
    t->n_marks = 0;
    if (t->n_var_slots) memset(t->var_slots, 0, t->var_slots_size * sizeof *t->var_slots);
    t->n_var_slots = 0;
    if (t->failed)
        t->stream = t->stream_base; /* as if the failed recording had not been */
    else
        t->stream_base = t->stream;
    t->failed = t->base.error.status != TG_OK;
    purge_interned(t);
    return t->base.error.status;
}

/* ------------------------------------------------------------------ mark and rewind */

tg_mark tg_tape_mark(tg_tape *t) {
    if (!t) return (tg_mark){0, 0};
    if (t->n_marks && t->marks[t->n_marks - 1].id == t->n) return (tg_mark){t->n_marks - 1, t->marks[t->n_marks - 1].serial};
    uint32_t cap = t->values_cap;
    if (!tg__grow(&t->marks, &t->marks_cap, t->n_marks + 1, sizeof *t->marks) ||
        !tg__grow(&t->values, &cap, t->n_marks + 2, sizeof *t->values)) {
        tg__fail_nomem(t, "tape_mark", NULL);
        return (tg_mark){0, 0};
    }
    memset(t->values + t->values_cap, 0, (cap - t->values_cap) * sizeof *t->values);
    t->values_cap = cap;
    uint32_t serial = atomic_fetch_add(&mark_serial, 1);
    t->marks[t->n_marks] = (tg__mark_record){t->n, t->n_spill, serial};
    return (tg_mark){t->n_marks++, serial};
}

void *tg__value_memory(tg_tape *t, uint32_t id, size_t size) {
    uint32_t level = t->n_marks;
    while (level && id < t->marks[level - 1].id) level--;
    return tg__arena_take(&t->values[level], tg__apart(size));
}

static bool is_held(const tg_tape *t, uint32_t id) { return t->nodes[id].flags & TG__HELD; }

/* A kept node becomes a leaf with memory of its own. */
static bool hold(tg_tape *t, uint32_t id) {
    tg__node *n = &t->nodes[id];
    if (is_held(t, id)) return true;
    size_t bytes = (size_t)tg__node_shape(t, id)->numel * tg_dtype_size(n->dtype);
    const void *value = tg_data_at(n->site, tg__handle(t, id));
    if (!value || !tg__grow(&t->held, &t->held_cap, t->n_held + 1, sizeof *t->held)) return false;
    void *copy = tg__alloc(bytes);
    if (!copy) return false;
    memcpy(copy, value, bytes);
    tg__repeat_end(t, id);
    n = &t->nodes[id];
    n->op = &tg__leaf_value;
    n->attr = NULL;
    n->n_in = 0;
    n->data = copy;
    n->flags |= TG__HELD | TG__IS_LEAF;
    n->u.num[0] = UINT64_MAX; /* its place is settled at the end of the rewind */
    t->held[t->n_held++] = id;
    return true;
}

/* Held values lie where the tape was rewound to: what reads them comes after that, whatever their own ids are. A rewind to
 * there or further back ends those that are kept no more. */
static uint64_t *place_of_held(tg__node *n) { return &n->u.num[0]; }

static bool is_since(const tg_tape *t, uint32_t id, uint32_t mark) {
    return is_held(t, id) ? *place_of_held(&t->nodes[id]) >= mark : id >= mark;
}

static void settle_held(tg_tape *t, uint32_t mark) {
    uint32_t left = 0;
    t->next_held = TG__NONE;
    for (uint32_t i = 0; i < t->n_held; i++) {
        uint32_t id = t->held[i];
        tg__node *n = &t->nodes[id];
        if (*place_of_held(n) >= mark) {
            if (!(n->flags & TG__KEEP)) {
                tg__free(n->data);
                n->data = NULL;
                n->flags &= (uint8_t)~TG__HELD;
                n->epoch = 0;
                continue;
            }
            *place_of_held(n) = mark;
        }
        t->held[left++] = id;
        if (id >= mark && id < t->next_held) t->next_held = id;
    }
    t->n_held = left;
}

static void forget_vars_since(tg_tape *t, uint32_t mark) {
    for (uint32_t i = 0; i < t->var_slots_size; i++) /* a slot with id 0 means: read anew */
        if (t->var_slots[i].uid && is_since(t, t->var_slots[i].id, mark)) t->var_slots[i].id = 0;
}

/* Assignments whose value is gone go, and are an error; the others stay pending. */
static void rewind_effects(tg_tape *t, uint32_t mark) {
    uint32_t lost = 0;
    tg__effect first;
    for (uint32_t i = 0; i < t->n_effects; i++) {
        tg__effect *e = &t->effects[i];
        if (e->target != TG__NONE && is_since(t, e->target, mark)) e->target = TG__NONE; /* nobody reads the old value */
        if (!is_since(t, e->value, mark)) continue;
        if (!lost++) first = *e;
        tg__discard_effect(t, i--);
    }
    if (lost) report_pending(t, "rewind", &first, lost);
}

tg_status tg_rewind(tg_tape *t, tg_mark m) {
    if (!t) return TG_EARG;
    if (m.id >= t->n_marks || t->marks[m.id].serial != m.epoch)
        return tg__fail(t, TG_ESTALE, "rewind", NULL, t->scope,
                        "the mark is of another tape, or from before a reset or an earlier rewind");
    tg__mark_record mark = t->marks[m.id];
    bool ok = true;
    for (uint32_t id = mark.id; id < t->n && ok && !t->base.error.status; id++)
        if (t->nodes[id].flags & TG__KEEP && t->nodes[id].epoch) ok = hold(t, id);
    if (!ok) tg__fail_nomem(t, "rewind", NULL);
    rewind_effects(t, mark.id);
    forget_vars_since(t, mark.id);
    for (uint32_t level = m.id + 1; level <= t->n_marks; level++) tg__arena_reset(&t->values[level]);
    t->n_marks = m.id + 1;
    uint32_t wants = 0;
    for (uint32_t i = 0; i < t->n_wants; i++)
        if (!is_since(t, t->wants[i], mark.id)) t->wants[wants++] = t->wants[i];
    t->n_wants = wants;
    for (uint32_t id = mark.id; id < t->n; id++)
        if (!is_held(t, id)) t->nodes[id].epoch = 0;
    settle_held(t, mark.id);
    t->n = mark.id;
    t->n_spill = mark.n_spill;
    t->base.epoch++;
    return t->base.error.status;
}

/* ------------------------------------------------------------------ keep, want, drop */

static tg_tensor set_flag(const char *site, tg_tensor x, const char *op, uint8_t flag) {
    tg_tape *t = tg_tape_of(x);
    if (!t) return x;
    uint32_t id = t->base.error.status ? 0 : tg__resolve(t, x, op, site, 0);
    if (!id) return tg__poison(t);
    if (flag == TG__WANT && !(t->nodes[id].flags & TG__WANT)) {
        if (!tg__grow(&t->wants, &t->wants_cap, t->n_wants + 1, sizeof *t->wants)) {
            tg__fail_nomem(t, op, site);
            return tg__poison(t);
        }
        t->wants[t->n_wants++] = id;
    }
    t->nodes[id].flags |= flag;
    if (flag == TG__KEEP) t->has_values = true;
    return x;
}

TG_API(tg_tensor, tg_keep, (tg_tensor x), (x)) { return set_flag(site, x, "keep", TG__KEEP); }
TG_API(tg_tensor, tg_want, (tg_tensor x), (x)) { return set_flag(site, x, "want", TG__WANT); }

/* The memory of a value that survived a rewind goes at a later one: others may still read it. */
void tg_drop(tg_tensor x) {
    tg_tape *t = tg_tape_of(x);
    if (t && tg_valid(x)) t->nodes[x.id].flags &= (uint8_t)~TG__KEEP;
}

/* ------------------------------------------------------------------ scopes */

bool tg__scopes_start(tg_tape *t) {
    if (!tg__grow(&t->scopes, &t->scopes_cap, 1, sizeof *t->scopes)) return false;
    char *root = tg__strdup("");
    if (!root) return false;
    t->scopes[0] = (tg__scope){0, root, root};
    t->n_scopes = 1;
    return true;
}

/* Where the scope of this parent and name stands in the table, or where it is to be put. The root, 0, means a free place. */
static uint32_t *scope_place(const tg_tape *t, uint32_t parent, const char *name) {
    uint32_t mask = t->scope_table_size - 1, at = (uint32_t)XXH3_64bits_withSeed(name, strlen(name), parent) & mask;
    for (uint32_t s; (s = t->scope_table[at]) != 0; at = (at + 1) & mask)
        if (t->scopes[s].parent == parent && strcmp(t->scopes[s].name, name) == 0) break;
    return &t->scope_table[at];
}

static bool reserve_scope(tg_tape *t) {
    if (!tg__grow(&t->scopes, &t->scopes_cap, t->n_scopes + 1, sizeof *t->scopes)) return false;
    if (t->n_scopes * 2 < t->scope_table_size) return true;
    uint32_t size = t->scope_table_size ? t->scope_table_size * 2 : 64, *table = tg__calloc(size, sizeof *table);
    if (!table) return false;
    tg__free(t->scope_table);
    t->scope_table = table;
    t->scope_table_size = size;
    for (uint32_t s = 1; s < t->n_scopes; s++) *scope_place(t, t->scopes[s].parent, t->scopes[s].name) = s;
    return true;
}

uint32_t tg__scope_child(tg_tape *t, uint32_t parent, const char *name) {
    if (!reserve_scope(t)) return TG__NONE;
    uint32_t *place = scope_place(t, parent, name);
    if (*place) return *place;
    size_t before = strlen(t->scopes[parent].path) + (parent ? 1 : 0), own = strlen(name) + 1;
    char *path = tg__alloc(before + own);
    if (!path) return TG__NONE;
    if (parent) snprintf(path, before + 1, "%s.", t->scopes[parent].path);
    memcpy(path + before, name, own);
    t->scopes[t->n_scopes] = (tg__scope){parent, path, path + before};
    return *place = t->n_scopes++;
}

void tg_push_scope(tg_tape *t, const char *name) {
    if (!t) return; /* also with an error: pushes and pops stay in pairs */
    uint32_t s = tg__scope_child(t, t->scope, name ? name : "?");
    if (s == TG__NONE)
        tg__fail_nomem(t, "push_scope", NULL);
    else
        t->scope = s;
}

void tg_pop_scope(tg_tape *t) {
    if (t && t->n_scopes) t->scope = t->scopes[t->scope].parent;
}

/* ------------------------------------------------------------------ settings and counters */

void tg_set_eager(tg_tape *t, bool on) {
    if (t) t->eager = on;
}

void tg_set_threads(tg_tape *t, int threads) {
    if (t) t->threads = threads < 0 ? 0 : threads;
}

void tg_seed(tg_tape *t, uint64_t seed) {
    if (!t) return;
    t->seed = seed;
    t->stream = t->stream_base = 0;
}

tg_random_state tg_random_get(const tg_tape *t) { return t ? (tg_random_state){t->seed, t->stream} : (tg_random_state){0, 0}; }

void tg_random_set(tg_tape *t, tg_random_state state) {
    if (!t) return;
    t->seed = state.seed;
    t->stream = t->stream_base = state.stream;
}

void tg_check_finite(tg_tape *t, bool on) {
    if (t) t->check_finite = on;
}

tg_tape_stats tg_stats(const tg_tape *t) {
    if (!t) return (tg_tape_stats){0};
    tg_tape_stats s = t->stats;
    s.nodes = t->n - 1;
    s.pool_bytes = t->pool_size;
    for (uint32_t i = 0; i <= t->n_marks; i++) s.kept_bytes += t->values[i].total;
    return s;
}
