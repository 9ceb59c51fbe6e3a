/* Recording: from a call of an op to a node. Shapes and dtypes are checked here, so that an error names the user's line. */
#include "engine.h"

struct tg_infer_state {
    const struct call *call;
};

const tg_op tg__op_output = {.name = "output", .min_in = 1, .max_in = 1, .n_out = 1};

/* ------------------------------------------------------------------ handles */

tg_tape *tg_tape_of(tg_tensor x) { return x.owner && x.owner->kind == TG__OWNER_TAPE ? (tg_tape *)x.owner : NULL; }

static uint32_t bad_operand(tg_tape *t, tg_tensor x, const char *op, const char *site, int which) {
    const char *lost = tg__lost_site(x);
    if (lost)
        tg__fail(t, TG_EARG, op, site, t->scope,
                 "operand %d is the result of an op on parameters or states alone at %s: name a tape there, with "
                 "tg_on(tape, parameter)",
                 which, lost);
    else if (!x.owner)
        tg__fail(t, TG_EARG, op, site, t->scope, "operand %d is no tensor (a handle of zeros)", which);
    else if (x.owner->kind == TG__OWNER_MODEL && x.owner->epoch == (x.id == TG__NONE ? x.owner->epoch : x.epoch))
        tg__fail(t, TG_EARG, op, site, t->scope, "operand %d is a parameter that could not be made: %s", which,
                 x.owner->error.message);
    else if (x.owner->kind == TG__OWNER_MODEL)
        tg__fail(t, TG_ESTALE, op, site, t->scope, "operand %d is a parameter of a model that was freed", which);
    else if (x.owner->kind == TG__OWNER_FREE)
        tg__fail(t, TG_ESTALE, op, site, t->scope, "operand %d belongs to a tape or model that was freed", which);
    else if (x.owner == &t->base && x.id == 0)
        tg__fail(t, TG_EARG, op, site, t->scope, "operand %d is the result of an op that failed before tg_clear", which);
    else if (x.owner == &t->base)
        tg__fail(t, TG_ESTALE, op, site, t->scope, "operand %d is from before a reset or rewind of its tape", which);
    else if (!tg_valid(x))
        tg__fail(t, TG_ESTALE, op, site, t->scope, "operand %d belongs to a tape that was freed, reset or rewound", which);
    else
        tg__fail(t, TG_EMIXED, op, site, t->scope, "operand %d belongs to another tape", which);
    return 0;
}

uint32_t tg__resolve(tg_tape *t, tg_tensor x, const char *op, const char *site, int which) {
    if (tg__is_live_on(t, x)) return x.id;
    tg__var *v = tg__var_of(x);
    return v ? tg__read_var(t, v, site) : bad_operand(t, x, op, site, which);
}

bool tg_valid(tg_tensor x) {
    if (!x.owner) return false;
    if (x.owner->kind == TG__OWNER_TAPE) return tg__is_live_on((tg_tape *)x.owner, x);
    return tg__var_of(x) != NULL;
}

/* The tape of an op: the given one, else that of the first live operand on a tape, else of any operand on a tape. */
tg_tape *tg__tape_from(tg_tape *t, const tg_tensor *in, int n) {
    if (t) return t;
    for (int i = 0; in && i < n; i++) {
        if (!in[i].owner || in[i].owner->kind != TG__OWNER_TAPE) continue;
        tg_tape *u = (tg_tape *)in[i].owner;
        if (tg__is_live_on(u, in[i])) return u;
        if (!t) t = u;
    }
    return t;
}

static const tg__node *node_of(tg_tensor x) {
    tg_tape *t = tg_tape_of(x);
    return t && tg__is_live_on(t, x) ? &t->nodes[x.id] : NULL;
}

tg_shape tg_shape_of(tg_tensor x) {
    const tg__node *n = node_of(x);
    if (n) return tg__shape_at((tg_tape *)x.owner, n->shape)->shape;
    const tg__var *v = tg__var_of(x);
    return v ? v->shape : TG_SCALAR;
}

