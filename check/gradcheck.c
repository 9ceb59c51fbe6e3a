/* tg_gradcheck: the derivatives of a user's function against measured slopes. */
#include <math.h>

#include "check.h"
#include "tapegrad/check.h"
#include "tapegrad/ops.h"

#define MOST_INPUTS 64
#define MOST_ELEMENTS 4096 /* of one input: more are checked along directions */
#define DIRECTIONS 6
#define DISTURBED 1e-3
#define TOLERANCE_FORWARD 1e-10
#define WHOLE (-1) /* in place of an input: all at once */

typedef struct gradcheck {
    tg__check c; /* tape, memory, random numbers */
    tg_part_fn fn;
    void *user;
    tg_gradcheck_options options;
    tg_gradcheck_report *report;
    int n, order;
    tg_array given[MOST_INPUTS];
    double *x[MOST_INPUTS], *tangent[MOST_INPUTS], *weight[MOST_INPUTS], *numeric[2][MOST_INPUTS], *analytic[2][MOST_INPUTS];
    int64_t numel[MOST_INPUTS];
    double *cotangent, *direction[MOST_INPUTS];
    tg_shape shape; /* of the result */
    int64_t n_out;
    bool failed;
    /* the line that is walked */
    int input;
    int64_t element;
} gradcheck;

static bool is_float(const gradcheck *g, int i) { return tg_dtype_is_float(g->given[i].dtype); }

static bool differs(const gradcheck *g, int i) { return is_float(g, i) && !(g->options.fixed >> i & 1); }

/* ------------------------------------------------------------------ recording */

typedef struct recording {
    tg_tensor x[MOST_INPUTS], y, v, g[MOST_INPUTS];
} recording;

static tg_tensor record_f64(gradcheck *g, const double *x, const tg_shape *shape) {
    return tg_input(g->c.tape, tg_f64(x, *shape));
}

static bool record_value(gradcheck *g, recording *r) {
    tg_tape *t = g->c.tape;
    tg_clear(t);
    tg_tape_reset(t);
    tg_seed(t, 0);
    for (int i = 0; i < g->n; i++)
        r->x[i] = is_float(g, i) ? record_f64(g, g->x[i], &g->given[i].shape) : tg_input(t, g->given[i]);
    r->y = g->fn(t, r->x, g->n, g->user);
    if (tg_tape_of(r->y) != t && tg_ok(t)) r->y = tg_on(t, r->y);
    return tg_ok(t);
}

/* The cotangents of the inputs; owner NULL where the function does not depend on one. */
static bool record_gradient(gradcheck *g, recording *r) {
    if (!record_value(g, r)) return false;
    tg_tensor v = record_f64(g, g->cotangent, &g->shape), xs[MOST_INPUTS], gs[MOST_INPUTS];
    int n = 0;
    r->v = tg_dtype_of(r->y) == TG_F64 ? v : tg_cast(v, tg_dtype_of(r->y));
    for (int i = 0; i < g->n; i++)
        if (differs(g, i)) xs[n++] = r->x[i];
    if (tg__vjp_where(TG_HERE, r->y, r->v, xs, n, gs)) return false;
    for (int i = 0, k = 0; i < g->n; i++) r->g[i] = differs(g, i) ? gs[k++] : (tg_tensor){0};
    return tg_ok(g->c.tape);
}

static bool copy(gradcheck *g, tg_tensor x, double *to) {
    int64_t n = tg_numel(x);
    const void *data = tg_data(x);
    if (!data) return false;
    tg__array a = {tg_dtype_of(x), TG_SCALAR, n, (void *)(uintptr_t)data};
    for (int64_t e = 0; e < n; e++) to[e] = tg__array_get(&a, e);
    return tg_ok(g->c.tape);
}

static bool run(gradcheck *g, const tg_tensor *xs, int n) {
    tg_tensor there[MOST_INPUTS + 1];
    int k = 0;
    for (int i = 0; i < n; i++)
        if (!tg__is_none(xs[i])) there[k++] = xs[i];
    return tg_run(g->c.tape, there, k) == TG_OK;
}

/* What the quotients are of: the result, or the gradients one after the other. */
static int64_t size_of_values(const gradcheck *g) {
    int64_t n = g->order == 1 ? g->n_out : 0;
    for (int i = 0; i < g->n && g->order == 2; i++) n += differs(g, i) ? g->numel[i] : 0;
    return n;
}

