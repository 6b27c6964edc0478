/* How long each kernel of a program takes, in seconds: laps[i] for kernel number i.

   A program that is asked for its profile is compiled once more with these.  LAPS says how many
   kernels there are. */
#ifndef GLASSGRAD_LAPS
#define GLASSGRAD_LAPS

#include <time.h>

__attribute__((visibility("default"))) double laps[LAPS + 1];

static struct timespec lap_began;

static void start_laps(void) { timespec_get(&lap_began, TIME_UTC); }

/* kernel number i has just ended, and the next one begins */
static __attribute__((unused)) void lap(long i) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    laps[i] = (double)(now.tv_sec - lap_began.tv_sec) + 1e-9 * (double)(now.tv_nsec - lap_began.tv_nsec);
    timespec_get(&lap_began, TIME_UTC);
}

#endif
