/* Of parameters that lie one behind the other: what a step of training has done to each, in one
 * pass over the data. See autograd/sizes.py. Squares are added in single precision, side by side in
 * vectors, over a block at a time; blocks, and one whose squares are too large or too small for
 * that, in double. */

#include <math.h>

#define LANES 16
#define BLOCK 2048

typedef struct { double weight, change, slope; long zeros; } Sums;

static double folded(const float *lanes) {
    double s = 0;
    for (int k = 0; k < LANES; k++) s += lanes[k];
    return s;
}

/* The sum, unless it may have overflowed, or lost what is small: then, of v - w, in double. */
static double checked(double sum, long n, const float *v, const float *w) {
    if (sum > 1e-25 && sum < 1e38) return sum;
    double s = 0;
    for (long j = 0; j < n; j++) {
        double d = w ? (double)v[j] - w[j] : v[j];
        s += d * d;
    }
    return s;
}

static void add_weights(Sums *sums, long n, const float *w, const float *v) {
    float weight[LANES] = {0}, change[LANES] = {0};
    long j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int k = 0; k < LANES; k++) {
            float a = w[j + k], d = v[j + k] - a;
            weight[k] += a * a;
            change[k] += d * d;
        }
    for (; j < n; j++) {
        float a = w[j], d = v[j] - a;
        weight[0] += a * a;
        change[0] += d * d;
    }
    sums->weight += checked(folded(weight), n, w, 0);
    sums->change += checked(folded(change), n, v, w);
}

static void add_gradient(Sums *sums, long n, const float *g) {
    float slope[LANES] = {0};
    int zero[LANES] = {0}, zeros = 0;
    long j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int k = 0; k < LANES; k++) {
            slope[k] += g[j + k] * g[j + k];
            zero[k] += g[j + k] == 0;
        }
    for (; j < n; j++) {
        slope[0] += g[j] * g[j];
        zero[0] += g[j] == 0;
    }
    for (int k = 0; k < LANES; k++) zeros += zero[k];
    sums->zeros += zeros;
    if (zeros < n) sums->slope += checked(folded(slope), n, g, 0);
}

/* told: of each array the norms of its weights, of their change, and of its gradient, and which
 * share of the gradient's elements is 0; the last two are -1 where there is none. */
void look_at_step(long count, const long *sizes, const float *const *before,
                  const float *const *after, const float *const *gradients, double *told) {
    for (long i = 0; i < count; i++, told += 4) {
        const float *w = before[i], *v = after[i], *g = gradients[i];
        Sums sums = {0};
        for (long at = 0; at < sizes[i]; at += BLOCK) {
            long n = sizes[i] - at < BLOCK ? sizes[i] - at : BLOCK;
            add_weights(&sums, n, w + at, v + at);
            if (g) add_gradient(&sums, n, g + at);
        }
        told[0] = sqrt(sums.weight);
        told[1] = sqrt(sums.change);
        told[2] = g ? sqrt(sums.slope) : -1;
        told[3] = !g ? -1 : sizes[i] ? (double)sums.zeros / sizes[i] : 0;
    }
}
