/* engine/engine.h: what the files of the engine share.
 *
 * The road of a value: record.c writes a node; grad.c writes more of them; live.c collects the nodes that a run needs and the
 * key of their structure; fuse.c and place.c make a plan of it, once per structure; run.c runs the plan. repeat.c takes over
 * what an equal recording has had made. plain.c runs nodes one by one without a plan: the truth that plans are held against. */
#ifndef TG_ENGINE_H
#define TG_ENGINE_H

#include <stdarg.h>
#include <string.h>

#include "alloc.h"
#include "arena.h"
#include "idset.h"
#include "tapegrad/op.h"
#include "var.h"

#define TG__NONE UINT32_MAX

/* Defines a public function that TG_SITED declares: the plain form and, with the body that follows, the _at form, where
 * `site` is the caller's place. Of an op, tools/gen-ops makes declaration and macro from this line. */
#define TG__OPEN(...) __VA_ARGS__
#define TG_API(ret, name, params, args)                                   \
    ret(name)(TG__OPEN params) { return name##_at(NULL, TG__OPEN args); } \
    ret name##_at(const char *site, TG__OPEN params)

/* ------------------------------------------------------------------ owners and errors */

typedef enum tg__owner_kind { TG__OWNER_FREE, TG__OWNER_TAPE, TG__OWNER_MODEL, TG__OWNER_LOST } tg__owner_kind;

typedef struct tg__error {
    tg_status status;
    const char *site;
    char op[64];
    char scope[160];
    char message[768];
} tg__error;

/* The part of a tape or model that handles point to. Shells are never given back to the system, so that a handle of a freed
 * owner finds an epoch that differs. */
typedef struct tg_owner {
    tg__owner_kind kind;
    uint32_t epoch; /* goes on rising when the shell is used again */
    struct tg_owner *next_free;
    tg__error error;
} tg_owner;

tg_owner *tg__owner_take(tg__owner_kind kind); /* NULL: out of memory */
void tg__owner_give(tg_owner *o);

/* Ops on parameters alone know no tape that could hold their error: their result remembers the site, and the first op that
 * meets it on a tape reports it. */
tg_tensor tg__lost(const char *site);
const char *tg__lost_site(tg_tensor x); /* NULL if x is not one */

/* ------------------------------------------------------------------ nodes */

typedef enum tg__node_flags {
    TG__KEEP = 1,     /* the user asked to keep the value */
    TG__WANT = 2,     /* the next step must compute it */
    TG__IS_LEAF = 4,  /* has no inputs to compute: input, number, parameter, constant, held value */
    TG__GRADIENT = 8, /* recorded by a derivative rule */
    TG__HELD = 16     /* survived a rewind; its id may be above its readers' */
} tg__node_flags;

typedef struct tg__node {
    const tg_op *op;
    const void *attr; /* interned; of a variable leaf: the tg__var */
    const char *site;
    void *data; /* the packed value, when it has been computed and kept */
    union {
        uint32_t in[4];  /* ids; of a wide node: first index and count in tape->spill */
        uint64_t num[2]; /* of a number: its bytes; of a variable: its version; of a random source: seed and stream */
        tg_tensor *borrowed;
    } u;
    uint32_t epoch, shape, scope;
    uint8_t dtype, n_in, output, flags; /* n_in == TG__WIDE: see u.in; output: which one of a node of several outputs */
} tg__node;

#define TG__WIDE 255
#define TG__INLINE_INPUTS 4

_Static_assert(sizeof(tg__node) == 64, "a node is one cache line");

/* Leaves: descriptors without computation. */
extern const tg_op tg__leaf_input, tg__leaf_borrow, tg__leaf_number, tg__leaf_var, tg__leaf_const, tg__leaf_value,
    tg__leaf_dummy;
/* The second and later outputs of a node: input 0 is the node of output 0. */
extern const tg_op tg__op_output;
/* Identity with a gradient of the user's: y, xs... */
extern const tg_op tg__op_custom;
/* Packs a view: recorded by no user, planned where a kernel needs packed memory. */
extern const tg_op tg__op_pack;

typedef struct tg__shape_info {
    tg_shape shape;
    int64_t strides[TG_MAX_RANK]; /* packed */
    int64_t numel;
} tg__shape_info;

typedef struct tg__interned { /* an open hash of fixed-address records */
    uint32_t *table, table_size;
    uint32_t n, cap;
    void **items;
    uint64_t *hashes;
} tg__interned;

typedef struct tg__shape_pair { /* numbers of two shapes and of what they broadcast to */
    uint32_t a, b, together;
} tg__shape_pair;
#define TG__SHAPE_PAIRS 64

#define TG__INFERRED_INPUTS 6
typedef struct tg__inferred { /* what an op's infer said, once, of inputs and attributes */
    const tg_op *op;
    const void *attr;
    uint64_t in[TG__INFERRED_INPUTS]; /* shape and dtype; 0 where there is no input */
    uint32_t shape;                   /* of the output */
    tg_dtype dtype;
} tg__inferred;
#define TG__INFERRED 128

typedef struct tg__scope {
    uint32_t parent;
    char *path;       /* "enc.0.attn" */
    const char *name; /* its own, the end of the path */
} tg__scope;

typedef struct tg__effect {
    tg__var *var;
    uint32_t target; /* the leaf node that read the value before; TG__NONE if none did */
    uint32_t value;
    const char *site;
    uint64_t version; /* of the variable when recorded */
} tg__effect;

typedef struct tg__var_slot {
    const tg__var *var;
    uint32_t uid, id;
    uint32_t effect; /* 1 + index of the pending assignment, if that is one of this variable */
} tg__var_slot;

typedef struct tg__profile {
    const char *name;
    uint64_t calls, ns, bytes;
} tg__profile;

/* Whether plans make cheap values twice rather than keep them (remat.c). */
typedef enum tg__remat_mode { TG__REMAT_LARGE, TG__REMAT_NEVER, TG__REMAT_ALWAYS } tg__remat_mode;

typedef struct tg__mark_record {
    uint32_t id, n_spill, serial;
} tg__mark_record;

/* A gradient that was recorded, or a plan that was run, and may come again (repeat.c). */
typedef struct tg__repeat {
    uint32_t begin, end, spill_begin, spill_end; /* what was recorded: nothing for a plan */
    uint32_t words, answer, words_end;           /* in repeat_words: the question, from `answer` on the cotangents' ids */
    const char *site;
    const struct tg__plan *plan;
} tg__repeat;

struct tg_tape {
    tg_owner base;
    /* recording */
    tg__node *nodes; /* nodes[0] is the poison */
    uint32_t n, nodes_cap;
    uint32_t next_held; /* smallest held id >= n, where recording must jump; TG__NONE if none */
    uint32_t *spill, n_spill, spill_cap;
    tg__interned shapes, attrs;
    tg__shape_pair pairs[TG__SHAPE_PAIRS]; /* seen lately: a == b where there is none */
    tg__inferred inferred[TG__INFERRED];   /* the same, two of a hash, the newer one first; op NULL where there is none */
    tg__arena meta; /* shape and attribute records */
    tg__scope *scopes;
    uint32_t n_scopes, scopes_cap, scope;
    uint32_t *scope_table, scope_table_size; /* a hash of numbers by parent and name */
    const char *site_override; /* rules record under the site of the node that they differentiate */
    uint8_t flags_override;
    tg__var_slot *var_slots; /* newest value of each variable read or assigned: a hash by uid */
    uint32_t var_slots_size, n_var_slots;
    uint64_t seed, stream, stream_base; /* random: stream_base moves on when a recording ends without an error */
    bool failed;                        /* an error since the last reset */
    bool has_values;                    /* something ran or is to be kept since the last reset */
    bool eager, check_finite, check_borrowed, debug_memory;
    tg__remat_mode remat;
    int threads;
    /* effects */
    tg__effect *effects;
    uint32_t n_effects, effects_cap;
    uint32_t *wants, n_wants, wants_cap;
    tg_model *states;
    uint32_t n_states;
    /* values */
    tg__arena *values;      /* by mark level: inputs and kept values of the nodes recorded at that level */
    tg__mark_record *marks; /* level i + 1 begins at marks[i] */
    uint32_t n_marks, marks_cap, values_cap;
    uint32_t *held, n_held, held_cap; /* nodes whose data are blocks of their own */
    /* running */
    struct tg__planner *planner;
    tg__idset ids;
    uint32_t *local; /* by node id: its number in the current run or gradient */
    uint32_t local_cap;
    struct tg__grad_level *grad_levels; /* TG__GRAD_LEVELS of them, made when first needed */
    int grad_depth;
    bool for_tangents; /* a cotangent stands for a tangent: rules may only be linear in it */
    tg__repeat *repeats; /* in the order of their nodes */
    uint32_t n_repeats, repeats_cap, repeats_end; /* the last one's end */
    uint32_t *repeat_words, repeat_words_cap, n_question;
    bool called_back; /* the gradient called a function of the user's, which may do another thing the next time */
    char *pool;
    size_t pool_size;
    char *scratch; /* of kernels */
    size_t scratch_size;
    char *block_scratch; /* of blocks, for each thread */
    size_t block_scratch_size;
    tg__profile *profile;
    uint32_t n_profile, profile_cap;
    bool profiling;
    tg_tape_stats stats;
};

/* ------------------------------------------------------------------ errors of a tape (error.c) */

/* Sets the tape's error if it has none. Every part may be NULL or 0; format is the text after "op: ". Returns the status. */
tg_status tg__fail(tg_tape *t, tg_status status, const char *op, const char *site, uint32_t scope, const char *format, ...)
    TG_PRINTF(6, 7);
/* The same for an error that belongs to a node: op, site and scope are its, and its inputs' shapes are appended. */
tg_status tg__fail_node(tg_tape *t, tg_status status, uint32_t id, const char *format, ...) TG_PRINTF(4, 5);
tg_status tg__fail_nomem(tg_tape *t, const char *op, const char *site);
void tg__error_set(tg__error *e, tg_status status, const char *op, const char *site, const char *scope, const char *format,
                   va_list args);

/* "(3, 4) f32" into buf; returns buf. */
char *tg__shape_text(const tg_shape *s, char *buf, size_t size);
char *tg__node_text(const tg_tape *t, uint32_t id, char *buf, size_t size);
#define TG__INPUTS_TEXT 480
char *tg__inputs_text(const tg_tape *t, const uint32_t *in, uint32_t n, char *buf, size_t size); /* "; inputs (3) f32, ..." */

/* ------------------------------------------------------------------ shapes and attributes (shape.c, intern.c) */

bool tg__shape_valid(const tg_shape *s, char *why, size_t size); /* rank, negative dimensions, overflow in bytes */
uint32_t tg__shape_intern(tg_tape *t, const tg_shape *s);        /* TG__NONE: out of memory */
const void *tg__attr_intern(tg_tape *t, const tg_op *op, const void *attr,
                            tg_status *status); /* TG_EARG: missing or too large */
void tg__packed_strides(const tg_shape *s, int64_t *strides);
bool tg__is_packed(const tg_shape *s, const int64_t *strides);
/* Strides that read an array of shape `from` as broadcast to `to`. */
void tg__broadcast_strides(const tg_shape *from, const int64_t *from_strides, const tg_shape *to, int64_t *strides);

uint32_t tg__intern(tg__interned *set, tg__arena *memory, const void *bytes, size_t size, size_t record_size);
void tg__interned_free(tg__interned *set);
void tg__interned_clear(tg__interned *set);

static inline int64_t tg__common_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
static inline const tg__shape_info *tg__shape_at(const tg_tape *t, uint32_t shape) { return t->shapes.items[shape]; }
static inline const tg__shape_info *tg__node_shape(const tg_tape *t, uint32_t id) {
    return tg__shape_at(t, t->nodes[id].shape);
}

/* ------------------------------------------------------------------ recording (record.c, leaf.c, effect.c) */

static inline const uint32_t *tg__inputs(const tg_tape *t, const tg__node *n, uint32_t *count) {
    if (n->n_in == TG__WIDE) {
        *count = n->u.in[1];
        return t->spill + n->u.in[0];
    }
    *count = n->n_in;
    return n->u.in;
}

static inline tg_tensor tg__handle(const tg_tape *t, uint32_t id) {
    tg_tensor x = {(tg_owner *)&t->base, id, t->nodes[id].epoch};
    return x;
}
static inline tg_tensor tg__poison(const tg_tape *t) {
    tg_tensor x = {(tg_owner *)&t->base, 0, 0};
    return x;
}
extern const uint8_t tg__dtype_sizes[TG_DTYPE_COUNT]; /* bytes of an element */
static inline bool tg__is_half(tg_dtype d) { return d == TG_BF16 || d == TG_F16; }
static inline tg_dtype tg__computed_in(tg_dtype d) { return tg__is_half(d) ? TG_F32 : d; }
static inline bool tg__is_float(tg_dtype d) { return d == TG_F32 || d == TG_F64 || tg__is_half(d); } /* has derivatives */
static inline bool tg__is_none(tg_tensor x) { return x.owner == NULL; }

static inline bool tg__is_live_on(const tg_tape *t, tg_tensor x) {
    return x.owner == &t->base && x.id && x.id < t->nodes_cap && t->nodes[x.id].epoch == x.epoch &&
           (x.id < t->n || (t->nodes[x.id].flags & TG__HELD));
}

/* The node id of a handle on t; parameters are read. 0 and the tape's error if it is none. `which` is the operand's number. */
uint32_t tg__resolve(tg_tape *t, tg_tensor x, const char *op, const char *site, int which);
tg_tape *tg__tape_from(tg_tape *t, const tg_tensor *in, int n);
uint32_t tg__sibling(const tg_tape *t, uint32_t primary, int k); /* the node of output k of a node of several outputs */
uint32_t tg__record(tg_tape *t, const tg_op *op, const void *attr, const uint32_t *in, uint32_t n_in, uint32_t shape,
                    tg_dtype dtype, const char *site); /* 0: out of memory */
tg_tensor tg__apply_micro(const char *site, const tg_op *op, const tg_tensor *in, int n);
tg_tensor tg__constant(tg_tape *t, int value, const tg_shape *shape, tg_dtype dtype); /* a symbolic zero or one */
bool tg__is_constant(tg_tensor x, int value);
typedef struct tg__source_attr { /* the attributes of a source: it has no inputs */
    tg_shape shape;
    tg_dtype dtype;
} tg__source_attr;
extern const tg_field tg__source_fields[];
tg_status tg__source_infer(tg_infer *f);
tg_tensor tg__source(const char *site, tg_tape *t, const tg_op *op, tg_shape shape, tg_dtype dtype);
uint32_t tg__read_var(tg_tape *t, tg__var *v, const char *site); /* newest value on this tape */
tg__var_slot *tg__var_slot_of(tg_tape *t, const tg__var *v, bool add);
void tg__discard_effect(tg_tape *t, uint32_t i); /* later ones move up */
bool tg__pending_i64(tg_tape *t, const tg__var *v, int64_t *value);   /* the pending assignment of v is an i64 input */
int64_t tg__var_i64(const tg__var *v);

bool tg__scopes_start(tg_tape *t);
uint32_t tg__scope_child(tg_tape *t, uint32_t parent, const char *name);
static inline const char *tg__scope_path(const tg_tape *t, uint32_t scope) {
    return scope < t->n_scopes ? t->scopes[scope].path : "";
}

/* ------------------------------------------------------------------ gradients (grad.c) */

/* The three linear operations that the chain rule itself is made of; defined in ops/. */
typedef struct tg__region { /* a strided box: element k of axis a is start[a] + k * step[a]; its extent is its part's shape */
    int64_t start[TG_MAX_RANK], step[TG_MAX_RANK];
} tg__region;
/* The sum of n >= 1 tensors of equal shape, from the left. */
tg_tensor tg__add_n(tg_tape *t, const char *site, const tg_tensor *parts, int n);
/* The sum of parts, each laid into its region of zeros; steps are never 0. */
tg_tensor tg__accumulate(tg_tape *t, const char *site, const tg_shape *shape, tg_dtype dtype, const tg_tensor *parts,
                         const tg__region *regions, int n);
/* tg_grad that does not mind an x without a path to y: its gs[i].owner is NULL. */
tg_status tg__grad_where(const char *site, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs);
/* The same with a cotangent of y's. */
tg_status tg__vjp_where(const char *site, tg_tensor y, tg_tensor cotangent, const tg_tensor *xs, int n, tg_tensor *gs);
/* The node on y's tape that x means where y is differentiated by it. */
tg_tensor tg__grad_target(const char *site, tg_tensor y, tg_tensor x, int which);
tg_tensor tg__sum_to(tg_tensor x, const tg_shape *shape); /* the transpose of broadcasting */
tg_tensor tg__cast(const char *site, tg_tensor x, tg_dtype dtype);
tg_tensor tg__identity(tg_tensor x);                      /* a node of its own, equal to x */
tg_tensor tg__fence(tg_tensor x, tg_tensor after);        /* a copy of x that is made when `after` is there, not earlier */

typedef struct tg__grad_part {
    uint32_t id, next;
    uint32_t region; /* index into regions; TG__NONE: the whole */
} tg__grad_part;

/* What a gradient knows of a node, by node id. */
typedef struct tg__grad_slot {
    uint32_t serial;    /* of the gradient that visited the node last */
    uint32_t cotangent; /* the only whole part so far, or the finished sum; 0: none */
    uint32_t parts;     /* several: the last one, whose next is the first; else TG__NONE */
    uint32_t reach;
} tg__grad_slot;

/* The working memory of one gradient; rules that differentiate inside a rule use the next level. */
typedef struct tg__grad_level {
    tg__grad_slot *slots;
    uint32_t slots_cap, serial;
    uint32_t *ids, ids_cap, n; /* the visited nodes, descending */
    tg__grad_part *parts;
    uint32_t n_parts, parts_cap;
    tg__region *regions;
    uint32_t n_regions, regions_cap;
} tg__grad_level;
#define TG__GRAD_LEVELS 6

typedef struct tg__question { /* of a gradient: the sum of the roots' derivatives with their cotangents, by each x */
    const uint32_t *roots, *xs;
    const tg_tensor *cotangents;
    int n_roots, n_xs;
} tg__question;
bool tg__repeat_gradient(tg_tape *t, const tg__question *q, uint32_t *gs); /* true: recorded; gs are the cotangents' ids */
void tg__repeat_note_gradient(tg_tape *t, const tg__question *q, uint32_t begin, uint32_t spill_begin, const uint32_t *gs);
void tg__repeat_end(tg_tape *t, uint32_t id); /* node `id` is another one than it was */

/* ------------------------------------------------------------------ running (live.c, fuse.c, place.c, run.c, plain.c) */

typedef enum tg__run_mode { TG__ASK, TG__RUN, TG__STEP } tg__run_mode;

tg_status tg__execute(tg_tape *t, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots, const char *site);
tg_status tg__plain_run(tg_tape *t, const uint32_t *roots, uint32_t n_roots);
tg_status tg__plain_step(tg_tape *t);
int64_t tg__first_not_finite(const void *data, tg_dtype d, int64_t n);     /* index; -1: all are finite, or no floats */
bool tg__is_finite(const tg_tape *t, uint32_t id);                       /* the value of a node, where it is known */
tg_status tg__hunt(tg_tape *t, const uint32_t *roots, uint32_t n_roots); /* the error that says where a NaN was born */
void tg__planner_free(tg_tape *t);
void tg__grad_free(tg_tape *t);
void tg__planner_forget(tg_tape *t); /* drops every cached plan */
bool tg__reserve_local(tg_tape *t);  /* local[] and ids have room for every node */

/* Memory for the value of a node, from the arena of the level at which it was recorded. */
void *tg__value_memory(tg_tape *t, uint32_t id, size_t size);

/* The memory of a leaf: packed data. Numbers live in their node. */
static inline void *tg__leaf_data(const tg_tape *t, uint32_t id) {
    tg__node *n = &t->nodes[id];
    return n->data ? n->data : n->op == &tg__leaf_number || n->op == &tg__leaf_const || n->op->source_fn ? n->u.num : NULL;
}

void tg__profile_add(tg_tape *t, const char *name, uint64_t ns, uint64_t bytes);
uint64_t tg__now_ns(void);

/* Locks the models whose variables are among the n ids, shared; and checks that no variable changed since it was read. */
typedef struct tg__locks {
    tg_model *models[16];
    int n;
} tg__locks;
tg_status tg__lock_shared(tg_tape *t, tg__locks *l, const uint32_t *leaves, uint32_t n);
tg_status tg__lock_commit(tg_tape *t, tg__locks *l, const uint32_t *leaves,
                          uint32_t n); /* shared to exclusive, effects' models too */
void tg__unlock(tg__locks *l);
void tg__commit(tg_tape *t); /* versions, effects done; the values are already written */
void tg__step_roots(const tg_tape *t, uint32_t *roots); /* what a step computes: n_effects new values, then n_wants wants */

#endif
