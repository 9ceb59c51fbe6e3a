/* tg_op_check: the battery that every op goes through, the library's and the user's. No op has test code of its own: its
 * samples
 * say what to feed it, its definition or reference what must come out, and the rest follows from the rules of tapegrad. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"

/* ------------------------------------------------------------------ tolerances */

#define TOLERANCE_ELEMENTWISE 1e-7
#define TOLERANCE_OTHER 1e-6
#define TOLERANCE_SECOND 1e-6
#define TOLERANCE_COARSE 1e-4 /* where the op itself rounds to f32 */
#define TOLERANCE_IDENTITY 1e-12
#define TOLERANCE_IDENTITY_COARSE 1e-6
#define TOLERANCE_F32_ELEMENTWISE 2e-6
#define TOLERANCE_F32_OTHER 1e-5
#define TOLERANCE_ULP 8.0 /* f32 of elementwise ops */
#define INPUT_ULP 2.0
#define TOLERANCE_IDENTITY_F32 1e-5
#define IDENTITIES 100 /* random pairs for <v, J u> = <J' v, u>, over all samples */
#define IDENTITIES_F32 4 /* of each sample; with TG_FULL as many as in f64 */

static bool is_coarse(const tg__result *r) {
    for (int k = 0; k < r->n_out; k++)
        if (r->y[k].dtype == TG_F32) return true;
    return false;
}

static double first_order_tolerance(const tg__check *c, const tg__result *r) {
    return is_coarse(r) ? TOLERANCE_COARSE : c->op->micro ? TOLERANCE_ELEMENTWISE : TOLERANCE_OTHER;
}

/* ------------------------------------------------------------------ cotangents */

static bool has_differentiable(const tg__point *p) {
    for (int i = 0; i < p->n; i++)
        if (tg__differentiable(p, i)) return true;
    return false;
}

static void draw_cotangents(tg__check *c, tg__point *p, const tg__result *r) {
    for (int k = 0; k < r->n_out; k++) {
        p->cotangent[k] = NULL;
        p->n_cotangent[k] = r->y[k].n;
        if (!tg_dtype_is_float(r->y[k].dtype)) continue;
        p->cotangent[k] = tg__check_take(c, (size_t)r->y[k].n * sizeof(double));
        for (int64_t e = 0; p->cotangent[k] && e < r->y[k].n; e++)
            p->cotangent[k][e] = tg__check_random(c, 0.25, 1) * (tg__check_random(c, 0, 1) < 0.5 ? -1 : 1);
    }
}

static void draw_tangents(tg__check *c, tg__point *p) {
    for (int i = 0; i < p->n; i++)
        for (int64_t e = 0; e < p->numel[i]; e++) p->tangent[i][e] = tg__check_random(c, -1, 1);
}

/* ------------------------------------------------------------------ <v, J u> = <J' v, u> */

static int identities_of_a_sample(const tg_op *op) {
    int n = 0;
    for (const tg_sample *s = op->samples; s && s->note; s++)
        for (int i = 0; i < TG_SAMPLE_INPUTS && s->in[i].kind; i++)
            if (s->in[i].kind == 'f' && tg_shape_numel(&s->in[i].shape) > 0) {
                n++;
                break;
            }
    return n ? (IDENTITIES + n - 1) / n : IDENTITIES;
}

static void check_identity(tg__check *c, tg__point *p, const tg__setting *s, int output, int rounds) {
    tg__setting q = *s;
    q.gradient = q.jvp = true;
    q.second = false;
    for (int round = 0; round < rounds && !c->no_memory; round++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        tg__result r = tg__trial(c, p, &q);
        if (round == 0 && !tg__verdict(c, !r.status, "jvp: %s %s", tg_status_name(r.status), r.message)) return;
        if (r.second_missing) {
            c->second_order_missing = true;
            return;
        }
        double left = 0, right = 0, size = 0;
        for (int64_t e = 0; e < r.jv.n; e++) {
            double part = p->cotangent[output][e] * tg__array_get(&r.jv, e);
            left += part;
            size += fabs(part);
        }
        for (int i = 0; i < p->n; i++)
            for (int64_t e = 0; e < r.g[i].n; e++) {
                double part = p->tangent[i][e] * tg__array_get(&r.g[i], e);
                right += part;
                size += fabs(part);
            }
        double tolerance = s->dtype == TG_F32 ? TOLERANCE_IDENTITY_F32
                           : is_coarse(&r)    ? TOLERANCE_IDENTITY_COARSE
                                              : TOLERANCE_IDENTITY;
        tg__verdict(c, fabs(left - right) <= tolerance * size,
                    "<v, J u> is %.15g, <J'v, u> is %.15g: the rule is not linear in the cotangent?", left, right);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
        draw_cotangents(c, p, &r);
        draw_tangents(c, p);
    }
}

