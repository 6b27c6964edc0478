/* Attention (attention.h) for numbers of one type, REAL, in vectors VEC of LANES. */

/* 4 x 4 numbers, transposed and scaled */
INLINE void FN(attention_turn_block)(const REAL *from, long row, REAL scale, REAL *to,
                                     long to_row) {
    typedef FN(attention_quad) quad;
    const quad a = *(const quad *)from, b = *(const quad *)(from + row);
    const quad c = *(const quad *)(from + 2 * row), d = *(const quad *)(from + 3 * row);
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5); /* a0 b0 a1 b1 */
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const quad AB = __builtin_shufflevector(a, b, 2, 6, 3, 7); /* a2 b2 a3 b3 */
    const quad CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(quad *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5) * scale;
    *(quad *)(to + to_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7) * scale;
    *(quad *)(to + 2 * to_row) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5) * scale;
    *(quad *)(to + 3 * to_row) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7) * scale;
}

/* to (n, columns) = scale · the transpose of from (rows, n), and zeros in the columns beyond */
KERNEL void FN(attention_turn)(long rows, long n, const REAL *from, long row, REAL scale, REAL *to,
                               long columns) {
    const long whole = rows / 4 * 4, across = n / 4 * 4;
    for (long i = 0; i < whole; i += 4) {
        for (long j = 0; j < across; j += 4)
            FN(attention_turn_block)(from + i * row + j, row, scale, to + j * columns + i, columns);
        for (long j = across; j < n; j++)
            for (long r = i; r < i + 4; r++) to[j * columns + r] = from[r * row + j] * scale;
    }
    for (long j = 0; j < n; j++) {
        for (long i = whole; i < rows; i++) to[j * columns + i] = from[i * row + j] * scale;
        for (long i = rows; i < columns; i++) to[j * columns + i] = 0;
    }
}

/* rows that are needed soon are fetched into the cache */
INLINE void FN(attention_fetch)(long rows, long n, const REAL *from, long row) {
    gemm_soon soon = FN(gemm_soon)(from, rows, n, row);
    gemm_fetch(&soon, rows);
}

INLINE VEC FN(attention_load)(const REAL *p) { return *(const VEC *)p; }
INLINE void FN(attention_store)(REAL *p, VEC x) { *(VEC *)p = x; }
INLINE VEC FN(attention_choose)(MASK where, VEC yes, VEC no) {
    return (VEC)((where & (MASK)yes) | (~where & (MASK)no));
}
INLINE VEC FN(attention_larger)(VEC x, VEC y) {
    REAL a[LANES], b[LANES]; /* a loop over lanes becomes one instruction, `choose` three */
    FN(attention_store)(a, x);
    FN(attention_store)(b, y);
    _Pragma("omp simd") for (int i = 0; i < LANES; i++) a[i] = a[i] > b[i] ? a[i] : b[i];
    return FN(attention_load)(a);
}

/* e^x for x ≤ 0, with 0 for what is lost beside 1; NaN stays */
INLINE VEC FN(attention_exp)(VEC x) {
    REAL lane[LANES];
    FN(attention_store)(lane, x);
    _Pragma("omp simd") for (int i = 0; i < LANES; i++) {
        const REAL near = lane[i] < -80 ? -80 : lane[i], p = FN(exp_moderate)(near);
        lane[i] = lane[i] < -80 ? 0 : p;
    }
    return FN(attention_load)(lane);
}

/* Which queries of a panel are worked on, and the room for it. */
typedef struct {
    long first, rows;  /* the queries first … first + rows */
    long columns;      /* their number as a multiple of the lanes */
    REAL *turned;      /* room for (width, columns) */
    char *work;        /* room for gemm.h */
} FN(attention_panel);

INLINE FN(attention_panel) FN(attention_panel_at)(const attention_shape *s, long first,
                                                  REAL *turned, char *work) {
    const long left = s->queries - first, rows = left < s->panel ? left : s->panel;
    return (FN(attention_panel)){first, rows, (rows + LANES - 1) / LANES * LANES, turned, work};
}

/* A panel goes in steps, of which each sees more keys than the one before; without `causal` the
   first sees them all. This is where the step of query i ends. */
INLINE long FN(attention_step)(const FN(attention_panel) *p, long i) {
    const long step = 64 / sizeof(REAL);
    return p->rows - i < step ? p->rows : i + step;
}

/* scores (keys, columns) = scale · a (keys, n) · bᵀ for b (queries, n), where queries see keys */
KERNEL void FN(attention_products)(const attention_shape *s, const FN(attention_panel) *p, long n,
                                   const REAL *a, long a_row, const REAL *b, long b_row, REAL scale,
                                   REAL *scores) {
    FN(attention_turn)(p->rows, n, b + p->first * b_row, b_row, scale, p->turned, p->columns);
    for (long i = 0, end, from = 0, seen; i < p->rows; i = end, from = seen) {
        end = FN(attention_step)(p, i), seen = attention_seen(s, p->first + end);
        if (from < seen) /* keys that are new: the queries before do not see them */
            FN(gemm_nn)(seen - from, p->columns - i, n, a + from * a_row, a_row, p->turned + i,
                        p->columns, scores + from * p->columns + i, p->columns, NULL, 0, p->work);
    }
}

