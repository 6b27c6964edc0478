/* The gates of recurrent.h for numbers of one type, REAL, in functions whose names end in FN.
   Included once per type. `size`, the H of the network, is a constant where they are called. */

#define EACH _Pragma("omp simd") for (long j = 0; j < size; j++)

INLINE void FN(copy_row)(const long size, const REAL *restrict from, REAL *restrict to) {
    EACH to[j] = from[j];
}
INLINE void FN(add_row)(const long size, const REAL *restrict from, REAL *restrict to) {
    EACH to[j] += from[j];
}
INLINE void FN(clear_row)(const long size, REAL *restrict to) {
    EACH to[j] = 0;
}

/* σ(x), from -80 to 80; beyond, it is 0 and 1 for a gate's purpose */
INLINE REAL FN(gate)(REAL x) {
    x = x > 80 ? 80 : x < -80 ? -80 : x;
    return 1 / (1 + FN(exp_moderate)(-x));
}

/* [i, f, g, o] = z,  c ← σ(f) c + σ(i) tanh(g),  h ← σ(o) tanh(c); `gates` keeps all four */
INLINE void FN(lstm_gates)(const long size, const REAL *restrict z, const REAL *restrict before,
                           REAL *restrict gates, REAL *restrict c, REAL *restrict h) {
    EACH {
        const REAL i = FN(gate)(z[j]), f = FN(gate)(z[size + j]);
        const REAL g = FN(tanh)(z[2 * size + j]), o = FN(gate)(z[3 * size + j]);
        const REAL now = f * before[j] + i * g;
        gates[j] = i, gates[size + j] = f, gates[2 * size + j] = g, gates[3 * size + j] = o;
        c[j] = now;
        h[j] = o * FN(tanh)(now);
    }
}
INLINE void FN(lstm_gates_grad)(const long size, const REAL *restrict gates,
                                const REAL *restrict before, const REAL *restrict c,
                                const REAL *restrict gy, const REAL *restrict dh,
                                REAL *restrict dc, REAL *restrict dz) {
    EACH {
        const REAL i = gates[j], f = gates[size + j], g = gates[2 * size + j];
        const REAL o = gates[3 * size + j], tanh_c = FN(tanh)(c[j]), d = dh[j] + gy[j];
        const REAL e = dc[j] + d * o * (1 - tanh_c * tanh_c);
        dz[j] = e * g * i * (1 - i); /* σ' = σ (1 - σ), tanh' = 1 - tanh² */
        dz[size + j] = e * before[j] * f * (1 - f);
        dz[2 * size + j] = e * i * (1 - g * g);
        dz[3 * size + j] = d * tanh_c * o * (1 - o);
        dc[j] = e * f;
    }
}

/* z = σ(p_z + q_z),  r = σ(p_r + q_r),  n = tanh(p_n + r q_n),  h ← z h + (1 - z) n; `gates` keeps
   z, r, n and q_n */
INLINE void FN(gru_gates)(const long size, const REAL *restrict p, const REAL *restrict q,
                          const REAL *restrict before, REAL *restrict gates, REAL *restrict h) {
    EACH {
        const REAL z = FN(gate)(p[j] + q[j]), r = FN(gate)(p[size + j] + q[size + j]);
        const REAL n = FN(tanh)(p[2 * size + j] + r * q[2 * size + j]);
        gates[j] = z, gates[size + j] = r, gates[2 * size + j] = n;
        gates[3 * size + j] = q[2 * size + j];
        h[j] = n + z * (before[j] - n);
    }
}
INLINE void FN(gru_gates_grad)(const long size, const REAL *restrict gates,
                               const REAL *restrict before, const REAL *restrict gy,
                               REAL *restrict dh, REAL *restrict dp, REAL *restrict dq) {
    EACH {
        const REAL z = gates[j], r = gates[size + j], n = gates[2 * size + j];
        const REAL q = gates[3 * size + j], d = dh[j] + gy[j];
        const REAL dn = d * (1 - z) * (1 - n * n), dz = d * (before[j] - n) * z * (1 - z);
        const REAL dr = dn * q * r * (1 - r);
        dp[j] = dz, dp[size + j] = dr, dp[2 * size + j] = dn;
        dq[j] = dz, dq[size + j] = dr, dq[2 * size + j] = dn * r;
        dh[j] = d * z;
    }
}

/* h ← tanh(z), or relu(z) where NaN stays NaN */
INLINE void FN(rnn_tanh)(const long size, const REAL *restrict z, REAL *restrict h) {
    EACH h[j] = FN(tanh)(z[j]);
}
INLINE void FN(rnn_relu)(const long size, const REAL *restrict z, REAL *restrict h) {
    EACH h[j] = z[j] < 0 ? 0 : z[j];
}
INLINE void FN(rnn_tanh_grad)(const long size, const REAL *restrict h, const REAL *restrict gy,
                              const REAL *restrict dh, REAL *restrict dz) {
    EACH dz[j] = (dh[j] + gy[j]) * (1 - h[j] * h[j]);
}
INLINE void FN(rnn_relu_grad)(const long size, const REAL *restrict h, const REAL *restrict gy,
                              const REAL *restrict dh, REAL *restrict dz) {
    EACH dz[j] = (dh[j] + gy[j]) * (h[j] > 0 ? 1 : 0);
}
#undef EACH
