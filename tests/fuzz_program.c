/* One random program: leaves, ops, views, gradients, assignments, questions, marks, steps, resets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "kernels/math.h"
#include "tests/fuzz.h"

enum { POOL = 40, PARAMS = 6, BUFFERS = 2, VARS = PARAMS + BUFFERS, MARKS = 4, MOST_NODES = 3000, MOST_KEPT = 16, BORROWS = 8 };

/* A tensor of the recording. `reads`: its value needs a variable, so that it means nothing once the tape has stepped. */
typedef struct entry {
    tg_tensor x;
    bool reads;
} entry;

typedef struct program {
    uint64_t choices, numbers; /* random states: of what is done, and of the values */
    fuzz_trace *trace;
    tg_tape *t;
    tg_model *m;
    tg_optim *sgd, *adam;
    tg_tensor vars[VARS]; /* parameters, a buffer, a state */
    entry pool[POOL];
    int n;
    tg_tensor kept[MOST_KEPT]; /* of those that read variables: a step ends it */
    int n_kept;
    tg_mark marks[MARKS];
    int n_marks;
    int64_t dims[4], most; /* sizes that it likes, most elements of a tensor */
    void *borrowed[BORROWS];
    int n_borrowed;
    bool special; /* infinities and NaNs among the inputs */
    bool faults;
} program;

/* ------------------------------------------------------------------ random choices */

static uint64_t next(uint64_t *state) { /* SplitMix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t below(program *p, int64_t n) { return n > 0 ? (int64_t)(next(&p->choices) % (uint64_t)n) : 0; }
static bool chance(program *p, int percent) { return below(p, 100) < percent; }

static double value(program *p) {
    uint64_t r = next(&p->numbers);
    if (r % 61 == 0) {
        static const double few[] = {0, -0.0, 1, -1, 2, 0.5, INFINITY, NAN};
        return few[(r >> 32) % (p->special ? 8 : 6)];
    }
    return (double)(int64_t)(r >> 11) / 0x1p52 * 4 - 2 + (r & 1 ? 1e-3 : 0);
}

static tg_shape any_shape(program *p) {
    tg_shape s = {(int32_t)below(p, 4), {0}};
    if (chance(p, 5)) s.rank = (int32_t)below(p, 6);
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) {
        int64_t d = chance(p, 20) ? 1 : p->dims[below(p, 4)];
        if (chance(p, 1)) d = 0;
        if (d && n * d > p->most) d = 1;
        s.dims[i] = d;
        n *= d ? d : 1;
    }
    return s;
}

/* ------------------------------------------------------------------ the pool */

static bool is_float(tg_tensor x) { return tg__is_float(tg_dtype_of(x)); }
static bool too_large(const program *p, int64_t n) { return n > p->most; }

static void put(program *p, tg_tensor x, bool reads) {
    if (!tg_valid(x) || too_large(p, tg_numel(x))) return;
    int at = p->n < POOL ? p->n++ : (int)below(p, POOL);
    p->pool[at] = (entry){x, reads};
}

typedef bool filter(tg_tensor x);

static bool any_tensor(tg_tensor x) { return tg_valid(x); }
static bool any_number(tg_tensor x) { return tg_dtype_of(x) != TG_BOOL && tg_dtype_of(x) != TG_U8; }
static bool is_bool(tg_tensor x) { return tg_dtype_of(x) == TG_BOOL; }
static bool has_elements(tg_tensor x) { return tg_numel(x) > 0; }
static bool float_with_elements(tg_tensor x) { return is_float(x) && has_elements(x); }
static bool matrix(tg_tensor x) { return is_float(x) && tg_shape_of(x).rank >= 2; }

/* A random entry that passes; recent ones more often. NULL if none was found. */
static const entry *pick(program *p, filter *passes) {
    for (int tries = 0; tries < 20 && p->n; tries++) {
        int64_t i = chance(p, 50) ? p->n - 1 - below(p, p->n < 6 ? p->n : 6) : below(p, p->n);
        if (passes(p->pool[i].x)) return &p->pool[i];
    }
    return NULL;
}

static const entry *pick_like(program *p, tg_dtype d, const tg_shape *broadcasts_with) {
    tg_shape out;
    for (int tries = 0; tries < 30 && p->n; tries++) {
        const entry *e = &p->pool[below(p, p->n)];
        tg_shape s = tg_shape_of(e->x);
        if (tg_dtype_of(e->x) == d && tg_broadcast(&s, broadcasts_with, &out, NULL) && !too_large(p, tg_shape_numel(&out)))
            return e;
    }
    return NULL;
}

/* ------------------------------------------------------------------ observing */

static void note_error(program *p, const char *what, bool meant) {
    if (tg_ok(p->t)) return;
    /* where a NaN was born is seen less exactly by a plan, which has not kept every value */
    size_t size = tg_error(p->t) == TG_ENONFINITE ? 0 : strlen(tg_message(p->t));
    fuzz_note(p->trace, what, tg_error(p->t), TG_U8, tg_message(p->t), size);
    if (!meant && !p->faults) {
        p->trace->failed++;
        fprintf(stderr, "%s: %s\n", what, tg_message(p->t));
    }
    tg_clear(p->t);
}

static void observe(program *p, const char *what, tg_tensor x) {
    size_t size = (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x));
    const void *data = tg_data(x);
    fuzz_note(p->trace, what, tg_error(p->t), tg_dtype_of(x), data, size);
    note_error(p, what, false);
}

