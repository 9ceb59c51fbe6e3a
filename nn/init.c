/* nn/init.c: the first values of parameters. */
#include <math.h>

#include "kernels/kernels.h"
#include "nn/nn.h"

/* A tape may have the model's seed: its streams count from 0, and these must not meet them. */
#define TG__INIT_STREAMS ((uint64_t)1 << 63)

static int64_t fan(int64_t named, const tg_shape *s, int axis) { return named ? named : s->rank == 2 ? s->dims[axis] : 0; }

static int64_t fan_sum(const tg_init *i, const tg_shape *s) {
    switch (i->kind) {
    case TG_INIT_HE_NORMAL:
    case TG_INIT_HE_UNIFORM:
        return fan(i->fan_in, s, 0);
    case TG_INIT_XAVIER_NORMAL:
    case TG_INIT_XAVIER_UNIFORM:
        return fan(i->fan_in, s, 0) + fan(i->fan_out, s, 1);
    default:
        return 1;
    }
}

static bool needs_fan_in(tg_init_kind k) { return k >= TG_INIT_HE_NORMAL; }
static bool needs_fan_out(tg_init_kind k) { return k >= TG_INIT_XAVIER_NORMAL; }

const char *tg__init_refuse(const tg_init *i, const tg_shape *s) {
    if (i->kind < TG_INIT_ZEROS || i->kind > TG_INIT_XAVIER_UNIFORM) return "there is no initialiser of this number";
    if (!isfinite(i->a) || !isfinite(i->b)) return "a and b of an initialiser must be finite";
    if (i->kind == TG_INIT_UNIFORM && i->a > i->b) return "a uniform initialiser needs a <= b";
    if (i->kind == TG_INIT_NORMAL && i->b < 0) return "a normal initialiser needs a deviation b >= 0";
    if (i->fan_in < 0 || i->fan_out < 0 || i->fan_in > INT64_MAX / 2 || i->fan_out > INT64_MAX / 2)
        return "fan_in and fan_out must be from 0 to 2^62";
    if (s->rank == 2) return NULL;
    if (needs_fan_in(i->kind) && !i->fan_in) return "fan_in must be given where the shape is no matrix";
    if (needs_fan_out(i->kind) && !i->fan_out) return "fan_out must be given where the shape is no matrix";
    return NULL;
}

/* out = offset + factor * out, below limit: rounding may reach the open end of a uniform range. */
static void affine(tg__var *v, double offset, double factor, double limit) {
    if (v->dtype == TG_F32) {
        float *x = v->data, top = nextafterf((float)limit, -INFINITY);
        for (int64_t k = 0; k < v->numel; k++) {
            float y = (float)(offset + factor * x[k]);
            x[k] = y >= (float)limit && factor > 0 ? fmaxf(top, (float)offset) : y;
        }
    } else {
        double *x = v->data, top = nextafter(limit, -INFINITY);
        for (int64_t k = 0; k < v->numel; k++) {
            double y = offset + factor * x[k];
            x[k] = y >= limit && factor > 0 ? fmax(top, offset) : y;
        }
    }
}

static void constant(tg__var *v, double a) {
    if (v->dtype == TG_F32) {
        for (int64_t k = 0; k < v->numel; k++) ((float *)v->data)[k] = (float)a;
    } else {
        for (int64_t k = 0; k < v->numel; k++) ((double *)v->data)[k] = a;
    }
}

static void uniform(tg__var *v, const uint64_t *source, double a, double b) {
    (v->dtype == TG_F32 ? tg__uniform_f32 : tg__uniform_f64)((size_t)v->numel, v->data, source, 0);
    affine(v, a, b - a, b);
}

static void normal(tg__var *v, const uint64_t *source, double mean, double deviation) {
    (v->dtype == TG_F32 ? tg__normal_f32 : tg__normal_f64)((size_t)v->numel, v->data, source, 0);
    affine(v, mean, deviation, INFINITY);
}

void tg__init_fill(tg__var *v, const tg_init *i, uint64_t seed, uint64_t stream) {
    uint64_t source[2] = {seed, TG__INIT_STREAMS + stream};
    if (v->numel == 0) return;
    double fans = (double)fan_sum(i, &v->shape);
    switch (i->kind) {
    case TG_INIT_ZEROS:
        return;
    case TG_INIT_CONSTANT:
        constant(v, i->a);
        return;
    case TG_INIT_UNIFORM:
        uniform(v, source, i->a, i->b);
        return;
    case TG_INIT_NORMAL:
        normal(v, source, i->a, i->b);
        return;
    case TG_INIT_HE_NORMAL:
    case TG_INIT_XAVIER_NORMAL:
        normal(v, source, 0, sqrt(2 / fans));
        return;
    case TG_INIT_HE_UNIFORM:
    case TG_INIT_XAVIER_UNIFORM:
        uniform(v, source, -sqrt(6 / fans), sqrt(6 / fans));
        return;
    }
}
