/* Pooling */
#include "ops/op_file.h"

#define AXES 3 /* most spatial axes */

typedef struct pool_attr {
    int64_t kernel[TG_MAX_RANK], stride[TG_MAX_RANK], padding[TG_MAX_RANK]; /* per spatial axis; adaptive: kernel = windows */
    int64_t size[TG_MAX_RANK];                                              /* of the result of avg_pool_grad; else 0 */
    int64_t adaptive, skip_padding;
} pool_attr;
static const tg_field pool_fields[] = {
    {"kernel", TG_FIELD_DIMS, offsetof(pool_attr, kernel)},
    {"stride", TG_FIELD_DIMS, offsetof(pool_attr, stride)},
    {"padding", TG_FIELD_DIMS, offsetof(pool_attr, padding)},
    {"size", TG_FIELD_DIMS, offsetof(pool_attr, size)},
    {"adaptive", TG_FIELD_INT, offsetof(pool_attr, adaptive)},
    {"skip_padding", TG_FIELD_INT, offsetof(pool_attr, skip_padding)},
    {NULL, TG_FIELD_INT, 0},
};

/* ------------------------------------------------------------------ shapes */

static tg_status axis_rule(tg_infer *f, int axis, int64_t size, int64_t *windows) {
    const pool_attr *attr = f->attr;
    int64_t kernel = attr->kernel[axis], stride = attr->stride[axis], padding = attr->padding[axis];
    if (kernel < 1)
        return tg_infer_fail(f, TG_EARG, "%s %lld of axis %d must be at least 1", attr->adaptive ? "size" : "kernel",
                             (long long)kernel, axis);
    if (attr->adaptive) {
        if (size < 1) return tg_infer_fail(f, TG_ESHAPE, "spatial axis %d has size 0", axis);
        *windows = kernel;
        return TG_OK;
    }
    if (stride < 1) return tg_infer_fail(f, TG_EARG, "stride %lld of axis %d must be at least 1", (long long)stride, axis);
    if (padding < 0 || padding >= kernel)
        return tg_infer_fail(f, TG_EARG, "padding %lld of axis %d must be from 0 to less than the kernel, %lld",
                             (long long)padding, axis, (long long)kernel);
    if (size < 1 || kernel > size + 2 * padding)
        return tg_infer_fail(f, TG_ESHAPE, "a window of %lld does not fit %lld padded by %lld twice", (long long)kernel,
                             (long long)size, (long long)padding);
    *windows = (size + 2 * padding - kernel) / stride + 1;
    return TG_OK;
}

static tg_status pool_rule(tg_infer *f, const tg_shape *x, tg_shape *y) {
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64, not %s", tg_dtype_name(f->in_dtype[0]));
    f->dtype[0] = f->in_dtype[0];
    if (x->rank < 3 || x->rank > 2 + AXES)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d: it must be (batch, channels, 1 to %d spatial axes)", x->rank, AXES);
    *y = *x;
    tg_status s = TG_OK;
    for (int i = 2; i < x->rank && !s; i++) s = axis_rule(f, i - 2, x->dims[i], &y->dims[i]);
    return s;
}

static tg_status pool_infer(tg_infer *f) { return pool_rule(f, f->in_shape[0], &f->shape[0]); }

static tg_status second_rule(tg_infer *f, const tg_shape *want) {
    if (f->in_dtype[1] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "%s and %s differ: cast with tg_cast", tg_dtype_name(f->in_dtype[0]),
                             tg_dtype_name(f->in_dtype[1]));
    if (!tg_shape_equal(f->in_shape[1], want)) return tg_infer_fail(f, TG_ESHAPE, "the second shape does not fit the first");
    return TG_OK;
}

static tg_status max_pool_grad_infer(tg_infer *f) {
    tg_shape y;
    tg_status s = pool_rule(f, f->in_shape[0], &y);
    f->shape[0] = *f->in_shape[0];
    return s ? s : second_rule(f, &y);
}

static tg_status max_pool_pick_infer(tg_infer *f) {
    tg_status s = pool_infer(f);
    return s ? s : second_rule(f, f->in_shape[0]);
}

static tg_status avg_pool_grad_infer(tg_infer *f) {
    const tg_shape *g = f->in_shape[0];
    tg_shape y, *x = &f->shape[0];
    *x = *g;
    for (int i = 2; i < x->rank; i++) x->dims[i] = ((const pool_attr *)f->attr)->size[i - 2];
    tg_status s = pool_rule(f, x, &y);
    if (!s && !tg_shape_equal(&y, g)) return tg_infer_fail(f, TG_ESHAPE, "a pooling of this size has another result");
    return s;
}

/* ------------------------------------------------------------------ windows */

/* Spatial axes stand right; axes that are not there have size 1. */
typedef struct pool_run {
    const void *x, *other;
    void *y;
    int64_t planes, size[AXES], at[AXES], all_size, all_at;
    int64_t kernel[AXES], stride[AXES], padding[AXES];
    bool adaptive, skip_padding;
} pool_run;