static void observe_model(program *p, const char *what, tg_model *m) {
    for (int i = 0; i < tg_model_count(m); i++) {
        char name[40];
        tg_tensor x = tg_model_at(m, i);
        snprintf(name, sizeof name, "%s %s", what, tg_param_name(x));
        fuzz_note(p->trace, name, TG_OK, tg_dtype_of(x), tg_data(x), (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x)));
    }
}

static void observe_variables(program *p) {
    observe_model(p, "variable", p->m);
    observe_model(p, "sgd", tg_optim_state(p->sgd));
    observe_model(p, "adam", tg_optim_state(p->adam));
}

/* ------------------------------------------------------------------ leaves */

static tg_array random_array(program *p, tg_shape s, tg_dtype d, int64_t top) {
    int64_t n = tg_shape_numel(&s);
    char *data = malloc((size_t)n * tg_dtype_size(d) + 1);
    for (int64_t i = 0; data && i < n; i++) {
        double v = value(p);
        int64_t k = top ? (int64_t)(next(&p->numbers) % (uint64_t)top) : (int64_t)(v * 4);
        if (d == TG_F32)
            ((float *)(void *)data)[i] = (float)v;
        else if (d == TG_F64)
            ((double *)(void *)data)[i] = v;
        else if (d == TG_I32)
            ((int32_t *)(void *)data)[i] = (int32_t)k;
        else if (d == TG_I64)
            ((int64_t *)(void *)data)[i] = k;
        else if (d == TG_BF16)
            ((uint16_t *)(void *)data)[i] = tg__to_bf16_f64(v);
        else if (d == TG_F16)
            ((uint16_t *)(void *)data)[i] = tg__to_f16_f64(v);
        else
            data[i] = d == TG_BOOL ? v > 0 : (char)k;
    }
    return (tg_array){d, s, data};
}

static tg_tensor input_of(program *p, tg_shape s, tg_dtype d, int64_t top) {
    tg_array a = random_array(p, s, d, top);
    tg_tensor x = tg_input(p->t, a);
    free((void *)(uintptr_t)a.data);
    return x;
}

static tg_dtype any_float(program *p) { return chance(p, 70) ? TG_F32 : TG_F64; }

static void leaf_input(program *p) {
    tg_dtype d = chance(p, 80) ? any_float(p) : (tg_dtype)below(p, TG_DTYPE_COUNT);
    put(p, input_of(p, any_shape(p), d, 0), false);
}

static void leaf_borrow(program *p) {
    if (p->n_borrowed == BORROWS) return;
    tg_array a = random_array(p, any_shape(p), any_float(p), 0);
    p->borrowed[p->n_borrowed++] = (void *)(uintptr_t)a.data;
    put(p, tg_borrow(p->t, a), false);
}

/* The memory of a parameter, borrowed: a step that writes it reads what was there before. */
static void leaf_borrow_parameter(program *p) {
    tg_tensor v = p->vars[below(p, VARS)];
    put(p, tg_borrow(p->t, (tg_array){tg_dtype_of(v), tg_shape_of(v), tg_data(v)}), true);
}

static void leaf_number(program *p) { put(p, tg_scalar(p->t, value(p), any_float(p)), false); }

static void leaf_constant(program *p) {
    tg_shape s = any_shape(p);
    tg_dtype d = any_float(p);
    switch (below(p, 4)) {
    case 0:
        put(p, tg_zeros(p->t, s, d), false);
        break;
    case 1:
        put(p, tg_ones(p->t, s, d), false);
        break;
    case 2:
        put(p, tg_full(p->t, s, value(p), d), false);
        break;
    default:
        put(p, tg_arange(p->t, p->dims[below(p, 4)], chance(p, 50) ? d : TG_I64), false);
    }
}

static void leaf_variable(program *p) { put(p, tg_on(p->t, p->vars[below(p, VARS)]), true); }

static void leaf_random(program *p) {
    tg_shape s = any_shape(p);
    put(p, chance(p, 50) ? tg_uniform(p->t, s, any_float(p), -1, value(p)) : tg_normal(p->t, s, any_float(p), value(p), 1),
        false);
}

/* ------------------------------------------------------------------ elementwise */

static tg_tensor tame(program *p, tg_tensor x) {
    return chance(p, 30) ? tg_tanh(x) : chance(p, 20) ? tg_scale(x, value(p)) : x;
}