static bool values(gradcheck *g, double *out) {
    recording r;
    if (g->order == 1) return record_value(g, &r) && copy(g, r.y, out);
    if (!record_gradient(g, &r) || !run(g, r.g, g->n)) return false;
    for (int i = 0; i < g->n; i++) {
        if (!differs(g, i)) continue;
        if (tg__is_none(r.g[i]))
            memset(out, 0, (size_t)g->numel[i] * sizeof *out);
        else if (!copy(g, r.g[i], out))
            return false;
        out += g->numel[i];
    }
    return true;
}

/* ------------------------------------------------------------------ measured */

static void walk(gradcheck *g, double h, double *const *origin, double *moved) {
    *moved = h;
    for (int i = 0; i < g->n; i++) {
        if (!differs(g, i) || (g->input != WHOLE && g->input != i)) continue;
        if (g->input == i && g->element >= 0) {
            *moved = g->x[i][g->element] = origin[i][g->element] + h;
            continue;
        }
        for (int64_t e = 0; e < g->numel[i]; e++) g->x[i][e] = origin[i][e] + h * g->direction[i][e];
    }
}

typedef struct walker {
    gradcheck *g;
    double *origin[MOST_INPUTS], *plus, *minus;
    double size; /* sum of the sizes of what is added up */
} walker;

static double change(const tg__path *path, double from, double to, double *moved) {
    walker *w = path->user;
    gradcheck *g = w->g;
    double up, down, back, sum = 0, size = 0;
    walk(g, to, w->origin, &up);
    bool ok = values(g, w->plus);
    walk(g, from, w->origin, &down);
    ok = ok && values(g, w->minus);
    walk(g, 0, w->origin, &back);
    *moved = up - down;
    if (!ok) {
        g->failed = true;
        return NAN;
    }
    const double *weight = g->cotangent;
    for (int64_t e = 0, i = -1, left = g->order == 1 ? g->n_out : 0; e < size_of_values(g); e++) {
        while (left == 0) {
            left = differs(g, (int)++i) ? g->numel[i] : 0;
            weight = g->weight[i];
        }
        sum += *weight * (w->plus[e] - w->minus[e]);
        size += fabs(*weight * w->plus[e]);
        weight++, left--;
    }
    w->size = fmax(w->size, size);
    return sum;
}

static bool walker_start(gradcheck *g, walker *w) {
    *w = (walker){.g = g};
    size_t bytes = (size_t)size_of_values(g) * sizeof(double);
    w->plus = tg__check_take(&g->c, bytes);
    w->minus = tg__check_take(&g->c, bytes);
    for (int i = 0; i < g->n; i++) {
        w->origin[i] = tg__check_take(&g->c, (size_t)g->numel[i] * sizeof(double));
        if (w->origin[i] && differs(g, i)) memcpy(w->origin[i], g->x[i], (size_t)g->numel[i] * sizeof(double));
    }
    return !g->c.no_memory;
}

/* ------------------------------------------------------------------ verdicts */

static double tolerance_of(const gradcheck *g) { return g->options.tolerance > 0 ? g->options.tolerance : 1e-6; }

static const char *of_order(int order) { return order == 2 ? "second order: " : ""; }

static void describe(const gradcheck *g, const tg_gradcheck_place *p, char *text, size_t size) {
    char element[180];
    if (p->input == WHOLE)
        snprintf(text, size, "%salong random direction %d", of_order(p->order), (int)p->element);
    else if (g->element < 0)
        snprintf(text, size, "%sd/d input %d along random direction %d", of_order(p->order), p->input, (int)p->element);
    else
        snprintf(text, size, "%sd/d input %d, %s", of_order(p->order), p->input,
                 tg__element_text(&g->given[p->input].shape, p->element, element, sizeof element));
}

/* A gradient at a kink must be one of the slopes between both sides. */
static bool is_between(const tg__corner *c, double x) {
    double lo = fmin(c->left.value, c->right.value), hi = fmax(c->left.value, c->right.value), room = 1e-4 * (hi - lo);
    return x >= lo - room && x <= hi + room;
}

static void fail(gradcheck *g, const tg_gradcheck_place *p, const tg__corner *kink) {
    if (g->report->failures++ && !(p->error > g->report->worst.error)) return;
    g->report->worst = *p;
    char where[240];
    describe(g, p, where, sizeof where);
    if (kink)
        snprintf(g->report->text, sizeof g->report->text,
                 "%s: a kink, with slope %.8g on the left and %.8g on the right: the gradient %.8g is not between them", where,
                 kink->left.value, kink->right.value, p->analytic);
    else
        snprintf(g->report->text, sizeof g->report->text, "%s: analytic %.12g, numeric %.12g, noise %.1e: off by %.1e", where,
                 p->analytic, p->numeric, p->noise, p->error);
}

