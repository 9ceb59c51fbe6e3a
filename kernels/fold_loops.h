/* kernels/fold_loops.h: one reduction of one type, in the order of kernels.h. Included by fold.c with
 *   FOLD, D      the reduction's and the type's short names
 *   T, WORD      the type it computes in, and the integers that compare two vectors of it
 *   JOIN(a, b)   for numbers and, if not CHOOSES, for vectors;  with CHOOSES it says whether a wins, and a or b is the result
 *   NEUTRAL      joins to what it is joined with, bit for bit, on the right-hand side
 *   EMPTY        the result for no elements
 *   PAIRED       defined where leaves of loops of two operands are wanted, too */

#define FN(name) TG__PASTE(TG__PASTE(name, FOLD), D)
#define LANES_PER_VEC (VEC_BYTES(T) / (int)sizeof(T))
#define VECS (TG__LANES / LANES_PER_VEC)

typedef T FN(vec) __attribute__((vector_size(VEC_BYTES(T))));
typedef WORD FN(mask) __attribute__((vector_size(VEC_BYTES(T))));
typedef T FN(loose) __attribute__((vector_size(VEC_BYTES(T)), aligned(__alignof__(T)), may_alias));

INLINE T FN(join)(T a, T b) {
#ifdef CHOOSES
    return JOIN(a, b) ? a : b;
#else
    return JOIN(a, b);
#endif
}

INLINE FN(vec) FN(join_vec)(FN(vec) a, FN(vec) b) {
#ifdef CHOOSES
    const FN(mask) a_wins = JOIN(a, b);
    return (FN(vec))((a_wins & (FN(mask))a) | (~a_wins & (FN(mask))b));
#else
    return JOIN(a, b);
#endif
}

INLINE FN(vec) FN(load)(const T *x) { return *(const FN(loose) *)x; }

INLINE FN(vec) FN(neutral)(void) {
    FN(vec) v;
    UNROLL
    for (int l = 0; l < LANES_PER_VEC; l++) v[l] = NEUTRAL;
    return v;
}

/* The first n < LANES_PER_VEC lanes from x, the others neutral. */
INLINE FN(vec) FN(load_part)(const T *x, int64_t n) {
#ifdef LOAD_WORDS
    const int words = (int)n * (int)(sizeof(T) / 4);
    const FN(mask) in = (FN(mask))FIRST_WORDS(words);
    return (FN(vec))(((FN(mask))LOAD_WORDS(x, words) & in) | ((FN(mask))FN(neutral)() & ~in));
#else
    T part[LANES_PER_VEC];
    for (int l = 0; l < LANES_PER_VEC; l++) part[l] = l < n ? x[l] : NEUTRAL;
    return FN(load)(part);
#endif
}

INLINE FN(vec) FN(load_from)(const T *x, int64_t i, int64_t n) {
    if (i + LANES_PER_VEC <= n) return FN(load)(x + i);
    return i < n ? FN(load_part)(x + i, n - i) : FN(neutral)();
}

INLINE T FN(join_vecs)(FN(vec) *sum) {
    UNROLL
    for (int half = VECS / 2; half > 0; half /= 2) {
        UNROLL
        for (int v = 0; v < half; v++) sum[v] = FN(join_vec)(sum[v], sum[v + half]);
    }
    T lane[LANES_PER_VEC];
    memcpy(lane, sum, sizeof lane);
    UNROLL
    for (int half = LANES_PER_VEC / 2; half > 0; half /= 2) {
        UNROLL
        for (int l = 0; l < half; l++) lane[l] = FN(join)(lane[l], lane[l + half]);
    }
    return lane[0];
}

static T FN(few)(const T *x, int64_t n) {
    FN(vec) sum[VECS];
    if (n <= 1) return n ? x[0] : EMPTY;
    UNROLL
    for (int v = 0; v < VECS; v++) sum[v] = FN(load_from)(x, v * LANES_PER_VEC, n);
    return FN(join_vecs)(sum);
}

static T FN(many)(const T *x, int64_t n) {
    FN(vec) sum[VECS];
    int64_t i = TG__LANES;
    UNROLL
    for (int v = 0; v < VECS; v++) sum[v] = FN(load)(x + v * LANES_PER_VEC);
    for (; i + TG__LANES <= n; i += TG__LANES) {
        UNROLL
        for (int v = 0; v < VECS; v++) sum[v] = FN(join_vec)(sum[v], FN(load)(x + i + v * LANES_PER_VEC));
    }
    if (i < n) {
        UNROLL
        for (int v = 0; v < VECS; v++) sum[v] = FN(join_vec)(sum[v], FN(load_from)(x + i, v * LANES_PER_VEC, n - i));
    }
    return FN(join_vecs)(sum);
}

static void FN(leaf)(const void *x, int64_t n, void *out) {
    *(T *)out = n < TG__LANES ? FN(few)(x, n) : FN(many)(x, n);
}

static void FN(combine)(void *leaves, int64_t m, void *out) {
    T *x = leaves;
    for (; m > 1; m = (m + 1) / 2) {
        for (int64_t i = 0; i < m / 2; i++) x[i] = FN(join)(x[2 * i], x[2 * i + 1]);
        if (m % 2) x[m / 2] = x[m - 1];
    }
    *(T *)out = x[0];
}

static __attribute__((noinline)) void FN(join_rows)(T *out, const T *a, const T *b, int64_t cols) {
    TG__INDEPENDENT
    for (int64_t j = 0; j < cols; j++) out[j] = FN(join)(a[j], b[j]);
}

