/* Sorting */
#include "ops/index.h"

typedef struct sort_attr {
    int64_t axis, k, descending;
} sort_attr;
static const tg_field sort_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(sort_attr, axis)},
    {"k", TG_FIELD_INT, offsetof(sort_attr, k)},
    {"descending", TG_FIELD_INT, offsetof(sort_attr, descending)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status sort_infer(tg_infer *f) {
    const sort_attr *a = f->attr;
    const tg_shape *x = f->in_shape[0];
    if (a->axis < 0 || a->axis >= x->rank)
        return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)a->axis, x->rank);
    if (a->k < 0 || a->k > x->dims[a->axis])
        return tg_infer_fail(f, TG_EARG, "%lld of the %lld elements of axis %lld", (long long)a->k,
                             (long long)x->dims[a->axis], (long long)a->axis);
    f->shape[0] = *x;
    f->shape[0].dims[a->axis] = a->k;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status argsort_infer(tg_infer *f) {
    tg_status s = sort_infer(f);
    f->dtype[0] = TG_I64;
    return s;
}

/* ------------------------------------------------------------------ keys: unsigned numbers in the order of the elements */

typedef struct item {
    uint64_t key;
    int64_t place;
} item;

/* Both zeros are equal, and a NaN of either sign is above all numbers. */
static uint64_t key_f32(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bits << 1 > 0xff000000u) return UINT32_MAX;
    if (bits << 1 == 0) bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static uint64_t key_f64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bits << 1 > 0xffe0000000000000u) return UINT64_MAX;
    if (bits << 1 == 0) bits = 0;
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

typedef struct sort_run {
    const void *x;
    int64_t *y;
    char *scratch;
    tg_dtype dtype;
    int64_t n, k, inner, lines, slots;
    uint64_t flip; /* all ones: descending */
} sort_run;

static uint64_t key_at(const sort_run *r, int64_t i) {
    switch (r->dtype) {
    case TG_F32: return key_f32(((const float *)r->x)[i]);
    case TG_F64: return key_f64(((const double *)r->x)[i]);
    case TG_I32: return (uint32_t)((const int32_t *)r->x)[i] ^ 0x80000000u;
    case TG_I64: return (uint64_t)((const int64_t *)r->x)[i] ^ 1ull << 63;
    default: return ((const uint8_t *)r->x)[i];
    }
}

/* ------------------------------------------------------------------ three ways to the same order: key, then place */

#define FEW 48 /* so many are sorted by insertion: below, a radix pass costs more than it saves */

static void sort_few(item *a, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        item x = a[i];
        int64_t j = i;
        for (; j > 0 && a[j - 1].key > x.key; j--) a[j] = a[j - 1];
        a[j] = x;
    }
}

/* By one byte of the key after the other, from the lowest; a byte that is the same in all keys costs nothing. Returns where
 * the sorted items are: in a or in b. */