static void op_unary(program *p) {
    typedef tg_tensor unary(tg_tensor);
    static unary *const of_floats[] = {tg_neg,        tg_abs,  tg_sign,    tg_square,   tg_sqrt,  tg_rsqrt,
                                       tg_reciprocal, tg_exp,  tg_expm1,   tg_log,      tg_log1p, tg_sin,
                                       tg_cos,        tg_tanh, tg_sigmoid, tg_softplus, tg_relu,  tg_erf};
    static unary *const of_numbers[] = {tg_neg, tg_abs, tg_sign, tg_square};
    const entry *e = pick(p, any_number);
    if (!e) return;
    tg_tensor x = e->x;
    bool reads = e->reads;
    if (!is_float(x))
        put(p, of_numbers[below(p, 4)](x), reads);
    else
        put(p, tame(p, of_floats[below(p, 18)](chance(p, 50) ? tg_sigmoid(x) : x)), reads);
}

static void op_number(program *p) {
    const entry *e = pick(p, is_float);
    if (e) put(p, chance(p, 50) ? tg_scale(e->x, value(p)) : tg_add_scalar(e->x, value(p)), e->reads);
}

static void op_binary(program *p) {
    typedef tg_tensor binary(tg_tensor, tg_tensor);
    static binary *const ops[] = {tg_add, tg_sub, tg_mul, tg_add, tg_mul, tg_maximum, tg_minimum, tg_div, tg_pow};
    const entry *a = pick(p, any_number);
    if (!a) return;
    tg_shape s = tg_shape_of(a->x);
    const entry *b = chance(p, 5) ? a : pick_like(p, tg_dtype_of(a->x), &s);
    if (!b) return;
    bool reads = a->reads || b->reads;
    tg_tensor y = ops[below(p, is_float(a->x) ? 9 : 8)](a->x, b->x);
    put(p, is_float(y) ? tame(p, y) : y, reads);
}

static void op_compare(program *p) {
    typedef tg_tensor binary(tg_tensor, tg_tensor);
    static binary *const ops[] = {tg_eq, tg_ne, tg_lt, tg_le, tg_gt, tg_ge}, *const logic[] = {tg_and, tg_or, tg_xor};
    const entry *a = pick(p, any_tensor);
    if (!a) return;
    tg_shape s = tg_shape_of(a->x);
    const entry *b = pick_like(p, tg_dtype_of(a->x), &s);
    if (!b) return;
    if (chance(p, 20))
        put(p, chance(p, 50) ? tg_isnan(a->x) : tg_isfinite(a->x), a->reads);
    else if (is_bool(a->x))
        put(p, chance(p, 20) ? tg_not(a->x) : logic[below(p, 3)](a->x, b->x), a->reads || b->reads);
    else
        put(p, ops[below(p, 6)](a->x, b->x), a->reads || b->reads);
}

static void op_where(program *p) {
    const entry *c = pick(p, is_bool), *a = pick(p, any_tensor);
    tg_shape s, both;
    if (!c || !a) return;
    s = tg_shape_of(c->x);
    tg_shape other = tg_shape_of(a->x);
    if (!tg_broadcast(&s, &other, &both, NULL) || too_large(p, tg_shape_numel(&both))) return;
    const entry *b = pick_like(p, tg_dtype_of(a->x), &both);
    if (b) put(p, tg_where(c->x, a->x, b->x), c->reads || a->reads || b->reads);
}

static void op_cast(program *p) {
    const entry *e = pick(p, any_tensor);
    if (e) put(p, tg_cast(e->x, chance(p, 70) ? any_float(p) : (tg_dtype)below(p, TG_DTYPE_COUNT)), e->reads);
}

/* ------------------------------------------------------------------ reductions */

static tg_axes any_axes(program *p, int rank) {
    tg_axes a = {0, {0}};
    if (chance(p, 25)) return TG_ALL_AXES;
    for (int i = 0; i < rank; i++)
        if (chance(p, 50)) a.axis[a.n++] = chance(p, 30) ? i - rank : i;
    return a;
}

static void op_reduce(program *p) {
    typedef tg_tensor reduce(tg_tensor, tg_axes, bool);
    static reduce *const ops[] = {tg_sum, tg_sum, tg_sum, tg_max, tg_min, tg_mean};
    const entry *e = pick(p, any_number);
    if (!e) return;
    tg_axes axes = any_axes(p, tg_shape_of(e->x).rank);
    int n = !has_elements(e->x) ? 3 : is_float(e->x) ? 6 : 5;
    put(p, ops[below(p, n)](e->x, axes, chance(p, 40)), e->reads);
}

static void op_argmax(program *p) {
    const entry *e = pick(p, has_elements);
    if (e && tg_shape_of(e->x).rank) put(p, tg_argmax(e->x, below(p, tg_shape_of(e->x).rank)), e->reads);
}

static void op_softmax(program *p) {
    const entry *e = pick(p, float_with_elements);
    int rank = e ? tg_shape_of(e->x).rank : 0;
    if (!rank) return;
    int64_t axis = chance(p, 60) ? -1 : below(p, rank);
    put(p, chance(p, 50) ? tg_softmax(e->x, axis) : tg_log_softmax(e->x, axis), e->reads);
}

