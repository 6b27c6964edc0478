/* Every elementwise function, NAME_f32 and NAME_f64: the exponentials, the normal distribution and
   angles of the files below, and the rest here.  NaN, ±inf, ±0 and denormal numbers give what
   NumPy gives.  What float64 rarely needs is the system's own. */
#ifndef GLASSGRAD_MATHS
#define GLASSGRAD_MATHS
#include "maths_angles.h"
#include "maths_f32.h"
#include "maths_f64.h"
#include "maths_integers.h"
#include "maths_normal.h"

/* --- roots, roundings and choices --- */

INLINE float sqrt_f32(float x) { return __builtin_sqrtf(x); }
INLINE double sqrt_f64(double x) { return __builtin_sqrt(x); }
INLINE float floor_f32(float x) { return __builtin_floorf(x); }
INLINE double floor_f64(double x) { return __builtin_floor(x); }
INLINE float ceil_f32(float x) { return __builtin_ceilf(x); }
INLINE double ceil_f64(double x) { return __builtin_ceil(x); }
INLINE float round_f32(float x) { return __builtin_rintf(x); } /* halves to even */
INLINE double round_f64(double x) { return __builtin_rint(x); }

INLINE float sign_f32(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x + 0.0f; }
INLINE double sign_f64(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x + 0.0; }

/* NaN if either is; the test for it goes where y is a constant */
INLINE float maximum_f32(float x, float y) { return x < y || y != y ? y : x; }
INLINE double maximum_f64(double x, double y) { return x < y || y != y ? y : x; }
INLINE float minimum_f32(float x, float y) { return x > y || y != y ? y : x; }
INLINE double minimum_f64(double x, double y) { return x > y || y != y ? y : x; }

/* --- division with a remainder: the remainder's sign is y's --- */

INLINE float mod_f32(float x, float y) {
    float r = fmodf(x, y);
    float moved = (r < 0.0f) != (y < 0.0f) ? r + y : r;
    return r == 0.0f ? copysign_f32(0.0f, y) : moved;
}
INLINE double mod_f64(double x, double y) {
    double r = fmod(x, y);
    double moved = (r < 0.0) != (y < 0.0) ? r + y : r;
    return r == 0.0 ? copysign_f64(0.0, y) : moved;
}
INLINE float floordiv_f32(float x, float y) {
    float r = fmodf(x, y), toward_zero = (x - r) / y;
    float quotient = r != 0.0f && (r < 0.0f) != (y < 0.0f) ? toward_zero - 1.0f : toward_zero;
    float whole = floor_f32(quotient); /* a fraction is left by rounding alone */
    return y == 0.0f ? x / y : quotient - whole > 0.5f ? whole + 1.0f : whole;
}
INLINE double floordiv_f64(double x, double y) {
    double r = fmod(x, y), toward_zero = (x - r) / y;
    double quotient = r != 0.0 && (r < 0.0) != (y < 0.0) ? toward_zero - 1.0 : toward_zero;
    double whole = floor_f64(quotient);
    return y == 0.0 ? x / y : quotient - whole > 0.5 ? whole + 1.0 : whole;
}

/* --- powers --- */

INLINE float square_f32(float x) { return x * x; }
INLINE double square_f64(double x) { return x * x; }
INLINE float cube_f32(float x) { return x * x * x; }
INLINE double cube_f64(double x) { return x * x * x; }

/* log2 |x| by log2 m = s p(s²) / ln 2 with s = (m - 1) / (m + 1), then 2^(y log2 |x|), both in
   double precision but for the result: an error of log2 is multiplied by up to 150. */
INLINE float pow_f32(float x, float y) {
    float a = abs_f32(x);
    double e, m = split_f64(a, &e), s = (m - 1.0) / (m + 1.0), square = s * s;
    double p = POLY4(square, 0.961796693936196, 0.5770779990048344, 0.4122032857846058,
                     0.320154239282653, 0.27934404491929504);
    double log = e + (s * 2.8853900817779268 + s * square * p);
    log = a == 0.0f ? -INFINITY : a == INFINITY ? INFINITY : log;

    double power = y * log;
    power = power > 200.0 ? 200.0 : power;
    power = power < -200.0 ? -200.0 : power;
    double sum = power + WHOLE_F64, r = power - (sum - WHOLE_F64);
    double q = POLY6(r, 0.6931471805599453, 0.24022650922288757, 0.055504108839096185,
                     0.009618056678524637, 0.001333350238616277, 0.0001546144469856913,
                     1.5297323760701075e-05);
    float z = (float)((1.0 + r * q) * power_of_two_f64(sum));

    float half = 0.5f * y;
    bool whole = floor_f32(y) == y, odd = whole & (floor_f32(half) != half);
    float signed_z = odd ? copysign_f32(z, x) : z;
    z = (x < 0.0f) & !whole & (a != INFINITY) ? NAN : signed_z;
    z = (x != x) | (y != y) ? x + y : z;
    return (y == 0.0f) | (x == 1.0f) | ((x == -1.0f) & (abs_f32(y) == INFINITY)) ? 1.0f : z;
}
INLINE double pow_f64(double x, double y) { return pow(x, y); }

/* x log y, and 0 where x is 0, whatever y is */
INLINE float xlogy_f32(float x, float y) { return x * log_f32(x == 0.0f ? 1.0f : y); }
INLINE double xlogy_f64(double x, double y) { return x * log_f64(x == 0.0 ? 1.0 : y); }

/* --- hyperbolic functions: in float32 through the exponentials of double precision, and near 0,
   where those cancel, by the first terms of the series --- */

INLINE float sinh_f32(float x) {
    double a = abs_f32(x), square = a * a, e = exp_moderate_f64(a > 100.0 ? 100.0 : a);
    double near = a + a * square * (1.0 / 6 + square * (1.0 / 120));
    return copysign_f32((float)(a < 0.03 ? near : 0.5 * (e - 1.0 / e)), x);
}
INLINE float cosh_f32(float x) {
    double a = abs_f32(x), e = exp_moderate_f64(a > 100.0 ? 100.0 : a);
    return (float)(0.5 * (e + 1.0 / e));
}
INLINE float asinh_f32(float x) {
    double a = abs_f32(x), square = a * a, far = log_f64(a + __builtin_sqrt(square + 1.0));
    return copysign_f32((float)(a < 1e-3 ? a - a * square * (1.0 / 6) : far), x);
}
INLINE float acosh_f32(float x) {
    double a = x, z = log_f64(a + __builtin_sqrt(a * a - 1.0));
    return x < 1.0f ? NAN : (float)z;
}
INLINE float atanh_f32(float x) {
    double a = abs_f32(x), far = 0.5 * log_f64((1.0 + a) / (1.0 - a));
    return copysign_f32((float)(a < 1e-3 ? a + a * a * a * (1.0 / 3) : far), x);
}
INLINE double sinh_f64(double x) { return sinh(x); }
INLINE double cosh_f64(double x) { return cosh(x); }
INLINE double asinh_f64(double x) { return asinh(x); }
INLINE double acosh_f64(double x) { return acosh(x); }
INLINE double atanh_f64(double x) { return atanh(x); }
#endif
