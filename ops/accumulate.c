/* Sums of parts */
#include <stdlib.h>

#include "ops/op_file.h"

extern const tg_micro tg__micro_add;

#define BLOCK 4096

/* ------------------------------------------------------------------ add_n */

static tg_status add_n_infer(tg_infer *f) {
    for (int i = 0; i < f->n_in; i++) {
        if (f->in_dtype[i] != f->in_dtype[0] || f->in_dtype[i] == TG_U8 || f->in_dtype[i] == TG_BOOL)
            return tg_infer_fail(f, TG_EDTYPE, "part %d is %s", i, tg_dtype_name(f->in_dtype[i]));
        if (f->in_shape[i] != f->in_shape[0] && !tg_shape_equal(f->in_shape[i], f->in_shape[0]))
            return tg_infer_fail(f, TG_ESHAPE, "part %d has another shape", i);
    }
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static void add_n_piece(int64_t begin, int64_t end, void *ctx) {
    const tg_kernel_args *k = ctx;
    size_t size = tg_dtype_size(k->out[0].dtype);
    tg_micro_fn *add = tg__micro_get(&tg__micro_add, k->out[0].dtype);
    for (int64_t at = begin; at < end; at += BLOCK) {
        size_t count = (size_t)(end - at < BLOCK ? end - at : BLOCK), first = (size_t)at * size;
        char *y = (char *)k->out[0].data + first;
        memcpy(y, (const char *)k->in[0].data + first, count * size);
        for (int i = 1; i < k->n_in; i++) add(count, y, y, (const char *)k->in[i].data + first, NULL);
    }
}

static tg_status add_n_kernel(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    tg_parallel(k->threads, y->numel, (double)k->n_in * (double)y->numel * (double)tg_dtype_size(y->dtype), add_n_piece, k);
    return TG_OK;
}

static tg_tensor add_n_define(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)t, (void)attr;
    tg_tensor sum = in[0];
    for (int i = 1; i < n; i++) sum = tg_add(sum, in[i]);
    return sum;
}

static void add_n_vjp(tg_vjp_args *v) {
    for (int i = 0; i < v->n_in; i++)
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, v->g[0]);
}

static double add_n_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)in, (void)attr;
    return (double)(n_in - 1) * (double)tg_shape_numel(out);
}

const tg_op tg__op_add_n = {
    .name = "add_n",
    .formula = "y = x0 + x1 + ..., from the left",
    .source = "elementary",
    .min_in = 1,
    .max_in = -1,
    .infer = add_n_infer,
    .vjp = add_n_vjp,
    .kernel = add_n_kernel,
    .define = add_n_define,
    .flops = add_n_flops,
    SAMPLES(SAMPLE("three matrices", INPUTS(IN('f', (3, 4)), IN('f', (3, 4)), IN('f', (3, 4)))),
            SAMPLE("one vector", INPUTS(IN('f', (5)))),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('f', ()))),
            SAMPLE("size 0", INPUTS(IN('f', (0, 2)), IN('f', (0, 2))))),
    BADS(BAD("another length", TG_ESHAPE, "part 1 has another shape", INPUTS(IN('f', (2)), IN('f', (3)))),
         BAD("no broadcasting", TG_ESHAPE, "part 1 has another shape", INPUTS(IN('f', (2, 3)), IN('f', (3)))),
         BAD("another rank", TG_ESHAPE, "part 2 has another shape", INPUTS(IN('f', (2)), IN('f', (2)), IN('f', (2, 1)))),
         BAD("bool", TG_EDTYPE, "part 0 is bool", INPUTS(IN('b', (2)))),
         BAD("mixed dtypes", TG_EDTYPE, "part 1 is i64", INPUTS(IN('f', (2)), IN('i', (2))))),
};

#define CHAIN 8 /* so many parts are added by ops, which fuse with what they are made of */

tg_tensor tg__add_n(tg_tape *t, const char *site, const tg_tensor *parts, int n) {
    if (n > CHAIN) return tg_apply_at(site, t, &tg__op_add_n, NULL, parts, n);
    tg_tensor sum = parts[0];
    for (int i = 1; i < n; i++) sum = tg_add_at(site, sum, parts[i]);
    return sum;
}