static void op_loss(program *p) {
    const entry *e = pick(p, float_with_elements);
    if (!e) return;
    tg_shape s = tg_shape_of(e->x);
    bool reads = e->reads;
    tg_tensor x = e->x;
    if (s.rank == 0 || chance(p, 30)) {
        put(p, tg_mse(x, input_of(p, s, tg_dtype_of(x), 0)), reads);
        return;
    }
    s.rank--;
    tg_tensor labels = input_of(p, s, chance(p, 50) ? TG_I32 : TG_I64, tg_shape_of(x).dims[s.rank]);
    put(p, chance(p, 50) ? tg_cross_entropy(x, labels) : tg_cross_entropy_each(x, labels), reads);
}

/* ------------------------------------------------------------------ views */

static void op_reshape(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    int64_t left = tg_numel(e->x);
    tg_shape s = {0, {0}};
    if (left == 0 || chance(p, 30)) {
        put(p, tg_reshape(e->x, TG_SHAPE(left)), e->reads);
        return;
    }
    while (left > 1 && s.rank < 4) {
        int64_t d = 1;
        for (int64_t f = 2 + below(p, 6); f <= left && f < 64; f++)
            if (left % f == 0) {
                d = f;
                break;
            }
        if (d == 1 || s.rank == 3) d = left;
        s.dims[s.rank++] = d;
        left /= d;
    }
    if (chance(p, 20)) s.dims[s.rank++] = 1;
    put(p, tg_reshape(e->x, s), e->reads);
}

static void op_permute(program *p) {
    const entry *e = pick(p, any_tensor);
    int rank = e ? tg_shape_of(e->x).rank : 0;
    if (rank < 2) return;
    if (chance(p, 50)) {
        put(p, tg_transpose(e->x), e->reads);
        return;
    }
    tg_axes a = {rank, {0}};
    for (int i = 0; i < rank; i++) a.axis[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int j = (int)below(p, i + 1), k = a.axis[i];
        a.axis[i] = a.axis[j];
        a.axis[j] = k;
    }
    put(p, tg_permute(e->x, a), e->reads);
}

static tg_tensor any_slice(program *p, tg_tensor x) {
    tg_shape s = tg_shape_of(x);
    if (!s.rank) return x;
    int64_t axis = below(p, s.rank), n = s.dims[axis], step = 1 + below(p, 3), from = below(p, n + 1),
            to = from + below(p, n - from + 1);
    if (chance(p, 30))
        return tg_slice(x, axis, chance(p, 50) ? TG_END : -1 - below(p, n), chance(p, 50) ? TG_BEGIN : below(p, n), -step);
    return tg_slice(x, axis - (chance(p, 50) ? s.rank : 0), from, chance(p, 30) ? TG_END : to, step);
}

static void op_slice(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    tg_tensor x = e->x;
    bool reads = e->reads;
    for (int64_t i = 1 + below(p, 2); i > 0; i--) x = any_slice(p, x);
    put(p, x, reads);
}

static void op_expand(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    tg_shape s = tg_shape_of(e->x);
    if (s.rank < 5 && chance(p, 50)) {
        memmove(s.dims + 1, s.dims, (size_t)s.rank * sizeof *s.dims);
        s.dims[0] = p->dims[below(p, 4)];
        s.rank++;
    }
    for (int i = 0; i < s.rank; i++)
        if (s.dims[i] == 1) s.dims[i] = p->dims[below(p, 4)];
    if (!too_large(p, tg_shape_numel(&s))) put(p, tg_expand(e->x, s), e->reads);
}

static void op_squeeze(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    tg_shape s = tg_shape_of(e->x);
    tg_axes a = {0, {0}};
    for (int i = 0; i < s.rank; i++)
        if (s.dims[i] == 1) a.axis[a.n++] = i;
    if (a.n && chance(p, 50))
        put(p, tg_squeeze(e->x, a), e->reads);
    else if (s.rank < 6)
        put(p, tg_unsqueeze(e->x, TG_AXES((int32_t)below(p, s.rank + 1))), e->reads);
}

/* ------------------------------------------------------------------ joins, indices, products */

static void op_join(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e || !tg_shape_of(e->x).rank) return;
    tg_tensor xs[12];
    int n = 1 + (int)below(p, chance(p, 10) ? 12 : 4), rank = tg_shape_of(e->x).rank;
    tg_tensor x = e->x;
    bool reads = e->reads, stack = chance(p, 30);
    int64_t axis = below(p, rank), total = 0;
    for (int i = 0; i < n; i++) {
        xs[i] = chance(p, 50) || stack ? x : tg_slice(x, axis, below(p, tg_shape_of(x).dims[axis]), TG_END, 1);
        if (is_float(x) && chance(p, 30)) xs[i] = tg_relu(xs[i]);
        total += tg_numel(xs[i]);
    }
    if (too_large(p, total)) return;
    put(p, stack ? tg_stack(xs, n, axis) : tg_concat(xs, n, axis), reads);
}