/* The derivative of the gradients along u, in forward mode over backward, against backward over backward. */
static void check_forward_over(tg__check *c, const tg__point *p, const tg__result *r) {
    double left = 0, right = 0, size = 0;
    for (int i = 0; i < p->n; i++) {
        for (int64_t e = 0; e < r->jg[i].n; e++) {
            double part = p->weight[i][e] * tg__array_get(&r->jg[i], e);
            left += part;
            size += fabs(part);
        }
        for (int64_t e = 0; e < r->gg[i].n; e++) {
            double part = p->tangent[i][e] * tg__array_get(&r->gg[i], e);
            right += part;
            size += fabs(part) + fabs(p->weight[i][e] * tg__array_get(&r->g[i], e)); /* second derivatives of 0 are rounding */
        }
    }
    double tolerance = is_coarse(r) ? TOLERANCE_IDENTITY_COARSE : 100 * TOLERANCE_IDENTITY;
    tg__verdict(c, fabs(left - right) <= tolerance * size, "second order, forward over backward: <w, G u> is %.15g, not %.15g",
                left, right);
}

/* ------------------------------------------------------------------ derivatives of one sample, in f64 */

static bool expect_run(tg__check *c, const tg__result *r, const char *what) {
    const char *hint =
        r->status == TG_EINTERNAL && strstr(r->message, "gave a cotangent of shape") ? ": a missing broadcast sum?" : "";
    return tg__verdict(c, !r->status, "%s: %s %s%s", what, tg_status_name(r->status), r->message, hint);
}

/* Outputs that have a derivative: the first must; a later one that has none must say so. */
static unsigned differentiable_outputs(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *values) {
    unsigned outputs = 0;
    for (int k = 0; k < values->n_out; k++) {
        if (!tg_dtype_is_float(values->y[k].dtype)) continue;
        tg__setting q = *s;
        q.gradient = true;
        q.outputs = 1u << k;
        tg__result r = tg__trial(c, p, &q);
        if (k == 0 ? expect_run(c, &r, "gradient") : !r.status)
            outputs |= 1u << k;
        else if (k)
            tg__verdict(c, r.status == TG_ENOGRAD, "gradient of output %d: %s %s", k, tg_status_name(r.status), r.message);
    }
    return outputs;
}

static void check_order(tg__check *c, tg__point *p, tg__setting *s, int output) {
    double tolerance = 0;
    s->gradient = true;
    s->second = s->forward_over = true;
    tg__result r = tg__trial(c, p, s);
    s->forward_over = false;
    if (!expect_run(c, &r, "second order")) return;
    tolerance = first_order_tolerance(c, &r);
    tg__check_differences(c, p, s, &r, tolerance);
    if (r.second_missing)
        c->second_order_missing = true;
    else
        tg__check_second(c, p, s, &r, is_coarse(&r) ? TOLERANCE_COARSE : TOLERANCE_SECOND);
    if (!r.second_missing) check_forward_over(c, p, &r);
    if (output < 0) return;
    check_identity(c, p, s, output, identities_of_a_sample(c->op));
    if (c->second_order_missing) return;
    tg__setting narrow = *s;
    narrow.dtype = TG_F32;
    check_identity(c, p, &narrow, output, c->full ? identities_of_a_sample(c->op) : IDENTITIES_F32);
}