static pool_run run_of(const tg_operand *x, const tg_operand *y, const pool_attr *attr) {
    pool_run r = {.planes = tg__extent(x->shape, 0, 2), .all_size = 1, .all_at = 1};
    r.adaptive = attr->adaptive, r.skip_padding = attr->skip_padding;
    for (int a = 0; a < AXES; a++) {
        int i = x->shape->rank - AXES + a, axis = i - 2;
        r.size[a] = axis < 0 ? 1 : x->shape->dims[i];
        r.at[a] = axis < 0 ? 1 : y->shape->dims[i];
        r.kernel[a] = axis < 0 ? 1 : attr->kernel[axis];
        r.stride[a] = axis < 0 ? 1 : attr->stride[axis];
        r.padding[a] = axis < 0 ? 0 : attr->padding[axis];
        r.all_size *= r.size[a];
        r.all_at *= r.at[a];
    }
    return r;
}

/* Along one axis: the elements [low, high) of window i, and by how many an average divides. */
typedef struct window {
    int64_t low, high, count;
} window;

static inline window window_at(const pool_run *r, int axis, int64_t i) {
    int64_t size = r->size[axis];
    if (r->adaptive) {
        int64_t low = i * size / r->at[axis], high = ((i + 1) * size + r->at[axis] - 1) / r->at[axis];
        return (window){low, high, high - low};
    }
    int64_t low = i * r->stride[axis] - r->padding[axis], high = low + r->kernel[axis];
    window w = {low < 0 ? 0 : low, high > size ? size : high, r->kernel[axis]};
    if (r->skip_padding) w.count = w.high - w.low;
    return w;
}

/* For every window of planes [begin, end): its box in x (a, b, c: windows along the axes), `first` its first element, `y` its
 * place in the result. */
