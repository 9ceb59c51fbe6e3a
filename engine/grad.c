/* Gradients are graph: the chain rule, recorded on the same tape.
 *
 * Only the nodes on a path from a wanted tensor to the root are visited, in falling order of their ids. Each node's
 * cotangent is the sum of the parts that its readers gave; then its rule records the parts of its inputs. */
#include "planner.h"

#define FEW 8 /* inputs, parts, tensors: so many need no memory of their own */

struct tg_vjp_state {
    tg_tape *t;
    tg__grad_level *level;
    uint32_t id, shape; /* of the node whose rule runs */
    uint64_t needs;     /* bit i: input i */
};

typedef struct roots {
    const uint32_t *ids;
    const tg_tensor *cotangents;
    int n;
} roots;

/* ------------------------------------------------------------------ levels */

static bool grow_slots(tg__grad_level *l, uint32_t n) {
    uint32_t before = l->slots_cap;
    if (n <= before) return true;
    if (!tg__grow(&l->slots, &l->slots_cap, n, sizeof *l->slots)) return false;
    memset(l->slots + before, 0, (l->slots_cap - before) * sizeof *l->slots);
    return true;
}

static void start_serial(tg__grad_level *l) {
    if (++l->serial) return;
    memset(l->slots, 0, l->slots_cap * sizeof *l->slots); /* after 2^32 gradients */
    l->serial = 1;
}

static tg__grad_level *enter(tg_tape *t) {
    if (!t->grad_levels && !(t->grad_levels = tg__calloc(TG__GRAD_LEVELS, sizeof *t->grad_levels))) return NULL;
    if (t->grad_depth == TG__GRAD_LEVELS) return NULL;
    tg__grad_level *l = &t->grad_levels[t->grad_depth];
    if (!grow_slots(l, t->nodes_cap) || !tg__idset_reserve(&t->ids, t->nodes_cap)) return NULL;
    start_serial(l);
    t->grad_depth++;
    l->n = l->n_parts = l->n_regions = 0;
    return l;
}

static void leave(tg_tape *t) { t->grad_depth--; }

void tg__grad_free(tg_tape *t) {
    for (int i = 0; t->grad_levels && i < TG__GRAD_LEVELS; i++) {
        tg__grad_level *l = &t->grad_levels[i];
        void *const blocks[] = {l->slots, l->ids, l->parts, l->regions};
        for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) tg__free(blocks[k]);
    }
    tg__free(t->grad_levels);
}

/* The slot of a node that this gradient visits, else NULL. */
static inline tg__grad_slot *slot_of(const tg__grad_level *l, uint32_t id) {
    return id < l->slots_cap && l->slots[id].serial == l->serial ? &l->slots[id] : NULL;
}

/* ------------------------------------------------------------------ paths */

static inline bool gradient_stops(const tg__node *n) {
    if (n->flags & TG__IS_LEAF || n->op->flags & TG_OP_CUT || n->op->source_fn) return true;
    return !tg__is_float(n->dtype) && n->op->n_out <= 1; /* another output may be of floats */
}

/* The ancestors of the roots with ids from `lowest` up. */
static bool collect(tg_tape *t, tg__grad_level *l, const roots *r, uint32_t lowest) {
    const tg__node *nodes = t->nodes;
    for (int i = 0; i < r->n; i++) tg__idset_add(&t->ids, r->ids[i]);
    bool ok = true;
    for (uint32_t id; (id = tg__idset_take(&t->ids)) != TG__NONE;) {
        const tg__node *n = &nodes[id];
        if (!ok || (id < lowest && !(n->flags & TG__HELD))) continue;
        if (l->n >= l->ids_cap && !(ok = tg__grow(&l->ids, &l->ids_cap, l->n + 1, sizeof *l->ids))) continue;
        l->ids[l->n++] = id;
        l->slots[id] = (tg__grad_slot){l->serial, 0, TG__NONE, 0};
        if (gradient_stops(n)) continue;
        uint32_t count;
        const uint32_t *in = tg__inputs(t, n, &count);
        for (uint32_t i = 0; i < count; i++)
            if (in[i] >= lowest || nodes[in[i]].flags & TG__HELD) tg__idset_add(&t->ids, in[i]);
    }
    return ok;
}

/* REACHED: the value depends on an x, or is one. INSIDE: the node of several outputs does by its inputs, so that all of them
 * do. PASSES: its rule has something to do. */
enum { REACHED = 1, INSIDE = 2, PASSES = 4 };

static void find_reach(const tg_tape *t, const tg__grad_level *l, const uint32_t *xs, int n) {
    const tg__node *nodes = t->nodes;
    tg__grad_slot *slots = l->slots;
    for (int i = 0; i < n; i++)
        if (slot_of(l, xs[i])) slots[xs[i]].reach = REACHED;
    for (uint32_t i = l->n; i-- > 0;) {
        const tg__node *node = &nodes[l->ids[i]];
        if (gradient_stops(node)) continue;
        uint32_t count, of_inputs = 0, reach = 0;
        const uint32_t *in = tg__inputs(t, node, &count);
        for (uint32_t k = 0; k < count; k++) of_inputs |= slots[in[k]].serial == l->serial ? slots[in[k]].reach : 0;
        if (!(of_inputs & (node->op == &tg__op_output ? INSIDE : REACHED))) continue;
        if (tg__is_float(node->dtype)) reach |= REACHED;
        if (node->op->n_out > 1) reach |= INSIDE;
        if (node->op != &tg__op_output) reach |= PASSES;
        slots[l->ids[i]].reach |= reach;
    }
}

