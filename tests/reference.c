/* tests/reference.c: values and gradients against PyTorch's. tests/reference/make.py made tests/reference/values.bin from the
 * points that the test `reference/points` writes where TG_POINTS names a file. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "tests/reference_calls.h"
#include "tests/test.h"

#include <tapegrad.h>

#define FILE_NAME "tests/reference/values.bin"
#define MOST_SUBJECTS 1024
#define GRID 64 /* elementwise ops: so many points of their range, besides the samples */

/* ------------------------------------------------------------------ what is compared */

/* The only ops and functions that need no case, each with the reason. */
static const struct {
    const char *name, *reason;
} without[] = {
#define RANDOM "draws from a generator of the library's own; tests/ops_random.c has its moments and published vectors"
    {"uniform", RANDOM}, {"normal", RANDOM},  {"gumbel", RANDOM},      {"bernoulli", RANDOM},    {"categorical", RANDOM},
    {"randint", RANDOM}, {"dropout", RANDOM}, {"permutation", RANDOM}, {"dropout_mask", RANDOM},
};

static const char *reason_of(const char *name) {
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (!strcmp(without[i].name, name)) return without[i].reason;
    return NULL;
}

/* The ops of the list, then the functions that are more than one op. NULL past the last. */
static const tg_op *subject(int i) { return i < tg_op_count() ? tg_op_get(i) : reference_call(i - tg_op_count()); }

static const tg_op *find_subject(const char *name) {
    for (int i = 0; subject(i); i++)
        if (!strcmp(subject(i)->name, name)) return subject(i);
    return NULL;
}

/* ------------------------------------------------------------------ writing points */

static void write_field(FILE *f, const tg_field *field, const void *attr) {
    const char *at = (const char *)attr + field->offset;
    const int64_t *dims = (const int64_t *)(const void *)at;
    int n = 1;
    switch (field->type) {
    case TG_FIELD_INT:
        fprintf(f, "%" PRId64, *dims);
        return;
    case TG_FIELD_DTYPE:
        fprintf(f, "\"%s\"", tg_dtype_name(*(const tg_dtype *)(const void *)at));
        return;
    case TG_FIELD_PTR:
        fprintf(f, "null");
        return;
    case TG_FIELD_AXES: {
        const tg_axes *a = (const tg_axes *)(const void *)at;
        if (a->n < 0) {
            fprintf(f, "\"all\"");
            return;
        }
        fprintf(f, "[");
        for (int i = 0; i < a->n; i++) fprintf(f, "%s%d", i ? "," : "", a->axis[i]);
        fprintf(f, "]");
        return;
    }
    case TG_FIELD_SHAPE:
        n = ((const tg_shape *)(const void *)at)->rank;
        dims = ((const tg_shape *)(const void *)at)->dims;
        break;
    case TG_FIELD_DIMS:
        n = TG_MAX_RANK;
        break;
    }
    fprintf(f, "[");
    for (int i = 0; i < n; i++) fprintf(f, "%s%" PRId64, i ? "," : "", dims[i]);
    fprintf(f, "]");
}

static void write_numbers(FILE *f, const double *x, int64_t n) {
    fprintf(f, "[");
    for (int64_t i = 0; i < n; i++) fprintf(f, "%s\"%.17g\"", i ? "," : "", x[i]);
    fprintf(f, "]");
}

static void write_shape(FILE *f, const tg_shape *s) {
    fprintf(f, "[");
    for (int i = 0; i < s->rank; i++) fprintf(f, "%s%" PRId64, i ? "," : "", s->dims[i]);
    fprintf(f, "]");
}

static void write_inputs(FILE *f, const tg__point *p) {
    for (int i = 0; i < p->n; i++) {
        fprintf(f, "%s{\"kind\":\"%c\",\"dtype\":\"%s\",\"shape\":", i ? "," : "", p->in[i].kind,
                tg_dtype_name(tg__kind_dtype(p->in[i].kind, TG_F64)));
        write_shape(f, &p->in[i].shape);
        fprintf(f, ",\"data\":");
        write_numbers(f, p->x[i], p->numel[i]);
        fprintf(f, "}");
    }
}

