/* engine/planner.h: what a plan is, and the working memory from which one is made.
 *
 *   live.c      which nodes, and the key of their structure
 *   fuse.c      nodes to groups: a fused block, a kernel, a packing of a view
 *   schedule.c  the order of the groups
 *   emit.c      groups to steps: micro-ops, streams, operands; which values are stored
 *   runs.c      streams of a block that are read without a copy
 *   remat.c     values that are made twice rather than kept; redo.c copies their steps
 *   place.c     where stored values lie
 *   plan.c      the cache
 *   run.c       running a plan
 *   block.c     running a block */
#ifndef TG_PLANNER_H
#define TG_PLANNER_H

#include <math.h>

#include "engine.h"
#include "kernels/kernels.h"

/* ------------------------------------------------------------------ live nodes (live.c) */

/* The nodes of a run, numbered from 0 in recording order (local numbers). */
typedef struct tg__live {
    uint32_t *ids, n;                       /* local -> node id; leaves among them; the last part of the buffer */
    uint32_t *buffer, buffer_cap;
    uint32_t *leaves, n_leaves, leaves_cap; /* ids */
    uint64_t *key, hash[2];                 /* canonical words of the structure */
    uint32_t n_key, key_cap;
} tg__live;

/* Collects what the roots need and has no value yet. Fills t->local too. */
bool tg__live_collect(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots);
/* The same nodes as once before. */
bool tg__live_set(tg__live *live, const uint32_t *ids, uint32_t n, const uint32_t *leaves, uint32_t n_leaves);
/* The same, but also what the values that are there were computed from. */
bool tg__live_ancestors(tg_tape *t, tg__live *live, const uint32_t *roots, uint32_t n_roots);
void tg__live_free(tg__live *live);
/* The key of the collected structure. */
bool tg__live_key(tg_tape *t, tg__live *live, tg__run_mode mode, const uint32_t *roots, uint32_t n_roots);

tg_status tg__check_borrowed(tg_tape *t, const tg__live *live);

/* Threads that kernels may use: scratch is asked for with the number that the kernel is run with, so it is part of the key. */
static inline int tg__threads(const tg_tape *t) { return tg__parallel_width(t->threads, INFINITY); }

/* Calls a kernel; its failure becomes the error of node id. */
/* Bytes; 0 where every output is empty: nothing is computed then, and inputs may have sizes that no product can hold. */
size_t tg__kernel_scratch(const tg_tape *t, const tg_op *op, const void *attr, const tg_operand *in, int n_in,
                          const tg_operand *out, int n_out);
tg_status tg__call_kernel(tg_tape *t, uint32_t id, const tg_operand *in, int n_in, const tg_operand *out, int n_out,
                          void *scratch);

static inline bool tg__node_is_leaf(const tg__node *n) { return n->data || n->flags & TG__IS_LEAF; }

/* ------------------------------------------------------------------ a plan: offsets and tables, no addresses of data */

typedef enum tg__storage_class {
    TG__ST_LEAF,  /* ref: local number of the node that holds the data */
    TG__ST_POOL,  /* offset in the tape's pool */
    TG__ST_VALUE, /* kept: memory of its own, of node ref (output `output`) */
    TG__ST_VAR    /* written straight into the variable of effect ref */
} tg__storage_class;

typedef struct tg__storage {
    uint32_t ref;
    uint8_t cls, output;
    uint32_t def, last; /* steps: written, last read */
    int64_t offset, bytes;
} tg__storage;

typedef enum tg__stream_kind { TG__LINEAR, TG__SPLAT, TG__STRIDED, TG__FIXED } tg__stream_kind;

/* An array that a block reads: element i of the block's index space. */
typedef struct tg__stream {
    uint32_t storage, slot; /* slot: scratch buffer of a splat or strided stream */
    int64_t offset;         /* bytes */
    uint32_t shape;         /* strided: shape of the index space, interned, and its strides in plan->strides */
    uint32_t strides;
    uint32_t runs; /* the axes outside of runs, in plan->strides: dimension and stride in bytes, innermost first */
    uint8_t kind, size, run_rank;
    bool in_runs, one_element; /* one_element: a run is one element, read again and again */
    uint16_t reg;
    uint16_t last_read; /* micro-op */
} tg__stream;