/* ------------------------------------------------------------------ parts of cotangents */

static bool append_part(tg__grad_level *l, tg__grad_slot *s, uint32_t id, uint32_t region) {
    if (l->n_parts >= l->parts_cap && !tg__grow(&l->parts, &l->parts_cap, l->n_parts + 1, sizeof *l->parts)) return false;
    uint32_t p = l->n_parts++;
    if (s->parts == TG__NONE) {
        l->parts[p] = (tg__grad_part){id, p, region};
    } else {
        l->parts[p] = (tg__grad_part){id, l->parts[s->parts].next, region};
        l->parts[s->parts].next = p;
    }
    s->parts = p;
    return true;
}

static inline bool add_part(tg__grad_level *l, tg__grad_slot *s, uint32_t id, uint32_t region) {
    if (s->parts == TG__NONE) {
        if (!s->cotangent && region == TG__NONE) {
            s->cotangent = id;
            return true;
        }
        if (s->cotangent && !append_part(l, s, s->cotangent, TG__NONE)) return false;
    }
    return append_part(l, s, id, region);
}

typedef struct part_list {
    uint32_t *ids;
    uint32_t *regions;
    uint32_t n;
    bool wholes; /* all of them */
} part_list;

/* A whole part that is the output of an op which can sum itself, such as a product: that op, else NULL. */
static const tg_op *summing_op(const tg_tape *t, const part_list *p, uint32_t i) {
    const tg__node *n = &t->nodes[p->ids[i]];
    return p->regions[i] == TG__NONE && n->flags & TG__GRADIENT && n->op->sum ? n->op : NULL;
}

/* The nodes of one op among the parts, as the op's `sum` takes them. */
typedef struct summands {
    const tg_op *op;
    const tg_tensor **in;
    const void **attr;
    int *n_in;
    tg_tensor *handles;
    uint32_t n, first, total;
} summands;

static void count_summands(const tg_tape *t, const part_list *p, summands *s) {
    for (uint32_t i = 0; i < p->n; i++) {
        const tg_op *op = summing_op(t, p, i);
        if (!op || (s->op && op != s->op)) continue;
        if (!s->op) {
            s->op = op;
            s->first = i;
        }
        uint32_t count;
        tg__inputs(t, &t->nodes[p->ids[i]], &count);
        s->total += count;
        s->n++;
    }
}

static bool list_summands(const tg_tape *t, const part_list *p, summands *s) {
    s->in = tg__calloc(s->n, sizeof *s->in);
    s->n_in = tg__calloc(s->n, sizeof *s->n_in);
    s->attr = tg__calloc(s->n, sizeof *s->attr);
    s->handles = tg__calloc(s->total + 1, sizeof *s->handles);
    if (!s->in || !s->n_in || !s->attr || !s->handles) return false;
    uint32_t k = 0, at = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (summing_op(t, p, i) != s->op) continue;
        uint32_t count;
        const uint32_t *ids = tg__inputs(t, &t->nodes[p->ids[i]], &count);
        s->in[k] = s->handles + at;
        s->n_in[k] = (int)count;
        s->attr[k++] = t->nodes[p->ids[i]].attr;
        for (uint32_t j = 0; j < count; j++) s->handles[at++] = tg__handle(t, ids[j]);
    }
    return true;
}

/* The merged node takes the place of the first summand. */
static void replace_summands(const tg_tape *t, part_list *p, const summands *s, uint32_t merged) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (i != s->first && summing_op(t, p, i) == s->op) continue;
        p->ids[left] = i == s->first ? merged : p->ids[i];
        p->regions[left++] = p->regions[i];
    }
    p->n = left;
}

/* Merges the parts that are outputs of one op which can sum itself. */
static tg_status merge_sums(tg_tape *t, part_list *p) {
    summands s = {0};
    count_summands(t, p, &s);
    if (s.n < 2) return TG_OK;
    tg_tensor merged = {0};
    bool ok = list_summands(t, p, &s);
    if (ok) merged = s.op->sum(s.in, s.n_in, s.attr, (int)s.n);
    tg__free(s.handles);
    tg__free(s.attr);
    tg__free(s.n_in);
    tg__free(s.in);
    if (!ok) return tg__fail_nomem(t, s.op->name, NULL);
    if (!t->base.error.status && !tg__is_none(merged)) replace_summands(t, p, &s, merged.id);
    return t->base.error.status;
}

static tg_tensor sum_wholes(tg_tape *t, const part_list *p, uint32_t id) {
    tg_tensor few[FEW], *parts = p->n <= FEW ? few : tg__alloc(p->n * sizeof *parts);
    if (!parts) {
        tg__fail_nomem(t, "add_n", NULL);
        return tg__poison(t);
    }
    for (uint32_t i = 0; i < p->n; i++) parts[i] = tg__handle(t, p->ids[i]);
    tg_tensor sum = tg__add_n(t, t->nodes[id].site, parts, (int)p->n);
    if (parts != few) tg__free(parts);
    return sum;
}

