/* The products of gemm.h for numbers of one type: REAL, in vectors VEC of LANES; FN(name) is a
   function's name for this type. Included once per type.

   A tile is a block of C, a few rows by one or two vectors, that stays in registers while the sum
   over k runs. A panel is all rows of C for one or two vectors of columns. */
#include "gemm_lines.h"
#ifndef GEMM_TILE
/* what there is to do for each row r of a tile, of one vector or two */
#define GEMM_BEGIN1(r, base, i) VEC s##r = {0};
#define GEMM_BEGIN2(r, base, i) VEC s##r = {0}, t##r = {0};
#define GEMM_SOON1(r, base, i) __builtin_prefetch(c + r * ldc, 1);
#define GEMM_SOON2(r, base, i)                                                                    \
    __builtin_prefetch(c + r * ldc, 1), __builtin_prefetch(c + r * ldc + LANES, 1);
#define GEMM_LOAD1 VEC x = GEMM_OF(b);
#define GEMM_LOAD2 VEC x = GEMM_OF(b), y = GEMM_OF(b + LANES);
#define GEMM_BY_ROW1(r, base, i) s##r += base[i * lda] * x;
#define GEMM_BY_ROW2(r, base, i) s##r += base[i * lda] * x, t##r += base[i * lda] * y;
#define GEMM_BY_COLUMN1(r, base, i) s##r += a[r] * x;
#define GEMM_BY_COLUMN2(r, base, i) s##r += a[r] * x, t##r += a[r] * y;
#define GEMM_INIT1(r, base, i) s##r += GEMM_OF(init + r * ldi);
#define GEMM_INIT2(r, base, i) GEMM_INIT1(r, base, i) t##r += GEMM_OF(init + r * ldi + LANES);
#define GEMM_END1(r, base, i) GEMM_AT(c + r * ldc) = s##r;
#define GEMM_END2(r, base, i) GEMM_AT(c + r * ldc) = s##r, GEMM_AT(c + r * ldc + LANES) = t##r;

#define GEMM_TILE(ROWS, V)                                                                        \
    GEMM_SHARED void FN(gemm_tile_by_row_##ROWS##x##V)(GEMM_TILE_ARGUMENTS) {                     \
        const REAL *a0 = a, *a3 = a + 3 * lda, *a6 = a + 6 * lda, *a9 = a + 9 * lda;              \
        __asm__("" : "+r"(a3), "+r"(a6), "+r"(a9)); /* not one pointer and many offsets */        \
        GEMM_ROWS_##ROWS(GEMM_BEGIN##V)                                                           \
        if (k > GEMM_NEAR) {                                                                      \
            GEMM_ROWS_##ROWS(GEMM_SOON##V)                                                        \
        }                                                                                         \
        GEMM_UNROLL for (long p = 0; p < k; p++) {                                                \
            GEMM_LOAD##V GEMM_ROWS_##ROWS(GEMM_BY_ROW##V)                                         \
            b += ldb, a0++, a3++, a6++, a9++;                                                     \
        }                                                                                         \
        if (init) {                                                                               \
            GEMM_ROWS_##ROWS(GEMM_INIT##V)                                                        \
        }                                                                                         \
        GEMM_ROWS_##ROWS(GEMM_END##V)                                                             \
    }                                                                                             \
    GEMM_SHARED void FN(gemm_tile_by_column_##ROWS##x##V)(GEMM_TILE_ARGUMENTS) {                  \
        GEMM_ROWS_##ROWS(GEMM_BEGIN##V)                                                           \
        if (k > GEMM_NEAR) {                                                                      \
            GEMM_ROWS_##ROWS(GEMM_SOON##V)                                                        \
        }                                                                                         \
        GEMM_UNROLL for (long p = 0; p < k; p++) {                                                \
            GEMM_LOAD##V GEMM_ROWS_##ROWS(GEMM_BY_COLUMN##V)                                      \
            b += ldb, a += lda;                                                                   \
        }                                                                                         \
        if (init) {                                                                               \
            GEMM_ROWS_##ROWS(GEMM_INIT##V)                                                        \
        }                                                                                         \
        GEMM_ROWS_##ROWS(GEMM_END##V)                                                             \
    }

