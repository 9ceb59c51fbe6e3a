/* The loops of an op called without a tape: what they leave alone, and what their results may not depend on. */
#include "check.h"
#include "kernels/kernels.h"

#define GUARD 64
#define GUARD_BYTE 0xa7

static unsigned char *guarded(tg__check *c, size_t size, int fill) {
    unsigned char *p = tg__check_take(c, size + 2 * GUARD);
    if (!p) return NULL;
    memset(p, GUARD_BYTE, size + 2 * GUARD);
    memset(p + GUARD, fill, size);
    return p + GUARD;
}

static bool guards_hold(const unsigned char *p, size_t size) {
    for (size_t i = 0; i < GUARD; i++)
        if (p[-1 - (long)i] != GUARD_BYTE || p[size + i] != GUARD_BYTE) return false;
    return true;
}

/* ------------------------------------------------------------------ kernels */

typedef struct call {
    tg__check *c;
    const tg__point *p;
    const tg__result *base;
    tg_dtype dtype;
    tg__layout layout; /* of every input that it applies to; or of one */
    int only;          /* -1: all */
    int threads, fill;
} call;

typedef struct operands {
    tg_operand in[TG_SAMPLE_INPUTS], out[TG_MAX_OUTPUTS];
    int64_t in_strides[TG_SAMPLE_INPUTS][TG_MAX_RANK], out_strides[TG_MAX_OUTPUTS][TG_MAX_RANK];
    tg__array storage[TG_SAMPLE_INPUTS], before[TG_SAMPLE_INPUTS];
    unsigned char *scratch;
    size_t scratch_size;
} operands;

static void make_input(const call *k, operands *o, int i) {
    const tg_sample_in *in = &k->p->in[i];
    bool so = (k->only < 0 || k->only == i) && tg__layout_differs(k->layout, &in->shape);
    int64_t offset, size = tg__layout_strides(so ? k->layout : TG__PACKED, &in->shape, o->in_strides[i], &offset);
    tg_dtype d = tg__kind_dtype(in->kind, k->dtype);
    o->storage[i] = tg__check_array(k->c, d, &TG_SHAPE(size));
    o->before[i] = tg__check_array(k->c, d, &TG_SHAPE(size));
    if (k->c->no_memory) return;
    memset(o->storage[i].data, 0x5a, (size_t)size * tg_dtype_size(d));
    tg__layout_fill(&o->storage[i], k->p->x[i], &in->shape, o->in_strides[i], offset);
    memcpy(o->before[i].data, o->storage[i].data, (size_t)size * tg_dtype_size(d));
    char *data = (char *)o->storage[i].data + offset * (int64_t)tg_dtype_size(d);
    o->in[i] = (tg_operand){data, &in->shape, o->in_strides[i], k->p->numel[i], d};
}

static void make_operands(const call *k, operands *o) {
    const tg_op *op = k->c->op;
    for (int i = 0; i < k->p->n; i++) make_input(k, o, i);
    for (int j = 0; j < k->base->n_out; j++) {
        const tg__array *y = &k->base->y[j];
        tg__packed_strides(&y->shape, o->out_strides[j]);
        void *data = guarded(k->c, (size_t)y->n * tg_dtype_size(y->dtype), k->fill);
        o->out[j] = (tg_operand){data, &y->shape, o->out_strides[j], y->n, y->dtype};
    }
    if (k->c->no_memory || !op->scratch) return;
    o->scratch_size = op->scratch(o->in, k->p->n, o->out, k->p->attr, k->threads);
    o->scratch = o->scratch_size ? guarded(k->c, o->scratch_size, k->fill) : NULL;
}

static bool inputs_untouched(const call *k, const operands *o) {
    for (int i = 0; i < k->p->n; i++)
        if (o->storage[i].n &&
            memcmp(o->storage[i].data, o->before[i].data, (size_t)o->storage[i].n * tg_dtype_size(o->storage[i].dtype)))
            return false;
    return true;
}

