/* The transforms of winograd.h for numbers of one type: REAL, in registers VEC of LANES; FN(name)
   is a function's name for this type. Included once per type. */

/* A kernel of 9 planes of n numbers, n a multiple of LANES, to 16 planes. */
KERNEL void FN(winograd_kernel)(const REAL *restrict w, long n, REAL *restrict out, long plane) {
    for (long c = 0; c < n; c += LANES) {
        VEC k[4][4];
        UNROLL for (int p = 0; p < 3; p++)
            UNROLL for (int q = 0; q < 3; q++) k[p][q] = LOAD(w + (p * 3 + q) * n + c);
        UNROLL for (int q = 0; q < 3; q++) WINOGRAD_KERNEL(k[0][q], k[1][q], k[2][q], k[3][q]);
        UNROLL for (int p = 0; p < 4; p++) {
            WINOGRAD_KERNEL(k[p][0], k[p][1], k[p][2], k[p][3]);
            UNROLL for (int q = 0; q < 4; q++) STORE(out + (p * 4 + q) * plane + c, k[p][q]);
        }
    }
}

/* The window of 4 × 4 places at row i and column j of an image (height, width, n), with zeros
   around it, to 16 planes; `room` is scratch memory for one window. */
KERNEL void FN(winograd_window)(const REAL *restrict image, long height, long width, long n, long i,
                                long j, REAL *restrict out, long plane, REAL *restrict room) {
    const REAL *from = image + (i * width + j) * n;
    long row = width * n;
    if (i < 0 || j < 0 || i + 4 > height || j + 4 > width) {
        for (long p = 0; p < 4; p++)
            for (long q = 0; q < 4; q++) {
                REAL *to = room + (p * 4 + q) * n;
                if (i + p >= 0 && j + q >= 0 && i + p < height && j + q < width)
                    memcpy(to, from + p * row + q * n, n * sizeof(REAL));
                else
                    memset(to, 0, n * sizeof(REAL));
            }
        from = room, row = 4 * n;
    }
    for (long start = 0; start < n; start += LANES) {
        const long c = WITHIN(start, n);
        VEC d[4][4];
        UNROLL for (int p = 0; p < 4; p++)
            UNROLL for (int q = 0; q < 4; q++) d[p][q] = LOAD(from + p * row + q * n + c);
        UNROLL for (int q = 0; q < 4; q++) WINOGRAD_WINDOW(d[0][q], d[1][q], d[2][q], d[3][q]);
        UNROLL for (int p = 0; p < 4; p++) {
            WINOGRAD_WINDOW(d[p][0], d[p][1], d[p][2], d[p][3]);
            UNROLL for (int q = 0; q < 4; q++) STORE(out + (p * 4 + q) * plane + c, d[p][q]);
        }
    }
}

/* 16 planes to a block of `rows` × `columns` (1 or 2) places with n channels, plus a bias unless
   that is NULL. */
KERNEL void FN(winograd_result)(const REAL *restrict m, long plane, const REAL *restrict bias,
                                int relu, REAL *restrict y, long row, long n,
                                long rows, long columns) {
    for (long start = 0; start < n; start += LANES) {
        const long c = WITHIN(start, n);
        VEC d[4][4];
        UNROLL for (int p = 0; p < 4; p++)
            UNROLL for (int q = 0; q < 4; q++) d[p][q] = LOAD(m + (p * 4 + q) * plane + c);
        UNROLL for (int q = 0; q < 4; q++) WINOGRAD_RESULT(d[0][q], d[1][q], d[2][q], d[3][q]);
        UNROLL for (int p = 0; p < 2; p++) {
            WINOGRAD_RESULT(d[p][0], d[p][1], d[p][2], d[p][3]);
            UNROLL for (int q = 0; q < 2; q++) {
                if (bias) d[p][q] += LOAD(bias + c);
                if (relu) d[p][q] = RELU(d[p][q]);
                if (p < rows && q < columns) STORE(y + p * row + q * n + c, d[p][q]);
            }
        }
    }
}

