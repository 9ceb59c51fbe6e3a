/* What can be said of a descriptor without running it. */
#include <ctype.h>

#include "check.h"

static size_t size_of(tg_field_type t, size_t *align) {
    switch (t) {
    case TG_FIELD_INT:
        *align = _Alignof(int64_t);
        return sizeof(int64_t);
    case TG_FIELD_DTYPE:
        *align = _Alignof(tg_dtype);
        return sizeof(tg_dtype);
    case TG_FIELD_SHAPE:
        *align = _Alignof(tg_shape);
        return sizeof(tg_shape);
    case TG_FIELD_AXES:
        *align = _Alignof(tg_axes);
        return sizeof(tg_axes);
    case TG_FIELD_DIMS:
        *align = _Alignof(int64_t);
        return sizeof(int64_t[TG_MAX_RANK]);
    case TG_FIELD_PTR:
        *align = _Alignof(void *);
        return sizeof(void *);
    }
    *align = 1;
    return 0;
}

/* The field that begins first at or after `from`. */
static const tg_field *next_field(const tg_field *fields, size_t from) {
    const tg_field *next = NULL;
    for (const tg_field *f = fields; f && f->name; f++)
        if (f->offset >= from && (!next || f->offset < next->offset)) next = f;
    return next;
}

/* Every byte of the attributes is in a field, or is padding before one. */
static void check_fields(tg__check *c) {
    const tg_op *op = c->op;
    if (!op->attr_size) {
        tg__verdict(c, !op->fields || !op->fields->name, "has fields but no attr_size");
        return;
    }
    size_t at = 0, align = 8, fields = 0, found = 0;
    for (const tg_field *f = op->fields; f && f->name; f++) fields++;
    for (const tg_field *f; (f = next_field(op->fields, at)); found++) {
        size_t size = size_of(f->type, &align);
        if (!tg__verdict(c, f->offset - at < align && size, "attribute bytes %zu to %zu, before '%s', are in no field", at,
                         f->offset, f->name))
            return;
        at = f->offset + size;
    }
    tg__verdict(c, found == fields, "fields overlap");
    tg__verdict(c, at <= op->attr_size && op->attr_size - at < 8, "the fields end at byte %zu of %zu of the attributes", at,
                op->attr_size);
}

static bool is_identifier(const char *s) {
    if (!s || !islower((unsigned char)*s)) return false;
    while (islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '_') s++;
    return !*s;
}

static void check_ways(tg__check *c) {
    const tg_op *op = c->op;
    int ways = !!op->micro + !!op->view + !!op->kernel + !!op->source_fn;
    tg__verdict(c, ways == 1 || (ways == 0 && op->define),
                "must compute in exactly one way: micro, view, kernel, or define alone (%d)", ways);
    tg__verdict(c, op->infer || op->micro || !ways, "needs infer");
    tg__verdict(c, !op->kernel || op->define || op->ref, "needs a definition or a reference: its kernel cannot be checked");
    tg__verdict(c, op->kernel || (!op->fold && !op->scratch && !(op->flags & TG_OP_STRIDED)),
                "fold, scratch and TG_OP_STRIDED are for kernels");
    tg__verdict(c, op->n_out >= 0 && op->n_out <= TG_MAX_OUTPUTS, "has %d outputs; %d is the most", op->n_out, TG_MAX_OUTPUTS);
    tg__verdict(c, op->min_in >= 0 && (op->max_in < 0 || op->max_in >= op->min_in), "takes %d to %d inputs", op->min_in,
                op->max_in);
    tg__verdict(c, !op->micro || op->infer || op->max_in <= TG_MICRO_INPUTS, "an elementwise op takes at most %d inputs",
                TG_MICRO_INPUTS);
}

static int inputs_of(const tg_sample *s) {
    int n = 0;
    while (n < TG_SAMPLE_INPUTS && s->in[n].kind) n++;
    return n;
}

static void check_samples(tg__check *c) {
    const tg_op *op = c->op;
    int n = 0, bad = 0;
    bool differentiable = false, floats = false;
    for (const tg_sample *s = op->samples; s && s->note; s++, n++) {
        int inputs = inputs_of(s);
        tg__verdict(c, inputs >= op->min_in && (op->max_in < 0 || inputs <= op->max_in), "sample '%s' has %d inputs", s->note,
                    inputs);
        for (int i = 0; i < inputs; i++) {
            tg__verdict(c, strchr("fcijbu", s->in[i].kind), "sample '%s': '%c' is no kind of input", s->note, s->in[i].kind);
            tg__verdict(c, tg_shape_numel(&s->in[i].shape) >= 0, "sample '%s': input %d has no valid shape", s->note, i);
            differentiable = differentiable || s->in[i].kind == 'f';
            floats = floats || tg__is_float_kind(s->in[i].kind);
        }
    }
    for (const tg_sample *s = op->bad; s && s->note; s++) bad++;
    tg__verdict(c, n > 0, "has no sample");
    bool derivative = op->vjp || op->define;
    tg__verdict(c, differentiable || !floats || !derivative || op->flags & TG_OP_CUT,
                "has a derivative, but no sample with an input of kind 'f'");
    tg__verdict(c, !differentiable || derivative,
                "has samples of kind 'f', but neither vjp nor define; 'c' is a float without derivative");
    tg__verdict(c, !(op->flags & TG_OP_CUT) || !differentiable, "cuts gradients, but has samples of kind 'f'");
    tg__verdict(c, bad >= 3, "has %d wrong inputs in `bad`: at least 3 are needed, 5 are good", bad);
    if (bad >= 3 && bad < 5 && c->verbose && c->out) fprintf(c->out, "note %s: only %d wrong inputs\n", op->name, bad);
}

void tg__check_descriptor(tg__check *c) {
    const tg_op *op = c->op;
    tg__check_at(c, "descriptor: ");
    tg__verdict(c, is_identifier(op->name), "the name must be a word of small letters, digits and _");
    tg__verdict(c, op->formula && *op->formula, "has no formula");
    tg__verdict(c, op->source && *op->source, "has no source: a paper and equation, or \"elementary\"");
    check_ways(c);
    check_fields(c);
    check_samples(c);
}
