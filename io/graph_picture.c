/* What a picture shows, and where: parts, scopes, repeated scopes drawn once, a limit to the number of nodes, edges. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>

#include "graph.h"

#define MOST_DEPTH 10 /* scopes below are drawn in the scope of this depth */
#define DEFAULT_NODES 300
#define MOST_READING_SCOPES 3

void tg__picture_free(tg__picture *p) {
    tg__free(p->nodes);
    tg__free(p->scopes);
    tg__free(p->edges);
    tg__arena_free(&p->memory);
    *p = (tg__picture){0};
}

static const tg__picture_node *twin_of(const tg__picture *p, uint32_t node) {
    while (p->nodes[node].twin != node) node = p->nodes[node].twin;
    return &p->nodes[node];
}

static bool is_drawn(const tg__picture *p, uint32_t node) { return p->nodes[node].shown && p->nodes[node].twin == node; }

/* ------------------------------------------------------------------ parts */

static bool is_variable(const tg__graph_node *n) { return n->kind == TG__GRAPH_PARAMETER || n->kind == TG__GRAPH_STATE; }

/* A leaf is drawn where it is read, in the forward part if it is read in both. Numbers are drawn inside their readers. */
static void find_parts(tg__picture *p, const tg__graph *g, bool gradient) {
    for (uint32_t i = 0; i < g->n; i++)
        p->nodes[i] = (tg__picture_node){.twin = i, .beside = TG__NONE, .part = g->nodes[i].gradient};
    for (int part = TG__PARTS - 1; part >= 0; part--)
        for (uint32_t i = 0; i < g->n; i++)
            for (uint32_t k = 0; k < g->nodes[i].n_in && g->nodes[i].gradient == part; k++) {
                uint32_t in = tg__graph_inputs(g, &g->nodes[i])[k];
                if (tg__graph_is_leaf(&g->nodes[in])) p->nodes[in].part = (uint8_t)part;
            }
    for (uint32_t i = 0; i < g->n; i++)
        p->nodes[i].shown =
            (gradient || p->nodes[i].part == TG__FORWARD) && (g->nodes[i].kind != TG__GRAPH_NUMBER || g->nodes[i].wanted);
}

/* ------------------------------------------------------------------ scopes */

static uint32_t new_scope(tg__picture *p, const char *path, uint32_t parent) {
    if (!tg__grow(&p->scopes, &p->scopes_cap, (uint64_t)p->n_scopes + 1, sizeof *p->scopes)) return TG__NONE;
    uint32_t s = p->n_scopes++, depth = parent == TG__NONE ? 0 : p->scopes[parent].depth + 1;
    p->scopes[s] = (tg__picture_scope){path, parent, depth, TG__NONE, TG__NONE, TG__NONE, .times = 1, .last = path};
    if (parent == TG__NONE) return s;
    tg__picture_scope *up = &p->scopes[parent];
    if (up->last_child == TG__NONE)
        up->first_child = s;
    else
        p->scopes[up->last_child].next = s;
    up->last_child = s;
    return s;
}

typedef struct scope_map { /* by part and text number; 0: not there yet, else the scope's number + 1 */
    uint32_t *at[TG__PARTS], cap[TG__PARTS];
} scope_map;

static uint32_t *map_entry(scope_map *m, int part, const char *path) {
    uint32_t number = tg__graph_text_number(path), before = m->cap[part];
    if (!tg__grow(&m->at[part], &m->cap[part], (uint64_t)number + 1, sizeof(uint32_t))) return NULL;
    for (uint32_t i = before; i < m->cap[part]; i++) m->at[part][i] = 0;
    return &m->at[part][number];
}