tg_dtype tg_dtype_of(tg_tensor x) {
    const tg__node *n = node_of(x);
    if (n) return n->dtype;
    const tg__var *v = tg__var_of(x);
    return v ? v->dtype : TG_F32;
}

int64_t tg_numel(tg_tensor x) {
    const tg__node *n = node_of(x);
    if (n) return tg__shape_at((tg_tape *)x.owner, n->shape)->numel;
    const tg__var *v = tg__var_of(x);
    return v ? v->numel : 0;
}

/* ------------------------------------------------------------------ nodes */

static void skip_held(tg_tape *t) {
    while (t->n == t->next_held) {
        t->n++;
        t->next_held = TG__NONE;
        for (uint32_t i = 0; i < t->n_held; i++)
            if (t->held[i] >= t->n && t->held[i] < t->next_held) t->next_held = t->held[i];
    }
}

static bool grow_nodes(tg_tape *t) {
    uint32_t before = t->nodes_cap;
    if (!tg__grow(&t->nodes, &t->nodes_cap, (uint64_t)t->n + 1, sizeof *t->nodes)) return false;
    for (uint32_t i = before; i < t->nodes_cap; i++) { /* handles may point at nodes that are not yet recorded */
        t->nodes[i].epoch = 0;
        t->nodes[i].flags = 0;
    }
    return true;
}

static bool spill_inputs(tg_tape *t, tg__node *n, const uint32_t *in, uint32_t count) {
    if (!tg__grow(&t->spill, &t->spill_cap, (uint64_t)t->n_spill + count, sizeof *t->spill)) return false;
    uint32_t *to = t->spill + t->n_spill;
    if (t->n < t->repeats_end && memcmp(to, in, count * sizeof *in)) tg__repeat_end(t, t->n);
    memcpy(to, in, count * sizeof *in);
    n->u.in[0] = t->n_spill;
    n->u.in[1] = count;
    n->n_in = TG__WIDE;
    t->n_spill += count;
    return true;
}

static inline tg__node *next_node(tg_tape *t) {
    if (t->n == t->next_held) skip_held(t);
    return t->n < t->nodes_cap || grow_nodes(t) ? &t->nodes[t->n] : NULL;
}

/* All of a node but its inputs. */
static inline void fill_node(const tg_tape *t, tg__node *n, const tg_op *op, const void *attr, uint32_t n_in, uint32_t shape,
                             tg_dtype dtype, const char *site) {
    n->op = op;
    n->attr = attr;
    n->site = t->site_override ? t->site_override : site;
    n->data = NULL;
    n->epoch = t->base.epoch;
    n->shape = shape;
    n->scope = t->scope;
    n->dtype = (uint8_t)dtype;
    n->n_in = (uint8_t)n_in;
    n->output = 0;
    n->flags = t->flags_override;
}

/* Ends what is known beyond the newest node, if it is about to say another thing than the one that was in its place. What is
 * set after recording follows from the rest: the number of an output, whether it is a leaf; the values of leaves are no part
 * of the structure; lists of inputs are compared when they are written. */
static void compare_with_last(tg_tape *t, const tg__node *was, const tg__node *now) {
    bool same = now->op == was->op && now->attr == was->attr && now->site == was->site && now->shape == was->shape &&
                now->scope == was->scope && now->dtype == was->dtype && now->n_in == was->n_in &&
                !((now->flags ^ was->flags) & TG__GRADIENT);
    for (uint32_t i = 0; same && i < now->n_in && now->n_in <= TG__INLINE_INPUTS; i++) same = now->u.in[i] == was->u.in[i];
    if (!same || (now->n_in == TG__WIDE && (now->u.in[0] != was->u.in[0] || now->u.in[1] != was->u.in[1])))
        tg__repeat_end(t, t->n);
}

/* What was in the place of the next node, where that matters; else its op is NULL. Fields are then written in place: a node
 * that is put together elsewhere and copied waits for its own stores. */
static inline void look_at_last(const tg_tape *t, const tg__node *place, tg__node *was) {
    was->op = NULL;
    if (t->n < t->repeats_end) *was = *place;
}