static void check_derivatives(tg__check *c, tg__point *p, tg__setting *s, const tg__result *values) {
    unsigned outputs = differentiable_outputs(c, p, s, values);
    for (int k = 0; k < values->n_out && !c->no_memory; k++) {
        if (!(outputs >> k & 1)) continue;
        s->outputs = 1u << k;
        check_order(c, p, s, k);
    }
    s->outputs = outputs;
    if (outputs & (outputs - 1)) check_order(c, p, s, -1);
}

/* Ops without derivative, and those that cut it, must say so. */
static void check_no_derivative(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *values) {
    tg__point q = *p;
    int n = 0;
    for (int i = 0; i < q.n; i++)
        if (q.in[i].kind == 'c') {
            q.in[i].kind = 'f';
            n++;
        }
    if (!n || !tg_dtype_is_float(values->y[0].dtype)) return;
    tg__setting g = *s;
    g.gradient = true;
    tg__result r = tg__trial(c, &q, &g);
    const tg_op *op = c->op;
    if (op->flags & TG_OP_CUT) {
        bool zero = !r.status;
        for (int i = 0; i < q.n; i++)
            for (int64_t e = 0; e < r.g[i].n && q.in[i].kind == 'f'; e++) zero = zero && tg__array_get(&r.g[i], e) == 0;
        tg__verdict(c, zero, "cuts gradients, and yet one flows: %s", r.message);
    } else if (!op->vjp && !op->define) {
        tg__verdict(c, r.status == TG_ENOGRAD, "has no derivative: %s should be TG_ENOGRAD: %s", tg_status_name(r.status),
                    r.message);
    }
}

/* ------------------------------------------------------------------ dtypes */

/* One element of the output for one of the input: nothing is summed. */
static bool is_each_alone(const tg__check *c, const tg__array *a, const tg__result *wide) {
    return c->op->micro && !(c->op->flags & TG_OP_BOOL_OUT) && tg_shape_equal(&a->shape, &wide->y[0].shape);
}

/* Large samples overflow f32 in some ops, such as products. */
static bool fits_f32(const tg__array *wide) {
    double largest = 0;
    for (int64_t i = 0; i < wide->n; i++) largest = fmax(largest, fabs(tg__array_get(wide, i)));
    return largest == 0 || (largest >= FLT_MIN && largest <= FLT_MAX);
}

static void compare_f32(tg__check *c, const tg__array *narrow, const tg__array *wide, const char *what) {
    if (!narrow->data || !wide->data || !fits_f32(wide)) return;
    char text[180];
    int64_t at;
    if (!tg_dtype_is_float(wide->dtype)) {
        double error = tg__relative_error(wide, narrow, 1, &at);
        tg__verdict(c, error == 0, "f32: %s: %s is %g, f64 says %g", what,
                    tg__element_text(&wide->shape, at, text, sizeof text), tg__array_get(narrow, at), tg__array_get(wide, at));
        return;
    }
    double tolerance = c->op->micro ? TOLERANCE_F32_ELEMENTWISE : TOLERANCE_F32_OTHER,
           error = tg__relative_error(wide, narrow, 1, &at);
    if (!(error <= c->report.worst_f32)) c->report.worst_f32 = error;
    tg__verdict(c, error <= tolerance, "f32: %s: %s is %.9g, f64 says %.9g", what,
                tg__element_text(&wide->shape, at, text, sizeof text), wide->n ? tg__array_get(narrow, at) : 0,
                wide->n ? tg__array_get(wide, at) : 0);
}

/* What f64 gives, and how far each element moves when the inputs move by INPUT_ULP. */
typedef struct exact {
    const tg__point *p;
    const tg__setting *s;
    const tg__result *r;
    double *moves[1 + TG_SAMPLE_INPUTS]; /* of the value and of the gradients; NULL until needed */
} exact;

static const tg__array *part_of(const tg__result *r, int part) { return part ? &r->g[part - 1] : &r->y[0]; }

static void add_moves(tg__check *c, exact *e, const tg__result *moved) {
    for (int part = 0; part <= TG_SAMPLE_INPUTS; part++) {
        const tg__array *a = part_of(e->r, part), *b = part_of(moved, part);
        if (!a->data || !b->data) continue;
        if (!e->moves[part]) {
            e->moves[part] = tg__check_take(c, (size_t)a->n * sizeof(double));
            for (int64_t i = 0; i < a->n && e->moves[part]; i++) e->moves[part][i] = 0;
        }
        for (int64_t i = 0; i < a->n && e->moves[part]; i++)
            e->moves[part][i] += fabs(tg__array_get(a, i) - tg__array_get(b, i));
    }
}