/* The scope of the first `length` bytes of a path. */
static uint32_t prefix_scope(tg__picture *p, tg__graph *g, scope_map *m, int part, const char *path, size_t length,
                             uint32_t parent) {
    tg__text prefix = {0};
    tg__text_bytes(&prefix, path, length);
    tg__text_bytes(&prefix, "", 1);
    const char *text = prefix.failed ? NULL : tg__graph_text(g, prefix.at);
    tg__text_free(&prefix);
    uint32_t *entry = text ? map_entry(m, part, text) : NULL;
    if (!entry) return TG__NONE;
    if (!*entry) *entry = new_scope(p, text, parent) + 1;
    return *entry - 1;
}

static uint32_t scope_of(tg__picture *p, tg__graph *g, scope_map *m, int part, const char *path) {
    uint32_t *known = map_entry(m, part, path), scope = (uint32_t)part;
    if (!known) return TG__NONE;
    if (*known) return *known - 1;
    size_t length = strlen(path);
    for (size_t end = 0; end < length && scope != TG__NONE && p->scopes[scope].depth < MOST_DEPTH; end++) {
        end += strcspn(path + end, ".");
        scope = prefix_scope(p, g, m, part, path, end, scope);
    }
    known = map_entry(m, part, path);
    if (!known) return TG__NONE;
    if (scope != TG__NONE) *known = scope + 1;
    return scope;
}

static uint32_t meet(const tg__picture *p, uint32_t a, uint32_t b) {
    while (a != b) {
        if (p->scopes[a].depth < p->scopes[b].depth)
            b = p->scopes[b].parent;
        else
            a = p->scopes[a].parent;
    }
    return a;
}

/* A variable is drawn in the smallest scope that holds all its readers. */
static void place_variables(tg__picture *p, const tg__graph *g) {
    for (uint32_t i = 0; i < g->n; i++)
        if (is_variable(&g->nodes[i])) p->nodes[i].scope = TG__NONE;
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            tg__picture_node *in = &p->nodes[tg__graph_inputs(g, &g->nodes[i])[k]];
            const tg__graph_node *from = &g->nodes[tg__graph_inputs(g, &g->nodes[i])[k]];
            if (!is_variable(from) || in->part != p->nodes[i].part) continue;
            in->scope = in->scope == TG__NONE ? p->nodes[i].scope : meet(p, in->scope, p->nodes[i].scope);
        }
    for (uint32_t i = 0; i < g->n; i++)
        if (p->nodes[i].scope == TG__NONE) p->nodes[i].scope = p->nodes[i].part;
}

static bool place(tg__picture *p, tg__graph *g) {
    scope_map m = {0};
    const char *root = tg__graph_text(g, "");
    bool ok = root != NULL;
    for (int part = 0; part < TG__PARTS && ok; part++) {
        uint32_t s = new_scope(p, root, TG__NONE), *entry = map_entry(&m, part, root);
        ok = s != TG__NONE && entry;
        if (ok) *entry = s + 1;
    }
    for (uint32_t i = 0; i < g->n && ok; i++) {
        p->nodes[i].scope = scope_of(p, g, &m, p->nodes[i].part, g->nodes[i].scope);
        ok = p->nodes[i].scope != TG__NONE;
    }
    if (ok) place_variables(p, g);
    for (int part = 0; part < TG__PARTS; part++) tg__free(m.at[part]);
    return ok;
}

/* ------------------------------------------------------------------ repeated scopes
 *
 * Scopes of one parent are equal if their nodes, taken in recording order, are: op, shape, dtype, details, place below the
 * scope, and inputs: from inside by place, from outside by type. Then the first is drawn and stands for all. */

typedef struct members {     /* the drawn nodes of a scope and of those below it, in recording order */
    uint32_t *first, *nodes; /* of scope s: nodes[first[s]] up to nodes[first[s + 1]] */
} members;

