/* Attention of one head, softmax(scale · q kᵀ + mask) v, and its gradient.

   Queries are worked on some at a time, a panel, whose scores lie as (keys, queries): softmax then
   works down columns, a vector of queries at a time, and never along a vector.  Kept for the
   gradient are the logarithms of the columns' sums, from which it computes the panel's weights anew
   (FlashAttention: Dao et al. 2022). Keys that no query of a panel may see are left out. */
#ifndef GLASSGRAD_ATTENTION
#define GLASSGRAD_ATTENTION
#include "gemm.h"
#include "maths.h"

typedef struct {
    long queries, keys;       /* Tq, Tk */
    long width, value_width;  /* of a query or key, of a value or result */
    double scale;             /* of the scores */
    int causal;               /* query i sees the keys up to i + Tk - Tq */
    long panel;               /* queries that are worked on together: a multiple of the lanes */
    long q_row, k_row, v_row; /* from row to row, in elements */
    long z_row;               /* of the result */
    long mask_query, mask_key; /* from query to query and key to key of the mask */
} attention_shape;

typedef struct {
    long g_row, gq_row, gk_row, gv_row; /* from row to row of the gradients */
    long gmask_query, gmask_key;
} attention_grad_shape;

/* how many keys some query before `end` may see; one if there is none */
INLINE long attention_seen(const attention_shape *s, long end) {
    const long seen = end + s->keys - s->queries;
    return !s->causal || seen > s->keys ? s->keys : seen < 1 ? 1 : seen;
}

static const int32_t attention_lane_f32[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};
static const int64_t attention_lane_f64[8] = {0, 1, 2, 3, 4, 5, 6, 7};

typedef float attention_quad_f32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef double attention_quad_f64 __attribute__((vector_size(32), aligned(8), may_alias));

#define REAL float
#define VEC vf
#define MASK vi
#define LANES VF
#define FN(name) name##_f32
#include "attention_body.h"
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
#include "attention_body.h"
#undef REAL
#undef VEC
#undef MASK
#undef LANES
#undef FN
#endif
