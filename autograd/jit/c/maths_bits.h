/* Numbers as bits, powers of two, rounding and polynomials: what the functions of maths.h are made
   of.  Everything is free of branches, so that a loop over it becomes a loop over vectors. */
#ifndef GLASSGRAD_MATHS_BITS
#define GLASSGRAD_MATHS_BITS
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifndef INLINE
#define INLINE static inline __attribute__((always_inline, unused))
#endif

INLINE uint32_t bits_f32(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE float from_bits_f32(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
INLINE uint64_t bits_f64(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE double from_bits_f64(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

INLINE float abs_f32(float x) { return __builtin_fabsf(x); }
INLINE double abs_f64(double x) { return __builtin_fabs(x); }
INLINE float copysign_f32(float x, float y) { return __builtin_copysignf(x, y); }
INLINE double copysign_f64(double x, double y) { return __builtin_copysign(x, y); }

/* Adding 1.5 · 2^p, where p is the number of bits in a fraction, rounds to a whole number, half to
   even, and leaves that number in the low bits of the sum: WHOLE + n for whole n. */
#define WHOLE_F32 0x1.8p23f
#define WHOLE_F64 0x1.8p52

INLINE int32_t whole_f32(float sum) { return (int32_t)(bits_f32(sum) - bits_f32(WHOLE_F32)); }

/* 2^n as a normal number: -126 ≤ n ≤ 127; of a double, for sum = WHOLE_F64 + n, |n| ≤ 1022 */
INLINE float power_of_two_f32(int32_t n) { return from_bits_f32(((uint32_t)n + 127u) << 23); }
INLINE double power_of_two_f64(double sum) { return from_bits_f64((bits_f64(sum) + 1023u) << 52); }

/* x 2^n, rounded once, also where the result is a denormal number or inf */
INLINE float times_power_of_two_f32(float x, int32_t n) {
    int32_t half = n >> 1;
    return x * power_of_two_f32(half) * power_of_two_f32(n - half);
}
INLINE double times_power_of_two_f64(double x, double n) {
    double half = n * 0.5 + WHOLE_F64, rest = n - (half - WHOLE_F64);
    return x * power_of_two_f64(half) * power_of_two_f64(rest + WHOLE_F64);
}

/* A positive normal x is m 2^e with √½ ≤ m < √2: m, and e as a number. */
INLINE float split_f32(float x, float *e) {
    uint32_t u = bits_f32(x) - 0x3f3504f3u;
    *e = (float)((int32_t)u >> 23);
    return from_bits_f32((u & 0x007fffffu) + 0x3f3504f3u);
}
INLINE double split_f64(double x, double *e) {
    uint64_t u = bits_f64(x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    *e = from_bits_f64((u >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
    return from_bits_f64((u & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
}

/* Polynomials of degree 2 to 23, by Horner's rule; the coefficient of the lowest power first. */
#define POLY1(x, a, b) ((b) * (x) + (a))
#define POLY2(x, a, ...) (POLY1(x, __VA_ARGS__) * (x) + (a))
#define POLY3(x, a, ...) (POLY2(x, __VA_ARGS__) * (x) + (a))
#define POLY4(x, a, ...) (POLY3(x, __VA_ARGS__) * (x) + (a))
#define POLY5(x, a, ...) (POLY4(x, __VA_ARGS__) * (x) + (a))
#define POLY6(x, a, ...) (POLY5(x, __VA_ARGS__) * (x) + (a))
#define POLY7(x, a, ...) (POLY6(x, __VA_ARGS__) * (x) + (a))
#define POLY8(x, a, ...) (POLY7(x, __VA_ARGS__) * (x) + (a))
#define POLY9(x, a, ...) (POLY8(x, __VA_ARGS__) * (x) + (a))
#define POLY10(x, a, ...) (POLY9(x, __VA_ARGS__) * (x) + (a))
#define POLY11(x, a, ...) (POLY10(x, __VA_ARGS__) * (x) + (a))
#define POLY12(x, a, ...) (POLY11(x, __VA_ARGS__) * (x) + (a))
#define POLY13(x, a, ...) (POLY12(x, __VA_ARGS__) * (x) + (a))
#define POLY14(x, a, ...) (POLY13(x, __VA_ARGS__) * (x) + (a))
#define POLY15(x, a, ...) (POLY14(x, __VA_ARGS__) * (x) + (a))
#define POLY16(x, a, ...) (POLY15(x, __VA_ARGS__) * (x) + (a))
#define POLY17(x, a, ...) (POLY16(x, __VA_ARGS__) * (x) + (a))
#define POLY18(x, a, ...) (POLY17(x, __VA_ARGS__) * (x) + (a))
#define POLY19(x, a, ...) (POLY18(x, __VA_ARGS__) * (x) + (a))
#define POLY20(x, a, ...) (POLY19(x, __VA_ARGS__) * (x) + (a))
#define POLY21(x, a, ...) (POLY20(x, __VA_ARGS__) * (x) + (a))
#define POLY22(x, a, ...) (POLY21(x, __VA_ARGS__) * (x) + (a))
#define POLY23(x, a, ...) (POLY22(x, __VA_ARGS__) * (x) + (a))
#endif
