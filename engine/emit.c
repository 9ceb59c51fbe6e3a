/* From scheduled groups to the steps of a plan: micro-ops on registers, the arrays that a block streams, the operands of
 * kernels, and the storage of every value that is kept in memory. */
#include "planner.h"

#define CACHE_BYTES 24576 /* what the buffers of a block may take of the first-level cache */
#define SHORTEST 256

static const tg__node *node_at(const tg__planner *p, uint32_t x) { return p->nodes[x].node; }
static const tg__shape_info *shape_of(const tg__planner *p, uint32_t x) { return tg__shape_at(p->t, p->nodes[x].shape); }
static int64_t bytes_of(const tg__planner *p, uint32_t x) {
    return p->nodes[x].numel * tg__dtype_sizes[p->nodes[x].dtype];
}

/* ------------------------------------------------------------------ storage */

static uint32_t new_storage(tg__planner *p, tg__storage s) { return APPEND(p, storages, s); }

static uint32_t leaf_storage(tg__planner *p, uint32_t x) {
    tg__lnode *n = &p->nodes[x];
    if (n->storage == TG__NONE) n->storage = new_storage(p, (tg__storage){.ref = x, .cls = TG__ST_LEAF});
    return n->storage;
}

/* Storage that step number `def` writes. */
static uint32_t made_storage(tg__planner *p, uint32_t x, uint32_t def) {
    tg__lnode *n = &p->nodes[x];
    tg__storage s = {.ref = x, .cls = n->keep ? TG__ST_VALUE : TG__ST_POOL, .def = def, .last = def, .bytes = bytes_of(p, x)};
    return n->storage = new_storage(p, s);
}

/* The storage from which lnode x is read, by a step. */
static inline uint32_t read_storage(tg__planner *p, uint32_t x, uint32_t step) {
    uint32_t src = p->nodes[x].src;
    uint32_t storage = p->nodes[src].kind == TG__L_LEAF ? leaf_storage(p, src) : p->nodes[src].storage;
    if (storage != TG__NONE && p->draft.storages[storage].last < step) p->draft.storages[storage].last = step;
    return storage;
}

static uint32_t add_strides(tg__planner *p, const int64_t *strides, int rank) {
    uint32_t at = p->draft.n_strides;
    if (!tg__grow(&p->draft.strides, &p->strides_cap, (uint64_t)at + TG_MAX_RANK, sizeof *strides)) return TG__NONE;
    memcpy(p->draft.strides + at, strides, (size_t)rank * sizeof *strides);
    p->draft.n_strides += (uint32_t)rank;
    return at;
}

/* ------------------------------------------------------------------ kernels and packings */

static bool add_operand(tg__planner *p, uint32_t x, uint32_t step, bool written) {
    const tg__lnode *n = &p->nodes[x];
    tg__operand_ref r = {.storage = written ? n->storage : read_storage(p, x, step),
                         .shape = n->shape,
                         .strides = TG__NONE,
                         .dtype = n->dtype};
    if (r.storage == TG__NONE) return false;
    if (!written && !tg__lies_packed(p, x)) {
        const tg_shape *s = &shape_of(p, x)->shape;
        int64_t strides[TG_MAX_RANK] = {0};
        r.offset = tg__lnode_strides(p, x, s, strides) * tg__dtype_sizes[r.dtype];
        if (!tg__is_packed(s, strides) && (r.strides = add_strides(p, strides, s->rank)) == TG__NONE) return false;
    }
    return APPEND(p, operands, r) != TG__NONE;
}

/* An output that nobody reads: the kernel needs a place for it all the same. It is kept with the others. */
static bool add_unread_output(tg__planner *p, uint32_t x, uint32_t sibling, int k, uint32_t step) {
    const tg__node *n = &p->t->nodes[sibling];
    const tg__shape_info *s = tg__shape_at(p->t, n->shape);
    bool keep = p->nodes[x].keep;
    tg__storage st = {.ref = x,
                      .output = (uint8_t)k,
                      .cls = keep ? TG__ST_VALUE : TG__ST_POOL,
                      .def = step,
                      .last = step,
                      .bytes = s->numel * (int64_t)tg_dtype_size(n->dtype)};
    uint32_t storage = new_storage(p, st);
    if (storage == TG__NONE) return false;
    if (keep && APPEND(p, kept, (tg__kept){x, storage, (uint8_t)k}) == TG__NONE) return false;
    return APPEND(p, operands, (tg__operand_ref){storage, n->shape, TG__NONE, 0, n->dtype}) != TG__NONE;
}