/* z (queries, n) = scoresᵀ · a (keys, n) */
KERNEL void FN(attention_to_queries)(const attention_shape *s, const FN(attention_panel) *p, long n,
                                     const REAL *scores, const REAL *a, long a_row, REAL *z,
                                     long z_row) {
    z += p->first * z_row;
    for (long i = 0, end; i < p->rows; i = end) {
        end = s->causal ? FN(attention_step)(p, i) : p->rows;
        FN(gemm_tn)(end - i, n, attention_seen(s, p->first + end), scores + i, p->columns, a, a_row,
                    z + i * z_row, z_row, NULL, 0, p->work);
    }
}

/* z (keys, n) = scores · a (queries, n), or added to it */
KERNEL void FN(attention_to_keys)(const attention_shape *s, const FN(attention_panel) *p, long n,
                                  const REAL *scores, const REAL *a, long a_row, int add, REAL *z,
                                  long z_row) {
    a += p->first * a_row;
    for (long i = 0, end, from = 0, seen; i < p->rows; i = end, from = seen) {
        end = FN(attention_step)(p, i), seen = attention_seen(s, p->first + end);
        REAL *at = z + from * z_row;
        if (from < seen)
            FN(gemm_nn)(seen - from, n, p->rows - i, scores + from * p->columns + i, p->columns,
                        a + i * a_row, a_row, at, z_row, add ? at : NULL, z_row, p->work);
    }
}

/* mask is added to the scores of the queries i … end, the last of which sees `seen` keys */
KERNEL void FN(attention_mask)(const attention_shape *s, const FN(attention_panel) *p, long i,
                               long end, long seen, const REAL *mask, REAL *scores) {
    mask += p->first * s->mask_query;
    for (long j = 0; j < seen; j++)
        for (long r = i; r < end; r++)
            scores[j * p->columns + r] += mask[r * s->mask_query + j * s->mask_key];
}

/* -inf where a query must not see a key */
KERNEL void FN(attention_hide)(const attention_shape *s, const FN(attention_panel) *p, long i,
                               long seen, REAL *scores) {
    const VEC never = (VEC){0} - INFINITY;
    const long free = p->first + i + s->keys - s->queries + 1; /* all queries see so many keys */
    for (long j = free < 0 ? 0 : free; j < seen; j++)
        for (long c = i, hidden = i + j + 1 - free; c < p->columns && c < hidden; c += LANES) {
            const MASK query = *(const MASK *)FN(attention_lane) + (int)c;
            REAL *at = scores + j * p->columns + c;
            const VEC score = FN(attention_load)(at);
            FN(attention_store)(at, FN(attention_choose)(query < (int)hidden, never, score));
        }
}

/* The scores of a panel: scale · k qᵀ + mask, and -inf where a query must not see a key. */
KERNEL void FN(attention_scores)(const attention_shape *s, const FN(attention_panel) *p,
                                 const REAL *q, const REAL *k, const REAL *mask, REAL *scores) {
    FN(attention_products)(s, p, s->width, k, s->k_row, q, s->q_row, s->scale, scores);
    for (long i = 0, end; i < p->rows; i = end) {
        end = FN(attention_step)(p, i);
        const long seen = attention_seen(s, p->first + end);
        if (mask) FN(attention_mask)(s, p, i, end, seen, mask, scores);
        if (s->causal) FN(attention_hide)(s, p, i, seen, scores);
    }
}

/* exp(x - largest x) in place, down the columns (seen, LANES) at `at`. `parts` becomes 1 / its sum,
   `logs` the logarithm of the sum of exp(x). */
KERNEL void FN(attention_softmax)(long seen, long columns, REAL *at, REAL *parts, REAL *logs) {
    VEC top = FN(attention_load)(at), total = {0};
    for (long j = 1; j < seen; j++)
        top = FN(attention_larger)(FN(attention_load)(at + j * columns), top);
    top = FN(attention_choose)(top == -INFINITY, total, top); /* a query that sees no key */
    for (long j = 0; j < seen; j++) {
        const VEC p = FN(attention_exp)(FN(attention_load)(at + j * columns) - top);
        FN(attention_store)(at + j * columns, p);
        total += p;
    }
    REAL sum[LANES];
    FN(attention_store)(sum, total);
    _Pragma("omp simd") for (int i = 0; i < LANES; i++) {
        const REAL t = sum[i] == 0 ? 1 : sum[i];
        parts[i] = 1 / t;
        logs[i] = top[i] + FN(log)(t);
    }
}

