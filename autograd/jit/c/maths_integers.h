/* Arithmetic of integers as NumPy has it: what overflows wraps around, // and % round down, and a
   division by 0 gives 0.  NAME_i8 … NAME_i64, NAME_u8 … NAME_u64. */
#ifndef GLASSGRAD_MATHS_INTEGERS
#define GLASSGRAD_MATHS_INTEGERS
#include "maths_bits.h"

/* T's sums are computed in U, unsigned and at least as wide as int, where nothing overflows. */
#define WRAPPING_(T, U, S)                                                                 \
    INLINE T add_##S(T x, T y) { return (T)((U)x + (U)y); }                                \
    INLINE T sub_##S(T x, T y) { return (T)((U)x - (U)y); }                                \
    INLINE T mul_##S(T x, T y) { return (T)((U)x * (U)y); }                                \
    INLINE T neg_##S(T x) { return (T)(0 - (U)x); }                                        \
    INLINE T square_##S(T x) { return mul_##S(x, x); }                                     \
    INLINE T cube_##S(T x) { return mul_##S(mul_##S(x, x), x); }                           \
    INLINE T maximum_##S(T x, T y) { return x < y ? y : x; }                               \
    INLINE T minimum_##S(T x, T y) { return x > y ? y : x; }                               \
    INLINE T pow_##S(T x, T y) { /* by squaring; a negative y counts as 0 */               \
        T z = 1;                                                                           \
        for (; y > 0; y >>= 1, x = mul_##S(x, x))                                          \
            if (y & 1) z = mul_##S(z, x);                                                  \
        return z;                                                                          \
    }

#define SIGNED_(T, U, S)                                                                   \
    WRAPPING_(T, U, S)                                                                     \
    INLINE T abs_##S(T x) { return x < 0 ? neg_##S(x) : x; }                               \
    INLINE T sign_##S(T x) { return (T)((x > 0) - (x < 0)); }                              \
    INLINE T floordiv_##S(T x, T y) {                                                      \
        if (y == 0) return 0;                                                              \
        if (y == -1) return neg_##S(x); /* the smallest / -1 overflows */                  \
        return (T)(x / y - (x % y != 0 && (x < 0) != (y < 0)));                            \
    }                                                                                      \
    INLINE T mod_##S(T x, T y) {                                                           \
        if (y == 0 || y == -1) return 0;                                                   \
        T r = (T)(x % y);                                                                  \
        return r != 0 && (x < 0) != (y < 0) ? (T)(r + y) : r;                              \
    }                                                                                      \
    INLINE T shl_##S(T x, T n) { return (U)n < 8 * sizeof(T) ? (T)((U)x << n) : 0; }       \
    INLINE T shr_##S(T x, T n) {                                                           \
        return (T)(x >> ((U)n < 8 * sizeof(T) ? n : (T)(8 * sizeof(T) - 1)));              \
    }

#define UNSIGNED_(T, U, S)                                                                 \
    WRAPPING_(T, U, S)                                                                     \
    INLINE T abs_##S(T x) { return x; }                                                    \
    INLINE T sign_##S(T x) { return x > 0; }                                               \
    INLINE T floordiv_##S(T x, T y) { return y ? (T)(x / y) : 0; }                         \
    INLINE T mod_##S(T x, T y) { return y ? (T)(x % y) : 0; }                              \
    INLINE T shl_##S(T x, T n) { return n < 8 * sizeof(T) ? (T)((U)x << n) : 0; }          \
    INLINE T shr_##S(T x, T n) { return n < 8 * sizeof(T) ? (T)(x >> n) : 0; }

SIGNED_(int8_t, uint32_t, i8)
SIGNED_(int16_t, uint32_t, i16)
SIGNED_(int32_t, uint32_t, i32)
SIGNED_(int64_t, uint64_t, i64)
UNSIGNED_(uint8_t, uint32_t, u8)
UNSIGNED_(uint16_t, uint32_t, u16)
UNSIGNED_(uint32_t, uint32_t, u32)
UNSIGNED_(uint64_t, uint64_t, u64)
#undef WRAPPING_
#undef SIGNED_
#undef UNSIGNED_
#endif
