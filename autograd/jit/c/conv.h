/* What all convolution kernels share: images with zeros around them, kernels packed for the
   register tiles. Sizes in bytes serve floats and doubles alike. */
#ifndef GLASSGRAD_CONV
#define GLASSGRAD_CONV
#include "vectors.h"

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

INLINE long least(long a, long b) { return a < b ? a : b; }

/* x where that is not negative, else 0; NaN stays NaN */
INLINE vf reluf(vf x) { return (vf)((vi)x & ~(vi)(x < 0.0f)); }
INLINE vd relud(vd x) { return (vd)((vl)x & ~(vl)(x < 0.0)); }

/* Rows of an image, from row `first` on, with zeros around them: a row that the image (`height`
   rows of `width` bytes) does not have is zeros; `left` and `right` bytes of zeros enclose each. */
INLINE void copy_padded(void *to, const void *image, long first, long rows, long height,
                        long left, long width, long right) {
    char *row = to;
    for (long i = first; i < first + rows; i++, row += left + width + right) {
        if (i < 0 || i >= height) {
            memset(row, 0, left + width + right);
            continue;
        }
        memset(row, 0, left);
        memcpy(row + left, (const char *)image + i * width, width);
        memset(row + left + width, 0, right);
    }
}

/* Columns of a matrix as a panel whose rows lie one behind the other: `width` bytes of each row,
   and zeros up to `panel` bytes. */
INLINE void pack_panel(void *to, const void *from, long rows, long row, long width, long panel) {
    char *out = to;
    for (long i = 0; i < rows; i++, out += panel) {
        memcpy(out, (const char *)from + i * row, width);
        memset(out + width, 0, panel - width);
    }
}

/* The same of a transposed matrix: `columns` of its rows (each `row` bytes) become the panel's
   columns; an element has `size` bytes. */
INLINE void pack_transposed(void *to, const void *from, long rows, long row, long columns,
                            long panel, long size) {
    char *out = to;
    for (long i = 0; i < rows; i++, out += panel) {
        for (long j = 0; j < columns; j++)
            memcpy(out + j * size, (const char *)from + j * row + i * size, size);
        memset(out + columns * size, 0, panel - columns * size);
    }
}
#endif