static tg_tensor sum_regions(tg_tape *t, const tg__grad_level *l, const part_list *p, uint32_t id) {
    tg_tensor few_parts[FEW], *parts = p->n <= FEW ? few_parts : tg__alloc(p->n * sizeof *parts), sum = tg__poison(t);
    tg__region few_regions[FEW], *regions = p->n <= FEW ? few_regions : tg__alloc(p->n * sizeof *regions), whole;
    for (int a = 0; a < TG_MAX_RANK; a++) {
        whole.start[a] = 0;
        whole.step[a] = 1;
    }
    if (parts && regions) {
        for (uint32_t i = 0; i < p->n; i++) {
            parts[i] = tg__handle(t, p->ids[i]);
            regions[i] = p->regions[i] == TG__NONE ? whole : l->regions[p->regions[i]];
        }
        tg_shape shape = tg__node_shape(t, id)->shape;
        sum = tg__accumulate(t, t->nodes[id].site, &shape, t->nodes[id].dtype, parts, regions, (int)p->n);
    } else {
        tg__fail_nomem(t, "accumulate", NULL);
    }
    if (regions != few_regions) tg__free(regions);
    if (parts != few_parts) tg__free(parts);
    return sum;
}

static tg_tensor sum_parts(tg_tape *t, tg__grad_level *l, part_list *p, uint32_t id) {
    if (merge_sums(t, p)) return tg__poison(t);
    return p->wholes ? sum_wholes(t, p, id) : sum_regions(t, l, p, id);
}

static bool list_parts(const tg__grad_level *l, uint32_t last, part_list *list, uint32_t *few) {
    uint32_t n = 1;
    for (uint32_t p = l->parts[last].next; p != last; p = l->parts[p].next) n++;
    list->ids = n <= FEW ? few : tg__alloc(2 * (size_t)n * sizeof *few);
    if (!list->ids) return false;
    list->regions = list->ids + n;
    list->wholes = true;
    for (uint32_t p = l->parts[last].next; list->n < n; p = l->parts[p].next) {
        list->wholes = list->wholes && l->parts[p].region == TG__NONE;
        list->ids[list->n] = l->parts[p].id;
        list->regions[list->n++] = l->parts[p].region;
    }
    return true;
}

/* Makes the sum of the parts the cotangent of the node. */
static void sum_cotangent(tg_tape *t, tg__grad_level *l, uint32_t id) {
    uint32_t sum = 0, few[2 * FEW];
    part_list list = {0};
    if (list_parts(l, l->slots[id].parts, &list, few))
        sum = sum_parts(t, l, &list, id).id;
    else
        tg__fail_nomem(t, "accumulate", NULL);
    if (list.ids != few) tg__free(list.ids);
    l->slots[id].cotangent = sum;
    l->slots[id].parts = TG__NONE;
}

static inline void finish_cotangent(tg_tape *t, tg__grad_level *l, uint32_t id) {
    if (l->slots[id].parts != TG__NONE) sum_cotangent(t, l, id);
}

/* ------------------------------------------------------------------ rules */

#define MANY_INPUTS 64 /* inputs from here on are looked up when asked for */

static inline bool input_is_needed(const tg_tape *t, const tg__grad_level *l, uint32_t id) {
    const tg__grad_slot *s = &l->slots[id];
    return s->serial == l->serial && s->reach && tg__is_float(t->nodes[id].dtype);
}

static inline bool needs(const tg_vjp_args *v, int input) {
    const struct tg_vjp_state *s = v->state;
    if ((unsigned)input >= (unsigned)v->n_in) return false;
    return input < MANY_INPUTS ? s->needs >> input & 1 : input_is_needed(s->t, s->level, v->in[input].id);
}

bool tg_vjp_needs(const tg_vjp_args *v, int input) { return needs(v, input); }

static bool shape_is(tg_tape *t, uint32_t id, const tg_shape *want, uint32_t node, int input) {
    char a[160], b[160];
    const tg_shape *have = &tg__node_shape(t, id)->shape;
    if (tg_shape_equal(have, want)) return true;
    tg__fail_node(t, TG_EINTERNAL, node, "the derivative rule gave a cotangent of shape %s for input %d, not %s",
                  tg__shape_text(have, a, sizeof a), input, tg__shape_text(want, b, sizeof b));
    return false;
}

static bool dtype_is(tg_tape *t, uint32_t id, tg_dtype want, uint32_t node, int input) {
    if (t->nodes[id].dtype == want) return true;
    tg__fail_node(t, TG_EINTERNAL, node, "the derivative rule gave a cotangent of dtype %s for input %d, not %s",
                  tg_dtype_name(t->nodes[id].dtype), input, tg_dtype_name(want));
    return false;
}

/* The cotangent of an input, from one that may have to be checked and summed over broadcast axes; 0: the tape's error. */
static uint32_t fit_cotangent(tg_vjp_args *v, int input, tg_tensor cotangent) {
    struct tg_vjp_state *s = v->state;
    tg_tape *t = s->t;
    const tg_op *op = t->nodes[s->id].op;
    if (t->base.error.status) return 0;
    uint32_t id = tg__resolve(t, cotangent, op->name, NULL, input);
    if (!id) return 0;
    uint32_t target = v->in[input].id, shape = t->nodes[target].shape;
    uint32_t given = op->micro ? t->nodes[s->id].shape : shape; /* elementwise rules leave broadcasting to the engine */
    if (t->nodes[id].shape != given && !shape_is(t, id, &tg__shape_at(t, given)->shape, s->id, input)) return 0;
    if (!dtype_is(t, id, t->nodes[target].dtype, s->id, input)) return 0;
    if (t->nodes[id].shape == shape) return id;
    tg_shape to = tg__shape_at(t, shape)->shape;
    return tg__sum_to(tg__handle(t, id), &to).id;
}

