/* check/check.h: what the files of tg_op_check share.
 *
 * A point is a set of input values for one sample of the op. A setting says how to run the op there: dtype, layouts, threads,
 * planned or eager, which gradients. A trial runs a point in a setting and copies what came out. The checks compare trials with
 * each other bit for bit, and with values that were found in another way. */
#ifndef TG_CHECK_H
#define TG_CHECK_H

#include "engine/engine.h"

/* ------------------------------------------------------------------ host arrays */

typedef struct tg__array {
    tg_dtype dtype;
    tg_shape shape;
    int64_t n;
    void *data; /* NULL: there is none */
} tg__array;

double tg__array_get(const tg__array *a, int64_t i);
void tg__array_set(const tg__array *a, int64_t i, double value);

/* ------------------------------------------------------------------ the state of one run of the battery */

typedef struct tg__check {
    const tg_op *op;
    FILE *out;
    bool verbose, no_memory, second_order_missing;
    tg_op_report report;
    tg__arena memory;
    tg_tape *tape;
    uint64_t random;
    char where[160];  /* "sample 'rank 0': ": begins every line of the report */
    bool full;        /* TG_FULL: products where otherwise pairs are tried */
} tg__check;

void *tg__check_take(tg__check *c, size_t size); /* NULL when out of memory; then c->no_memory is set, and checks pass */
tg__array tg__check_array(tg__check *c, tg_dtype dtype, const tg_shape *shape);
double tg__check_random(tg__check *c, double lo, double hi); /* a number that f32 can hold */
void tg__check_at(tg__check *c, const char *format, ...) TG_PRINTF(2, 3);

/* ------------------------------------------------------------------ points */

typedef struct tg__point {
    int n;
    const void *attr;
    tg_sample_in in[TG_SAMPLE_INPUTS]; /* kinds, shapes and bounds, resolved */
    int64_t numel[TG_SAMPLE_INPUTS];
    double *x[TG_SAMPLE_INPUTS];
    double *tangent[TG_SAMPLE_INPUTS]; /* random: for jvp */
    double *weight[TG_SAMPLE_INPUTS];  /* random: cotangents of the gradients */
    double *cotangent[TG_MAX_OUTPUTS]; /* random, once the outputs are known */
    int64_t n_cotangent[TG_MAX_OUTPUTS];
} tg__point;

tg__point tg__point_of(tg__check *c, const tg_sample *s); /* draws the values, too */
void tg__point_draw(tg__check *c, tg__point *p);
tg__point tg__point_copy(tg__check *c, const tg__point *p);
/* Every dimension of size `from` becomes `to`; values are drawn anew. */
tg__point tg__point_resized(tg__check *c, const tg__point *p, int64_t from, int64_t to);
tg__point tg__point_scalar(tg__check *c, const tg__point *p); /* every input of rank 0 */
double tg__point_step(const tg__point *p, int input);         /* how far a value may be moved */
bool tg__is_float_kind(char kind);
tg_dtype tg__kind_dtype(char kind, tg_dtype of_floats);

/* ------------------------------------------------------------------ layouts */

typedef enum tg__layout {
    TG__PACKED,
    TG__UNALIGNED,
    TG__TRANSPOSED,
    TG__SLICED,
    TG__STEP2,
    TG__FLIPPED,
    TG__COMPUTED,
    TG__LAYOUT_PLAIN, /* those before do not care for the values */
    TG__SPREAD_FIRST = TG__LAYOUT_PLAIN,
    TG__SPREAD_LAST, /* stride 0: equal along the first, the last axis */
    TG__SAME,
    TG__OVERLAP, /* as input `same`; after its first elements in one array */
    TG__LAYOUT_COUNT
} tg__layout;

const char *tg__layout_name(tg__layout l);
/* Strides and offset, in elements, of an array stored in this layout; returns how many elements the storage has. */
int64_t tg__layout_strides(tg__layout l, const tg_shape *shape, int64_t *strides, int64_t *offset);
bool tg__layout_differs(tg__layout l, const tg_shape *shape); /* from packed */
int tg__spread_axis(tg__layout l, const tg_shape *shape);     /* -1: none */
tg_tensor tg__layout_record(tg__check *c, tg__layout l, const double *x, const tg_shape *shape, tg_dtype dtype);
/* Both inputs as parts of one array, `shift` elements apart. */
void tg__overlap_record(tg__check *c, const tg__point *p, int i, int j, tg_dtype dtype, tg_tensor *in);
#define TG__OVERLAP_SHIFT 3
/* Fills storage that tg__layout_strides has measured. */
void tg__layout_fill(const tg__array *storage, const double *x, const tg_shape *shape, const int64_t *strides, int64_t offset);

/* ------------------------------------------------------------------ trials */

