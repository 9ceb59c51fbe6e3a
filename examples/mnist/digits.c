#include "digits.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "glyphs.h"
#include "random.h"

/* How much the hand varies. */
static const float jitter = .02f;                /* of a control point, in the unit square */
static const float rotation = .1f, shear = .13f; /* deviations, radians and slope */
static const float stretch = .08f;               /* of width and height, relative */
static const float width = 14, height = 19;      /* of a glyph, in pixels */
static const float shift = .8f;                  /* of its centre, in pixels */
static const float elastic = .6f;                /* amplitude of the smooth displacement, in pixels */
static const float thin = .75f, thick = 1.7f;    /* half the pen's width */
static const float grain = 12, speckle = .004f;  /* noise of grey levels; part of the pixels that are spots */

enum { WAVES = 3, CURVE_STEPS = 6 };

typedef struct point {
    float x, y;
} point;

/* A smooth field of displacements: a few long waves. */
typedef struct wave {
    float kx, ky, phase;
    point push;
} wave;

typedef struct hand {
    float xx, xy, yx, yy; /* unit square, centred, to pixels */
    point centre;
    wave waves[WAVES];
    float pen;
} hand;

static hand random_hand(random_stream *r) {
    hand h;
    float angle = rotation * random_normal(r), slope = shear * random_normal(r);
    float w = width * expf(1.6f * stretch * random_normal(r)), hh = height * expf(stretch * random_normal(r));
    float c = cosf(angle), s = sinf(angle);
    h.xx = c * w;
    h.xy = (-s - slope * c) * hh;
    h.yx = s * w;
    h.yy = (c - slope * s) * hh;
    h.centre = (point){DIGIT_SIDE / 2.f + shift * random_normal(r), DIGIT_SIDE / 2.f + shift * random_normal(r)};
    for (int i = 0; i < WAVES; i++)
        h.waves[i] = (wave){random_between(r, -.35f, .35f),
                            random_between(r, -.35f, .35f),
                            random_between(r, 0, 6.2832f),
                            {elastic * random_normal(r), elastic * random_normal(r)}};
    h.pen = random_between(r, thin, thick);
    return h;
}

static point place(const hand *h, point p) {
    float x = p.x - .5f, y = p.y - .5f;
    point q = {h->centre.x + h->xx * x + h->xy * y, h->centre.y + h->yx * x + h->yy * y}, moved = q;
    for (int i = 0; i < WAVES; i++) {
        const wave *w = &h->waves[i];
        float s = sinf(w->kx * q.x + w->ky * q.y + w->phase);
        moved.x += w->push.x * s;
        moved.y += w->push.y * s;
    }
    return moved;
}

/* Keeps in near[] the squared distance from each pixel's centre to what was drawn. */
static void draw_segment(float *near, point a, point b, float reach) {
    int x0 = (int)fmaxf(fminf(a.x, b.x) - reach, 0), x1 = (int)fminf(fmaxf(a.x, b.x) + reach, DIGIT_SIDE - 1);
    int y0 = (int)fmaxf(fminf(a.y, b.y) - reach, 0), y1 = (int)fminf(fmaxf(a.y, b.y) + reach, DIGIT_SIDE - 1);
    float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy + 1e-9f;
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            float px = (float)x + .5f - a.x, py = (float)y + .5f - a.y;
            float along = fminf(fmaxf((px * dx + py * dy) / length2, 0), 1);
            float ex = px - along * dx, ey = py - along * dy, d2 = ex * ex + ey * ey;
            if (d2 < near[y * DIGIT_SIDE + x]) near[y * DIGIT_SIDE + x] = d2;
        }
}

/* Catmull-Rom: a curve through p1 and p2 that leaves them in the directions of their neighbours. */
static float curve(float p0, float p1, float p2, float p3, float t) {
    return p1 + .5f * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

static point curve_point(const point *p, int n, int i, float t) {
    point a = p[i > 0 ? i - 1 : 0], b = p[i], c = p[i + 1], d = p[i + 2 < n ? i + 2 : n - 1];
    return (point){curve(a.x, b.x, c.x, d.x, t), curve(a.y, b.y, c.y, d.y, t)};
}

static void draw_stroke(float *near, const stroke *s, const hand *h, random_stream *r) {
    point p[STROKE_POINTS];
    for (int i = 0; i < s->n; i++) {
        bool corner = i > 0 && memcmp(s->at[i], s->at[i - 1], sizeof s->at[i]) == 0;
        p[i] = corner
                   ? p[i - 1]
                   : (point){s->at[i][0] / 100.f + jitter * random_normal(r), s->at[i][1] / 100.f + jitter * random_normal(r)};
    }
    for (int i = 0; i + 1 < s->n; i++) {
        point from = place(h, p[i]);
        for (int k = 1; k <= CURVE_STEPS; k++) {
            point to = place(h, curve_point(p, s->n, i, (float)k / CURVE_STEPS));
            draw_segment(near, from, to, h->pen + 1);
            from = to;
        }
    }
}

/* A pixel is inked by how much of it the pen covers, then the paper's grain and spots. */
static void ink(const float *near, float pen, random_stream *r, uint8_t *image) {
    float strength = random_between(r, 190, 255);
    for (int i = 0; i < DIGIT_PIXELS; i++) {
        float cover = fminf(fmaxf(pen + .5f - sqrtf(near[i]), 0), 1);
        float grey = strength * cover + grain * random_normal(r) * (cover > 0 ? 1 : .5f);
        if (random_between(r, 0, 1) < speckle) grey = random_between(r, 0, 255);
        image[i] = (uint8_t)fminf(fmaxf(grey, 0), 255);
    }
}

static const glyph *random_glyph(int digit, random_stream *r) {
    int first = 0, count = 0;
    for (int i = 0; i < GLYPH_COUNT; i++)
        if (glyphs[i].digit == digit && count++ == 0) first = i;
    return &glyphs[first + (int)random_below(r, (uint64_t)count)];
}

void draw_digits(uint64_t seed, int64_t n, uint8_t *images, uint8_t *labels) {
    for (int64_t i = 0; i < n; i++) {
        random_stream r = random_start(seed, (uint64_t)i);
        float near[DIGIT_PIXELS];
        for (int k = 0; k < DIGIT_PIXELS; k++) near[k] = 1e9f;
        labels[i] = (uint8_t)random_below(&r, 10);
        hand h = random_hand(&r);
        const glyph *g = random_glyph(labels[i], &r);
        for (int k = 0; k < GLYPH_STROKES; k++) draw_stroke(near, &g->strokes[k], &h, &r);
        ink(near, h.pen, &r, images + i * DIGIT_PIXELS);
    }
}