typedef struct tg__out {
    uint32_t storage;
    uint16_t reg, written; /* by which micro-op */
    uint8_t size;
} tg__out;

typedef struct tg__instr {
    union {
        tg_micro_fn *micro;
        tg_source_fn *source;
    } fn;
    uint16_t out, a, b, c;
} tg__instr;
#define TG__NO_REG 0x7fff
#define TG__SOURCE_MARK 0x7ffe /* in c: a source */

typedef struct tg__tail {
    const tg__fold_fns *fold;
    uint32_t storage, partials; /* partials: one element per leaf, where a segment is longer than a chunk */
    uint16_t reg;
    uint8_t size;
} tg__tail;

#define TG__LONGEST_CHUNK 4096

typedef struct tg__block {
    int64_t numel, chunk, segment; /* segment: elements that one fold takes; 0: no folds */
    int64_t pieces;                /* chunks per segment where a segment is longer than a chunk, else 0 */
    int64_t run;                   /* elements after which pointers of streams in runs change; 0: there are none */
    uint32_t instrs, n_instrs, streams, n_streams, outs, n_outs, tails, n_tails;
    uint32_t n_slots, slot_bytes, n_regs;
    double work;
} tg__block;

/* What a parallel region weighs. */
static inline double tg__block_work(const tg__block *b) { return (double)b->numel * (b->n_instrs + b->n_tails) * 2; }

typedef struct tg__operand_ref {
    uint32_t storage, shape, strides; /* strides: index into plan->strides; TG__NONE: packed */
    int64_t offset;                   /* bytes */
    uint8_t dtype;
} tg__operand_ref;

typedef struct tg__kernel_call {
    uint32_t operands, n_in, n_out;
    size_t scratch;
} tg__kernel_call;

typedef enum tg__step_kind { TG__BLOCK, TG__KERNEL, TG__PACK, TG__WRITE } tg__step_kind;

typedef struct tg__step {
    uint8_t kind;
    uint32_t index; /* block or kernel call (a pack is one with one input); of a write: the effect */
    uint32_t node;  /* local number, for errors and profiles */
    int64_t bytes;
} tg__step;

typedef struct tg__kept {
    uint32_t local, storage;
    uint8_t output;
} tg__kept;

/* X(type, name): the tables of a plan. */
#define TG__PLAN_TABLES(X)       \
    X(tg__step, steps)           \
    X(tg__block, blocks)         \
    X(tg__instr, instrs)         \
    X(tg__stream, streams)       \
    X(tg__out, outs)             \
    X(tg__tail, tails)           \
    X(tg__kernel_call, kernels)  \
    X(tg__operand_ref, operands) \
    X(int64_t, strides)          \
    X(tg__storage, storages)     \
    X(tg__kept, kept)

typedef struct tg__plan {
#define TG__TABLE(type, name) \
    type *name;               \
    uint32_t n_##name;
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    size_t pool_bytes;
    size_t scratch_bytes; /* of the kernel that asks for most */
    size_t block_scratch; /* per thread, of the block that has most */
    uint32_t commit;      /* step before which the models are locked for writing */
    uint32_t max_in;      /* operands of the widest kernel */
    /* in the cache */
    uint32_t *ids, *leaves, n_ids, n_leaves; /* live nodes and leaves of the last run that did not repeat the one before */
    struct tg__plan *newer, *older, *next; /* by use; in the bucket */
    uint64_t *key;
    uint32_t n_key;
    uint64_t hash[2];
    size_t bytes;
} tg__plan;

/* ------------------------------------------------------------------ making a plan */

typedef enum tg__group_kind {
    TG__G_BLOCK,
    TG__G_KERNEL,
    TG__G_PACK,
    TG__G_MERGED /* its nodes moved into another block */
} tg__group_kind;

