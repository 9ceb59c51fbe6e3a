/* Derivatives against difference quotients, extrapolated to step 0 (Richardson 1911; the choice by estimated error is that of
 * Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)"). */
#include <math.h>

#include "check.h"

#define LEVELS 6         /* steps h, h/2, h/4, ... */
#define MOST_ELEMENTS 64 /* more: along random directions */
#define MOST_ELEMENTS_2 24
#define DIRECTIONS 12
#define DISTURBED 1e-3 /* errors are relative to an element, or to this part of the largest */

typedef struct quotient {
    double value, error;
} quotient;

typedef struct probe {
    tg__check *c;
    tg__point *p;
    tg__setting s;
    bool second;
    bool failed;
} probe;

static double weighted(const tg__array *plus, const tg__array *minus, const double *weight) {
    double sum = 0;
    for (int64_t e = 0; e < plus->n && e < minus->n; e++) sum += weight[e] * (tg__array_get(plus, e) - tg__array_get(minus, e));
    return sum;
}

/* <v, f(plus) - f(minus)>, or <w, g(plus) - g(minus)>: what did not change cancels exactly. */
static double change(probe *q, const tg__result *plus, const tg__result *minus) {
    double sum = 0;
    for (int k = 0; k < plus->n_out && !q->second; k++)
        if (q->s.outputs >> k & 1) sum += weighted(&plus->y[k], &minus->y[k], q->p->cotangent[k]);
    for (int i = 0; i < q->p->n && q->second; i++)
        if (plus->g[i].data && minus->g[i].data) sum += weighted(&plus->g[i], &minus->g[i], q->p->weight[i]);
    return sum;
}

typedef struct line { /* x + h d: one element, or all of them */
    int input;
    int64_t element;
    const double *direction, *origin;
} line;

static double move(probe *q, const line *l, double h) {
    double *x = q->p->x[l->input];
    if (!l->direction) return x[l->element] = l->origin[l->element] + h;
    for (int64_t e = 0; e < q->p->numel[l->input]; e++) x[e] = l->origin[e] + h * l->direction[e];
    return h;
}

static double slope(probe *q, const line *l, double h) {
    tg__arena_mark mark = tg__arena_at(&q->c->memory);
    double up = move(q, l, h);
    tg__result plus = tg__trial(q->c, q->p, &q->s);
    double down = move(q, l, -h);
    tg__result minus = tg__trial(q->c, q->p, &q->s);
    move(q, l, 0);
    if (plus.status || minus.status) q->failed = true;
    double d = q->failed ? NAN : change(q, &plus, &minus) / (up - down);
    if (!q->c->no_memory) tg__arena_back(&q->c->memory, mark);
    return d;
}

static quotient extrapolate(probe *q, const line *l, double h) {
    double row[LEVELS], before[LEVELS];
    quotient best = {NAN, INFINITY};
    for (int k = 0; k < LEVELS && !q->failed; k++, h /= 2) {
        row[0] = slope(q, l, h);
        double factor = 4;
        for (int m = 1; m <= k; m++, factor *= 4) {
            row[m] = row[m - 1] + (row[m - 1] - before[m - 1]) / (factor - 1);
            double error = fmax(fabs(row[m] - row[m - 1]), fabs(row[m] - before[m - 1]));
            if (error <= best.error) best = (quotient){row[m], error};
        }
        if (best.error <= 1e-12 * fabs(best.value)) break;
        memcpy(before, row, sizeof row);
    }
    return best;
}

/* ------------------------------------------------------------------ one input */

typedef struct pair_list {
    double *analytic, *numeric, *error;
    int64_t n;
    tg_shape shape;
} pair_list;

static bool far_apart(const pair_list *l, int64_t i, double tolerance, double noise, double largest, double *relative) {
    double a = l->analytic[i], b = l->numeric[i];
    double size = fmax(fmax(fmax(fabs(a), fabs(b)), DISTURBED * largest), noise / tolerance), difference = fabs(a - b);
    *relative = difference == 0 ? 0 : difference / size;
    return !(*relative <= tolerance);
}

static double largest_of(const pair_list *l) {
    double m = 0;
    for (int64_t i = 0; i < l->n; i++) m = fmax(m, fmax(fabs(l->analytic[i]), fabs(l->numeric[i])));
    return m;
}

/* Rounding in a quotient: a few units of the sum's last place over the smallest step. */
static double noise_of(probe *q, const tg__result *base, double h) {
    double sum = 0;
    for (int k = 0; k < base->n_out && !q->second; k++)
        for (int64_t e = 0; e < base->y[k].n && q->s.outputs >> k & 1; e++)
            sum += fabs(tg__array_get(&base->y[k], e) * q->p->cotangent[k][e]);
    for (int i = 0; i < q->p->n && q->second; i++)
        for (int64_t e = 0; e < base->g[i].n; e++) sum += fabs(tg__array_get(&base->g[i], e) * q->p->weight[i][e]);
    return isfinite(sum) && h > 0 ? 8 * 0x1p-53 * sum / (h / (1 << (LEVELS - 1))) : 0;
}

