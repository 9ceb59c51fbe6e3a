/* Fusing: one sweep over the live nodes, in recording order, that puts each into a group.
 *
 * An elementwise node joins a block if the block already makes or reads one of its inputs, runs over as many elements, and
 * comes after everything else that the node needs; else it begins a block. A reduction over trailing axes hangs on the block
 * that makes its input. Views are no work: their readers read the viewed memory. Groups are numbered so that each needs only
 * earlier ones. */
#include "planner.h"

#define MAX_MICRO_OPS 64
#define MAX_STREAMS 12       /* of a block in memory: more would defeat the prefetchers */
#define SMALL 4096           /* up to so many elements everything stays in the cache: */
#define MAX_SMALL_STREAMS 96 /* only table sizes limit the streams */

static int64_t numel_of(const tg__planner *p, uint32_t x) { return p->nodes[x].numel; }

static bool is_constant(const tg__planner *p, uint32_t x) { return p->nodes[p->nodes[x].src].constant; }

int64_t tg__lnode_strides(const tg__planner *p, uint32_t x, const tg_shape *to, int64_t *strides) {
    const tg__lnode *n = &p->nodes[x];
    const tg__shape_info *own = tg__shape_at(p->t, n->shape);
    if (is_constant(p, x)) {
        memset(strides, 0, (size_t)to->rank * sizeof *strides);
        return 0;
    }
    const tg__view *v = n->view == TG__NONE ? NULL : &p->views[n->view];
    tg__broadcast_strides(&own->shape, v ? v->strides : own->strides, to, strides);
    return v ? v->offset : 0;
}

/* ------------------------------------------------------------------ groups */

static uint32_t new_group(tg__planner *p, tg__group_kind kind, uint32_t node, int64_t numel) {
    if (p->n_groups >= p->groups_cap && !tg__grow(&p->groups, &p->groups_cap, p->n_groups + 1, sizeof *p->groups))
        return TG__NONE;
    p->groups[p->n_groups] = (tg__group){.kind = (uint8_t)kind, .node = node, .last = node, .n_nodes = 1, .numel = numel};
    p->nodes[node].group = p->n_groups;
    p->nodes[node].next = TG__NONE;
    return p->n_groups++;
}

static void join(tg__planner *p, uint32_t group, uint32_t x) {
    tg__group *g = &p->groups[group];
    p->nodes[g->last].next = x;
    p->nodes[x].next = TG__NONE;
    p->nodes[x].group = group;
    g->last = x;
    g->n_nodes++;
}

/* The group that must have run before the value of x can be read from memory; TG__NONE: none. */
static uint32_t maker(const tg__planner *p, uint32_t x) { return p->nodes[p->nodes[x].src].group; }

static void read_from_memory(tg__planner *p, uint32_t x) {
    tg__lnode *src = &p->nodes[p->nodes[x].src];
    src->stored = true;
    if (src->group != TG__NONE) p->groups[src->group].read_outside = true;
}

/* ------------------------------------------------------------------ packing */

/* A packed copy of x, made by a group of its own. */
static uint32_t packed_copy(tg__planner *p, uint32_t x) {
    if (p->nodes[x].pack != TG__NONE) return p->nodes[x].pack;
    uint32_t copy = p->n_nodes++;
    tg__lnode *n = &p->nodes[copy], *of = &p->nodes[x];
    *n = (tg__lnode){.numel = of->numel,
                     .same = copy,
                     .src = copy,
                     .view = TG__NONE,
                     .pack = TG__NONE,
                     .storage = TG__NONE,
                     .shape = of->shape,
                     .seen_in = TG__NONE,
                     .streamed_in = TG__NONE,
                     .kind = TG__L_PACK,
                     .dtype = of->dtype,
                     .n_in = 1,
                     .in = {x},
                     .stored = true};
    if (new_group(p, TG__G_PACK, copy, numel_of(p, copy)) == TG__NONE) return TG__NONE;
    p->nodes[x].pack = copy;
    read_from_memory(p, x);
    return copy;
}

