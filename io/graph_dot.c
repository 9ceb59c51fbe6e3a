/* A picture as Graphviz DOT. Language: https://graphviz.org/doc/info/lang.html, attributes:
 * https://graphviz.org/doc/info/attrs.html.
 *
 * Forward and gradient part share no edge: dot's time and memory explode on such graphs. Where one reads the other, a dashed
 * node stands for what is read. */
#include <stdlib.h>

#include "graph.h"

#define MOST_SHOWN 60 /* characters of a name in a label */
#define BLOCK_COLOURS 8

typedef struct writer {
    const tg__graph *g;
    const tg__picture *p;
    const tg_graph_options *o;
    const char **names;
    const int64_t *slots; /* where memory of the pool begins, ascending */
    uint32_t n_slots;
    tg__text *out;
} writer;

/* ------------------------------------------------------------------ text */

/* In a quoted string. What is not ours has no control characters (tg__graph_text). */
static void add_escaped(tg__text *out, const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') tg__text_add(out, "\\");
        tg__text_bytes(out, text, 1);
    }
}

/* The same where Graphviz resolves entities: labels and tooltips, not names. */
static void add_shown(tg__text *out, const char *text) {
    for (; *text; text++) {
        if (*text == '&')
            tg__text_add(out, "&amp;");
        else if (*text == '"' || *text == '\\')
            tg__text_format(out, "\\%c", *text);
        else
            tg__text_bytes(out, text, 1);
    }
}

static size_t characters(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* In an HTML label; the end of a long name says more than its beginning. */
static void add_html(tg__text *out, const char *text) {
    size_t n = characters(text), skip = n > MOST_SHOWN ? n - MOST_SHOWN + 1 : 0;
    if (skip) tg__text_add(out, "\xE2\x80\xA6"); /* an ellipsis */
    while (skip)
        if (((unsigned char)*++text & 0xC0) != 0x80) skip--;
    for (; *text; text++) {
        switch (*text) {
        case '&':
            tg__text_add(out, "&amp;");
            break;
        case '<':
            tg__text_add(out, "&lt;");
            break;
        case '>':
            tg__text_add(out, "&gt;");
            break;
        case '"':
            tg__text_add(out, "&quot;");
            break;
        default:
            tg__text_bytes(out, text, 1);
        }
    }
}

static void add_type(tg__text *out, const tg__graph_node *n) {
    char shape[256];
    tg__text_format(out, "%s %s", tg__shape_text(&n->shape, shape, sizeof shape), tg_dtype_name(n->dtype));
}

#define SMALL "<br/><font point-size=\"9\" color=\"#5b6670\">"
#define SMALL_END "</font>"

/* ------------------------------------------------------------------ what a node says */

/* The rest of a variable's name below its scope. */
static const char *short_name(const writer *w, uint32_t node) {
    const char *name = w->g->nodes[node].text, *scope = w->p->scopes[w->p->nodes[node].scope].path;
    size_t n = strlen(scope);
    return n && strncmp(name, scope, n) == 0 && name[n] == '.' && name[n + 1] ? name + n + 1 : name;
}

static bool reads_number(const writer *w, const tg__graph_node *n) {
    for (uint32_t k = 0; k < n->n_in; k++)
        if (w->g->nodes[tg__graph_inputs(w->g, n)[k]].kind == TG__GRAPH_NUMBER) return true;
    return false;
}

static const char *label_of(const tg__graph_node *n) { return *n->label ? n->label : n->op; }

static bool is_sign(const char *label) {
    return !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *label);
}

/* "maximum(x, 0)", "x * 0.5": numbers stand at their places among the operands. */
static void add_op(writer *w, const tg__graph_node *n) {
    const char *label = label_of(n);
    bool numbers = reads_number(w, n), infix = numbers && n->n_in == 2 && is_sign(label);
    if (!infix) add_html(w->out, label);
    for (uint32_t k = 0; k < n->n_in && numbers; k++) {
        const tg__graph_node *in = &w->g->nodes[tg__graph_inputs(w->g, n)[k]];
        if (infix && k) tg__text_add(w->out, " "), add_html(w->out, label), tg__text_add(w->out, " ");
        if (!infix) tg__text_add(w->out, k ? ", " : "(");
        if (in->kind == TG__GRAPH_NUMBER)
            add_html(w->out, in->text);
        else
            tg__text_add(w->out, "<i>x</i>");
    }
    if (numbers && !infix) tg__text_add(w->out, ")");
}

