/* Angles: sin, cos, tan and their inverses, in float32 (the polynomials as in maths_f32.h).
   In float64 they are the system's own. */
#ifndef GLASSGRAD_MATHS_ANGLES
#define GLASSGRAD_MATHS_ANGLES
#include "maths_bits.h"

/* |x| = (4 k + quadrant) π/2 + r with |r| ≤ π/4, for every x (after Payne & Hanek, "Radian
   reduction for trigonometric functions", 1983).

   Of the bits of 2/π, those that only give whole turns are left out: which ones depends on the
   size of x.  The next 29 and again 29, times the 24 bits of x, are exact in double precision, and
   so are the differences from whole numbers of quarter turns. */
INLINE float quadrant_f32(float x, uint32_t *quadrant) {
    double a = abs_f32(x);
    double first = a < 0x1p50 ? 0x1.45f306dp-1 : a < 0x1p76 ? 0x1.b939105p-26
                   : a < 0x1p102 ? 0x1.529fc27p-52 : 0x1.d5f47d4p-78;
    double second = a < 0x1p50 ? 0x1.9391054p-30 : a < 0x1p76 ? 0x1.29fc274p-56
                   : a < 0x1p102 ? 0x1.5f47d4cp-82 : 0x1.a6ee06dp-107;
    double third = a < 0x1p50 ? 0x1.4fe13abe8fa9ap-59 : a < 0x1p76 ? 0x1.7d1f534ddc0dbp-84
                   : a < 0x1p102 ? 0x1.377036d8a5665p-110 : 0x1.6295993c43904p-136;
    double high = a * first, high_sum = high + WHOLE_F64;
    double low = (high - (high_sum - WHOLE_F64)) + a * second, low_sum = low + WHOLE_F64;
    double quarters = (low - (low_sum - WHOLE_F64)) + a * third;
    *quadrant = (uint32_t)(bits_f64(high_sum) + bits_f64(low_sum)) & 3u;
    return (float)(quarters * 1.5707963267948966);
}

/* for |r| ≤ π/4 */
INLINE float sin_near_f32(float r) {
    float square = r * r;
    return r + r * square * POLY2(square, -0.16666664f, 0.008332748f, -0.0001958789f);
}
INLINE float cos_near_f32(float r) {
    float square = r * r, p = POLY2(square, 0.041666664f, -0.0013888302f, 2.4547942e-05f);
    return 1.0f - (0.5f * square - square * square * p);
}

INLINE float flip_sign_f32(float x, uint32_t bit) {
    return from_bits_f32(bits_f32(x) ^ bit << 31);
}

INLINE float sin_f32(float x) {
    uint32_t quadrant;
    float r = quadrant_f32(x, &quadrant), s = sin_near_f32(r), c = cos_near_f32(r);
    return flip_sign_f32(quadrant & 1 ? c : s, quadrant >> 1 ^ bits_f32(x) >> 31);
}
INLINE float cos_f32(float x) {
    uint32_t quadrant;
    float r = quadrant_f32(x, &quadrant), s = sin_near_f32(r), c = cos_near_f32(r);
    return flip_sign_f32(quadrant & 1 ? s : c, (quadrant + 1) >> 1);
}
INLINE float tan_f32(float x) {
    uint32_t quadrant;
    float r = quadrant_f32(x, &quadrant), s = sin_near_f32(r), c = cos_near_f32(r);
    float z = (quadrant & 1 ? c : s) / (quadrant & 1 ? s : c);
    return flip_sign_f32(z, quadrant ^ bits_f32(x) >> 31);
}

#define HALF_PI_F32 1.5707964f
#define HALF_PI_LOW_F32 -4.371139e-08f /* what it lacks */

/* for 0 ≤ t ≤ 1 */
INLINE float atan_near_f32(float t) {
    float square = t * t;
    float p = POLY8(square, -0.3333333f, 0.1999974f, -0.14278568f, 0.110337645f, -0.0865688f,
                    0.06250169f, -0.03587154f, 0.013507771f, -0.0023869972f);
    return t + t * square * p;
}
INLINE float atan_f32(float x) {
    float a = abs_f32(x);
    bool steep = a > 1.0f;
    float near = atan_near_f32(steep ? 1.0f / a : a);
    float z = steep ? HALF_PI_F32 - (near - HALF_PI_LOW_F32) : near;
    return copysign_f32(z, x);
}
INLINE float atan2_f32(float y, float x) {
    float a = abs_f32(x), b = abs_f32(y);
    bool steep = b > a, left = bits_f32(x) >> 31;
    float low = steep ? a : b, high = steep ? b : a;
    float equal = high == 0.0f ? 0.0f : 1.0f; /* also of two infinities */
    float z = atan_near_f32(low == high ? equal : low / high);
    z = steep ? HALF_PI_F32 - (z - HALF_PI_LOW_F32) : z;
    z = left ? 2.0f * HALF_PI_F32 - (z - 2.0f * HALF_PI_LOW_F32) : z;
    return copysign_f32(z, y);
}

/* asin a = a + a³ p(a²) for a ≤ ½; above, asin a = π/2 - 2 asin √((1 - a)/2) */
INLINE float asin_near_f32(float a, bool *large) {
    *large = a > 0.5f;
    float square = *large ? 0.5f * (1.0f - a) : a * a, root = __builtin_sqrtf(square);
    float p = POLY4(square, 0.16666673f, 0.07498855f, 0.04500138f, 0.026554542f, 0.038085025f);
    float s = *large ? root : a;
    return s + s * square * p;
}
INLINE float asin_f32(float x) {
    bool large;
    float near = asin_near_f32(abs_f32(x), &large);
    float z = large ? HALF_PI_F32 - (2.0f * near - HALF_PI_LOW_F32) : near;
    return copysign_f32(z, x);
}
INLINE float acos_f32(float x) {
    bool large;
    float near = asin_near_f32(abs_f32(x), &large);
    float twice = 2.0f * near, signed_near = copysign_f32(near, x);
    float far = x > 0.0f ? twice : 2.0f * HALF_PI_F32 - (twice - 2.0f * HALF_PI_LOW_F32);
    return large ? far : HALF_PI_F32 - (signed_near - HALF_PI_LOW_F32);
}

INLINE double sin_f64(double x) { return sin(x); }
INLINE double cos_f64(double x) { return cos(x); }
INLINE double tan_f64(double x) { return tan(x); }
INLINE double asin_f64(double x) { return asin(x); }
INLINE double acos_f64(double x) { return acos(x); }
INLINE double atan_f64(double x) { return atan(x); }
INLINE double atan2_f64(double y, double x) { return atan2(y, x); }
#endif