/* ------------------------------------------------------------------ equal nodes */

static uint32_t same_of(const tg__planner *p, uint32_t id) { return p->nodes[p->t->local[id]].same; }

static void resolve_inputs(const tg__planner *p, tg__lnode *n) {
    n->n_in = n->node->op->source_fn ? 0 : n->node->n_in;
    for (uint32_t i = 0; i < n->n_in && n->n_in != TG__WIDE; i++) n->in[i] = same_of(p, n->node->u.in[i]);
}

static bool equal_nodes(const tg__lnode *a, const tg__lnode *b) {
    const tg__node *x = a->node, *y = b->node;
    return x->op == y->op && x->attr == y->attr && x->shape == y->shape && x->dtype == y->dtype && x->output == y->output &&
           a->n_in == b->n_in && memcmp(a->in, b->in, a->n_in * sizeof *a->in) == 0;
}

static inline uint32_t node_hash(const tg__lnode *n) {
    const tg__node *x = n->node;
    uint64_t in[2], h = (uint64_t)(uintptr_t)x->op ^ (uint64_t)(uintptr_t)x->attr << 13 ^ (uint64_t)x->shape << 48 ^ x->output;
    memcpy(in, n->in, sizeof in); /* inputs that are not there are zero */
    h = (h ^ in[0]) * 0x9e3779b97f4a7c15u ^ in[1];
    return (uint32_t)(h * 0x9e3779b97f4a7c15u >> 32);
}

/* Nodes of several outputs are left alone: of two equal ones each might have another output that is needed. */
static bool may_merge(const tg__node *n) { return !(n->op->flags & (TG_OP_RANDOM | TG_OP_FENCE)) && n->op->n_out <= 1; }

static inline uint32_t find_same(tg__planner *p, uint32_t x) {
    const tg__lnode *n = &p->nodes[x];
    uint32_t mask = p->table_cap - 1, at = node_hash(n) & mask;
    for (; p->table[at] != TG__NONE; at = (at + 1) & mask)
        if (equal_nodes(&p->nodes[p->table[at]], n)) return p->table[at];
    return p->table[at] = x;
}

static bool start_table(tg__planner *p) {
    uint32_t size = 64;
    while (size < 2 * p->live.n) size *= 2;
    if (p->table_cap != size) {
        tg__free(p->table);
        p->table_cap = 0;
        if (!(p->table = tg__alloc(size * sizeof *p->table))) return false;
        p->table_cap = size;
    }
    memset(p->table, 0xff, p->table_cap * sizeof *p->table);
    return true;
}

/* ------------------------------------------------------------------ views */

static bool set_view(tg__planner *p, uint32_t x, uint32_t src, const tg_view_args *v) {
    tg__lnode *n = &p->nodes[x];
    n->src = src;
    if (v->offset == 0 && numel_of(p, x) == numel_of(p, src) && tg__is_packed(v->out_shape, v->out_strides)) {
        n->view = TG__NONE;
        return true;
    }
    if (!tg__grow(&p->views, &p->views_cap, p->n_views + 1, sizeof *p->views)) return false;
    p->views[p->n_views].offset = v->offset;
    memcpy(p->views[p->n_views].strides, v->out_strides, sizeof p->views[0].strides);
    n->view = p->n_views++;
    return true;
}

static bool fuse_view(tg__planner *p, uint32_t x, const tg__node *node) {
    uint32_t count, in = same_of(p, *tg__inputs(p->t, node, &count));
    for (int attempt = 0; attempt < 2; attempt++) {
        const tg_shape *in_shape = &tg__shape_at(p->t, p->nodes[in].shape)->shape;
        int64_t in_strides[TG_MAX_RANK] = {0}, out_strides[TG_MAX_RANK] = {0};
        int64_t offset = tg__lnode_strides(p, in, in_shape, in_strides);
        tg_view_args v = {in_shape, &tg__shape_at(p->t, node->shape)->shape, in_strides, node->attr, out_strides, 0};
        if (node->op->view(&v)) {
            v.offset += offset;
            return set_view(p, x, p->nodes[in].src, &v);
        }
        if ((in = packed_copy(p, in)) == TG__NONE) return false;
    }
    tg__fail_node(p->t, TG_EINTERNAL, p->live.ids[x], "the view of packed memory was refused");
    return false;
}

