/* The values that an op is tested with: fixed seeds, numbers that f32 can hold. */
#include <math.h>

#include "check.h"
#include "kernels/math.h"

/* ------------------------------------------------------------------ arrays */

double tg__array_get(const tg__array *a, int64_t i) {
    switch (a->dtype) {
    case TG_F32: return ((const float *)a->data)[i];
    case TG_F64: return ((const double *)a->data)[i];
    case TG_I32: return ((const int32_t *)a->data)[i];
    case TG_I64: return (double)((const int64_t *)a->data)[i];
    case TG_BF16: return (double)tg__to_f32_bf16(((const uint16_t *)a->data)[i]);
    case TG_F16: return (double)tg__to_f32_f16(((const uint16_t *)a->data)[i]);
    default: return ((const uint8_t *)a->data)[i];
    }
}

void tg__array_set(const tg__array *a, int64_t i, double value) {
    switch (a->dtype) {
    case TG_F32: ((float *)a->data)[i] = (float)value; break;
    case TG_F64: ((double *)a->data)[i] = value; break;
    case TG_I32: ((int32_t *)a->data)[i] = (int32_t)value; break;
    case TG_I64: ((int64_t *)a->data)[i] = (int64_t)value; break;
    case TG_BF16: ((uint16_t *)a->data)[i] = tg__to_bf16_f64(value); break;
    case TG_F16: ((uint16_t *)a->data)[i] = tg__to_f16_f64(value); break;
    case TG_BOOL: ((uint8_t *)a->data)[i] = value != 0; break;
    default: ((uint8_t *)a->data)[i] = (uint8_t)value;
    }
}

void *tg__check_take(tg__check *c, size_t size) {
    void *p = c->no_memory ? NULL : tg__arena_take(&c->memory, size);
    if (p) return p;
    c->no_memory = true;
    return NULL;
}

tg__array tg__check_array(tg__check *c, tg_dtype dtype, const tg_shape *shape) {
    tg__array a = {dtype, *shape, tg_shape_numel(shape), NULL};
    a.data = tg__check_take(c, (size_t)a.n * tg_dtype_size(dtype));
    if (!a.data) a.n = 0;
    return a;
}

/* Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators": splitmix64. */
double tg__check_random(tg__check *c, double lo, double hi) {
    uint64_t z = c->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float)(lo + (hi - lo) * ((double)(z >> 11) * 0x1p-53));
}

static int64_t random_whole(tg__check *c, int64_t lo, int64_t hi) {
    int64_t x = lo + (int64_t)floor(tg__check_random(c, 0, 1) * (double)(hi - lo + 1));
    return x > hi ? hi : x;
}

/* ------------------------------------------------------------------ points */

bool tg__is_float_kind(char kind) { return kind == 'f' || kind == 'c'; }

tg_dtype tg__kind_dtype(char kind, tg_dtype of_floats) {
    return kind == 'i' ? TG_I64 : kind == 'j' ? TG_I32 : kind == 'b' ? TG_BOOL : kind == 'u' ? TG_U8 : of_floats;
}

bool tg__differentiable(const tg__point *p, int input) { return p->in[input].kind == 'f'; }

static void resolve_bounds(tg_sample_in *in) {
    if (in->lo != 0 || in->hi != 0) return;
    in->lo = in->kind == 'u' ? 0 : -2;
    in->hi = 2;
}

#define MARGIN 0.02 /* of the range, at both ends: room for the difference quotients */

static double margin(const tg_sample_in *in) { return in->kind == 'f' ? MARGIN * (in->hi - in->lo) : 0; }

static bool stays_away(const tg_sample_in *in) { return tg__is_float_kind(in->kind) && in->avoid > 0; }

double tg__point_step(const tg__point *p, int input) {
    const tg_sample_in *in = &p->in[input];
    double h = 0.9 * margin(in);
    return stays_away(in) && h > 0.4 * in->avoid ? 0.4 * in->avoid : h;
}

/* Distinct places, in random order, that stay apart: one value in each of as many slots as there are values. */
static void shuffle(tg__check *c, int64_t *slots, int64_t n) {
    for (int64_t i = 0; i < n; i++) slots[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = random_whole(c, 0, i), s = slots[i];
        slots[i] = slots[j];
        slots[j] = s;
    }
}

/* A place in [0, 1] as a number in the range of `in`, away from its kink. */
static double place(const tg_sample_in *in, double at) {
    double lo = in->lo + margin(in), hi = in->hi - margin(in), gap = in->avoid;
    if (in->kink - gap <= lo || in->kink + gap >= hi) return (float)(lo + at * (hi - lo));
    double below = in->kink - gap - lo, above = hi - in->kink - gap, x = at * (below + above);
    return (float)(x < below ? lo + x : in->kink + gap + (x - below));
}