static uint32_t live_number(const tg__planner *p, uint32_t id) {
    uint32_t local = p->t->local[id];
    return local < p->live.n && p->live.ids[local] == id ? local : TG__NONE;
}

static bool add_outputs(tg__planner *p, uint32_t x, uint32_t step) {
    int n_out = node_at(p, x)->op->n_out > 1 ? node_at(p, x)->op->n_out : 1;
    for (int k = 0; k < n_out; k++) {
        uint32_t id = tg__sibling(p->t, p->live.ids[x], k), y = k ? live_number(p, id) : x;
        if (y != TG__NONE) y = p->nodes[y].same;
        if (y == TG__NONE ? !add_unread_output(p, x, id, k, step)
                          : made_storage(p, y, step) == TG__NONE || !add_operand(p, y, step, true))
            return false;
    }
    return true;
}

static size_t scratch_of(tg__planner *p, const tg_op *op, const void *attr, const tg__kernel_call *k, bool *ok) {
    uint32_t n = k->n_in + k->n_out;
    if (!op->scratch) return 0;
    if (!tg__grow(&p->args, &p->args_cap, n, sizeof *p->args)) {
        *ok = false;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        const tg__operand_ref *r = &p->draft.operands[k->operands + i];
        const tg__shape_info *s = tg__shape_at(p->t, r->shape);
        p->args[i] = (tg_operand){NULL, &s->shape, r->strides == TG__NONE ? s->strides : p->draft.strides + r->strides,
                                  s->numel, r->dtype};
    }
    return tg__kernel_scratch(p->t, op, attr, p->args, (int)k->n_in, p->args + k->n_in, (int)k->n_out);
}

static bool emit_kernel(tg__planner *p, uint32_t x, uint32_t step) {
    const tg__node *node = node_at(p, x);
    uint32_t count, first = p->draft.n_operands;
    const uint32_t *in = tg__inputs(p->t, node, &count);
    int64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t y = tg__lnode_operand(p, node->op, p->nodes[p->t->local[in[i]]].same);
        if (!add_operand(p, y, step, false)) return false;
        bytes += bytes_of(p, y);
    }
    if (!add_outputs(p, x, step)) return false;
    tg__kernel_call k = {first, count, p->draft.n_operands - first - count, 0};
    bool ok = true;
    k.scratch = scratch_of(p, node->op, node->attr, &k, &ok);
    if (!ok) return false;
    if (k.scratch > p->draft.scratch_bytes) p->draft.scratch_bytes = k.scratch;
    if (k.n_in + k.n_out > p->draft.max_in) p->draft.max_in = k.n_in + k.n_out;
    uint32_t call = APPEND(p, kernels, k);
    return call != TG__NONE && APPEND(p, steps, (tg__step){TG__KERNEL, call, x, bytes + bytes_of(p, x)}) != TG__NONE;
}

static bool emit_pack(tg__planner *p, uint32_t x, uint32_t step) {
    uint32_t first = p->draft.n_operands, of = p->nodes[x].in[0];
    if (!add_operand(p, of, step, false) || made_storage(p, x, step) == TG__NONE || !add_operand(p, x, step, true))
        return false;
    if (p->draft.max_in < 2) p->draft.max_in = 2;
    uint32_t call = APPEND(p, kernels, (tg__kernel_call){first, 1, 1, 0});
    return call != TG__NONE && APPEND(p, steps, (tg__step){TG__PACK, call, of, 2 * bytes_of(p, x)}) != TG__NONE;
}

/* ------------------------------------------------------------------ blocks */

typedef struct block_work {
    tg__planner *p;
    uint32_t step, group;
    tg__block b;
    uint32_t free_slots[64]; /* of scratch */
    uint32_t n_free, max_size;
} block_work;

static tg__stream *streams(const block_work *w) { return w->p->draft.streams + w->b.streams; }

static bool same_stream(const tg__planner *p, const tg__stream *a, const tg__stream *b, const int64_t *strides) {
    if (a->storage != b->storage || a->kind != b->kind || a->offset != b->offset) return false;
    if (a->kind != TG__STRIDED) return true;
    int rank = tg__shape_at(p->t, b->shape)->shape.rank;
    return a->shape == b->shape && memcmp(p->draft.strides + a->strides, strides, (size_t)rank * sizeof *strides) == 0;
}