#define GEMM_NAME_BY_ROW(ROWS, V) FN(gemm_tile_by_row_##ROWS##x##V),
#define GEMM_NAME_BY_COLUMN(ROWS, V) FN(gemm_tile_by_column_##ROWS##x##V),
#define GEMM_PACK_A(ROWS, _)                                                                      \
    for (; m - i >= ROWS; i += ROWS)                                                              \
        for (long p = first; p < end; p++)                                                        \
            memcpy(packed + i * k + p * ROWS, a + p * lda + i, ROWS * sizeof(REAL));
#endif

GEMM_HEIGHTS(GEMM_TILE, 2)
GEMM_HEIGHTS(GEMM_TILE, 1)

/* the memory of a matrix */
INLINE gemm_soon FN(gemm_soon)(const REAL *at, long rows, long columns, long row) {
    const long before = (uintptr_t)at % GEMM_LINE;
    return (gemm_soon){(const char *)at - before, rows, columns * (long)sizeof(REAL) + before,
                       row * (long)sizeof(REAL)};
}

typedef void FN(gemm_tile)(GEMM_TILE_ARGUMENTS);
static FN(gemm_tile) *const FN(gemm_tiles_by_row)[] __attribute__((unused)) = {
    GEMM_HEIGHTS(GEMM_NAME_BY_ROW, 1) GEMM_HEIGHTS(GEMM_NAME_BY_ROW, 2)};
static FN(gemm_tile) *const FN(gemm_tiles_by_column)[] __attribute__((unused)) = {
    GEMM_HEIGHTS(GEMM_NAME_BY_COLUMN, 1) GEMM_HEIGHTS(GEMM_NAME_BY_COLUMN, 2)};

/* A panel, n columns wide. Where n is no multiple of LANES, b has zeros behind its columns and
   the tiles go by way of a small array. A packed A is a row of tiles, as high as those here, each
   with column behind column. What is needed soon is fetched between the tiles. */
GEMM_SHARED void FN(gemm_panel)(FN(gemm_tile) *const *tiles, int packed, gemm_soon soon, long m,
                                long n, GEMM_TILE_ARGUMENTS) {
    REAL part[GEMM_TALL * 2 * LANES];
    const long step = packed ? k : tiles == FN(gemm_tiles_by_row) ? lda : 1;
    const int vectors = n > LANES ? 2 : 1, full = n == vectors * LANES;
    const long share = soon.rows * GEMM_TALL / m + 1;
    if (vectors == 2) tiles += sizeof gemm_heights / sizeof *gemm_heights;
    for (long i = 0, h = 0; i < m;) {
        const long rows = gemm_heights[h];
        if (m - i < rows) {
            h++;
            continue;
        }
        const REAL *from = init ? init + i * ldi : NULL;
        gemm_fetch(&soon, share);
        tiles[h](k, a + i * step, packed ? rows : lda, b, ldb, full ? c + i * ldc : part,
                 full ? ldc : 2 * LANES, full ? from : NULL, ldi);
        if (!full)
            for (long r = 0; r < rows; r++)
                for (long j = 0; j < n; j++)
                    c[(i + r) * ldc + j] = (from ? from[r * ldi + j] : 0) + part[r * 2 * LANES + j];
        i += rows;
    }
}

/* Tiles of A, which lies transposed. It is read a few whole rows at a time: of a column of tiles
   each row would be another line of the cache, and often of the same few places in it. */
GEMM_SHARED void FN(gemm_pack_a)(long m, long k, const REAL *a, long lda, REAL *packed) {
    const long few = 8;
    for (long first = 0, end; first < k; first = end) {
        end = k - first < few ? k : first + few;
        gemm_soon soon = FN(gemm_soon)(a + (first + 2 * few) * lda, few, m, lda);
        gemm_fetch(&soon, few);
        long i = 0;
        GEMM_HEIGHTS(GEMM_PACK_A, )
    }
}

/* how much of k at a time: equal parts */
INLINE long FN(gemm_deep)(long k) {
    const long parts = (k + GEMM_DEEP - 1) / GEMM_DEEP;
    return parts ? (k + parts - 1) / parts : 1;
}

/* a panel of B, `width` columns of which the first n exist: b[p*ldb + j] */
GEMM_SHARED void FN(gemm_pack_panel_n)(long n, long width, long k, const REAL *b, long ldb,
                                       REAL *packed) {
    for (long p = 0; p < k; p++, b += ldb, packed += width) {
        if (n == width)
            for (long j = 0; j < width; j += LANES) GEMM_AT(packed + j) = GEMM_OF(b + j);
        else
            for (long j = 0; j < width; j++) packed[j] = j < n ? b[j] : 0;
    }
}

