/* Exponentials and logarithms in float32: at most 2 units in the last place (ulp) from the truth
   for every argument, denormal numbers included.

   Where a polynomial stands for a function f on an interval, its coefficients are our own fit: the
   polynomial that equals f at the Chebyshev nodes of the interval, computed with 50 digits. */
#ifndef GLASSGRAD_MATHS_F32
#define GLASSGRAD_MATHS_F32
#include "maths_bits.h"

#define LN2_HIGH_F32 0x1.62e4p-1f /* ln 2 in two parts, the first of so few bits */
#define LN2_LOW_F32 1.4286068e-06f /* that its product with an exponent is exact */

/* e^(a + b) = (1 + result) 2^n, where b is small beside a.

   a + b = n ln 2 + r with |r| ≤ ½ ln 2 (Cody & Waite 1980), and p is (e^r - 1 - r) / r². */
INLINE float reduced_expm1_f32(float a, float b, int32_t *n) {
    float sum = a * 1.442695f + WHOLE_F32, whole = sum - WHOLE_F32;
    *n = whole_f32(sum);
    float high = a - whole * LN2_HIGH_F32, low = b - whole * LN2_LOW_F32;
    float r = high + low, lost = low - (r - high);
    float p = POLY4(r, 0.5f, 0.16666578f, 0.041666556f, 0.008363173f, 0.0013926176f);
    return r + (r * r * p + lost);
}

INLINE float exp_f32(float x) {
    x = x > 89.0f ? 89.0f : x; /* inf from 88.73 on */
    x = x < -104.0f ? -104.0f : x; /* 0 */
    int32_t n;
    float e = reduced_expm1_f32(x, 0.0f, &n);
    return times_power_of_two_f32(1.0f + e, n);
}

/* e^x where -80 < x < 80: the power of two is a normal number */
INLINE float exp_moderate_f32(float x) {
    int32_t n;
    float e = reduced_expm1_f32(x, 0.0f, &n);
    return (1.0f + e) * power_of_two_f32(n);
}

INLINE float expm1_f32(float x) {
    float y = x > 89.0f ? 89.0f : x;
    y = y < -20.0f ? -20.0f : y; /* -1 */
    int32_t n;
    float e = reduced_expm1_f32(y, 0.0f, &n);
    float half = power_of_two_f32(n - 1); /* 2^128 is too large */
    float z = 2.0f * (half * e + (half - 0.5f));
    return x == 0.0f ? x : z; /* -0 stays */
}

/* e ln 2 + log(1 + f) for √½ ≤ 1 + f < √2 */
INLINE float log1p_near_f32(float f, float e) {
    float p = POLY8(f, 0.3333333f, -0.24999997f, 0.20000716f, -0.16667803f, 0.14249058f,
                    -0.12425687f, 0.1168542f, -0.11479734f, 0.06971612f);
    float rest = f * f * (f * p - 0.5f) + e * LN2_LOW_F32;
    return e * LN2_HIGH_F32 + (f + rest);
}

INLINE float log_f32(float x) {
    bool tiny = x < FLT_MIN;
    float e, m = split_f32(tiny ? x * 0x1p23f : x, &e);
    float z = log1p_near_f32(m - 1.0f, tiny ? e - 23.0f : e);
    z = x > 0.0f ? z : x == 0.0f ? -INFINITY : NAN;
    return x == INFINITY ? x : z;
}

INLINE float log1p_f32(float x) {
    float e, m = split_f32(1.0f + x, &e);
    /* 1 + x = (1 + f) 2^e, where f loses nothing of a small x; a large one is m 2^e itself */
    float scale = power_of_two_f32(-(int32_t)e);
    float f = x > 0x1p60f ? m - 1.0f : x * scale + (scale - 1.0f);
    float z = log1p_near_f32(f, e);
    z = x > -1.0f ? z : x == -1.0f ? -INFINITY : NAN;
    return x == INFINITY || x == 0.0f ? x : z;
}

/* 1 / (1 + e^-x) with e^-x = (1 + e) 2^n: so that 1 + e is not rounded before it is used, and
   nothing overflows, numerator and denominator are taken 2^-n times where n > 0. */
INLINE float sigmoid_f32(float x) {
    x = x > 30.0f ? 30.0f : x; /* 1 */
    x = x < -104.0f ? -104.0f : x; /* 0 */
    int32_t n;
    float e = reduced_expm1_f32(-x, 0.0f, &n);
    int32_t small = n > 0 ? -n : n;
    float power = power_of_two_f32(small < -126 ? -126 : small);
    float denominator = 1.0f + (power + (n > 0 ? e : power * e));
    return times_power_of_two_f32(1.0f / denominator, n > 0 ? -n : 0);
}

/* x + x³ p(x²) up to 0.625, from there 1 - 2 / (e^2x + 1), which is 1 from 10 on */
INLINE float tanh_f32(float x) {
    float a = abs_f32(x), square = x * x;
    float p = POLY4(square, -0.33333328f, 0.1333277f, -0.053850908f, 0.02099718f, -0.006096714f);
    float near = a + a * square * p;
    float far = 1.0f - 2.0f / (exp_moderate_f32(a > 10.0f ? 20.0f : 2.0f * a) + 1.0f);
    return copysign_f32(a < 0.625f ? near : far, x);
}
#endif
