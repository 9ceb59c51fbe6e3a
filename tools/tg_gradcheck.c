/* tools/tg_gradcheck.c: every op through tg_op_check, as a table.
 *
 *   tg-gradcheck [-v] [op...]
 *
 * -v prints every case. The last line is `N passed, N failed`, counting ops. */
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

int main(int argc, char **argv) {
    bool verbose = argc > 1 && !strcmp(argv[1], "-v");
    char **names = argv + 1 + verbose;
    int n = argc - 1 - verbose, passed = 0, failed = 0;
    long cases = 0;
    if (!names_are_ops(names, n)) return 2;
    printf("Largest relative errors: gradients of order 1 and 2 against extrapolated difference quotients in f64, and f32 "
           "against f64.\n");
    printf("%-18s %-8s %7s %10s %10s %10s %7s\n", "op", "dtypes", "layouts", "order 1", "order 2", "f32", "checks");
    for (int i = 0; i < tg_op_count(); i++) {
        const tg_op *op = tg_op_get(i);
        if (!chosen(op, names, n)) continue;
        tg_op_report r;
        int failures = tg_op_check(op, verbose ? stdout : NULL, verbose, &r);
        print_row(op, &r, failures);
        cases += r.cases;
        passed += failures == 0;
        failed += failures != 0;
    }
    printf("%d ops, %ld checks on %s\n", passed + failed, cases, tg_isa());
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