static void draw_apart(tg__check *c, tg__point *p) {
    int64_t n = 0, at = 0;
    for (int i = 0; i < p->n; i++) n += stays_away(&p->in[i]) ? p->numel[i] : 0;
    int64_t *slots = tg__check_take(c, (size_t)n * sizeof *slots);
    if (!n || !slots) return;
    shuffle(c, slots, n);
    for (int i = 0; i < p->n; i++) {
        const tg_sample_in *in = &p->in[i];
        if (!stays_away(in)) continue;
        double room = 0.5 - 0.5 * in->avoid * (double)n / (in->hi - in->lo - 2 * margin(in) - 2 * in->avoid);
        if (!(room > 0.05)) room = 0.05;
        for (int64_t e = 0; e < p->numel[i]; e++)
            p->x[i][e] = place(in, ((double)slots[at++] + 0.5 + tg__check_random(c, -room, room)) / (double)n);
    }
}

static void draw_input(tg__check *c, tg__point *p, int i) {
    const tg_sample_in *in = &p->in[i];
    for (int64_t e = 0; e < p->numel[i]; e++) {
        if (in->kind == 'b') p->x[i][e] = tg__check_random(c, 0, 1) < 0.5;
        else if (!tg__is_float_kind(in->kind)) p->x[i][e] = (double)random_whole(c, (int64_t)in->lo, (int64_t)in->hi);
        else p->x[i][e] = tg__check_random(c, in->lo + margin(in), in->hi - margin(in));
    }
}

static void add_to_diagonal(tg__point *p, int i) {
    const tg_shape *s = &p->in[i].shape;
    if (p->in[i].diagonal == 0 || s->rank < 2) return;
    int64_t m = s->dims[s->rank - 2], n = s->dims[s->rank - 1];
    for (int64_t e = 0; e < p->numel[i]; e++)
        if (e / n % m == e % n) p->x[i][e] += p->in[i].diagonal;
}

static double *random_array(tg__check *c, int64_t n) {
    double *x = tg__check_take(c, (size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) x[i] = tg__check_random(c, 0.25, 1) * (tg__check_random(c, 0, 1) < 0.5 ? -1 : 1);
    return x;
}

void tg__point_draw(tg__check *c, tg__point *p) {
    for (int i = 0; i < p->n; i++) {
        p->x[i] = tg__check_take(c, (size_t)p->numel[i] * sizeof *p->x[i]);
        p->tangent[i] = random_array(c, p->numel[i]);
        p->weight[i] = random_array(c, p->numel[i]);
        if (c->no_memory) return;
        if (!stays_away(&p->in[i])) draw_input(c, p, i);
    }
    draw_apart(c, p);
    for (int i = 0; i < p->n; i++) add_to_diagonal(p, i);
    memset(p->cotangent, 0, sizeof p->cotangent);
}

tg__point tg__point_of(tg__check *c, const tg_sample *s) {
    tg__point p = {.attr = s->attr};
    for (; p.n < TG_SAMPLE_INPUTS && s->in[p.n].kind; p.n++) {
        p.in[p.n] = s->in[p.n];
        resolve_bounds(&p.in[p.n]);
        p.numel[p.n] = tg_shape_numel(&p.in[p.n].shape);
    }
    tg__point_draw(c, &p);
    return p;
}

tg__point tg__point_copy(tg__check *c, const tg__point *p) {
    tg__point q = *p;
    for (int i = 0; i < p->n; i++) {
        q.x[i] = tg__check_take(c, (size_t)p->numel[i] * sizeof *q.x[i]);
        if (q.x[i] && p->numel[i]) memcpy(q.x[i], p->x[i], (size_t)p->numel[i] * sizeof *q.x[i]);
    }
    return q;
}

static tg__point redrawn(tg__check *c, tg__point p) {
    for (int i = 0; i < p.n; i++) p.numel[i] = tg_shape_numel(&p.in[i].shape);
    tg__point_draw(c, &p);
    return p;
}

tg__point tg__point_resized(tg__check *c, const tg__point *p, int64_t from, int64_t to) {
    tg__point q = *p;
    for (int i = 0; i < q.n; i++)
        for (int a = 0; a < q.in[i].shape.rank; a++)
            if (q.in[i].shape.dims[a] == from) q.in[i].shape.dims[a] = to;
    return redrawn(c, q);
}

tg__point tg__point_scalar(tg__check *c, const tg__point *p) {
    tg__point q = *p;
    for (int i = 0; i < q.n; i++) q.in[i].shape = TG_SCALAR;
    return redrawn(c, q);
}