static tg__stream_kind kind_of_stream(const block_work *w, const tg_shape *to, const int64_t *strides) {
    bool still = true;
    for (int a = 0; a < to->rank; a++) still = still && (strides[a] == 0 || to->dims[a] == 1);
    if (w->b.numel == 1 || (tg__is_packed(to, strides) && !still)) return TG__LINEAR;
    return still ? TG__SPLAT : TG__STRIDED;
}

/* The stream by which consumer c reads x: an index in the block's streams. */
static inline uint32_t stream_of(block_work *w, uint32_t x, uint32_t c) {
    tg__planner *p = w->p;
    uint32_t src = p->nodes[x].src;
    const tg_shape *to = &shape_of(p, c)->shape;
    int64_t strides[TG_MAX_RANK];
    tg__stream s = {.storage = read_storage(p, x, w->step),
                    .slot = TG__NONE,
                    .shape = p->nodes[c].shape,
                    .size = tg__dtype_sizes[p->nodes[x].dtype],
                    .kind = TG__LINEAR};
    if (s.storage == TG__NONE) return TG__NONE;
    if (p->nodes[x].shape != s.shape || !tg__lies_packed(p, x)) {
        memset(strides, 0, sizeof strides);
        s.offset = tg__lnode_strides(p, x, to, strides) * s.size;
        s.kind = kind_of_stream(w, to, strides);
    }
    if (p->nodes[src].streamed_in == w->group) {
        if (same_stream(p, &streams(w)[p->nodes[src].stream], &s, strides)) return p->nodes[src].stream;
        for (uint32_t i = 0; i < w->b.n_streams; i++)
            if (same_stream(p, &streams(w)[i], &s, strides)) return i;
    }
    if (s.kind == TG__STRIDED && (s.strides = add_strides(p, strides, to->rank)) == TG__NONE) return TG__NONE;
    s.reg = (uint16_t)w->b.n_regs++;
    if (APPEND(p, streams, s) == TG__NONE) return TG__NONE;
    p->nodes[src].streamed_in = w->group;
    p->nodes[src].stream = w->b.n_streams;
    return w->b.n_streams++;
}

static uint32_t take_slot(block_work *w) { return w->n_free ? w->free_slots[--w->n_free] : w->b.n_slots++; }

/* Registers are numbers into the table of addresses: streams, stored values and scratch slots each have their own. How many
 * come before the scratch registers is known at the end of the block only: until then they are marked numbers of slots. */
#define SCRATCH_REG 0x8000

static uint16_t stream_register(block_work *w, uint32_t x, uint32_t c, uint16_t at) {
    uint32_t s = stream_of(w, x, c);
    if (s == TG__NONE) return TG__NO_REG;
    streams(w)[s].last_read = at;
    return streams(w)[s].reg;
}

/* Reader x, the last one, gives the slot back. */
static void release(block_work *w, tg__lnode *src, uint32_t x) {
    if (src->last_reader != x || src->stored || src->stream == TG__NONE) return;
    if (w->n_free < sizeof w->free_slots / sizeof *w->free_slots) w->free_slots[w->n_free++] = src->stream;
    src->stream = TG__NONE;
}

static bool add_source_stream(block_work *w, uint32_t x, uint16_t *reg) {
    tg__planner *p = w->p;
    uint32_t storage = new_storage(p, (tg__storage){.ref = x, .cls = TG__ST_LEAF});
    *reg = (uint16_t)w->b.n_regs++;
    w->b.n_streams++;
    return storage != TG__NONE &&
           APPEND(p, streams, (tg__stream){.storage = storage, .slot = TG__NONE, .kind = TG__FIXED, .reg = *reg}) != TG__NONE;
}

static bool place_result(block_work *w, uint32_t x, uint16_t at, uint16_t *reg) {
    tg__planner *p = w->p;
    tg__lnode *n = &p->nodes[x];
    uint32_t size = tg__dtype_sizes[n->dtype];
    if (size > w->max_size) w->max_size = size;
    if (n->stored) {
        n->reg = *reg = (uint16_t)w->b.n_regs++;
        if (made_storage(p, x, w->step) == TG__NONE) return false;
        w->b.n_outs++;
        return APPEND(p, outs, (tg__out){n->storage, *reg, at, (uint8_t)size}) != TG__NONE;
    }
    n->stream = take_slot(w); /* here: its scratch slot */
    n->reg = *reg = (uint16_t)(SCRATCH_REG | n->stream);
    return true;
}

