/* Winograd's convolution F(2 × 2, 3 × 3) (Lavin & Gray 2016, "Fast algorithms for convolutional
   neural networks", section 4.1): transforms of images, kernels, results and gradients.

   Two neighbouring results of a kernel with three taps need four products instead of six, so a
   2 × 2 block of results needs 16 instead of 36:

       results = Rᵀ [(K kernel) · (I window)] R          in one dimension, with

       I window = (d0 - d2,  d1 + d2,  d2 - d1,  d1 - d3)
       K kernel = (k0,  (k0 + k1 + k2) / 2,  (k0 - k1 + k2) / 2,  k2)
       Rᵀ m     = (m0 + m1 + m2,  m1 - m2 - m3)

   The gradient to the kernel is the same form read from its third side: Kᵀ [(I window) · (R g)].

   What a transform gives is 16 numbers for each channel, one in each of 16 planes: the product of
   the transformed kernel and windows is one matrix product per plane. …_f32 of floats, …_f64 of
   doubles; arrays of channels are at least one register long, and their last register may overlap
   the one before. */
#ifndef GLASSGRAD_WINOGRAD
#define GLASSGRAD_WINOGRAD
#include "conv.h"

/* where a register begins that would go beyond the end */
#define WITHIN(c, n) ((c) + LANES <= (n) ? (c) : (n) - LANES)

/* The transforms along one axis, in place. */
#define WINOGRAD_WINDOW(d0, d1, d2, d3) \
    do {                                \
        __typeof__(d0) old = d1;          \
        d0 -= d2, d1 += d2;             \
        d2 -= old, d3 = old - d3;           \
    } while (0)
#define WINOGRAD_KERNEL(k0, k1, k2, k3)                           \
    do {                                                          \
        __typeof__(k0) ends = (k0 + k2) * 0.5f, half = k1 * 0.5f; \
        k3 = k2, k1 = ends + half, k2 = ends - half;              \
    } while (0)
#define WINOGRAD_RESULT(m0, m1, m2, m3)   \
    do {                                  \
        m0 += m1 + m2, m1 -= m2 + m3;     \
    } while (0)
#define WINOGRAD_GRADIENT(g0, g1, g2, g3)     \
    do {                                      \
        g3 = -g1, g2 = g0 - g1, g1 += g0;     \
    } while (0)
#define WINOGRAD_TAPS(m0, m1, m2, m3)                       \
    do {                                                    \
        __typeof__(m0) half = (m1 + m2) * 0.5f;             \
        m0 += half, m1 = (m1 - m2) * 0.5f, m2 = half + m3;  \
    } while (0)

/* a byte for each number of a register */
typedef uint8_t bytes_f32 __attribute__((vector_size(VF)));
typedef uint8_t bytes_f64 __attribute__((vector_size(VD)));

#define REAL float
#define VEC vf
#define MASK vi
#define LANES VF
#define FN(name) name##_f32
#define LOAD loadf
#define STORE storef
#define RELU reluf
#include "winograd_body.h"
#undef REAL
#undef VEC
#undef MASK
#undef LANES
#undef FN
#undef LOAD
#undef STORE
#undef RELU

#define REAL double
#define VEC vd
#define MASK vl
#define LANES VD
#define FN(name) name##_f64
#define LOAD loadd
#define STORE stored
#define RELU relud
#include "winograd_body.h"
#undef REAL
#undef VEC
#undef MASK
#undef LANES
#undef FN
#undef LOAD
#undef STORE
#undef RELU
#endif
