/* One run of an op at a point: recorded on the battery's tape, its results copied. */
#include "check.h"

typedef struct trial {
    tg__check *c;
    const tg__point *p;
    const tg__setting *s;
    tg__result *r;
    tg_tensor in[TG_SAMPLE_INPUTS], y[TG_MAX_OUTPUTS], v[TG_MAX_OUTPUTS], w[TG_SAMPLE_INPUTS];
    tg_tensor x[TG_SAMPLE_INPUTS], g[TG_SAMPLE_INPUTS];      /* differentiated ones only */
    int which[TG_SAMPLE_INPUTS], n_x;                        /* their numbers */
    tg_tensor jg[TG_SAMPLE_INPUTS];                          /* of g, along the tangents */
    tg_tensor jv, parts[TG_SAMPLE_INPUTS][TG_SAMPLE_INPUTS]; /* d <weight i, g i> / dx j */
} trial;

const int tg__teams[TG__TEAMS] = {2, 3, 5, 8, 16};

tg__setting tg__setting_of(tg_dtype dtype) { return (tg__setting){.dtype = dtype, .threads = 1, .outputs = 1}; }

static bool is_none(tg_tensor x) { return x.owner == NULL; }

static void record_inputs(trial *t) {
    for (int i = 0; i < t->p->n; i++) {
        const tg_sample_in *in = &t->p->in[i];
        tg_dtype d = tg__kind_dtype(in->kind, t->s->dtype);
        tg__layout l = t->s->layout[i];
        if (l == TG__SAME)
            t->in[i] = t->in[t->s->same[i]];
        else if (l == TG__OVERLAP)
            tg__overlap_record(t->c, t->p, t->s->same[i], i, d, t->in);
        else
            t->in[i] = tg__layout_record(t->c, l, t->p->x[i], &in->shape, d);
    }
}

static void record_outputs(trial *t) {
    const tg_op *op = t->c->op;
    t->r->n_out = op->n_out > 1 ? op->n_out : 1;
    if (t->s->define) {
        t->r->n_out = 1;
        t->y[0] = op->define(t->c->tape, t->in, t->p->n, t->p->attr);
    } else {
        tg_apply_n(t->c->tape, op, t->p->attr, t->in, t->p->n, t->y);
    }
}

static tg_tensor record_host(trial *t, const double *x, tg_tensor like, tg__layout l) {
    tg_shape shape = tg_shape_of(like);
    return tg__layout_record(t->c, tg__layout_differs(l, &shape) ? l : TG__PACKED, x, &shape, tg_dtype_of(like));
}

static bool has_cotangent(const trial *t, int output) {
    return t->s->outputs >> output & 1 && t->p->cotangent[output] && tg_dtype_is_float(tg_dtype_of(t->y[output])) &&
           t->p->n_cotangent[output] == tg_numel(t->y[output]);
}

static void choose_inputs(trial *t) {
    for (int i = 0; i < t->p->n; i++) {
        if (!tg__differentiable(t->p, i) || t->s->layout[i] == TG__SAME || (t->s->inputs && !(t->s->inputs >> i & 1))) continue;
        bool depends = false;
        for (int k = 0; k < t->r->n_out; k++) depends = depends || (has_cotangent(t, k) && tg_depends(t->y[k], t->in[i]));
        if (!depends) continue;
        t->which[t->n_x] = i;
        t->x[t->n_x++] = t->in[i];
    }
}

/* Several outputs have their cotangents at once through a number whose gradient, by definition, is these cotangents. */
void tg__check_cotangents(tg_tensor g, tg_tensor y, const tg_tensor *ys, int n, tg_tensor *gs, void *user) {
    (void)g, (void)y, (void)ys;
    memcpy(gs, user, (size_t)n * sizeof *gs);
}

static void record_gradient(trial *t) {
    tg_tensor ys[TG_MAX_OUTPUTS];
    int n = 0;
    for (int k = 0; k < t->r->n_out; k++) {
        if (!has_cotangent(t, k)) continue;
        ys[n] = t->y[k];
        t->v[n++] = record_host(t, t->p->cotangent[k], t->y[k], t->s->layout_cotangent);
    }
    choose_inputs(t);
    if (!n || !t->n_x) return;
    if (n == 1) {
        tg_vjp(ys[0], t->v[0], t->x, t->n_x, t->g);
    } else {
        tg_tensor number = tg_scalar(t->c->tape, 0, TG_F64);
        tg_grad(tg_custom_grad(number, ys, n, tg__check_cotangents, t->v), t->x, t->n_x, t->g);
    }
}

static void record_tangents(trial *t, tg_tensor *u) {
    for (int j = 0; j < t->n_x; j++) u[j] = record_host(t, t->p->tangent[t->which[j]], t->x[j], TG__PACKED);
}

static void record_jvp(trial *t) {
    tg_tensor u[TG_SAMPLE_INPUTS];
    int k = 0;
    while (k < t->r->n_out && !has_cotangent(t, k)) k++;
    if (k == t->r->n_out || !t->n_x) return;
    record_tangents(t, u);
    t->jv = tg_jvp(t->y[k], t->x, u, t->n_x);
}

/* A gradient that does not depend on an input has the derivative zero; one that no rule can differentiate is missing. */
static bool forgive(trial *t) {
    tg_tape *tape = t->c->tape;
    if (tg_error(tape) != TG_ENOGRAD) return false;
    if (!strstr(tg_message(tape), "does not depend on")) t->r->second_missing = true;
    tg_clear(tape);
    return true;
}