/* emit_block has made room for the instruction. */
static inline bool emit_micro(block_work *w, uint32_t x, uint16_t at) {
    tg__planner *p = w->p;
    const tg__lnode *n = &p->nodes[x];
    const tg_op *op = n->node->op;
    tg__lnode *held[TG_MICRO_INPUTS];
    uint32_t n_in = n->n_in, n_held = 0;
    tg_dtype last = TG_F32;
    uint16_t reg[TG_MICRO_INPUTS] = {0};
    if (op->source_fn && !add_source_stream(w, x, &reg[0])) return false;
    for (uint32_t i = 0; i < n_in; i++) {
        const tg__lnode *in = &p->nodes[n->in[i]];
        last = in->dtype;
        if (n->held >> i & 1) {
            held[n_held] = &p->nodes[in->src];
            reg[i] = held[n_held++]->reg;
        } else if ((reg[i] = stream_register(w, n->in[i], x, at)) == TG__NO_REG) {
            return false;
        } else if (tg__dtype_sizes[last] > w->max_size) {
            w->max_size = tg__dtype_sizes[last];
        }
    }
    tg__instr *ins = &p->draft.instrs[p->draft.n_instrs++];
    *ins = (tg__instr){.a = reg[0], .b = reg[n_in > 1], .c = reg[n_in > 2 ? 2 : 0]}; /* loops read what they need */
    if (op->source_fn) {
        ins->fn.source = op->source_fn[n->dtype];
        ins->c = TG__SOURCE_MARK;
    } else {
        ins->fn.micro = tg__micro_get(op->micro, last);
    }
    w->b.n_instrs++;
    if (!place_result(w, x, at, &ins->out)) return false;
    for (uint32_t i = 0; i < n_held; i++) release(w, held[i], x);
    return true;
}

static bool emit_tail(block_work *w, uint32_t x) {
    tg__planner *p = w->p;
    const tg__node *n = node_at(p, x);
    uint32_t in = p->nodes[x].in[0];
    tg__tail tail = {.fold = tg__kernels_get()->fold[n->op->fold - TG_FOLD_SUM][n->dtype],
                     .partials = TG__NONE,
                     .reg = p->nodes[p->nodes[in].src].reg,
                     .size = (uint8_t)tg_dtype_size(n->dtype)};
    if ((tail.storage = made_storage(p, x, w->step)) == TG__NONE) return false;
    w->b.n_tails++;
    return APPEND(p, tails, tail) != TG__NONE;
}

/* How many elements at a time: the buffers of a chunk stay in the first-level cache. */
static void choose_chunk(block_work *w) {
    tg__block *b = &w->b;
    uint32_t buffers = b->n_slots + b->n_streams + b->n_outs;
    int64_t most = CACHE_BYTES / ((int64_t)(buffers ? buffers : 1) * (w->max_size ? w->max_size : 4)), chunk = SHORTEST;
    while (chunk * 2 <= most && chunk < TG__LONGEST_CHUNK) chunk *= 2;
    if (b->segment) {
        if (chunk < TG__FOLD_LEAF) chunk = TG__FOLD_LEAF;
        if (b->segment <= chunk)
            chunk = chunk / b->segment * b->segment;
        else
            b->pieces = (b->segment + chunk - 1) / chunk;
    }
    b->chunk = b->numel < chunk ? b->numel : chunk;
    b->slot_bytes = (uint32_t)(((size_t)b->chunk * (w->max_size ? w->max_size : 4) + 63) & ~(size_t)63);
}

static bool add_partials(block_work *w) {
    tg__planner *p = w->p;
    if (!w->b.pieces) return true;
    int64_t leaves = (w->b.segment + TG__FOLD_LEAF - 1) / TG__FOLD_LEAF * (w->b.numel / w->b.segment);
    for (uint32_t i = 0; i < w->b.n_tails; i++) {
        tg__storage s = {.ref = TG__NONE,
                         .cls = TG__ST_POOL,
                         .def = w->step,
                         .last = w->step,
                         .bytes = leaves * p->draft.tails[w->b.tails + i].size};
        if ((p->draft.tails[w->b.tails + i].partials = new_storage(p, s)) == TG__NONE) return false;
    }
    return true;
}