/* the same of a transposed B: b[j*ldb + p] */
GEMM_SHARED void FN(gemm_pack_panel_t)(long n, long width, long k, const REAL *b, long ldb,
                                       REAL *packed) {
    const long square = 16 / sizeof(REAL);
    long p = 0;
    if (n == width)
        for (; p <= k - square; p += square)
            for (long j = 0; j < width; j += square)
                FN(gemm_turn)(b + j * ldb + p, ldb, packed + p * width + j, width);
    for (; p < k; p++)
        for (long j = 0; j < width; j++) packed[p * width + j] = j < n ? b[j * ldb + p] : 0;
}

/* Either form of A with either form of B; from the second part of k on, C is added to. */
INLINE void FN(gemm_any)(const int turned_a, int turned_b, long m, long n, GEMM_TILE_ARGUMENTS,
                         char *work) {
    if (!turned_a && k >= LANES &&
        (turned_b ? n == 1 || GEMM_DOT_PAYS(m, k) : n == 1 && ldb == 1)) {
        FN(gemm_dots)(m, n, k, a, lda, b, ldb, c, ldc, init, ldi);
        return;
    }
    if (m == 1 && !turned_b && n >= LANES) {
        const long whole = n / LANES * LANES;
        FN(gemm_row)(whole, k, a, turned_a ? lda : 1, b, ldb, c, init);
        if (whole == n) return;
        b += whole, c += whole, init = init ? init + whole : NULL, n -= whole;
    }
    if (n == 1 && turned_a && m >= LANES && ldc == 1 && (!init || ldi == 1)) {
        const long whole = m / LANES * LANES; /* C as a row: that of B times A */
        FN(gemm_row)(whole, k, b, turned_b ? 1 : ldb, a, lda, c, init);
        if (whole == m) return;
        a += whole, c += whole, init = init ? init + whole : NULL, m -= whole;
    }
    REAL *packed_b = (REAL *)work, *packed_a = packed_b + GEMM_DEEP * 2 * LANES;
    const int pack_a = turned_a && GEMM_PACK_A_PAYS(m, n, k);
    const int pack_b = turned_b || GEMM_PACK_B_PAYS(m, n, k);
    const long deep = FN(gemm_deep)(k);
    const long tall = pack_a ? GEMM_A_BLOCK * 4 / (long)sizeof(REAL) : m;
    for (long p = 0; p == 0 || p < k; p += deep) {
        const long kp = k - p < deep ? k - p : deep;
        for (long i = 0; i < m; i += tall) {
            const long mi = m - i < tall ? m - i : tall;
            const REAL *ai = turned_a ? a + p * lda + i : a + i * lda + p;
            if (pack_a) FN(gemm_pack_a)(mi, kp, ai, lda, packed_a);
            const REAL *from = p ? c + i * ldc : init ? init + i * ldi : NULL;
            const int adds = from == c + i * ldc;
            for (long j = 0; j < n; j += 2 * LANES) {
                const long width = n - j > LANES ? 2 * LANES : LANES;
                long first = j, columns = n - j < width ? n - j : width;
                if (columns < width && n >= width && !adds) /* some columns are computed twice */
                    first = n - width, columns = width;
                const REAL *bj = turned_b ? b + first * ldb + p : b + p * ldb + first;
                const int pack = pack_b || columns < width;
                gemm_soon soon = {0};
                if (pack_b && i == 0) { /* the next panel: later it lies in the L2 cache */
                    const long x = j + width < n ? j + width : 0, q = x ? p : p + deep;
                    const long right = n - x < width ? n - x : width;
                    const long down = k - q < deep ? k - q : deep;
                    soon = turned_b ? FN(gemm_soon)(b + x * ldb + q, right, down, ldb)
                                    : FN(gemm_soon)(b + q * ldb + x, down, right, ldb);
                }
                if (turned_b)
                    FN(gemm_pack_panel_t)(columns, width, kp, bj, ldb, packed_b);
                else if (pack)
                    FN(gemm_pack_panel_n)(columns, width, kp, bj, ldb, packed_b);
                FN(gemm_panel)
                (turned_a ? FN(gemm_tiles_by_column) : FN(gemm_tiles_by_row), pack_a, soon, mi,
                 columns, kp, pack_a ? packed_a : ai, lda, pack ? packed_b : bj, pack ? width : ldb,
                 c + i * ldc + first, ldc, from ? from + first : NULL, p ? ldc : ldi);
            }
        }
    }
}