/* One measured slope against the gradient. */
static void judge(gradcheck *g, walker *w, double analytic, double step, double largest, int64_t number, double *numeric) {
    tg__path path = {change, w, step};
    tg__slope s = tg__slope_along(&path);
    double noise = tg__slope_noise(w->size, s.step), tolerance = tolerance_of(g);
    double floor = fmax(DISTURBED * fmax(largest, fabs(s.value)), noise / tolerance);
    tg_gradcheck_place p = {g->order, g->input, number, analytic, s.value, noise + s.error, 0};
    p.error = tg__slope_error(analytic, s.value, floor);
    bool good = p.error <= tolerance;
    if (numeric) *numeric = s.value;
    g->report->checked++;
    tg__corner c = {0};
    if (!g->failed && (!good || tg__may_be_kink(&path, &s))) c = tg__corner_at(&path);
    if (c.is_kink) {
        g->report->kinks++;
        if (!is_between(&c, analytic)) fail(g, &p, &c);
    } else if (!good) {
        fail(g, &p, NULL);
    } else if (!g->report->failures && !(p.error <= g->report->worst.error)) {
        g->report->worst = p;
    }
}

/* ------------------------------------------------------------------ what the recording says */

static bool second_gradient(gradcheck *g, recording *r) {
    tg_tensor parts[MOST_INPUTS], xs[MOST_INPUTS];
    int n = 0, which[MOST_INPUTS];
    for (int i = 0; i < g->n; i++)
        if (differs(g, i)) {
            which[n] = i;
            xs[n++] = r->x[i];
        }
    for (int i = 0; i < g->n; i++) {
        if (tg__is_none(r->g[i])) continue;
        if (tg__vjp_where(TG_HERE, r->g[i], record_f64(g, g->weight[i], &g->given[i].shape), xs, n, parts)) return false;
        if (!run(g, parts, n)) return false;
        for (int k = 0; k < n; k++) {
            if (tg__is_none(parts[k])) continue;
            double *sum = g->analytic[1][which[k]];
            tg__array a = {TG_F64, TG_SCALAR, tg_numel(parts[k]), (void *)(uintptr_t)tg_data(parts[k])};
            for (int64_t e = 0; a.data && e < a.n; e++) sum[e] += tg__array_get(&a, e);
        }
    }
    return tg_ok(g->c.tape);
}

static bool analytic(gradcheck *g) {
    recording r;
    for (int i = 0; i < g->n; i++)
        for (int k = 0; k < 2 && differs(g, i); k++) memset(g->analytic[k][i], 0, (size_t)g->numel[i] * sizeof(double));
    if (!record_gradient(g, &r) || !run(g, r.g, g->n)) return false;
    for (int i = 0; i < g->n; i++)
        if (!tg__is_none(r.g[i]) && !copy(g, r.g[i], g->analytic[0][i])) return false;
    return g->options.order == 1 || second_gradient(g, &r);
}

/* <v, J u> = <J' v, u> */
static bool check_forward(gradcheck *g) {
    recording r;
    tg_tensor xs[MOST_INPUTS], us[MOST_INPUTS];
    int n = 0;
    if (!record_value(g, &r)) return false;
    for (int i = 0; i < g->n; i++) {
        if (!differs(g, i)) continue;
        us[n] = record_f64(g, g->tangent[i], &g->given[i].shape);
        xs[n++] = r.x[i];
    }
    double *jv = tg__check_take(&g->c, (size_t)g->n_out * sizeof *jv), left = 0, right = 0, size = 0;
    if (!jv || !copy(g, tg_jvp(r.y, xs, us, n), jv)) return false;
    for (int64_t e = 0; e < g->n_out; e++) {
        left += g->cotangent[e] * jv[e];
        size += fabs(g->cotangent[e] * jv[e]);
    }
    for (int i = 0; i < g->n; i++)
        for (int64_t e = 0; differs(g, i) && e < g->numel[i]; e++) {
            right += g->analytic[0][i][e] * g->tangent[i][e];
            size += fabs(g->analytic[0][i][e] * g->tangent[i][e]);
        }
    g->report->checked++;
    if (fabs(left - right) <= TOLERANCE_FORWARD * size || (isnan(left) && isnan(right))) return true;
    g->report->failures++;
    snprintf(g->report->text, sizeof g->report->text,
             "forward mode: <v, J u> is %.15g, <J'v, u> is %.15g: a rule is not linear in its cotangent?", left, right);
    return true;
}

/* ------------------------------------------------------------------ walks */

