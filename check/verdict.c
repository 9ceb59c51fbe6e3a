/* Counting, comparing, and saying what is wrong in words that help. */
#include <math.h>

#include "check.h"

/* ------------------------------------------------------------------ counting */

void tg__check_at(tg__check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->where, sizeof c->where, format, args);
    va_end(args);
}

bool tg__verdict(tg__check *c, bool holds, const char *format, ...) {
    if (!holds && tg_error(c->tape) == TG_ENOMEM) c->no_memory = true; /* no fault of the op */
    if (c->no_memory) return true;
    c->report.cases++;
    if (holds && !(c->verbose && c->out)) return true;
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = c->op->name ? c->op->name : "?";
    if (c->out) fprintf(c->out, "%s %s: %s%s\n", holds ? "ok  " : "FAIL", name, c->where, text);
    if (holds) return true;
    if (!c->report.failures++) {
        char *first = c->report.first_failure;
        size_t size = sizeof c->report.first_failure;
        int n = snprintf(first, size, "%s: %s%s", name, c->where, text);
        if (n >= (int)size) memcpy(first + size - 4, "...", 4);
    }
    return false;
}

/* ------------------------------------------------------------------ comparing */

char *tg__element_text(const tg_shape *s, int64_t i, char *buf, size_t size) {
    tg_shape at = *s;
    for (int a = s->rank - 1; a >= 0; a--) {
        at.dims[a] = s->dims[a] ? i % s->dims[a] : 0;
        i = s->dims[a] ? i / s->dims[a] : 0;
    }
    char text[160];
    snprintf(buf, size, "element %s", tg__shape_text(&at, text, sizeof text));
    return buf;
}

static bool equal_bits(const tg__array *a, const tg__array *b, int64_t i) {
    size_t size = tg_dtype_size(a->dtype);
    if (!memcmp((const char *)a->data + (size_t)i * size, (const char *)b->data + (size_t)i * size, size)) return true;
    return isnan(tg__array_get(a, i)) && isnan(tg__array_get(b, i));
}

bool tg__same_bits(tg__check *c, const tg__array *a, const tg__array *b, const char *what, const char *how) {
    char one[160], two[160];
    if (!a->data || !b->data)
        return tg__verdict(c, !a->data == !b->data, "%s: %s%s is missing", how, what, a->data ? " of the plain run" : "");
    if (a->dtype != b->dtype || !tg_shape_equal(&a->shape, &b->shape))
        return tg__verdict(c, false, "%s: %s is %s %s, not %s %s", how, what, tg__shape_text(&a->shape, one, sizeof one),
                           tg_dtype_name(a->dtype), tg__shape_text(&b->shape, two, sizeof two), tg_dtype_name(b->dtype));
    size_t bytes = (size_t)a->n * tg_dtype_size(a->dtype);
    int64_t i = a->n && memcmp(a->data, b->data, bytes) ? 0 : a->n;
    while (i < a->n && equal_bits(a, b, i)) i++;
    if (i == a->n) return tg__verdict(c, true, "%s: the same bits in %s", how, what);
    return tg__verdict(c, false, "%s: %s: %s is %.17g, else %.17g: the bits must not change", how, what,
                       tg__element_text(&a->shape, i, one, sizeof one), tg__array_get(a, i), tg__array_get(b, i));
}

bool tg__same_results(tg__check *c, const tg__result *a, const tg__result *b, const char *how) {
    char what[40];
    if (!tg__verdict(c, a->status == b->status, "%s: %s %s", how, tg_status_name(a->status), a->message)) return false;
    bool same = true;
    for (int k = 0; k < b->n_out; k++) {
        snprintf(what, sizeof what, k ? "output %d" : "the value", k);
        same = tg__same_bits(c, &a->y[k], &b->y[k], what, how) && same;
    }
    for (int i = 0; i < TG_SAMPLE_INPUTS; i++) {
        snprintf(what, sizeof what, "d/d input %d", i);
        if (a->g[i].data || b->g[i].data) same = tg__same_bits(c, &a->g[i], &b->g[i], what, how) && same;
        snprintf(what, sizeof what, "second order, input %d", i);
        if (a->gg[i].data || b->gg[i].data) same = tg__same_bits(c, &a->gg[i], &b->gg[i], what, how) && same;
    }
    if (a->jv.data || b->jv.data) same = tg__same_bits(c, &a->jv, &b->jv, "the jvp", how) && same;
    return same;
}