#define EACH_WINDOW(r, ...)                                                                                 \
    for (int64_t plane = begin; plane < end; plane++) {                                                     \
        int64_t y = plane * (r)->all_at;                                                                    \
        for (int64_t i = 0; i < (r)->at[0]; i++) {                                                          \
            const window a = window_at(r, 0, i);                                                            \
            for (int64_t j = 0; j < (r)->at[1]; j++) {                                                      \
                const window b = window_at(r, 1, j);                                                        \
                const int64_t row = ((plane * (r)->size[0] + a.low) * (r)->size[1] + b.low) * (r)->size[2]; \
                for (int64_t k = 0; k < (r)->at[2]; k++, y++) {                                             \
                    const window c = window_at(r, 2, k);                                                    \
                    __VA_ARGS__                                                                             \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
    }

/* For every element `e` of the box of a window. */
#define EACH_ELEMENT(r, ...)                                                                                                  \
    for (int64_t d = 0; d < a.high - a.low; d++)                                                                              \
        for (int64_t h = 0; h < b.high - b.low; h++)                                                                          \
            for (int64_t e = row + (d * (r)->size[1] + h) * (r)->size[2] + c.low, stop = e + c.high - c.low; e < stop; e++) { \
                __VA_ARGS__                                                                                                   \
            }

#define ROW_WINDOWS 256 /* of a row at a time */

/* Windows of two columns that share no element and lie inside of x. */
static bool in_pairs(const pool_run *r) {
    bool pairs = !r->adaptive && r->kernel[2] == 2 && r->stride[2] == 2;
    for (int a = 0; a < AXES; a++) pairs = pairs && !r->padding[a] && r->stride[a] >= r->kernel[a];
    return pairs;
}

#define POOL(T)                                                                                                      \
    static inline int64_t largest_##T(const pool_run *r, window a, window b, window c, int64_t row) {                \
        const T *x = r->x;                                                                                           \
        int64_t best = row + c.low;                                                                                  \
        EACH_ELEMENT(r, if (x[e] > x[best] || (x[e] != x[e] && x[best] == x[best])) best = e;)                       \
        return best;                                                                                                 \
    }                                                                                                                \
    /* out[i] = the larger of out[i] and x[i * stride]; NaN wins */                                                  \
    static inline __attribute__((always_inline)) void larger_##T(T *out, const T *x, int64_t n, int64_t stride) {    \
        for (int64_t i = 0; i < n; i++) {                                                                            \
            T v = x[i * stride];                                                                                     \
            out[i] = v > out[i] || v != v ? v : out[i];                                                              \
        }                                                                                                            \
    }                                                                                                                \
    /* out[i] = the largest of a pair of x and, unless the pair is the first, out[i] */                              \
    static void larger_pairs_##T(T *restrict out, const T *restrict x, int64_t n, bool first) {                      \
        for (int64_t i = 0; i < n; i++) {                                                                            \
            const T a = x[2 * i], b = x[2 * i + 1];                                                                  \
            T v = b > a || b != b ? b : a;                                                                           \
            if (!first) v = v > out[i] || v != v ? v : out[i];                                                       \
            out[i] = v;                                                                                              \
        }                                                                                                            \
    }                                                                                                                \
    /* A row of windows that lie inside of x along the last axis: element by element of the windows, or by pairs. */ \
    static void max_row_##T(const pool_run *r, T *out, const T *x, window a, window b, int64_t n) {                  \
        const bool pairs = r->kernel[2] == 2 && r->stride[2] == 2;                                                   \
        for (int64_t d = 0; d < a.high - a.low; d++)                                                                 \
            for (int64_t h = 0; h < b.high - b.low; h++) {                                                           \
                const T *row = x + (d * r->size[1] + h) * r->size[2];                                                \
                if (pairs) larger_pairs_##T(out, row, n, d + h == 0);                                                \
                for (int64_t k = 0; k < r->kernel[2] && !pairs; k++) {                                               \
                    if (d + h + k == 0)                                                                              \
                        for (int64_t i = 0; i < n; i++) out[i] = row[i * r->stride[2]];                              \
                    else if (r->stride[2] == 1)                                                                      \
                        larger_##T(out, row + k, n, 1);                                                              \
                    else if (r->stride[2] == 2)                                                                      \
                        larger_##T(out, row + k, n, 2);                                                              \
                    else                                                                                             \
                        larger_##T(out, row + k, n, r->stride[2]);                                                   \
                }                                                                                                    \
            }                                                                                                        \
    }                                                                                                                \
    static void max_rows_##T(int64_t begin, int64_t end, const pool_run *r) {                                        \
        for (int64_t i = begin * r->at[0] * r->at[1]; i < end * r->at[0] * r->at[1]; i++) {                          \
            window a = window_at(r, 0, i / r->at[1] % r->at[0]), b = window_at(r, 1, i % r->at[1]);                  \
            int64_t plane = i / r->at[1] / r->at[0];                                                                 \
            const T *x = (const T *)r->x + ((plane * r->size[0] + a.low) * r->size[1] + b.low) * r->size[2];         \
            max_row_##T(r, (T *)r->y + i * r->at[2], x, a, b, r->at[2]);                                             \
        }                                                                                                            \
    }                                                                                                                \
    static void max_pool_##T(int64_t begin, int64_t end, void *ctx) {                                                \
        const pool_run *r = ctx;                                                                                     \
        if (!r->adaptive && !r->padding[2])                                                                          \
            max_rows_##T(begin, end, r);                                                                             \
        else                                                                                                         \
            EACH_WINDOW(r, ((T *)r->y)[y] = ((const T *)r->x)[largest_##T(r, a, b, c, row)];)                        \
    }                                                                                                                \
    static void max_pool_pick_##T(int64_t begin, int64_t end, void *ctx) {                                           \
        const pool_run *r = ctx;                                                                                     \
        EACH_WINDOW(r, ((T *)r->y)[y] = ((const T *)r->other)[largest_##T(r, a, b, c, row)];)                        \
    }                                                                                                                \
    /* n pairs of x, each in a window whose largest element is m: g to the first such element, where `left` says     \
       by 1 that none had it, else by 0. Written so that compilers find no branch in it. */                          \
    static void give_pairs_##T(T *restrict out, const T *restrict x, const T *restrict g, const T *restrict m,       \
                               T *restrict left, int64_t n) {                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                            \
            const T a = x[2 * i], b = x[2 * i + 1], part = g[i], rest = left[i];                                     \
            T first = a == m[i] ? rest : 0, second;                                                                  \
            first = a != a ? rest : first;                                                                           \
            second = b == m[i] ? rest - first : 0;                                                                   \
            second = b != b ? rest - first : second;                                                                 \
            left[i] = rest - first - second;                                                                         \
            const T to_a = first != 0 ? part : 0, to_b = second != 0 ? part : 0;                                     \
            out[2 * i] = to_a, out[2 * i + 1] = to_b;                                                                \
        }                                                                                                            \
    }                                                                                                                \
    /* A row of n windows of two columns, which share no element. */                                                 \
    static void grad_row_##T(const pool_run *r, T *out, const T *x, const T *g, window a, window b, int64_t n) {     \
        T m[ROW_WINDOWS], left[ROW_WINDOWS];                                                                         \
        max_row_##T(r, m, x, a, b, n);                                                                               \
        for (int64_t i = 0; i < n; i++) left[i] = 1;                                                                 \
        for (int64_t d = 0; d < a.high - a.low; d++)                                                                 \
            for (int64_t h = 0; h < b.high - b.low; h++) {                                                           \
                const int64_t at = (d * r->size[1] + h) * r->size[2];                                                \
                give_pairs_##T(out + at, x + at, g, m, left, n);                                                     \
            }                                                                                                        \
    }                                                                                                                \
    static void grad_rows_##T(int64_t begin, int64_t end, const pool_run *r) {                                       \
        for (int64_t i = begin * r->at[0] * r->at[1]; i < end * r->at[0] * r->at[1]; i++) {                          \
            window a = window_at(r, 0, i / r->at[1] % r->at[0]), b = window_at(r, 1, i % r->at[1]);                  \
            int64_t plane = i / r->at[1] / r->at[0];                                                                 \
            int64_t at = ((plane * r->size[0] + a.low) * r->size[1] + b.low) * r->size[2];                           \
            for (int64_t j = 0; j < r->at[2]; j += ROW_WINDOWS) {                                                    \
                int64_t n = r->at[2] - j < ROW_WINDOWS ? r->at[2] - j : ROW_WINDOWS;                                 \
                const T *x = (const T *)r->x + at + 2 * j, *g = (const T *)r->other + i * r->at[2] + j;              \
                grad_row_##T(r, (T *)r->y + at + 2 * j, x, g, a, b, n);                                              \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
    static void max_pool_grad_##T(int64_t begin, int64_t end, void *ctx) {                                           \
        const pool_run *r = ctx;                                                                                     \
        memset((T *)r->y + begin * r->all_size, 0, (size_t)((end - begin) * r->all_size) * sizeof(T));               \
        if (in_pairs(r))                                                                                             \
            grad_rows_##T(begin, end, r);                                                                            \
        else                                                                                                         \
            EACH_WINDOW(r, ((T *)r->y)[largest_##T(r, a, b, c, row)] += ((const T *)r->other)[y];)                   \
    }                                                                                                                \
    static void avg_pool_##T(int64_t begin, int64_t end, void *ctx) {                                                \
        const pool_run *r = ctx;                                                                                     \
        const T *x = r->x;                                                                                           \
        EACH_WINDOW(r, {                                                                                             \
            T sum = 0;                                                                                               \
            EACH_ELEMENT(r, sum += x[e];)                                                                            \
            ((T *)r->y)[y] = sum / (T)(a.count * b.count * c.count);                                                 \
        })                                                                                                           \
    }                                                                                                                \
    static void avg_pool_grad_##T(int64_t begin, int64_t end, void *ctx) {                                           \
        const pool_run *r = ctx;                                                                                     \
        memset((T *)r->y + begin * r->all_size, 0, (size_t)((end - begin) * r->all_size) * sizeof(T));               \
        EACH_WINDOW(r, {                                                                                             \
            const T part = ((const T *)r->other)[y] / (T)(a.count * b.count * c.count);                              \
            EACH_ELEMENT(r, ((T *)r->y)[e] += part;)                                                                 \
        })                                                                                                           \
    }
POOL(float)
POOL(double)

#define WORK_PER_ELEMENT 8.0 /* of a window, in the unit of tg_parallel */

static void run_planes(tg_kernel_args *k, pool_run *r, tg_dtype d, void (*f32)(int64_t, int64_t, void *),
                       void (*f64)(int64_t, int64_t, void *)) {
    double work = (double)r->planes * (double)(r->all_size + 2 * r->all_at) * WORK_PER_ELEMENT;
    tg_parallel(k->threads, r->planes, work, d == TG_F32 ? f32 : f64, r);
}

static double pool_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    return (double)tg_shape_numel(in[0]);
}