/* ------------------------------------------------------------------ blocks */

/* The block that has x in a register where an elementwise node of so many elements reads it; TG__NONE: it is in memory. */
static inline uint32_t home_of(const tg__planner *p, uint32_t x, int64_t numel) {
    const tg__lnode *n = &p->nodes[x], *src = &p->nodes[n->src];
    bool here = n->view == TG__NONE && src->kind == TG__L_MICRO && src->numel == numel && n->numel == numel;
    return here ? src->group : TG__NONE;
}

static uint32_t most_streams(int64_t numel) { return numel > SMALL ? MAX_STREAMS : MAX_SMALL_STREAMS; }

/* How an elementwise node gets its inputs. */
typedef struct operands {
    struct operand {
        tg__lnode *src;
        uint32_t home; /* as above */
        bool streams;  /* a single element costs no memory traffic: it does not count among the streams */
    } of[TG__INLINE_INPUTS];
    uint32_t n;
    int64_t numel;
    uint32_t newest; /* home; TG__NONE: there is none */
    bool several;    /* homes */
} operands;

static bool later(uint32_t a, uint32_t b) { return a != TG__NONE && (b == TG__NONE || a > b); }

static inline void look_up(const tg__planner *p, const tg__lnode *n, operands *o) {
    o->n = n->n_in;
    o->numel = n->numel;
    o->newest = TG__NONE;
    o->several = false;
    for (uint32_t i = 0; i < o->n; i++) {
        tg__lnode *src = &p->nodes[p->nodes[n->in[i]].src];
        uint32_t home = home_of(p, n->in[i], n->numel);
        o->of[i] = (struct operand){src, home, src->numel > 1};
        if (home == TG__NONE || home == o->newest) continue;
        o->several = o->newest != TG__NONE;
        if (later(home, o->newest)) o->newest = home;
    }
}

/* Whether all that the node needs exists before block g or in it. */
static inline bool fits(const tg__planner *p, const operands *o, uint32_t g) {
    const tg__group *b = &p->groups[g];
    if (b->kind != TG__G_BLOCK || b->numel != o->numel || b->n_nodes >= MAX_MICRO_OPS) return false;
    uint32_t more = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        if (o->of[i].home == g) continue;
        uint32_t maker = o->of[i].src->group;
        if (maker != TG__NONE && maker >= g) return false;
        more += o->of[i].streams && o->of[i].src->seen_in != g;
    }
    return b->n_streams + more <= most_streams(o->numel);
}

static inline uint32_t choose_block(const tg__planner *p, const tg__lnode *n, const operands *o) {
    if (o->newest != TG__NONE && fits(p, o, o->newest)) return o->newest;
    uint32_t best = TG__NONE;
    for (uint32_t i = 0; i < o->n && o->several; i++) { /* another block that makes an input */
        uint32_t g = o->of[i].home;
        if (later(g, best) && fits(p, o, g)) best = g;
    }
    for (uint32_t i = 0; i < o->n && best == TG__NONE; i++) { /* one that reads an input */
        uint32_t g = o->of[i].src->seen_in;
        if (g != TG__NONE && numel_of(p, n->in[i]) == o->numel && fits(p, o, g)) best = g;
    }
    return best;
}

/* Moves the nodes of block `from` into the later block `to`, before its own. */
static void merge_blocks(tg__planner *p, uint32_t from, uint32_t to) {
    tg__group *a = &p->groups[from], *b = &p->groups[to];
    for (uint32_t x = a->node; x != TG__NONE; x = p->nodes[x].next) {
        const tg__lnode *n = &p->nodes[x];
        p->nodes[x].group = to;
        for (uint32_t i = 0; i < n->n_in; i++) {
            tg__lnode *src = &p->nodes[p->nodes[n->in[i]].src];
            if (src->seen_in == from) src->seen_in = to;
        }
    }
    p->nodes[a->last].next = b->node;
    b->node = a->node;
    b->n_nodes += a->n_nodes;
    b->n_streams += a->n_streams;
    if (a->segment) b->segment = a->segment;
    *a = (tg__group){.kind = TG__G_MERGED, .node = TG__NONE, .last = TG__NONE};
}