static inline uint32_t add_node(tg_tape *t, const tg__node *was) {
    if (was->op) compare_with_last(t, was, &t->nodes[t->n]);
    return t->n++;
}

uint32_t tg__record(tg_tape *t, const tg_op *op, const void *attr, const uint32_t *in, uint32_t n_in, uint32_t shape,
                    tg_dtype dtype, const char *site) {
    tg__node *n = next_node(t), was;
    if (!n) return 0;
    look_at_last(t, n, &was);
    fill_node(t, n, op, attr, n_in, shape, dtype, site);
    if (n_in > TG__INLINE_INPUTS && !spill_inputs(t, n, in, n_in)) return 0;
    for (uint32_t i = 0; i < n_in && n_in <= TG__INLINE_INPUTS; i++) n->u.in[i] = in[i];
    return add_node(t, &was);
}

static tg_tensor finish(tg_tape *t, uint32_t id, const tg_op *op, const char *site) {
    if (!id) {
        tg__fail_nomem(t, op->name, site);
        return tg__poison(t);
    }
    if (t->eager && tg__plain_run(t, &id, 1)) return tg__poison(t);
    return tg__handle(t, id);
}

typedef struct call {
    tg_tape *t;
    const tg_op *op;
    const void *attr;
    const char *site;
    int n;
    uint32_t *ids;
} call;

/* An error of a call: the message ends with the shapes and dtypes of all inputs. */
static tg_status refuse_args(const call *c, tg_status status, const char *format, va_list args) {
    char text[400], inputs[TG__INPUTS_TEXT];
    vsnprintf(text, sizeof text, format, args);
    tg__inputs_text(c->t, c->ids, (uint32_t)c->n, inputs, sizeof inputs);
    return tg__fail(c->t, status, c->op->name, c->site, c->t->scope, "%s%s", text, inputs);
}

static tg_status refuse(const call *c, tg_status status, const char *format, ...) TG_PRINTF(3, 4);
static tg_status refuse(const call *c, tg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    refuse_args(c, status, format, args);
    va_end(args);
    return status;
}

#define MANY 16 /* inputs that need no memory of their own while an op is recorded */

/* ------------------------------------------------------------------ 16-bit floats */

/* The 16-bit dtype that all float inputs have and the op cannot take as it is; TG_DTYPE_COUNT: there is none. A number in f32
 * (tg_scalar) may stand beside it. */
static tg_dtype half_to_widen(const call *c) {
    tg_dtype half = TG_DTYPE_COUNT;
    if (c->op->view || c->op->flags & TG_OP_FENCE) return TG_DTYPE_COUNT;
    for (int i = 0; i < c->n; i++) {
        tg_dtype d = c->t->nodes[c->ids[i]].dtype;
        if (!tg__is_float(d) || (d == TG_F32 && c->t->nodes[c->ids[i]].op == &tg__leaf_number)) continue;
        if (!tg__is_half(d) || (half != TG_DTYPE_COUNT && half != d)) return TG_DTYPE_COUNT;
        half = d;
    }
    bool as_it_is = half != TG_DTYPE_COUNT && c->op->micro && c->op->micro->fn[TG_ISA_ANY][half];
    return as_it_is ? TG_DTYPE_COUNT : half;
}

/* Records the op in f32, between casts from and to the 16-bit dtype. */
static tg_status apply_in_f32(const call *c, tg_dtype half, tg_tensor *outs, int n_out) {
    tg_tensor few[MANY], *in = c->n > MANY ? tg__alloc((size_t)c->n * sizeof *in) : few;
    if (!in) return tg__fail_nomem(c->t, c->op->name, c->site);
    for (int i = 0; i < c->n; i++) {
        in[i] = tg__handle(c->t, c->ids[i]);
        if (tg__is_half(tg_dtype_of(in[i]))) in[i] = tg__cast(c->site, in[i], TG_F32);
    }
    tg_apply_n_at(c->site, c->t, c->op, c->attr, in, c->n, outs);
    for (int i = 0; i < n_out; i++)
        if (tg_valid(outs[i]) && tg_dtype_of(outs[i]) == TG_F32) outs[i] = tg__cast(c->site, outs[i], half);
    if (in != few) tg__free(in);
    return c->t->base.error.status;
}