/* ------------------------------------------------------------------ accumulate */

/* The regions, one for each part, are interned: equal lists have one address, so that plans of them are equal. */
typedef struct accumulate_attr {
    tg_shape shape;
    int64_t n;
    const tg__region *regions;
} accumulate_attr;
static const tg_field accumulate_fields[] = {
    {"shape", TG_FIELD_SHAPE, offsetof(accumulate_attr, shape)},
    {"n", TG_FIELD_INT, offsetof(accumulate_attr, n)},
    {"regions", TG_FIELD_PTR, offsetof(accumulate_attr, regions)},
    {NULL, TG_FIELD_INT, 0},
};

static bool is_inside(const tg_shape *part, const tg_shape *whole, const tg__region *r) {
    if (part->rank != whole->rank) return false;
    for (int a = 0; a < part->rank; a++) {
        int64_t last;
        if (part->dims[a] == 0) continue;
        if (__builtin_mul_overflow(part->dims[a] - 1, r->step[a], &last) || __builtin_add_overflow(last, r->start[a], &last))
            return false;
        if (r->start[a] < 0 || r->start[a] >= whole->dims[a] || last < 0 || last >= whole->dims[a]) return false;
        if (part->dims[a] > 1 && r->step[a] == 0) return false;
    }
    return true;
}

static bool is_whole_axis(const tg_shape *part, const tg_shape *whole, const tg__region *r, int a) {
    return part->dims[a] == whole->dims[a] && (part->dims[a] == 0 || r->start[a] == 0) &&
           (part->dims[a] < 2 || r->step[a] == 1);
}

static bool is_whole(const tg_shape *part, const tg_shape *whole, const tg__region *r) {
    for (int a = 0; a < whole->rank; a++)
        if (!is_whole_axis(part, whole, r, a)) return false;
    return true;
}