static void measure_moves(tg__check *c, exact *e) {
    for (int i = 0; i < e->p->n; i++) {
        if (!tg__is_float_kind(e->p->in[i].kind)) continue;
        tg__point q = tg__point_copy(c, e->p);
        for (int64_t k = 0; k < q.numel[i] && !c->no_memory; k++) q.x[i][k] *= 1 + INPUT_ULP * 0x1p-23;
        tg__result moved = tg__trial(c, &q, e->s);
        if (!moved.status) add_moves(c, e, &moved);
    }
}

/* In units of the last place. Where the exact function moves by more than TOLERANCE_ULP of them when the inputs move by
 * INPUT_ULP, as next to a zero, that movement is what is allowed: the result is the exact one of such inputs (mixed stability:
 * Higham 2002, Accuracy and stability of numerical algorithms, section 1.5). */
static void check_ulp(tg__check *c, exact *e, int part, const tg__array *narrow, const char *what, double *worst) {
    const tg__array *wide = part_of(e->r, part);
    int64_t at;
    if (!narrow->data || !wide->data || !tg_dtype_is_float(wide->dtype) || !is_each_alone(c, wide, e->r)) return;
    double error = tg__ulp_error(wide, narrow, NULL, 0, &at);
    if (!(error <= TOLERANCE_ULP)) {
        if (!e->moves[0]) measure_moves(c, e);
        error = tg__ulp_error(wide, narrow, e->moves[part], TOLERANCE_ULP, &at);
    }
    char text[180];
    *worst = fmax(*worst, error);
    tg__verdict(c, error <= TOLERANCE_ULP, "f32: %s: %s is %.9g, f64 says %.9g: %.1f units in the last place", what,
                tg__element_text(&wide->shape, at, text, sizeof text), wide->n ? tg__array_get(narrow, at) : 0,
                wide->n ? tg__array_get(wide, at) : 0, error);
}

static void check_f32(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *narrow,
                      const tg__result *wide) {
    char what[40];
    tg__setting first = *s;
    first.jvp = first.second = first.forward_over = false;
    exact e = {p, &first, wide, {NULL}};
    for (int k = 0; k < wide->n_out; k++) {
        snprintf(what, sizeof what, k ? "output %d" : "the value", k);
        compare_f32(c, &narrow->y[k], &wide->y[k], what);
        if (k == 0) check_ulp(c, &e, 0, &narrow->y[k], what, &c->report.ulp_value);
    }
    for (int i = 0; i < TG_SAMPLE_INPUTS; i++) {
        snprintf(what, sizeof what, "d/d input %d", i);
        compare_f32(c, &narrow->g[i], &wide->g[i], what);
        check_ulp(c, &e, 1 + i, &narrow->g[i], what, &c->report.ulp_gradient);
    }
}

/* Elementwise ops that take whole numbers, too: on small ones, against the reference. */
static void check_whole_numbers(tg__check *c, const tg__point *p) {
    static const tg_dtype dtypes[] = {TG_I32, TG_I64, TG_U8, TG_BOOL};
    const tg_op *op = c->op;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes && op->micro && op->ref; i++) {
        tg_dtype d = dtypes[i];
        if (!op->micro->fn[TG_ISA_ANY][d] || op->flags & (TG_OP_FLOAT_ONLY | TG_OP_BOOL_IN)) continue;
        tg__point q = tg__point_copy(c, p);
        for (int k = 0; k < q.n && !c->no_memory; k++)
            for (int64_t e = 0; e < q.numel[k] && tg__is_float_kind(q.in[k].kind); e++) {
                double x = d == TG_BOOL ? q.x[k][e] > 0 : trunc(4 * q.x[k][e]);
                q.x[k][e] = d == TG_U8 ? fabs(x) : x;
            }
        tg__setting s = tg__setting_of(d);
        tg__result r = tg__trial(c, &q, &s);
        if (tg__verdict(c, !r.status, "%s: %s %s", tg_dtype_name(d), tg_status_name(r.status), r.message)) {
            tg__check_oracle(c, &q, &s, &r);
            tg__check_direct(c, &q, d, &r);
        }
    }
}