void tg_vjp_give(tg_vjp_args *v, int input, tg_tensor cotangent) {
    struct tg_vjp_state *s = v->state;
    tg_tape *t = s->t;
    if (!needs(v, input)) return;
    uint32_t target = v->in[input].id, id = cotangent.id;
    const tg__node *g = &t->nodes[id], *x = &t->nodes[target];
    bool fits = tg__is_live_on(t, cotangent) && g->shape == x->shape && g->shape == s->shape && g->dtype == x->dtype;
    if (!fits && !(id = fit_cotangent(v, input, cotangent))) return;
    if (!add_part(s->level, &s->level->slots[target], id, TG__NONE)) tg__fail_nomem(t, "grad", NULL);
}

void tg_vjp_give_region(tg_vjp_args *v, int input, tg_tensor cotangent, const int64_t *start, const int64_t *step) {
    struct tg_vjp_state *s = v->state;
    tg_tape *t = s->t;
    tg__grad_level *l = s->level;
    if (!needs(v, input) || t->base.error.status) return;
    uint32_t target = v->in[input].id, id = tg__resolve(t, cotangent, t->nodes[s->id].op->name, NULL, input);
    if (!id) return;
    const tg_shape *whole = &tg__node_shape(t, target)->shape, *part = &tg__node_shape(t, id)->shape;
    bool ok = whole->rank == part->rank;
    for (int a = 0; a < whole->rank && ok; a++) {
        int64_t last = start[a] + (part->dims[a] - 1) * step[a];
        ok = step[a] != 0 &&
             (part->dims[a] == 0 || (start[a] >= 0 && start[a] < whole->dims[a] && last >= 0 && last < whole->dims[a]));
    }
    if (!ok) {
        tg__fail_node(t, TG_EINTERNAL, s->id, "the derivative rule gave a region outside of input %d", input);
        return;
    }
    if (!tg__grow(&l->regions, &l->regions_cap, l->n_regions + 1, sizeof *l->regions)) {
        tg__fail_nomem(t, "grad", NULL);
        return;
    }
    tg__region *r = &l->regions[l->n_regions];
    memset(r, 0, sizeof *r);
    memcpy(r->start, start, (size_t)whole->rank * sizeof *start);
    memcpy(r->step, step, (size_t)whole->rank * sizeof *step);
    if (!add_part(l, &l->slots[target], id, l->n_regions++)) tg__fail_nomem(t, "grad", NULL);
}

static tg_status differentiate(tg_tape *t, const roots *r, const uint32_t *xs, int n, uint32_t *gs);

#define MAX_DEFINED 64

/* Through the definition: it is recorded on inputs of its own, so that a derivative that ends at them is partial. */
static void vjp_by_definition(tg_tape *t, tg_vjp_args *v) {
    const struct tg_vjp_state *s = v->state;
    const tg_op *op = t->nodes[s->id].op;
    if (v->n_in > MAX_DEFINED) {
        tg__fail_node(t, TG_ENOGRAD, s->id, "a definition of more than %d inputs cannot be differentiated", MAX_DEFINED);
        return;
    }
    for (int k = 1; k < v->n_out; k++)
        if (!tg__is_none(v->g[k])) {
            tg__fail_node(t, TG_ENOGRAD, s->id, "output %d has no derivative", k);
            return;
        }
    tg_tensor in[MAX_DEFINED];
    uint32_t xs[MAX_DEFINED], gs[MAX_DEFINED];
    int which[MAX_DEFINED], n = 0;
    for (int i = 0; i < v->n_in; i++) {
        in[i] = v->in[i];
        if (!tg_vjp_needs(v, i)) continue;
        in[i] = tg__identity(v->in[i]);
        xs[n] = in[i].id;
        which[n++] = i;
    }
    tg_tensor y = op->define(t, in, v->n_in, v->attr);
    uint32_t root = t->base.error.status ? 0 : tg__resolve(t, y, op->name, NULL, 0);
    if (!root) return;
    roots r = {&root, &v->g[0], 1};
    if (differentiate(t, &r, xs, n, gs)) return;
    for (int k = 0; k < n; k++) {
        if (gs[k] && !add_part(s->level, &s->level->slots[v->in[which[k]].id], gs[k], TG__NONE))
            tg__fail_nomem(t, "grad", NULL);
    }
}

static void apply_rule(tg_tape *t, tg__grad_level *l, uint32_t id, tg_vjp_args *v, uint64_t needs) {
    const tg__node *n = &t->nodes[id];
    const tg_op *op = n->op;
    struct tg_vjp_state state = {t, l, id, n->shape, needs};
    v->state = &state;
    t->site_override = n->site;
    t->scope = n->scope;
    t->flags_override = TG__GRADIENT;
    if (op->vjp)
        op->vjp(v);
    else if (op->define)
        vjp_by_definition(t, v);
    else
        tg__fail_node(t, TG_ENOGRAD, id, "the op has no derivative");
}

static inline bool list_output(const tg_tape *t, uint32_t id, uint32_t cotangent, tg_tensor *out, tg_tensor *g) {
    *out = tg__handle(t, id);
    *g = cotangent ? tg__handle(t, cotangent) : (tg_tensor){0};
    return cotangent != 0;
}

/* The handles of a node's outputs and their cotangents; false if none has one. */
static inline bool list_outputs(const tg_tape *t, const tg__grad_level *l, uint32_t id, int n_out, tg_tensor *out,
                                tg_tensor *g) {
    bool any = list_output(t, id, l->slots[id].cotangent, out, g);
    for (int k = 1; k < n_out; k++) {
        uint32_t o = tg__sibling(t, id, k);
        const tg__grad_slot *s = slot_of(l, o);
        any = list_output(t, o, s ? s->cotangent : 0, &out[k], &g[k]) || any;
    }
    return any;
}