/* ------------------------------------------------------------------ references: every window, every point, is it inside? */

static bool is_inside(const pool_attr *attr, int axis, int64_t size, int64_t windows, int64_t i, int64_t p) {
    if (attr->adaptive)
        return p >= floor((double)(i * size) / (double)windows) && p < ceil((double)((i + 1) * size) / (double)windows);
    return p >= i * attr->stride[axis] - attr->padding[axis] &&
           p < i * attr->stride[axis] - attr->padding[axis] + attr->kernel[axis];
}

/* Whether point p of a plane is in window i of it. */
static bool holds(const pool_attr *attr, const tg_shape *x, const tg_shape *y, int64_t i, int64_t p) {
    bool inside = true;
    for (int a = x->rank - 1; a >= 2; a--) {
        inside = inside && is_inside(attr, a - 2, x->dims[a], y->dims[a], i % y->dims[a], p % x->dims[a]);
        i /= y->dims[a], p /= x->dims[a];
    }
    return inside;
}

typedef struct naive {
    const pool_attr *attr;
    const tg_operand *x, *y;
    int64_t points, windows;
} naive;

static naive naive_of(const tg_kernel_args *k, const tg_operand *x, const tg_operand *y) {
    return (naive){k->attr, x, y, tg__extent(x->shape, 2, x->shape->rank), tg__extent(y->shape, 2, y->shape->rank)};
}

static int64_t naive_largest(const naive *n, int64_t window) {
    const double *x = (const double *)n->x->data;
    int64_t best = -1, from = window / n->windows * n->points;
    for (int64_t p = 0; p < n->points; p++)
        if (holds(n->attr, n->x->shape, n->y->shape, window % n->windows, p) && (best < 0 || x[from + p] > x[best]))
            best = from + p;
    return best;
}

static double naive_count(const naive *n, int64_t window) {
    double inside = 0, all = 1;
    for (int64_t p = 0; p < n->points; p++) inside += holds(n->attr, n->x->shape, n->y->shape, window % n->windows, p);
    for (int a = 0; a < n->x->shape->rank - 2; a++) all *= (double)n->attr->kernel[a];
    return n->attr->adaptive || n->attr->skip_padding ? inside : all;
}

/* ------------------------------------------------------------------ max_pool */

static tg_status max_pool_kernel(tg_kernel_args *k) {
    pool_run r = run_of(&k->in[0], &k->out[0], k->attr);
    r.x = k->in[0].data, r.y = k->out[0].data;
    run_planes(k, &r, k->in[0].dtype, max_pool_float, max_pool_double);
    return TG_OK;
}

static tg_status max_pool_ref(tg_kernel_args *k) {
    naive n = naive_of(k, &k->in[0], &k->out[0]);
    for (int64_t i = 0; i < n.y->numel; i++)
        ((double *)k->out[0].data)[i] = ((const double *)k->in[0].data)[naive_largest(&n, i)];
    return TG_OK;
}

extern const tg_op tg__op_max_pool_grad, tg__op_max_pool_pick, tg__op_avg_pool_grad, tg__op_avg_pool;

static void max_pool_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_max_pool_grad, v->attr, (tg_tensor[]){v->in[0], v->g[0]}, 2));
}

#define WINDOWS(kernel_, stride_, padding_)                                                          \
    .attr = &(const pool_attr) {                                                                     \
        .kernel = {TG__OPEN kernel_}, .stride = {TG__OPEN stride_}, .padding = { TG__OPEN padding_ } \
    }
#define ADAPTIVE(...) \
    .attr = &(const pool_attr) { .kernel = {__VA_ARGS__}, .adaptive = 1 }