static tg_status accumulate_infer(tg_infer *f) {
    const accumulate_attr *attr = f->attr;
    if (!attr->regions || attr->n != f->n_in) return tg_infer_fail(f, TG_EARG, "there is not one region for each part");
    if (tg_shape_numel(&attr->shape) < 0 || attr->shape.rank > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "the shape is not allowed");
    for (int i = 0; i < f->n_in; i++) {
        if (f->in_dtype[i] != f->in_dtype[0] || f->in_dtype[i] == TG_U8 || f->in_dtype[i] == TG_BOOL)
            return tg_infer_fail(f, TG_EDTYPE, "part %d is %s", i, tg_dtype_name(f->in_dtype[i]));
        if (!is_inside(f->in_shape[i], &attr->shape, &attr->regions[i]))
            return tg_infer_fail(f, TG_ESHAPE, "part %d is not inside", i);
    }
    f->shape[0] = attr->shape;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* ------------------------------------------------------------------ the kernel */

typedef struct sum_run {
    const tg_operand *parts;
    int n;
    char *y;
    size_t size;
    tg_micro_fn *add;
    /* of one part that is not whole: rows of `row` elements, row_step apart in the result, and the axes above them */
    const tg_shape *part;
    int64_t offset, strides[TG_MAX_RANK], row, row_step;
    int rank;
} sum_run;

/* Elements [begin, end) of the sum of n whole parts; zeros if n is 0. */
static void sum_whole(int64_t begin, int64_t end, void *ctx) {
    const sum_run *r = ctx;
    for (int64_t at = begin; at < end; at += BLOCK) {
        size_t count = (size_t)(end - at < BLOCK ? end - at : BLOCK), first = (size_t)at * r->size;
        char *y = r->y + first;
        if (r->n) memcpy(y, (const char *)r->parts[0].data + first, count * r->size);
        else memset(y, 0, count * r->size);
        for (int i = 1; i < r->n; i++) r->add(count, y, y, (const char *)r->parts[i].data + first, NULL);
    }
}

#define ADD_APART(T) for (int64_t i = 0; i < n; i++) ((T *)y)[i * step] += ((const T *)x)[i]

/* y[i step] += x[i]; whole numbers wrap around. */
static void add_apart(const sum_run *r, char *y, const char *x) {
    int64_t n = r->row, step = r->row_step;
    switch (r->parts->dtype) {
    case TG_F32: ADD_APART(float); break;
    case TG_F64: ADD_APART(double); break;
    case TG_I32: ADD_APART(uint32_t); break;
    default: ADD_APART(uint64_t); break;
    }
}

/* Rows [begin, end) of a part, added where they belong. */
static void add_rows(int64_t begin, int64_t end, void *ctx) {
    const sum_run *r = ctx;
    const char *x = (const char *)r->parts->data + begin * r->row * (int64_t)r->size;
    for (int64_t row = begin; row < end; row++, x += r->row * (int64_t)r->size) {
        int64_t rest = row, at = r->offset;
        for (int a = r->rank - 1; a >= 0; a--) {
            at += rest % r->part->dims[a] * r->strides[a];
            rest /= r->part->dims[a];
        }
        char *y = r->y + at * (int64_t)r->size;
        if (r->row_step == 1) r->add((size_t)r->row, y, y, x, NULL);
        else add_apart(r, y, x);
    }
}

/* A row is the axes at the end that are neighbours in memory, in the part and in the result; else the last axis. */
static void find_rows(sum_run *r) {
    r->row = r->row_step = 1;
    r->rank = r->part->rank;
    while (r->rank && (r->part->dims[r->rank - 1] == 1 || r->strides[r->rank - 1] == r->row))
        r->row *= r->part->dims[--r->rank];
    if (r->row > 1 || !r->rank) return;
    r->rank--;
    r->row = r->part->dims[r->rank];
    r->row_step = r->strides[r->rank];
}

static void add_part(tg_kernel_args *k, sum_run *r, int i, const tg__region *region) {
    const tg_operand *whole = &k->out[0];
    r->parts = &k->in[i];
    r->part = r->parts->shape;
    r->offset = 0;
    if (!r->parts->numel) return;
    for (int a = 0; a < r->part->rank; a++) {
        r->offset += region->start[a] * whole->strides[a];
        r->strides[a] = region->step[a] * whole->strides[a];
    }
    find_rows(r);
    tg_parallel(k->threads, r->parts->numel / r->row, 3 * (double)r->parts->numel * (double)r->size, add_rows, r);
}

static tg_status accumulate_kernel(tg_kernel_args *k) {
    const accumulate_attr *attr = k->attr;
    const tg_operand *y = &k->out[0];
    if (!y->numel) return TG_OK;
    sum_run r = {.parts = k->in, .y = y->data, .size = tg_dtype_size(y->dtype), .add = tg__micro_get(&tg__micro_add, y->dtype)};
    while (r.n < k->n_in && is_whole(k->in[r.n].shape, &attr->shape, &attr->regions[r.n])) r.n++;
    tg_parallel(k->threads, y->numel, (double)(r.n + 1) * (double)y->numel * (double)r.size, sum_whole, &r);
    for (int i = r.n; i < k->n_in; i++) add_part(k, &r, i, &attr->regions[i]);
    return TG_OK;
}

static tg_status accumulate_ref(tg_kernel_args *k) {
    const accumulate_attr *attr = k->attr;
    double *y = k->out[0].data;
    for (int64_t i = 0; i < k->out[0].numel; i++) y[i] = 0;
    for (int p = 0; p < k->n_in; p++)
        for (int64_t i = 0; i < k->in[p].numel; i++) {
            int64_t rest = i, at = 0, step = 1;
            for (int a = attr->shape.rank - 1; a >= 0; a--) {
                at += (attr->regions[p].start[a] + rest % k->in[p].shape->dims[a] * attr->regions[p].step[a]) * step;
                rest /= k->in[p].shape->dims[a];
                step *= attr->shape.dims[a];
            }
            y[at] += ((const double *)k->in[p].data)[i];
        }
    return TG_OK;
}

static void accumulate_vjp(tg_vjp_args *v) {
    const accumulate_attr *attr = v->attr;
    for (int i = 0; i < v->n_in; i++) {
        tg_shape size = tg_shape_of(v->in[i]);
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, tg__slice_region(v->g[0], &size, &attr->regions[i]));
    }
}

static double accumulate_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)out, (void)attr;
    double flops = 0;
    for (int i = 0; i < n_in; i++) flops += (double)tg_shape_numel(in[i]);
    return flops;
}

