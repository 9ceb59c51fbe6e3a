/* The derivative rule of an op against measured slopes: of first order, and of its gradients. */
#include <math.h>

#include "check.h"

#define MOST_ELEMENTS 64 /* more: along random directions */
#define MOST_ELEMENTS_2 24
#define DIRECTIONS 12
#define DISTURBED 1e-3 /* errors are relative to an element, or to this part of the largest */

typedef struct probe {
    tg__check *c;
    tg__point *p;
    tg__setting s;
    bool second;
    bool failed;
    int input;
    int64_t element;
    const double *direction, *origin; /* along a direction, or one element */
} probe;

static double weighted(const tg__array *plus, const tg__array *minus, const double *weight) {
    double sum = 0;
    for (int64_t e = 0; e < plus->n && e < minus->n; e++) sum += weight[e] * (tg__array_get(plus, e) - tg__array_get(minus, e));
    return sum;
}

/* <v, f(plus) - f(minus)>, or <w, g(plus) - g(minus)>: what did not change cancels exactly. */
static double difference(probe *q, const tg__result *plus, const tg__result *minus) {
    double sum = 0;
    for (int k = 0; k < plus->n_out && !q->second; k++)
        if (q->s.outputs >> k & 1) sum += weighted(&plus->y[k], &minus->y[k], q->p->cotangent[k]);
    for (int i = 0; i < q->p->n && q->second; i++)
        if (plus->g[i].data && minus->g[i].data) sum += weighted(&plus->g[i], &minus->g[i], q->p->weight[i]);
    return sum;
}

static double move(probe *q, double h) {
    double *x = q->p->x[q->input];
    if (!q->direction) return x[q->element] = q->origin[q->element] + h;
    for (int64_t e = 0; e < q->p->numel[q->input]; e++) x[e] = q->origin[e] + h * q->direction[e];
    return h;
}

static double change(const tg__path *path, double from, double to, double *moved) {
    probe *q = path->user;
    tg__arena_mark mark = tg__arena_at(&q->c->memory);
    double up = move(q, to);
    tg__result plus = tg__trial(q->c, q->p, &q->s);
    double down = move(q, from);
    tg__result minus = tg__trial(q->c, q->p, &q->s);
    move(q, 0);
    *moved = up - down;
    if (plus.status || minus.status) q->failed = true;
    double d = q->failed ? NAN : difference(q, &plus, &minus);
    if (!q->c->no_memory) tg__arena_back(&q->c->memory, mark);
    return d;
}

/* ------------------------------------------------------------------ one input */

typedef struct pair_list {
    double *analytic, *numeric, *error;
    int64_t n;
    tg_shape shape;
} pair_list;

static double largest_of(const pair_list *l) {
    double m = 0;
    for (int64_t i = 0; i < l->n; i++) m = fmax(m, fmax(fabs(l->analytic[i]), fabs(l->numeric[i])));
    return m;
}

/* The sum of the sizes of what a quotient adds up. */
static double summed_size(const probe *q, const tg__result *base) {
    double sum = 0;
    for (int k = 0; k < base->n_out && !q->second; k++)
        for (int64_t e = 0; e < base->y[k].n && q->s.outputs >> k & 1; e++)
            sum += fabs(tg__array_get(&base->y[k], e) * q->p->cotangent[k][e]);
    for (int i = 0; i < q->p->n && q->second; i++)
        for (int64_t e = 0; e < base->g[i].n; e++) sum += fabs(tg__array_get(&base->g[i], e) * q->p->weight[i][e]);
    return sum;
}