static inline uint64_t list_inputs(const tg_tape *t, const tg__grad_level *l, const uint32_t *ids, uint32_t count,
                                   tg_tensor *in) {
    const tg__node *nodes = t->nodes;
    const tg__grad_slot *slots = l->slots;
    uint64_t needs = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = ids[i];
        in[i] = (tg_tensor){(tg_owner *)&t->base, id, nodes[id].epoch};
        if (slots[id].serial == l->serial && slots[id].reach && tg__is_float(nodes[id].dtype) && i < MANY_INPUTS)
            needs |= (uint64_t)1 << i;
    }
    return needs;
}

static void visit(tg_tape *t, tg__grad_level *l, uint32_t id) {
    uint32_t count;
    const tg__node *n = &t->nodes[id];
    int n_out = n->op->n_out > 1 ? n->op->n_out : 1;
    const uint32_t *ids = tg__inputs(t, n, &count);
    tg_tensor few[FEW], out[TG_MAX_OUTPUTS], g[TG_MAX_OUTPUTS], *in = few;
    if (!list_outputs(t, l, id, n_out, out, g)) return;
    if (count > FEW && !(in = tg__alloc(count * sizeof *in))) {
        tg__fail_nomem(t, "grad", NULL);
        return;
    }
    uint64_t needs = list_inputs(t, l, ids, count, in);
    tg_vjp_args v = {(int)count, n_out, in, out, g, n->attr, NULL};
    apply_rule(t, l, id, &v, needs);
    if (in != few) tg__free(in);
}

static void visit_all(tg_tape *t, tg__grad_level *l) {
    const char *site = t->site_override;
    uint32_t scope = t->scope;
    uint8_t flags = t->flags_override;
    for (uint32_t i = 0; i < l->n && !t->base.error.status; i++) {
        uint32_t id = l->ids[i];
        if (!l->slots[id].reach || t->nodes[id].flags & TG__IS_LEAF) continue;
        t->site_override = site; /* sums of cotangents belong to what is asked, rules to the node that they differentiate */
        t->scope = scope;
        t->flags_override = flags;
        finish_cotangent(t, l, id);
        if (l->slots[id].reach & PASSES) visit(t, l, id);
    }
    t->site_override = site;
    t->scope = scope;
    t->flags_override = flags;
}

/* gs[i]: the node of the cotangent of xs[i]; 0 where the roots do not depend on it. */
static tg_status run_rules(tg_tape *t, tg__grad_level *l, const roots *r, const uint32_t *xs, int n, uint32_t *gs) {
    find_reach(t, l, xs, n);
    bool ok = true;
    for (int i = 0; i < r->n && ok; i++) {
        tg__grad_slot *s = slot_of(l, r->ids[i]); /* none: every x is newer than this root */
        ok = !s || add_part(l, s, r->cotangents[i].id, TG__NONE);
    }
    if (!ok) return tg__fail_nomem(t, "grad", NULL);
    visit_all(t, l);
    for (int i = 0; i < n && !t->base.error.status; i++) {
        bool visited = slot_of(l, xs[i]) != NULL;
        if (visited) finish_cotangent(t, l, xs[i]); /* of leaves: not done yet */
        gs[i] = visited ? l->slots[xs[i]].cotangent : 0;
    }
    return t->base.error.status;
}

/* From which id up a node may depend on x: what reads a held node may have any id. */
static uint32_t lowest_reader(const tg_tape *t, uint32_t x) { return t->nodes[x].flags & TG__HELD ? 0 : x; }

static uint32_t lowest_id(const tg_tape *t, const uint32_t *xs, int n) {
    uint32_t lowest = TG__NONE;
    for (int i = 0; i < n; i++)
        if (lowest_reader(t, xs[i]) < lowest) lowest = lowest_reader(t, xs[i]);
    return lowest;
}

static tg_status differentiate(tg_tape *t, const roots *r, const uint32_t *xs, int n, uint32_t *gs) {
    tg__grad_level *l = enter(t);
    if (!l)
        return tg__fail(t, t->grad_depth == TG__GRAD_LEVELS ? TG_ENOGRAD : TG_ENOMEM, "grad", NULL, t->scope,
                        t->grad_depth == TG__GRAD_LEVELS ? "definitions are nested too deeply" : "out of memory");
    tg_status s = collect(t, l, r, lowest_id(t, xs, n)) ? run_rules(t, l, r, xs, n, gs) : tg__fail_nomem(t, "grad", NULL);
    leave(t);
    return s;
}

/* ------------------------------------------------------------------ what the user asks */

typedef enum missing { MISSING_FAILS, MISSING_IS_ZERO, MISSING_IS_NONE } missing; /* an x that y does not depend on */

typedef struct request {
    tg_tape *t;
    const char *site;
    uint32_t *xs, *gs, few[2 * FEW];
    int n;
    missing missing;
} request;

static bool is_ancestor(tg_tape *t, uint32_t root, uint32_t x) {
    tg__grad_level *l = enter(t);
    if (!l) return false;
    roots r = {&root, NULL, 1};
    bool found = collect(t, l, &r, lowest_reader(t, x));
    if (found) {
        find_reach(t, l, &x, 1);
        const tg__grad_slot *s = slot_of(l, root);
        found = s && s->reach & REACHED;
    }
    leave(t);
    return found;
}