/* ------------------------------------------------------------------ elementwise */

static bool micro_dtypes_ok(const call *c) {
    const tg_op *op = c->op;
    const tg__node *nodes = c->t->nodes;
    int first = op->flags & TG_OP_COND_FIRST ? 1 : 0, last = c->n - 1;
    if (first && nodes[c->ids[0]].dtype != TG_BOOL)
        return !refuse(c, TG_EDTYPE, "the condition must be bool, not %s", tg_dtype_name(nodes[c->ids[0]].dtype));
    tg_dtype d = nodes[c->ids[last]].dtype;
    for (int i = first; i < last; i++)
        if (nodes[c->ids[i]].dtype != d)
            return !refuse(c, TG_EDTYPE, "operand %d is %s and operand %d is %s: cast one with tg_cast", i,
                           tg_dtype_name(nodes[c->ids[i]].dtype), last, tg_dtype_name(d));
    const char *want = op->flags & TG_OP_FLOAT_ONLY && !tg_dtype_is_float(d) ? "f32 or f64"
                       : op->flags & TG_OP_BOOL_IN && d != TG_BOOL           ? "bool"
                                                                             : NULL;
    if (!want && op->micro && !op->micro->fn[TG_ISA_ANY][d]) want = "another dtype";
    return !want || !refuse(c, TG_EDTYPE, "the operands must be %s, not %s", want, tg_dtype_name(d));
}

static uint32_t broadcast_shapes(const call *c) {
    tg_tape *t = c->t;
    tg_shape s = tg__node_shape(t, c->ids[0])->shape;
    int bad = 0;
    for (int i = 1; i < c->n; i++)
        if (!tg_broadcast(&s, &tg__node_shape(t, c->ids[i])->shape, &s, &bad)) {
            refuse(c, TG_ESHAPE, "the shapes do not broadcast: axis %d clashes", bad);
            return TG__NONE;
        }
    char why[220];
    if (!tg__shape_valid(&s, why, sizeof why)) {
        refuse(c, TG_ESHAPE, "%s", why);
        return TG__NONE;
    }
    uint32_t shape = tg__shape_intern(t, &s);
    if (shape == TG__NONE) tg__fail_nomem(t, c->op->name, c->site);
    return shape;
}

static inline tg__shape_pair *pair_of(tg_tape *t, uint32_t a, uint32_t b) {
    return &t->pairs[(a * 31 + b) % TG__SHAPE_PAIRS];
}

static tg_tensor apply_checked(const char *site, const tg_op *op, const tg_tensor *in, int n) {
    tg_tape *t = tg__tape_from(NULL, in, n);
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    uint32_t ids[TG_MICRO_INPUTS] = {0};
    for (int i = 0; i < n; i++)
        if (!(ids[i] = tg__resolve(t, in[i], op->name, site, i))) return tg__poison(t);
    const call c = {t, op, NULL, site, n, ids};
    tg_dtype half = half_to_widen(&c);
    if (half != TG_DTYPE_COUNT) {
        tg_tensor out = tg__poison(t);
        apply_in_f32(&c, half, &out, 1);
        return out;
    }
    uint32_t a = t->nodes[ids[0]].shape, b = t->nodes[ids[n - 1]].shape, shape = a;
    bool equal = a == b && (n < 3 || t->nodes[ids[1]].shape == a);
    if (!equal && (shape = broadcast_shapes(&c)) == TG__NONE) return tg__poison(t);
    if (!equal && n == 2) *pair_of(t, a, b) = (tg__shape_pair){a, b, shape};
    if (!micro_dtypes_ok(&c)) return tg__poison(t);
    tg_dtype dtype = op->flags & TG_OP_BOOL_OUT ? TG_BOOL : t->nodes[ids[n - 1]].dtype;
    return finish(t, tg__record(t, op, NULL, ids, (uint32_t)n, shape, dtype, site), op, site);
}

