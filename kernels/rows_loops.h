/* kernels/rows_loops.h: softmax of rows of one type T, named D, and its gradients. Included by rows.c.
 *
 * softmax(x) = e^(x - max) / sum. Sums are in the order of kernels.h. A row stays in the cache from its maximum to its result.
 * A row that is -inf throughout gives NaN: -inf - -inf. */

/* A NaN need not be carried through: its power makes the sum one. */
static T FN(row_max)(const T *x, int64_t n) {
    T lane[TG__LANES], most = x[0];
    int64_t i = 0;
    if (n >= TG__LANES) {
        memcpy(lane, x, sizeof lane);
        for (i = TG__LANES; i + TG__LANES <= n; i += TG__LANES)
            for (int l = 0; l < TG__LANES; l++) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
        UNROLL
        for (int half = TG__LANES / 2; half > 0; half /= 2) {
            UNROLL
            for (int l = 0; l < half; l++) lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
        }
        most = lane[0];
    }
    for (; i < n; i++) most = x[i] > most ? x[i] : most;
    return most;
}

/* Sums of complete subtrees, largest first: a leaf joins as many of them as the binary number of leaves so far carries. */
typedef struct FN(tree) {
    T sum[64];
    int top;
    int64_t leaves;
} FN(tree);

static void FN(tree_join_last)(FN(tree) *t) {
    t->sum[t->top - 2] += t->sum[t->top - 1];
    t->top--;
}

static void FN(tree_add_leaf)(FN(tree) *t, T sum) {
    t->sum[t->top++] = sum;
    for (int64_t full = ++t->leaves; full % 2 == 0; full /= 2) FN(tree_join_last)(t);
}

static T FN(tree_sum)(FN(tree) *t) {
    while (t->top > 1) FN(tree_join_last)(t);
    return t->sum[0];
}

INLINE T FN(join_lanes)(T *lane) {
    UNROLL
    for (int half = TG__LANES / 2; half > 0; half /= 2) {
        UNROLL
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    }
    return lane[0];
}

/* y = e^(x - shift), added to the lanes; n is a multiple of TG__LANES, and at most a leaf. */
INLINE void FN(exp_lanes)(const T *x, T *y, int64_t n, T shift, T *restrict lane) {
    T rest[TG__FOLD_LEAF], power[TG__FOLD_LEAF];
    for (int64_t i = 0; i < n; i++) rest[i] = M(exp_split)(x[i] - shift, &power[i]);
    for (int64_t i = 0; i < n; i += TG__LANES) {
        TG__INDEPENDENT
        for (int l = 0; l < TG__LANES; l++) {
            y[i + l] = power[i + l] * (1 + M(expm1_core)(rest[i + l]));
            lane[l] += y[i + l];
        }
    }
}

/* y = e^(x - shift) of a leaf; returns the sum. */
static T FN(exp_leaf)(const T *x, T *y, int64_t n, T shift) {
    const int64_t whole = n / TG__LANES * TG__LANES;
    T lane[TG__LANES] = {0}, last[TG__LANES];
    FN(exp_lanes)(x, y, whole, shift, lane);
    if (whole < n) {
        for (int l = 0; l < TG__LANES; l++) last[l] = whole + l < n ? x[whole + l] : -(T)INFINITY;
        FN(exp_lanes)(last, last, TG__LANES, shift, lane);
        memcpy(y + whole, last, (size_t)(n - whole) * sizeof(T));
    }
    return FN(join_lanes)(lane);
}

/* The sum of e^(x - shift) over a row; the powers go to y, leaf by leaf to the same place if step is 0. */
static T FN(exp_row)(const T *x, T *y, int step, int64_t n, T shift) {
    FN(tree) tree;
    tree.top = 0, tree.leaves = 0;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF)
        FN(tree_add_leaf)(&tree, FN(exp_leaf)(x + i, y + i * step, leaf_size(n - i), shift));
    return FN(tree_sum)(&tree);
}

/* The sum of a b over a row. */
static T FN(dot_row)(const T *a, const T *b, int64_t n) {
    FN(tree) tree;
    tree.top = 0, tree.leaves = 0;
    for (int64_t from = 0; from < n; from += TG__FOLD_LEAF) {
        const int64_t to = from + leaf_size(n - from);
        T lane[TG__LANES] = {0};
        int64_t i = from;
        for (; i + TG__LANES <= to; i += TG__LANES)
            for (int l = 0; l < TG__LANES; l++) lane[l] += a[i + l] * b[i + l];
        for (int l = 0; i + l < to; l++) lane[l] += a[i + l] * b[i + l];
        FN(tree_add_leaf)(&tree, FN(join_lanes)(lane));
    }
    return FN(tree_sum)(&tree);
}

static T FN(sum_row)(const T *x, int64_t n) {
    FN(tree) tree;
    tree.top = 0, tree.leaves = 0;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        T sum;
        FOLD(sum).leaf(x + i, leaf_size(n - i), &sum);
        FN(tree_add_leaf)(&tree, sum);
    }
    return FN(tree_sum)(&tree);
}

/* The powers of all but very long rows lie in a buffer, so that results are stored once. */
static void FN(softmax_row)(const T *x, T *y, int64_t n, bool past) {
    T buffer[LONGEST_ROW], *powers = n <= LONGEST_ROW ? buffer : y;
    const T rate = 1 / FN(exp_row)(x, powers, 1, n, FN(row_max)(x, n));
    TG__STORE_ROW(y, n, past, powers[j] * rate)
}

static void FN(log_softmax_row)(const T *x, T *y, int64_t n, bool past) {
    T powers[TG__FOLD_LEAF];
    const T most = FN(row_max)(x, n), log_sum = M(log)(FN(exp_row)(x, powers, 0, n, most));
    TG__STORE_ROW(y, n, past, (x[j] - most) - log_sum)
}

static void FN(softmax_grad_row)(const T *y, const T *g, T *dx, int64_t n, bool past) {
    const T dot = FN(dot_row)(y, g, n);
    TG__STORE_ROW(dx, n, past, y[j] * (g[j] - dot))
}

static void FN(log_softmax_grad_row)(const T *y, const T *g, T *dx, int64_t n, bool past) {
    const T sum = FN(sum_row)(g, n);
    TG__STORE_ROW(dx, n, past, g[j] - M(exp)(y[j]) * sum)
}

/* Calls row for each row, which begins at `at`. */
#define ALL_ROWS(y, row)                                                                        \
    past = past && tg__can_pass(y, n * (int64_t)sizeof(T));                                     \
    for (int64_t at = 0; at < rows * n; at += n) row;                                           \
    if (past) tg__stored_past();

void TG__SET(FN(tg__softmax))(const T *x, T *y, int64_t rows, int64_t n, bool past) {
    ALL_ROWS(y, FN(softmax_row)(x + at, y + at, n, past))
}
void TG__SET(FN(tg__log_softmax))(const T *x, T *y, int64_t rows, int64_t n, bool past) {
    ALL_ROWS(y, FN(log_softmax_row)(x + at, y + at, n, past))
}
void TG__SET(FN(tg__softmax_grad))(const T *y, const T *g, T *dx, int64_t rows, int64_t n, bool past) {
    ALL_ROWS(dx, FN(softmax_grad_row)(y + at, g + at, dx + at, n, past))
}
void TG__SET(FN(tg__log_softmax_grad))(const T *y, const T *g, T *dx, int64_t rows, int64_t n, bool past) {
    ALL_ROWS(dx, FN(log_softmax_grad_row)(y + at, g + at, dx + at, n, past))
}
