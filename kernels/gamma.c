/* kernels/gamma.c: the logarithm of the gamma function and its derivatives, one number at a time. */
#define _GNU_SOURCE /* lgamma_r: lgamma itself writes a variable that all threads share */
#include "kernels/functions.h"

#define PI 3.14159265358979323846

double tg__lgamma_f64(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* pi x for cot and its kin: x less its whole part, which changes nothing but keeps the digits. */
static double half_turns(double x) {
    return PI * (x - rint(x));
}

/* B_2k, k = 1, 2, ...: the asymptotic series' coefficients (DLMF 5.11.2, 5.15.9, 25.11.43; Bernoulli numbers DLMF 24.2). */
static const double bernoulli[] = {1.0 / 6,     -1.0 / 30,       1.0 / 42,      -1.0 / 30,        5.0 / 66,
                                   -691.0 / 2730, 7.0 / 6, -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
#define BERNOULLIS (int)(sizeof bernoulli / sizeof *bernoulli)

static double digamma_right(double x) { /* x > 0 */
    double sum = 0, series = 0;
    for (; x < 12; x++) sum -= 1 / x;
    const double z = 1 / (x * x);
    for (int k = BERNOULLIS; k > 0; k--) series = (series + bernoulli[k - 1] / (2 * k)) * z;
    return sum + (log(x) - 0.5 / x - series);
}

double tg__digamma_f64(double x) {
    if (x > 0 || x != x) return digamma_right(x);
    if (x == 0) return copysign((double)INFINITY, -x);
    if (x == floor(x)) return (double)NAN; /* a pole, whose two sides differ; -infinity, too */
    return digamma_right(1 - x) - PI / tan(half_turns(x)); /* DLMF 5.5.4 */
}

/* The sum over k >= 0 of (x + k)^-s by Euler and Maclaurin's formula from x + k >= 12 + s on (DLMF 25.11.43). */
static double hurwitz_zeta(double s, double x) {
    double sum = 0, series = 0;
    const double from = 12 + s;
    for (; x < from; x++) sum += pow(x, -s);
    const double z = 1 / (x * x);
    double term = s / x; /* s (s + 1) ... (s + 2k - 2) / ((2k)! x^(2k - 1)), without the factorial's last two factors */
    for (int k = 1; k <= BERNOULLIS; k++) {
        term /= (2 * k) * (k == 1 ? 1.0 : 2 * k - 1);
        series += bernoulli[k - 1] * term;
        term *= (s + 2 * k - 1) * (s + 2 * k) * z;
    }
    return sum + pow(x, -s) * (x / (s - 1) + 0.5 + series);
}

#define MOST_ORDER 100

/* d^n/dx^n of pi cot(pi x), over (-1)^n: a polynomial P_n in c = cot(pi x) with P_0 = c and P_(k+1) = (1 + c^2) P_k'. Its
 * coefficients are positive and its powers all even or all odd, so that nothing cancels. */
static double cot_derivative(int n, double x) {
    double p[MOST_ORDER + 3] = {0, 1}, value = 0;
    const double c = 1 / tan(half_turns(x));
    for (int k = 0; k < n; k++) {
        double q[MOST_ORDER + 3] = {0};
        for (int i = 1; i <= k + 1; i++) {
            q[i - 1] += i * p[i];
            q[i + 1] += i * p[i];
        }
        memcpy(p, q, sizeof p);
    }
    for (int i = n + 1; i >= 0; i--) value = value * c + p[i];
    return pow(PI, n + 1) * value;
}

double tg__polygamma_f64(double n, double x) {
    if (n == 0) return tg__digamma_f64(x);
    if (n != floor(n) || n < 0 || n > MOST_ORDER || x != x) return (double)NAN;
    const bool even = fmod(n, 2) == 0;
    if (x > 0) return (even ? -1 : 1) * tgamma(n + 1) * hurwitz_zeta(n + 1, x);
    if (x == floor(x)) return even ? (double)NAN : (double)INFINITY;
    const double mirror = tg__polygamma_f64(n, 1 - x); /* DLMF 5.15.6 */
    return (even ? mirror : -mirror) - (even ? 1 : -1) * cot_derivative((int)n, x);
}
