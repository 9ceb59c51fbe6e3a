/* Nothing but the values of the inputs may decide the bits of a result: not their layout, not what is asked in between, not
 * threads, not the plan. */
#include <math.h>

#include "check.h"

static void tried(tg__check *c, tg__layout l) {
    c->layouts |= 1u << l;
    c->report.layouts = __builtin_popcount(c->layouts);
    c->report.layout_set = c->layouts;
}

/* ------------------------------------------------------------------ the same point, lying otherwise */

static bool applies(const tg__point *p, tg__layout l, int input) { return tg__layout_differs(l, &p->in[input].shape); }

static void all_inputs(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, tg__layout l) {
    tg__setting q = *s;
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (applies(p, l, i)) {
            q.layout[i] = l;
            n++;
        }
    if (!n) return;
    tried(c, l);
    tg__result r = tg__trial(c, p, &q);
    tg__same_results(c, &r, base, tg__layout_name(l));
}

static void one_input(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, tg__layout l, int input) {
    if (!applies(p, l, input)) return;
    tg__setting q = *s;
    q.layout[input] = l;
    char how[80];
    snprintf(how, sizeof how, "input %d %s", input, tg__layout_name(l));
    tg__result r = tg__trial(c, p, &q);
    tg__same_results(c, &r, base, how);
}