static void write_output(FILE *f, tg__check *c, const tg__array *y) {
    double *v = tg__check_take(c, (size_t)y->n * sizeof *v);
    for (int64_t e = 0; v && e < y->n; e++) v[e] = tg__check_random(c, -1, 1);
    fprintf(f, "{\"shape\":");
    write_shape(f, &y->shape);
    fprintf(f, ",\"cotangent\":");
    write_numbers(f, v, v ? y->n : 0);
    fprintf(f, "}");
}

static void write_point(FILE *f, tg__check *c, const tg_sample *s) {
    tg__point p = tg__point_of(c, s);
    tg__setting setting = tg__setting_of(TG_F64);
    tg__result r = tg__trial(c, &p, &setting);
    if (!CHECK(!r.status, "%s, '%s': %s", c->op->name, s->note, r.message)) return;
    fprintf(f, "{\"op\":\"%s\",\"note\":\"%s\",\"attr\":{", c->op->name, s->note);
    for (const tg_field *field = c->op->fields; field && field->name && s->attr; field++) {
        fprintf(f, "%s\"%s\":", field == c->op->fields ? "" : ",", field->name);
        write_field(f, field, s->attr);
    }
    fprintf(f, "},\"inputs\":[");
    write_inputs(f, &p);
    fprintf(f, "],\"outputs\":[");
    for (int k = 0; k < r.n_out; k++) {
        if (k) fprintf(f, ",");
        write_output(f, c, &r.y[k]);
    }
    fprintf(f, "]}\n");
}

/* Elementwise ops have one sample more: a row of points. */
static tg_sample grid_of(const tg_op *op) {
    tg_sample s = *op->samples;
    s.note = "grid";
    for (int i = 0; i < TG_SAMPLE_INPUTS && s.in[i].kind; i++) {
        s.in[i].shape = TG_SHAPE(GRID);
        s.in[i].avoid /= 8;
    }
    return s;
}

TEST(reference, points) {
    const char *path = getenv("TG_POINTS");
    if (!path) {
        test_skip("TG_POINTS names no file to write");
        return;
    }
    FILE *f = fopen(path, "w");
    if (!CHECK(f != NULL, "cannot write %s", path)) return;
    tg__check c = {.tape = tg_tape_new()};
    for (int i = 0; (c.op = subject(i)) != NULL; i++) {
        if (reason_of(c.op->name)) continue;
        c.random = 77;
        for (const tg_sample *s = c.op->samples; s && s->note; s++) write_point(f, &c, s);
        if (!c.op->micro) continue;
        tg_sample grid = grid_of(c.op);
        write_point(f, &c, &grid);
    }
    fclose(f);
    tg_tape_free(c.tape);
    tg__arena_free(&c.memory);
}

/* ------------------------------------------------------------------ reading them back */

typedef struct reader {
    const unsigned char *at, *end;
    bool ok;
} reader;

static const void *take(reader *r, size_t size) {
    if (!r->ok || (size_t)(r->end - r->at) < size) {
        r->ok = false;
        return NULL;
    }
    const void *p = r->at;
    r->at += size;
    return p;
}

static uint32_t take_u32(reader *r) {
    uint32_t x = 0;
    const void *p = take(r, sizeof x);
    if (p) memcpy(&x, p, sizeof x);
    return x;
}

typedef struct reference {
    char op[64], note[128];
    tg__array in[TG_SAMPLE_INPUTS], y[TG_MAX_OUTPUTS], v[TG_MAX_OUTPUTS], g[TG_SAMPLE_INPUTS];
    int n, n_out;
} reference;

static void take_array(reader *r, tg__check *c, reference *ref) {
    const unsigned char *head = take(r, 4);
    if (!head) return;
    tg_shape s = {head[2], {0}};
    if (!CHECK(s.rank <= TG_MAX_RANK && head[1] < (strchr("yv", head[0]) ? TG_MAX_OUTPUTS : TG_SAMPLE_INPUTS),
               "a broken file")) {
        r->ok = false;
        return;
    }
    const void *dims = take(r, sizeof(int64_t) * (size_t)s.rank);
    if (dims && s.rank) memcpy(s.dims, dims, sizeof(int64_t) * (size_t)s.rank);
    int64_t n = tg_shape_numel(&s);
    const void *data = n < 0 ? NULL : take(r, (size_t)n * sizeof(double));
    tg__array a = tg__check_array(c, TG_F64, &s);
    if (data && a.data && n) memcpy(a.data, data, (size_t)n * sizeof(double));
    switch (head[0]) {
    case 'i':
        ref->in[head[1]] = a, ref->n = head[1] + 1;
        break;
    case 'y':
        ref->y[head[1]] = a, ref->n_out = head[1] + 1;
        break;
    case 'v':
        ref->v[head[1]] = a;
        break;
    default:
        ref->g[head[1]] = a;
    }
}

