/* tests/mutants.c: wrong derivative rules, made from the right ones of every op in the list: each must be rejected, by the full
 * check, by the fast one, and by the battery.
 *
 * A mutant is a function: the op, with a gradient that is the right one changed. What a change leaves equal is no mistake
 * (the transposed of a symmetric matrix): a mutant whose gradients are the right ones bit for bit at several random points is
 * passed over, and counted by kind with the reason that its kind gives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "tapegrad/check.h"
#include "tests/test.h"

#include <tapegrad.h>

/* X(kind, what an equal mutant of the kind means) */
#define KIND_MAP(X)                                                            \
    X(sign, "the gradient is zero")                                            \
    X(factor, "the gradient is zero")                                          \
    X(small_factor, "the gradient is zero")                                    \
    X(dropped_term, "the gradient is zero")                                    \
    X(dropped_part, "one element, or its first half is zero")                  \
    X(transposed, "fewer than two long axes, or a symmetric gradient")         \
    X(mean_for_sum, "as many elements in as out: nothing is summed")           \
    X(one_of_sum, "as many elements in as out: nothing is summed")             \
    X(stale_value, "the gradient does not depend on values: a linear op")      \
    X(wrong_index, "one element, or all of them equal")                        \
    X(wrong_input, "one input, inputs of several shapes, or equal gradients")  \
    X(cotangent_ignored, "one element out: random cotangents still differ")    \
    X(second_order_cut, "the gradient does not depend on values: a linear op")

typedef enum kind {
#define ROW(name, reason) name,
    KIND_MAP(ROW)
#undef ROW
        KINDS
} kind;

static const char *const kind_names[] = {
#define ROW(name, reason) #name,
    KIND_MAP(ROW)
#undef ROW
};

static const char *const kind_reasons[] = {
#define ROW(name, reason) reason,
    KIND_MAP(ROW)
#undef ROW
};

/* ------------------------------------------------------------------ a mutant as a function */

typedef struct mutant {
    const tg_op *op;
    const void *attr;
    kind kind;
    int input; /* whose gradient is changed */
    bool off;  /* the right gradient */
    uint64_t fixed; /* bits: floats without derivative */
} mutant;

static tg_tensor turned(tg_tensor c) {
    tg_shape s = tg_shape_of(c);
    if (s.rank < 2) return c;
    tg_axes axes = {s.rank, {0}};
    for (int i = 0; i < s.rank; i++) axes.axis[i] = i;
    axes.axis[s.rank - 1] = s.rank - 2;
    axes.axis[s.rank - 2] = s.rank - 1;
    return tg_reshape(tg_permute(c, axes), s);
}

static tg_tensor moved_by_one(tg_tensor c) {
    int64_t n = tg_numel(c);
    if (n < 2) return c;
    tg_tensor flat = tg_reshape(c, TG_SHAPE(n));
    tg_tensor parts[2] = {tg_slice(flat, 0, 1, n, 1), tg_slice(flat, 0, 0, 1, 1)};
    return tg_reshape(tg_concat(parts, 2, 0), tg_shape_of(c));
}

static tg_tensor without_half(tg_tensor c) {
    int64_t n = tg_numel(c);
    if (n < 2) return c;
    tg_tensor flat = tg_reshape(c, TG_SHAPE(n));
    tg_tensor parts[2] = {tg_scale(tg_slice(flat, 0, 0, n / 2, 1), 0), tg_slice(flat, 0, n / 2, n, 1)};
    return tg_reshape(tg_concat(parts, 2, 0), tg_shape_of(c));
}

/* The right gradients at xs; owner NULL where there is none. */
static void right_gradients(const mutant *m, tg_tensor g, const tg_tensor *xs, int n, tg_tensor *gs) {
    tg_tensor in[TG_SAMPLE_INPUTS] = {0}, targets[TG_SAMPLE_INPUTS], found[TG_SAMPLE_INPUTS];
    int which[TG_SAMPLE_INPUTS], k = 0;
    for (int i = 0; i < n; i++) {
        in[i] = tg__identity(xs[i]); /* derivatives end here */
        gs[i] = (tg_tensor){0};
        if (m->fixed >> i & 1 || !tg_dtype_is_float(tg_dtype_of(xs[i]))) continue;
        which[k] = i;
        targets[k++] = in[i];
    }
    tg_tensor y = tg_apply(NULL, m->op, m->attr, in, n);
    if (tg__vjp_where(TG_HERE, y, g, targets, k, found)) return;
    for (int i = 0; i < k; i++) gs[which[i]] = found[i];
}

