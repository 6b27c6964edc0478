/* What gemm.h does without tiles, included like gemm_body.h once per type: dot products of rows,
   products with one row, sums of columns. */

/* the last n of the LANES numbers at p, and zeros before them */
INLINE VEC FN(gemm_last)(const REAL *p, long n) {
    return (VEC)((MASK)GEMM_OF(p) & *(const MASK *)(FN(gemm_tail) + n));
}

/* R rows of A with J rows of a transposed B: dot products along k >= LANES */
#ifndef GEMM_DOT
#define GEMM_DOT_1(X, r) X(r, 0)
#define GEMM_DOT_2(X, r) GEMM_DOT_1(X, r) X(r, 1)
#define GEMM_DOT_4(X, r) GEMM_DOT_2(X, r) X(r, 2) X(r, 3)
#define GEMM_DOTS_1(J, X) GEMM_DOT_##J(X, 0)
#define GEMM_DOTS_4(J, X)                                                                         \
    GEMM_DOT_##J(X, 0) GEMM_DOT_##J(X, 1) GEMM_DOT_##J(X, 2) GEMM_DOT_##J(X, 3)
#define GEMM_DOT_BEGIN(r, j) VEC s##r##j = {0};
#define GEMM_DOT_B(r, j) VEC y##j = GEMM_OF(b + j * ldb + p); GEMM_HOLD(y##j)
#define GEMM_DOT_ADD(r, j) s##r##j += GEMM_OF(a + r * lda + p) * y##j;
#define GEMM_DOT_LAST_B(r, j) VEC y##j = FN(gemm_last)(b + j * ldb + k - LANES, k - p);
#define GEMM_DOT_LAST(r, j) s##r##j += FN(gemm_last)(a + r * lda + k - LANES, k - p) * y##j;
#define GEMM_DOT_END(r, j)                                                                        \
    c[r * ldc + j] = (init ? init[r * ldi + j] : 0) + FN(gemm_sum)(s##r##j);
#define GEMM_DOT(R, J)                                                                            \
    GEMM_SHARED void FN(gemm_dot_##R##x##J)(GEMM_TILE_ARGUMENTS) {                                \
        GEMM_DOTS_##R(J, GEMM_DOT_BEGIN)                                                          \
        long p = 0;                                                                               \
        for (; p <= k - LANES; p += LANES) {                                                      \
            GEMM_DOT_##J(GEMM_DOT_B, 0) GEMM_DOTS_##R(J, GEMM_DOT_ADD)                            \
        }                                                                                         \
        if (p < k) {                                                                              \
            GEMM_DOT_##J(GEMM_DOT_LAST_B, 0) GEMM_DOTS_##R(J, GEMM_DOT_LAST)                      \
        }                                                                                         \
        GEMM_DOTS_##R(J, GEMM_DOT_END)                                                            \
    }
/* the dot products of m rows of A with J rows of B */
#define GEMM_DOT_ROWS(J)                                                                          \
    for (; n - j >= J; j += J) {                                                                  \
        const REAL *rows = b + j * ldb, *from = init ? init + j : NULL;                           \
        long i = 0;                                                                               \
        for (; m - i >= 4; i += 4, from += from ? 4 * ldi : 0)                                    \
            FN(gemm_dot_4x##J)(k, a + i * lda, lda, rows, ldb, c + i * ldc + j, ldc, from, ldi);  \
        for (; i < m; i++, from += from ? ldi : 0)                                                \
            FN(gemm_dot_1x##J)(k, a + i * lda, lda, rows, ldb, c + i * ldc + j, ldc, from, ldi);  \
    }
#endif
GEMM_DOT(1, 1)
GEMM_DOT(4, 1)
#if GEMM_DOT_COLUMNS == 4
GEMM_DOT(1, 4)
GEMM_DOT(4, 4)
#else
GEMM_DOT(1, 2)
GEMM_DOT(4, 2)
#endif
GEMM_SHARED void FN(gemm_dots)(long m, long n, GEMM_TILE_ARGUMENTS) {
    long j = 0;
#if GEMM_DOT_COLUMNS == 4
    GEMM_DOT_ROWS(4)
#else
    GEMM_DOT_ROWS(2)
#endif
    GEMM_DOT_ROWS(1)
}

/* one row of C, n a multiple of LANES: A[p] = a[p*step] */
#ifndef GEMM_ROW_LOOP
#define GEMM_ROW_BEGIN(v) VEC s##v = init ? GEMM_OF(init + j + v * LANES) : (VEC){0};
#define GEMM_ROW_ADD(v) s##v += a[p * step] * GEMM_OF(b + p * ldb + j + v * LANES);
#define GEMM_ROW_END(v) GEMM_AT(c + j + v * LANES) = s##v;
#define GEMM_EIGHT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define GEMM_ONE(X) X(0)
#define GEMM_ROW_LOOP(V, VECTORS)                                                                 \
    for (; j <= n - V * LANES; j += V * LANES) {                                                  \
        VECTORS(GEMM_ROW_BEGIN)                                                                   \
        for (long p = 0; p < k; p++) {                                                            \
            VECTORS(GEMM_ROW_ADD)                                                                 \
        }                                                                                         \
        VECTORS(GEMM_ROW_END)                                                                     \
    }
#endif
GEMM_SHARED void FN(gemm_row)(long n, long k, const REAL *a, long step, const REAL *b, long ldb,
                              REAL *c, const REAL *init) {
    long j = 0;
    GEMM_ROW_LOOP(8, GEMM_EIGHT)
    GEMM_ROW_LOOP(1, GEMM_ONE)
}

/* sum[j] = or += the sum of column j */
GEMM_SHARED void FN(gemm_column_sum)(long k, long n, const REAL *b, long ldb, REAL *sum, int add) {
    long j = 0;
    for (; j <= n - 2 * LANES; j += 2 * LANES) { /* even and odd rows: four sums under way */
        VEC x = {0}, y = {0}, z = {0}, w = {0};
        const REAL *row = b + j;
        long p = 0;
        for (; p <= k - 2; p += 2, row += 2 * ldb) {
            x += GEMM_OF(row), y += GEMM_OF(row + LANES);
            z += GEMM_OF(row + ldb), w += GEMM_OF(row + ldb + LANES);
        }
        if (p < k) x += GEMM_OF(row), y += GEMM_OF(row + LANES);
        x += z, y += w;
        if (add) x += GEMM_OF(sum + j), y += GEMM_OF(sum + j + LANES);
        GEMM_AT(sum + j) = x, GEMM_AT(sum + j + LANES) = y;
    }
    for (long i = j; i < n && !add; i++) sum[i] = 0;
    for (long p = 0; p < k; p++)
        for (long i = j; i < n; i++) sum[i] += b[p * ldb + i];
}