static void op_gather(program *p) {
    const entry *e = pick(p, any_tensor);
    int rank = e ? tg_shape_of(e->x).rank : 0;
    if (!rank) return;
    tg_tensor x = e->x;
    bool reads = e->reads;
    int64_t axis = below(p, rank), n = tg_shape_of(x).dims[axis];
    tg_shape s = any_shape(p);
    if (s.rank > 2) s.rank = 2;
    if (n == 0 || tg_shape_numel(&s) * (tg_numel(x) / n) > p->most) return;
    put(p, tg_gather(x, axis, input_of(p, s, chance(p, 50) ? TG_I32 : TG_I64, n)), reads);
}

static void op_one_hot(program *p) {
    int64_t n = p->dims[below(p, 4)];
    tg_shape s = any_shape(p);
    if (s.rank < 4 && tg_shape_numel(&s) * n <= p->most)
        put(p, tg_one_hot(input_of(p, s, TG_I64, n + 1), n, any_float(p)), false);
}

static void op_matmul(program *p) {
    const entry *a = pick(p, matrix);
    if (!a) return;
    tg_tensor x = a->x, y;
    bool reads = a->reads;
    tg_shape s = tg_shape_of(x), t = {2, {s.dims[s.rank - 1], p->dims[below(p, 4)]}};
    int64_t k = t.dims[0];
    switch (below(p, 5)) {
    case 0:
        y = tg_transpose(x);
        break; /* a Gram matrix */
    case 1:
        y = input_of(p, TG_SHAPE(k), tg_dtype_of(x), 0);
        break;
    case 2: {
        const entry *b = pick(p, float_with_elements);
        if (b && tg_numel(b->x) % (k ? k : 1) == 0 && tg_dtype_of(b->x) == tg_dtype_of(x) && k) {
            y = tg_reshape(b->x, TG_SHAPE(k, tg_numel(b->x) / k));
            reads = reads || b->reads;
            break;
        }
        y = input_of(p, t, tg_dtype_of(x), 0);
        break;
    }
    default:
        y = input_of(p, t, tg_dtype_of(x), 0);
    }
    if (!k) return;
    int64_t rows = tg_numel(x) / k, cols = tg_numel(y) / k;
    if (rows * cols > p->most) return;
    put(p, chance(p, 70) ? tg_scale(tg_matmul(x, y), 1. / (double)k) : tg_matmul(x, y), reads);
}

/* ------------------------------------------------------------------ what gradients do not look through */

static void op_dropout(program *p) {
    const entry *e = pick(p, is_float);
    if (e) put(p, tg_dropout(e->x, chance(p, 10) ? 0 : .3), e->reads);
}

static void op_stop(program *p) {
    const entry *e = pick(p, any_tensor);
    if (e) put(p, tg_stop_gradient(e->x), e->reads);
}

static void halve_gradient(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)n, (void)user;
    gs[0] = tg_scale(g, .5);
}

static void op_custom(program *p) {
    const entry *e = pick(p, is_float);
    if (e) put(p, tg_custom_grad(tg_sin(e->x), &e->x, 1, halve_gradient, NULL), e->reads);
}

/* An op of two outputs, x + 1 and 2 x. */
static tg_status twins_infer(tg_infer *f) {
    for (int k = 0; k < 2; k++) {
        f->shape[k] = *f->in_shape[0];
        f->dtype[k] = f->in_dtype[0];
    }
    return f->in_dtype[0] == TG_F64 ? TG_OK : tg_infer_fail(f, TG_EDTYPE, "not f64");
}

static tg_status twins_kernel(tg_kernel_args *k) {
    const double *x = k->in[0].data;
    double *scratch = k->scratch, *sum = k->out[0].data, *twice = k->out[1].data;
    for (int64_t i = 0; i < k->in[0].numel; i++) scratch[i] = x[i];
    for (int64_t i = 0; i < k->in[0].numel; i++) {
        sum[i] = scratch[i] + 1;
        twice[i] = scratch[i] * 2;
    }
    return TG_OK;
}

static size_t twins_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)out, (void)attr, (void)threads;
    return (size_t)in[0].numel * sizeof(double);
}

static void twins_vjp(tg_vjp_args *v) {
    if (v->g[0].owner) tg_vjp_give(v, 0, v->g[0]);
    if (v->g[1].owner) tg_vjp_give(v, 0, tg_scale(v->g[1], 2));
}

static void op_twins(program *p) {
    static const tg_op twins = {.name = "twins",
                                .min_in = 1,
                                .max_in = 1,
                                .n_out = 2,
                                .infer = twins_infer,
                                .vjp = twins_vjp,
                                .kernel = twins_kernel,
                                .scratch = twins_scratch};
    const entry *e = pick(p, is_float);
    if (!e) return;
    tg_tensor x = tg_cast(e->x, TG_F64), outs[2];
    bool reads = e->reads;
    tg_apply_n(p->t, &twins, NULL, &x, 1, outs);
    for (int k = 0; k < 2; k++)
        if (chance(p, 70)) put(p, outs[k], reads);
}

/* ------------------------------------------------------------------ gradients */

