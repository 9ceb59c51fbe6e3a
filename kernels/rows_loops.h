/* kernels/rows_loops.h: softmax of rows of one type T, named D. Included by rows.c.
 *
 * softmax(x) = e^(x - max) / sum, the sum in the order of kernels.h. A row that is -inf throughout gives NaN: -inf - -inf. */

static T FN(row_max)(const T *x, int64_t n) {
    T most;
    FOLD(max).leaf(x, leaf_size(n), &most);
    for (int64_t i = TG__FOLD_LEAF; i < n; i += TG__FOLD_LEAF) {
        T pair[2] = {most, 0};
        FOLD(max).leaf(x + i, leaf_size(n - i), &pair[1]);
        FOLD(max).leaf(pair, 2, &most);
    }
    return most;
}

/* In steps of 16, so that no element waits for scalar code: the last ones go through a buffer. */
static void FN(exp_shifted)(const T *x, T *y, int64_t n, T shift) {
    const int64_t whole = n / 16 * 16, rest = n - whole;
    T last[16];
    TG__INDEPENDENT
    for (int64_t i = 0; i < whole; i++) y[i] = M(exp_low)(x[i] - shift);
    if (rest == 0) return;
    for (int64_t i = 0; i < 16; i++) last[i] = i < rest ? x[whole + i] : shift;
    for (int64_t i = 0; i < 16; i++) last[i] = M(exp_low)(last[i] - shift);
    memcpy(y + whole, last, (size_t)rest * sizeof(T));
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

static void FN(tree_add_leaf)(FN(tree) *t, const T *x, int64_t n) {
    FOLD(sum).leaf(x, n, &t->sum[t->top++]);
    for (int64_t full = ++t->leaves; full % 2 == 0; full /= 2) FN(tree_join_last)(t);
}

static T FN(tree_sum)(FN(tree) *t) {
    while (t->top > 1) FN(tree_join_last)(t);
    return t->sum[0];
}

static void FN(softmax_row)(const T *x, T *y, int64_t n) {
    FN(tree) tree;
    tree.top = 0, tree.leaves = 0;
    const T most = FN(row_max)(x, n);
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        FN(exp_shifted)(x + i, y + i, leaf_size(n - i), most);
        FN(tree_add_leaf)(&tree, y + i, leaf_size(n - i));
    }
    const T rate = 1 / FN(tree_sum)(&tree);
    TG__INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] *= rate;
}

static void FN(log_softmax_row)(const T *x, T *y, int64_t n) {
    T power[TG__FOLD_LEAF];
    FN(tree) tree;
    tree.top = 0, tree.leaves = 0;
    const T most = FN(row_max)(x, n);
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF) {
        FN(exp_shifted)(x + i, power, leaf_size(n - i), most);
        FN(tree_add_leaf)(&tree, power, leaf_size(n - i));
    }
    const T log_sum = M(log)(FN(tree_sum)(&tree));
    TG__INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - most) - log_sum;
}

void TG__SET(FN(tg__softmax))(const T *x, T *y, int64_t rows, int64_t n) {
    for (int64_t r = 0; n > 0 && r < rows; r++) {
        if (r + 1 < rows) tg__fetch(x + (r + 1) * n, (size_t)n * sizeof(T));
        FN(softmax_row)(x + r * n, y + r * n, n);
    }
}

void TG__SET(FN(tg__log_softmax))(const T *x, T *y, int64_t rows, int64_t n) {
    for (int64_t r = 0; n > 0 && r < rows; r++) {
        if (r + 1 < rows) tg__fetch(x + (r + 1) * n, (size_t)n * sizeof(T));
        FN(log_softmax_row)(x + r * n, y + r * n, n);
    }
}