#define APART(...) IN('f', __VA_ARGS__, .avoid = 1e-3)
#define FIXED(...) IN('c', __VA_ARGS__, .avoid = 1e-3)
#define POOL_SOURCE "Scherer, Mueller, Behnke 2010, Evaluation of pooling operations in convolutional architectures"
#define POOL_BADS(...)                                                                                                 \
    BAD("a matrix", TG_ESHAPE, "rank 2", INPUTS(IN('f', (3, 4)) __VA_ARGS__), WINDOWS((2), (2), (0))),                 \
        BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (1, 2, 4)) __VA_ARGS__), WINDOWS((2), (2), (0))),    \
        BAD("no kernel", TG_EARG, "kernel 0", INPUTS(IN('f', (1, 2, 4)) __VA_ARGS__), WINDOWS((0), (2), (0))),         \
        BAD("no stride", TG_EARG, "stride 0", INPUTS(IN('f', (1, 2, 4)) __VA_ARGS__), WINDOWS((2), (0), (0))),         \
        BAD("too much padding", TG_EARG, "padding 2", INPUTS(IN('f', (1, 2, 4)) __VA_ARGS__), WINDOWS((2), (2), (2))), \
        BAD("a kernel too large", TG_ESHAPE, "does not fit 4", INPUTS(IN('f', (1, 2, 4)) __VA_ARGS__),                 \
            WINDOWS((5), (1), (0))),                                                                                   \
        BAD("nothing to pool", TG_ESHAPE, "size 0", INPUTS(IN('f', (1, 2, 0)) __VA_ARGS__), ADAPTIVE(2))

const tg_op tg__op_max_pool = {
    .name = "max_pool",
    .formula = "y[n, c, i] = max of x[n, c] over window i",
    .source = POOL_SOURCE,
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(pool_attr),
    .fields = pool_fields,
    .infer = pool_infer,
    .vjp = max_pool_vjp,
    .kernel = max_pool_kernel,
    .ref = max_pool_ref,
    .flops = pool_flops,
    SAMPLES(SAMPLE("1-D", INPUTS(APART((2, 3, 7))), WINDOWS((2), (2), (0))),
            SAMPLE("2-D", INPUTS(APART((2, 2, 4, 6))), WINDOWS((2, 2), (2, 2), (0, 0))),
            SAMPLE("windows that overlap", INPUTS(APART((1, 2, 5, 6))), WINDOWS((3, 2), (1, 1), (0, 0))),
            SAMPLE("a stride of three", INPUTS(APART((1, 2, 5, 8))), WINDOWS((2, 2), (3, 3), (0, 0))),
            SAMPLE("padded", INPUTS(APART((1, 2, 5, 5))), WINDOWS((3, 3), (2, 2), (1, 1))),
            SAMPLE("padded along rows alone", INPUTS(APART((1, 2, 5, 5))), WINDOWS((3, 2), (2, 2), (1, 0))),
            SAMPLE("3-D", INPUTS(APART((1, 2, 3, 4, 4))), WINDOWS((2, 2, 2), (1, 2, 2), (0, 0, 0))),
            SAMPLE("adaptive", INPUTS(APART((1, 2, 5, 7))), ADAPTIVE(2, 3)),
            SAMPLE("adaptive, more windows than elements", INPUTS(APART((1, 2, 3))), ADAPTIVE(5)),
            SAMPLE("no images", INPUTS(APART((0, 2, 4))), WINDOWS((2), (2), (0)))),
    BADS(POOL_BADS()),
};

/* ------------------------------------------------------------------ max_pool_grad: (x, g) -> the cotangent of max_pool's x */

static tg_status max_pool_grad_kernel(tg_kernel_args *k) {
    pool_run r = run_of(&k->in[0], &k->in[1], k->attr);
    r.x = k->in[0].data, r.other = k->in[1].data, r.y = k->out[0].data;
    run_planes(k, &r, k->in[0].dtype, max_pool_grad_float, max_pool_grad_double);
    return TG_OK;
}

static tg_status max_pool_grad_ref(tg_kernel_args *k) {
    naive n = naive_of(k, &k->in[0], &k->in[1]);
    memset(k->out[0].data, 0, (size_t)k->out[0].numel * sizeof(double));
    for (int64_t i = 0; i < n.y->numel; i++)
        ((double *)k->out[0].data)[naive_largest(&n, i)] += ((const double *)k->in[1].data)[i];
    return TG_OK;
}

/* Which element is the largest does not change where the gradient exists: nothing flows to x. */
static void max_pool_grad_vjp(tg_vjp_args *v) {
    if (tg_vjp_needs(v, 1))
        tg_vjp_give(v, 1, tg_apply(NULL, &tg__op_max_pool_pick, v->attr, (tg_tensor[]){v->in[0], v->g[0]}, 2));
}

