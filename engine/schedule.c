/* The order of the groups. Without effects it is the order of their making. With effects, what can fail comes first, so that
 * the commit point is early; then every update runs as soon as its inputs are there and the old value has been read, so that
 * no two gradients need to be alive together. */
#include "planner.h"

static const tg__node *node_at(const tg__planner *p, uint32_t local) { return &p->t->nodes[p->live.ids[local]]; }

/* What must come before what. Edges lie in p->pairs as (from, to); those of inputs come first, in ascending order of `to`. */
static bool push_edge(tg__planner *p, uint32_t *n, uint32_t from, uint32_t to) {
    if (!tg__grow(&p->pairs, &p->pairs_cap, 2 * (uint64_t)*n + 2, sizeof *p->pairs)) return false;
    p->pairs[2 * *n] = from;
    p->pairs[2 * (*n)++ + 1] = to;
    return true;
}

/* Group g reads the variable of a leaf: edge_of[leaf] heads a chain in edges (group, next). */
static bool push_reader(tg__planner *p, uint32_t *n, uint32_t leaf, uint32_t g) {
    if (!tg__grow(&p->edges, &p->edges_cap, 2 * (uint64_t)*n + 2, sizeof *p->edges)) return false;
    p->edges[2 * *n] = g;
    p->edges[2 * *n + 1] = p->edge_of[leaf];
    p->edge_of[leaf] = (*n)++;
    return true;
}

typedef struct edge_counts {
    uint32_t edges, readers;
} edge_counts;

static bool add_input(tg__planner *p, edge_counts *n, uint32_t y, uint32_t operand, uint32_t g) {
    uint32_t src = p->nodes[y].src, from = p->nodes[p->nodes[operand].src].group;
    if (p->nodes[src].kind == TG__L_LEAF && node_at(p, src)->op == &tg__leaf_var && !push_reader(p, &n->readers, src, g))
        return false;
    return from == TG__NONE || from == g || push_edge(p, &n->edges, from, g);
}

/* The edges of group g's inputs (repeats included), and what it reads of variables. */
static bool add_inputs(tg__planner *p, edge_counts *n, uint32_t g) {
    for (uint32_t x = p->groups[g].node; x != TG__NONE; x = p->nodes[x].next) {
        if (p->nodes[x].kind == TG__L_PACK) {
            uint32_t y = p->nodes[x].stream;
            if (!add_input(p, n, y, y, g)) return false;
            continue;
        }
        const tg__node *node = node_at(p, x);
        if (node->op->source_fn) continue;
        uint32_t count;
        const uint32_t *in = tg__inputs(p->t, node, &count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t y = p->nodes[p->t->local[in[i]]].same;
            uint32_t operand = p->groups[g].kind == TG__G_KERNEL ? tg__lnode_operand(p, node->op, y) : y;
            if (!add_input(p, n, y, operand, g)) return false;
        }
    }
    return true;
}

/* Groups that read the old value of a variable come before the one that writes the new: an edge more, where that makes no
 * circle it decides; the sweep ignores it where it does. */
static bool add_readers(tg__planner *p, edge_counts *n) {
    for (uint32_t i = 0; i < p->t->n_effects; i++) {
        const tg__effect_plan *e = &p->effects[i];
        uint32_t to = p->nodes[e->value].group;
        if (e->read == TG__NONE || to == TG__NONE) continue;
        for (uint32_t r = p->edge_of[e->read]; r != TG__NONE; r = p->edges[2 * r + 1])
            if (p->edges[2 * r] != to && !push_edge(p, &n->edges, p->edges[2 * r], to)) return false;
    }
    return true;
}

typedef struct edge_work {
    uint32_t *first, *to; /* by the group that they come from */
    uint8_t *early;       /* something that can fail needs the group */
} edge_work;