/* Splat and strided streams are brought into scratch; their slots live as long as the block. */
static void give_stream_slots(block_work *w) {
    for (uint32_t i = 0; i < w->b.n_streams; i++)
        if (streams(w)[i].kind == TG__SPLAT || streams(w)[i].kind == TG__STRIDED) streams(w)[i].slot = w->b.n_slots++;
}

/* Scratch registers become the last ones, numbered by slot, so that their addresses are set once. */
static uint16_t numbered(uint16_t reg, uint32_t fixed) {
    return (uint16_t)(reg & SCRATCH_REG ? fixed + (reg ^ SCRATCH_REG) : reg);
}

static void number_scratch(block_work *w) {
    tg__planner *p = w->p;
    uint32_t fixed = w->b.n_regs;
    for (uint32_t i = 0; i < w->b.n_instrs; i++) {
        tg__instr *ins = &p->draft.instrs[w->b.instrs + i];
        ins->out = numbered(ins->out, fixed);
        ins->a = numbered(ins->a, fixed);
        ins->b = numbered(ins->b, fixed);
        ins->c = numbered(ins->c, fixed);
    }
    for (uint32_t i = 0; i < w->b.n_tails; i++) {
        uint16_t *reg = &p->draft.tails[w->b.tails + i].reg;
        *reg = numbered(*reg, fixed);
    }
    w->b.n_regs = fixed + w->b.n_slots;
}

int64_t tg__block_bytes(const tg__plan *d, const tg__block *b) {
    int64_t bytes = 0;
    for (uint32_t i = 0; i < b->n_streams; i++) {
        const tg__stream *s = &d->streams[b->streams + i];
        if (s->kind == TG__LINEAR) bytes += s->size;
    }
    for (uint32_t i = 0; i < b->n_outs; i++) bytes += d->outs[b->outs + i].size;
    return bytes * b->numel;
}

static bool emit_block(tg__planner *p, uint32_t group, uint32_t step) {
    const tg__group *g = &p->groups[group];
    block_work w = {.p = p, .step = step, .group = group};
    w.b = (tg__block){.numel = g->numel,
                      .segment = g->segment,
                      .instrs = p->draft.n_instrs,
                      .streams = p->draft.n_streams,
                      .outs = p->draft.n_outs,
                      .tails = p->draft.n_tails};
    uint64_t most = (uint64_t)p->draft.n_instrs + g->n_nodes;
    if (!tg__grow(&p->draft.instrs, &p->instrs_cap, most, sizeof *p->draft.instrs)) return false;
    uint16_t at = 0;
    for (uint32_t x = g->node; x != TG__NONE; x = p->nodes[x].next)
        if (p->nodes[x].kind == TG__L_TAIL ? !emit_tail(&w, x) : !emit_micro(&w, x, at++)) return false;
    choose_chunk(&w);
    give_stream_slots(&w);
    if (!tg__runs_find(p, &w.b)) return false;
    number_scratch(&w);
    size_t scratch = (size_t)w.b.n_slots * w.b.slot_bytes;
    if (scratch > p->draft.block_scratch) p->draft.block_scratch = scratch;
    if (!add_partials(&w)) return false;
    w.b.work = tg__block_work(&w.b);
    uint32_t index = APPEND(p, blocks, w.b);
    tg__step s = {TG__BLOCK, index, g->node, tg__block_bytes(&p->draft, &w.b)};
    return index != TG__NONE && APPEND(p, steps, s) != TG__NONE;
}

/* ------------------------------------------------------------------ all */

static bool note_kept(tg__planner *p) {
    for (uint32_t i = 0; i < p->live.n; i++) {
        const tg__lnode *n = &p->nodes[i];
        uint32_t x = n->same;
        if (!n->keep || p->nodes[x].kind == TG__L_LEAF) continue;
        bool lies = p->nodes[x].view == TG__NONE && p->nodes[p->nodes[x].src].kind != TG__L_LEAF;
        uint32_t y = lies ? p->nodes[x].src : p->nodes[x].pack, storage = y == TG__NONE ? TG__NONE : p->nodes[y].storage;
        if (storage == TG__NONE) continue;
        tg__storage *s = &p->draft.storages[storage];
        if (s->cls == TG__ST_VALUE && s->ref >= p->live.n) s->ref = i; /* a packed copy lives with the view that it is of */
        if (APPEND(p, kept, (tg__kept){i, storage, 0}) == TG__NONE) return false;
    }
    return true;
}

