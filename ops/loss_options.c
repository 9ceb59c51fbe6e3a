/* What losses share */
#include "ops/loss.h"

const tg_field tg__loss_fields[] = {
    {"reduction", TG_FIELD_INT, offsetof(tg__loss_attr, reduction)},
    {"parts", TG_FIELD_INT, offsetof(tg__loss_attr, parts)},
    {"ignored", TG_FIELD_INT, offsetof(tg__loss_attr, ignored)},
    {NULL, TG_FIELD_INT, 0},
};

/* ------------------------------------------------------------------ infer */

static tg_shape rows_of(const tg_shape *s) {
    tg_shape rows = *s;
    if (rows.rank) rows.rank--;
    return rows;
}

static tg_status data_infer(tg_infer *f, const tg__loss_kind *kind) {
    const tg_shape *first = f->in_shape[0];
    tg_dtype d = f->in_dtype[0];
    for (int i = 0; i < kind->data; i++) {
        if (i == 1 && kind->labels) continue;
        if (!tg_dtype_is_float(d) || f->in_dtype[i] != d)
            return tg_infer_fail(f, TG_EDTYPE, "%s and %s: all must be f32 or all f64: cast with tg_cast", tg_dtype_name(d),
                                 tg_dtype_name(f->in_dtype[i]));
        if (!tg_shape_equal(f->in_shape[i], first))
            return tg_infer_fail(f, TG_ESHAPE, "the shapes differ: a loss does not broadcast");
    }
    if (!kind->rows) return TG_OK;
    if (!first->rank) return tg_infer_fail(f, TG_ESHAPE, "rank 0 has no rows");
    if (!first->dims[first->rank - 1]) return tg_infer_fail(f, TG_ESHAPE, "the rows have size 0");
    return TG_OK;
}