static void plain_layouts(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    for (tg__layout l = TG__PACKED + 1; l < TG__LAYOUT_PLAIN; l++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        all_inputs(c, p, s, base, l);
        for (int i = 0; i < p->n && p->n > 1; i++) one_input(c, p, s, base, l, i);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
}

static void cotangent_layouts(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    for (tg__layout l = TG__PACKED + 1; l < TG__LAYOUT_PLAIN && s->gradient; l++) {
        tg__setting q = *s;
        q.layout_cotangent = l;
        char how[80];
        snprintf(how, sizeof how, "cotangent %s", tg__layout_name(l));
        tg__result r = tg__trial(c, p, &q);
        tg__same_results(c, &r, base, how);
    }
}

/* ------------------------------------------------------------------ points made for a layout */

static void spread(const tg__point *p, int input, int axis) {
    const tg_shape *s = &p->in[input].shape;
    int64_t inner = 1;
    for (int a = axis + 1; a < s->rank; a++) inner *= s->dims[a];
    for (int64_t e = 0; e < p->numel[input]; e++) p->x[input][e] = p->x[input][e - (e / inner % s->dims[axis]) * inner];
}

static void broadcast_input(tg__check *c, const tg__point *p, const tg__setting *s, tg__layout l, int input) {
    int axis = tg__spread_axis(l, &p->in[input].shape);
    if (axis < 0 || !p->numel[input]) return;
    tried(c, l);
    tg__point even = tg__point_copy(c, p);
    if (c->no_memory) return;
    spread(&even, input, axis);
    tg__result packed = tg__trial(c, &even, s);
    tg__setting q = *s;
    q.layout[input] = l;
    char how[80];
    snprintf(how, sizeof how, "input %d %s", input, tg__layout_name(l));
    tg__result r = tg__trial(c, &even, &q);
    tg__same_results(c, &r, &packed, how);
}

static bool same_kind(const tg__point *p, int i, int j) {
    return p->in[i].kind == p->in[j].kind && tg_shape_equal(&p->in[i].shape, &p->in[j].shape);
}

/* d/dx f(x, x) is the sum of both partial derivatives; its order of summing may be another. */
static void same_gradient(tg__check *c, const tg__result *both, const tg__result *apart, int i, int j) {
    const tg__array *sum = &both->g[i], *a = &apart->g[i], *b = &apart->g[j];
    if (!sum->data || !a->data || !b->data) return;
    double largest = 0, worst = 0;
    for (int64_t e = 0; e < sum->n; e++) {
        double x = tg__array_get(a, e), y = tg__array_get(b, e), error = fabs(tg__array_get(sum, e) - (x + y));
        largest = fmax(largest, fabs(x) + fabs(y));
        if (error > worst) worst = error;
    }
    double tolerance = sum->dtype == TG_F32 ? 2e-6 : 1e-14;
    tg__verdict(c, worst <= tolerance * largest,
                "inputs %d and %d the same tensor: its gradient is off the sum of both parts by %g", i, j, worst);
}

static void same_tensor(tg__check *c, const tg__point *p, const tg__setting *s, int i, int j) {
    tried(c, TG__SAME);
    tg__point twin = tg__point_copy(c, p);
    if (c->no_memory) return;
    twin.x[j] = twin.x[i];
    tg__setting q = *s;
    q.jvp = q.second = false;
    tg__result apart = tg__trial(c, &twin, &q);
    q.layout[j] = TG__SAME;
    q.same[j] = i;
    tg__result both = tg__trial(c, &twin, &q);
    char how[80];
    snprintf(how, sizeof how, "inputs %d and %d the same tensor", i, j);
    if (!tg__verdict(c, both.status == apart.status, "%s: %s %s", how, tg_status_name(both.status), both.message)) return;
    for (int k = 0; k < both.n_out; k++) tg__same_bits(c, &both.y[k], &apart.y[k], "the value", how);
    if (s->gradient) same_gradient(c, &both, &apart, i, j);
}

static void overlapping(tg__check *c, const tg__point *p, const tg__setting *s, int i, int j) {
    const tg_sample_in *a = &p->in[i], *b = &p->in[j];
    if (a->lo != b->lo || a->hi != b->hi || p->numel[i] <= TG__OVERLAP_SHIFT || !p->numel[j]) return;
    tried(c, TG__OVERLAP);
    tg__point shared = tg__point_copy(c, p);
    if (c->no_memory) return;
    for (int64_t e = TG__OVERLAP_SHIFT; e < p->numel[i] && e - TG__OVERLAP_SHIFT < p->numel[j]; e++)
        shared.x[j][e - TG__OVERLAP_SHIFT] = shared.x[i][e];
    tg__result apart = tg__trial(c, &shared, s);
    tg__setting q = *s;
    q.layout[j] = TG__OVERLAP;
    q.same[j] = i;
    tg__result r = tg__trial(c, &shared, &q);
    char how[80];
    snprintf(how, sizeof how, "inputs %d and %d overlapping views", i, j);
    tg__same_results(c, &r, &apart, how);
}

static void made_points(tg__check *c, const tg__point *p, const tg__setting *s) {
    for (int i = 0; i < p->n; i++) {
        tg__arena_mark mark = tg__arena_at(&c->memory);
        broadcast_input(c, p, s, TG__SPREAD_FIRST, i);
        if (p->in[i].shape.rank > 1) broadcast_input(c, p, s, TG__SPREAD_LAST, i);
        for (int j = i + 1; j < p->n; j++) {
            if (same_kind(p, i, j)) same_tensor(c, p, s, i, j);
            if (p->in[i].kind == p->in[j].kind) overlapping(c, p, s, i, j);
        }
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
    }
}

/* ------------------------------------------------------------------ ways of running */

static void other_runs(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    for (int i = 0; i < TG__TEAMS; i++) {
        tg__setting q = *s;
        q.threads = tg__teams[i];
        char how[40];
        snprintf(how, sizeof how, "%d threads", tg__teams[i]);
        tg__result r = tg__trial(c, p, &q);
        tg__same_results(c, &r, base, how);
    }
    tg__setting q = *s;
    q.eager = true;
    tg__result r = tg__trial(c, p, &q);
    tg__same_results(c, &r, base, "eager");
    q.eager = false;
    q.ask = true;
    r = tg__trial(c, p, &q);
    tg__same_results(c, &r, base, "asked for values in between");
}

/* Only what is asked for is computed: that must not change it. */
static void subsets(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    int n = 0;
    for (int i = 0; i < p->n; i++) n += tg__differentiable(p, i);
    for (int i = 0; i < p->n && n > 1 && s->gradient; i++) {
        if (!tg__differentiable(p, i)) continue;
        tg__setting q = *s;
        q.inputs = 1u << i;
        q.jvp = q.second = false;
        tg__result r = tg__trial(c, p, &q);
        char what[40];
        snprintf(what, sizeof what, "d/d input %d", i);
        if (tg__verdict(c, !r.status, "%s alone: %s %s", what, tg_status_name(r.status), r.message))
            tg__same_bits(c, &r.g[i], &base->g[i], what, "differentiated by this input alone");
    }
}

/* Inputs in the other order, for ops that say that it does not matter. */
static void swapped(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    if (!(c->op->flags & TG_OP_COMMUTES) || p->n != 2) return;
    tg__point q = *p;
    q.in[0] = p->in[1], q.in[1] = p->in[0];
    q.x[0] = p->x[1], q.x[1] = p->x[0];
    q.numel[0] = p->numel[1], q.numel[1] = p->numel[0];
    tg__setting plain = *s;
    plain.gradient = plain.jvp = plain.second = false;
    tg__result r = tg__trial(c, &q, &plain);
    if (tg__verdict(c, !r.status, "inputs swapped: %s %s", tg_status_name(r.status), r.message))
        tg__same_bits(c, &r.y[0], &base->y[0], "the value", "inputs swapped, which the flag TG_OP_COMMUTES allows");
}

void tg__check_layouts(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    tried(c, TG__PACKED);
    tg__arena_mark mark = tg__arena_at(&c->memory);
    other_runs(c, p, s, base);
    subsets(c, p, s, base);
    swapped(c, p, s, base);
    cotangent_layouts(c, p, s, base);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
    plain_layouts(c, p, s, base);
    made_points(c, p, s);
}