/* The shape of a and b together, where it is known without a search; else TG__NONE. */
static inline uint32_t known_shape(tg_tape *t, uint32_t a, uint32_t b) {
    if (a == b) return a;
    const tg__shape_pair *p = pair_of(t, a, b);
    return p->a == a && p->b == b ? p->together : TG__NONE;
}

/* The common case, in which there is nothing to find out: values of this tape, of a dtype that the op has a loop for. */
tg_tensor tg__apply_micro(const char *site, const tg_op *op, const tg_tensor *in, int n) {
    tg_tape *t = tg_tape_of(in[0]);
    const tg_tensor *second = &in[n == 2];
    if (n > 2 || !t || t->eager || t->base.error.status || !tg__is_live_on(t, in[0]) || !tg__is_live_on(t, *second))
        return apply_checked(site, op, in, n);
    const tg__node *a = &t->nodes[in[0].id], *b = &t->nodes[second->id];
    uint32_t shape = known_shape(t, a->shape, b->shape);
    tg_dtype dtype = a->dtype;
    if (shape == TG__NONE || dtype != b->dtype || op->flags & (TG_OP_COND_FIRST | TG_OP_BOOL_IN | TG_OP_BOOL_OUT) ||
        !tg__is_float(dtype) || !op->micro->fn[TG_ISA_ANY][dtype])
        return apply_checked(site, op, in, n);
    tg__node *node = next_node(t), was;
    if (!node) return finish(t, 0, op, site);
    look_at_last(t, node, &was);
    fill_node(t, node, op, NULL, (uint32_t)n, shape, dtype, site);
    node->u.in[0] = in[0].id;
    node->u.in[1] = second->id;
    return tg__handle(t, add_node(t, &was));
}

/* ------------------------------------------------------------------ any op */

tg_status tg_infer_fail(tg_infer *f, tg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    refuse_args(f->state->call, status, format, args);
    va_end(args);
    return status;
}

static bool infer(call *c, tg_infer *f) {
    const tg_op *op = c->op;
    struct tg_infer_state state = {c};
    const tg_shape *few_shapes[MANY];
    tg_dtype few_dtypes[MANY];
    const tg_shape **shapes = few_shapes;
    tg_dtype *dtypes = few_dtypes;
    if (c->n > MANY) {
        shapes = tg__alloc((size_t)c->n * sizeof *shapes);
        dtypes = tg__alloc((size_t)c->n * sizeof *dtypes);
    }
    bool ok = shapes && dtypes;
    if (!ok) {
        tg__fail_nomem(c->t, op->name, c->site);
    } else {
        for (int i = 0; i < c->n; i++) {
            shapes[i] = &tg__node_shape(c->t, c->ids[i])->shape;
            dtypes[i] = c->t->nodes[c->ids[i]].dtype;
        }
        *f = (tg_infer){.n_in = c->n, .in_shape = shapes, .in_dtype = dtypes, .attr = c->attr, .state = &state};
        tg_status s = op->infer(f);
        if (s) refuse(c, s, "the inputs are not allowed"); /* where infer has said no more */
        ok = !s;
    }
    if (shapes != few_shapes) tg__free(shapes);
    if (dtypes != few_dtypes) tg__free(dtypes);
    return ok && !c->t->base.error.status;
}

static tg_status intern_shapes(call *c, const tg_infer *f, uint32_t *shapes, int n_out) {
    char why[220];
    for (int i = 0; i < n_out; i++) {
        if (!tg__shape_valid(&f->shape[i], why, sizeof why))
            return refuse(c, TG_ESHAPE, "%s", why);
        shapes[i] = tg__shape_intern(c->t, &f->shape[i]);
        if (shapes[i] == TG__NONE) return tg__fail_nomem(c->t, c->op->name, c->site);
    }
    return TG_OK;
}