static item *sort_many(item *a, item *b, int64_t n) {
    int64_t count[8][256] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int byte = 0; byte < 8; byte++) count[byte][a[i].key >> 8 * byte & 255]++;
    for (int byte = 0; byte < 8; byte++) {
        if (count[byte][a[0].key >> 8 * byte & 255] == n) continue;
        int64_t at = 0;
        for (int v = 0; v < 256; v++) {
            int64_t here = count[byte][v];
            count[byte][v] = at;
            at += here;
        }
        for (int64_t i = 0; i < n; i++) b[count[byte][a[i].key >> 8 * byte & 255]++] = a[i];
        item *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

static bool is_before(const item *a, const item *b) { return a->key != b->key ? a->key < b->key : a->place < b->place; }

/* Puts x at the root of a heap of n whose last item comes first. */
static void sift(item *heap, int64_t n, item x) {
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(&heap[child], &heap[child + 1])) child++;
        if (!is_before(&x, &heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = x;
}

static item item_at(const sort_run *r, int64_t first, int64_t j) {
    return (item){key_at(r, first + j * r->inner) ^ r->flip, j};
}

/* The k first of n, kept in a heap (Williams 1964, "Algorithm 232: Heapsort") while all are looked at once. */
static item *select_first(const sort_run *r, int64_t first, item *heap) {
    for (int64_t j = 0; j < r->k; j++) {
        item x = item_at(r, first, j);
        int64_t at = j;
        for (; at > 0 && is_before(&heap[(at - 1) / 2], &x); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
        heap[at] = x;
    }
    for (int64_t j = r->k; j < r->n; j++) {
        item x = item_at(r, first, j);
        if (is_before(&x, &heap[0])) sift(heap, r->k, x);
    }
    for (int64_t m = r->k - 1; m > 0; m--) {
        item last = heap[m];
        heap[m] = heap[0];
        sift(heap, m, last);
    }
    return heap;
}

static bool selects(int64_t n, int64_t k) { return k <= n / 8; }

static item *sort_line(const sort_run *r, int64_t first, item *items) {
    if (selects(r->n, r->k)) return select_first(r, first, items);
    for (int64_t j = 0; j < r->n; j++) items[j] = item_at(r, first, j);
    if (r->n > FEW) return sort_many(items, items + r->n, r->n);
    sort_few(items, r->n);
    return items;
}

static size_t slot_items(int64_t n, int64_t k) { return (size_t)(selects(n, k) ? k : n > FEW ? 2 * n : n); }

/* Each slot has scratch of its own and takes every line of its part. */
static void sort_piece(int64_t begin, int64_t end, void *ctx) {
    const sort_run *r = ctx;
    for (int64_t slot = begin; slot < end; slot++) {
        item *items = (item *)r->scratch + (size_t)slot * slot_items(r->n, r->k);
        for (int64_t line = slot * r->lines / r->slots; line < (slot + 1) * r->lines / r->slots; line++) {
            int64_t outer = line / r->inner, column = line % r->inner;
            const item *sorted = sort_line(r, outer * r->n * r->inner + column, items);
            for (int64_t j = 0; j < r->k; j++) r->y[(outer * r->k + j) * r->inner + column] = sorted[j].place;
        }
    }
}

static int64_t slots_of(int64_t lines, int threads) { return threads > 0 && lines > threads ? threads : lines; }

static size_t argsort_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in;
    const sort_attr *a = attr;
    if (!a->k || !out->numel) return 0;
    int64_t n = in->shape->dims[a->axis];
    return (size_t)slots_of(out->numel / a->k, threads) * slot_items(n, a->k) * sizeof(item);
}

static tg_status argsort_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    const sort_attr *a = k->attr;
    if (!y->numel) return TG_OK;
    int axis = (int)a->axis;
    sort_run r = {x->data, y->data, k->scratch, x->dtype, x->shape->dims[axis], a->k,
                  tg__extent(x->shape, axis + 1, x->shape->rank), y->numel / a->k, 0, a->descending ? UINT64_MAX : 0};
    r.slots = slots_of(r.lines, k->threads);
    tg_parallel(k->threads, r.slots, (double)x->numel * 200, sort_piece, &r);
    return TG_OK;
}

/* The place of an element is how many come before it. */
static tg_status argsort_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    const sort_attr *a = k->attr;
    int64_t n = x->shape->dims[a->axis], inner = tg__extent(x->shape, (int)a->axis + 1, x->shape->rank);
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t j = i / inner % n, rank = 0, line = i / inner / n;
        const double *v = (const double *)x->data + i - j * inner;
        for (int64_t p = 0; p < n; p++) {
            double here = a->descending ? -v[j * inner] : v[j * inner], other = a->descending ? -v[p * inner] : v[p * inner];
            rank += other < here || (other == here && p < j);
        }
        if (rank < a->k) ((int64_t *)y->data)[(line * a->k + rank) * inner + i % inner] = j;
    }
    return TG_OK;
}

static double argsort_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    double n = (double)tg_shape_numel(in[0]);
    return n * log2(n + 1);
}

#define FIRST(axis, k, descending) .attr = &(const sort_attr){axis, k, descending}
#define APART(...) INPUTS({.kind = KIND, .shape = DIMS(__VA_ARGS__), .avoid = 0.004, .kink = 100})
#define SORT_OP(op_name, formula_)                                                                            \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1,                  \
    .attr_size = sizeof(sort_attr), .fields = sort_fields
#define SORT_BADS                                                                                             \
    BADS(BAD("axis too large", TG_EARG, "axis 2", INPUTS(IN('f', (3, 4))), FIRST(2, 3, 0)),                   \
         BAD("axis too small", TG_EARG, "axis -3", INPUTS(IN('f', (3, 4))), FIRST(-3, 3, 0)),                 \
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ())), FIRST(0, 0, 0)),                               \
         BAD("more than there are", TG_EARG, "5 of the 4 elements of axis 1", INPUTS(IN('f', (3, 4))), FIRST(1, 5, 0)), \
         BAD("less than none", TG_EARG, "-1 of the 4", INPUTS(IN('f', (3, 4))), FIRST(1, -1, 1)))