/* ------------------------------------------------------------------ one input shared by two nodes */

/* The gradient of an input that two nodes read is the sum of what they give: recorded as one sum, perhaps merged by op->sum. */
static void check_shared(tg__check *c, const tg__point *p, const tg__setting *s) {
    const tg_op *op = c->op;
    if (op->n_out > 1 || c->no_memory) return;
    tg__point other = tg__point_copy(c, p);
    tg__point_draw(c, &other);
    memcpy(other.cotangent, p->cotangent, sizeof other.cotangent);
    if (c->no_memory) return;
    for (int i = 0; i < p->n; i++) {
        if (!tg__differentiable(p, i) || !p->numel[i]) continue;
        tg__point q = other;
        q.x[i] = p->x[i];
        for (int j = 0; j < p->n; j++)
            if (!tg__is_float_kind(p->in[j].kind)) q.x[j] = p->x[j];
        tg__setting g = *s;
        g.gradient = true;
        g.jvp = g.second = false;
        tg__result one = tg__trial(c, p, &g), two = tg__trial(c, &q, &g);
        if (one.status || two.status || c->no_memory) return;
        tg_clear(c->tape);
        tg_tape_reset(c->tape);
        tg_tensor in[TG_SAMPLE_INPUTS], y[2], v[2], x;
        for (int k = 0; k < p->n; k++)
            in[k] = tg__layout_record(c, TG__PACKED, p->x[k], &p->in[k].shape, tg__kind_dtype(p->in[k].kind, s->dtype));
        x = in[i];
        y[0] = tg_apply(c->tape, op, p->attr, in, p->n);
        for (int k = 0; k < p->n; k++)
            if (k != i)
                in[k] = tg__layout_record(c, TG__PACKED, q.x[k], &p->in[k].shape, tg__kind_dtype(p->in[k].kind, s->dtype));
        y[1] = tg_apply(c->tape, op, p->attr, in, p->n);
        for (int k = 0; k < 2; k++) {
            tg_shape shape = tg_shape_of(y[k]);
            v[k] = tg__layout_record(c, TG__PACKED, p->cotangent[0], &shape, tg_dtype_of(y[k]));
        }
        tg_tensor number = tg_scalar(c->tape, 0, TG_F64), g_sum;
        if (!tg_depends(y[0], x)) continue;
        tg_grad(tg_custom_grad(number, y, 2, tg__check_cotangents, v), &x, 1, &g_sum);
        const double *sum = s->dtype == TG_F64 ? tg_data(g_sum) : NULL;
        if (!tg__verdict(c, tg_ok(c->tape), "input %d read by two nodes: %s", i, tg_message(c->tape)) || !sum) return;
        double worst = 0, largest = 0;
        for (int64_t e = 0; e < one.g[i].n; e++) {
            double a = tg__array_get(&one.g[i], e), b = tg__array_get(&two.g[i], e);
            largest = fmax(largest, fabs(a) + fabs(b));
            worst = fmax(worst, fabs(sum[e] - (a + b)));
        }
        double tolerance = is_coarse(&one) ? TOLERANCE_COARSE : 1e-13;
        tg__verdict(c, worst <= tolerance * largest,
                    "input %d read by two nodes: its gradient is off the sum of what they give by %g", i, worst);
    }
}

/* ------------------------------------------------------------------ samples */

static void check_flops(tg__check *c, const tg__point *p, const tg__result *r) {
    if (!c->op->flops) return;
    const tg_shape *in[TG_SAMPLE_INPUTS];
    for (int i = 0; i < p->n; i++) in[i] = &p->in[i].shape;
    double flops = c->op->flops(in, p->n, &r->y[0].shape, p->attr);
    tg__verdict(c, flops >= 0 && isfinite(flops), "counts %g operations", flops);
}