static void clear_draft(tg__plan *d) {
#define TG__TABLE(type, name) d->n_##name = 0;
    TG__PLAN_TABLES(TG__TABLE)
#undef TG__TABLE
    d->pool_bytes = d->scratch_bytes = d->block_scratch = 0;
    d->max_in = 1;
}

static bool emit_writes(tg__planner *p) {
    for (uint32_t i = 0; p->mode == TG__STEP && i < p->t->n_effects; i++) {
        tg__effect_plan *e = &p->effects[i];
        uint32_t storage = p->nodes[e->value].storage;
        tg__storage *s = &p->draft.storages[storage];
        if (e->direct) {
            s->cls = TG__ST_VAR;
            s->ref = i;
            continue;
        }
        s->last = p->draft.n_steps;
        uint32_t at =
            APPEND(p, operands, (tg__operand_ref){storage, p->nodes[e->value].shape, TG__NONE, 0, p->nodes[e->value].dtype});
        uint32_t call = at == TG__NONE ? TG__NONE : APPEND(p, kernels, (tg__kernel_call){at, 1, 0, 0});
        if (call == TG__NONE || APPEND(p, steps, (tg__step){TG__WRITE, i, call, 2 * s->bytes}) == TG__NONE) return false;
    }
    return true;
}

bool tg__only_reads_in_place(const tg__planner *p, uint32_t step, uint32_t storage, uint16_t written) {
    const tg__step *s = &p->draft.steps[step];
    if (s->kind != TG__BLOCK) return false;
    const tg__block *b = &p->draft.blocks[s->index];
    for (uint32_t i = 0; i < b->n_streams; i++) {
        const tg__stream *in = &p->draft.streams[b->streams + i];
        if (in->storage == storage && (in->kind != TG__LINEAR || in->offset || in->last_read > written)) return false;
    }
    return true;
}

static uint16_t written_at(const tg__planner *p, uint32_t step, uint32_t storage) {
    const tg__step *s = &p->draft.steps[step];
    const tg__block *b = s->kind == TG__BLOCK ? &p->draft.blocks[s->index] : NULL;
    for (uint32_t i = 0; b && i < b->n_outs; i++)
        if (p->draft.outs[b->outs + i].storage == storage) return p->draft.outs[b->outs + i].written;
    return TG__NO_REG;
}

/* A new value is written straight into its variable where nothing can fail any more, nothing else keeps it, and the old
 * value has been read for the last time. */
static void choose_direct(tg__planner *p) {
    uint32_t last_fallible = 0;
    for (uint32_t i = 0; i < p->n_order; i++)
        if (p->groups[p->order[i]].can_fail) last_fallible = i + 1;
    p->draft.commit = p->draft.n_steps;
    if (p->mode != TG__STEP) return;
    for (uint32_t i = 0; i < p->t->n_effects; i++) {
        tg__effect_plan *e = &p->effects[i];
        const tg__lnode *v = &p->nodes[e->value];
        const tg__storage *s = &p->draft.storages[v->storage];
        bool direct = !p->t->check_finite && s->cls == TG__ST_POOL && s->def >= last_fallible;
        uint32_t old = e->read == TG__NONE ? TG__NONE : p->nodes[e->read].storage;
        if (direct && old != TG__NONE) {
            uint32_t last = p->draft.storages[old].last;
            uint16_t written = written_at(p, s->def, v->storage);
            direct = last < s->def || (last == s->def && written != TG__NO_REG &&
                                       tg__only_reads_in_place(p, s->def, old, written));
        }
        e->direct = direct;
        if (direct && s->def < p->draft.commit) p->draft.commit = s->def;
    }
}

bool tg__emit(tg__planner *p) {
    clear_draft(&p->draft);
    for (uint32_t i = 0; i < p->n_order; i++) {
        uint32_t g = p->order[i];
        const tg__group *group = &p->groups[g];
        bool ok = group->kind == TG__G_BLOCK    ? emit_block(p, g, i)
                  : group->kind == TG__G_KERNEL ? emit_kernel(p, group->node, i)
                                                : emit_pack(p, group->node, i);
        if (!ok) return false;
    }
    if (!note_kept(p)) return false;
    choose_direct(p);
    return emit_writes(p);
}