static reference take_reference(reader *r, tg__check *c) {
    reference ref = {.n = 0};
    uint32_t op = take_u32(r), note = take_u32(r), arrays = take_u32(r);
    const char *a = take(r, op), *b = take(r, note);
    if (!a || !b || op >= sizeof ref.op || note >= sizeof ref.note) {
        r->ok = false;
        return ref;
    }
    memcpy(ref.op, a, op);
    memcpy(ref.note, b, note);
    for (uint32_t i = 0; i < arrays && r->ok; i++) take_array(r, c, &ref);
    return ref;
}

/* ------------------------------------------------------------------ comparing */

typedef struct totals {
    int cases, subjects, stale;
    double worst[2];
    char last[64];
} totals;

static bool find_sample(const tg_op *op, const char *note, tg_sample *s) {
    if (!strcmp(note, "grid") && op->micro) {
        *s = grid_of(op);
        return true;
    }
    for (const tg_sample *t = op->samples; t && t->note; t++)
        if (!strcmp(t->note, note)) {
            *s = *t;
            return true;
        }
    return false;
}

static void compare(const reference *ref, const char *what, int which, const tg__array *want, const tg__array *got, tg_dtype d,
                    totals *sum) {
    double tolerance = d == TG_F64 ? 1e-12 : 1e-5, size = 0, worst = 0;
    if (!CHECK(tg_shape_equal(&got->shape, &want->shape) && (got->data || !want->n), "%s, '%s': %s %d has another shape",
               ref->op, ref->note, what, which))
        return;
    for (int64_t e = 0; e < want->n; e++)
        if (isfinite(tg__array_get(want, e))) size = fmax(size, fabs(tg__array_get(want, e)));
    for (int64_t e = 0; e < want->n; e++) {
        double a = tg__array_get(got, e), b = tg__array_get(want, e);
        bool same = (isnan(a) && isnan(b)) || a == b;
        worst = fmax(worst, same ? 0 : isnan(a) || isnan(b) ? INFINITY : fabs(a - b) / (size > 0 ? size : 1));
    }
    CHECK(worst <= tolerance, "%s %s, '%s': %s %d is off by %.2g of the largest", tg_dtype_name(d), ref->op, ref->note, what,
          which, worst);
    double *record = &sum->worst[d == TG_F32];
    *record = fmax(*record, worst);
}

/* The point whose values the file holds, if the sample is still the same. */
static bool find_point(tg__check *c, const reference *ref, tg__point *p) {
    tg_sample s;
    c->op = find_subject(ref->op);
    if (!c->op || !find_sample(c->op, ref->note, &s)) return false;
    *p = tg__point_of(c, &s);
    if (p->n != ref->n) return false;
    for (int i = 0; i < p->n; i++) {
        if (!tg_shape_equal(&p->in[i].shape, &ref->in[i].shape)) return false;
        for (int64_t e = 0; e < p->numel[i]; e++) p->x[i][e] = tg__array_get(&ref->in[i], e);
    }
    return true;
}

static bool check_reference(tg__check *c, const reference *ref, tg_dtype d, totals *sum) {
    tg__point p;
    if (!find_point(c, ref, &p)) return false;
    tg__setting setting = tg__setting_of(d);
    setting.outputs = 0;
    for (int k = 0; k < ref->n_out; k++) {
        if (ref->v[k].data) setting.outputs |= 1u << k;
        p.cotangent[k] = ref->v[k].data;
        p.n_cotangent[k] = ref->v[k].n;
    }
    setting.gradient = setting.outputs != 0;
    tg__result r = tg__trial(c, &p, &setting);
    if (r.status == TG_EUNSUPPORTED) return true; /* built without an optional library */
    if (!CHECK(!r.status && r.n_out == ref->n_out, "%s, '%s': %d outputs: %s", ref->op, ref->note, r.n_out, r.message))
        return true;
    for (int k = 0; k < r.n_out; k++) compare(ref, "output", k, &ref->y[k], &r.y[k], d, sum);
    for (int i = 0; i < p.n; i++)
        if (ref->g[i].data && ref->g[i].n) compare(ref, "the gradient of input", i, &ref->g[i], &r.g[i], d, sum);
    return true;
}