static void check_sample(tg__check *c, const tg_sample *sample) {
    tg__check_at(c, "sample '%s': ", sample->note);
    tg__point p = tg__point_of(c, sample);
    tg__setting wide = tg__setting_of(TG_F64), narrow = tg__setting_of(TG_F32);
    tg__result values = tg__trial(c, &p, &wide);
    if (!tg__verdict(c, !values.status, "%s %s", tg_status_name(values.status), values.message)) return;
    tg__check_oracle(c, &p, &wide, &values);
    tg__check_direct(c, &p, TG_F64, &values);
    check_flops(c, &p, &values);
    draw_cotangents(c, &p, &values);
    if (has_differentiable(&p))
        check_derivatives(c, &p, &wide, &values);
    else
        check_no_derivative(c, &p, &wide, &values);

    bool second = !c->second_order_missing;
    wide.gradient = has_differentiable(&p) && wide.outputs;
    wide.jvp = wide.second = wide.gradient && second;
    wide.jvp = wide.jvp && !(wide.outputs & (wide.outputs - 1));
    narrow.outputs = wide.outputs, narrow.gradient = wide.gradient, narrow.jvp = wide.jvp, narrow.second = wide.second;
    tg__result in64 = tg__trial(c, &p, &wide), in32 = tg__trial(c, &p, &narrow);
    if (in64.status) return; /* said above */
    tg__check_layouts(c, &p, &wide, &in64);
    if (!tg__verdict(c, !in32.status, "f32: %s %s", tg_status_name(in32.status), in32.message)) return;
    check_f32(c, &p, &wide, &in32, &in64);
    tg__check_direct(c, &p, TG_F32, &in32);
    tg__check_layouts(c, &p, &narrow, &in32);
    check_whole_numbers(c, &p);
    if (wide.gradient) check_shared(c, &p, &wide);
}

/* ------------------------------------------------------------------ other sizes */

/* Values and gradients at a size that the samples do not have. The op may refuse it. */
static tg__result try_size(tg__check *c, tg__point *p, tg__setting *s) {
    tg__result r = tg__trial(c, p, s);
    if (r.status) {
        tg__verdict(c, r.status != TG_EINTERNAL, "%s", r.message);
        return r;
    }
    draw_cotangents(c, p, &r);
    s->gradient = has_differentiable(p) && tg_dtype_is_float(r.y[0].dtype);
    s->outputs = 1;
    r = tg__trial(c, p, s);
    tg__verdict(c, !r.status, "%s %s", tg_status_name(r.status), r.message);
    return r;
}

static void small_size(tg__check *c, tg__point p) {
    tg__setting s = tg__setting_of(TG_F64);
    tg__result r = try_size(c, &p, &s);
    if (r.status) return;
    tg__check_oracle(c, &p, &s, &r);
    tg__setting eager = s;
    eager.eager = true;
    tg__result e = tg__trial(c, &p, &eager);
    tg__same_results(c, &e, &r, "eager");
}

#define LARGE 40000 /* elements of the largest operand, about: more than a thread's worth for every op */

/* Elements of the largest input or output where dimensions of `from` become `to`; 0 if the op refuses. Nothing runs. */
static double largest_operand(tg__check *c, const tg__point *p, int64_t from, int64_t to) {
    tg_clear(c->tape);
    tg_tape_reset(c->tape);
    tg_set_eager(c->tape, false);
    tg_tensor in[TG_SAMPLE_INPUTS], out[TG_MAX_OUTPUTS];
    int n_out = c->op->n_out > 1 ? c->op->n_out : 1;
    double most = 0;
    for (int i = 0; i < p->n; i++) {
        tg_shape s = p->in[i].shape;
        double n = 1;
        for (int a = 0; a < s.rank; a++) {
            if (s.dims[a] == from) s.dims[a] = to;
            n *= (double)s.dims[a];
        }
        in[i] = tg__constant(c->tape, 0, &s, tg__kind_dtype(p->in[i].kind, TG_F32));
        most = fmax(most, n);
    }
    if (tg_apply_n(c->tape, c->op, p->attr, in, p->n, out)) return 0;
    for (int k = 0; k < n_out; k++) most = fmax(most, (double)tg_numel(out[k]));
    return most;
}