#define SORT_SAMPLES                                                                                          \
    SAMPLES(SAMPLE("rows", APART(3, 7), FIRST(1, 7, 0)), SAMPLE("columns, descending", APART(5, 3), FIRST(0, 5, 1)), \
            SAMPLE("the first of the middle", APART(2, 6, 3), FIRST(1, 3, 0)),                                \
            SAMPLE("the largest two", APART(40), FIRST(0, 2, 1)), SAMPLE("the smallest", APART(3, 9), FIRST(1, 1, 0)), \
            SAMPLE("long rows", APART(2, 130), FIRST(1, 130, 1)), SAMPLE("none of them", APART(3, 4), FIRST(1, 0, 0)), \
            SAMPLE("nothing", APART(3, 0), FIRST(1, 0, 0)))

#define KIND 'c'
const tg_op tg__op_argsort = {
    SORT_OP(argsort, "y = positions of the k first elements of x in order along the axis"),
    .flags = TG_OP_CUT,
    .infer = argsort_infer,
    .kernel = argsort_kernel,
    .scratch = argsort_scratch,
    .ref = argsort_ref,
    .flops = argsort_flops,
    SORT_SAMPLES,
    SORT_BADS,
};
#undef KIND

/* The k first; with k = ALL every one. */
#define ALL INT64_MAX

static tg_tensor first(const char *site, const tg_op *op, tg_tensor x, int64_t axis, int64_t k, bool descending) {
    tg_shape s = tg_shape_of(x);
    int normal = tg_infer_axis(axis, s.rank);
    sort_attr attr = {normal < 0 ? axis : normal, k == ALL && normal >= 0 ? s.dims[normal] : k, descending};
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

/*| tg_argsort: the order that sorts an axis: y[0] is where the smallest element is, or the largest if descending. Equal
 *  elements keep their order, -0 equals 0, and NaNs count as larger than all numbers. The elements themselves:
 *  tg_sort, or tg_take_along_axis(x, axis, y).
 *    y = positions of the elements of x in order along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_argsort, (tg_tensor x, int64_t axis, bool descending), (x, axis, descending)) {
    return first(site, &tg__op_argsort, x, axis, ALL, descending);
}

/*| tg_argtopk: where the k largest elements along an axis are, or the k smallest, from the best on. Equal elements keep their
 *  order, and NaNs count as larger than all numbers. The elements themselves: tg_topk, or tg_take_along_axis(x, axis, y).
 *    y = positions of the k first elements of x in order along the axis
 *  Shapes:   x (..., n, ...), k <= n -> y (..., k, ...)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range or k is not in [0, n]
 *  Source:   elementary */
TG_API(tg_tensor, tg_argtopk, (tg_tensor x, int64_t axis, int64_t k, bool largest), (x, axis, k, largest)) {
    return first(site, &tg__op_argsort, x, axis, k, largest);
}

/* ------------------------------------------------------------------ the elements in order */

static tg_tensor sort_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg_tensor order = tg_apply(NULL, &tg__op_argsort, attr, in, 1);
    return tg__along_take(in[0], (int)((const sort_attr *)attr)->axis, order);
}

#define KIND 'f'
const tg_op tg__op_sort = {
    SORT_OP(sort, "y = the k first elements of x in order along the axis"),
    .infer = sort_infer,
    .define = sort_define,
    SORT_SAMPLES,
    SORT_BADS,
};

/*| tg_sort: the elements along an axis from the smallest to the largest, or from the largest if descending. Equal elements
 *  keep their order, -0 equals 0, and NaNs count as larger than all numbers.
 *    y = the elements of x in order along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the place where each element went; of equal elements each keeps its own
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_sort, (tg_tensor x, int64_t axis, bool descending), (x, axis, descending)) {
    return first(site, &tg__op_sort, x, axis, ALL, descending);
}

/*| tg_topk: the k largest elements along an axis, or the k smallest, from the best on; of equal elements those that come
 *  first. NaNs count as larger than all numbers.
 *    y = the k first elements of x in order along the axis
 *  Shapes:   x (..., n, ...), k <= n -> y (..., k, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the place where each element went, 0 at those that are not among the k
 *  Errors:   TG_EARG if the axis is out of range or k is not in [0, n]
 *  Source:   elementary */
TG_API(tg_tensor, tg_topk, (tg_tensor x, int64_t axis, int64_t k, bool largest), (x, axis, k, largest)) {
    return first(site, &tg__op_sort, x, axis, k, largest);
}