static void record_second(trial *t) {
    for (int i = 0; i < t->n_x; i++) {
        t->w[i] = record_host(t, t->p->weight[t->which[i]], t->g[i], TG__PACKED);
        for (int j = 0; j < t->n_x && tg_ok(t->c->tape); j++) {
            if (!tg_depends(t->g[i], t->x[j])) continue;
            if (tg_vjp(t->g[i], t->w[i], &t->x[j], 1, &t->parts[i][j]) && forgive(t)) t->parts[i][j] = (tg_tensor){0};
        }
    }
}

static void record_forward_over(trial *t) {
    tg_tensor u[TG_SAMPLE_INPUTS];
    record_tangents(t, u);
    for (int i = 0; i < t->n_x && tg_ok(t->c->tape); i++) {
        t->jg[i] = tg_jvp(t->g[i], t->x, u, t->n_x);
        if (!tg_ok(t->c->tape) && forgive(t)) t->jg[i] = (tg_tensor){0};
    }
}

static void run(trial *t) {
    tg_tensor all[TG_MAX_OUTPUTS + TG_SAMPLE_INPUTS * (TG_SAMPLE_INPUTS + 2) + 1];
    int n = 0;
    for (int k = 0; k < t->r->n_out; k++) all[n++] = t->y[k];
    for (int i = 0; i < t->n_x; i++) {
        if (!is_none(t->g[i])) all[n++] = t->g[i];
        if (!is_none(t->jg[i])) all[n++] = t->jg[i];
        for (int j = 0; j < t->n_x; j++)
            if (!is_none(t->parts[i][j])) all[n++] = t->parts[i][j];
    }
    if (!is_none(t->jv)) all[n++] = t->jv;
    tg_run(t->c->tape, all, n);
}

static tg__array copy(trial *t, tg_tensor x) {
    tg_shape shape = tg_shape_of(x);
    const void *data = tg_ok(t->c->tape) ? tg_data(x) : NULL;
    tg__array a = {tg_dtype_of(x), shape, tg_numel(x), NULL};
    if (!data) return a;
    a = tg__check_array(t->c, a.dtype, &shape);
    if (a.n) memcpy(a.data, data, (size_t)a.n * tg_dtype_size(a.dtype));
    return a;
}

static void add_part(tg__array *sum, const tg__array *part) {
    for (int64_t e = 0; e < sum->n && part->n == sum->n; e++)
        tg__array_set(sum, e, tg__array_get(sum, e) + tg__array_get(part, e));
}

static tg__array zeros(trial *t, int input, tg_dtype dtype) {
    tg__array a = tg__check_array(t->c, dtype, &t->p->in[input].shape);
    if (a.n) memset(a.data, 0, (size_t)a.n * tg_dtype_size(dtype));
    return a;
}

static void copy_gradients(trial *t) {
    for (int i = 0; i < t->p->n; i++)
        if (tg__differentiable(t->p, i)) t->r->g[i] = zeros(t, i, t->s->dtype);
    for (int i = 0; i < t->n_x; i++)
        if (!is_none(t->g[i])) t->r->g[t->which[i]] = copy(t, t->g[i]);
    for (int i = 0; i < t->n_x; i++)
        if (!is_none(t->jg[i])) t->r->jg[t->which[i]] = copy(t, t->jg[i]);
    if (!is_none(t->jv)) t->r->jv = copy(t, t->jv);
    if (!t->s->second) return;
    for (int i = 0; i < t->p->n; i++)
        if (tg__differentiable(t->p, i)) t->r->gg[i] = zeros(t, i, TG_F64);
    for (int j = 0; j < t->n_x; j++)
        for (int i = 0; i < t->n_x; i++) {
            if (is_none(t->parts[i][j])) continue;
            tg__array part = copy(t, t->parts[i][j]);
            if (part.data) add_part(&t->r->gg[t->which[j]], &part);
        }
}

static void record(trial *t) {
    tg_tape *tape = t->c->tape;
    record_inputs(t);
    if (tg_ok(tape)) record_outputs(t);
    if (t->s->ask && tg_ok(tape)) tg_data(t->y[0]);
    if (t->s->gradient && tg_ok(tape)) record_gradient(t);
    if (t->s->ask && tg_ok(tape) && t->n_x) tg_data(t->g[0]);
    if (t->s->jvp && tg_ok(tape)) {
        record_jvp(t);
        if (!tg_ok(tape) && forgive(t)) t->jv = (tg_tensor){0};
    }
    if (t->s->second && tg_ok(tape)) record_second(t);
    if (t->s->forward_over && tg_ok(tape)) record_forward_over(t);
}

tg__result tg__trial(tg__check *c, const tg__point *p, const tg__setting *s) {
    tg__result r = {.status = TG_ENOMEM};
    trial t = {.c = c, .p = p, .s = s, .r = &r};
    if (c->no_memory) return r;
    tg_clear(c->tape);
    tg_tape_reset(c->tape);
    tg_set_eager(c->tape, s->eager);
    tg_set_threads(c->tape, s->threads);
    record(&t);
    if (tg_ok(c->tape) && !s->ask && !s->eager) run(&t);
    for (int k = 0; k < r.n_out && tg_ok(c->tape); k++) r.y[k] = copy(&t, t.y[k]);
    if (s->gradient && tg_ok(c->tape)) copy_gradients(&t);
    r.status = tg_error(c->tape);
    snprintf(r.message, sizeof r.message, "%s", tg_message(c->tape));
    if (r.status == TG_ENOMEM) c->no_memory = true;
    return r;
}
