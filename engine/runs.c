/* Strided streams that need no copy: whose elements lie side by side, or are one and the same, for a long run at a time. Rows
 * and columns that are broadcast and slices of rows are such. A block is then computed run by run, with pointers to them. */
#include "planner.h"

#define SHORTEST_RUN 128 /* elements, and a multiple of this: the widest group of a chain, of which no rest is left */
#define ANY_RUN 4096     /* from here on a rest does not matter */

/* Axes that are walked as one; dims[0] is the innermost. */
typedef struct layout {
    int rank;
    int64_t dims[TG_MAX_RANK], strides[TG_MAX_RANK];
} layout;

static void add_axis(layout *l, int64_t dim, int64_t stride) {
    if (dim == 1) return;
    int outer = l->rank - 1;
    if (outer >= 0 && stride == l->strides[outer] * l->dims[outer]) {
        l->dims[outer] *= dim;
    } else {
        l->dims[l->rank] = dim;
        l->strides[l->rank++] = stride;
    }
}

static layout layout_of(const tg__planner *p, const tg__stream *s) {
    const tg_shape *shape = &tg__shape_at(p->t, s->shape)->shape;
    const int64_t *strides = p->draft.strides + s->strides;
    layout l = {.rank = 0};
    for (int a = shape->rank - 1; a >= 0; a--) add_axis(&l, shape->dims[a], strides[a]);
    return l;
}

static bool is_long(int64_t run) { return run >= ANY_RUN || (run > 0 && run % SHORTEST_RUN == 0); }

/* Elements that lie side by side or are one; 0: too few. */
static int64_t run_of(const tg__planner *p, const tg__stream *s) {
    if (s->kind != TG__STRIDED) return 0;
    layout l = layout_of(p, s);
    return (l.strides[0] == 0 || l.strides[0] == 1) && is_long(l.dims[0]) ? l.dims[0] : 0;
}

/* The axes outside of runs, of which the innermost axis may hold several. */
static bool add_runs(tg__planner *p, tg__stream *s, int64_t run) {
    layout l = layout_of(p, s), outer = {.rank = 0};
    add_axis(&outer, l.dims[0] / run, l.strides[0] * run);
    for (int a = 1; a < l.rank; a++) add_axis(&outer, l.dims[a], l.strides[a]);
    uint32_t at = p->draft.n_strides, n = 2 * (uint32_t)outer.rank;
    if (!tg__grow(&p->draft.strides, &p->strides_cap, (uint64_t)at + n, sizeof *p->draft.strides)) return false;
    for (int a = 0; a < outer.rank; a++) {
        p->draft.strides[at + 2 * (uint32_t)a] = outer.dims[a];
        p->draft.strides[at + 2 * (uint32_t)a + 1] = outer.strides[a] * s->size;
    }
    p->draft.n_strides += n;
    s->runs = at;
    s->run_rank = (uint8_t)outer.rank;
    s->one_element = l.strides[0] == 0;
    s->in_runs = true;
    return true;
}

bool tg__runs_find(tg__planner *p, tg__block *b) {
    tg__stream *streams = p->draft.streams + b->streams;
    for (uint32_t i = 0; i < b->n_streams; i++) {
        int64_t run = run_of(p, &streams[i]), both = tg__common_divisor(run, b->run);
        if (run && is_long(both)) b->run = both;
    }
    for (uint32_t i = 0; i < b->n_streams && b->run; i++) {
        int64_t run = run_of(p, &streams[i]);
        if (run && run % b->run == 0 && !add_runs(p, &streams[i], b->run)) return false;
    }
    return true;
}

int64_t tg__run_offset(const tg__plan *plan, const tg__stream *s, int64_t run) {
    const int64_t *axis = plan->strides + s->runs;
    int64_t offset = s->offset;
    for (int a = 0; a < s->run_rank; a++, axis += 2) {
        int64_t rest = a + 1 < s->run_rank ? run / axis[0] : 0;
        offset += (run - rest * axis[0]) * axis[1];
        run = rest;
    }
    return offset;
}