static int64_t large_dimension(tg__check *c, const tg__point *p, int64_t from) {
    int64_t to = from;
    for (double n; (n = largest_operand(c, p, from, 2 * to)) > 0 && n <= LARGE && to < LARGE;) to *= 2;
    return to + 1; /* no power of two, nor a multiple of any register */
}

static void large_size(tg__check *c, tg__point p) {
    tg__setting s = tg__setting_of(TG_F32);
    tg__result r = try_size(c, &p, &s);
    if (r.status) return;
    tg__setting wide = s;
    wide.dtype = TG_F64;
    tg__result exact = tg__trial(c, &p, &wide);
    if (tg__verdict(c, !exact.status, "f64: %s %s", tg_status_name(exact.status), exact.message))
        check_f32(c, &p, &wide, &r, &exact);
    for (int i = 0; i < TG__TEAMS; i++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        tg__setting q = s;
        q.threads = tg__teams[i];
        char how[40];
        snprintf(how, sizeof how, "%d threads", tg__teams[i]);
        tg__result other = tg__trial(c, &p, &q);
        tg__same_results(c, &other, &r, how);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
    s.eager = true;
    tg__result e = tg__trial(c, &p, &s);
    tg__same_results(c, &e, &r, "eager");
}

static bool first_time(int64_t *seen, int *n, int64_t d) {
    for (int i = 0; i < *n; i++)
        if (seen[i] == d) return false;
    if (*n < 8) seen[(*n)++] = d;
    return true;
}

static void other_sizes(tg__check *c, const tg_sample *sample) {
    tg__point p = tg__point_of(c, sample);
    int64_t seen[8];
    int n = 0;
    for (int i = 0; i < p.n; i++)
        for (int a = 0; a < p.in[i].shape.rank && !c->no_memory; a++) {
            int64_t d = p.in[i].shape.dims[a];
            if (d < 2 || n == 8 || !first_time(seen, &n, d)) continue;
            tg__arena_mark mark = tg__arena_at(&c->memory);
            tg__check_at(c, "sample '%s', dimensions of %lld made 0: ", sample->note, (long long)d);
            small_size(c, tg__point_resized(c, &p, d, 0));
            int64_t large = large_dimension(c, &p, d);
            tg__check_at(c, "sample '%s', dimensions of %lld made %lld: ", sample->note, (long long)d, (long long)large);
            large_size(c, tg__point_resized(c, &p, d, large));
            if (!c->no_memory) tg__arena_back(&c->memory, mark);
        }
    if (!c->op->micro) return;
    tg__check_at(c, "sample '%s' in rank 0: ", sample->note);
    small_size(c, tg__point_scalar(c, &p));
}

static void check_samples(tg__check *c) {
    for (const tg_sample *s = c->op->samples; s && s->note && !c->no_memory; s++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        c->random = (uint64_t)(s - c->op->samples + 1) << 32;
        check_sample(c, s);
        if (s == c->op->samples && !c->no_memory) other_sizes(c, s);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
}

/* ------------------------------------------------------------------ the battery */

static bool can_run(const tg_op *op) {
    int ways = !!op->micro + !!op->view + !!op->kernel + !!op->source_fn;
    return op->name && (ways == 1 || (ways == 0 && op->define)) && (op->infer || op->micro || op->define);
}

int tg_op_check(const tg_op *op, FILE *out, bool verbose, tg_op_report *report) {
    if (!op) return -1;
    tg__check c = {.op = op, .out = out, .verbose = verbose, .random = 1, .tape = tg_tape_new()};
    if (!c.tape) return -1;
    const char *full = getenv("TG_FULL");
    c.full = full && *full == '1';
    tg__check_descriptor(&c);
    if (can_run(op)) {
        tg__check_bad(&c);
        if (op->source_fn)
            tg__check_source(&c);
        else
            check_samples(&c);
    }
    if (c.second_order_missing) c.report.worst_order2 = NAN;
    tg_tape_free(c.tape);
    tg__arena_free(&c.memory);
    if (report) *report = c.report;
    return c.no_memory ? -1 : c.report.failures;
}
