/* Nothing but the values of the inputs may decide the bits of a result: not their layout, not what is asked in between, not
 * threads, not the plan. */
#include <math.h>

#include "check.h"

static void tried(tg__check *c, const tg__setting *s, tg__layout l, int input) {
    unsigned *set = &c->report.cell_set[s->dtype == TG_F64][input];
    c->report.cells += !(*set >> l & 1);
    *set |= 1u << l;
    c->report.layout_set |= 1u << l;
    c->report.layouts = __builtin_popcount(c->report.layout_set);
}

/* ------------------------------------------------------------------ the same point, lying otherwise */

static bool applies(const tg__point *p, tg__layout l, int input) { return tg__layout_differs(l, &p->in[input].shape); }

static void all_inputs(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, tg__layout l) {
    tg__setting q = *s;
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (applies(p, l, i)) {
            q.layout[i] = l;
            tried(c, s, l, i);
            n++;
        }
    if (!n) return;
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

/* Two inputs, each in a layout of its own. */
static void layout_pairs(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, int i, int j) {
    for (tg__layout l = TG__PACKED + 1; l < TG__LAYOUT_PLAIN; l++)
        for (tg__layout m = TG__PACKED + 1; m < TG__LAYOUT_PLAIN; m++) {
            if (l == m || !applies(p, l, i) || !applies(p, m, j)) continue;
            tg__arena_mark mark = tg__arena_at(&c->memory);
            tg__setting q = *s;
            q.layout[i] = l, q.layout[j] = m;
            char how[100];
            snprintf(how, sizeof how, "input %d %s, input %d %s", i, tg__layout_name(l), j, tg__layout_name(m));
            tg__result r = tg__trial(c, p, &q);
            tg__same_results(c, &r, base, how);
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

static void spread(double *x, const tg_shape *s, int axis) {
    int64_t inner = 1, n = tg_shape_numel(s);
    for (int a = axis + 1; a < s->rank; a++) inner *= s->dims[a];
    for (int64_t e = 0; e < n; e++) x[e] = x[e - (e / inner % s->dims[axis]) * inner];
}

/* A cotangent with stride 0, as that of a sum is. */
static void broadcast_cotangent(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, tg__layout l) {
    const tg_shape *shape = &base->y[0].shape;
    int axis = tg__spread_axis(l, shape);
    if (!s->gradient || s->outputs != 1 || axis < 0 || !base->y[0].n) return;
    tg__arena_mark mark = tg__arena_at(&c->memory);
    tg__point even = *p;
    size_t bytes = (size_t)base->y[0].n * sizeof(double);
    if (!(even.cotangent[0] = tg__check_take(c, bytes))) return;
    memcpy(even.cotangent[0], p->cotangent[0], bytes);
    spread(even.cotangent[0], shape, axis);
    tg__setting q = *s;
    tg__result packed = tg__trial(c, &even, &q);
    q.layout_cotangent = l;
    tg__result r = tg__trial(c, &even, &q);
    char how[80];
    snprintf(how, sizeof how, "cotangent %s", tg__layout_name(l));
    tg__same_results(c, &r, &packed, how);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
}

static void broadcast_input(tg__check *c, const tg__point *p, const tg__setting *s, tg__layout l, int input) {
    int axis = tg__spread_axis(l, &p->in[input].shape);
    if (axis < 0 || !p->numel[input]) return;
    tried(c, s, l, input);
    tg__point even = tg__point_copy(c, p);
    if (c->no_memory) return;
    spread(even.x[input], &p->in[input].shape, axis);
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
    tried(c, s, TG__SAME, i);
    tried(c, s, TG__SAME, j);
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
    tried(c, s, TG__OVERLAP, i);
    tried(c, s, TG__OVERLAP, j);
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

static void differentiated_by(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base, unsigned inputs) {
    tg__setting q = *s;
    q.inputs = inputs;
    q.jvp = q.second = false;
    tg__result r = tg__trial(c, p, &q);
    char what[40], how[60];
    snprintf(how, sizeof how, "differentiated by the inputs of the set %#x", inputs);
    if (!tg__verdict(c, !r.status, "%s: %s %s", how, tg_status_name(r.status), r.message)) return;
    for (int i = 0; i < p->n; i++) {
        if (!(inputs >> i & 1)) continue;
        snprintf(what, sizeof what, "d/d input %d", i);
        tg__same_bits(c, &r.g[i], &base->g[i], what, how);
    }
}

/* Only what is asked for is computed, which must not change it: each input alone and all but each; with TG_FULL every set. */
static void subsets(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base) {
    unsigned all = 0;
    for (int i = 0; i < p->n; i++) all |= (unsigned)tg__differentiable(p, i) << i;
    for (unsigned set = 1; set < all && s->gradient; set++) {
        int size = __builtin_popcount(set), most = __builtin_popcount(all);
        if (set & ~all || !(c->full || size == 1 || size == most - 1)) continue;
        tg__arena_mark mark = tg__arena_at(&c->memory);
        differentiated_by(c, p, s, base, set);
        if (!c->no_memory) tg__arena_back(&c->memory, mark);
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
    for (int i = 0; i < p->n; i++) tried(c, s, TG__PACKED, i);
    tg__arena_mark mark = tg__arena_at(&c->memory);
    other_runs(c, p, s, base);
    subsets(c, p, s, base);
    swapped(c, p, s, base);
    cotangent_layouts(c, p, s, base);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
    plain_layouts(c, p, s, base);
    for (int i = 0; i < p->n && c->full; i++)
        for (int j = 0; j < p->n; j++)
            if (i != j) layout_pairs(c, p, s, base, i, j);
    made_points(c, p, s);
    broadcast_cotangent(c, p, s, base, TG__SPREAD_FIRST);
    if (base->y[0].shape.rank > 1) broadcast_cotangent(c, p, s, base, TG__SPREAD_LAST);
}