/* A parameter's handle means the version that y reads. */
static uint32_t resolve_x(tg_tape *t, uint32_t y, tg_tensor x, const char *site, int which) {
    tg__var *v = tg__var_of(x);
    uint32_t newest = tg__resolve(t, x, "grad", site, which);
    if (!v || !newest || t->nodes[newest].op == &tg__leaf_var) return newest;
    for (uint32_t i = 0; i < t->n_effects; i++) {
        const tg__effect *e = &t->effects[i];
        if (e->var != v || e->target == TG__NONE || !is_ancestor(t, y, e->target)) continue;
        if (!is_ancestor(t, y, newest)) return e->target;
        tg__fail(t, TG_EARG, "grad", site, t->scope,
                 "y reads %s both before and after its assignment: take a handle with tg_on for the one you mean", v->name);
        return 0;
    }
    return newest;
}

static tg_status no_path(request *q, int i) {
    char text[200];
    tg_tape *t = q->t;
    const tg__node *n = &t->nodes[q->xs[i]];
    return tg__fail(t, TG_ENOGRAD, "grad", q->site, t->scope, "y does not depend on x number %d, the %s%s%s %s recorded at %s",
                    i, n->op->name, n->op == &tg__leaf_var ? " " : "",
                    n->op == &tg__leaf_var ? ((const tg__var *)n->attr)->name : "",
                    tg__node_text(t, q->xs[i], text, sizeof text), n->site ? n->site : "?");
}

static tg_status give_results(request *q, tg_tensor *out) {
    tg_tape *t = q->t;
    for (int i = 0; i < q->n && !t->base.error.status; i++) {
        if (!q->gs[i] && q->missing == MISSING_FAILS) return no_path(q, i);
        if (!q->gs[i] && q->missing == MISSING_IS_NONE) {
            out[i] = (tg_tensor){0};
        } else if (q->gs[i]) {
            out[i] = tg__handle(t, q->gs[i]);
        } else {
            tg_shape shape = tg__node_shape(t, q->xs[i])->shape;
            out[i] = tg__constant(t, 0, &shape, t->nodes[q->xs[i]].dtype);
        }
    }
    return t->base.error.status;
}

static void answer(request *q, const roots *r) {
    tg_tape *t = q->t;
    tg__question question = {r->ids, q->xs, r->cotangents, r->n, q->n};
    uint32_t begin = t->n, spill_begin = t->n_spill;
    if (t->grad_depth == 0 && tg__repeat_gradient(t, &question, q->gs)) return;
    if (t->grad_depth == 0) t->called_back = false;
    if (!differentiate(t, r, q->xs, q->n, q->gs) && t->grad_depth == 0 && !t->called_back)
        tg__repeat_note_gradient(t, &question, begin, spill_begin, q->gs);
}

static tg_status run_request(request *q, const roots *r, tg_tensor *out) {
    tg_tape *t = q->t;
    const char *outer = t->site_override;
    uint8_t flags = t->flags_override;
    if (!outer) t->site_override = q->site;
    t->flags_override |= TG__GRADIENT; /* sums of cotangents, too, which no rule records */
    answer(q, r);
    if (!t->base.error.status) give_results(q, out);
    t->flags_override = flags;
    t->site_override = outer;
    return t->base.error.status;
}

static bool request_start(request *q, const char *site, tg_tape *t, int n) {
    q->t = t;
    q->site = site;
    q->n = n;
    q->xs = n <= FEW ? q->few : tg__alloc(2 * (size_t)n * sizeof *q->xs);
    if (!q->xs) {
        tg__fail_nomem(t, "grad", site);
        return false;
    }
    q->gs = q->xs + n;
    for (int i = 0; i < n; i++) q->gs[i] = 0;
    return true;
}

static void request_end(request *q) {
    if (q->xs != q->few) tg__free(q->xs);
}

static void poison_all(tg_tape *t, tg_tensor *gs, int n) {
    for (int i = 0; gs && i < n; i++) gs[i] = t ? tg__poison(t) : (tg_tensor){0};
}

static bool arguments_ok(tg_tape *t, const char *site, const void *xs, const void *gs, int n) {
    if (n >= 0 && (n == 0 || (xs && gs))) return true;
    tg__fail(t, TG_EARG, "grad", site, t->scope, "the list of tensors or the place for the results is missing");
    return false;
}

static bool is_float_node(tg_tape *t, uint32_t id, const char *site, const char *what) {
    if (tg__is_float(t->nodes[id].dtype)) return true;
    tg__fail(t, TG_EDTYPE, "grad", site, t->scope, "%s is %s: only floats have derivatives", what,
             tg_dtype_name(t->nodes[id].dtype));
    return false;
}