static void judge_call(const call *k, const operands *o, const char *how) {
    tg__check *c = k->c;
    bool inside = !o->scratch || guards_hold(o->scratch, o->scratch_size);
    for (int j = 0; j < k->base->n_out; j++)
        inside = inside && guards_hold(o->out[j].data, (size_t)o->out[j].numel * tg_dtype_size(o->out[j].dtype));
    tg__verdict(c, inside, "%s: the kernel writes outside of its memory", how);
    tg__verdict(c, inputs_untouched(k, o), "%s: the kernel changes its inputs", how);
    for (int j = 0; j < k->base->n_out; j++) {
        tg__array got = k->base->y[j];
        if (!got.data) continue;
        got.data = o->out[j].data;
        char what[40];
        snprintf(what, sizeof what, "output %d of the kernel", j);
        tg__same_bits(c, &got, &k->base->y[j], what, how);
    }
}

static void call_kernel(call k, const char *how) {
    tg__check *c = k.c;
    tg__arena_mark mark = tg__arena_at(&c->memory);
    operands o = {.scratch = NULL};
    make_operands(&k, &o);
    if (c->no_memory) return;
    char message[200] = "";
    tg_kernel_args a = {k.p->n, k.base->n_out, o.in, o.out, k.p->attr, o.scratch, k.threads, message, sizeof message};
    tg_status s = c->op->kernel(&a);
    if (tg__verdict(c, !s, "%s: the kernel fails: %s %s", how, tg_status_name(s), message)) judge_call(&k, &o, how);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
}

static void check_kernel(call k) {
    call_kernel(k, "called alone");
    k.fill = 0x7f; /* bytes of a large number, and of NaN in half of the dtypes: an output must be written, not added to */
    call_kernel(k, "called on used memory");
    k.fill = 0xff;
    call_kernel(k, "called on memory full of NaN");
    for (int i = 0; i < TG__TEAMS; i++) {
        char how[40];
        snprintf(how, sizeof how, "called with %d threads", tg__teams[i]);
        k.threads = tg__teams[i];
        call_kernel(k, how);
    }
    k.threads = 1;
    for (tg__layout l = TG__UNALIGNED; l < TG__COMPUTED && k.c->op->flags & TG_OP_STRIDED; l++)
        for (k.only = -1; k.only < k.p->n; k.only++) {
            if (k.only >= 0 && (k.p->n < 2 || !tg__layout_differs(l, &k.p->in[k.only].shape))) continue;
            k.layout = l;
            char how[60];
            snprintf(how, sizeof how, "the kernel on strides, %s", tg__layout_name(l));
            call_kernel(k, how);
        }
}

/* ------------------------------------------------------------------ views */

/* Reads the view of an input that lies in some layout. */
static void check_view_of(call k, tg__layout l) {
    tg__check *c = k.c;
    k.layout = l;
    tg__array y = k.base->y[0];
    operands o = {.scratch = NULL};
    make_input(&k, &o, 0);
    if (c->no_memory || !y.data) return;
    int64_t strides[TG_MAX_RANK] = {0}, at[TG_MAX_RANK] = {0};
    tg_view_args v = {&k.p->in[0].shape, &y.shape, o.in_strides[0], k.p->attr, strides, 0};
    char how[60];
    snprintf(how, sizeof how, "the view of memory that is %s", tg__layout_name(l));
    if (!c->op->view(&v)) {
        tg__verdict(c, l != TG__PACKED, "%s is refused", how);
        return;
    }
    tg__array got = tg__check_array(c, y.dtype, &y.shape);
    size_t size = tg_dtype_size(y.dtype);
    const char *begin = o.storage[0].data, *data = o.in[0].data;
    bool inside = true;
    int64_t where = v.offset;
    for (int64_t e = 0; e < got.n && inside; e++) {
        const char *from = data + where * (int64_t)size;
        inside = from >= begin && from + size <= begin + (size_t)o.storage[0].n * size;
        if (inside) memcpy((char *)got.data + (size_t)e * size, from, size);
        for (int a = y.shape.rank - 1; a >= 0; a--) {
            where += strides[a];
            if (++at[a] < y.shape.dims[a]) break;
            where -= strides[a] * at[a];
            at[a] = 0;
        }
    }
    if (tg__verdict(c, inside, "%s leaves the memory of its input", how)) tg__same_bits(c, &got, &y, "the value", how);
}

static void check_view(call k) {
    for (tg__layout l = TG__PACKED; l < TG__COMPUTED; l++) {
        tg__arena_mark mark = tg__arena_at(&k.c->memory);
        if (l == TG__PACKED || tg__layout_differs(l, &k.p->in[0].shape)) check_view_of(k, l);
        if (!k.c->no_memory) tg__arena_back(&k.c->memory, mark);
    }
}