static tg_status labels_infer(tg_infer *f) {
    tg_shape rows = rows_of(f->in_shape[0]);
    if (f->in_dtype[1] != TG_I64 && f->in_dtype[1] != TG_I32)
        return tg_infer_fail(f, TG_EDTYPE, "the labels must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[1]));
    if (!tg_shape_equal(f->in_shape[1], &rows))
        return tg_infer_fail(f, TG_ESHAPE, "the labels' shape must be that of the scores without the last axis");
    return TG_OK;
}

static tg_status number_infer(tg_infer *f, int i) {
    if (f->in_shape[i]->rank) return tg_infer_fail(f, TG_ESHAPE, "input %d must be a number", i);
    if (f->in_dtype[i] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "input %d is %s", i, tg_dtype_name(f->in_dtype[i]));
    return TG_OK;
}

static bool spreads_to(const tg_shape *s, const tg_shape *to) {
    tg_shape both;
    return tg_broadcast(s, to, &both, NULL) && tg_shape_equal(&both, to);
}

static tg_status part_infer(tg_infer *f, int i, tg__loss_part part, const tg_shape *each, bool classes) {
    const tg_shape *rows = f->in_shape[0], *s = f->in_shape[i];
    const char *name = part == TG__CLASS_WEIGHT ? "class weight" : part == TG__WEIGHT ? "weight" : "mask";
    if (part == TG__SMOOTHING) return number_infer(f, i);
    tg_dtype want = part == TG__MASK ? TG_BOOL : f->in_dtype[0];
    if (f->in_dtype[i] != want)
        return tg_infer_fail(f, TG_EDTYPE, "the %s must be %s, not %s", name, tg_dtype_name(want),
                             tg_dtype_name(f->in_dtype[i]));
    if (part == TG__CLASS_WEIGHT && classes && (s->rank != 1 || s->dims[0] != rows->dims[rows->rank - 1]))
        return tg_infer_fail(f, TG_ESHAPE, "the class weight needs a number for each of %lld classes",
                             (long long)rows->dims[rows->rank - 1]);
    if (!(part == TG__CLASS_WEIGHT && classes) && !spreads_to(s, each))
        return tg_infer_fail(f, TG_ESHAPE, "the %s does not broadcast to the losses", name);
    return TG_OK;
}

tg_status tg__loss_infer(tg_infer *f, const tg__loss_kind *kind) {
    const tg__loss_attr *attr = f->attr;
    tg_status s = data_infer(f, kind);
    if (!s && kind->labels) s = labels_infer(f);
    if (!s && (attr->reduction < TG_REDUCE_MEAN || attr->reduction > TG_REDUCE_NONE))
        s = tg_infer_fail(f, TG_EARG, "there is no reduction %lld", (long long)attr->reduction);
    tg_shape each = kind->rows ? rows_of(f->in_shape[0]) : *f->in_shape[0];
    int at = kind->data;
    for (int i = 0; i < kind->numbers && !s; i++, at++) s = number_infer(f, at);
    for (int part = TG__CLASS_WEIGHT; part <= TG__MASK && !s; part *= 2) {
        if (!(attr->parts & part)) continue;
        if (at == f->n_in) return tg_infer_fail(f, TG_EARG, "%d inputs are too few", f->n_in);
        s = part_infer(f, at++, (tg__loss_part)part, &each, kind->rows);
    }
    if (!s && at != f->n_in) s = tg_infer_fail(f, TG_EARG, "%d inputs are too many", f->n_in);
    if (!s && attr->reduction == TG_REDUCE_MEAN && tg_shape_numel(&each) == 0)
        s = tg_infer_fail(f, TG_ESHAPE, "the mean of an empty batch");
    f->shape[0] = attr->reduction == TG_REDUCE_NONE ? each : TG_SCALAR;
    f->dtype[0] = f->in_dtype[0];
    return s;
}

/* ------------------------------------------------------------------ the definition */

static tg_tensor take(const tg_tensor **in, const tg__loss_attr *attr, tg__loss_part part) {
    return attr->parts & part ? *(*in)++ : (tg_tensor){0};
}

tg__loss tg__loss_open(const tg_tensor *in, const void *attr, const tg__loss_kind *kind) {
    tg__loss l = {.kind = kind, .attr = attr, .number = in + kind->data};
    const tg_tensor *rest = l.number + kind->numbers;
    l.class_weight = take(&rest, l.attr, TG__CLASS_WEIGHT);
    l.smoothing = take(&rest, l.attr, TG__SMOOTHING);
    l.weight = take(&rest, l.attr, TG__WEIGHT);
    l.mask = take(&rest, l.attr, TG__MASK);
    for (int i = 0; i < kind->data; i++) l.x[i] = in[i];
    if (l.attr->parts & TG__IGNORE) {
        tg_tape *t = tg_tape_of(in[1]);
        tg_tensor counts = tg_ne(in[1], tg_full(t, TG_SCALAR, (double)l.attr->ignored, tg_dtype_of(in[1])));
        l.mask = tg__is_none(l.mask) ? counts : tg_and(counts, l.mask);
    }
    for (int i = 0; i < kind->data && !tg__is_none(l.mask); i++) {
        bool row = kind->rows && !(i == 1 && kind->labels);
        tg_tensor counts = row ? tg_unsqueeze(l.mask, TG_AXES(-1)) : l.mask;
        l.x[i] = tg_where(counts, in[i], tg__zero_like(in[i]));
    }
    return l;
}

/* Where a loss counts, else 0. */
static tg_tensor counted(const tg__loss *l, tg_tensor x) {
    return tg__is_none(l->mask) ? x : tg_where(l->mask, x, tg__zero_like(x));
}

/* The sum of amounts; 1 where nothing counts, so that the mean of nothing is 0 and not NaN. */
static tg_tensor divisor(const tg__loss *l, tg_tensor each, tg_tensor amount) {
    tg_tensor ones = tg_expand(tg__one_like(each), tg_shape_of(each));
    tg_tensor total = tg_sum(counted(l, tg__is_none(amount) ? ones : amount), TG_ALL_AXES, false);
    return tg_where(tg_eq(total, tg__zero_like(total)), tg__one_like(total), total);
}

tg_tensor tg__loss_close(const tg__loss *l, tg_tensor each, tg_tensor amount) {
    tg_tensor y = counted(l, each);
    if (!tg__is_none(l->weight)) y = tg_mul(y, l->weight);
    if (l->attr->reduction == TG_REDUCE_NONE) return y;
    if (l->attr->reduction == TG_REDUCE_SUM) return tg_sum(y, TG_ALL_AXES, false);
    if (tg__is_none(l->mask) && tg__is_none(amount)) return tg_mean(y, TG_ALL_AXES, false);
    return tg_div(tg_sum(y, TG_ALL_AXES, false), divisor(l, each, amount));
}

tg_tensor tg__is_label(tg_tape *t, tg_tensor rows, tg_tensor labels) {
    tg_shape s = tg_shape_of(rows);
    return tg_eq(tg_unsqueeze(labels, TG_AXES(-1)), tg_arange(t, s.dims[s.rank - 1], tg_dtype_of(labels)));
}

/* ------------------------------------------------------------------ the call */

static const char *refused(const tg__loss_kind *kind, const tg_loss_options *o) {
    bool classes = kind->takes & TG__CLASS_WEIGHT, smooth = kind->takes & TG__SMOOTHING, ignore = kind->takes & TG__IGNORE;
    if (!classes && !tg__is_none(o->class_weight)) return "this loss takes no class_weight";
    if (!smooth && o->smoothing != 0) return "this loss takes no smoothing";
    if (!(o->smoothing >= 0 && o->smoothing <= 1)) return "the smoothing must be in [0, 1]";
    if (!ignore && (o->ignore || o->ignored)) return "this loss has no labels that it could ignore";
    return NULL;
}

static void add_part(tg_tensor *in, int *n, tg__loss_attr *attr, tg__loss_part part, tg_tensor x) {
    if (tg__is_none(x)) return;
    in[(*n)++] = x;
    attr->parts |= part;
}

#define MOST_INPUTS 12

tg_tensor tg__loss_apply_if(const char *why, const char *site, const tg_op *op, const tg__loss_kind *kind,
                            const tg_tensor *data, const double *numbers, tg_loss_options o) {
    tg_tape *t = tg__tape_from(NULL, data, kind->data);
    if (!t) return tg__lost(site);
    if (!why) why = refused(kind, &o);
    if (why) tg__fail(t, TG_EARG, op->name, site, t->scope, "%s", why);
    if (t->base.error.status) return tg__poison(t);
    tg_tensor in[MOST_INPUTS];
    tg__loss_attr attr = {.reduction = o.reduction};
    tg_dtype d = tg_dtype_of(data[0]) == TG_F64 ? TG_F64 : TG_F32;
    int n = 0;
    for (int i = 0; i < kind->data; i++) in[n++] = data[i];
    for (int i = 0; i < kind->numbers; i++) in[n++] = tg_scalar_at(site, t, numbers[i], d);
    add_part(in, &n, &attr, TG__CLASS_WEIGHT, o.class_weight);
    if (o.smoothing != 0) add_part(in, &n, &attr, TG__SMOOTHING, tg_scalar_at(site, t, o.smoothing, d));
    add_part(in, &n, &attr, TG__WEIGHT, o.weight);
    add_part(in, &n, &attr, TG__MASK, o.mask);
    if (o.ignore) {
        attr.parts |= TG__IGNORE;
        attr.ignored = o.ignored;
    }
    return tg_apply_at(site, t, op, &attr, in, n);
}

tg_tensor tg__loss_apply(const char *site, const tg_op *op, const tg__loss_kind *kind, const tg_tensor *data,
                         const double *numbers, tg_loss_options options) {
    return tg__loss_apply_if(NULL, site, op, kind, data, numbers, options);
}