static bool list_members(const tg__picture *p, const tg__graph *g, members *m) {
    m->first = tg__calloc((size_t)p->n_scopes + 2, sizeof *m->first);
    if (!m->first) return false;
    uint32_t *first = m->first + 1; /* one ahead: filling moves each start to its end */
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t s = p->nodes[i].shown ? p->nodes[i].scope : TG__NONE; s != TG__NONE; s = p->scopes[s].parent) first[s]++;
    uint32_t sum = 0;
    for (uint32_t s = 0; s < p->n_scopes; s++) {
        uint32_t n = first[s];
        first[s] = sum;
        sum += n;
    }
    m->nodes = tg__alloc(((size_t)sum + 1) * sizeof *m->nodes);
    if (!m->nodes) return false;
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t s = p->nodes[i].shown ? p->nodes[i].scope : TG__NONE; s != TG__NONE; s = p->scopes[s].parent)
            m->nodes[first[s]++] = i;
    return true;
}

static uint32_t member_count(const members *m, uint32_t scope) { return m->first[scope + 1] - m->first[scope]; }

typedef struct signature {
    XXH3_state_t *hash;
    uint32_t *place; /* of a node in the scope that is looked at */
} signature;

static void add_words(signature *s, const void *words, size_t size) { XXH3_128bits_update(s->hash, words, size); }

static void add_type(signature *s, const tg__graph_node *n) {
    uint32_t words[2] = {n->dtype, (uint32_t)n->shape.rank};
    add_words(s, words, sizeof words);
    if (n->shape.rank) add_words(s, n->shape.dims, (size_t)n->shape.rank * sizeof *n->shape.dims);
}

static bool is_inside(const tg__picture *p, const members *m, uint32_t scope, const signature *s, uint32_t node) {
    uint32_t place = s->place[node];
    return p->nodes[node].shown && place < member_count(m, scope) && m->nodes[m->first[scope] + place] == node;
}

static void add_member(signature *s, const tg__picture *p, const tg__graph *g, const members *m, uint32_t scope,
                       uint32_t node) {
    const tg__graph_node *n = &g->nodes[node];
    const char *below = p->scopes[p->nodes[node].scope].path + strlen(p->scopes[scope].path);
    uint32_t what[3] = {tg__graph_text_number(n->op), n->kind, tg__graph_text_number(n->detail)};
    add_type(s, n);
    add_words(s, what, sizeof what);
    add_words(s, below, strlen(below) + 1);
    for (uint32_t k = 0; k < n->n_in; k++) {
        uint32_t in = tg__graph_inputs(g, n)[k];
        bool inside = is_inside(p, m, scope, s, in);
        uint32_t place = inside ? s->place[in] : TG__NONE;
        add_words(s, &place, sizeof place);
        if (inside) continue;
        uint32_t variable = is_variable(&g->nodes[in]);
        add_words(s, &variable, sizeof variable);
        add_type(s, &g->nodes[in]);
        if (g->nodes[in].kind == TG__GRAPH_NUMBER) add_words(s, g->nodes[in].text, strlen(g->nodes[in].text) + 1);
    }
}

typedef struct sibling {
    XXH128_hash_t hash;
    uint32_t scope, count;
} sibling;

static sibling sign(signature *s, const tg__picture *p, const tg__graph *g, const members *m, uint32_t scope) {
    const uint32_t *nodes = m->nodes + m->first[scope], n = member_count(m, scope);
    for (uint32_t i = 0; i < n; i++) s->place[nodes[i]] = i;
    XXH3_128bits_reset(s->hash);
    for (uint32_t i = 0; i < n; i++) add_member(s, p, g, m, scope, nodes[i]);
    return (sibling){XXH3_128bits_digest(s->hash), scope, n};
}

static int by_signature(const void *a, const void *b) {
    const sibling *x = a, *y = b;
    int by = XXH128_cmp(&x->hash, &y->hash);
    if (!by) by = (x->count > y->count) - (x->count < y->count);
    return by ? by : (x->scope > y->scope) - (x->scope < y->scope);
}

static void join(tg__picture *p, const members *m, const sibling *first, const sibling *other) {
    for (uint32_t i = 0; i < first->count; i++)
        p->nodes[m->nodes[m->first[other->scope] + i]].twin = m->nodes[m->first[first->scope] + i];
    p->scopes[first->scope].times++;
    p->scopes[first->scope].last = p->scopes[other->scope].path;
    p->scopes[other->scope].times = 0;
}

