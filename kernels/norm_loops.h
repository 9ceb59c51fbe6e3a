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

static double FN(squares_of)(const T *x, int64_t n, T mean) {
    T square[TG__FOLD_LEAF], part;
    double sum = 0;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        int64_t count = leaf_size(n - i);
        for (int64_t j = 0; j < count; j++) square[j] = (x[i + j] - mean) * (x[i + j] - mean);
        FOLD(sum).leaf(square, count, &part);
        sum += (double)part;
    }
    return sum;
}

/* sums[0] += the sum of g w, sums[1] += that of g w (x - mean); w may be NULL. */
static void FN(products_of)(const T *x, const T *g, const T *w, int64_t n, T mean, double *sums) {
    T once[TG__FOLD_LEAF], twice[TG__FOLD_LEAF], part;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        int64_t count = leaf_size(n - i);
        if (w) for (int64_t j = 0; j < count; j++) once[j] = g[i + j] * w[i + j];
        else memcpy(once, g + i, (size_t)count * sizeof(T));
        for (int64_t j = 0; j < count; j++) twice[j] = once[j] * (x[i + j] - mean);
        FOLD(sum).leaf(once, count, &part);
        sums[0] += (double)part;
        FOLD(sum).leaf(twice, count, &part);
        sums[1] += (double)part;
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
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->x + row * a->n;
        T *y = (T *)a->y + row * a->n;
        FN(moments) m = FN(row_moments)(a, x);
        if (w && b) for (int64_t j = 0; j < a->n; j++) y[j] = (x[j] - m.mean) * m.rate * w[j] + b[j];
        else if (w) for (int64_t j = 0; j < a->n; j++) y[j] = (x[j] - m.mean) * m.rate * w[j];
        else for (int64_t j = 0; j < a->n; j++) y[j] = (x[j] - m.mean) * m.rate;
    }
}

/* dx = rate (g w - mean of g w - z mean of g w z) with z = (x - mean) rate; without centering, no mean of g w. */
void TG__SET(FN(tg__row_norm_grad))(const tg__row_norm *a, int64_t begin, int64_t end, void *dw_sum, void *db_sum) {
    const T *w = a->w;
    T *restrict dw = dw_sum, *restrict db = db_sum;
    for (int64_t row = begin; row < end; row++) {
        const T *x = (const T *)a->x + row * a->n, *g = (const T *)a->g + row * a->n;
        T *restrict dx = (T *)a->y + row * a->n;
        FN(moments) m = FN(row_moments)(a, x);
        double sums[2] = {0, 0}, rate = (double)m.rate;
        FN(products_of)(x, g, w, a->n, m.mean, sums);
        T shift = a->center ? (T)(sums[0] / (double)a->n) : 0, slope = (T)(sums[1] * rate * rate / (double)a->n);
        if (w) for (int64_t j = 0; j < a->n; j++) dx[j] = (g[j] * w[j] - shift - (x[j] - m.mean) * slope) * m.rate;
        else for (int64_t j = 0; j < a->n; j++) dx[j] = (g[j] - shift - (x[j] - m.mean) * slope) * m.rate;
        for (int64_t j = 0; j < a->n; j++) {
            dw[j] += g[j] * ((x[j] - m.mean) * m.rate);
            db[j] += g[j];
        }
    }
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