typedef struct tg__group {
    uint8_t kind;
    bool can_fail, writes; /* writes: makes the new value of a variable */
    bool read_outside;     /* another group reads what this one makes */
    bool early;            /* in a step: something that can fail needs it */
    uint32_t node;         /* kernel or pack: its only node; a block's first */
    uint32_t last;         /* a block's newest node: lnode.next links from node to last */
    uint32_t n_nodes, n_streams;
    int64_t numel, segment;
    uint32_t position; /* in the schedule */
} tg__group;

typedef enum tg__lnode_kind {
    TG__L_LEAF,
    TG__L_MICRO,
    TG__L_VIEW,
    TG__L_KERNEL,
    TG__L_OUTPUT,
    TG__L_PACK,
    TG__L_TAIL
} tg__lnode_kind;

/* A live node in the making of a plan. Packed copies of views are further ones after the live nodes. */
typedef struct tg__lnode {
    const tg__node *node;
    int64_t numel;
    uint32_t shape;
    uint32_t same;                  /* the first node equal to this one: itself in most cases */
    uint32_t src;                   /* the node whose memory holds the value: itself unless a view */
    uint32_t view;                  /* index into views; TG__NONE: the packed memory of src as it lies */
    uint32_t group;
    uint32_t pack;                  /* its packed copy */
    uint32_t storage;
    uint32_t seen_in;               /* the block that read it last */
    uint32_t streamed_in, stream;   /* the same when steps are made, and there its stream */
    uint32_t next;                  /* in its block */
    uint32_t last_reader;           /* in the block that makes it; TG__NONE: read after all its micro-ops */
    uint32_t in[TG__INLINE_INPUTS]; /* the nodes equal to its inputs, unless n_in is TG__WIDE; what a packed copy is of */
    uint8_t n_in, held;             /* held: bit i: input i is read where the same block made it */
    uint16_t reg;
    uint8_t kind, dtype;
    bool stored, keep;
    bool constant; /* one element of memory, read with strides of 0 */
} tg__lnode;

typedef struct tg__view {
    int64_t offset, strides[TG_MAX_RANK]; /* elements of src */
} tg__view;

#define TG__BINS 64
typedef struct tg__hole { /* free bytes of the pool */
    int64_t offset, bytes;
} tg__hole;

typedef struct tg__effect_plan {
    uint32_t value, read; /* lnodes: the packed new value, and the leaf that reads the old one (TG__NONE) */
    bool direct;
} tg__effect_plan;

typedef struct tg__planner {
    tg__live live;
    tg_tape *t;
    tg__run_mode mode;
    const uint32_t *roots;
    uint32_t n_roots;
    tg__lnode *nodes;
    uint32_t n_nodes, nodes_cap;
    tg__view *views;
    uint32_t n_views, views_cap;
    tg__group *groups;
    uint32_t n_groups, groups_cap;
    uint32_t n_order; /* groups that are left: merged ones are not */
    uint32_t *order, order_cap; /* schedule: position -> group */
    uint8_t flags_seen; /* those of all live nodes */
    bool has_outputs;   /* some node is a further output */
    uint32_t *table;    /* nodes that others may be equal to: an open hash; TG__NONE: a free place */
    uint32_t table_cap;
    uint32_t *turns, turns_cap, *first_of, first_of_cap, *next_of, next_of_cap; /* of groups (schedule.c) */
    uint32_t *written_by, written_by_cap; /* by lnode, of the leaf that reads a variable: the group that writes the new value */
    tg__effect_plan *effects;
    uint32_t effects_cap;
    tg__plan draft; /* the tables grow here */
#define TG__TABLE(type, name) uint32_t name##_cap;
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    uint32_t *deaths, deaths_cap, *death_next, death_next_cap;
    uint32_t bins[TG__BINS]; /* free places of small sizes: storages, linked by death_next */
    uint32_t *births, n_births, births_cap; /* storages in the order of their making, where that is not that of their numbers */
    tg__hole *holes;
    uint32_t n_holes, holes_cap;
    /* running */
    char **base;
    uint32_t base_cap;
    tg_operand *args;
    uint32_t args_cap;
    uint32_t *root_ids, root_ids_cap;
    /* cache */
    tg__plan **buckets;
    tg__plan *newest, *oldest;
    uint32_t n_cached;
    size_t cached_bytes;
    uint64_t *seen;
} tg__planner;