static tg_tensor scalar_of(program *p, tg_tensor x) {
    if (tg_numel(x) == 1) return x;
    return has_elements(x) && chance(p, 50) ? tg_mean(x, TG_ALL_AXES, false) : tg_sum(x, TG_ALL_AXES, false);
}

static int pick_sources(program *p, tg_tensor y, tg_tensor *xs) {
    int n = 0;
    for (int tries = 0; tries < 12 && n < 4; tries++) {
        const entry *e = pick(p, is_float);
        if (e && tg_depends(y, e->x)) xs[n++] = e->x;
    }
    return n;
}

static void op_gradient(program *p) {
    const entry *e = pick(p, is_float);
    if (!e) return;
    bool reads = e->reads;
    tg_tensor y = e->x, xs[4], gs[4], vs[4];
    int n = pick_sources(p, y, xs), kind = (int)below(p, 6);
    if (!n) return;
    for (int i = 0; i < n; i++) vs[i] = input_of(p, tg_shape_of(xs[i]), tg_dtype_of(xs[i]), 0);
    if (kind == 0) {
        tg_vjp(y, input_of(p, tg_shape_of(y), tg_dtype_of(y), 0), xs, n, gs);
    } else if (kind == 1) {
        put(p, tg_jvp(y, xs, vs, n), reads);
        return;
    } else if (kind == 2) {
        tg_hvp(scalar_of(p, y), xs, vs, n, gs);
    } else {
        tg_grad(scalar_of(p, y), xs, n, gs);
    }
    for (int i = 0; i < n; i++) put(p, gs[i], reads);
}

/* ------------------------------------------------------------------ assignments, updates, steps */

/* x, somehow, in the shape and dtype of a variable. */
static tg_tensor fitted(tg_tensor x, tg_tensor like) {
    tg_shape want = tg_shape_of(like), have = tg_shape_of(x), both;
    if (tg_dtype_of(x) != tg_dtype_of(like)) x = tg_cast(x, tg_dtype_of(like));
    if (tg_shape_equal(&want, &have)) return x;
    if (tg_broadcast(&want, &have, &both, NULL) && tg_shape_equal(&both, &want)) return tg_expand(x, want);
    if (tg_numel(x) == tg_numel(like)) return tg_reshape(x, want);
    return tg_expand(tg_sum(x, TG_ALL_AXES, false), want);
}

static void do_assign(program *p) {
    tg_tensor v = p->vars[below(p, VARS)], w = p->vars[below(p, VARS)];
    const entry *e = pick(p, is_float);
    tg_tensor x = e ? fitted(e->x, v) : tg_on(p->t, v), old = tg_on(p->t, v);
    switch (below(p, 7)) {
    case 0:
        tg_assign(v, x);
        break;
    case 1:
        tg_assign(v, tg_tanh(tg_add(old, x)));
        break;
    case 2:
        tg_assign(v, old);
        break;
    case 3:
        tg_assign(v, tg_scale(tg_add(old, fitted(tg_on(p->t, w), v)), .5));
        break;
    case 4: { /* a swap */
        tg_tensor a = fitted(tg_on(p->t, w), v), b = fitted(old, w);
        tg_assign(v, a);
        tg_assign(w, b);
        break;
    }
    case 5:
        tg_assign(v, fitted(tg_scalar(p->t, value(p), TG_F32), v));
        break;
    default:
        tg_assign(v, tg_sin(x));
        put(p, tg_on(p->t, v), true);
        put(p, old, true);
    }
}

static void do_update(program *p) {
    const entry *e = pick(p, float_with_elements);
    if (!e || !e->reads) return;
    tg_tensor loss = scalar_of(p, e->x);
    put(p, loss, true);
    tg_update(chance(p, 50) ? p->sgd : p->adam, loss);
    note_error(p, "update", true); /* no parameter need have a path to it */
}

static void purge(program *p, bool all_that_read) {
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (tg_valid(p->pool[i].x) && !(all_that_read && p->pool[i].reads)) p->pool[n++] = p->pool[i];
    p->n = n;
}

static void do_step(program *p) {
    tg_tensor wanted[3];
    int n = 0;
    for (int64_t k = below(p, 4); k > 0; k--) {
        const entry *e = pick(p, any_tensor);
        if (e) wanted[n++] = tg_want(e->reads ? tg_stop_gradient(e->x) : e->x); /* a variable itself would change */
    }
    tg_step(p->t);
    note_error(p, "step", true); /* a NaN, where the program looks for them */
    bool failed = p->trace->events && p->trace->n && !strcmp(p->trace->events[p->trace->n - 1].what, "step");
    observe_variables(p);
    purge(p, true);
    while (p->n_kept) tg_drop(p->kept[--p->n_kept]);
    for (int i = 0; i < n && !failed; i++) {
        observe(p, "wanted", wanted[i]);
        put(p, tg_stop_gradient(wanted[i]), false);
    }
    if (failed) tg_discard_effects(p->t);
}

static void do_discard(program *p) { tg_discard_effects(p->t); }

/* ------------------------------------------------------------------ questions */