static void at_other_values(const mutant *m, tg_tensor g, const tg_tensor *xs, int n, tg_tensor *gs) {
    tg_tensor in[TG_SAMPLE_INPUTS];
    for (int i = 0; i < n; i++) in[i] = tg_dtype_is_float(tg_dtype_of(xs[i])) ? tg_scale(xs[i], 1.01) : xs[i];
    right_gradients(m, g, in, n, gs);
}

static tg_tensor changed(const mutant *m, tg_tensor g, tg_tensor c, const tg_tensor *gs, int n) {
    double ratio = (double)tg_numel(g) / (double)(tg_numel(c) ? tg_numel(c) : 1);
    switch (m->kind) {
    case sign: return tg_neg(c);
    case factor: return tg_scale(c, 2);
    case small_factor: return tg_scale(c, 1 + 1e-5);
    case dropped_term: return tg_scale(c, 0);
    case dropped_part: return without_half(c);
    case transposed: return turned(c);
    case mean_for_sum: return ratio == 1 ? c : tg_scale(c, ratio > 1 ? 1 / ratio : ratio);
    case one_of_sum: return ratio == 1 ? c : tg_scale(c, ratio > 1 ? 1 - 1 / ratio : 1 - ratio);
    case wrong_index: return moved_by_one(c);
    case second_order_cut: return tg_stop_gradient(c);
    case wrong_input:
        for (int i = 0; i < n; i++) {
            tg_shape a = tg_shape_of(c), b = tg_shape_of(gs[i]);
            if (i != m->input && gs[i].owner && tg_shape_equal(&a, &b)) return gs[i];
        }
        return c;
    default: return c;
    }
}

static void mutated_gradient(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y;
    const mutant *m = user;
    tg_tensor right[TG_SAMPLE_INPUTS], wrong[TG_SAMPLE_INPUTS];
    right_gradients(m, g, xs, n, right);
    memcpy(gs, right, (size_t)n * sizeof *gs);
    if (m->off || !right[m->input].owner) return;
    if (m->kind == stale_value) at_other_values(m, g, xs, n, wrong);
    if (m->kind == cotangent_ignored) right_gradients(m, tg_ones(tg_tape_of(g), tg_shape_of(g), tg_dtype_of(g)), xs, n, wrong);
    bool whole = m->kind == stale_value || m->kind == cotangent_ignored;
    gs[m->input] = whole ? wrong[m->input] : changed(m, g, right[m->input], right, n);
}

static tg_tensor mutated(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    const mutant *m = user;
    return tg_custom_grad(tg_apply(t, m->op, m->attr, xs, n), xs, n, mutated_gradient, user);
}

/* ------------------------------------------------------------------ points */

typedef struct points {
    tg__check c;
    tg_array in[TG_SAMPLE_INPUTS];
    int n;
} points;

static tg_array input_of(tg__check *c, const tg__point *p, int i) {
    tg_dtype d = tg__kind_dtype(p->in[i].kind, TG_F64);
    tg__array a = tg__check_array(c, d, &p->in[i].shape);
    for (int64_t e = 0; e < a.n; e++) tg__array_set(&a, e, p->x[i][e]);
    return (tg_array){d, a.shape, a.data};
}

static void draw(points *p, const tg_sample *s) {
    tg__point drawn = tg__point_of(&p->c, s);
    p->n = drawn.n;
    for (int i = 0; i < p->n; i++) p->in[i] = input_of(&p->c, &drawn, i);
}