static tg_status vjp(const char *site, tg_tensor y, const tg_tensor *cotangent, const tg_tensor *xs, int n, tg_tensor *gs,
                     missing missing) {
    tg_tape *t = tg_tape_of(y);
    poison_all(t, gs, n);
    if (!t) return TG_EARG;
    if (t->base.error.status || !arguments_ok(t, site, xs, gs, n)) return t->base.error.status;
    uint32_t root = tg__resolve(t, y, "grad", site, 0);
    if (!root || !is_float_node(t, root, site, "y")) return t->base.error.status;
    char text[200], other[200];
    tg_shape shape = tg__node_shape(t, root)->shape;
    tg_tensor g;
    if (cotangent) {
        uint32_t id = tg__resolve(t, *cotangent, "vjp", site, 1);
        if (!id) return t->base.error.status;
        if (!tg_shape_equal(&tg__node_shape(t, id)->shape, &shape) || t->nodes[id].dtype != t->nodes[root].dtype)
            return tg__fail(t, TG_ESHAPE, "vjp", site, t->scope, "the cotangent is %s, y is %s",
                            tg__node_text(t, id, text, sizeof text), tg__node_text(t, root, other, sizeof other));
        g = tg__handle(t, id);
    } else {
        if (tg__node_shape(t, root)->numel != 1)
            return tg__fail(t, TG_ESHAPE, "grad", site, t->scope,
                            "y must have one element, it is %s: give a cotangent with tg_vjp",
                            tg__node_text(t, root, text, sizeof text));
        g = tg__constant(t, 1, &shape, t->nodes[root].dtype);
    }
    request q;
    if (request_start(&q, site, t, n)) {
        q.missing = missing;
        bool ok = !t->base.error.status;
        for (int i = 0; i < n && ok; i++) {
            q.xs[i] = resolve_x(t, root, xs[i], site, i);
            ok = q.xs[i] && is_float_node(t, q.xs[i], site, "x");
        }
        roots r = {&root, &g, 1};
        if (ok) run_request(&q, &r, gs);
    }
    request_end(&q);
    if (t->base.error.status) poison_all(t, gs, n);
    return t->base.error.status;
}

TG_API(tg_status, tg_grad, (tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs), (y, xs, n, gs)) {
    return vjp(site, y, NULL, xs, n, gs, MISSING_FAILS);
}

tg_status tg__grad_where(const char *site, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs) {
    return vjp(site, y, NULL, xs, n, gs, MISSING_IS_NONE);
}

TG_API(tg_status, tg_vjp, (tg_tensor y, tg_tensor cotangent, const tg_tensor *xs, int n, tg_tensor *gs),
       (y, cotangent, xs, n, gs)) {
    return vjp(site, y, &cotangent, xs, n, gs, MISSING_FAILS);
}

tg_status tg__vjp_where(const char *site, tg_tensor y, tg_tensor cotangent, const tg_tensor *xs, int n, tg_tensor *gs) {
    return vjp(site, y, &cotangent, xs, n, gs, MISSING_IS_NONE);
}

tg_tensor tg__grad_target(const char *site, tg_tensor y, tg_tensor x, int which) {
    tg_tape *t = tg_tape_of(y);
    uint32_t root = tg__resolve(t, y, "grad", site, 0), id = root ? resolve_x(t, root, x, site, which) : 0;
    return id ? tg__handle(t, id) : tg__poison(t);
}

/* Several roots at once: the sum over i of the derivative of ys[i] with cotangent cs[i]. */
static tg_status vjp_of_sum(const char *site, tg_tape *t, const tg_tensor *ys, const tg_tensor *cs, int n_roots,
                            const tg_tensor *xs, int n, tg_tensor *gs) {
    poison_all(t, gs, n);
    uint32_t *ids = tg__alloc((size_t)(n_roots ? n_roots : 1) * sizeof *ids);
    request q;
    bool ok = request_start(&q, site, t, n) && ids && !t->base.error.status;
    if (!ids) tg__fail_nomem(t, "grad", site);
    q.missing = MISSING_IS_ZERO;
    for (int i = 0; i < n_roots && ok; i++) ok = (ids[i] = tg__resolve(t, ys[i], "grad", site, i)) != 0;
    for (int i = 0; i < n && ok; i++) ok = (q.xs[i] = tg__resolve(t, xs[i], "grad", site, i)) != 0;
    roots r = {ids, cs, n_roots};
    if (ok) run_request(&q, &r, gs);
    request_end(&q);
    tg__free(ids);
    return t->base.error.status;
}

static bool tangents_fit(tg_tape *t, const char *op, const char *site, const tg_tensor *xs, tg_tensor *vs, int n) {
    char a[200], b[200];
    for (int i = 0; i < n; i++) {
        uint32_t x = tg__resolve(t, xs[i], op, site, i), v = x ? tg__resolve(t, vs[i], op, site, i) : 0;
        if (!v) return false;
        if (t->nodes[x].shape != t->nodes[v].shape || t->nodes[x].dtype != t->nodes[v].dtype) {
            tg__fail(t, TG_ESHAPE, op, site, t->scope, "tangent %d is %s, its tensor %s", i, tg__node_text(t, v, a, sizeof a),
                     tg__node_text(t, x, b, sizeof b));
            return false;
        }
        vs[i] = tg__handle(t, v);
    }
    return true;
}

static tg_tensor dummy_like(tg_tape *t, tg_tensor y, const char *site) {
    tg_shape shape = tg_shape_of(y);
    uint32_t s = tg__shape_intern(t, &shape);
    uint32_t id = s == TG__NONE ? 0 : tg__record(t, &tg__leaf_dummy, NULL, NULL, 0, s, tg_dtype_of(y), site);
    size_t size = (size_t)tg_numel(y) * tg_dtype_size(tg_dtype_of(y));
    void *zeros = id && t->eager ? tg__value_memory(t, id, size) : NULL; /* eager mode runs what reads it */
    if (!id || (t->eager && !zeros)) {
        tg__fail_nomem(t, "jvp", site);
        return tg__poison(t);
    }
    if (zeros) t->nodes[id].data = memset(zeros, 0, size);
    t->nodes[id].flags |= TG__IS_LEAF;
    return tg__handle(t, id);
}