/* The same for a whole block, of which only the largest number is kept, and which of the four it is:
   the first that equals it, else the last. NaN counts as larger than any. */
KERNEL void FN(winograd_largest)(const REAL *restrict m, long plane, const REAL *restrict bias,
                                 int relu, REAL *restrict y, uint8_t *restrict index, long n) {
    for (long start = 0; start < n; start += LANES) {
        const long c = WITHIN(start, n);
        VEC d[4][4], found[4];
        UNROLL for (int p = 0; p < 4; p++)
            UNROLL for (int q = 0; q < 4; q++) d[p][q] = LOAD(m + (p * 4 + q) * plane + c);
        UNROLL for (int q = 0; q < 4; q++) WINOGRAD_RESULT(d[0][q], d[1][q], d[2][q], d[3][q]);
        UNROLL for (int p = 0; p < 2; p++) {
            WINOGRAD_RESULT(d[p][0], d[p][1], d[p][2], d[p][3]);
            UNROLL for (int q = 0; q < 2; q++) {
                if (bias) d[p][q] += LOAD(bias + c);
                found[p * 2 + q] = relu ? RELU(d[p][q]) : d[p][q];
            }
        }
        VEC most = found[0];
        UNROLL for (int k = 1; k < 4; k++) {
            const MASK more = (MASK)(found[k] > most) | (MASK)(found[k] != found[k]);
            most = (VEC)((more & (MASK)found[k]) | (~more & (MASK)most));
        }
        MASK at = {0};
        UNROLL for (int k = 2; k >= 0; k--) at = (at + 1) & (MASK)(found[k] != most);
        STORE(y + c, most);
        const FN(bytes) narrow = __builtin_convertvector(at, FN(bytes));
        memcpy(index + c, &narrow, LANES);
    }
}

/* A block of `rows` × `columns` (1 or 2) gradients with n channels, to 16 planes. */
KERNEL void FN(winograd_gradient)(const REAL *restrict y, long row, long n, long rows,
                                  long columns, REAL *restrict out, long plane) {
    for (long start = 0; start < n; start += LANES) {
        const long c = WITHIN(start, n);
        VEC g[4][4];
        UNROLL for (int p = 0; p < 2; p++)
            UNROLL for (int q = 0; q < 2; q++)
                g[p][q] = p < rows && q < columns ? LOAD(y + p * row + q * n + c) : (VEC){0};
        UNROLL for (int q = 0; q < 2; q++) WINOGRAD_GRADIENT(g[0][q], g[1][q], g[2][q], g[3][q]);
        UNROLL for (int p = 0; p < 4; p++) {
            WINOGRAD_GRADIENT(g[p][0], g[p][1], g[p][2], g[p][3]);
            UNROLL for (int q = 0; q < 4; q++) STORE(out + (p * 4 + q) * plane + c, g[p][q]);
        }
    }
}

/* 16 planes to a kernel's 9 taps of n numbers, added to w, whose taps are `tap` numbers apart. */
KERNEL void FN(winograd_taps)(const REAL *restrict m, long plane, REAL *restrict w, long tap,
                              long n) {
    for (long c = 0; c < n; c += LANES) {
        VEC d[4][4];
        UNROLL for (int p = 0; p < 4; p++)
            UNROLL for (int q = 0; q < 4; q++) d[p][q] = LOAD(m + (p * 4 + q) * plane + c);
        UNROLL for (int q = 0; q < 4; q++) WINOGRAD_TAPS(d[0][q], d[1][q], d[2][q], d[3][q]);
        UNROLL for (int p = 0; p < 3; p++) {
            WINOGRAD_TAPS(d[p][0], d[p][1], d[p][2], d[p][3]);
            UNROLL for (int q = 0; q < 3; q++) {
                REAL *to = w + (p * 3 + q) * tap + c;
                if (c + LANES <= n)
                    STORE(to, LOAD(to) + d[p][q]);
                else
                    for (long l = 0; l < n - c; l++) to[l] += d[p][q][l];
            }
        }
    }
}