static void ask(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    if (tg_numel(e->x) == 1 && chance(p, 50)) {
        double v = tg_item(e->x);
        fuzz_note(p->trace, "item", tg_error(p->t), TG_F64, &v, sizeof v);
        note_error(p, "item", false);
    } else {
        observe(p, "data", e->x);
    }
}

static void do_run(program *p) {
    tg_tensor outs[4] = {0};
    int n = 0;
    for (int64_t k = 1 + below(p, 4); k > 0; k--) {
        const entry *e = pick(p, any_tensor);
        if (e) outs[n++] = e->x;
    }
    tg_run(p->t, outs, n);
    note_error(p, "run", false);
    for (int i = 0; i < n; i++) observe(p, "output", outs[i]);
}

static void keep(program *p, const entry *e) {
    if (e->reads && p->n_kept == MOST_KEPT) return;
    tg_keep(e->x);
    if (e->reads) p->kept[p->n_kept++] = e->x;
}

static void do_keep(program *p) {
    const entry *e = pick(p, any_tensor);
    if (!e) return;
    if (chance(p, 70))
        keep(p, e);
    else {
        op_number(p); /* perhaps a reader */
        tg_drop(e->x);
    }
}

static void do_mark(program *p) {
    if (p->n_marks < MARKS) p->marks[p->n_marks++] = tg_tape_mark(p->t);
}

static void do_rewind(program *p) {
    if (!p->n_marks) return;
    const entry *kept = pick(p, any_tensor);
    tg_tensor x = kept ? kept->x : (tg_tensor){0};
    if (kept) keep(p, kept);
    int to = (int)below(p, p->n_marks);
    tg_rewind(p->t, p->marks[to]);
    note_error(p, "rewind", true); /* effects may be pending */
    p->n_marks = to + 1;
    purge(p, false);
    if (tg_valid(x)) {
        observe(p, "kept", x);
        if (chance(p, 50)) tg_drop(x);
    }
    purge(p, false);
}

/* An error that shows when recorded, or when run; then work goes on. */
static void do_mistake(program *p) {
    const entry *e = pick(p, is_float);
    if (!e) return;
    if (chance(p, 50)) {
        tg_add(tg_zeros(p->t, TG_SHAPE(2, 3), TG_F32), tg_zeros(p->t, TG_SHAPE(4), TG_F32));
    } else {
        int64_t far[] = {1, 900000};
        tg_tensor y =
            tg_gather(tg_reshape(tg_relu(e->x), TG_SHAPE(tg_numel(e->x))), 0, tg_input(p->t, tg_i64(far, TG_SHAPE(2))));
        tg_data(y);
    }
    if (tg_ok(p->t)) fuzz_note(p->trace, "no error", TG_OK, TG_U8, NULL, 0);
    note_error(p, "mistake", true);
}

/* ------------------------------------------------------------------ recordings */

typedef struct action {
    int weight;
    const char *name;
    void (*run)(program *p);
} action;

/* clang-format off */
static const action actions[] = {
    {12, "input", leaf_input}, {3, "borrow", leaf_borrow}, {1, "borrow parameter", leaf_borrow_parameter},
    {3, "number", leaf_number}, {4, "constant", leaf_constant}, {10, "variable", leaf_variable},
    {3, "random", leaf_random}, {30, "unary", op_unary}, {8, "scale", op_number}, {30, "binary", op_binary},
    {6, "compare", op_compare}, {8, "where", op_where}, {6, "cast", op_cast}, {14, "reduce", op_reduce},
    {2, "argmax", op_argmax}, {5, "softmax", op_softmax}, {5, "loss", op_loss}, {8, "reshape", op_reshape},
    {8, "permute", op_permute}, {10, "slice", op_slice}, {6, "expand", op_expand}, {4, "squeeze", op_squeeze},
    {5, "join", op_join}, {5, "gather", op_gather}, {2, "one_hot", op_one_hot}, {10, "matmul", op_matmul},
    {2, "dropout", op_dropout}, {2, "stop", op_stop}, {2, "custom", op_custom}, {3, "twins", op_twins},
    {14, "gradient", op_gradient}, {8, "assign", do_assign}, {5, "update", do_update}, {4, "step", do_step},
    {1, "discard", do_discard}, {10, "ask", ask}, {4, "run", do_run}, {4, "keep", do_keep}, {3, "mark", do_mark},
    {3, "rewind", do_rewind}, {1, "mistake", do_mistake},
};
/* clang-format on */

static const action *any_action(program *p) {
    static const int count = sizeof actions / sizeof *actions;
    int total = 0, i = 0;
    for (int k = 0; k < count; k++) total += actions[k].weight;
    for (int64_t at = below(p, total); (at -= actions[i].weight) >= 0;) i++;
    return &actions[i];
}

