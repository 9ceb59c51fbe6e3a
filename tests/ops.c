/* tests/ops.c: every op of the library through tg_op_check: a test for each op of the list, none written by hand. */
#define _GNU_SOURCE
#include "check/check.h"
#include "kernels/kernels.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

static char *whole_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = NULL;
    long size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    if (size >= 0 && !fseek(f, 0, SEEK_SET) && (text = malloc((size_t)size + 1))) text[fread(text, 1, (size_t)size, f)] = 0;
    fclose(f);
    return text;
}

static bool file_holds(const char *path, const char *format, const char *name) {
    char line[128], *text = whole_file(path);
    snprintf(line, sizeof line, format, name);
    bool found = text && strstr(text, line);
    free(text);
    return found;
}

/* An op with a public function has its entry in the documentation; others are parts of gradients. */
static void is_documented(const tg_op *op) {
    if (!file_holds("include/tapegrad/ops.h", " tg_%s(", op->name)) return;
    CHECK(file_holds("docs/ops.md", "\n### tg_%s\n", op->name), "tg_%s is not in docs/ops.md", op->name);
}

/* Functions of more than one op, too. */
TEST(docs, every_function_of_ops_is_documented) {
    char *text = whole_file("include/tapegrad/ops.h"), name[64];
    int functions = 0;
    for (const char *at = text; at && (at = strstr(at, "\nTG_SITED(")) != NULL; functions++) {
        at = strchr(at, ',') + 1;
        CHECK(sscanf(at, " tg_%60[a-z0-9_]", name) == 1, "%.40s", at);
        CHECK(file_holds("docs/ops.md", "\n### tg_%s\n", name), "tg_%s is not in docs/ops.md", name);
    }
    CHECK(functions > 70, "%d functions", functions);
    free(text);
}

/* The text of a field of an entry, of any number of lines, into `text`. */
static bool entry_field(const char *entry, const char *end, const char *name, char *text, size_t size) {
    char mark[32];
    snprintf(mark, sizeof mark, "\n- **%s:** ", name);
    const char *at = strstr(entry, mark);
    if (!at || at > end) return false;
    at += strlen(mark);
    size_t n = 0;
    while (at < end && n + 1 < size && !(at[0] == '\n' && strncmp(at, "\n  ", 3))) text[n++] = *at++;
    text[n] = 0;
    return true;
}

/* A field that says where to look must name what is there. */
static bool is_vague(const char *text) {
    static const char *const empty[] = {
        "see above",           "as expected",        "obvious", "etc", "tbd", "the usual", "n/a", "of the product",
        "that of the formula", "by those of the ops"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        const char *at = strstr(text, empty[i]);
        if (at == text || (at && i < 7)) return true;
    }
    return strlen(text) < 3;
}

/* Each entry has a sentence, a formula, all fields, and the prototype. */
TEST(docs, every_entry_is_whole) {
    static const char *const fields[] = {"Shapes", "Dtypes", "Gradient", "Errors", "Source"};
    char *page = whole_file("docs/ops.md"), name[64], text[2000];
    int entries = 0;
    for (const char *at = page; at && (at = strstr(at, "\n### tg_")) != NULL; entries++) {
        const char *entry = at + 5, *end = strstr(entry, "\n### tg_");
        if (!end) end = entry + strlen(entry);
        if (!CHECK(sscanf(entry, "%60[a-z0-9_]", name) == 1, "%.40s", entry)) break;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            CHECK(entry_field(entry, end, fields[i], text, sizeof text) && !is_vague(text), "%s: %s: '%s'", name, fields[i],
                  text);
        const char *list = strstr(entry, "\n- **Shapes"), *formula = strstr(entry, "\n\n    "), *call = strchr(entry, '`');
        CHECK(formula && list && formula < list && formula - entry > (long)strlen(name) + 10, "%s: no formula or sentence",
              name);
        snprintf(text, sizeof text, "%s(", name);
        CHECK(call && call < end && strstr(call, text) && strstr(call, text) < end, "%s has no prototype", name);
        at = entry;
    }
    CHECK(entries > 200, "%d entries", entries);
    free(page);
}