/* ------------------------------------------------------------------ elementwise loops */

#define LOOP 70 /* elements: more than two registers of any dtype, and a tail */

typedef struct loop {
    tg__check *c;
    tg_micro_fn *fn;
    tg_dtype in_dtype[TG_MICRO_INPUTS], out_dtype;
    int n;
    tg__array in[TG_MICRO_INPUTS];
    size_t out_size;
} loop;

static const char *input_at(const loop *l, int i, size_t element) {
    return i < l->n ? (const char *)l->in[i].data + element * tg_dtype_size(l->in_dtype[i]) : NULL;
}

static void run_pieces(const loop *l, size_t piece, void *out) {
    for (size_t at = 0; at < LOOP; at += piece) {
        size_t n = at + piece > LOOP ? LOOP - at : piece;
        l->fn(n, (char *)out + at * l->out_size, input_at(l, 0, at), input_at(l, 1, at), input_at(l, 2, at));
    }
}

static void check_pieces(const loop *l, const void *whole) {
    static const size_t pieces[] = {1, 2, 3, 5, 7, 13, 31, 33};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        unsigned char *out = guarded(l->c, LOOP * l->out_size, 0xff);
        if (!out) return;
        run_pieces(l, pieces[i], out);
        tg__verdict(l->c, !memcmp(out, whole, LOOP * l->out_size), "the loop for %s in pieces of %zu elements gives other bits",
                    tg_dtype_name(l->out_dtype), pieces[i]);
        tg__verdict(l->c, guards_hold(out, LOOP * l->out_size), "the loop for %s in pieces of %zu elements writes outside",
                    tg_dtype_name(l->out_dtype), pieces[i]);
    }
}

static void check_in_place(const loop *l, const void *whole) {
    for (int i = 0; i < l->n; i++) {
        if (tg_dtype_size(l->in_dtype[i]) != l->out_size) continue;
        unsigned char *out = guarded(l->c, LOOP * l->out_size, 0);
        if (!out) return;
        memcpy(out, l->in[i].data, LOOP * l->out_size);
        const void *in[TG_MICRO_INPUTS] = {input_at(l, 0, 0), input_at(l, 1, 0), input_at(l, 2, 0)};
        in[i] = out;
        l->fn(LOOP, out, in[0], in[1], in[2]);
        tg__verdict(l->c, !memcmp(out, whole, LOOP * l->out_size), "the loop for %s over its input %d gives other bits",
                    tg_dtype_name(l->out_dtype), i);
    }
}

static void check_loop(tg__check *c, const tg__point *p, tg_dtype dtype, const tg__result *base) {
    if (p->n < 1 || p->n > TG_MICRO_INPUTS) return;
    loop l = {.c = c, .n = p->n, .out_dtype = base->y[0].dtype, .out_size = tg_dtype_size(base->y[0].dtype)};
    for (int i = 0; i < p->n; i++) {
        l.in_dtype[i] = tg__kind_dtype(p->in[i].kind, dtype);
        l.in[i] = tg__check_array(c, l.in_dtype[i], &TG_SHAPE(LOOP));
        for (int64_t e = 0; e < l.in[i].n && p->numel[i]; e++)
            tg__array_set(&l.in[i], e, p->x[i][(e * (i + 1) + i) % p->numel[i]]);
    }
    l.fn = tg__micro_get(c->op->micro, l.in_dtype[p->n - 1]);
    unsigned char *whole = guarded(c, LOOP * l.out_size, 0);
    if (c->no_memory || !tg__verdict(c, l.fn != NULL, "no loop for %s", tg_dtype_name(l.in_dtype[p->n - 1]))) return;
    run_pieces(&l, LOOP, whole);
    check_pieces(&l, whole);
    check_in_place(&l, whole);
}

void tg__check_direct(tg__check *c, const tg__point *p, tg_dtype dtype, const tg__result *base) {
    tg__arena_mark mark = tg__arena_at(&c->memory);
    call k = {.c = c, .p = p, .base = base, .dtype = dtype, .layout = TG__PACKED, .only = -1, .threads = 1};
    if (c->op->kernel) check_kernel(k);
    if (c->op->view && p->n > 0) check_view(k);
    if (c->op->micro && base->y[0].n) check_loop(c, p, dtype, base);
    if (!c->no_memory) tg__arena_back(&c->memory, mark);
}
