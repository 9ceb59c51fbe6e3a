/* The value against what it should be: the op's definition, run node by node, or its naive reference. */
#include <math.h>

#include "check.h"

#define FLOOR 1e-3

static void compare(tg__check *c, const tg__array *got, const tg__array *want, double tolerance, const char *what) {
    int64_t at;
    char text[180], other[180];
    if (!tg__verdict(c, tg_shape_equal(&got->shape, &want->shape), "the value has shape %s, %s has %s",
                     tg__shape_text(&got->shape, text, sizeof text), what, tg__shape_text(&want->shape, other, sizeof other)))
        return;
    double error = tg__relative_error(want, got, FLOOR, &at);
    if (error <= tolerance) {
        tg__verdict(c, true, "the value is that of %s, within %.1e", what, error);
        return;
    }
    double *a = tg__check_take(c, (size_t)got->n * sizeof *a), *b = tg__check_take(c, (size_t)got->n * sizeof *b);
    for (int64_t i = 0; a && b && i < got->n; i++) {
        a[i] = tg__array_get(got, i);
        b[i] = tg__array_get(want, i);
    }
    char why[TG__DIAGNOSIS] = "";
    if (a && b) tg__diagnose(why, a, b, &got->shape);
    tg__verdict(c, false, "%s is %.12g, %s says %.12g%s", tg__element_text(&got->shape, at, text, sizeof text),
                tg__array_get(got, at), what, tg__array_get(want, at), why);
}

static double tolerance_of(const tg__array *y) { return y->dtype == TG_F64 ? 1e-12 : y->dtype == TG_F32 ? 3e-6 : 0; }

static void by_definition(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    tg__setting q = *s;
    q.define = q.eager = true;
    q.gradient = q.jvp = q.second = false;
    tg__result r = tg__trial(c, p, &q);
    if (!tg__verdict(c, !r.status, "the definition: %s %s", tg_status_name(r.status), r.message)) return;
    if (tg__verdict(c, r.y[0].dtype == base->y[0].dtype, "the value is %s, the definition %s", tg_dtype_name(base->y[0].dtype),
                    tg_dtype_name(r.y[0].dtype)))
        compare(c, &base->y[0], &r.y[0], 10 * tolerance_of(&base->y[0]), "the definition");
}

typedef struct packed_operands {
    tg_operand op[TG_SAMPLE_INPUTS + TG_MAX_OUTPUTS];
    tg__array memory[TG_SAMPLE_INPUTS + TG_MAX_OUTPUTS];
    int64_t strides[TG_SAMPLE_INPUTS + TG_MAX_OUTPUTS][TG_MAX_RANK];
    int n;
} packed_operands;

static void add_operand(tg__check *c, packed_operands *o, tg_dtype d, const tg_shape *shape, const double *x) {
    tg__array *a = &o->memory[o->n];
    *a = tg__check_array(c, d, shape);
    for (int64_t e = 0; x && e < a->n; e++) tg__array_set(a, e, x[e]);
    tg__packed_strides(&a->shape, o->strides[o->n]);
    o->op[o->n] = (tg_operand){a->data, &a->shape, o->strides[o->n], a->n, d};
    o->n++;
}

static void by_reference(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    packed_operands o = {.n = 0};
    bool whole = !tg_dtype_is_float(s->dtype);
    for (int i = 0; i < p->n; i++)
        add_operand(c, &o, tg__kind_dtype(p->in[i].kind, whole ? s->dtype : TG_F64), &p->in[i].shape, p->x[i]);
    for (int k = 0; k < base->n_out; k++)
        add_operand(c, &o, tg_dtype_is_float(base->y[k].dtype) ? TG_F64 : base->y[k].dtype, &base->y[k].shape, NULL);
    if (c->no_memory) return;
    char message[200] = "";
    tg_kernel_args k = {p->n, base->n_out, o.op, o.op + p->n, p->attr, NULL, 1, message, sizeof message};
    tg_status status = c->op->ref(&k);
    if (!tg__verdict(c, !status, "the reference fails: %s %s", tg_status_name(status), message)) return;
    for (int j = 0; j < base->n_out; j++)
        compare(c, &base->y[j], &o.memory[p->n + j], tolerance_of(&base->y[j]), "the reference");
}

void tg__check_oracle(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    tg__arena_mark mark = tg__arena_at(&c->memory);
    const tg_op *op = c->op;
    if (op->ref) by_reference(c, p, s, base);
    if (op->define && (op->micro || op->kernel || op->view) && tg_dtype_is_float(s->dtype)) by_definition(c, p, s, base);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
}