static bool may_merge_blocks(const tg__planner *p, uint32_t from, uint32_t to, int64_t numel) {
    const tg__group *a = &p->groups[from], *b = &p->groups[to];
    return a->kind == TG__G_BLOCK && b->kind == TG__G_BLOCK && a->numel == numel && b->numel == numel && !a->read_outside &&
           a->n_nodes + b->n_nodes < MAX_MICRO_OPS && a->n_streams + b->n_streams <= most_streams(numel) &&
           (!a->segment || !b->segment || a->segment == b->segment);
}

/* Two blocks that a node brings together become one, where nothing between them reads the first. */
static bool merge_makers(tg__planner *p, const operands *o) {
    bool merged = false;
    for (uint32_t i = 0; i < o->n; i++) {
        uint32_t g = o->of[i].home;
        if (g == TG__NONE || g >= o->newest || !may_merge_blocks(p, g, o->newest, o->numel)) continue;
        merge_blocks(p, g, o->newest);
        merged = true;
    }
    return merged;
}

/* The node reads a value where block g made it; a reduction does so after all else (`last` is TG__NONE). */
static void read_in_block(tg__lnode *n, uint32_t input, tg__lnode *src, uint32_t last) {
    n->held |= (uint8_t)(1 << input);
    if (src->last_reader != TG__NONE) src->last_reader = last;
}

static bool fuse_micro(tg__planner *p, uint32_t x) {
    tg__lnode *n = &p->nodes[x];
    operands o;
    look_up(p, n, &o);
    if (o.several && merge_makers(p, &o)) look_up(p, n, &o);
    uint32_t g = choose_block(p, n, &o);
    if (g == TG__NONE) {
        if ((g = new_group(p, TG__G_BLOCK, x, o.numel)) == TG__NONE) return false;
    } else {
        join(p, g, x);
    }
    for (uint32_t i = 0; i < o.n; i++) {
        tg__lnode *src = o.of[i].src;
        if (o.of[i].home == g) {
            read_in_block(n, i, src, x);
            continue;
        }
        read_from_memory(p, n->in[i]);
        if (src->seen_in == g) continue;
        src->seen_in = g;
        p->groups[g].n_streams += o.of[i].streams;
    }
    return true;
}

/* Reductions over the trailing axes of what a block makes. The segment is the number of elements that one fold takes. */
static int64_t trailing_segment(const tg_shape *s, const tg_axes *axes) {
    uint32_t reduced = 0;
    if (axes->n < 0) reduced = ~0u;
    for (int i = 0; i < axes->n; i++) reduced |= 1u << axes->axis[i];
    int64_t segment = 1;
    int a = s->rank - 1;
    for (; a >= 0 && (reduced >> a & 1 || s->dims[a] == 1); a--) segment *= s->dims[a];
    for (; a >= 0; a--)
        if (reduced >> a & 1 && s->dims[a] != 1) return 0;
    return segment;
}

static bool fuse_tail(tg__planner *p, uint32_t x, const tg__node *node) {
    uint32_t in = p->nodes[x].in[0], g = maker(p, in);
    int64_t numel = numel_of(p, in);
    const tg_fold_attr *attr = node->attr;
    if (g == TG__NONE || numel == 0 || home_of(p, in, numel) != g || p->groups[g].n_nodes >= MAX_MICRO_OPS) return false;
    int64_t segment = trailing_segment(&tg__shape_at(p->t, p->nodes[in].shape)->shape, &attr->axes);
    tg__group *b = &p->groups[g];
    if (!segment || (b->segment && b->segment != segment) ||
        !tg__kernels_get()->fold[node->op->fold - TG_FOLD_SUM][node->dtype])
        return false;
    b->segment = segment;
    join(p, g, x);
    p->nodes[x].kind = TG__L_TAIL;
    read_in_block(&p->nodes[x], 0, &p->nodes[p->nodes[in].src], TG__NONE);
    p->nodes[x].stored = true;
    return true;
}

