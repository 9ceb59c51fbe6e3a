/* io/graph.h: graphs as plain data: filled from a tape or from a file, drawn as DOT.
 *
 *     graph_from_tape.c, graph_parse.c -> graph -> graph_picture.c (what is drawn, and where) -> graph_dot.c
 *                                               -> graph_file.c (the saved graph) */
#ifndef TG_GRAPH_MODEL_H
#define TG_GRAPH_MODEL_H

#include "engine/engine.h"
#include "file.h"
#include "tapegrad/graph.h"
#include "text.h"

/* X(name, what files call it) */
#define TG__GRAPH_KIND_MAP(X)                                                                       \
    X(OP, "op")     /* computes */                                                                  \
    X(VIEW, "view") /* looks at its input's memory */                                               \
    X(INPUT, "input")                                                                               \
    X(PARAMETER, "parameter") /* text: its name */                                                  \
    X(STATE, "state")         /* a variable that is not trained: a buffer, an optimizer's moment */ \
    X(NUMBER, "number")       /* text: its value */                                                 \
    X(ASSIGN, "assign")       /* input 0 is written to the variable that `text` names */

typedef enum tg__graph_kind {
#define TG__ROW(name, text) TG__GRAPH_##name,
    TG__GRAPH_KIND_MAP(TG__ROW)
#undef TG__ROW
    TG__GRAPH_KIND_COUNT
} tg__graph_kind;

extern const char *const tg__graph_kinds[TG__GRAPH_KIND_COUNT];

/* Texts are valid UTF-8 without control characters, "" for none, and live as long as the graph; equal ones have one address. */
typedef struct tg__graph_node {
    const char *op;     /* "add" */
    const char *label;  /* "+"; "": as the op */
    const char *text;   /* see the kinds */
    const char *detail; /* attributes: "axes=(1), keepdims=0" */
    const char *scope, *site;
    tg_shape shape;
    uint8_t dtype, kind;
    bool gradient;         /* recorded by a derivative rule or an update */
    bool wanted;           /* one of the outputs that the graph was asked for */
    bool planned;          /* what follows is known */
    bool dropped;          /* never computed: merged with an equal node, or needless */
    uint32_t block;        /* the fused block that computes it; TG__NONE: none */
    int64_t offset, bytes; /* where in the pool; offset -1: never stored there */
    uint32_t first_in, n_in;
} tg__graph_node;

typedef struct tg__graph {
    tg__graph_node *nodes; /* inputs come before their readers */
    uint32_t n, nodes_cap;
    uint32_t *in, n_in, in_cap; /* node numbers */
    /* texts */
    tg__arena memory;
    tg__text scratch;
    const char **texts;
    uint32_t *table, table_size, n_texts, texts_cap;
} tg__graph;

void tg__graph_free(tg__graph *g);
/* The graph's copy of a text made fit to show; "" for NULL. NULL: out of memory. */
const char *tg__graph_text(tg__graph *g, const char *raw);
/* The number of a text of the graph: they are numbered from 0 on. */
uint32_t tg__graph_text_number(const char *text);
tg__graph_node *tg__graph_add(tg__graph *g);            /* zeros and "" but block and offset; NULL: out of memory */
bool tg__graph_add_input(tg__graph *g, uint32_t input); /* of the last node */
static inline const uint32_t *tg__graph_inputs(const tg__graph *g, const tg__graph_node *n) { return g->in + n->first_in; }
static inline bool tg__graph_is_leaf(const tg__graph_node *n) {
    return n->kind != TG__GRAPH_OP && n->kind != TG__GRAPH_VIEW && n->kind != TG__GRAPH_ASSIGN;
}
/* A stable name for each node: scope, op and a count; a parameter's is its own. */
bool tg__graph_name(const tg__graph *g, tg__arena *memory, const char **names);

/* Sets the tape's error on failure. */
tg_status tg__graph_from_tape(tg__graph *g, tg_tape *t, const tg_graph_options *o, const char *function);

void tg__graph_to_file(const tg__graph *g, tg__text *file);
tg_status tg__graph_parse(tg__graph *g, const tg__report *r, const uint8_t *bytes, size_t n);

/* ------------------------------------------------------------------ pictures */

enum { TG__FORWARD, TG__BACKWARD, TG__PARTS };

typedef struct tg__picture_node {
    uint32_t scope;  /* where it is drawn */
    uint32_t twin;   /* drawn in its place: itself, unless its scope repeats another */
    uint32_t beside; /* a leaf stands to the left of this reader; TG__NONE: above its readers */
    uint8_t part;
    bool shown;  /* drawn, or its twin is */
    bool spread; /* a leaf that many scopes read: each other one gets a reference */
} tg__picture_node;

typedef struct tg__picture_scope {
    const char *path;
    uint32_t parent, depth, first_child, last_child, next; /* TG__NONE: none */
    uint32_t times;     /* stands for that many equal ones, 1 for itself alone; 0: another stands for it */
    const char *last;   /* the path of the last of them */
    uint32_t own, seen; /* nodes drawn in it, and in it or below */
} tg__picture_scope;

typedef struct tg__edge {
    uint32_t to, from;
    bool repeat; /* from one repetition of a scope to the next */
    bool right;  /* comes from the right of its reader */
} tg__edge;

/* Scope p is the root of part p. */
typedef struct tg__picture {
    tg__arena memory;
    tg__picture_node *nodes;
    tg__picture_scope *scopes;
    uint32_t n_scopes, scopes_cap;
    tg__edge *edges;
    uint32_t n_edges, edges_cap;
    uint32_t shown, left_out;
} tg__picture;

/* Whether a reference is drawn in the reader's scope, not a line to it. */
static inline bool tg__edge_is_cut(const tg__picture *p, const tg__edge *e) {
    const tg__picture_node *from = &p->nodes[e->from], *to = &p->nodes[e->to];
    return from->part != to->part || (from->spread && from->scope != to->scope);
}

bool tg__picture_build(tg__picture *p, tg__graph *g, const tg_graph_options *o); /* false: out of memory */
void tg__picture_free(tg__picture *p);

/* Writes DOT. False: out of memory. */
bool tg__graph_dot(tg__graph *g, const tg_graph_options *o, tg__text *dot);

#endif