static unsigned char *whole_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    long n = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    unsigned char *bytes = n >= 0 && !fseek(f, 0, SEEK_SET) ? malloc((size_t)n + 1) : NULL;
    *size = bytes ? fread(bytes, 1, (size_t)n, f) : 0;
    if (f) fclose(f);
    return bytes;
}

/* Calls visit with every case of the file. */
static void for_each_reference(void (*visit)(tg__check *c, const reference *ref, void *user), void *user) {
    size_t size;
    unsigned char *bytes = whole_file(FILE_NAME, &size);
    if (!CHECK(bytes && size > 12 && !memcmp(bytes, "TGREF2\n", 8), "%s cannot be read", FILE_NAME)) return;
    reader r = {bytes + 8, bytes + size, true};
    tg__check c = {.tape = tg_tape_new(), .random = 1};
    uint32_t n = take_u32(&r);
    for (uint32_t i = 0; i < n && r.ok; i++) {
        tg__arena_mark mark = tg__arena_at(&c.memory);
        reference ref = take_reference(&r, &c);
        if (r.ok) visit(&c, &ref, user);
        tg__arena_back(&c.memory, mark);
    }
    CHECK(r.ok && r.at == r.end, "the file ends early or late");
    tg_tape_free(c.tape);
    tg__arena_free(&c.memory);
    free(bytes);
}

static void compare_case(tg__check *c, const reference *ref, void *user) {
    totals *sum = user;
    bool known = true;
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) known = check_reference(c, ref, d, sum) && known;
    if (!known) {
        sum->stale++; /* its sample has changed: the next run of make.py has it */
        return;
    }
    sum->cases++;
    if (strcmp(sum->last, ref->op)) sum->subjects++;
    snprintf(sum->last, sizeof sum->last, "%s", ref->op);
}

TEST(reference, agrees_with_pytorch) {
    totals sum = {0};
    for_each_reference(compare_case, &sum);
    CHECK(sum.stale * 20 < sum.cases, "%d of %d cases have no sample: run make.py", sum.stale, sum.cases + sum.stale);
    printf("  %d reference cases of %d ops and functions, each in f32 and f64; largest errors %.1e in f64, %.1e in f32\n",
           sum.cases, sum.subjects, sum.worst[0], sum.worst[1]);
}

/* ------------------------------------------------------------------ every op has cases, or a reason */

static void mark_case(tg__check *c, const reference *ref, void *user) {
    tg__point p;
    bool *seen = user;
    for (int i = 0; i < MOST_SUBJECTS && subject(i); i++)
        if (!strcmp(subject(i)->name, ref->op)) seen[i] = seen[i] || find_point(c, ref, &p);
}

/* A case finds its sample by its note. */
static void notes_differ(const tg_op *op) {
    for (const tg_sample *s = op->samples; s && s->note; s++)
        for (const tg_sample *t = op->samples; t != s; t++)
            CHECK(strcmp(s->note, t->note), "%s has two samples '%s'", op->name, s->note);
}

TEST(reference, covers_every_op_and_function) {
    static bool seen[MOST_SUBJECTS];
    for_each_reference(mark_case, seen);
    for (int i = 0; i < MOST_SUBJECTS && subject(i); i++) {
        const char *name = subject(i)->name, *reason = reason_of(name);
        CHECK(seen[i] || reason, "%s has no case in %s: give it a line in tests/reference/, or a reason here", name, FILE_NAME);
        CHECK(!seen[i] || !reason, "%s has cases, and a reason for having none: %s", name, reason);
        notes_differ(subject(i));
    }
    size_t size;
    char *text = (char *)whole_file("include/tapegrad/ops.h", &size), name[64];
    if (!CHECK(text && size, "the header cannot be read")) return;
    text[size] = 0;
    for (const char *at = text; at && (at = strstr(at, "\nTG_SITED(")) != NULL;) {
        at = strchr(at, ',') + 1;
        if (CHECK(sscanf(at, " tg_%60[a-z0-9_]", name) == 1, "%.40s", at))
            CHECK(find_subject(name) || reason_of(name), "tg_%s is neither an op nor in tests/reference_calls.c", name);
    }
    free(text);
}
