/* Matrix products, C = A·B, for any sizes; T is float (…_f32) or double (…_f64).

   void gemm_nn_f32(long m, long n, long k, const T *a, long lda, const T *b, long ldb,
                    T *c, long ldc, const T *init, long ldi, char *work)

       C[i,j] = init[i,j] + sum over p < k of A[i,p] B[p,j]     for i < m, j < n
       nn: A[i,p] = a[i*lda + p], B[p,j] = b[p*ldb + j];  C[i,j] = c[i*ldc + j] always
       nt: B lies transposed, B[p,j] = b[j*ldb + p]
       tn: A lies transposed, A[i,p] = a[p*lda + i]           tt: both do
       init[i*ldi + j] is what C begins with: NULL is zeros, (bias, 0) a bias for each row,
       (c, ldc) adds to C. It may not overlap C otherwise.
       work: GEMM_WORK bytes of scratch memory, 64-byte aligned.

   To use one B (weights) for many products, pack it once, then give the packed form:

   long gemm_packed_size_f32(long n, long k)                 how many T's the packed form has
   void gemm_pack_n_f32(long n, long k, const T *b, long ldb, T *packed)     b as in nn
   void gemm_pack_t_f32(long n, long k, const T *b, long ldb, T *packed)     b as in nt
   void gemm_np_f32(long m, long n, long k, const T *a, long lda, const T *packed,
                    T *c, long ldc, const T *init, long ldi)                 a as in nn
   void gemm_tp_f32(…the same…)                                              a as in tn

   void gemm_column_sum_f32(long k, long n, const T *b, long ldb, T *sum, int add)
       sum[j] (+)= sum over p < k of b[p*ldb + j]

   The tiles are those of Goto and van de Geijn, Anatomy of High-Performance Matrix
   Multiplication (2008), but B and A are only packed where that pays. */
#ifndef GLASSGRAD_GEMM
#define GLASSGRAD_GEMM
#include "vectors.h"

/* the rows of a tile: 12 x 2 vectors of sums, 2 of B and one number of A fit 32 registers, 6 x 2
   fit 16 */
#if VB == 64 || defined(__aarch64__)
#define GEMM_TALL 12
#define GEMM_HEIGHTS(X, V) X(12, V) X(8, V) X(4, V) X(2, V) X(1, V)
#define GEMM_DOT_COLUMNS 4
#else
#define GEMM_TALL 6
#define GEMM_HEIGHTS(X, V) X(6, V) X(4, V) X(2, V) X(1, V)
#define GEMM_DOT_COLUMNS 2
#endif
#define GEMM_DEEP 512    /* steps of k at a time: a packed panel of B stays near the L1 cache */
#define GEMM_A_BLOCK 240 /* rows of A packed at a time, in floats: they stay in the L2 cache */
#define GEMM_NEAR 64     /* up to so many steps of k a tile of C is not worth fetching */
#define GEMM_LINE 64     /* bytes of a line of the cache */
#define GEMM_WORK (GEMM_DEEP * (2 * VB + 4 * GEMM_A_BLOCK))

/* When it pays, as measured, to take dot products of rows rather than pack a transposed B; to pack
   A, which lies transposed; to pack B. */
#define GEMM_DOT_PAYS(m, k) (m * (k / (4 * LANES) + 6) < k * (long)sizeof(REAL) / 6)
#define GEMM_PACK_A_PAYS(m, n, k) (n > 4 * LANES && m * k > 8192)
#define GEMM_PACK_B_PAYS(m, n, k) (m >= 4 * GEMM_TALL && n * k > 8192)

/* X(r, base, i) for each row r of a tile, which begins at base + i * lda: three rows share a
   pointer, because a processor's addresses know the factors 0, 1 and 2 */
#define GEMM_ROWS_1(X) X(0, a0, 0)
#define GEMM_ROWS_2(X) GEMM_ROWS_1(X) X(1, a0, 1)
#define GEMM_ROWS_4(X) GEMM_ROWS_2(X) X(2, a0, 2) X(3, a3, 0)
#define GEMM_ROWS_6(X) GEMM_ROWS_4(X) X(4, a3, 1) X(5, a3, 2)
#define GEMM_ROWS_8(X) GEMM_ROWS_6(X) X(6, a6, 0) X(7, a6, 1)
#define GEMM_ROWS_12(X) GEMM_ROWS_8(X) X(8, a6, 2) X(9, a9, 0) X(10, a9, 1) X(11, a9, 2)
#define GEMM_UNROLL _Pragma("GCC unroll 2")