static void add_assign(writer *w, const tg__graph_node *n) {
    const tg__graph_node *value = &w->g->nodes[*tg__graph_inputs(w->g, n)];
    tg__text_add(w->out, "assign ");
    add_html(w->out, n->text);
    if (value->kind != TG__GRAPH_NUMBER) return;
    tg__text_add(w->out, " = ");
    add_html(w->out, value->text);
}

static void add_title(writer *w, uint32_t node) {
    const tg__graph_node *n = &w->g->nodes[node];
    switch (n->kind) {
    case TG__GRAPH_PARAMETER:
    case TG__GRAPH_STATE:
        add_html(w->out, *n->text ? short_name(w, node) : label_of(n));
        break;
    case TG__GRAPH_NUMBER:
        add_html(w->out, *n->text ? n->text : label_of(n));
        break;
    case TG__GRAPH_ASSIGN:
        add_assign(w, n);
        break;
    default:
        add_op(w, n);
    }
}

static int slot_order(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static uint32_t slot_of(const writer *w, int64_t offset) {
    const int64_t *at = bsearch(&offset, w->slots, w->n_slots, sizeof offset, slot_order);
    return at ? (uint32_t)(at - w->slots) : 0;
}

static bool tells_plan(const writer *w, const tg__graph_node *n) {
    return w->o->plan && n->planned && (n->kind == TG__GRAPH_OP || n->kind == TG__GRAPH_VIEW);
}

static bool is_dropped(const writer *w, const tg__graph_node *n) { return tells_plan(w, n) && n->dropped; }
static bool in_block(const writer *w, const tg__graph_node *n) {
    return tells_plan(w, n) && !n->dropped && n->block != TG__NONE;
}

static void add_plan(writer *w, const tg__graph_node *n) {
    if (!tells_plan(w, n)) return;
    if (n->dropped) {
        tg__text_add(w->out, SMALL "not computed" SMALL_END);
        return;
    }
    if (n->block == TG__NONE && n->offset < 0) return;
    tg__text_add(w->out, SMALL);
    if (n->block != TG__NONE) tg__text_format(w->out, "block %u", n->block);
    if (n->block != TG__NONE && n->offset >= 0) tg__text_add(w->out, ", ");
    if (n->offset >= 0) tg__text_format(w->out, "memory %u", slot_of(w, n->offset));
    tg__text_add(w->out, SMALL_END);
}

/* ------------------------------------------------------------------ tooltips */

static void add_line(writer *w, const char *what, const char *text) {
    if (!*text) return;
    tg__text_add(w->out, "\\n");
    tg__text_add(w->out, what);
    add_shown(w->out, text);
}

static void add_tooltip(writer *w, uint32_t node) {
    const tg__graph_node *n = &w->g->nodes[node];
    tg__text_add(w->out, " tooltip=\"");
    add_shown(w->out, n->op);
    tg__text_add(w->out, " ");
    add_type(w->out, n);
    add_line(w, "", n->kind == TG__GRAPH_NUMBER ? "" : n->text);
    add_line(w, "", n->detail);
    add_line(w, "scope ", n->scope);
    add_line(w, "", n->site);
    if (in_block(w, n)) tg__text_format(w->out, "\\nfused block %u", n->block);
    if (tells_plan(w, n) && n->offset >= 0)
        tg__text_format(w->out, "\\nmemory %u: %lld bytes at %lld", slot_of(w, n->offset), (long long)n->bytes,
                        (long long)n->offset);
    tg__text_add(w->out, "\"");
}

/* ------------------------------------------------------------------ nodes */

/* Light enough for black text, apart in print; the hues of neighbouring numbers are far apart. */
static const char *const block_colours[BLOCK_COLOURS] = {"#cfe3f5", "#fbe0c4", "#d5ecd0", "#f3d3de",
                                                         "#e0d8f0", "#f4eeb5", "#cdebe8", "#e6dccf"};

static const char *const kind_looks[TG__GRAPH_KIND_COUNT] = {
    [TG__GRAPH_OP] = "",
    [TG__GRAPH_VIEW] = " style=\"rounded,filled,dotted\" fontsize=9 margin=\"0.07,0.03\"",
    [TG__GRAPH_INPUT] = " shape=ellipse style=filled fillcolor=\"#dceaf7\" color=\"#5b86ad\" margin=\"0.03,0.02\"",
    [TG__GRAPH_PARAMETER] = " style=filled fillcolor=\"#fdf0d2\" color=\"#b08a3c\"",
    [TG__GRAPH_STATE] = " style=filled fillcolor=\"#eeeeea\" color=\"#8a8a80\"",
    [TG__GRAPH_NUMBER] = " shape=plaintext style=\"\"",
    [TG__GRAPH_ASSIGN] = " shape=cds style=filled fillcolor=\"#dff0da\" color=\"#5f8f52\" margin=\"0.18,0.05\"",
};

static void add_name(writer *w, uint32_t node) {
    tg__text_add(w->out, "\"");
    add_escaped(w->out, w->names[node]);
    tg__text_add(w->out, "\"");
}

static void add_node(writer *w, uint32_t node) {
    const tg__graph_node *n = &w->g->nodes[node];
    add_name(w, node);
    tg__text_add(w->out, " [label=<");
    add_title(w, node);
    if (n->kind != TG__GRAPH_ASSIGN) {
        tg__text_add(w->out, SMALL);
        add_type(w->out, n);
        tg__text_add(w->out, SMALL_END);
    }
    add_plan(w, n);
    tg__text_add(w->out, ">");
    tg__text_add(w->out, kind_looks[n->kind]);
    if (in_block(w, n)) tg__text_format(w->out, " fillcolor=\"%s\"", block_colours[n->block % BLOCK_COLOURS]);
    if (is_dropped(w, n)) tg__text_add(w->out, " style=\"rounded,dashed\" fontcolor=\"#8a949c\"");
    if (n->wanted) tg__text_add(w->out, " penwidth=2.2 color=\"#22303c\"");
    add_tooltip(w, node);
    tg__text_format(w->out, " class=\"%s\"];\n", tg__graph_kinds[n->kind]);
    if (w->p->nodes[node].beside == TG__NONE) return;
    tg__text_add(w->out, "{rank=same; ");
    add_name(w, node);
    tg__text_add(w->out, "; ");
    add_name(w, w->p->nodes[node].beside);
    tg__text_add(w->out, "}\n");
}

/* ------------------------------------------------------------------ clusters */

/* A scope that only wraps another is not drawn: the inner one's title says both. */
static bool has_box(const writer *w, uint32_t scope) {
    const tg__picture_scope *s = &w->p->scopes[scope];
    if (s->parent == TG__NONE || !s->seen) return false;
    if (s->own || s->times > 1) return true;
    for (uint32_t c = s->first_child; c != TG__NONE; c = w->p->scopes[c].next)
        if (w->p->scopes[c].seen == s->seen) return false;
    return true;
}

static uint32_t root_of(const writer *w, uint32_t scope) {
    while (w->p->scopes[scope].parent != TG__NONE) scope = w->p->scopes[scope].parent;
    return scope;
}

static const char *box_above(const writer *w, uint32_t scope) {
    uint32_t s = w->p->scopes[scope].parent;
    while (w->p->scopes[s].parent != TG__NONE && !has_box(w, s)) s = w->p->scopes[s].parent;
    return w->p->scopes[s].path;
}

static void add_path_below(writer *w, const char *path, const char *above) {
    size_t n = strlen(above);
    add_shown(w->out, n ? path + n + 1 : path);
}

static void open_box(writer *w, uint32_t scope) {
    const tg__picture_scope *s = &w->p->scopes[scope];
    const char *above = box_above(w, scope);
    tg__text_add(w->out, "subgraph \"cluster ");
    tg__text_add(w->out, root_of(w, scope) == TG__FORWARD ? "forward " : "gradient ");
    add_escaped(w->out, s->path);
    tg__text_add(w->out, "\" {\nlabel=\"");
    add_path_below(w, s->path, above);
    if (s->times > 1) {
        tg__text_add(w->out, " \xE2\x80\xA6 ");
        add_path_below(w, s->last, above);
        tg__text_format(w->out, "  \xC3\x97%u", s->times);
    }
    tg__text_add(w->out, "\"; tooltip=\"");
    add_shown(w->out, s->path);
    tg__text_format(w->out, "\"; bgcolor=\"%s\"; ", s->depth % 2 ? "#f3f5f7" : "#e9edf1");
    tg__text_add(w->out, s->times > 1 ? "penwidth=2;\n" : "penwidth=1;\n");
}

/* ------------------------------------------------------------------ what the other part computes */

typedef struct reference {
    uint32_t scope, node, reader; /* the first of its readers */
} reference;

static int by_reference(const void *a, const void *b) {
    const reference *x = a, *y = b;
    if (x->scope != y->scope) return x->scope < y->scope ? -1 : 1;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return (x->reader > y->reader) - (x->reader < y->reader);
}

static bool is_same(const reference *a, const reference *b) { return a->scope == b->scope && a->node == b->node; }

/* One for each scope that reads it, so that no line is long. */
static void add_reference_name(writer *w, const reference *r) {
    tg__text_add(w->out, "\"");
    add_escaped(w->out, w->p->scopes[r->scope].path);
    tg__text_add(w->out, " <- ");
    add_escaped(w->out, w->names[r->node]);
    tg__text_add(w->out, "\"");
}

static void add_reference(writer *w, const reference *r) {
    const tg__graph_node *n = &w->g->nodes[r->node];
    add_reference_name(w, r);
    tg__text_add(w->out, " [label=<");
    if (*n->text)
        add_html(w->out, n->text);
    else
        add_html(w->out, w->names[r->node]);
    bool same_part = w->p->nodes[r->node].part == root_of(w, r->scope);
    if (!same_part)
        tg__text_format(w->out, SMALL "%s" SMALL_END, w->p->nodes[r->node].part == TG__FORWARD ? "forward" : "gradient");
    tg__text_add(w->out, "> style=\"rounded,dashed\" fontsize=9 color=\"#8a949c\" margin=\"0.07,0.03\" height=0.2");
    add_tooltip(w, r->node);
    tg__text_add(w->out, " class=\"reference\"];\n{rank=same; ");
    add_reference_name(w, r);
    tg__text_add(w->out, "; ");
    add_name(w, r->reader);
    tg__text_add(w->out, "}\n");
}

/* The place of the first reference that is not before this one. */
static uint32_t first_reference(const reference *refs, uint32_t n, uint32_t scope, uint32_t node) {
    const reference wanted = {scope, node, 0};
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_reference(&refs[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t find_references(const writer *w, reference *list) {
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < w->p->n_edges; i++) {
        const tg__edge *e = &w->p->edges[i];
        if (tg__edge_is_cut(w->p, e)) list[n++] = (reference){w->p->nodes[e->to].scope, e->from, e->to};
    }
    if (n) qsort(list, n, sizeof *list, by_reference);
    for (uint32_t i = 0; i < n; i++)
        if (!kept || !is_same(&list[kept - 1], &list[i])) list[kept++] = list[i];
    return kept;
}

/* The reader that stands beside a leaf or a reference; TG__NONE: none. */
static uint32_t reader_beside(const writer *w, const tg__edge *e, const reference *refs, uint32_t n_refs) {
    if (!tg__edge_is_cut(w->p, e)) return w->p->nodes[e->from].beside;
    uint32_t low = first_reference(refs, n_refs, w->p->nodes[e->to].scope, e->from);
    return low < n_refs ? refs[low].reader : TG__NONE;
}

/* What stands beside a reader stands by turns on its left and on its right. */
static void choose_sides(const writer *w, tg__picture *p, const reference *refs, uint32_t n_refs) {
    uint32_t beside = 0;
    for (uint32_t i = 0; i < p->n_edges; i++) {
        tg__edge *e = &p->edges[i];
        if (i && p->edges[i - 1].to != e->to) beside = 0;
        if (reader_beside(w, e, refs, n_refs) == e->to) e->right = beside++ % 2;
    }
}

/* ------------------------------------------------------------------ order: scopes one within the other, without recursion */

typedef struct contents { /* drawn nodes by scope */
    uint32_t *first, *nodes;
} contents;

static bool list_contents(const writer *w, contents *c) {
    c->first = tg__calloc((size_t)w->p->n_scopes + 2, sizeof *c->first);
    c->nodes = tg__alloc(((size_t)w->g->n + 1) * sizeof *c->nodes);
    if (!c->first || !c->nodes) return false;
    uint32_t *first = c->first + 1, sum = 0;
    for (uint32_t s = 0; s < w->p->n_scopes; s++) {
        first[s] = sum;
        sum += w->p->scopes[s].own;
    }
    for (uint32_t i = 0; i < w->g->n; i++)
        if (w->p->nodes[i].shown && w->p->nodes[i].twin == i) c->nodes[first[w->p->nodes[i].scope]++] = i;
    return true;
}

static void add_contents(writer *w, const contents *c, const reference *refs, uint32_t n_refs, uint32_t scope) {
    for (uint32_t i = c->first[scope]; i < c->first[scope + 1]; i++) add_node(w, c->nodes[i]);
    for (uint32_t i = first_reference(refs, n_refs, scope, 0); i < n_refs && refs[i].scope == scope; i++)
        add_reference(w, &refs[i]);
}

static uint32_t next_scope(writer *w, uint32_t scope, uint32_t root) {
    const tg__picture_scope *s = w->p->scopes;
    if (s[scope].first_child != TG__NONE) return s[scope].first_child;
    for (;; scope = s[scope].parent) {
        if (has_box(w, scope)) tg__text_add(w->out, "}\n");
        if (scope == root) return TG__NONE;
        if (s[scope].next != TG__NONE) return s[scope].next;
    }
}

static void add_scopes(writer *w, const contents *c, const reference *refs, uint32_t n_refs, uint32_t root) {
    for (uint32_t s = root; s != TG__NONE; s = next_scope(w, s, root)) {
        if (has_box(w, s)) open_box(w, s);
        add_contents(w, c, refs, n_refs, s);
    }
}

static void add_part(writer *w, const contents *c, const reference *refs, uint32_t n_refs, int part) {
    if (!w->p->scopes[part].seen) return;
    bool boxed = w->o->gradient && w->p->scopes[TG__BACKWARD].seen;
    if (boxed)
        tg__text_format(w->out, "subgraph \"cluster %s\" {\nlabel=\"%s\"; bgcolor=\"#ffffff\"; fontsize=13;\n",
                        part ? "gradient" : "forward", part ? "gradient and updates" : "forward");
    add_scopes(w, c, refs, n_refs, (uint32_t)part);
    if (boxed) tg__text_add(w->out, "}\n");
}

/* ------------------------------------------------------------------ edges, head and foot */

static void add_edge(writer *w, const tg__edge *e) {
    const tg__graph_node *from = &w->g->nodes[e->from];
    reference r = {w->p->nodes[e->to].scope, e->from, e->to};
    bool variable = from->kind == TG__GRAPH_PARAMETER || from->kind == TG__GRAPH_STATE;
    if (e->right) add_name(w, e->to), tg__text_add(w->out, " -> ");
    if (tg__edge_is_cut(w->p, e))
        add_reference_name(w, &r);
    else
        add_name(w, e->from);
    if (!e->right) tg__text_add(w->out, " -> "), add_name(w, e->to);
    tg__text_add(w->out, " [tooltip=\"");
    add_type(w->out, from);
    tg__text_add(w->out, e->right ? "\" dir=back" : "\"");
    if (tg__edge_is_cut(w->p, e))
        tg__text_add(w->out, " style=dashed color=\"#8a949c\"");
    else if (e->repeat)
        tg__text_add(w->out, " style=dashed constraint=false");
    else if (variable)
        tg__text_add(w->out, " color=\"#b08a3c\" arrowsize=0.5");
    else
        tg__text_add(w->out, " weight=4");
    tg__text_add(w->out, "];\n");
}

static void add_head(writer *w) {
    tg__text_add(w->out, "digraph tapegrad {\n"
                         "graph [rankdir=TB ranksep=0.3 nodesep=0.25 fontname=\"Helvetica\" fontsize=11 fontcolor=\"#37424c\" "
                         "labeljust=l style=rounded color=\"#b9c3cc\" tooltip=\" \"");
    if (w->o->title && *w->o->title) tg__text_add(w->out, " labelloc=t");
    tg__text_add(w->out,
                 "];\nnode [shape=box style=\"rounded,filled\" fillcolor=\"#ffffff\" color=\"#5b6670\" fontname=\"Helvetica\" "
                 "fontsize=11 margin=\"0.1,0.05\" height=0.3 width=0.5];\n"
                 "edge [color=\"#5b6670\" arrowsize=0.6 fontname=\"Helvetica\" fontsize=9];\n");
}

static void add_notes(writer *w) {
    if (w->p->left_out)
        tg__text_format(w->out,
                        "\"left out\" [shape=note style=filled fillcolor=\"#fff6c8\" color=\"#8a7a20\" "
                        "label=\"%u more nodes are left out:\\nthe limit is %u (max_nodes)\"];\n",
                        w->p->left_out, w->p->shown);
    if (!w->p->shown && !w->p->left_out)
        tg__text_add(w->out, "\"empty\" [shape=plaintext style=\"\" label=\"nothing to draw\"];\n");
}

/* Last: clusters would take it over. */
static void add_graph_title(writer *w, tg__graph *texts) {
    if (!w->o->title || !*w->o->title) return;
    const char *title = tg__graph_text(texts, w->o->title);
    if (!title) {
        w->out->failed = true;
        return;
    }
    tg__text_add(w->out, "label=\"");
    add_shown(w->out, title);
    tg__text_add(w->out, "\\n\"; fontsize=16;\n");
}

/* ------------------------------------------------------------------ all of it */

static bool find_slots(writer *w) {
    int64_t *slots = tg__alloc(((size_t)w->g->n + 1) * sizeof *slots);
    if (!slots) return false;
    uint32_t n = 0, kept = 0;
    for (uint32_t i = 0; i < w->g->n; i++)
        if (w->g->nodes[i].offset >= 0) slots[n++] = w->g->nodes[i].offset;
    if (n) qsort(slots, n, sizeof *slots, slot_order);
    for (uint32_t i = 0; i < n; i++)
        if (!kept || slots[kept - 1] != slots[i]) slots[kept++] = slots[i];
    w->slots = slots;
    w->n_slots = kept;
    return true;
}

static bool write_all(writer *w, tg__graph *g, tg__picture *p) {
    contents c = {0};
    reference *refs = tg__alloc(((size_t)p->n_edges + 1) * sizeof *refs);
    w->names = tg__alloc(((size_t)g->n + 1) * sizeof *w->names);
    bool ok = refs && w->names && tg__graph_name(g, &p->memory, w->names) && find_slots(w) && list_contents(w, &c);
    if (ok) {
        uint32_t n_refs = find_references(w, refs);
        choose_sides(w, p, refs, n_refs);
        add_head(w);
        for (int part = 0; part < TG__PARTS; part++) add_part(w, &c, refs, n_refs, part);
        add_notes(w);
        for (uint32_t i = 0; i < p->n_edges; i++) add_edge(w, &p->edges[i]);
        add_graph_title(w, g);
        tg__text_add(w->out, "}\n");
        ok = !w->out->failed;
    }
    tg__free(c.first);
    tg__free(c.nodes);
    tg__free(refs);
    tg__free(w->names);
    tg__free((void *)(uintptr_t)w->slots);
    return ok;
}

bool tg__graph_dot(tg__graph *g, const tg_graph_options *o, tg__text *dot) {
    tg__picture p = {0};
    writer w = {.g = g, .p = &p, .o = o, .out = dot};
    bool ok = tg__picture_build(&p, g, o) && write_all(&w, g, &p);
    tg__picture_free(&p);
    return ok;
}