/* Scopes are numbered parents first: what stands for its equals is known before its children are compared. */
static void fold_children(tg__picture *p, const tg__graph *g, const members *m, signature *s, sibling *list, uint32_t parent) {
    uint32_t n = 0, first = 0;
    for (uint32_t c = p->scopes[parent].first_child; c != TG__NONE; c = p->scopes[c].next)
        if (member_count(m, c)) list[n++] = sign(s, p, g, m, c);
    if (n > 1) qsort(list, n, sizeof *list, by_signature);
    for (uint32_t i = 1; i < n; i++) {
        if (XXH128_isEqual(list[i].hash, list[first].hash) && list[i].count == list[first].count)
            join(p, m, &list[first], &list[i]);
        else
            first = i;
    }
}

/* What is below a scope that another stands for is drawn nowhere. */
static void fold_all(tg__picture *p, const tg__graph *g, const members *m, signature *s, sibling *list) {
    for (uint32_t i = 0; i < p->n_scopes; i++) {
        uint32_t parent = p->scopes[i].parent;
        if (parent != TG__NONE && p->scopes[parent].times == 0) p->scopes[i].times = 0;
        if (p->scopes[i].times) fold_children(p, g, m, s, list, i);
    }
}

static bool fold(tg__picture *p, const tg__graph *g) {
    members m = {0};
    signature s = {tg__alloc(sizeof *s.hash), tg__calloc((size_t)g->n + 1, sizeof *s.place)};
    sibling *list = tg__alloc(((size_t)p->n_scopes + 1) * sizeof *list);
    bool ok = s.hash && s.place && list && list_members(p, g, &m);
    if (ok) {
        XXH3_INITSTATE(s.hash);
        fold_all(p, g, &m, &s, list);
        for (uint32_t i = 0; i < g->n; i++) p->nodes[i].twin = (uint32_t)(twin_of(p, i) - p->nodes);
    }
    tg__free(m.first);
    tg__free(m.nodes);
    tg__free(s.hash);
    tg__free(s.place);
    tg__free(list);
    return ok;
}

/* ------------------------------------------------------------------ how many */

static uint32_t count_drawn(const tg__picture *p, const tg__graph *g) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++) n += is_drawn(p, i);
    return n;
}

static uint32_t limit_of(const tg_graph_options *o) {
    if (o->max_nodes < 0) return UINT32_MAX;
    return o->max_nodes ? (uint32_t)o->max_nodes : DEFAULT_NODES;
}

static void cut(tg__picture *p, const tg__graph *g, uint32_t limit) {
    uint32_t n = 0;
    for (int part = 0; part < TG__PARTS; part++)
        for (uint32_t i = 0; i < g->n; i++) {
            if (p->nodes[i].part != part || !is_drawn(p, i) || n++ < limit) continue;
            p->nodes[i].shown = false;
            p->left_out++;
        }
    for (uint32_t i = 0; i < g->n; i++)
        if (!p->nodes[p->nodes[i].twin].shown) p->nodes[i].shown = false;
}

static void count_in_scopes(tg__picture *p, const tg__graph *g) {
    for (uint32_t i = 0; i < g->n; i++) {
        if (!is_drawn(p, i)) continue;
        p->scopes[p->nodes[i].scope].own++;
        for (uint32_t s = p->nodes[i].scope; s != TG__NONE; s = p->scopes[s].parent) p->scopes[s].seen++;
    }
}

/* ------------------------------------------------------------------ edges */

static bool add_edge(tg__picture *p, uint32_t from, uint32_t to) {
    uint32_t f = p->nodes[from].twin, t = p->nodes[to].twin;
    if (!tg__grow(&p->edges, &p->edges_cap, (uint64_t)p->n_edges + 1, sizeof *p->edges)) return false;
    /* Twins of a later node that come before or at their reader's: from one repetition to the next. */
    p->edges[p->n_edges++] = (tg__edge){t, f, f >= t, false};
    return true;
}