/* ------------------------------------------------------------------ samples */

static const tg__region two_of_a_row[] = {{{1}, {1}}, {{2}, {2}}};
static const tg__region whole_and_boxes[] = {{{0, 0}, {1, 1}}, {{1, 0}, {1, 2}}, {{3, 3}, {-1, -1}}};
static const tg__region one_column[] = {{{0, 2}, {1, 1}}};
static const tg__region planes[] = {{{0, 1, 0}, {1, 1, 1}}, {{1, 0, 0}, {1, 2, 1}}};
static const tg__region wholes[] = {{{0}, {1}}, {{0}, {1}}};
static const tg__region past_the_end[] = {{{2}, {1}}};
static const tg__region step_zero[] = {{{0}, {0}}};

#define INTO(n, list, ...) .attr = &(const accumulate_attr){DIMS(__VA_ARGS__), n, list}

const tg_op tg__op_accumulate = {
    .name = "accumulate",
    .formula = "y = parts added into their regions of zeros",
    .source = "elementary",
    .min_in = 1,
    .max_in = -1,
    .attr_size = sizeof(accumulate_attr),
    .fields = accumulate_fields,
    .infer = accumulate_infer,
    .vjp = accumulate_vjp,
    .kernel = accumulate_kernel,
    .ref = accumulate_ref,
    .flops = accumulate_flops,
    SAMPLES(SAMPLE("overlapping parts of a vector", INPUTS(IN('f', (4)), IN('f', (2))), INTO(2, two_of_a_row, 6)),
            SAMPLE("the whole and two boxes", INPUTS(IN('f', (4, 5)), IN('f', (2, 3)), IN('f', (2, 4))),
                   INTO(3, whole_and_boxes, 4, 5)),
            SAMPLE("a column", INPUTS(IN('f', (3, 1))), INTO(1, one_column, 3, 4)),
            SAMPLE("planes", INPUTS(IN('f', (2, 1, 3)), IN('f', (1, 2, 3))), INTO(2, planes, 2, 3, 3)),
            SAMPLE("two whole parts", INPUTS(IN('f', (5)), IN('f', (5))), INTO(2, wholes, 5)),
            SAMPLE("nothing covered", INPUTS(IN('f', (0))), INTO(1, wholes, 4)),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('f', ())), INTO(2, wholes, )),
            SAMPLE("nothing", INPUTS(IN('f', (0))), INTO(1, wholes, 0))),
    BADS(BAD("past the end", TG_ESHAPE, "part 0 is not inside", INPUTS(IN('f', (2))), INTO(1, past_the_end, 3)),
         BAD("another rank", TG_ESHAPE, "part 0 is not inside", INPUTS(IN('f', (2, 1))), INTO(1, wholes, 3)),
         BAD("step 0", TG_ESHAPE, "part 0 is not inside", INPUTS(IN('f', (2))), INTO(1, step_zero, 3)),
         BAD("a region missing", TG_EARG, "one region for each part", INPUTS(IN('f', (2)), IN('f', (2))), INTO(1, wholes, 3)),
         BAD("bool", TG_EDTYPE, "part 0 is bool", INPUTS(IN('b', (2))), INTO(1, wholes, 3))),
};

/* ------------------------------------------------------------------ recording */

static const char list_tag;

/* Regions as they are compared: 0 in unused axes, start 0 and step 1 where they say nothing. */
static void canonical(tg__region *to, const tg__region *from, const tg_shape *part) {
    memset(to, 0, sizeof *to);
    for (int a = 0; a < part->rank; a++) {
        to->start[a] = part->dims[a] ? from->start[a] : 0;
        to->step[a] = part->dims[a] > 1 ? from->step[a] : 1;
    }
}

typedef struct region_list {
    const void *tag; /* sets them apart from other interned records */
    int64_t n;
    tg__region at[];
} region_list;