/* First and second derivatives of the mutant at a point, for given cotangents. */
static int64_t derivatives_at(points *p, const mutant *m, double *out, int64_t room) {
    tg_tape *t = p->c.tape;
    tg_clear(t);
    tg_tape_reset(t);
    tg_tensor xs[TG_SAMPLE_INPUTS], floats[TG_SAMPLE_INPUTS], gs[TG_SAMPLE_INPUTS], hs[TG_SAMPLE_INPUTS];
    int k = 0;
    for (int i = 0; i < p->n; i++) {
        xs[i] = tg_input(t, p->in[i]);
        if (tg_dtype_is_float(p->in[i].dtype)) floats[k++] = xs[i];
    }
    tg_tensor y = mutated(t, xs, p->n, (void *)(uintptr_t)m);
    int64_t n = tg_numel(y), at = 0;
    double *v = tg__check_take(&p->c, (size_t)n * sizeof *v);
    for (int64_t e = 0; v && e < n; e++) v[e] = sin(1 + 2.3 * (double)e) + 0.1;
    if (!tg_ok(t) || tg__vjp_where(TG_HERE, y, tg_input(t, tg_f64(v, tg_shape_of(y))), floats, k, gs)) return -1;
    for (int i = 0; i < k; i++) {
        int64_t size = tg_numel(floats[i]);
        if (!gs[i].owner || at + size > room) continue;
        if (tg_read(gs[i], out + at, (size_t)size * sizeof *out)) return -1;
        at += size;
        tg_tensor w = tg_sin(tg_add_scalar(tg_cast(tg_reshape(tg_arange(t, size, TG_I64), tg_shape_of(gs[i])), TG_F64), 0.4));
        if (tg__vjp_where(TG_HERE, gs[i], w, floats, k, hs)) return -1;
        for (int j = 0; j < k; j++) {
            int64_t part = tg_numel(floats[j]);
            if (!hs[j].owner || at + part > room) continue;
            if (tg_read(hs[j], out + at, (size_t)part * sizeof *out)) return -1;
            at += part;
        }
    }
    return at;
}

#define ROOM 4096

/* Whether both have the same derivatives, to rounding: a mutant may scale and scale back. */
static bool same_derivatives(points *p, const mutant *m) {
    static double a[ROOM], b[ROOM];
    mutant right = *m;
    right.off = true;
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    int64_t n = derivatives_at(p, m, a, ROOM), k = derivatives_at(p, &right, b, ROOM);
    double largest = 0, worst = n == k ? 0 : INFINITY;
    for (int64_t i = 0; i < ROOM; i++) {
        largest = fmax(largest, fabs(b[i]));
        worst = fmax(worst, fabs(a[i] - b[i]));
    }
    if (n != k) /* one has zeros that the other does not record: compare what there is, if all of that is zero */
        return largest == 0 && worst == 0;
    return worst <= 1e-13 * largest;
}

#define POINTS 3