static void collect(probe *q, const tg__array *g, int input, const double *origin, double h, pair_list *l) {
    int most = q->second ? MOST_ELEMENTS_2 : MOST_ELEMENTS;
    bool each = g->n <= most;
    l->n = each ? g->n : DIRECTIONS;
    l->shape = each ? g->shape : TG_SHAPE(l->n);
    l->analytic = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    l->numeric = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    l->error = tg__check_take(q->c, (size_t)l->n * sizeof(double));
    double *direction = tg__check_take(q->c, (size_t)g->n * sizeof(double));
    for (int64_t i = 0; i < l->n && !q->c->no_memory && !q->failed; i++) {
        line path = {input, i, each ? NULL : direction, origin};
        l->analytic[i] = each ? tg__array_get(g, i) : 0;
        for (int64_t e = 0; e < g->n && !each; e++) {
            direction[e] = tg__check_random(q->c, -1, 1);
            l->analytic[i] += direction[e] * tg__array_get(g, e);
        }
        quotient found = extrapolate(q, &path, h);
        if (found.error > 1e-6 * fabs(found.value)) { /* a kink within the step, or a steep place: try nearer */
            quotient nearer = extrapolate(q, &path, h / 16);
            if (nearer.error < found.error) found = nearer;
        }
        l->numeric[i] = found.value;
        l->error[i] = found.error;
    }
}

static void judge(probe *q, const pair_list *l, int input, double tolerance, double noise, bool each) {
    double largest = largest_of(l), worst = 0;
    int64_t at = 0;
    bool good = true;
    for (int64_t i = 0; i < l->n; i++) {
        double relative;
        good = !far_apart(l, i, tolerance, noise, largest, &relative) && good;
        if (!(relative <= worst)) {
            worst = relative;
            at = i;
        }
    }
    double *record = q->second ? &q->c->report.worst_order2 : &q->c->report.worst_order1;
    if (!(worst <= *record)) *record = worst;
    char text[180] = "";
    const char *why = "";
    if (!good) {
        if (each)
            tg__element_text(&l->shape, at, text, sizeof text);
        else
            snprintf(text, sizeof text, "along random direction %d", (int)at);
        why = tg__diagnose(q->c, l->analytic, l->numeric, &l->shape);
        if (!*why && l->error[at] > 0.1 * fabs(l->analytic[at] - l->numeric[at]))
            why = ": the quotients do not settle: a kink nearby (see tg_sample_in.avoid), or a value that jumps?";
    }
    if (good)
        tg__verdict(q->c, true, "%sd/d input %d: within %.1e", q->second ? "second order: " : "", input, worst);
    else
        tg__verdict(q->c, false, "%sd/d input %d: %s: analytic %.8g, numeric %.8g%s", q->second ? "second order: " : "", input,
                    text, l->analytic[at], l->numeric[at], why);
}

static void check_input(probe *q, const tg__result *base, int input, double tolerance) {
    const tg__array *g = q->second ? &base->gg[input] : &base->g[input];
    tg__arena_mark mark = tg__arena_at(&q->c->memory);
    size_t bytes = (size_t)q->p->numel[input] * sizeof(double);
    double *origin = tg__check_take(q->c, bytes), h = tg__point_step(q->p, input);
    if (!origin || !g->data || !g->n) return;
    memcpy(origin, q->p->x[input], bytes);
    pair_list l;
    collect(q, g, input, origin, h, &l);
    if (q->c->no_memory) return;
    memcpy(q->p->x[input], origin, bytes);
    if (q->failed)
        tg__verdict(q->c, false, "d/d input %d: the op fails at a point nearby: %s", input, tg_message(q->c->tape));
    else
        judge(q, &l, input, tolerance, noise_of(q, base, h), g->n == l.n && tg_shape_equal(&l.shape, &g->shape));
    if (!q->c->no_memory) tg__arena_back(&q->c->memory, mark);
}

static void check_all(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance, bool second) {
    probe q = {.c = c, .p = p, .s = *s, .second = second};
    q.s.jvp = q.s.second = false;
    q.s.gradient = second;
    for (int i = 0; i < p->n && !c->no_memory; i++) {
        q.failed = false;
        if (tg__differentiable(p, i)) check_input(&q, base, i, tolerance);
    }
}

void tg__check_differences(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance) {
    check_all(c, p, s, base, tolerance, false);
}

void tg__check_second(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance) {
    check_all(c, p, s, base, tolerance, true);
}