static const tg__region *intern_regions(tg_tape *t, const tg_tensor *parts, const tg__region *regions, int n) {
    size_t bytes = sizeof(region_list) + (size_t)n * sizeof(tg__region);
    region_list *list = tg__alloc(bytes);
    if (!list) return NULL;
    list->tag = &list_tag;
    list->n = n;
    for (int i = 0; i < n; i++) {
        tg_shape s = tg_shape_of(parts[i]);
        canonical(&list->at[i], &regions[i], &s);
    }
    uint32_t found = tg__intern(&t->attrs, &t->meta, list, bytes, bytes);
    tg__free(list);
    return found == TG__NONE ? NULL : ((const region_list *)t->attrs.items[found])->at;
}

static bool all_whole(const tg_shape *shape, const tg_tensor *parts, const tg__region *regions, int n) {
    for (int i = 0; i < n; i++) {
        tg_shape s = tg_shape_of(parts[i]);
        if (!is_whole(&s, shape, &regions[i])) return false;
    }
    return true;
}

typedef struct tile {
    int64_t start, size;
    tg_tensor part;
    int number;
} tile;

static int by_start(const void *a, const void *b) {
    const tile *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start) : x->number - y->number;
}

/* Whether the parts stand side by side along the axis and fill it; then the tiles are they, in that order. */
static bool tile_axis(tile *tiles, const tg_tape *t, const tg_shape *shape, const tg_tensor *parts, const tg__region *regions,
                      int n, int axis) {
    bool sorted = true;
    for (int i = 0; i < n; i++) {
        const tg_shape *s = &tg__node_shape(t, parts[i].id)->shape;
        for (int a = 0; a < shape->rank; a++)
            if (a != axis && !is_whole_axis(s, shape, &regions[i], a)) return false;
        int64_t size = s->dims[axis];
        if (size > 1 && regions[i].step[axis] != 1) return false;
        tiles[i] = (tile){size ? regions[i].start[axis] : 0, size, parts[i], i};
        sorted = sorted && (i == 0 || tiles[i - 1].start < tiles[i].start);
    }
    if (!sorted) qsort(tiles, (size_t)n, sizeof *tiles, by_start);
    int64_t at = 0;
    for (int i = 0; i < n; at += tiles[i++].size)
        if (tiles[i].size && tiles[i].start != at) return false;
    return at == shape->dims[axis];
}

#define FEW_PARTS 16 /* need no memory of their own */

/* The parts joined, where they are tiles of an axis; else no tensor. */
static tg_tensor join_tiles(tg_tape *t, const char *site, const tg_shape *shape, const tg_tensor *parts,
                            const tg__region *regions, int n) {
    tg_tensor few_ordered[FEW_PARTS], *ordered = n <= FEW_PARTS ? few_ordered : tg__alloc((size_t)n * sizeof *ordered);
    tile few_tiles[FEW_PARTS], *tiles = n <= FEW_PARTS ? few_tiles : tg__alloc((size_t)n * sizeof *tiles);
    tg_tensor joined = {0};
    for (int axis = 0; axis < shape->rank && ordered && tiles && tg__is_none(joined); axis++) {
        if (!tile_axis(tiles, t, shape, parts, regions, n, axis)) continue;
        for (int i = 0; i < n; i++) ordered[i] = tiles[i].part;
        joined = tg_concat_at(site, ordered, n, axis);
    }
    if (!ordered || !tiles) {
        tg__fail_nomem(t, "accumulate", site);
        joined = tg__poison(t);
    }
    if (tiles != few_tiles) tg__free(tiles);
    if (ordered != few_ordered) tg__free(ordered);
    return joined;
}

tg_tensor tg__accumulate(tg_tape *t, const char *site, const tg_shape *shape, tg_dtype dtype, const tg_tensor *parts,
                         const tg__region *regions, int n) {
    if (n < 1) return tg__constant(t, 0, shape, dtype);
    if (all_whole(shape, parts, regions, n)) return tg__add_n(t, site, parts, n);
    tg_tensor joined = join_tiles(t, site, shape, parts, regions, n);
    if (!tg__is_none(joined)) return joined;
    accumulate_attr attr = {*shape, n, intern_regions(t, parts, regions, n)};
    if (!attr.regions) {
        tg__fail_nomem(t, "accumulate", site);
        return tg__poison(t);
    }
    return tg_apply_at(site, t, &tg__op_accumulate, &attr, parts, n);
}
