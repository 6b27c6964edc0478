/* The steps of a tape, run group by group.  A group is steps of one kind that do not need one
   another; `m` is the memory, with one double for each number of the tape.  The places of a
   group's inputs are sorted by input: the first inputs of all its steps, then the second, … */
#ifndef GLASSGRAD_TAPE
#define GLASSGRAD_TAPE
#include "maths.h"
#include "vectors.h"

struct group {
    int64_t kind, steps, inputs, result, at;
};

#define SIDE_BY_SIDE 64

/* Σ a b over the pairs a, b of a step's inputs, in their order.  Many steps run side by side, each
   with a sum of its own; few run one after the other, since only their products are independent. */
KERNEL void sum_of_products(long steps, long inputs, const int32_t *restrict at,
                            const double *restrict m, double *restrict result) {
    double sum[SIDE_BY_SIDE], product[SIDE_BY_SIDE];
    if (steps < 8) {
        for (long i = 0; i < steps; i++) {
            double total = m[at[i]] * m[at[steps + i]];
            for (long j = 2; j < inputs; j += 2 * SIDE_BY_SIDE) {
                long n = inputs - j < 2 * SIDE_BY_SIDE ? (inputs - j) / 2 : SIDE_BY_SIDE;
                const int32_t *a = at + j * steps + i, *b = a + steps;
                for (long k = 0; k < n; k++) product[k] = m[a[2 * k * steps]] * m[b[2 * k * steps]];
                for (long k = 0; k < n; k++) total += product[k];
            }
            result[i] = total;
        }
        return;
    }
    for (long first = 0; first < steps; first += SIDE_BY_SIDE) {
        long n = steps - first < SIDE_BY_SIDE ? steps - first : SIDE_BY_SIDE;
        const int32_t *a = at + first, *b = a + steps;
        for (long i = 0; i < n; i++) sum[i] = m[a[i]] * m[b[i]];
        for (long j = 2; j < inputs; j += 2) {
            a += 2 * steps, b += 2 * steps;
            for (long i = 0; i < n; i++) sum[i] += m[a[i]] * m[b[i]];
        }
        for (long i = 0; i < n; i++) result[first + i] = sum[i];
    }
}

/* Σ a over a step's inputs, in their order */
KERNEL void sum(long steps, long inputs, const int32_t *restrict at, const double *restrict m,
                double *restrict result) {
    for (long i = 0; i < steps; i++) result[i] = m[at[i]];
    for (long j = 1; j < inputs; j++) {
        at += steps;
        for (long i = 0; i < steps; i++) result[i] += m[at[i]];
    }
}
#endif