/* scratch = the first `lanes` rows, then every later row joined to its lane's; packed rows go 32 at a time. */
static void FN(lanes_of_rows)(const T *x, int n, int lanes, int64_t cols, int64_t row_stride, T *scratch) {
    const int group = row_stride == cols ? lanes : 1;
    for (int i = 0; i < lanes; i += group)
        memcpy(scratch + i * cols, x + i * row_stride, (size_t)(group * cols) * sizeof(T));
    for (int i = lanes; i < n; i += group) {
        T *lane = scratch + i % TG__LANES * cols;
        FN(join_rows)(lane, lane, x + i * row_stride, (n - i < group ? n - i : group) * cols);
    }
}

/* Columns [0, cols) of a block: rows are read in order, then the lanes are joined. */
static void FN(block_cols)(const T *x, int n, int64_t cols, int64_t row_stride, T *out, T *scratch) {
    const int lanes = n < TG__LANES ? n : TG__LANES;
    FN(lanes_of_rows)(x, n, lanes, cols, row_stride, scratch);
    int left = lanes;
    for (int half = TG__LANES / 2; half > 0; half /= 2) {
        if (left <= half) continue;
        FN(join_rows)(scratch, scratch, scratch + half * cols, (left - half) * cols);
        left = half;
    }
    memcpy(out, scratch, (size_t)cols * sizeof(T));
}

static void FN(leaf_cols)(const void *x, int64_t n, int64_t cols, int64_t row_stride, void *out, void *scratch) {
    T *o = out;
    if (n == 0) {
        for (int64_t j = 0; j < cols; j++) o[j] = EMPTY;
        return;
    }
    const int64_t width = BLOCK_BYTES / TG__LANES / (int64_t)sizeof(T);
    for (int64_t j = 0; j < cols; j += width)
        FN(block_cols)((const T *)x + j, (int)n, cols - j < width ? cols - j : width, row_stride, o + j, scratch);
}

static void FN(combine_cols)(void *leaves, int64_t m, int64_t cols, void *out) {
    T *x = leaves;
    for (; m > 1; m = (m + 1) / 2) {
        for (int64_t i = 0; i < m / 2; i++) FN(join_rows)(x + i * cols, x + 2 * i * cols, x + (2 * i + 1) * cols, cols);
        if (m % 2) memmove(x + m / 2 * cols, x + (m - 1) * cols, (size_t)cols * sizeof(T));
    }
    memmove(out, x, (size_t)cols * sizeof(T));
}

#ifdef PAIRED
/* How an operand of a pair is read: v vectors and j elements behind element i. */
#define ARRAY_VEC(x) FN(load)(x + i + v * LANES_PER_VEC)
#define ARRAY_AT(x) x[i + j]
#define ONE_VEC(x) x##_all
#define ONE_AT(x) *x

#define PAIR_LEAF(name, A, B, op)                                                                                         \
    static void FN(name)(const T *a, const T *b, int64_t n, T *out) {                                                     \
        const FN(vec) a_all = *a + FN(neutral)(), b_all = *b + FN(neutral)();                                             \
        FN(vec) sum[VECS];                                                                                                \
        T rest[TG__LANES];                                                                                                \
        int64_t i = 0;                                                                                                    \
        (void)a_all, (void)b_all;                                                                                         \
        UNROLL                                                                                                            \
        for (int v = 0; v < VECS; v++) sum[v] = FN(neutral)();                                                            \
        for (; i + TG__LANES <= n; i += TG__LANES) {                                                                      \
            UNROLL                                                                                                        \
            for (int v = 0; v < VECS; v++) sum[v] = FN(join_vec)(sum[v], A##_VEC(a) op B##_VEC(b));                       \
        }                                                                                                                 \
        for (int64_t j = 0; j < n - i; j++) rest[j] = A##_AT(a) op B##_AT(b);                                             \
        UNROLL                                                                                                            \
        for (int v = 0; v < VECS; v++) sum[v] = FN(join_vec)(sum[v], FN(load_from)(rest, v * LANES_PER_VEC, n - i));      \
        *out = FN(join_vecs)(sum);                                                                                        \
    }
#define PAIR(name, op)                                                                                                    \
    PAIR_LEAF(name##_arrays, ARRAY, ARRAY, op)                                                                            \
    PAIR_LEAF(name##_one_array, ONE, ARRAY, op)                                                                           \
    PAIR_LEAF(name##_array_one, ARRAY, ONE, op)                                                                           \
    PAIR_LEAF(name##_ones, ONE, ONE, op)                                                                                  \
    static void FN(name##_leaf)(const void *a, const void *b, int64_t n, int one, void *out) {                            \
        static void (*const leaf[])(const T *, const T *, int64_t, T *) = {FN(name##_arrays), FN(name##_one_array),       \
                                                                           FN(name##_array_one), FN(name##_ones)};        \
        leaf[one](a, b, n, out);                                                                                          \
    }
PAIR(add, +)
PAIR(sub, -)
PAIR(mul, *)

#define MICRO(name) TG__SET(TG__PASTE(tg__micro_##name, D))
extern tg_micro_fn MICRO(add), MICRO(sub), MICRO(mul), MICRO(square);
static const tg__fold_pair FN(pairs)[] = {
    {MICRO(add), FN(add_leaf)}, {MICRO(sub), FN(sub_leaf)}, {MICRO(mul), FN(mul_leaf)}, {MICRO(square), FN(mul_leaf)}, {0}};
#define PAIRS FN(pairs)
#undef MICRO
#else
#define PAIRS NULL
#endif

const tg__fold_fns TG__SET(FN(tg__fold)) = {FN(leaf), FN(combine), FN(leaf_cols), FN(combine_cols), PAIRS};

#undef PAIRS
#undef PAIRED

#undef FN
#undef LANES_PER_VEC
#undef VECS
#undef FOLD
#undef JOIN
#undef NEUTRAL
#undef EMPTY