const tg_op tg__op_max_pool_grad = {
    .name = "max_pool_grad",
    .formula = "y[n, c, p] = sum of g[n, c, i] over the windows i whose first largest element is x[n, c, p]",
    .source = POOL_SOURCE,
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(pool_attr),
    .fields = pool_fields,
    .infer = max_pool_grad_infer,
    .vjp = max_pool_grad_vjp,
    .kernel = max_pool_grad_kernel,
    .ref = max_pool_grad_ref,
    .flops = pool_flops,
    SAMPLES(SAMPLE("2-D", INPUTS(FIXED((2, 2, 4, 6)), IN('f', (2, 2, 2, 3))), WINDOWS((2, 2), (2, 2), (0, 0))),
            SAMPLE("windows that overlap", INPUTS(FIXED((1, 2, 7)), IN('f', (1, 2, 5))), WINDOWS((3), (1), (0))),
            SAMPLE("padded", INPUTS(FIXED((1, 2, 5, 5)), IN('f', (1, 2, 3, 3))), WINDOWS((3, 3), (2, 2), (1, 1))),
            SAMPLE("adaptive", INPUTS(FIXED((1, 2, 5, 7)), IN('f', (1, 2, 2, 3))), ADAPTIVE(2, 3)),
            SAMPLE("no images", INPUTS(FIXED((0, 2, 4)), IN('f', (0, 2, 2))), WINDOWS((2), (2), (0)))),
    BADS(BAD("a cotangent of another shape", TG_ESHAPE, "does not fit", INPUTS(IN('f', (1, 2, 4)), IN('f', (1, 2, 3))),
             WINDOWS((2), (2), (0))),
         BAD("a cotangent of whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 4)), IN('i', (1, 2, 2))),
             WINDOWS((2), (2), (0))),
         POOL_BADS(, IN('f', (1, 2, 2)))),
};

/* ------------------------------------------------------------------ max_pool_pick: (x, h) -> h where x is largest */

static tg_status max_pool_pick_kernel(tg_kernel_args *k) {
    pool_run r = run_of(&k->in[0], &k->out[0], k->attr);
    r.x = k->in[0].data, r.other = k->in[1].data, r.y = k->out[0].data;
    run_planes(k, &r, k->in[0].dtype, max_pool_pick_float, max_pool_pick_double);
    return TG_OK;
}

static tg_status max_pool_pick_ref(tg_kernel_args *k) {
    naive n = naive_of(k, &k->in[0], &k->out[0]);
    for (int64_t i = 0; i < n.y->numel; i++)
        ((double *)k->out[0].data)[i] = ((const double *)k->in[1].data)[naive_largest(&n, i)];
    return TG_OK;
}

static void max_pool_pick_vjp(tg_vjp_args *v) {
    if (tg_vjp_needs(v, 1))
        tg_vjp_give(v, 1, tg_apply(NULL, &tg__op_max_pool_grad, v->attr, (tg_tensor[]){v->in[0], v->g[0]}, 2));
}

const tg_op tg__op_max_pool_pick = {
    .name = "max_pool_pick",
    .formula = "y[n, c, i] = h[n, c, p], where x[n, c, p] is the first largest element of window i",
    .source = POOL_SOURCE,
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(pool_attr),
    .fields = pool_fields,
    .infer = max_pool_pick_infer,
    .vjp = max_pool_pick_vjp,
    .kernel = max_pool_pick_kernel,
    .ref = max_pool_pick_ref,
    .flops = pool_flops,
    SAMPLES(SAMPLE("2-D", INPUTS(FIXED((2, 2, 4, 6)), IN('f', (2, 2, 4, 6))), WINDOWS((2, 2), (2, 2), (0, 0))),
            SAMPLE("padded", INPUTS(FIXED((1, 2, 5, 5)), IN('f', (1, 2, 5, 5))), WINDOWS((3, 3), (2, 2), (1, 1))),
            SAMPLE("adaptive", INPUTS(FIXED((1, 2, 7)), IN('f', (1, 2, 7))), ADAPTIVE(3)),
            SAMPLE("no images", INPUTS(FIXED((0, 2, 4)), IN('f', (0, 2, 4))), WINDOWS((2), (2), (0)))),
    BADS(BAD("shapes that differ", TG_ESHAPE, "does not fit", INPUTS(IN('f', (1, 2, 4)), IN('f', (1, 2, 3))),
             WINDOWS((2), (2), (0))),
         BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (1, 2, 4)), IN('i', (1, 2, 4))), WINDOWS((2), (2), (0))),
         POOL_BADS(, IN('f', (1, 2, 4)))),
};

/* ------------------------------------------------------------------ avg_pool */

static tg_status avg_pool_kernel(tg_kernel_args *k) {
    pool_run r = run_of(&k->in[0], &k->out[0], k->attr);
    r.x = k->in[0].data, r.y = k->out[0].data;
    run_planes(k, &r, k->in[0].dtype, avg_pool_float, avg_pool_double);
    return TG_OK;
}

static tg_status avg_pool_ref(tg_kernel_args *k) {
    naive n = naive_of(k, &k->in[0], &k->out[0]);
    const double *x = (const double *)n.x->data;
    for (int64_t i = 0; i < n.y->numel; i++) {
        double sum = 0;
        for (int64_t p = 0; p < n.points; p++)
            if (holds(n.attr, n.x->shape, n.y->shape, i % n.windows, p)) sum += x[i / n.windows * n.points + p];
        ((double *)k->out[0].data)[i] = sum / naive_count(&n, i);
    }
    return TG_OK;
}

static void avg_pool_vjp(tg_vjp_args *v) {
    pool_attr attr = *(const pool_attr *)v->attr;
    tg_shape x = tg_shape_of(v->in[0]);
    for (int i = 2; i < x.rank; i++) attr.size[i - 2] = x.dims[i];
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_avg_pool_grad, &attr, v->g, 1));
}