TG_API(tg_tensor, tg_jvp, (tg_tensor y, const tg_tensor *xs, const tg_tensor *dxs, int n), (y, xs, dxs, n)) {
    tg_tape *t = tg_tape_of(y);
    if (!t) return tg__lost(site);
    tg_tensor result = tg__poison(t);
    if (t->base.error.status || !arguments_ok(t, site, xs, dxs, n)) return result;
    tg_tensor *gs = tg__calloc((size_t)(n ? n : 1) * 2, sizeof *gs), *vs = gs ? gs + n : NULL;
    if (!gs) {
        tg__fail_nomem(t, "jvp", site);
        return result;
    }
    if (n) memcpy(vs, dxs, (size_t)n * sizeof *vs);
    if (tangents_fit(t, "jvp", site, xs, vs, n)) {
        tg_tensor u = dummy_like(t, y, site);
        bool before = t->for_tangents;
        t->for_tangents = true;
        bool ok = !t->base.error.status && !vjp(site, y, &u, xs, n, gs, MISSING_IS_ZERO);
        t->for_tangents = before;
        if (ok) vjp_of_sum(site, t, gs, vs, n, &u, 1, &result);
    }
    tg__free(gs);
    return t->base.error.status ? tg__poison(t) : result;
}

TG_API(tg_status, tg_hvp, (tg_tensor y, const tg_tensor *xs, const tg_tensor *vs, int n, tg_tensor *hs), (y, xs, vs, n, hs)) {
    tg_tape *t = tg_tape_of(y);
    poison_all(t, hs, n);
    if (!t) return TG_EARG;
    if (t->base.error.status || !arguments_ok(t, site, xs, hs, n) || !arguments_ok(t, site, vs, hs, n))
        return t->base.error.status;
    tg_tensor *gs = tg__calloc((size_t)(n ? n : 1) * 3, sizeof *gs);
    if (!gs) return tg__fail_nomem(t, "hvp", site);
    tg_tensor *tangents = gs + n, *named = gs + 2 * n;
    if (n) memcpy(tangents, vs, (size_t)n * sizeof *gs);
    bool ok = tangents_fit(t, "hvp", site, xs, tangents, n) && !tg_grad_at(site, y, xs, n, gs);
    uint32_t root = ok ? tg__resolve(t, y, "hvp", site, 0) : 0;
    for (int i = 0; i < n && ok; i++) {
        uint32_t x = resolve_x(t, root, xs[i], site, i);
        ok = x != 0;
        named[i] = tg__handle(t, x);
    }
    if (ok) vjp_of_sum(site, t, gs, tangents, n, named, n, hs);
    tg__free(gs);
    if (t->base.error.status) poison_all(t, hs, n);
    return t->base.error.status;
}

bool tg_depends(tg_tensor y, tg_tensor x) {
    tg_tape *t = tg_tape_of(y);
    if (!t || t->base.error.status || !tg_valid(y)) return false;
    const tg__var *v = tg__var_of(x);
    if (v && !tg__var_slot_of(t, v, false)) return false; /* never read on this tape */
    uint32_t root = tg__resolve(t, y, "depends", NULL, 0), id = resolve_x(t, root, x, NULL, 1);
    return id && root && is_ancestor(t, root, id);
}

/* ------------------------------------------------------------------ custom gradients */

typedef struct custom_attr {
    void (*fn)(void); /* a tg_custom_fn */
    void *user;
} custom_attr;

static const tg_field custom_fields[] = {
    {"fn", TG_FIELD_PTR, offsetof(custom_attr, fn)}, {"user", TG_FIELD_PTR, offsetof(custom_attr, user)}, {0}};

static tg_status custom_infer(tg_infer *f) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool custom_view(tg_view_args *v) {
    memcpy(v->out_strides, v->in_strides, (size_t)v->in_shape->rank * sizeof *v->in_strides);
    return true;
}

static void custom_vjp(tg_vjp_args *v) {
    const custom_attr *a = v->attr;
    tg_tensor gs[16] = {0};
    tg_tape_of(v->out[0])->called_back = true;
    ((tg_custom_fn)a->fn)(v->g[0], v->out[0], v->in + 1, v->n_in - 1, gs, a->user);
    for (int i = 1; i < v->n_in; i++)
        if (!tg__is_none(gs[i - 1])) tg_vjp_give(v, i, gs[i - 1]);
}

const tg_op tg__op_custom = {.name = "custom_grad",
                             .formula = "y, with a gradient given by the user",
                             .min_in = 1,
                             .max_in = 16,
                             .attr_size = sizeof(custom_attr),
                             .fields = custom_fields,
                             .infer = custom_infer,
                             .view = custom_view,
                             .vjp = custom_vjp};

TG_API(tg_tensor, tg_custom_grad, (tg_tensor y, const tg_tensor *xs, int n, tg_custom_fn fn, void *user),
       (y, xs, n, fn, user)) {
    tg_tape *t = tg_tape_of(y);
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (n < 0 || n > 15 || !fn || (n && !xs)) {
        tg__fail(t, TG_EARG, "custom_grad", site, t->scope, "needs a function and 0 to 15 tensors, not %d", n);
        return tg__poison(t);
    }
    tg_tensor in[16] = {y};
    for (int i = 0; i < n; i++) in[i + 1] = xs[i];
    custom_attr a = {(void (*)(void))fn, user};
    return tg_apply_at(site, t, &tg__op_custom, &a, in, n + 1);
}
