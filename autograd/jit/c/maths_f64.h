/* Exponentials and logarithms in float64, as maths_f32.h has them; at most 2 ulp from the truth. */
#ifndef GLASSGRAD_MATHS_F64
#define GLASSGRAD_MATHS_F64
#include "maths_bits.h"

#define LN2_HIGH_F64 0x1.62e42feep-1
#define LN2_LOW_F64 1.9082149292705877e-10

/* e^(a + b) = (1 + result) 2^n, where b is small beside a */
INLINE double reduced_expm1_f64(double a, double b, double *n) {
    *n = (a * 1.4426950408889634 + WHOLE_F64) - WHOLE_F64;
    double high = a - *n * LN2_HIGH_F64, low = b - *n * LN2_LOW_F64;
    double r = high + low, lost = low - (r - high);
    double p = POLY9(r, 0.5000000000000001, 0.16666666666666669, 0.041666666666624164,
                     0.008333333333330065, 0.0013888888917196719, 0.00019841269863040545,
                     2.4801521322368692e-05, 2.7557268480310024e-06, 2.7620075879983367e-07,
                     2.5100375832561234e-08);
    return r + (r * r * p + lost);
}

INLINE double exp_f64(double x) {
    x = x > 710.0 ? 710.0 : x; /* inf */
    x = x < -746.0 ? -746.0 : x; /* 0 */
    double n, e = reduced_expm1_f64(x, 0.0, &n);
    return times_power_of_two_f64(1.0 + e, n);
}

/* e^x where -700 < x < 700: the power of two is a normal number */
INLINE double exp_moderate_f64(double x) {
    double n, e = reduced_expm1_f64(x, 0.0, &n);
    return (1.0 + e) * power_of_two_f64(n + WHOLE_F64);
}

INLINE double expm1_f64(double x) {
    double y = x > 710.0 ? 710.0 : x;
    y = y < -40.0 ? -40.0 : y; /* -1 */
    double n, e = reduced_expm1_f64(y, 0.0, &n);
    double half = power_of_two_f64(n - 1.0 + WHOLE_F64);
    double z = 2.0 * (half * e + (half - 0.5));
    return x == 0.0 ? x : z;
}

/* e ln 2 + log(1 + f) for √½ ≤ 1 + f < √2, where log(1 + f) = 2 artanh s = 2s + s³ p(s²) with
   s = f / (2 + f); rearranged as in FDLIBM's e_log.c, since 2s = f - s f is not exact */
INLINE double log1p_near_f64(double f, double e) {
    double s = f / (2.0 + f), square = s * s, half = 0.5 * f * f;
    double p = POLY6(square, 0.666666666666667, 0.39999999999899505, 0.28571428625975487,
                     0.2222221113479508, 0.18182889125261723, 0.15331721600556042,
                     0.14616449685043406);
    double rest = s * (half + square * p) + e * LN2_LOW_F64;
    return e * LN2_HIGH_F64 - ((half - rest) - f);
}

INLINE double log_f64(double x) {
    bool tiny = x < DBL_MIN;
    double e, m = split_f64(tiny ? x * 0x1p54 : x, &e);
    double z = log1p_near_f64(m - 1.0, tiny ? e - 54.0 : e);
    z = x > 0.0 ? z : x == 0.0 ? -INFINITY : NAN;
    return x == INFINITY ? x : z;
}

INLINE double log1p_f64(double x) {
    double e, m = split_f64(1.0 + x, &e);
    double scale = power_of_two_f64(WHOLE_F64 - e);
    double f = x > 0x1p120 ? m - 1.0 : x * scale + (scale - 1.0);
    double z = log1p_near_f64(f, e);
    z = x > -1.0 ? z : x == -1.0 ? -INFINITY : NAN;
    return x == INFINITY || x == 0.0 ? x : z;
}

INLINE double sigmoid_f64(double x) {
    double e = exp_f64(-abs_f64(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

/* x + x³ p(x²) up to 0.625, from there 1 - 2 / (e^2x + 1), which is 1 from 20 on */
INLINE double tanh_f64(double x) {
    double a = abs_f64(x), square = x * x;
    double p = POLY11(square, -0.3333333333333333, 0.13333333333333042, -0.05396825396789699,
                      0.021869488519008305, -0.008863235103240878, 0.0035921217511549622,
                      -0.0014557754120478055, 0.0005896606577757043, -0.0002375906496055562,
                      9.257116129556769e-05, -3.12011014257974e-05, 6.485163482793113e-06);
    double near = a + a * square * p;
    double far = 1.0 - 2.0 / (exp_moderate_f64(a > 20.0 ? 40.0 : 2.0 * a) + 1.0);
    return copysign_f64(a < 0.625 ? near : far, x);
}
#endif