/* The same with a B that lies packed: panel behind panel, each row of a panel behind the other. */
INLINE void FN(gemm_any_packed)(const int turned_a, long m, long n, GEMM_TILE_ARGUMENTS) {
    const long deep = FN(gemm_deep)(k);
    for (long p = 0; p == 0 || p < k; p += deep) {
        const long kp = k - p < deep ? k - p : deep;
        const REAL *from = p ? c : init;
        for (long j = 0; j < n; j += 2 * LANES) {
            const long width = n - j > LANES ? 2 * LANES : LANES;
            FN(gemm_panel)
            (turned_a ? FN(gemm_tiles_by_column) : FN(gemm_tiles_by_row), 0, (gemm_soon){0}, m,
             n - j < width ? n - j : width, kp, turned_a ? a + p * lda : a + p, lda,
             b + j * k + p * width, width, c + j, ldc, from ? from + j : NULL, p ? ldc : ldi);
        }
    }
}

#ifndef GEMM_ARGUMENTS
#define GEMM_ARGUMENTS long m, long n, GEMM_TILE_ARGUMENTS
#define GEMM_GIVEN m, n, k, a, lda, b, ldb, c, ldc, init, ldi
#define GEMM_PACKED_ARGUMENTS                                                                     \
    long m, long n, long k, const REAL *a, long lda, const REAL *packed, REAL *c, long ldc,       \
        const REAL *init, long ldi
#endif
GEMM_SHARED void FN(gemm_by_row)(int turned_b, GEMM_ARGUMENTS, char *work) {
    FN(gemm_any)(0, turned_b, GEMM_GIVEN, work);
}
GEMM_SHARED void FN(gemm_by_column)(int turned_b, GEMM_ARGUMENTS, char *work) {
    FN(gemm_any)(1, turned_b, GEMM_GIVEN, work);
}
INLINE void FN(gemm_nn)(GEMM_ARGUMENTS, char *work) { FN(gemm_by_row)(0, GEMM_GIVEN, work); }
INLINE void FN(gemm_nt)(GEMM_ARGUMENTS, char *work) { FN(gemm_by_row)(1, GEMM_GIVEN, work); }
INLINE void FN(gemm_tn)(GEMM_ARGUMENTS, char *work) { FN(gemm_by_column)(0, GEMM_GIVEN, work); }
INLINE void FN(gemm_tt)(GEMM_ARGUMENTS, char *work) { FN(gemm_by_column)(1, GEMM_GIVEN, work); }
GEMM_SHARED void FN(gemm_np)(GEMM_PACKED_ARGUMENTS) {
    FN(gemm_any_packed)(0, m, n, k, a, lda, packed, 0, c, ldc, init, ldi);
}
GEMM_SHARED void FN(gemm_tp)(GEMM_PACKED_ARGUMENTS) {
    FN(gemm_any_packed)(1, m, n, k, a, lda, packed, 0, c, ldc, init, ldi);
}

INLINE long FN(gemm_packed_size)(long n, long k) { return (n + LANES - 1) / LANES * LANES * k; }
INLINE void FN(gemm_pack)(const int turned, long n, long k, const REAL *b, long ldb,
                          REAL *packed) {
    for (long j = 0; j < n; j += 2 * LANES) {
        const long width = n - j > LANES ? 2 * LANES : LANES;
        (turned ? FN(gemm_pack_panel_t) : FN(gemm_pack_panel_n))(
            n - j < width ? n - j : width, width, k, b + j * (turned ? ldb : 1), ldb,
            packed + j * k);
    }
}
INLINE void FN(gemm_pack_n)(long n, long k, const REAL *b, long ldb, REAL *packed) {
    FN(gemm_pack)(0, n, k, b, ldb, packed);
}
INLINE void FN(gemm_pack_t)(long n, long k, const REAL *b, long ldb, REAL *packed) {
    FN(gemm_pack)(1, n, k, b, ldb, packed);
}