/* the sum of all lanes, halving the vector down to 16 bytes */
INLINE float gemm_sum_f32(vf x) {
#if VB == 64
    typedef float f8 __attribute__((vector_size(32)));
    f8 h = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
           __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    vf h = x;
#endif
#if VB >= 32
    typedef float f4 __attribute__((vector_size(16)));
    f4 q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#else
    vf q = h;
#endif
    return (q[0] + q[2]) + (q[1] + q[3]);
}
INLINE double gemm_sum_f64(vd x) {
#if VB == 64
    typedef double d4 __attribute__((vector_size(32)));
    d4 h = __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
#else
    vd h = x;
#endif
#if VB >= 32
    typedef double d2 __attribute__((vector_size(16)));
    d2 q = __builtin_shufflevector(h, h, 0, 1) + __builtin_shufflevector(h, h, 2, 3);
#else
    vd q = h;
#endif
    return q[0] + q[1];
}

/* a square of 16-byte rows, transposed: four rows of four floats, two of two doubles */
INLINE void gemm_turn_f32(const float *b, long ldb, float *turned, long width) {
    typedef float row __attribute__((vector_size(16), aligned(4), may_alias));
    const row x = *(const row *)b, y = *(const row *)(b + ldb);
    const row z = *(const row *)(b + 2 * ldb), w = *(const row *)(b + 3 * ldb);
    const row xy = __builtin_shufflevector(x, y, 0, 4, 1, 5);
    const row zw = __builtin_shufflevector(z, w, 0, 4, 1, 5);
    const row XY = __builtin_shufflevector(x, y, 2, 6, 3, 7);
    const row ZW = __builtin_shufflevector(z, w, 2, 6, 3, 7);
    *(row *)turned = __builtin_shufflevector(xy, zw, 0, 1, 4, 5);
    *(row *)(turned + width) = __builtin_shufflevector(xy, zw, 2, 3, 6, 7);
    *(row *)(turned + 2 * width) = __builtin_shufflevector(XY, ZW, 0, 1, 4, 5);
    *(row *)(turned + 3 * width) = __builtin_shufflevector(XY, ZW, 2, 3, 6, 7);
}
INLINE void gemm_turn_f64(const double *b, long ldb, double *turned, long width) {
    typedef double row __attribute__((vector_size(16), aligned(8), may_alias));
    const row x = *(const row *)b, y = *(const row *)(b + ldb);
    *(row *)turned = __builtin_shufflevector(x, y, 0, 2);
    *(row *)(turned + width) = __builtin_shufflevector(x, y, 1, 3);
}

/* LANES zeros and then ones in all bits: read from the middle, a mask of the last lanes */
static const int32_t gemm_tail_f32[2 * VF] __attribute__((unused)) = {
    [VF ... 2 * VF - 1] = -1};
static const int64_t gemm_tail_f64[2 * VD] __attribute__((unused)) = {
    [VD ... 2 * VD - 1] = -1};

/* keep x in a register, where gcc would read it anew for each use */
#if VB == 64
#define GEMM_HOLD(x) __asm__("" : "+v"(x));
#elif defined(__x86_64__)
#define GEMM_HOLD(x) __asm__("" : "+x"(x));
#elif defined(__aarch64__)
#define GEMM_HOLD(x) __asm__("" : "+w"(x));
#else
#define GEMM_HOLD(x)
#endif

#define GEMM_HEIGHT(ROWS, _) ROWS,
static const int gemm_heights[] __attribute__((unused)) = {GEMM_HEIGHTS(GEMM_HEIGHT, )};

/* a function that many products share: one copy, not one for each call with known numbers */
#ifdef __clang__
#define GEMM_SHARED static __attribute__((noinline, unused))
#else
#define GEMM_SHARED static __attribute__((noinline, noclone, unused))
#endif

/* what the functions of both types share: reading and writing a vector, arguments */
#define GEMM_AT(p) (*(VEC *)(p))
#define GEMM_OF(p) (*(const VEC *)(p))
#define GEMM_TILE_ARGUMENTS                                                                       \
    long k, const REAL *a, long lda, const REAL *b, long ldb, REAL *c, long ldc,                  \
        const REAL *init, long ldi

/* Memory that is needed soon: rows of so many bytes, `row` bytes apart. It is fetched into the L2
   cache while something else is computed, a few rows at a time. */
typedef struct {
    const char *at;
    long rows, bytes, row;
} gemm_soon;
INLINE void gemm_fetch(gemm_soon *soon, long rows) {
    for (; rows > 0 && soon->rows > 0; rows--, soon->rows--, soon->at += soon->row)
        for (long i = 0; i < soon->bytes; i += GEMM_LINE) __builtin_prefetch(soon->at + i, 0, 2);
}

#define REAL float
#define VEC vf
#define MASK vi
#define LANES VF
#define FN(name) name##_f32
#include "gemm_body.h"
#undef REAL
#undef VEC
#undef MASK
#undef LANES
#undef FN

#define REAL double
#define VEC vd
#define MASK vl
#define LANES VD
#define FN(name) name##_f64
#include "gemm_body.h"
#undef REAL
#undef VEC
#undef MASK
#undef LANES
#undef FN
#endif