static bool both_special(double a, double b) { return (isnan(a) && isnan(b)) || a == b; }

double tg__relative_error(const tg__array *a, const tg__array *b, double floor, int64_t *where) {
    double largest = 0, worst = 0;
    *where = 0;
    for (int64_t i = 0; i < a->n; i++) {
        double size = fabs(tg__array_get(a, i));
        if (isfinite(size) && size > largest) largest = size;
    }
    if (largest == 0) largest = 1;
    for (int64_t i = 0; i < a->n; i++) {
        double x = tg__array_get(a, i), y = tg__array_get(b, i);
        if (both_special(x, y)) continue;
        double error = fabs(x - y) / fmax(fabs(x), floor * largest);
        if (!(error <= worst)) {
            worst = isnan(error) ? INFINITY : error;
            *where = i;
        }
    }
    return worst;
}

static double last_place(double x) {
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

double tg__ulp_error(const tg__array *a, const tg__array *b, const double *moves, double most, int64_t *where) {
    double worst = 0;
    *where = 0;
    for (int64_t i = 0; i < a->n && i < b->n; i++) {
        double x = tg__array_get(a, i), y = tg__array_get(b, i);
        if (both_special(x, y)) continue;
        double unit = last_place(x), error = fabs(x - y) / (moves ? fmax(unit, moves[i] / most) : unit);
        if (!(error <= worst)) {
            worst = isnan(error) ? INFINITY : error;
            *where = i;
        }
    }
    return worst;
}

/* ------------------------------------------------------------------ diagnosis */

static bool near(double a, double b, double size) { return fabs(a - b) <= 1e-5 * size; }

static double largest_of(const double *x, int64_t n) {
    double m = 0;
    for (int64_t i = 0; i < n; i++) m = fabs(x[i]) > m ? fabs(x[i]) : m;
    return m;
}

/* Whether got = factor * right at every element, for the factor of the largest. */
static bool is_multiple(const double *got, const double *right, int64_t n, double size, double *factor) {
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) at = fabs(right[i]) > fabs(right[at]) ? i : at;
    if (right[at] == 0) return false;
    *factor = got[at] / right[at];
    for (int64_t i = 0; i < n; i++)
        if (!near(got[i], *factor * right[i], size + fabs(*factor) * size)) return false;
    return true;
}

static bool is_transposed(const double *got, const double *right, const tg_shape *s, double size) {
    if (s->rank < 2 || s->dims[s->rank - 1] < 2 || s->dims[s->rank - 2] < 2) return false;
    int64_t rows = s->dims[s->rank - 2], cols = s->dims[s->rank - 1], n = tg_shape_numel(s);
    for (int64_t i = 0; i < n; i++) {
        int64_t matrix = i / (rows * cols), e = i % (rows * cols), row = e / cols, col = e % cols;
        if (!near(got[matrix * rows * cols + col * rows + row], right[i], size)) return false;
    }
    return true;
}

/* The same values at other places, at the same distance from each other. */
static bool is_shifted(const double *got, const double *right, int64_t n, double size) {
    for (int64_t by = 1; by < n && n <= 64; by++) {
        int64_t i = 0;
        while (i < n && near(got[i], right[(i + by) % n], size)) i++;
        if (i == n) return true;
    }
    int64_t i = 0;
    while (i < n && near(got[i], right[n - 1 - i], size)) i++;
    return n > 1 && i == n;
}

static void say(char *text, const char *what) { snprintf(text, TG__DIAGNOSIS, "%s", what); }

void tg__diagnose(char *text, const double *got, const double *right, const tg_shape *s) {
    int64_t n = tg_shape_numel(s);
    double size = largest_of(right, n), factor = 0;
    say(text, "");
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(got[i])) {
            say(text, ": not finite");
            return;
        }
    if (size == 0)
        say(text, ": should be zero");
    else if (largest_of(got, n) <= 1e-9 * size)
        say(text, ": nothing arrives: a term is missing, or the gradient is cut?");
    else if (is_multiple(got, right, n, size, &factor) && near(factor, -1, 1))
        say(text, ": wrong sign?");
    else if (is_multiple(got, right, n, size, &factor))
        snprintf(text, TG__DIAGNOSIS, n > 1 ? ": a constant factor of %g?" : ": %g times too large?", factor);
    else if (is_transposed(got, right, s, size))
        say(text, ": transposed?");
    else if (is_shifted(got, right, n, size))
        say(text, ": a wrong index? The values are at other places");
}