/* a row times a number */
INLINE void FN(attention_scale)(long n, REAL scale, REAL *row) {
    long j = 0;
    for (; j + LANES <= n; j += LANES)
        FN(attention_store)(row + j, FN(attention_load)(row + j) * scale);
    for (; j < n; j++) row[j] *= scale;
}

/* z (queries, value_width) of one head, and its rows' log-sums */
KERNEL void FN(attention_head)(const attention_shape *s, const REAL *q, const REAL *k,
                               const REAL *v, const REAL *mask, REAL *z, REAL *logs, char *work) {
    REAL *parts = (REAL *)(work + GEMM_WORK), *sums = parts + s->panel;
    REAL *turned = sums + s->panel, *scores = turned + s->width * s->panel;
    for (long first = 0; first < s->queries; first += s->panel) {
        const FN(attention_panel) here = FN(attention_panel_at)(s, first, turned, work), *p = &here;
        FN(attention_scores)(s, p, q, k, mask, scores);
        for (long i = 0, end; i < p->rows; i = end) {
            end = FN(attention_step)(p, i);
            const long seen = attention_seen(s, first + end);
            for (long c = i; c < end; c += LANES)
                FN(attention_softmax)(seen, p->columns, scores + c, parts + c, sums + c);
        }
        memcpy(logs + first, sums, p->rows * sizeof(REAL));
        FN(attention_to_queries)(s, p, s->value_width, scores, v, s->v_row, z, s->z_row);
        for (long i = 0; i < p->rows; i++)
            FN(attention_scale)(s->value_width, parts[i], z + (first + i) * s->z_row);
    }
}

/* Down the columns (seen, LANES): p = exp(score - logs) in place, and where dp was
   ds = scale · p · (dp - sum of p · dp) */
KERNEL void FN(attention_softmax_grad)(long seen, long columns, const REAL *logs, REAL scale,
                                       REAL *scores, REAL *dp) {
    const VEC log = FN(attention_load)(logs);
    VEC sum = {0};
    for (long j = 0; j < seen; j++) {
        REAL *at = scores + j * columns;
        const VEC p = FN(attention_exp)(FN(attention_load)(at) - log);
        FN(attention_store)(at, p);
        sum += p * FN(attention_load)(dp + j * columns);
    }
    for (long j = 0; j < seen; j++) {
        const VEC p = FN(attention_load)(scores + j * columns) * scale;
        FN(attention_store)(dp + j * columns, p * (FN(attention_load)(dp + j * columns) - sum));
    }
}

/* gq, gk and gv of one head, where g is the gradient of z; the gradient of the mask is added to
   gmask, unless that is NULL */
KERNEL void FN(attention_grad_head)(const attention_shape *s, const attention_grad_shape *d,
                                    const REAL *g, const REAL *logs, const REAL *q, const REAL *k,
                                    const REAL *v, const REAL *mask, REAL *gq, REAL *gk, REAL *gv,
                                    REAL *gmask, char *work) {
    const REAL scale = s->scale;
    REAL *sums = (REAL *)(work + GEMM_WORK), *turned = sums + s->panel;
    const long width = s->width > s->value_width ? s->width : s->value_width;
    REAL *scores = turned + width * s->panel, *ds = scores + s->keys * s->panel;
    /* The last panel sees all keys: it sets gk and gv, the others add to them. */
    const long last = (s->queries - 1) / s->panel * s->panel;
    for (long first = last; first >= 0; first -= s->panel) {
        const FN(attention_panel) here = FN(attention_panel_at)(s, first, turned, work), *p = &here;
        memset(sums, 0, p->columns * sizeof(REAL));
        memcpy(sums, logs + first, p->rows * sizeof(REAL));
        FN(attention_scores)(s, p, q, k, mask, scores);
        FN(attention_products)(s, p, s->value_width, v, s->v_row, g, d->g_row, 1, ds);
        for (long i = 0, end; i < p->rows; i = end) {
            end = FN(attention_step)(p, i);
            const long seen = attention_seen(s, first + end);
            for (long c = i; c < end; c += LANES)
                FN(attention_softmax_grad)(seen, p->columns, sums + c, gmask ? 1 : scale,
                                           scores + c, ds + c);
            for (long j = 0; gmask && j < seen; j++)
                for (long r = i; r < end; r++) {
                    REAL *x = ds + j * p->columns + r;
                    gmask[(first + r) * d->gmask_query + j * d->gmask_key] += *x;
                    *x *= scale;
                }
        }
        const int add = first < last;
        FN(attention_to_keys)(s, p, s->value_width, scores, g, d->g_row, add, gv, d->gv_row);
        FN(attention_to_keys)(s, p, s->width, ds, q, s->q_row, add, gk, d->gk_row);
        FN(attention_to_queries)(s, p, s->width, ds, k, s->k_row, gq, d->gq_row);
    }
}