/* For the log: the nodes that an action recorded, and the assignments that wait. */
static void print_recorded(const tg_tape *t, const char *action, uint32_t from) {
    char text[200];
    fprintf(stderr, "     [%s]\n", action);
    for (uint32_t id = from; id < t->n; id++) {
        uint32_t count;
        const uint32_t *in = tg__inputs(t, &t->nodes[id], &count);
        fprintf(stderr, "        %u %s", id, t->nodes[id].op->name);
        for (uint32_t i = 0; i < count && !t->nodes[id].op->source_fn; i++) fprintf(stderr, " %u", in[i]);
        fprintf(stderr, " -> %s\n", tg__node_text(t, id, text, sizeof text));
    }
    for (uint32_t i = 0; i < t->n_effects; i++)
        fprintf(stderr, "        %s = %u\n", t->effects[i].var->name, t->effects[i].value);
}

/* From action number `turn` on the choices are others. */
static void record(program *p, int length, int turn) {
    for (int i = 0; i < 3; i++) leaf_input(p);
    for (int i = 0; i < 2; i++) leaf_variable(p);
    for (int i = 0; i < length && tg_stats(p->t).nodes < MOST_NODES; i++) {
        if (i == turn) next(&p->choices);
        const action *a = any_action(p);
        uint32_t before = p->t->n;
        a->run(p);
        if (p->trace->log) print_recorded(p->t, a->name, before);
        note_error(p, a->name, false);
    }
    for (int i = 0; i < 3; i++) ask(p);
    if (chance(p, 70)) do_step(p);
    if (chance(p, 80)) tg_discard_effects(p->t);
    tg_tape_reset(p->t);
    note_error(p, "reset", true);
    tg_discard_effects(p->t);
    observe_variables(p);
    p->n = p->n_marks = p->n_kept = 0;
    while (p->n_borrowed) free(p->borrowed[--p->n_borrowed]);
}

/* ------------------------------------------------------------------ a whole program */

static void make_variables(program *p) {
    tg_init init = {.kind = TG_INIT_NORMAL, .b = .5};
    for (int i = 0; i < PARAMS; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        tg_shape s = i % 2 ? tg_shape_of(p->vars[i - 1]) : any_shape(p); /* pairs, to be swapped */
        p->vars[i] = tg_param(p->m, name, s, i < 4 ? TG_F32 : TG_F64, init);
    }
    p->vars[PARAMS] = tg_buffer(p->m, "buffer", tg_shape_of(p->vars[0]), TG_F32);
    p->vars[PARAMS + 1] = tg_state_new(p->t, tg_shape_of(p->vars[2]), TG_F32);
}

static void choose_sizes(program *p) {
    static const int64_t sizes[] = {2, 3, 4, 5, 7, 8, 16, 17, 31, 64, 100, 257, 1000, 1025, 2500, 4097};
    int kind = (int)below(p, 10), most = kind < 5 ? 8 : kind < 8 ? 11 : 16;
    p->most = kind < 5 ? 200 : kind < 8 ? 3000 : 40000;
    for (int i = 0; i < 4; i++) p->dims[i] = sizes[below(p, most)];
    p->dims[3] = sizes[below(p, 5)];
}

void fuzz_run(uint64_t seed, const fuzz_way *way, fuzz_trace *trace) {
    program p = {.choices = seed * 0x2545f4914f6cdd1du, .numbers = seed ^ 77, .trace = trace};
    choose_sizes(&p);
    p.t = tg_tape_new();
    p.m = tg_model_new(seed);
    p.t->debug_memory = way->poison;
    if (way->remat) p.t->remat = TG__REMAT_ALWAYS;
    tg_set_eager(p.t, way->eager);
    tg_set_threads(p.t, way->threads);
    tg_seed(p.t, seed);
    make_variables(&p);
    p.sgd = tg_sgd(p.m, (tg_sgd_config){.momentum = chance(&p, 50) ? .9 : 0, .common.clip_norm = chance(&p, 30) ? 1 : 0});
    p.adam = tg_adamw(p.m, (tg_adamw_config){.lr = .01, .common.clip_norm = chance(&p, 30) ? 1 : 0});
    p.special = chance(&p, 20);
    p.faults = way->faults;
    tg_check_finite(p.t, chance(&p, 10));
    for (int64_t recordings = 1 + below(&p, 3); recordings > 0; recordings--) {
        uint64_t start = next(&p.choices);
        int length = (int)(chance(&p, 30) ? 15 + below(&p, 20) : 40 + below(&p, 80));
        for (int again = 0; again < 5; again++) { /* planned anew, planned and cached, from the cache, otherwise, as before */
            p.choices = start;
            int turn = again == 3 ? (int)(start % (uint64_t)length) : length;
            if (p.faults) tg__alloc_fail_at(1 + next(&p.numbers) % 600, next(&p.numbers) % 8 == 0);
            record(&p, length, turn);
            tg__alloc_fail_at(0, false);
        }
    }
    uint64_t nodes = tg_stats(p.t).nodes_recorded;
    fuzz_note(trace, "nodes", TG_OK, TG_I64, &nodes, sizeof nodes);
    tg_optim_free(p.sgd);
    tg_optim_free(p.adam);
    tg_tape_free(p.t);
    tg_model_free(p.m);
}
