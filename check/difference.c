/* Slopes by difference quotients, extrapolated to step 0 (Richardson 1911; the choice by estimated error is that of Ridders
 * 1982, "Accurate computation of F'(x) and F'(x) F''(x)"). The only place where derivatives are measured: tg_op_check and
 * tg_gradcheck both come here. */
#include <math.h>

#include "check.h"

#define LEVELS 6 /* steps h, h/2, h/4, ... */
#define STARTS 3 /* h, h/16, h/256: a kink within the step, or a steep place */
#define NEARER 16
#define SETTLED 1e-6 /* a quotient with this relative error needs no nearer start */
#define CORNER 1e-3  /* slopes that differ by this part of the larger are a kink */

/* Which part of the step the quotients have their error in: central ones in the square, one-sided ones in the step itself. */
typedef enum side { LEFT = -1, CENTRAL, RIGHT } side;

static double quotient(const tg__path *p, side s, double h) {
    double moved = 0, change = p->change(p, s == RIGHT ? 0 : -h, s == LEFT ? 0 : h, &moved);
    return change / moved;
}

static tg__slope extrapolate(const tg__path *p, side s, double h) {
    double row[LEVELS], before[LEVELS], base = s == CENTRAL ? 4 : 2;
    tg__slope best = {NAN, INFINITY, h};
    for (int k = 0; k < LEVELS; k++, h /= 2) {
        row[0] = quotient(p, s, h);
        if (isnan(row[0])) return best;
        double factor = base;
        for (int m = 1; m <= k; m++, factor *= base) {
            row[m] = row[m - 1] + (row[m - 1] - before[m - 1]) / (factor - 1);
            double error = fmax(fabs(row[m] - row[m - 1]), fabs(row[m] - before[m - 1]));
            if (error <= best.error) best = (tg__slope){row[m], error, h};
        }
        if (best.error <= 1e-12 * fabs(best.value)) break;
        memcpy(before, row, sizeof row);
    }
    return best;
}

static tg__slope from_starts(const tg__path *p, side s) {
    tg__slope best = {NAN, INFINITY, p->step};
    double h = p->step;
    for (int i = 0; i < STARTS && !(best.error <= SETTLED * fabs(best.value)); i++, h /= NEARER) {
        tg__slope found = extrapolate(p, s, h);
        if (found.error < best.error) best = found;
    }
    return best;
}

tg__slope tg__slope_along(const tg__path *p) { return from_starts(p, CENTRAL); }

/* Next to a point where f is smooth, the difference of both sides shrinks with the step. */
bool tg__may_be_kink(const tg__path *p, const tg__slope *s) {
    double h = s->step, left = quotient(p, LEFT, h), right = quotient(p, RIGHT, h), jump = fabs(right - left);
    if (isnan(jump) || !(jump > CORNER * fmax(fabs(left), fabs(right)))) return isnan(jump);
    return fabs(quotient(p, RIGHT, h / 2) - quotient(p, LEFT, h / 2)) > 0.75 * jump;
}

tg__corner tg__corner_at(const tg__path *p) {
    tg__corner c = {from_starts(p, LEFT), from_starts(p, RIGHT), false};
    double size = fmax(fabs(c.left.value), fabs(c.right.value)), jump = fabs(c.left.value - c.right.value);
    c.is_kink = jump > CORNER * size && jump > 100 * (c.left.error + c.right.error);
    return c;
}

double tg__slope_noise(double sum, double h) { return isfinite(sum) && h > 0 ? 8 * 0x1p-53 * sum / h : 0; }

double tg__slope_error(double analytic, double numeric, double floor) {
    double size = fmax(fmax(fabs(analytic), fabs(numeric)), floor), difference = fabs(analytic - numeric);
    return difference == 0 ? 0 : difference / size;
}