static bool has_differentiable_sample(const tg_op *op) {
    for (const tg_sample *s = op->samples; s && s->note; s++)
        for (int i = 0; i < TG_SAMPLE_INPUTS && s->in[i].kind; i++)
            if (s->in[i].kind == 'f') return true;
    return false;
}

/* What an op says in a build without the optional library that it needs; false: it lacks nothing. */
static bool lacks_a_library(const tg_op *op) {
    const tg_sample *s = op->samples;
    tg_tape *t = tg_tape_new();
    tg_tensor in[TG_SAMPLE_INPUTS], out[TG_MAX_OUTPUTS];
    int n = 0;
    for (; s && s->note && n < TG_SAMPLE_INPUTS && s->in[n].kind == 'f'; n++) in[n] = tg_zeros(t, s->in[n].shape, TG_F64);
    bool lacks = n && tg_apply_n(t, op, s->attr, in, n, out) == TG_EUNSUPPORTED;
    if (lacks) CHECK_STR(tg_message(t), "built without LAPACK");
    tg_tape_free(t);
    return lacks;
}

/* No cell of input by dtype by layout is empty that the samples can fill. */
static void fills_every_cell(const tg_op *op, const tg_op_report *r) {
    unsigned needed[TG_SAMPLE_INPUTS] = {0};
    for (const tg_sample *s = op->samples; s && s->note; s++)
        for (int i = 0; i < TG_SAMPLE_INPUTS && s->in[i].kind; i++) {
            if (s->in[i].kind != 'f') continue;
            for (tg__layout l = TG__PACKED; l < TG__SAME; l++)
                if (tg_shape_numel(&s->in[i].shape) > 0 && tg__layout_differs(l, &s->in[i].shape) &&
                    (l != TG__SPREAD_LAST || s->in[i].shape.rank > 1)) /* of rank 1 the last axis is the first */
                    needed[i] |= 1u << l;
            for (int j = 0; j < i; j++)
                if (s->in[j].kind == 'f' && tg_shape_equal(&s->in[i].shape, &s->in[j].shape)) {
                    needed[i] |= 1u << TG__SAME;
                    needed[j] |= 1u << TG__SAME;
                }
        }
    for (int i = 0; i < TG_SAMPLE_INPUTS; i++)
        for (tg__layout l = TG__PACKED; l <= TG__SAME; l++)
            for (int wide = 0; wide < 2 && needed[i] >> l & 1; wide++)
                CHECK(r->cell_set[wide][i] >> l & 1, "%s in %s was not run with input %d %s", op->name, wide ? "f64" : "f32", i,
                      tg__layout_name(l));
}

/* What all ops together were: said once all have run in this process. */
static void count_op(const tg_op_report *r) {
    static int ops;
    static long cells, cases;
    ops++;
    cells += r->cells;
    cases += r->cases;
    if (ops == tg_op_count())
        printf("  %d ops, %ld cells of op by input by dtype by layout, %ld checks of the battery\n", ops, cells, cases);
}

static void passes_the_battery(void) {
    const tg_op *op = tg_op_find(test_running()->name);
    if (!CHECK(op != NULL, "%s is not in the list", test_running()->name)) return;
    if (lacks_a_library(op)) SKIP("a library that it needs is not there");
    tg_op_report r;
    tg__parallel_grain(1); /* the smallest sample runs on all threads */
    int failures = tg_op_check(op, stderr, false, &r);
    tg__parallel_grain(0);
    for (int i = r.failures; i < r.cases; i++) test_pass();
    CHECK(failures == 0, "%d of %d cases failed; the first: %s", r.failures, r.cases, r.first_failure);
    CHECK(r.cases > 20, "only %d cases", r.cases);
    CHECK(!has_differentiable_sample(op) || isfinite(r.worst_order2), "%s has no second derivative", op->name);
    is_documented(op);
    fills_every_cell(op, &r);
    count_op(&r);
}

#define MOST_OPS 2048

