/* tools/tg_gradcheck.c: every op through tg_op_check, as a table.
 *
 *   tg-gradcheck [-v] [-o FILE] [op...]
 *
 * -v prints every case, -o writes the table as a page (docs/gradients.md). The last line is `N passed, N failed`, counting
 * ops. */
#include <tapegrad.h>

#include <math.h>
#include <string.h>

static const char *figure(double x, char *buf, size_t size) {
    if (isnan(x)) return "none";
    if (x == 0) return "0";
    snprintf(buf, size, "%.1e", x);
    return buf;
}

static void print_row(const tg_op *op, const tg_op_report *r, int failures) {
    char one[32], two[32], narrow[32];
    printf("%-18s %-8s %7d %10s %10s %10s %7d  %s\n", op->name, "f32 f64", r->layouts, figure(r->worst_order1, one, sizeof one),
           figure(r->worst_order2, two, sizeof two), figure(r->worst_f32, narrow, sizeof narrow), r->cases,
           failures < 0 ? "OUT OF MEMORY"
           : failures   ? "FAILED"
                        : "ok");
    if (failures > 0) printf("    %s\n", r->first_failure);
    fflush(stdout);
}

/* ------------------------------------------------------------------ the page */

static const char *const page_head =
    "# Measured errors of every op\n"
    "\n"
    "Written by `make gradcheck` (`tools/tg_gradcheck.c`), which runs each op of the list through `tg_op_check`. Errors are\n"
    "relative, the largest over all samples of the op, and rounded up: to a power of ten from 1e-12, or to half a unit in the\n"
    "last place (ULP), so that the page says the same on machines of one instruction set. An empty cell is one that the op\n"
    "cannot have.\n"
    "\n"
    "- *order 1*: the rule in f64 against central differences extrapolated to step 0, with random cotangents. *order 2*: the\n"
    "  derivative of the gradients likewise; forward mode, and forward over backward, agree with backward to 1e-12 and 1e-10.\n"
    "- *f32*: values and gradients of f32 against f64, relative to the largest element; a row is for f32 and f64 alike.\n"
    "- *ULP*: the same of elementwise ops, of each element, also of large samples: values, then gradients. At most 8, or\n"
    "  the op fails. Where the exact function moves by more than 8 ULP when the inputs move by 2 ULP, as next to a zero of a\n"
    "  slope, where digits cancel, the unit is an eighth of that movement: the result is then the exact one of inputs 2 ULP\n"
    "  away, and arithmetic in f32 does better by chance only.\n"
    "- *layouts*: every layout of an input gives the bits of the packed one, in both dtypes, for values, gradients, second\n"
    "  order and forward mode; so one error is that of all of them. A letter says that the layout was tried:";

#define SMALLEST 1e-12 /* less is said to be this: it is rounding, which changes with every kernel */

static const char *bound(double x, char *buf, size_t size) {
    if (isnan(x)) return "";
    if (x == 0) return "0";
    snprintf(buf, size, "1e%d", (int)ceil(log10(x < SMALLEST ? SMALLEST : x)));
    return buf;
}

static const char *half_units(double x, char *buf, size_t size) {
    snprintf(buf, size, "%.1f", ceil(2 * x) / 2);
    return buf;
}

static const char *kind_of(const tg_op *op) {
    return op->micro ? "elementwise" : op->view ? "view" : op->source_fn ? "source" : op->kernel ? "kernel" : "definition";
}

static bool is_differentiable(const tg_op *op) {
    for (const tg_sample *s = op->samples; s && s->note; s++)
        for (int i = 0; i < TG_SAMPLE_INPUTS && s->in[i].kind; i++)
            if (s->in[i].kind == 'f') return true;
    return false;
}

static void write_layouts(FILE *f, unsigned set) {
    for (int i = 0; tg_op_check_layout(i); i++) fprintf(f, "%c", set >> i & 1 ? 'a' + i : '-');
}