/* If not, p is a point where they differ. */
static bool is_equivalent(points *p, const mutant *m, const tg_sample *s) {
    for (int i = 0; i < POINTS; i++) {
        draw(p, s);
        if (!same_derivatives(p, m)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ the battery on a mutant */

static const mutant *current;

static tg_tensor define_current(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)attr;
    return mutated(t, in, n, (void *)(uintptr_t)current);
}

#define BATTERY_OF 16 /* one in so many mutants goes through the battery, too, which takes longest; with TG_FULL all */
#define COPIES 6 /* of the sample, each with other values */

static int battery(const mutant *m, const tg_sample *s, int copies) {
    tg_sample samples[COPIES + 1] = {{.note = NULL}};
    for (int i = 0; i < copies; i++) samples[i] = *s;
    tg_op op = *m->op;
    op.micro = NULL, op.view = NULL, op.kernel = NULL, op.vjp = NULL, op.sum = NULL, op.scratch = NULL, op.fold = TG_FOLD_NONE;
    op.flags = 0;
    op.define = define_current;
    op.samples = samples;
    op.bad = NULL;
    current = m;
    tg_op_report r;
    int failures = tg_op_check(&op, NULL, false, &r);
    return failures - 1; /* no wrong inputs */
}

/* ------------------------------------------------------------------ every op */

typedef struct score {
    int mutants, killed, killed_fast, battery, killed_battery, equal[KINDS], ops;
} score;

/* The differentiable sample with the fewest elements that still tells them apart. */
static const tg_sample *small_sample(const tg_op *op) {
    const tg_sample *best = NULL;
    int64_t fewest = INT64_MAX;
    for (const tg_sample *s = op->samples; s && s->note && op->n_out <= 1 && !(op->flags & TG_OP_CUT); s++) {
        int64_t floats = 0, least = INT64_MAX;
        for (int i = 0; i < TG_SAMPLE_INPUTS && s->in[i].kind; i++) {
            if (s->in[i].kind != 'f') continue;
            int64_t n = tg_shape_numel(&s->in[i].shape);
            floats += n;
            least = n < least ? n : least;
        }
        if (floats == 0 || (best && (least < 4 || floats >= fewest))) continue;
        best = s;
        fewest = least < 4 ? INT64_MAX : floats;
    }
    return best;
}

static void try_mutant(points *p, score *sum, const mutant *m, const tg_sample *s) {
    if (is_equivalent(p, m, s)) {
        sum->equal[m->kind]++;
        return;
    }
    sum->mutants++;
    tg_gradcheck_report r, f;
    tg_gradcheck_options whole = {.fixed = m->fixed}, quick = {.fixed = m->fixed, .fast = true};
    int full = tg_gradcheck(mutated, (void *)(uintptr_t)m, p->in, p->n, &whole, &r);
    int fast = tg_gradcheck(mutated, (void *)(uintptr_t)m, p->in, p->n, &quick, &f);
    bool skipped = !getenv("TG_FULL") && (sum->mutants - 1) % BATTERY_OF;
    int battery_says = skipped ? 1 : battery(m, s, 1);
    if (battery_says <= 0) battery_says = battery(m, s, COPIES); /* one that shows at few points only */
    sum->killed += full > 0;
    sum->killed_fast += fast > 0;
    sum->battery += !skipped;
    sum->killed_battery += !skipped && battery_says > 0;
    CHECK(full > 0 && fast > 0 && battery_says > 0, "%s, input %d, %s: lives (%d %s; fast %d %s; battery %d)", m->op->name,
          m->input, kind_names[m->kind], full, r.text, fast, f.text, battery_says);
}

static bool gives_f64(points *p, const tg_op *op, const tg_sample *s) {
    tg_tensor xs[TG_SAMPLE_INPUTS];
    tg_clear(p->c.tape);
    tg_tape_reset(p->c.tape);
    for (int i = 0; i < p->n; i++) xs[i] = tg_input(p->c.tape, p->in[i]);
    return tg_dtype_of(tg_apply(p->c.tape, op, s->attr, xs, p->n)) == TG_F64;
}

static void mutate_op(points *p, score *sum, const tg_op *op) {
    const tg_sample *s = small_sample(op);
    if (!s) return;
    draw(p, s);
    if (!gives_f64(p, op, s)) return; /* what rounds to f32 has no measurable slope */
    sum->ops++;
    uint64_t fixed = 0;
    for (int i = 0; i < p->n; i++) fixed |= (uint64_t)(s->in[i].kind == 'c') << i;
    mutant right = {op, s->attr, sign, 0, true, fixed};
    tg_gradcheck_report r;
    int failures = tg_gradcheck(mutated, &right, p->in, p->n, &(tg_gradcheck_options){.fixed = fixed}, &r);
    CHECK(failures == 0, "%s, not changed: %s", op->name, r.text);
    for (int input = 0; input < p->n; input++)
        for (kind k = 0; k < KINDS && s->in[input].kind == 'f'; k++) {
            tg__arena_mark mark = tg__arena_at(&p->c.memory);
            try_mutant(p, sum, &(mutant){op, s->attr, k, input, false, fixed}, s);
            tg__arena_back(&p->c.memory, mark);
        }
}

TEST(mutants, all_are_rejected) {
    points p = {.c = {.random = 1, .tape = tg_tape_new()}};
    score sum = {0};
    for (int i = 0; i < tg_op_count(); i++) mutate_op(&p, &sum, tg_op_get(i));
    CHECK(sum.mutants >= 200, "only %d wrong rules", sum.mutants);
    CHECK(sum.killed == sum.mutants && sum.killed_fast == sum.mutants && sum.killed_battery == sum.battery, "some live");
    printf("  %d wrong rules of %d ops: %d rejected, %d by the fast check, %d of %d by the battery\n", sum.mutants, sum.ops,
           sum.killed, sum.killed_fast, sum.killed_battery, sum.battery);
    for (int k = 0; k < KINDS; k++)
        if (sum.equal[k]) printf("  %d of kind %s are right: %s\n", sum.equal[k], kind_names[k], kind_reasons[k]);
    tg_tape_free(p.c.tape);
    tg__arena_free(&p.c.memory);
}