static tg_status record_outputs(call *c, const uint32_t *shapes, const tg_dtype *dtypes, tg_tensor *outs, int n_out) {
    tg_tape *t = c->t;
    uint32_t before = t->n, spill_before = t->n_spill, id = 0;
    for (int i = 0; i < n_out; i++) {
        uint32_t out = i == 0 ? tg__record(t, c->op, c->attr, c->ids, (uint32_t)c->n, shapes[0], dtypes[0], c->site)
                              : tg__record(t, &tg__op_output, NULL, &id, 1, shapes[i], dtypes[i], c->site);
        if (!out) {
            t->n = before;
            t->n_spill = spill_before;
            return tg__fail_nomem(t, c->op->name, c->site);
        }
        if (i == 0) id = out;
        t->nodes[out].output = (uint8_t)i;
        outs[i] = tg__handle(t, out);
    }
    if (c->op->source_fn) {
        t->nodes[id].u.num[0] = t->seed;
        t->nodes[id].u.num[1] = t->stream++;
    }
    if (t->eager) tg__plain_run(t, &id, 1);
    return t->base.error.status;
}

/* What is asked of an op's infer; the two places of its hash among the answers that the tape remembers, NULL if it is not to
 * be remembered. */
static tg__inferred *places_of(const call *c, int n_out, tg__inferred *asked) {
    if (n_out > 1 || c->n > TG__INFERRED_INPUTS) return NULL;
    *asked = (tg__inferred){.op = c->op, .attr = c->attr};
    uint64_t hash = (uint64_t)(uintptr_t)c->op ^ (uint64_t)(uintptr_t)c->attr << 7;
    for (int i = 0; i < c->n; i++) {
        const tg__node *n = &c->t->nodes[c->ids[i]];
        asked->in[i] = 1 + ((uint64_t)n->shape << 8 | n->dtype);
        hash = (hash ^ asked->in[i]) * 0x9e3779b97f4a7c15u;
    }
    return &c->t->inferred[2 * (hash * 0x9e3779b97f4a7c15u >> 32) % TG__INFERRED];
}

static bool equal_questions(const tg__inferred *a, const tg__inferred *b) {
    return a->op == b->op && a->attr == b->attr && memcmp(a->in, b->in, sizeof a->in) == 0;
}

static const tg__inferred *find_inferred(const tg__inferred *places, const tg__inferred *asked) {
    for (int i = 0; places && i < 2; i++)
        if (equal_questions(&places[i], asked)) return &places[i];
    return NULL;
}

static tg_status apply_inline(call *c, tg_tensor *outs) {
    tg_tape *t = c->t;
    tg_tensor few[MANY];
    if (c->n > MANY)
        return refuse(c, TG_EARG, "a composite op takes at most %d inputs", MANY);
    for (int i = 0; i < c->n; i++) few[i] = tg__handle(t, c->ids[i]);
    if (c->op->infer) { /* checks, so that errors name this op and not its parts */
        tg_infer f;
        char why[220];
        if (!infer(c, &f)) return t->base.error.status;
        if (!tg__shape_valid(&f.shape[0], why, sizeof why))
            return refuse(c, TG_ESHAPE, "%s", why);
    }
    const char *outer = t->site_override;
    if (!outer) t->site_override = c->site;
    outs[0] = c->op->define(t, few, c->n, c->attr);
    t->site_override = outer;
    return t->base.error.status;
}

static tg_status ask_infer(call *c, tg_infer *f) {
    tg_tape *t = c->t;
    const tg_op *op = c->op;
    if (op->infer) {
        if (!infer(c, f)) return t->base.error.status;
    } else if (op->micro && c->n <= TG_MICRO_INPUTS) {
        uint32_t shape = broadcast_shapes(c);
        if (shape == TG__NONE || !micro_dtypes_ok(c)) return t->base.error.status;
        f->shape[0] = tg__shape_at(t, shape)->shape;
        f->dtype[0] = op->flags & TG_OP_BOOL_OUT ? TG_BOOL : t->nodes[c->ids[c->n - 1]].dtype;
    } else {
        return tg__fail(t, TG_EINTERNAL, op->name, c->site, t->scope, "the op has no infer");
    }
    if (op->source_fn && ((unsigned)f->dtype[0] >= TG_DTYPE_COUNT || !op->source_fn[f->dtype[0]]))
        return refuse(c, TG_EDTYPE, "there is no loop for %s", tg_dtype_name(f->dtype[0]));
    return TG_OK;
}

