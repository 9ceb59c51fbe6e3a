/* kernels/norm_loops.h: normalisations of one type T, named D. Included by norm.c.
 *
 * Sums: leaves of TG__FOLD_LEAF elements in the order of kernels.h, in T; leaves are added one after another, in f64. */

static double FN(sum_of)(const T *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        T part;
        FOLD(sum).leaf(x + i, leaf_size(n - i), &part);
        sum += (double)part;
    }
    return sum;
}

typedef T FN(vec) __attribute__((vector_size(VEC_BYTES)));
typedef T FN(loose) __attribute__((vector_size(VEC_BYTES), aligned(__alignof__(T)), may_alias));
#define PER_VEC (VEC_BYTES / (int)sizeof(T))
#define VECS (TG__LANES / PER_VEC)

INLINE FN(vec) FN(load)(const T *x) { return *(const FN(loose) *)x; }

static double FN(join_lanes)(T *lane) {
    for (int half = TG__LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return (double)lane[0];
}

static double FN(leaf_squares)(const T *x, int64_t n, T mean) {
    FN(vec) sum[VECS];
    T lane[TG__LANES];
    int64_t i = 0;
    UNROLL
    for (int v = 0; v < VECS; v++) sum[v] = (FN(vec)){0};
    for (; i + TG__LANES <= n; i += TG__LANES) {
        UNROLL
        for (int v = 0; v < VECS; v++) {
            const FN(vec) z = FN(load)(x + i + v * PER_VEC) - mean;
            sum[v] += z * z;
        }
    }
    memcpy(lane, sum, sizeof lane);
    for (int l = 0; i + l < n; l++) lane[l] += (x[i + l] - mean) * (x[i + l] - mean);
    return FN(join_lanes)(lane);
}

static double FN(squares_of)(const T *x, int64_t n, T mean) {
    double sum = 0;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) sum += FN(leaf_squares)(x + i, leaf_size(n - i), mean);
    return sum;
}

INLINE void FN(leaf_products)(const T *x, const T *g, const T *w, int64_t n, T mean, double *sums) {
    FN(vec) once[VECS], twice[VECS];
    T lane[2][TG__LANES];
    int64_t i = 0;
    UNROLL
    for (int v = 0; v < VECS; v++) once[v] = twice[v] = (FN(vec)){0};
    for (; i + TG__LANES <= n; i += TG__LANES) {
        UNROLL
        for (int v = 0; v < VECS; v++) {
            const int64_t at = i + v * PER_VEC;
            FN(vec) a = FN(load)(g + at);
            if (w) a *= FN(load)(w + at);
            once[v] += a;
            twice[v] += a * (FN(load)(x + at) - mean);
        }
    }
    memcpy(lane[0], once, sizeof lane[0]);
    memcpy(lane[1], twice, sizeof lane[1]);
    for (int l = 0; i + l < n; l++) {
        const T a = w ? g[i + l] * w[i + l] : g[i + l];
        lane[0][l] += a;
        lane[1][l] += a * (x[i + l] - mean);
    }
    for (int k = 0; k < 2; k++) sums[k] += FN(join_lanes)(lane[k]);
}

/* sums[0] += the sum of g w, sums[1] += that of g w (x - mean); w may be NULL. */
static void FN(products_of)(const T *x, const T *g, const T *w, int64_t n, T mean, double *sums) {
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        if (w) FN(leaf_products)(x + i, g + i, w + i, leaf_size(n - i), mean, sums);
        else FN(leaf_products)(x + i, g + i, NULL, leaf_size(n - i), mean, sums);
    }
}

/* ------------------------------------------------------------------ rows */

typedef struct FN(moments) {
    T mean, rate; /* rate: 1 / deviation */
} FN(moments);

static FN(moments) FN(row_moments)(const tg__row_norm *a, const T *x) {
    T mean = a->center ? (T)(FN(sum_of)(x, a->n) / (double)a->n) : 0;
    double variance = FN(squares_of)(x, a->n, mean) / (double)a->n;
    return (FN(moments)){mean, (T)(1 / sqrt(variance + a->epsilon))};
}

void TG__SET(FN(tg__row_norm))(const tg__row_norm *a, int64_t begin, int64_t end) {
    const T *w = a->w, *b = a->b;
    const bool past = a->past && tg__can_pass(a->y, a->n * (int64_t)sizeof(T));
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->x + row * a->n;
        T *y = (T *)a->y + row * a->n;
        FN(moments) m = FN(row_moments)(a, x);
        if (w && b) { TG__STORE_ROW(y, a->n, past, (x[j] - m.mean) * m.rate * w[j] + b[j]) }
        else if (w) { TG__STORE_ROW(y, a->n, past, (x[j] - m.mean) * m.rate * w[j]) }
        else { TG__STORE_ROW(y, a->n, past, (x[j] - m.mean) * m.rate) }
    }
    if (past) tg__stored_past();
}