/* ------------------------------------------------------------------ kernels */

static bool kernel_takes(const tg__planner *p, const tg_op *op, uint32_t x) {
    if (op->flags & TG_OP_STRIDED) return !is_constant(p, x) || numel_of(p, x) == 1;
    return tg__lies_packed(p, x);
}

uint32_t tg__lnode_operand(const tg__planner *p, const tg_op *op, uint32_t x) {
    return kernel_takes(p, op, x) ? x : p->nodes[x].pack;
}

static bool fuse_kernel(tg__planner *p, uint32_t x, const tg__node *node) {
    uint32_t count;
    const uint32_t *in = tg__inputs(p->t, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t y = same_of(p, in[i]);
        if (!kernel_takes(p, node->op, y) && packed_copy(p, y) == TG__NONE) return false;
        read_from_memory(p, y);
    }
    uint32_t g = new_group(p, TG__G_KERNEL, x, numel_of(p, x));
    if (g == TG__NONE) return false;
    p->groups[g].can_fail = node->op->flags & TG_OP_CAN_FAIL;
    p->nodes[x].stored = true;
    return true;
}

/* ------------------------------------------------------------------ the sweep */

static inline void start_node(tg__planner *p, uint32_t x) {
    static const tg__lnode blank = {.view = TG__NONE,
                                    .group = TG__NONE,
                                    .pack = TG__NONE,
                                    .storage = TG__NONE,
                                    .seen_in = TG__NONE,
                                    .streamed_in = TG__NONE,
                                    .kind = TG__L_LEAF};
    tg__lnode *n = &p->nodes[x];
    *n = blank;
    n->node = &p->t->nodes[p->live.ids[x]];
    n->shape = n->node->shape;
    n->numel = tg__shape_at(p->t, n->shape)->numel;
    n->same = n->src = x;
    n->dtype = n->node->dtype;
    n->constant = n->node->op == &tg__leaf_const;
    p->flags_seen |= n->node->flags;
}

static bool start_sweep(tg__planner *p) {
    uint64_t most = 2 * (uint64_t)p->live.n + p->t->n_effects + 16;
    if (!tg__grow(&p->nodes, &p->nodes_cap, most, sizeof *p->nodes) || !start_table(p)) return false;
    p->n_nodes = p->live.n;
    p->n_groups = p->n_views = 0;
    p->flags_seen = 0;
    p->has_outputs = false;
    return true;
}

static bool fuse_node(tg__planner *p, uint32_t x) {
    tg__lnode *n = &p->nodes[x];
    const tg__node *node = n->node;
    if (tg__node_is_leaf(node)) {
        if (n->constant) n->same = find_same(p, x);
        return true;
    }
    resolve_inputs(p, n);
    if (n->n_in != TG__WIDE && may_merge(node) && (n->same = find_same(p, x)) != x) return true;
    if (node->op->micro || node->op->source_fn) {
        n->kind = TG__L_MICRO;
        return fuse_micro(p, x);
    }
    if (node->op->view) {
        n->kind = TG__L_VIEW;
        return fuse_view(p, x, node);
    }
    if (node->op == &tg__op_output) {
        n->kind = TG__L_OUTPUT;
        n->stored = p->has_outputs = true;
        n->group = p->nodes[n->in[0]].group;
        return true;
    }
    if (node->op->fold && fuse_tail(p, x, node)) return true;
    n->kind = TG__L_KERNEL;
    return fuse_kernel(p, x, node);
}

/* ------------------------------------------------------------------ what stays after the run */

