/* Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011): random words by counting. Word i of a key's
   stream is lane i % 4 of the block whose counter is i / 4. */
#ifndef GLASSGRAD_PHILOX
#define GLASSGRAD_PHILOX
#include "vectors.h"

#define PHILOX_BLOCKS 16 /* computed side by side, which the compiler makes vectors of */

/* the words of 16 blocks from `counter` on, in their order */
INLINE void philox(uint64_t key, uint64_t counter, uint32_t *words) {
    uint32_t c0[PHILOX_BLOCKS], c1[PHILOX_BLOCKS], c2[PHILOX_BLOCKS], c3[PHILOX_BLOCKS];
    for (int i = 0; i < PHILOX_BLOCKS; i++) {
        c0[i] = (uint32_t)(counter + i);
        c1[i] = (uint32_t)((counter + i) >> 32);
        c2[i] = c3[i] = 0;
    }
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PHILOX_BLOCKS; i++) {
            const uint64_t p0 = (uint64_t)c0[i] * 0xD2511F53u, p2 = (uint64_t)c2[i] * 0xCD9E8D57u;
            const uint32_t x0 = (uint32_t)(p2 >> 32) ^ c1[i] ^ k0;
            const uint32_t x2 = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c0[i] = x0, c1[i] = (uint32_t)p2, c2[i] = x2, c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    for (int i = 0; i < PHILOX_BLOCKS; i++) {
        words[4 * i] = c0[i], words[4 * i + 1] = c1[i];
        words[4 * i + 2] = c2[i], words[4 * i + 3] = c3[i];
    }
}

/* the words first, ..., first + n - 1 of a key's stream, for n up to 60 */
INLINE const uint32_t *philox_words(uint64_t key, uint64_t first, uint32_t *space) {
    philox(key, first >> 2, space);
    return space + (first & 3);
}
#define PHILOX_WORDS (4 * PHILOX_BLOCKS - 4) /* how many it gives, wherever the first one is */
#endif