/* Appends to a table of the draft; the new entry's index, TG__NONE when out of memory. */
#define APPEND(p, table, ...)                                                                             \
    (((p)->draft.n_##table < (p)->table##_cap ||                                                          \
      tg__grow(&(p)->draft.table, &(p)->table##_cap, (p)->draft.n_##table + 1, sizeof *(p)->draft.table)) \
         ? ((p)->draft.table[(p)->draft.n_##table] = __VA_ARGS__, (p)->draft.n_##table++)                 \
         : TG__NONE)

bool tg__fuse(tg__planner *p);
bool tg__schedule(tg__planner *p);
bool tg__emit(tg__planner *p);
bool tg__rematerialize(tg__planner *p);
bool tg__place(tg__planner *p);

/* What a block reads and writes of memory, by its arrays. */
int64_t tg__block_bytes(const tg__plan *d, const tg__block *b);

/* Finds which strided streams of block b can be read in runs (runs.c). */
bool tg__runs_find(tg__planner *p, tg__block *b);
/* Where run number `run` of such a stream begins: bytes. */
int64_t tg__run_offset(const tg__plan *plan, const tg__stream *s, int64_t run);

void tg__block_run(const tg_tape *t, const tg__plan *plan, const tg__block *b, char *const *base);

/* Whether step `step` is a block that reads the storage element for element only, and not after micro-op `written`. */
bool tg__only_reads_in_place(const tg__planner *p, uint32_t step, uint32_t storage, uint16_t written);

/* Debug memory: dead bytes are NaNs, and so are TG__GUARD bytes around each value. */
#define TG__GUARD 64
void tg__debug_start(tg_tape *t);
tg_status tg__debug_step(tg_tape *t, const tg__plan *plan, uint32_t step, const char *name);

bool tg__planner_start(tg_tape *t);

/* The plan of p's mode and roots: known, from the cache, or made; and the live nodes. NULL: the tape has an error. */
const tg__plan *tg__plan_get(tg__planner *p);

/* The plan of a run that repeats the first one of the recording before; its live nodes are in it. NULL: not known. */
const tg__plan *tg__repeat_plan(tg__planner *p);
/* For a plan of the cache: whether it is noted, and so must remember the nodes of this run, and of no other. */
bool tg__repeat_note_plan(tg__planner *p, const tg__plan *plan);
void tg__repeat_forget_plan(tg_tape *t, const tg__plan *plan);

/* The lnode that a kernel reads for operand x: x, or its packed copy. */
uint32_t tg__lnode_operand(const tg__planner *p, const tg_op *op, uint32_t x);

/* Whether lnode x is the packed memory of its src as it lies. */
static inline bool tg__lies_packed(const tg__planner *p, uint32_t x) {
    const tg__lnode *n = &p->nodes[x];
    return n->view == TG__NONE && (n->numel == 1 || !p->nodes[n->src].constant);
}

/* Strides (elements) with which lnode x, broadcast to `to`, is read in the memory of its src; returns the offset. */
int64_t tg__lnode_strides(const tg__planner *p, uint32_t x, const tg_shape *to, int64_t *strides);

/* What a plan does with each node, for pictures. */
typedef struct tg__plan_note {
    uint32_t step, block;  /* TG__NONE: none */
    int64_t offset, bytes; /* in the pool; offset -1: not there; bytes 0: never stored */
    bool dropped;          /* equal to another node, or not needed */
} tg__plan_note;
tg_status tg__plan_describe(tg_tape *t, const uint32_t *roots, uint32_t n_roots, tg__plan_note *notes);

#endif