static double step_for(const gradcheck *g, double x) {
    return (g->options.step > 0 ? g->options.step : 1 / 16.0) * fmax(fabs(x), 0.25);
}

static double largest_of(const double *x, int64_t n) {
    double m = 0;
    for (int64_t e = 0; e < n; e++) m = fmax(m, fabs(x[e]));
    return m;
}

static void draw_direction(gradcheck *g, int i) {
    for (int64_t e = 0; e < g->numel[i]; e++)
        g->direction[i][e] = tg__check_random(&g->c, 0.25, 1) * (tg__check_random(&g->c, 0, 1) < 0.5 ? -1 : 1);
}

static double along(const gradcheck *g, int i) {
    double sum = 0;
    for (int64_t e = 0; e < g->numel[i]; e++) sum += g->analytic[g->order - 1][i][e] * g->direction[i][e];
    return sum;
}

static void each_element(gradcheck *g, walker *w, int i) {
    const double *a = g->analytic[g->order - 1][i];
    double largest = largest_of(a, g->numel[i]);
    for (g->element = 0; g->element < g->numel[i] && !g->failed; g->element++)
        judge(g, w, a[g->element], step_for(g, g->x[i][g->element]), largest, g->element,
              &g->numeric[g->order - 1][i][g->element]);
}

/* Directions through one input, or through all. */
static void directions(gradcheck *g, walker *w) {
    for (int k = 0; k < DIRECTIONS && !g->failed; k++) {
        double sum = 0, size = 0, step = INFINITY;
        for (int i = 0; i < g->n; i++) {
            if (!differs(g, i) || (g->input != WHOLE && g->input != i)) continue;
            draw_direction(g, i);
            sum += along(g, i);
            for (int64_t e = 0; e < g->numel[i]; e++) {
                size = fmax(size, fabs(g->analytic[g->order - 1][i][e]));
                step = fmin(step, step_for(g, g->x[i][e]));
            }
        }
        if (step == INFINITY) continue;
        g->element = -1;
        judge(g, w, sum, step, size, k, NULL);
    }
}

static void diagnose(gradcheck *g) {
    const tg_gradcheck_place *p = &g->report->worst;
    if (p->input == WHOLE || g->numel[p->input] > MOST_ELEMENTS) return;
    const double *got = g->analytic[p->order - 1][p->input], *right = g->numeric[p->order - 1][p->input];
    int64_t n = g->numel[p->input];
    char why[TG__DIAGNOSIS] = "";
    tg__diagnose(why, got, right, &g->given[p->input].shape);
    for (int j = 0; j < g->n && !*why; j++) {
        if (j == p->input || !differs(g, j) || g->numel[j] != n) continue;
        const double *other = g->numeric[p->order - 1][j];
        double worst = 0;
        for (int64_t e = 0; e < n; e++) worst = fmax(worst, fabs(got[e] - other[e]));
        if (worst <= 1e-5 * largest_of(other, n))
            snprintf(why, sizeof why, ": a wrong input? It is the gradient of input %d", j);
    }
    if (!*why && n > 0 && n < g->n_out && n > 1) {
        int same = 0;
        for (int64_t e = 0; e < n; e++) same += fabs(got[e] - right[e]) <= 1e-5 * fabs(right[e]);
        if (!same) snprintf(why, sizeof why, ": a missing broadcast sum?");
    }
    if (*why) snprintf(g->report->diagnosis, sizeof g->report->diagnosis, "%s", why + 2);
}

static void check_order(gradcheck *g, bool fast) {
    walker w;
    if (!walker_start(g, &w)) return;
    for (g->input = fast ? WHOLE : 0; g->input < g->n && !g->failed; g->input++) {
        if (g->input == WHOLE) {
            directions(g, &w);
            return;
        }
        if (!differs(g, g->input)) continue;
        if (g->numel[g->input] > MOST_ELEMENTS)
            directions(g, &w);
        else
            each_element(g, &w, g->input);
    }
}

