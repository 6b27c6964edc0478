/* Vectors of floats and doubles, in GNU C's own notation: + - * / < work on all lanes at once.
   VB, the bytes of a vector register, is given on the command line. */
#ifndef GLASSGRAD_VECTORS
#define GLASSGRAD_VECTORS
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef VB
#define VB 16
#endif
#define VF (VB / 4) /* floats in a register */
#define VD (VB / 8) /* doubles */

typedef float vf __attribute__((vector_size(VB), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(VB), aligned(4), may_alias));
typedef double vd __attribute__((vector_size(VB), aligned(8), may_alias));
typedef int64_t vl __attribute__((vector_size(VB), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline, unused))
#define KERNEL static __attribute__((noinline, unused))

INLINE vf loadf(const float *p) { return *(const vf *)p; }
INLINE void storef(float *p, vf x) { *(vf *)p = x; }
INLINE vd loadd(const double *p) { return *(const vd *)p; }
INLINE void stored(double *p, vd x) { *(vd *)p = x; }

/* s in every lane; written so, since (vf){} + s becomes an addition where -0.0 counts */
INLINE vf splatf(float s) {
    vf x;
    for (int i = 0; i < VF; i++) x[i] = s;
    return x;
}
INLINE vd splatd(double s) {
    vd x;
    for (int i = 0; i < VD; i++) x[i] = s;
    return x;
}

/* the first n < VF numbers, and zeros behind them: never reads or writes beyond */
INLINE vf loadf_part(const float *p, int n) {
    vf x = {0};
    memcpy(&x, p, n * sizeof(float));
    return x;
}
INLINE void storef_part(float *p, vf x, int n) { memcpy(p, &x, n * sizeof(float)); }
INLINE vd loadd_part(const double *p, int n) {
    vd x = {0};
    memcpy(&x, p, n * sizeof(double));
    return x;
}
INLINE void stored_part(double *p, vd x, int n) { memcpy(p, &x, n * sizeof(double)); }

INLINE float sumf(vf x) {
    float lane[VF], s;
    memcpy(lane, &x, VB);
    for (int w = VF / 2; w; w /= 2)
        for (int i = 0; i < w; i++) lane[i] += lane[i + w];
    s = lane[0];
    return s;
}
INLINE double sumd(vd x) {
    double lane[VD];
    memcpy(lane, &x, VB);
    for (int w = VD / 2; w; w /= 2)
        for (int i = 0; i < w; i++) lane[i] += lane[i + w];
    return lane[0];
}
#endif
