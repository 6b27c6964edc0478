/* Rows shared out among threads.

   parallel(part, context, rows, grain, threads) calls part(context, begin, end, thread) for ranges
   that cover 0 … rows once, cut at multiples of `grain`, and returns when all are done.  Range
   number `thread` is the same whoever computes it, so what a part keeps under its number (scratch
   memory, a sum of its own) has one writer, and sums depend on `threads` and on nothing else.

   The threads belong to the process, not to a program: use_pool hands their function over, and
   without it the ranges are computed one after the other.  A part that calls BLAS must call it with
   one thread of BLAS. */
#ifndef GLASSGRAD_THREADS
#define GLASSGRAD_THREADS

#define MOST_THREADS 32

typedef void (*part_fn)(void *context, long begin, long end, int thread);
typedef void (*pool_fn)(part_fn part, void *context, long rows, long grain, int threads);

/* how many ranges there are */
static inline __attribute__((unused)) int count_parts(long rows, long grain, int threads) {
    long blocks = rows / grain + (rows % grain != 0);
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    if (threads < 1) threads = 1;
    return (int)(blocks < threads ? blocks : threads);
}

/* where range number `part` begins; the last one ends where `part == parts` would begin */
static inline __attribute__((unused)) long begin_of(long rows, long grain, int parts, int part) {
    long blocks = rows / grain + (rows % grain != 0);
    long more = blocks % parts; /* the first ranges have one block more */
    long block = blocks / parts * part + (part < more ? part : more);
    return part == parts ? rows : block * grain;
}

static __attribute__((noinline, unused)) void one_by_one(
    part_fn part, void *context, long rows, long grain, int threads) {
    int parts = count_parts(rows, grain, threads);
    for (int i = 0; i < parts; i++)
        part(context, begin_of(rows, grain, parts, i), begin_of(rows, grain, parts, i + 1), i);
}

#ifndef GLASSGRAD_POOL /* a program, not the pool itself */
static pool_fn shared_pool = one_by_one;

__attribute__((visibility("default"))) void use_pool(pool_fn shared) {
    shared_pool = shared ? shared : one_by_one;
}

static inline __attribute__((unused)) void parallel(
    part_fn part, void *context, long rows, long grain, int threads) {
    if (threads <= 1 || rows <= grain) {
        if (rows > 0) part(context, 0, rows, 0);
    } else {
        shared_pool(part, context, rows, grain, threads);
    }
}
#endif
#endif