__attribute__((constructor)) static void add_ops(void) {
    static test tests[MOST_OPS];
    for (int i = 0; i < tg_op_count() && i < MOST_OPS; i++) {
        tests[i] = (test){"op", tg_op_get(i)->name, __FILE__, i, false, passes_the_battery, NULL};
        test_add(&tests[i]);
    }
}

TEST(ops, list) {
    CHECK(tg_op_count() > 0 && tg_op_count() <= MOST_OPS, "%d ops", tg_op_count());
    CHECK(tg_op_get(-1) == NULL && tg_op_get(tg_op_count()) == NULL, "no op outside of the list");
    CHECK(tg_op_find("no_such_op") == NULL && tg_op_find(NULL) == NULL, "found an op that is not there");
    for (int i = 0; i < tg_op_count(); i++) {
        const tg_op *op = tg_op_get(i);
        CHECK(tg_op_find(op->name) == op, "%s is not found by its name", op->name);
        CHECK(i == 0 || strcmp(tg_op_get(i - 1)->name, op->name) < 0, "%s is out of order", op->name);
    }
}

TEST(ops, five_wrong_inputs_each) { /* the battery itself asks for three, of users' ops too */
    for (int i = 0; i < tg_op_count(); i++) {
        int bad = 0;
        for (const tg_sample *s = tg_op_get(i)->bad; s && s->note; s++) bad++;
        CHECK(bad >= 5, "%s has %d", tg_op_get(i)->name, bad);
    }
}

TEST(ops, check_needs_an_op) {
    tg_op_report r;
    CHECK_EQ_I(tg_op_check(NULL, NULL, false, &r), -1);
}

/* Every case is named with verbose, and the report may be left out. */
TEST(ops, verbose_report) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!CHECK(out != NULL, "no memory")) return;
    tg_op_report r;
    CHECK_EQ_I(tg_op_check(tg_op_find("mul"), out, true, &r), 0);
    fclose(out);
    int lines = 0;
    for (const char *p = text; p && (p = strchr(p, '\n')); p++) lines++;
    CHECK(lines >= r.cases, "%d lines for %d cases", lines, r.cases);
    CHECK_STR(text, "ok   mul: sample 'a row and a column': ");
    CHECK_EQ_I(r.first_failure[0], 0);
    CHECK_EQ_I(tg_op_check(tg_op_find("mul"), NULL, false, NULL), 0);
    free(text);
}

/* Fixed seeds: two runs find the same. */
TEST(ops, deterministic) {
    tg_op_report a, b;
    tg_op_check(tg_op_find("softmax"), NULL, false, &a);
    tg_op_check(tg_op_find("softmax"), NULL, false, &b);
    CHECK_EQ_I(a.cases, b.cases);
    CHECK_EQ_I(a.failures, b.failures);
    CHECK(a.worst_order1 == b.worst_order1 && a.worst_order2 == b.worst_order2 && a.worst_f32 == b.worst_f32, "other errors");
}

/* Without memory the battery says so, and blames no op. */
TEST(ops, out_of_memory) {
    const tg_op *op = tg_op_find("softmax");
    uint64_t live = tg__alloc_live();
    tg__alloc_fail_at(0, false);
    CHECK_EQ_I(tg_op_check(op, NULL, false, NULL), 0);
    uint64_t calls = tg__alloc_fail_at(0, false), failed = 0;
    for (uint64_t n = 1, step = 1; n <= calls; n += step, step += n > 64 ? calls / 256 + 1 : 0) {
        tg_op_report r;
        tg__alloc_fail_at(n, n % 2);
        int result = tg_op_check(op, NULL, false, &r);
        tg__alloc_fail_at(0, false);
        failed += result == -1;
        CHECK(result == -1 || result == 0, "allocation %llu: %s", (unsigned long long)n, r.first_failure);
        CHECK(tg__alloc_live() == live, "allocation %llu: %llu blocks are lost", (unsigned long long)n,
              (unsigned long long)(tg__alloc_live() - live));
    }
    CHECK(failed > 10, "only %llu of %llu allocations matter", (unsigned long long)failed, (unsigned long long)calls);
}