static tg_status apply(call *c, tg_tensor *outs, int n_out) {
    tg_tape *t = c->t;
    const tg_op *op = c->op;
    if (c->n < op->min_in || (op->max_in >= 0 && c->n > op->max_in)) {
        if (op->max_in < 0) return refuse(c, TG_EARG, "takes %d inputs or more, not %d", op->min_in, c->n);
        if (op->max_in == op->min_in) return refuse(c, TG_EARG, "the number of inputs must be %d, not %d", op->min_in, c->n);
        return refuse(c, TG_EARG, "takes %d to %d inputs, not %d", op->min_in, op->max_in, c->n);
    }
    tg_dtype half = half_to_widen(c);
    if (half != TG_DTYPE_COUNT) return apply_in_f32(c, half, outs, n_out);
    tg_status status;
    c->attr = tg__attr_intern(t, op, c->attr, &status);
    if (status == TG_ENOMEM) return tg__fail_nomem(t, op->name, c->site);
    if (status) return refuse(c, status, "the attributes are missing or too large");
    if (!op->micro && !op->kernel && !op->view && !op->source_fn) {
        if (!op->define)
            return tg__fail(t, TG_EINTERNAL, op->name, c->site, t->scope, "the op has neither micro, view, kernel nor define");
        return apply_inline(c, outs);
    }
    tg__inferred asked, *places = places_of(c, n_out, &asked);
    const tg__inferred *known = find_inferred(places, &asked);
    if (known) return record_outputs(c, &known->shape, &known->dtype, outs, 1);
    tg_infer f;
    uint32_t shapes[TG_MAX_OUTPUTS];
    if (ask_infer(c, &f) || intern_shapes(c, &f, shapes, n_out)) return t->base.error.status;
    if (places) {
        asked.shape = shapes[0];
        asked.dtype = f.dtype[0];
        places[1] = places[0];
        places[0] = asked;
    }
    return record_outputs(c, shapes, f.dtype, outs, n_out);
}

TG_API(tg_status, tg_apply_n, (tg_tape *t, const tg_op *op, const void *attr, const tg_tensor *in, int n, tg_tensor *outs),
       (t, op, attr, in, n, outs)) {
    int n_out = op && op->n_out > 1 ? op->n_out : 1;
    t = tg__tape_from(t, in, n);
    for (int i = 0; i < n_out && outs; i++) outs[i] = t ? tg__poison(t) : tg__lost(site);
    if (!t) return TG_EARG;
    if (t->base.error.status) return t->base.error.status;
    if (!op || !outs || n < 0 || n_out > TG_MAX_OUTPUTS || (n && !in))
        return tg__fail(t, TG_EARG, op ? op->name : "apply", site, t->scope,
                        "the op, its inputs or the place for its outputs is missing");
    uint32_t few[MANY];
    call c = {t, op, attr, site, n, few};
    if (n > MANY && !(c.ids = tg__alloc((size_t)n * sizeof *c.ids))) return tg__fail_nomem(t, op->name, site);
    tg_tensor results[TG_MAX_OUTPUTS];
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = (c.ids[i] = tg__is_live_on(t, in[i]) ? in[i].id : tg__resolve(t, in[i], op->name, site, i)) != 0;
    if (ok && !apply(&c, results, n_out)) memcpy(outs, results, (size_t)n_out * sizeof *outs);
    if (c.ids != few) tg__free(c.ids);
    return t->base.error.status;
}

TG_API(tg_tensor, tg_apply, (tg_tape *t, const tg_op *op, const void *attr, const tg_tensor *in, int n), (t, op, attr, in, n)) {
    tg_tensor outs[TG_MAX_OUTPUTS];
    t = tg__tape_from(t, in, n);
    if (!t) return tg__lost(site);
    tg_apply_n_at(site, t, op, attr, in, n, outs);
    return outs[0];
}