const tg_op tg__op_avg_pool = {
    .name = "avg_pool",
    .formula = "y[n, c, i] = mean of x[n, c] over window i",
    .source = "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(pool_attr),
    .fields = pool_fields,
    .infer = pool_infer,
    .vjp = avg_pool_vjp,
    .kernel = avg_pool_kernel,
    .ref = avg_pool_ref,
    .flops = pool_flops,
    SAMPLES(SAMPLE("1-D", INPUTS(IN('f', (2, 3, 7))), WINDOWS((2), (2), (0))),
            SAMPLE("2-D", INPUTS(IN('f', (2, 2, 4, 6))), WINDOWS((2, 3), (2, 3), (0, 0))),
            SAMPLE("windows that overlap, padded", INPUTS(IN('f', (1, 2, 5, 5))), WINDOWS((3, 3), (2, 1), (1, 1))),
            SAMPLE("padding that does not count", INPUTS(IN('f', (1, 2, 5, 5))),
                   .attr = &(const pool_attr){.kernel = {3, 3}, .stride = {2, 1}, .padding = {1, 2}, .skip_padding = 1}),
            SAMPLE("3-D", INPUTS(IN('f', (1, 2, 3, 4, 4))), WINDOWS((2, 2, 2), (1, 2, 2), (0, 0, 0))),
            SAMPLE("adaptive", INPUTS(IN('f', (1, 2, 5, 7))), ADAPTIVE(2, 3)),
            SAMPLE("adaptive, one window", INPUTS(IN('f', (2, 3, 4, 4))), ADAPTIVE(1, 1)),
            SAMPLE("no images", INPUTS(IN('f', (0, 2, 4))), WINDOWS((2), (2), (0)))),
    BADS(POOL_BADS()),
};

/* ------------------------------------------------------------------ avg_pool_grad: g -> the cotangent of avg_pool's x */

static tg_status avg_pool_grad_kernel(tg_kernel_args *k) {
    pool_run r = run_of(&k->out[0], &k->in[0], k->attr);
    r.other = k->in[0].data, r.y = k->out[0].data;
    run_planes(k, &r, k->in[0].dtype, avg_pool_grad_float, avg_pool_grad_double);
    return TG_OK;
}

static tg_status avg_pool_grad_ref(tg_kernel_args *k) {
    naive n = naive_of(k, &k->out[0], &k->in[0]);
    memset(k->out[0].data, 0, (size_t)k->out[0].numel * sizeof(double));
    for (int64_t i = 0; i < n.y->numel; i++)
        for (int64_t p = 0; p < n.points; p++)
            if (holds(n.attr, n.x->shape, n.y->shape, i % n.windows, p))
                ((double *)k->out[0].data)[i / n.windows * n.points + p] +=
                    ((const double *)k->in[0].data)[i] / naive_count(&n, i);
    return TG_OK;
}

static void avg_pool_grad_vjp(tg_vjp_args *v) {
    pool_attr attr = *(const pool_attr *)v->attr;
    memset(attr.size, 0, sizeof attr.size);
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_avg_pool, &attr, v->g, 1));
}

#define SIZED(kernel_, stride_, padding_, size_)                                                                               \
    .attr = &(const pool_attr) {                                                                                               \
        .kernel = {TG__OPEN kernel_}, .stride = {TG__OPEN stride_}, .padding = {TG__OPEN padding_}, .size = { TG__OPEN size_ } \
    }

const tg_op tg__op_avg_pool_grad = {
    .name = "avg_pool_grad",
    .formula = "y[n, c, p] = sum of g[n, c, i] / (size of window i) over the windows i that hold p",
    .source = "LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(pool_attr),
    .fields = pool_fields,
    .infer = avg_pool_grad_infer,
    .vjp = avg_pool_grad_vjp,
    .kernel = avg_pool_grad_kernel,
    .ref = avg_pool_grad_ref,
    .flops = pool_flops,
    SAMPLES(SAMPLE("1-D", INPUTS(IN('f', (2, 3, 3))), SIZED((2), (2), (0), (7))),
            SAMPLE("2-D, padded", INPUTS(IN('f', (1, 2, 3, 5))), SIZED((3, 3), (2, 1), (1, 1), (5, 5))),
            SAMPLE("adaptive", INPUTS(IN('f', (1, 2, 2, 3))),
                   .attr = &(const pool_attr){.kernel = {2, 3}, .size = {5, 7}, .adaptive = 1}),
            SAMPLE("no images", INPUTS(IN('f', (0, 2, 2))), SIZED((2), (2), (0), (4)))),
    BADS(BAD("a size that does not fit", TG_ESHAPE, "another result", INPUTS(IN('f', (1, 2, 3))), SIZED((2), (2), (0), (9))),
         BAD("an empty size", TG_ESHAPE, "does not fit 0", INPUTS(IN('f', (1, 2, 3))), SIZED((2), (2), (0), (0))),
         BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (1, 2, 3))), SIZED((2), (2), (0), (7))),
         BAD("no stride", TG_EARG, "stride 0", INPUTS(IN('f', (1, 2, 3))), SIZED((2), (0), (0), (7))),
         BAD("a matrix", TG_ESHAPE, "rank 2", INPUTS(IN('f', (2, 3))), SIZED((2), (2), (0), (7)))),
};

/* ------------------------------------------------------------------ the public functions */