static void write_head(FILE *f) {
    fprintf(f, "%s", page_head);
    for (int i = 0; tg_op_check_layout(i); i++) fprintf(f, "%s\n  %c %s", i ? "," : "", 'a' + i, tg_op_check_layout(i));
    fprintf(f, ".\n\nEach op is also run on 1, 2, 3 and 8 threads, eagerly, in other sizes (0 and large ones), and with each "
               "wrong input.\n\n"
               "| op | computes as | order 1 | order 2 | f32 | ULP | layouts |\n|---|---|---|---|---|---|---|\n");
}

static void write_row(FILE *f, const tg_op *op, const tg_op_report *r) {
    char one[32], two[32], narrow[32], value[32], gradient[32];
    bool slopes = is_differentiable(op);
    fprintf(f, "| %s | %s | %s | %s | %s | ", op->name, kind_of(op), slopes ? bound(r->worst_order1, one, sizeof one) : "",
            slopes ? bound(r->worst_order2, two, sizeof two) : "",
            op->source_fn ? "" : bound(r->worst_f32, narrow, sizeof narrow));
    if (op->micro && !(op->flags & TG_OP_BOOL_OUT)) fprintf(f, "%s", half_units(r->ulp_value, value, sizeof value));
    if (op->micro && slopes) fprintf(f, ", %s", half_units(r->ulp_gradient, gradient, sizeof gradient));
    fprintf(f, " | ");
    if (!op->source_fn) write_layouts(f, r->layout_set);
    fprintf(f, " |\n");
}

/* ------------------------------------------------------------------ the run */

static bool chosen(const tg_op *op, char **names, int n) {
    for (int i = 0; i < n; i++)
        if (!strcmp(op->name, names[i])) return true;
    return n == 0;
}

static bool names_are_ops(char **names, int n) {
    for (int i = 0; i < n; i++) {
        if (tg_op_find(names[i])) continue;
        fprintf(stderr, "tg-gradcheck: there is no op '%s'\n", names[i]);
        return false;
    }
    return true;
}

static bool run_all(FILE *page, bool verbose, char **names, int n) {
    int passed = 0, failed = 0, differentiable = 0;
    long cases = 0, cells = 0;
    for (int i = 0; i < tg_op_count(); i++) {
        const tg_op *op = tg_op_get(i);
        if (!chosen(op, names, n)) continue;
        tg_op_report r;
        int failures = tg_op_check(op, verbose ? stdout : NULL, verbose, &r);
        print_row(op, &r, failures);
        if (page) write_row(page, op, &r);
        cases += r.cases;
        cells += r.cells;
        differentiable += is_differentiable(op);
        passed += failures == 0;
        failed += failures != 0;
    }
    printf("%d ops, %ld cells of op by input by dtype by layout, %ld checks on %s\n", passed + failed, cells, cases, tg_isa());
    if (page)
        fprintf(page, "\n%d ops, %d of them with derivatives; measured on %s.\n", passed + failed, differentiable, tg_isa());
    printf("%d passed, %d failed\n", passed, failed);
    return passed && !failed;
}

int main(int argc, char **argv) {
    const char *path = NULL;
    bool verbose = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (!strcmp(argv[at], "-v")) {
            verbose = true;
        } else if (!strcmp(argv[at], "-o") && at + 1 < argc) {
            path = argv[++at];
        } else {
            fprintf(stderr, "tg-gradcheck: usage: tg-gradcheck [-v] [-o FILE] [op...]\n");
            return 2;
        }
    }
    if (!names_are_ops(argv + at, argc - at)) return 2;
    FILE *page = path ? fopen(path, "w") : NULL;
    if (path && !page) {
        fprintf(stderr, "tg-gradcheck: cannot write %s\n", path);
        return 2;
    }
    printf("Largest relative errors: gradients of order 1 and 2 against extrapolated difference quotients in f64, and f32 "
           "against f64.\n");
    printf("%-18s %-8s %7s %10s %10s %10s %7s\n", "op", "dtypes", "layouts", "order 1", "order 2", "f32", "checks");
    if (page) write_head(page);
    bool good = run_all(page, verbose, argv + at, argc - at);
    if (page && fclose(page)) {
        fprintf(stderr, "tg-gradcheck: cannot write %s\n", path);
        return 2;
    }
    return !good;
}