static bool keep_root(tg__planner *p, uint32_t local) {
    uint32_t x = p->nodes[local].same;
    if (p->nodes[x].kind == TG__L_LEAF) return true;
    if (!tg__lies_packed(p, x) || p->nodes[p->nodes[x].src].kind == TG__L_LEAF) { /* a view is kept as a packed copy */
        if ((x = packed_copy(p, x)) == TG__NONE) return false;
    }
    tg__lnode *src = &p->nodes[p->nodes[x].src];
    src->stored = src->keep = p->nodes[local].keep = true;
    return true;
}

/* The outputs of one node are kept together: a later run computes all of them or none. */
static void keep_families(tg__planner *p) {
    for (int pass = 0; p->has_outputs && pass < 2; pass++)
        for (uint32_t i = 0; i < p->live.n; i++) {
            if (p->nodes[i].kind != TG__L_OUTPUT) continue;
            tg__lnode *output = &p->nodes[i], *first = &p->nodes[output->in[0]];
            output->keep = first->keep = output->keep || first->keep;
        }
}

#define KEPT_ELEMENTS 16 /* values of a step so small are kept in any case */

static bool choose_kept(tg__planner *p) {
    for (uint32_t i = 0; i < p->n_roots; i++)
        if (p->mode != TG__STEP || i >= p->t->n_effects)
            if (!keep_root(p, p->t->local[p->roots[i]])) return false;
    bool none = p->mode != TG__STEP && !(p->flags_seen & TG__KEEP);
    for (uint32_t i = 0; i < p->live.n && !none; i++) {
        tg__lnode *l = &p->nodes[i];
        if (l->node->flags & TG__KEEP && !keep_root(p, i)) return false;
        if (l->same != i || l->kind == TG__L_LEAF || l->kind == TG__L_VIEW) continue;
        if (p->mode == TG__STEP && numel_of(p, i) <= KEPT_ELEMENTS) l->stored = l->keep = true;
    }
    if (p->mode == TG__ASK)
        for (uint32_t i = 0; i < p->live.n; i++)
            if (p->nodes[i].stored && p->nodes[i].kind != TG__L_LEAF) p->nodes[i].keep = true;
    keep_families(p);
    return true;
}

/* The new value of each variable, packed, in memory of its own. */
static bool plan_effects(tg__planner *p) {
    if (p->mode != TG__STEP) return true;
    tg_tape *t = p->t;
    if (!tg__grow(&p->effects, &p->effects_cap, t->n_effects, sizeof *p->effects)) return false;
    for (uint32_t i = 0; i < t->n_effects; i++) {
        const tg__effect *e = &t->effects[i];
        uint32_t x = p->nodes[t->local[e->value]].same, src = p->nodes[x].src;
        bool fresh = tg__lies_packed(p, x) && p->nodes[src].kind != TG__L_LEAF;
        for (uint32_t k = 0; k < i && fresh; k++) fresh = p->effects[k].value != src;
        if (!fresh) {
            uint32_t pack = p->nodes[x].pack;
            p->nodes[x].pack = TG__NONE; /* a copy of its own, beside the one that others read */
            if ((src = packed_copy(p, x)) == TG__NONE) return false;
            p->nodes[x].pack = pack;
        }
        p->nodes[src].stored = true;
        if (p->nodes[src].group != TG__NONE) p->groups[p->nodes[src].group].writes = true;
        uint32_t read = TG__NONE;
        if (e->target != TG__NONE) {
            uint32_t local = t->local[e->target];
            if (local < p->live.n && p->live.ids[local] == e->target) read = local;
        }
        p->effects[i] = (tg__effect_plan){src, read, false};
    }
    return true;
}

bool tg__fuse(tg__planner *p) {
    if (!start_sweep(p)) return false;
    bool ahead = p->t->n_held > 0; /* held leaves may come after their readers */
    for (uint32_t x = 0; x < p->live.n && ahead; x++) start_node(p, x);
    for (uint32_t x = 0; x < p->live.n; x++) {
        if (!ahead) start_node(p, x);
        if (!fuse_node(p, x)) return false;
    }
    return choose_kept(p) && plan_effects(p);
}
