/* Rows turned by their places (Su et al. 2021, eq. 14), the halves of a row as pairs. */
#ifndef GLASSGRAD_ROTARY
#define GLASSGRAD_ROTARY
#include "maths.h"

#define ROTARY_WHOLE 0x1.8p52 /* a sum with it is a whole number */

/* turns[i] = base^(-i/half), how far place 1 turns pair i; step is -log(base) / half */
INLINE void rotary_turns(long half, double step, double *turns) {
    _Pragma("omp simd") for (long i = 0; i < half; i++) turns[i] = exp_f64(i * step);
}

/* cosines and sines of place · turns[i], where whole turns are taken off in double precision */
KERNEL void rotary_angles_f32(long half, double place, const double *turns, float *c, float *s) {
    _Pragma("omp simd") for (long i = 0; i < half; i++) {
        const double angle = place * turns[i];
        const double whole = angle * 0.15915494309189535 + ROTARY_WHOLE - ROTARY_WHOLE; /* 1/2π */
        const double rest = angle - whole * 6.283185307179586 - whole * 2.4492935982947064e-16;
        c[i] = cos_f32((float)rest), s[i] = sin_f32((float)rest);
    }
}
KERNEL void rotary_angles_f64(long half, double place, const double *turns, double *c, double *s) {
    for (long i = 0; i < half; i++) c[i] = cos(place * turns[i]), s[i] = sin(place * turns[i]);
}

/* one row: the pair (i, half + i) turned by its angle */
#define ROTARY_ROW                                                                                \
    _Pragma("omp simd") for (long i = 0; i < half; i++) {                                         \
        z[i] = x[i] * c[i] - x[half + i] * s[i];                                                  \
        z[half + i] = x[half + i] * c[i] + x[i] * s[i];                                           \
    }
INLINE void rotary_row_f32(const long half, const float *restrict x, const float *restrict c,
                           const float *restrict s, float *restrict z) {
    ROTARY_ROW
}
INLINE void rotary_row_f64(const long half, const double *restrict x, const double *restrict c,
                           const double *restrict s, double *restrict z) {
    ROTARY_ROW
}
#undef ROTARY_ROW
#endif