/* What the gradient of a row is made of, as T. */
typedef struct FN(row_grad) {
    T mean, rate, shift, slope;
} FN(row_grad);

/* Element j of dx; adds to dw and db. */
INLINE T FN(grad_of)(T x, T g, T gw, FN(row_grad) r, T *dw, T *db) {
    const T z = x - r.mean;
    *dw += g * (z * r.rate);
    *db += g;
    return (gw - r.shift - z * r.slope) * r.rate;
}

/* dx = rate (g w - mean of g w - z mean of g w z) with z = (x - mean) rate; without centering, no mean of g w. */
void TG__SET(FN(tg__row_norm_grad))(const tg__row_norm *a, int64_t begin, int64_t end, void *dw_sum, void *db_sum) {
    const T *w = a->w;
    T *dw = dw_sum, *db = db_sum;
    const bool past = a->past && tg__can_pass(a->y, a->n * (int64_t)sizeof(T));
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->x + row * a->n, *g = (const T *)a->g + row * a->n;
        T *dx = (T *)a->y + row * a->n;
        FN(moments) m = FN(row_moments)(a, x);
        double sums[2] = {0, 0}, rate = (double)m.rate, n = (double)a->n;
        FN(products_of)(x, g, w, a->n, m.mean, sums);
        const FN(row_grad) r = {m.mean, m.rate, a->center ? (T)(sums[0] / n) : 0, (T)(sums[1] * rate * rate / n)};
        if (w) { TG__STORE_ROW(dx, a->n, past, FN(grad_of)(x[j], g[j], g[j] * w[j], r, dw + j, db + j)) }
        else { TG__STORE_ROW(dx, a->n, past, FN(grad_of)(x[j], g[j], g[j], r, dw + j, db + j)) }
    }
    if (past) tg__stored_past();
}

/* ------------------------------------------------------------------ channels: (images, channels, n) */

void TG__SET(FN(tg__channel_norm))(const tg__channel_norm *a, int64_t begin, int64_t end) {
    double all = (double)a->images * (double)a->n;
    for (int64_t c = begin; c < end; c++) {
        const T *x = (const T *)a->x + c * a->n;
        T *y = (T *)a->y + c * a->n;
        int64_t step = a->channels * a->n;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < a->images; i++) sum += FN(sum_of)(x + i * step, a->n);
        T mean = (T)(sum / all);
        for (int64_t i = 0; i < a->images; i++) squares += FN(squares_of)(x + i * step, a->n, mean);
        double variance = squares / all;
        T slope = (T)((double)((const T *)a->w)[c] / sqrt(variance + a->epsilon)), shift = ((const T *)a->b)[c];
        for (int64_t i = 0; i < a->images; i++)
            for (int64_t j = 0; j < a->n; j++) y[i * step + j] = (x[i * step + j] - mean) * slope + shift;
        ((T *)a->mean)[c] = mean;
        ((T *)a->variance)[c] = (T)variance;
    }
}

void TG__SET(FN(tg__channel_norm_grad))(const tg__channel_norm *a, int64_t begin, int64_t end) {
    double all = (double)a->images * (double)a->n;
    for (int64_t c = begin; c < end; c++) {
        const T *x = (const T *)a->x + c * a->n, *g = (const T *)a->g + c * a->n;
        T *restrict dx = (T *)a->y + c * a->n;
        int64_t step = a->channels * a->n;
        const T mean = ((const T *)a->mean)[c];
        double rate = 1 / sqrt((double)((const T *)a->variance)[c] + a->epsilon), sums[2] = {0, 0};
        for (int64_t i = 0; i < a->images; i++) FN(products_of)(x + i * step, g + i * step, NULL, a->n, mean, sums);
        T scale = (T)((double)((const T *)a->w)[c] * rate);
        T shift = (T)(sums[0] / all), slope = (T)(sums[1] * rate * rate / all);
        for (int64_t i = 0; i < a->images; i++)
            for (int64_t j = 0; j < a->n; j++)
                dx[i * step + j] = (g[i * step + j] - shift - (x[i * step + j] - mean) * slope) * scale;
        ((T *)a->dw)[c] = (T)(sums[1] * rate);
        ((T *)a->db)[c] = (T)sums[0];
    }
}

#undef PER_VEC
#undef VECS