static int by_ends(const void *a, const void *b) {
    const tg__edge *x = a, *y = b;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static bool find_edges(tg__picture *p, const tg__graph *g) {
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            uint32_t in = tg__graph_inputs(g, &g->nodes[i])[k];
            bool other_part = p->nodes[in].part != p->nodes[i].part;
            bool number = g->nodes[in].kind == TG__GRAPH_NUMBER;
            if (!p->nodes[i].shown || number || !(p->nodes[in].shown || other_part)) continue;
            if (!add_edge(p, in, i)) return false;
        }
    if (p->n_edges) qsort(p->edges, p->n_edges, sizeof *p->edges, by_ends);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_edges; i++)
        if (!n || by_ends(&p->edges[n - 1], &p->edges[i])) p->edges[n++] = p->edges[i];
    p->n_edges = n;
    return true;
}

/* ------------------------------------------------------------------ where leaves stand */

/* Edges come in the order of their readers: how often the reading scope changes is about how many there are. */
static bool find_spread(tg__picture *p, const tg__graph *g) {
    uint32_t *scope = tg__calloc((size_t)g->n + 1, sizeof *scope), *changes = tg__calloc((size_t)g->n + 1, sizeof *changes);
    bool ok = scope && changes;
    for (uint32_t i = 0; i < p->n_edges && ok; i++) {
        const tg__edge *e = &p->edges[i];
        uint32_t reader = p->nodes[e->to].scope + 1;
        if (!tg__graph_is_leaf(&g->nodes[e->from]) || p->nodes[e->from].part != p->nodes[e->to].part) continue;
        if (scope[e->from] != reader) changes[e->from]++;
        scope[e->from] = reader;
        p->nodes[e->from].spread = changes[e->from] > MOST_READING_SCOPES;
    }
    tg__free(scope);
    tg__free(changes);
    return ok;
}

/* So that the values computed flow down in a line, and what they meet comes from the side. */
static void place_leaves(tg__picture *p, const tg__graph *g) {
    for (uint32_t first = 0, end; first < p->n_edges; first = end) {
        bool flow = false, input = false;
        for (end = first; end < p->n_edges && p->edges[end].to == p->edges[first].to; end++) {
            const tg__graph_node *from = &g->nodes[p->edges[end].from];
            if (tg__edge_is_cut(p, &p->edges[end])) continue;
            flow = flow || !tg__graph_is_leaf(from);
            input = input || from->kind == TG__GRAPH_INPUT;
        }
        for (uint32_t i = first; i < end; i++) {
            tg__picture_node *from = &p->nodes[p->edges[i].from];
            const tg__graph_node *n = &g->nodes[p->edges[i].from];
            bool boxed = p->scopes[from->scope].parent != TG__NONE,
                 joins = flow || boxed || (input && n->kind != TG__GRAPH_INPUT);
            bool side = tg__graph_is_leaf(n) && joins;
            bool near = from->scope == p->nodes[p->edges[i].to].scope && from->part == p->nodes[p->edges[i].to].part;
            if (side && near && from->beside == TG__NONE) from->beside = p->edges[i].to;
        }
    }
}

/* ------------------------------------------------------------------ all of it */

bool tg__picture_build(tg__picture *p, tg__graph *g, const tg_graph_options *o) {
    p->nodes = tg__alloc(((size_t)g->n + 1) * sizeof *p->nodes);
    if (!p->nodes) return false;
    find_parts(p, g, o->gradient);
    if (!place(p, g)) return false;
    uint32_t limit = limit_of(o);
    if (count_drawn(p, g) > limit && !fold(p, g)) return false;
    if (count_drawn(p, g) > limit) cut(p, g, limit);
    p->shown = count_drawn(p, g);
    count_in_scopes(p, g);
    if (!find_edges(p, g) || !find_spread(p, g)) return false;
    place_leaves(p, g);
    return true;
}