static bool check_orders(gradcheck *g, bool fast) {
    for (g->order = 1; g->order <= g->options.order && !g->failed && !g->c.no_memory; g->order++) {
        int before = g->report->failures;
        check_order(g, fast);
        if (g->report->failures > before) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ start and end */

static double *random_numbers(gradcheck *g, int64_t n) {
    double *x = tg__check_take(&g->c, (size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = tg__check_random(&g->c, 0.25, 1) * (tg__check_random(&g->c, 0, 1) < 0.5 ? -1 : 1);
    return x;
}

static bool take_inputs(gradcheck *g, const tg_array *inputs) {
    for (int i = 0; i < g->n; i++) {
        g->given[i] = inputs[i];
        int64_t n = g->numel[i] = tg_shape_numel(&inputs[i].shape);
        if (n < 0 || (n && !inputs[i].data) || (unsigned)inputs[i].dtype >= TG_DTYPE_COUNT) {
            snprintf(g->report->text, sizeof g->report->text, "input %d has no data, or no valid shape or dtype", i);
            return false;
        }
        if (!is_float(g, i)) continue;
        tg__array from = {inputs[i].dtype, inputs[i].shape, n, (void *)(uintptr_t)inputs[i].data};
        g->x[i] = tg__check_take(&g->c, (size_t)n * sizeof(double));
        for (int64_t e = 0; g->x[i] && e < n; e++) g->x[i][e] = tg__array_get(&from, e);
        g->tangent[i] = random_numbers(g, n);
        g->weight[i] = random_numbers(g, n);
        g->direction[i] = random_numbers(g, n);
        for (int k = 0; k < 2; k++) {
            g->numeric[k][i] = random_numbers(g, n);
            g->analytic[k][i] = random_numbers(g, n);
        }
    }
    return !g->c.no_memory;
}

static bool take_result(gradcheck *g) {
    recording r;
    if (!record_value(g, &r)) return false;
    if (!tg_dtype_is_float(tg_dtype_of(r.y))) {
        snprintf(g->report->text, sizeof g->report->text, "the function gives %s: only floats have derivatives",
                 tg_dtype_name(tg_dtype_of(r.y)));
        return false;
    }
    g->shape = tg_shape_of(r.y);
    g->n_out = tg_numel(r.y);
    g->cotangent = random_numbers(g, g->n_out);
    return !g->c.no_memory;
}

static bool check(gradcheck *g, const tg_array *inputs) {
    if (!take_inputs(g, inputs) || !take_result(g) || !analytic(g)) return false;
    bool good = check_orders(g, g->options.fast);
    if (!good && g->options.fast && !g->failed) { /* where, and why */
        g->report->failures = 0;
        if (check_orders(g, false)) check_orders(g, true); /* only the direction shows it */
    }
    if (g->failed || g->c.no_memory) return false;
    if (!good) diagnose(g);
    return g->report->failures || g->options.no_forward || check_forward(g);
}

static int conclude(gradcheck *g, bool done) {
    tg_gradcheck_report *r = g->report;
    bool no_memory = g->c.no_memory || tg_error(g->c.tape) == TG_ENOMEM;
    if (!done && no_memory) {
        snprintf(r->text, sizeof r->text, "out of memory");
    } else if (!done && !tg_ok(g->c.tape)) {
        const char *message = tg_message(g->c.tape);
        bool unsummed = strstr(message, "gave a cotangent of shape") != NULL;
        snprintf(r->text, sizeof r->text, "%s%s", message, unsummed ? ": a missing broadcast sum?" : "");
        if (unsummed) snprintf(r->diagnosis, sizeof r->diagnosis, "a missing broadcast sum?");
    } else if (r->failures && *r->diagnosis) {
        size_t used = strlen(r->text);
        snprintf(r->text + used, sizeof r->text - used, ": %s", r->diagnosis);
    } else if (done && !r->failures) {
        snprintf(r->text, sizeof r->text, "%d checked, %d kinks, largest error %.1e", r->checked, r->kinks, r->worst.error);
    }
    return done ? r->failures : -1;
}

int tg_gradcheck(tg_part_fn fn, void *user, const tg_array *inputs, int n, const tg_gradcheck_options *options,
                 tg_gradcheck_report *report) {
    tg_gradcheck_report ignored;
    if (!report) report = &ignored;
    *report = (tg_gradcheck_report){0};
    gradcheck *g = tg__calloc(1, sizeof *g);
    int result = -1;
    if (!fn || n < 0 || n > MOST_INPUTS || (n && !inputs))
        snprintf(report->text, sizeof report->text, "needs a function and up to %d inputs", MOST_INPUTS);
    else if (!g || !(g->c.tape = tg_tape_new()))
        snprintf(report->text, sizeof report->text, "out of memory");
    else {
        g->fn = fn, g->user = user, g->n = n, g->report = report;
        if (options) g->options = *options;
        if (g->options.order != 1) g->options.order = 2;
        g->c.random = g->options.seed * 0x9e3779b97f4a7c15u + 1;
        result = conclude(g, check(g, inputs));
    }
    if (g) {
        tg_tape_free(g->c.tape);
        tg__arena_free(&g->c.memory);
    }
    tg__free(g);
    return result;
}
