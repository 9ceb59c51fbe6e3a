/* Traces of random programs: recording and comparing what was observed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/math.h"
#include "tests/fuzz.h"

static bool room(void *p, size_t need, size_t *cap, size_t size) {
    if (need <= *cap) return true;
    size_t more = *cap * 2 > need ? *cap * 2 : need + 64;
    void *old, *new;
    memcpy(&old, p, sizeof old);
    if (!(new = realloc(old, more * size))) return false;
    memcpy(p, &new, sizeof new);
    *cap = more;
    return true;
}

static double number(const void *at, tg_dtype d) {
    switch (d) {
    case TG_F32:
        return *(const float *)at;
    case TG_F64:
        return *(const double *)at;
    case TG_I32:
        return *(const int32_t *)at;
    case TG_I64:
        return (double)*(const int64_t *)at;
    case TG_BF16:
        return (double)tg__to_f32_bf16(*(const uint16_t *)at);
    case TG_F16:
        return (double)tg__to_f32_f16(*(const uint16_t *)at);
    default:
        return *(const uint8_t *)at;
    }
}

static void print(const fuzz_trace *r, const fuzz_event *e) {
    size_t width = tg_dtype_size(e->dtype);
    fprintf(stderr, "%4d %-28s %s", r->n - 1, e->what, e->status ? tg_status_name(e->status) : "");
    if (e->dtype == TG_U8 && e->size) fprintf(stderr, " %.*s", (int)e->size, (const char *)r->bytes + e->at);
    for (size_t i = 0; e->dtype != TG_U8 && i < 4 && i * width < e->size; i++)
        fprintf(stderr, " %.9g", number(r->bytes + e->at + i * width, e->dtype));
    fprintf(stderr, "\n");
}

void fuzz_note(fuzz_trace *r, const char *what, tg_status status, tg_dtype dtype, const void *bytes, size_t size) {
    size_t cap = (size_t)r->cap, at = (r->n_bytes + 7) & ~(size_t)7;
    if (!bytes) size = 0;
    bool ok = room(&r->events, (size_t)r->n + 1, &cap, sizeof *r->events) && room(&r->bytes, at + size, &r->cap_bytes, 1);
    r->cap = (int)cap;
    if (!ok) {
        r->failed++;
        return;
    }
    fuzz_event *e = &r->events[r->n++];
    *e = (fuzz_event){.status = status, .dtype = dtype, .at = at, .size = size};
    snprintf(e->what, sizeof e->what, "%s", what);
    if (size) memcpy(r->bytes + at, bytes, size);
    r->n_bytes = at + size;
    if (r->log) print(r, e);
}

static bool same_element(const void *x, const void *y, tg_dtype d) {
    if (memcmp(x, y, tg_dtype_size(d)) == 0) return true;
    return isnan(number(x, d)) && isnan(number(y, d));
}

static bool events_differ(const fuzz_trace *a, const fuzz_trace *b, int i, char *text, size_t size) {
    const fuzz_event *x = &a->events[i], *y = &b->events[i];
    if (strcmp(x->what, y->what) || x->status != y->status || x->dtype != y->dtype || x->size != y->size) {
        snprintf(text, size, "event %d is %s %s %zu bytes, not %s %s %zu bytes", i, x->what, tg_status_name(x->status), x->size,
                 y->what, tg_status_name(y->status), y->size);
        return true;
    }
    const uint8_t *p = a->bytes + x->at, *q = b->bytes + y->at;
    if (x->dtype == TG_U8 && x->status && x->size && memcmp(p, q, x->size)) {
        snprintf(text, size, "event %d %s says '%.*s', not '%.*s'", i, x->what, (int)x->size, (const char *)p, (int)y->size,
                 (const char *)q);
        return true;
    }
    size_t width = tg_dtype_size(x->dtype);
    for (size_t k = 0; k * width < x->size; k++)
        if (!same_element(p + k * width, q + k * width, x->dtype)) {
            snprintf(text, size, "event %d %s: element %zu of %zu is %.17g, not %.17g", i, x->what, k, x->size / width,
                     number(p + k * width, x->dtype), number(q + k * width, x->dtype));
            return true;
        }
    return false;
}

bool fuzz_differ(const fuzz_trace *a, const fuzz_trace *b, char *text, size_t size) {
    for (int i = 0; i < a->n && i < b->n; i++)
        if (events_differ(a, b, i, text, size)) return true;
    if (a->n != b->n) snprintf(text, size, "%d events, not %d", a->n, b->n);
    return a->n != b->n;
}

void fuzz_trace_free(fuzz_trace *r) {
    free(r->events);
    free(r->bytes);
    *r = (fuzz_trace){.log = r->log};
}
