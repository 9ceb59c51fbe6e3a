/* The order of the groups. Without effects it is the order of their making. With effects, what can fail comes first, so that
 * the commit point is early; then every update runs as soon as its inputs are there and the old value has been read, so that
 * no two gradients need to be alive together. */
#include "planner.h"

static const tg__node *node_at(const tg__planner *p, uint32_t local) { return &p->t->nodes[p->live.ids[local]]; }

/* Calls fn for every group that group g reads from (repeats included). */
static void each_input_group(const tg__planner *p, uint32_t g,
                             void (*fn)(const tg__planner *, uint32_t from, uint32_t to, void *), void *ctx) {
    for (uint32_t x = p->groups[g].node; x != TG__NONE; x = p->nodes[x].next) {
        if (p->nodes[x].kind == TG__L_PACK) {
            uint32_t from = p->nodes[p->nodes[p->nodes[x].stream].src].group;
            if (from != TG__NONE) fn(p, from, g, ctx);
            continue;
        }
        const tg__node *n = node_at(p, x);
        if (n->op->source_fn) continue;
        uint32_t count;
        const uint32_t *in = tg__inputs(p->t, n, &count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t y = p->nodes[p->t->local[in[i]]].same;
            if (p->groups[g].kind == TG__G_KERNEL) y = tg__lnode_operand(p, n->op, y);
            uint32_t from = p->nodes[p->nodes[y].src].group;
            if (from != TG__NONE && from != g) fn(p, from, g, ctx);
        }
    }
}

typedef struct edge_work {
    uint32_t *first, *to, n;
    uint8_t *flags;
} edge_work;

static void count_edge(const tg__planner *p, uint32_t from, uint32_t to, void *ctx) {
    (void)p, (void)to;
    edge_work *w = ctx;
    w->first[from + 1]++;
    w->n++;
}

static void store_edge(const tg__planner *p, uint32_t from, uint32_t to, void *ctx) {
    (void)p;
    edge_work *w = ctx;
    w->to[w->first[from]++] = to;
}

static void mark_early(const tg__planner *p, uint32_t from, uint32_t to, void *ctx) {
    (void)p, (void)to;
    ((edge_work *)ctx)->flags[from] = 1;
}

/* Groups that read the old value of a variable come before the one that writes the new: an edge more, where that makes no
 * circle it decides; the sweep ignores it where it does. */
static void each_reader_edge(const tg__planner *p, void (*fn)(const tg__planner *, uint32_t from, uint32_t to, void *),
                             void *ctx) {
    for (uint32_t i = 0; i < p->t->n_effects; i++) {
        const tg__effect_plan *e = &p->effects[i];
        uint32_t to = p->nodes[e->value].group;
        if (e->read == TG__NONE || to == TG__NONE) continue;
        for (uint32_t g = p->edge_of[e->read]; g != TG__NONE; g = p->edges[2 * g + 1])
            if (p->edges[2 * g] != to) fn(p, p->edges[2 * g], to, ctx);
    }
}

/* Lists, per leaf lnode, the groups that read it: edge_of[leaf] heads a chain in edges (group, next). */
static bool list_readers(tg__planner *p) {
    if (!tg__grow(&p->edge_of, &p->edge_of_cap, p->n_nodes, sizeof *p->edge_of)) return false;
    for (uint32_t i = 0; i < p->n_nodes; i++) p->edge_of[i] = TG__NONE;
    uint32_t n = 0;
    for (uint32_t g = 0; g < p->n_groups; g++)
        for (uint32_t x = p->groups[g].node; x != TG__NONE; x = p->nodes[x].next) {
            uint32_t one = p->nodes[x].stream, count = 1;
            const uint32_t *in = &one;
            bool pack = p->nodes[x].kind == TG__L_PACK;
            if (!pack) in = tg__inputs(p->t, node_at(p, x), &count);
            for (uint32_t i = 0; i < count; i++) {
                uint32_t src = p->nodes[pack ? in[i] : p->nodes[p->t->local[in[i]]].same].src;
                if (p->nodes[src].kind != TG__L_LEAF || node_at(p, src)->op != &tg__leaf_var) continue;
                if (!tg__grow(&p->edges, &p->edges_cap, 2 * (uint64_t)n + 2, sizeof *p->edges)) return false;
                p->edges[2 * n] = g;
                p->edges[2 * n + 1] = p->edge_of[src];
                p->edge_of[src] = n++;
            }
        }
    return true;
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

static void count_waiting(const tg__planner *p, uint32_t from, uint32_t to, void *ctx) {
    (void)p, (void)from;
    ((uint32_t *)ctx)[to]++;
}

static bool schedule_step(tg__planner *p) {
    uint32_t n_groups = p->n_groups, n = 0;
    if (!list_readers(p)) return false;
    edge_work w = {.flags = tg__calloc(n_groups, 1), .first = tg__calloc(n_groups + 1, sizeof(uint32_t))};
    bool ok = w.flags && w.first && tg__grow(&p->waiting, &p->waiting_cap, n_groups, sizeof *p->waiting) &&
              tg__grow(&p->stack, &p->stack_cap, n_groups, sizeof *p->stack);
    if (ok) {
        for (uint32_t g = 0; g < n_groups; g++) each_input_group(p, g, count_edge, &w);
        each_reader_edge(p, count_edge, &w);
        w.to = tg__alloc((w.n ? w.n : 1) * sizeof *w.to);
        ok = w.to != NULL;
    }
    if (ok) {
        for (uint32_t g = 0; g < n_groups; g++) w.first[g + 1] += w.first[g];
        for (uint32_t g = 0; g < n_groups; g++)
            each_input_group(p, g, store_edge, &w); /* first[g] becomes the end of g's edges */
        each_reader_edge(p, store_edge, &w);
        memset(p->waiting, 0, n_groups * sizeof *p->waiting);
        for (uint32_t g = 0; g < n_groups; g++) each_input_group(p, g, count_waiting, p->waiting);
        each_reader_edge(p, count_waiting, p->waiting);
        for (uint32_t g = n_groups; g-- > 0;) {
            p->groups[g].position = TG__NONE;
            if (p->groups[g].can_fail) w.flags[g] = 1;
            if (w.flags[g]) each_input_group(p, g, mark_early, &w);
        }
        for (uint32_t g = 0; g < n_groups; g++)
            if (w.flags[g] && is_left(p, g)) emit_group(p, g, &n);
        for (uint32_t i = 0, early = n; i < early; i++) emit_ready(p, &w, p->waiting, p->order[i], &n);
        for (uint32_t g = 0; g < n_groups; g++) {
            if (p->groups[g].position != TG__NONE || !is_left(p, g)) continue;
            emit_group(p, g, &n);
            emit_ready(p, &w, p->waiting, g, &n);
        }
        p->n_order = n;
    }
    tg__free(w.flags);
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