static void collect(probe *q, const tg__array *g, double h, pair_list *l) {
    int most = q->second ? MOST_ELEMENTS_2 : MOST_ELEMENTS;
    bool each = g->n <= most;
    l->n = each ? g->n : DIRECTIONS;
    l->shape = each ? g->shape : TG_SHAPE(l->n);
    l->analytic = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    l->numeric = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    l->error = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    double *direction = tg__check_take(q->c, (size_t)g->n * sizeof(double));
    tg__path path = {change, q, h};
    for (int64_t i = 0; i < l->n && !q->c->no_memory && !q->failed; i++) {
        q->element = i;
        q->direction = each ? NULL : direction;
        l->analytic[i] = each ? tg__array_get(g, i) : 0;
        for (int64_t e = 0; e < g->n && !each; e++) {
            direction[e] = tg__check_random(q->c, -1, 1);
            l->analytic[i] += direction[e] * tg__array_get(g, e);
        }
        tg__slope found = tg__slope_along(&path);
        l->numeric[i] = found.value;
        l->error[i] = found.error;
    }
}

static void judge(probe *q, const pair_list *l, double tolerance, double noise, bool each) {
    double floor = fmax(DISTURBED * largest_of(l), noise / tolerance), worst = 0;
    int64_t at = 0;
    bool good = true;
    for (int64_t i = 0; i < l->n; i++) {
        double relative = tg__slope_error(l->analytic[i], l->numeric[i], floor);
        good = relative <= tolerance && good;
        if (!(relative <= worst)) {
            worst = relative;
            at = i;
        }
    }
    double *record = q->second ? &q->c->report.worst_order2 : &q->c->report.worst_order1;
    if (!(worst <= *record)) *record = worst;
    char text[180] = "", why[TG__DIAGNOSIS] = "";
    if (!good) {
        if (each)
            tg__element_text(&l->shape, at, text, sizeof text);
        else
            snprintf(text, sizeof text, "along random direction %d", (int)at);
        tg__diagnose(why, l->analytic, l->numeric, &l->shape);
        if (!*why && l->error[at] > 0.1 * fabs(l->analytic[at] - l->numeric[at]))
            snprintf(why, sizeof why,
                     ": the quotients do not settle: a kink nearby (see tg_sample_in.avoid), or a value that jumps?");
    }
    if (good)
        tg__verdict(q->c, true, "%sd/d input %d: within %.1e", q->second ? "second order: " : "", q->input, worst);
    else
        tg__verdict(q->c, false, "%sd/d input %d: %s: analytic %.8g, numeric %.8g%s", q->second ? "second order: " : "",
                    q->input, text, l->analytic[at], l->numeric[at], why);
}

static void check_input(probe *q, const tg__result *base, double tolerance) {
    const tg__array *g = q->second ? &base->gg[q->input] : &base->g[q->input];
    tg__arena_mark mark = tg__arena_at(&q->c->memory);
    size_t bytes = (size_t)q->p->numel[q->input] * sizeof(double);
    double *origin = tg__check_take(q->c, bytes), h = tg__point_step(q->p, q->input);
    if (!origin || !g->data || !g->n) return;
    memcpy(origin, q->p->x[q->input], bytes);
    q->origin = origin;
    pair_list l;
    collect(q, g, h, &l);
    if (q->c->no_memory) return;
    memcpy(q->p->x[q->input], origin, bytes);
    if (q->failed)
        tg__verdict(q->c, false, "d/d input %d: the op fails at a point nearby: %s", q->input, tg_message(q->c->tape));
    else
        judge(q, &l, tolerance, tg__slope_noise(summed_size(q, base), h / 32),
              g->n == l.n && tg_shape_equal(&l.shape, &g->shape));
    if (!q->c->no_memory) tg__arena_back(&q->c->memory, mark);
}

static void check_all(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance, bool second) {
    probe q = {.c = c, .p = p, .s = *s, .second = second};
    q.s.jvp = q.s.second = false;
    q.s.gradient = second;
    for (q.input = 0; q.input < p->n && !c->no_memory; q.input++) {
        q.failed = false;
        if (tg__differentiable(p, q.input)) check_input(&q, base, tolerance);
    }
}

void tg__check_differences(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance) {
    check_all(c, p, s, base, tolerance, false);
}

void tg__check_second(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance) {
    check_all(c, p, s, base, tolerance, true);
}