static tg_tensor pool(const char *site, const tg_op *op, tg_tensor x, const tg_pool_config *config) {
    pool_attr attr = {.skip_padding = config->skip_padding && op == &tg__op_avg_pool};
    for (int i = 0; i < AXES && i + 2 < tg_shape_of(x).rank; i++) {
        attr.kernel[i] = config->kernel[i];
        attr.stride[i] = config->stride[i] ? config->stride[i] : config->kernel[i];
        attr.padding[i] = config->padding[i];
    }
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

static tg_tensor adaptive(const char *site, const tg_op *op, tg_tensor x, const tg_shape *size) {
    pool_attr attr = {.adaptive = 1};
    int axes = tg_shape_of(x).rank - 2;
    tg_tape *t = tg_tape_of(x);
    if (t && tg_valid(x) && size->rank != axes) {
        tg__fail(t, TG_ESHAPE, op->name, site, t->scope, "a size of %d axes for %d spatial axes", size->rank, axes);
        return tg__poison(t);
    }
    for (int i = 0; i < AXES && i < size->rank; i++) attr.kernel[i] = size->dims[i];
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

/*| tg_max_pool: the largest element of each window, along 1 to 3 spatial axes. A NaN in a window is its largest element.
 *    y[n, c, i] = max of x[n, c] over window i, which begins at i stride - padding
 *  Shapes:   x (N, C, L...) -> y (N, C, (L + 2 padding - kernel) / stride + 1, ...)
 *  Dtypes:   f32, f64
 *  Gradient: each g goes to the first largest element of its window
 *  Errors:   TG_ESHAPE if x has no or more than 3 spatial axes or a window does not fit; TG_EARG if a kernel or a stride is not
 *            positive or a padding not less than the kernel; TG_EDTYPE for other dtypes
 *  Source:   Scherer, Mueller, Behnke 2010, Evaluation of pooling operations in convolutional architectures */
TG_API(tg_tensor, tg_max_pool, (tg_tensor x, tg_pool_config config), (x, config)) {
    return pool(site, &tg__op_max_pool, x, &config);
}

/*| tg_avg_pool: the mean of each window, along 1 to 3 spatial axes; padding counts as zeros unless config.skip_padding.
 *    y[n, c, i] = mean of x[n, c] over window i, which begins at i stride - padding
 *  Shapes:   x (N, C, L...) -> y (N, C, (L + 2 padding - kernel) / stride + 1, ...)
 *  Dtypes:   f32, f64
 *  Gradient: dx[n, c, p] = sum of g[n, c, i] / (size of the window) over the windows i that hold p
 *  Errors:   as tg_max_pool
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_API(tg_tensor, tg_avg_pool, (tg_tensor x, tg_pool_config config), (x, config)) {
    return pool(site, &tg__op_avg_pool, x, &config);
}

/*| tg_adaptive_max_pool: tg_max_pool whose windows are chosen so that the result has the given spatial size.
 *    y[n, c, i] = max of x[n, c] over the elements from floor(i L / size) to ceil((i + 1) L / size), not included
 *  Shapes:   x (N, C, L...), size (one number per spatial axis) -> y (N, C, size...)
 *  Dtypes:   f32, f64
 *  Gradient: each g goes to the first largest element of its window
 *  Errors:   TG_ESHAPE if size has not one number per spatial axis or x is empty there; TG_EARG if a size is not positive;
 *            TG_EDTYPE for other dtypes
 *  Source:   He, Zhang, Ren, Sun 2014, Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729, section 2.3 */
TG_API(tg_tensor, tg_adaptive_max_pool, (tg_tensor x, tg_shape size), (x, size)) {
    return adaptive(site, &tg__op_max_pool, x, &size);
}

/*| tg_adaptive_avg_pool: tg_avg_pool whose windows are chosen so that the result has the given spatial size.
 *    y[n, c, i] = mean of x[n, c] over the elements from floor(i L / size) to ceil((i + 1) L / size), not included
 *  Shapes:   x (N, C, L...), size (one number per spatial axis) -> y (N, C, size...)
 *  Dtypes:   f32, f64
 *  Gradient: dx[n, c, p] = sum of g[n, c, i] / (size of the window) over the windows i that hold p
 *  Errors:   as tg_adaptive_max_pool
 *  Source:   He, Zhang, Ren, Sun 2014, Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729, section 2.3 */
TG_API(tg_tensor, tg_adaptive_avg_pool, (tg_tensor x, tg_shape size), (x, size)) {
    return adaptive(site, &tg__op_avg_pool, x, &size);
}

static tg_axes spatial_axes(tg_tensor x) {
    tg_axes axes = {0, {0}};
    for (int i = 2; i < tg_shape_of(x).rank; i++) axes.axis[axes.n++] = i;
    return axes;
}

/*| tg_global_avg_pool: the mean over all spatial axes, which go.
 *    y[n, c] = mean of x[n, c, ...]
 *  Shapes:   x (N, C, any) -> y (N, C)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (number of elements of a channel)
 *  Errors:   those of tg_mean
 *  Source:   Lin, Chen, Yan 2013, Network in network, arXiv:1312.4400, section 3.2 */
TG_API(tg_tensor, tg_global_avg_pool, (tg_tensor x), (x)) {
    return tg_mean_at(site, x, spatial_axes(x), false);
}

/*| tg_global_max_pool: the maximum over all spatial axes, which go.
 *    y[n, c] = max of x[n, c, ...]
 *  Shapes:   x (N, C, any, not of size 0) -> y (N, C)
 *  Dtypes:   those of tg_max
 *  Gradient: that of tg_max
 *  Errors:   those of tg_max
 *  Source:   elementary */
TG_API(tg_tensor, tg_global_max_pool, (tg_tensor x), (x)) {
    return tg_max_at(site, x, spatial_axes(x), false);
}