typedef struct tg__setting {
    tg_dtype dtype; /* of the float inputs */
    tg__layout layout[TG_SAMPLE_INPUTS], layout_cotangent;
    int same[TG_SAMPLE_INPUTS]; /* for TG__SAME and TG__OVERLAP */
    int threads;
    bool eager, ask, define;
    bool gradient, jvp, second;
    bool forward_over; /* also the derivative of the gradients along the tangents, in forward mode */
    unsigned outputs; /* bits: which outputs get a cotangent */
    unsigned inputs;  /* bits: which inputs to differentiate; 0: all */
} tg__setting;

typedef struct tg__result {
    tg_status status;
    char message[400];
    bool second_missing; /* TG_ENOGRAD where a gradient was to be differentiated */
    int n_out;
    tg__array y[TG_MAX_OUTPUTS];
    tg__array g[TG_SAMPLE_INPUTS];  /* of the sum over outputs of <cotangent, y> */
    tg__array jv;                   /* of the one output in `outputs` */
    tg__array gg[TG_SAMPLE_INPUTS]; /* of the sum over inputs of <weight, g>; f64 */
    tg__array jg[TG_SAMPLE_INPUTS]; /* of g, along the tangents */
} tg__result;

/* Numbers of threads that must give the bits of one. */
#define TG__TEAMS 5
extern const int tg__teams[TG__TEAMS];

tg__setting tg__setting_of(tg_dtype dtype);
tg__result tg__trial(tg__check *c, const tg__point *p, const tg__setting *s);
bool tg__differentiable(const tg__point *p, int input);
/* A tg_custom_fn: the gradient of a number is, by definition, the n tensors at `user`. */
void tg__check_cotangents(tg_tensor g, tg_tensor y, const tg_tensor *ys, int n, tg_tensor *gs, void *user);

/* ------------------------------------------------------------------ verdicts */

bool tg__verdict(tg__check *c, bool holds, const char *format, ...) TG_PRINTF(3, 4);
/* a and b have equal shapes, dtypes and bits; `what` is compared, `how` a came to be. */
bool tg__same_bits(tg__check *c, const tg__array *a, const tg__array *b, const char *what, const char *how);
bool tg__same_results(tg__check *c, const tg__result *a, const tg__result *b, const char *how);
/* Largest difference of f32 b from f64 a, in units of the last place that f32 has at a, or of moves[i] / most where that is
 * more; moves may be NULL. */
double tg__ulp_error(const tg__array *a, const tg__array *b, const double *moves, double most, int64_t *where);
/* Largest difference of b from a, relative to a's elements, or those smaller than `floor` times the largest to that. */
double tg__relative_error(const tg__array *a, const tg__array *b, double floor, int64_t *where);
/* What may be wrong with an array that should be `right`: "", or ": wrong sign?" and the like, of up to TG__DIAGNOSIS bytes. */
#define TG__DIAGNOSIS 160
void tg__diagnose(char *text, const double *got, const double *right, const tg_shape *shape);
char *tg__element_text(const tg_shape *s, int64_t i, char *buf, size_t size); /* "element (0, 2)" */

/* ------------------------------------------------------------------ measured slopes (difference.c) */

/* A number as a function of h: change gives f(to) - f(from), and how far it moved after rounding; NaN ends the search. */
typedef struct tg__path {
    double (*change)(const struct tg__path *p, double from, double to, double *moved);
    void *user;
    double step; /* the largest |h| */
} tg__path;

typedef struct tg__slope {
    double value, error; /* the error as the quotients show it; NAN and INFINITY: they never settle */
    double step;         /* where they did */
} tg__slope;

typedef struct tg__corner {
    tg__slope left, right; /* one-sided */
    bool is_kink;          /* they differ, by more than their errors */
} tg__corner;

tg__slope tg__slope_along(const tg__path *p);
tg__corner tg__corner_at(const tg__path *p);
bool tg__may_be_kink(const tg__path *p, const tg__slope *s); /* quick: whether tg__corner_at is worth its time */
/* Rounding in a slope: a few units of the last place of the summed sizes, over the step. */
double tg__slope_noise(double summed_size, double h);
/* The difference relative to the larger of both and `floor`. */
double tg__slope_error(double analytic, double numeric, double floor);

/* ------------------------------------------------------------------ the parts of the battery */

void tg__check_descriptor(tg__check *c);
void tg__check_bad(tg__check *c);
void tg__check_source(tg__check *c);
void tg__check_differences(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance);
void tg__check_second(tg__check *c, tg__point *p, const tg__setting *s, const tg__result *base, double tolerance);
void tg__check_layouts(tg__check *c, const tg__point *p, const tg__setting *s, const tg__result *base);
void tg__check_direct(tg__check *c, const tg__point *p, tg_dtype dtype,
                      const tg__result *base); /* calls the loops themselves */
void tg__check_oracle(tg__check *c, const tg__point *p, const tg__setting *s,
                      const tg__result *base); /* definition, reference */

#endif
