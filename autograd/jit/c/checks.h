/* What generated code finds wrong while it runs.  A kernel has no way to raise an error: it goes
   on with something harmless and leaves a flag, which whoever called it reads and clears. */
#ifndef GLASSGRAD_CHECKS
#define GLASSGRAD_CHECKS
#include "vectors.h"

static int glassgrad_bad __attribute__((unused)); /* 1: an index was out of range */

/* Note that an index was out of range; what to use instead. */
static __attribute__((noinline, cold, unused)) long bad_index(void) {
    __atomic_store_n(&glassgrad_bad, 1, __ATOMIC_RELAXED); /* any thread may find one */
    return 0;
}

/* The place 0 … n-1 that an index means, where negative ones count from the end; n > 0. */
INLINE long place_of(int64_t index, long n) {
    long place = index < 0 ? index + n : index;
    return (unsigned long)place < (unsigned long)n ? place : bad_index();
}
#endif