/* Sorts the edges by where they come from: first[g] becomes the end of g's. Counts what each group waits for. */
static void sort_edges(tg__planner *p, edge_work *w, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) w->first[p->pairs[2 * i] + 1]++;
    for (uint32_t g = 0; g < p->n_groups; g++) w->first[g + 1] += w->first[g];
    memset(p->waiting, 0, p->n_groups * sizeof *p->waiting);
    for (uint32_t i = 0; i < n; i++) {
        w->to[w->first[p->pairs[2 * i]]++] = p->pairs[2 * i + 1];
        p->waiting[p->pairs[2 * i + 1]]++;
    }
}

static void mark_early(const tg__planner *p, edge_work *w, uint32_t n_input_edges) {
    for (uint32_t g = 0; g < p->n_groups; g++) w->early[g] = p->groups[g].can_fail;
    for (uint32_t i = n_input_edges; i-- > 0;)
        if (w->early[p->pairs[2 * i + 1]]) w->early[p->pairs[2 * i]] = 1;
}

static bool is_left(const tg__planner *p, uint32_t g) { return p->groups[g].kind != TG__G_MERGED; }

static void emit_group(tg__planner *p, uint32_t g, uint32_t *n) {
    p->groups[g].position = *n;
    p->order[(*n)++] = g;
}

/* Runs the update groups that became ready, and what becomes ready through them. */
static void emit_ready(tg__planner *p, const edge_work *w, uint32_t *waiting, uint32_t g, uint32_t *n) {
    uint32_t top = 0;
    p->stack[top++] = g;
    while (top) {
        uint32_t done = p->stack[--top];
        for (uint32_t i = done ? w->first[done - 1] : 0; i < w->first[done]; i++) {
            uint32_t to = w->to[i];
            if (--waiting[to] == 0 && p->groups[to].writes && p->groups[to].position == TG__NONE) {
                emit_group(p, to, n);
                p->stack[top++] = to;
            }
        }
    }
}

static void order_groups(tg__planner *p, const edge_work *w) {
    uint32_t n = 0;
    for (uint32_t g = 0; g < p->n_groups; g++) p->groups[g].position = TG__NONE;
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (w->early[g] && is_left(p, g)) emit_group(p, g, &n);
    for (uint32_t i = 0, early = n; i < early; i++) emit_ready(p, w, p->waiting, p->order[i], &n);
    for (uint32_t g = 0; g < p->n_groups; g++) {
        if (p->groups[g].position != TG__NONE || !is_left(p, g)) continue;
        emit_group(p, g, &n);
        emit_ready(p, w, p->waiting, g, &n);
    }
    p->n_order = n;
}

static bool schedule_step(tg__planner *p) {
    if (!tg__grow(&p->edge_of, &p->edge_of_cap, p->n_nodes, sizeof *p->edge_of)) return false;
    for (uint32_t i = 0; i < p->n_nodes; i++) p->edge_of[i] = TG__NONE;
    edge_counts n = {0, 0};
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (!add_inputs(p, &n, g)) return false;
    uint32_t n_input_edges = n.edges;
    if (!add_readers(p, &n) || !tg__grow(&p->waiting, &p->waiting_cap, p->n_groups, sizeof *p->waiting) ||
        !tg__grow(&p->stack, &p->stack_cap, p->n_groups, sizeof *p->stack))
        return false;
    edge_work w = {.early = tg__alloc(p->n_groups + 1),
                   .first = tg__calloc((size_t)p->n_groups + 1, sizeof *w.first),
                   .to = tg__alloc(((size_t)n.edges + 1) * sizeof *w.to)};
    bool ok = w.early && w.first && w.to;
    if (ok) {
        sort_edges(p, &w, n.edges);
        mark_early(p, &w, n_input_edges);
        order_groups(p, &w);
    }
    tg__free(w.early);
    tg__free(w.first);
    tg__free(w.to);
    return ok;
}

bool tg__schedule(tg__planner *p) {
    if (!tg__grow(&p->order, &p->order_cap, p->n_groups, sizeof *p->order)) return false;
    if (p->mode == TG__STEP && p->t->n_effects) return schedule_step(p);
    uint32_t n = 0;
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (is_left(p, g)) emit_group(p, g, &n);
    p->n_order = n;
    return true;
}
