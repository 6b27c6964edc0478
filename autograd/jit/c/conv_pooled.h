/* What the gradients of a convolution before a max pool need (kernels/conv_pooled.py): images with
   zeros around them and behind their channels, and where the pool took its elements. */
#ifndef GLASSGRAD_CONV_POOLED
#define GLASSGRAD_CONV_POOLED
#include "conv.h"
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

/* `bytes` of each place of an image, whose rows and places are so many bytes apart */
INLINE void copy_places(void *to, long to_row, long to_place, const void *from, long from_row,
                        long from_place, long height, long width, long bytes) {
    for (long i = 0; i < height; i++)
        for (long j = 0; j < width; j++)
            memcpy((char *)to + i * to_row + j * to_place,
                   (const char *)from + i * from_row + j * from_place, bytes);
}

/* Bit o of taken[tap] says that filter o of n, at most 64, has its largest element at this tap of
   a pool's window, and that what flows there, g[o], is not 0. */
INLINE void taken_f32(long n, long taps, const uint8_t *index, const float *g, uint64_t *taken) {
#ifdef __AVX512BW__
    const uint64_t all = ~0ul >> (64 - n);
    const __m512i at = _mm512_maskz_loadu_epi8(all, index);
    uint64_t some = 0;
    for (long o = 0; o < n; o += 16) {
        const __m512 x = _mm512_maskz_loadu_ps((__mmask16)(all >> o), g + o);
        some |= (uint64_t)_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ) << o;
    }
    for (long t = 0; t < taps; t++)
        taken[t] = _mm512_mask_cmpeq_epi8_mask(some, at, _mm512_set1_epi8((char)t));
#else
    memset(taken, 0, taps * sizeof *taken);
    for (long o = 0; o < n; o++) taken[index[o]] |= (uint64_t)(g[o] != 0) << o;
#endif
}
INLINE void taken_f64(long n, long taps, const uint8_t *index, const double *g, uint64_t *taken) {
    memset(taken, 0, taps * sizeof *taken);
    for (long o = 0; o < n; o++) taken[index[o]] |= (uint64_t)(g[o] != 0) << o;
}
#endif
