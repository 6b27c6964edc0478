/* The threads of a process that generated programs share: see threads.h for what they do.

   The parts of a section are the bits of one word; whoever clears a bit computes that part.  The
   caller takes parts like everybody else, so it never waits for a thread that has not begun: a
   worker that sleeps, or that the system has taken off its core, only leaves more to the others.
   Workers are started when first needed, look out for the next section for SPIN nanoseconds, and
   then sleep.  Whatever cannot be had (threads at all, or the pool while another thread of the
   program uses it) costs only speed: the parts are then computed one after the other. */
#define _GNU_SOURCE
#define GLASSGRAD_POOL
#include "threads.h"

#define EXPORT __attribute__((visibility("default")))

#ifdef _WIN32
EXPORT void run_parts(part_fn part, void *context, long rows, long grain, int threads) {
    one_by_one(part, context, rows, grain, threads);
}
EXPORT int count_workers(void) { return 0; }
EXPORT int count_sleepers(void) { return 0; }
#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#ifndef SPIN
#define SPIN 30000
#endif
#define STACK (1 << 20)

/* The section that is computed.  It changes only when none of its parts is waiting or running, so
   who has taken a part may read it. */
static struct {
    part_fn part;
    void *context;
    long rows, grain;
    int parts;
} section;

static _Atomic uint64_t open_parts; /* above: number of the section; below: a bit per part left */
static atomic_int unfinished;       /* parts of the section that are not done */

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held by who runs a section */
static pthread_t workers[MOST_THREADS];
static atomic_int started;
static atomic_int ending;

static pthread_mutex_t bed = PTHREAD_MUTEX_INITIALIZER; /* for falling asleep and waking up */
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER, all_done = PTHREAD_COND_INITIALIZER;
static atomic_int sleepers, caller_sleeps;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline void rest(void) { /* tells the core that this is a wait */
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes a part, number `wished` if it is left: its rows lie in this core's cache. -1: none left. */
static int take(int wished) {
    uint64_t open = atomic_load(&open_parts);
    for (uint32_t left; (left = (uint32_t)open);) {
        int part = left >> wished & 1 ? wished : __builtin_ctz(left);
        if (atomic_compare_exchange_weak(&open_parts, &open, open & ~(UINT64_C(1) << part)))
            return part;
    }
    return -1;
}

/* Computes parts until none is left. */
static void compute(int wished) {
    for (int i; (i = take(wished)) >= 0;) {
        long begin = begin_of(section.rows, section.grain, section.parts, i);
        long end = begin_of(section.rows, section.grain, section.parts, i + 1);
        section.part(section.context, begin, end, i);
        if (atomic_fetch_sub(&unfinished, 1) == 1 && atomic_load(&caller_sleeps)) {
            pthread_mutex_lock(&bed);
            pthread_cond_signal(&all_done);
            pthread_mutex_unlock(&bed);
        }
    }
}

static int anything_to_do(void) { return (uint32_t)atomic_load(&open_parts) || ending; }
static int everything_done(void) { return !atomic_load(&unfinished); }

/* Looks at a condition for SPIN nanoseconds; whether it came true. */
static int spin(int (*condition)(void)) {
    for (int64_t end = 0; !condition();) {
        for (int i = 0; i < 32 && !condition(); i++) rest();
        int64_t t = now();
        if (!end) end = t + SPIN;
        if (t > end) return condition();
    }
    return 1;
}

static void *work(void *number) {
#ifdef __linux__
    pthread_setname_np(pthread_self(), "glassgrad");
#endif
    while (!ending) {
        compute((int)(intptr_t)number);
        if (spin(anything_to_do)) continue;
        pthread_mutex_lock(&bed);
        atomic_fetch_add(&sleepers, 1);
        while (!anything_to_do()) pthread_cond_wait(&work_came, &bed);
        atomic_fetch_sub(&sleepers, 1);
        pthread_mutex_unlock(&bed);
        sched_yield(); /* perhaps this core was the caller's: it comes first */
    }
    return NULL;
}

static void wake_workers(void) {
    pthread_mutex_lock(&bed);
    pthread_cond_broadcast(&work_came);
    pthread_mutex_unlock(&bed);
}

/* Before a fork no section runs and no worker lives: a child finds a pool that was never used. */
static void before_fork(void) {
    pthread_mutex_lock(&in_use);
    ending = 1;
    wake_workers();
    while (started) pthread_join(workers[--started], NULL);
    ending = 0;
}
static void after_fork(void) { pthread_mutex_unlock(&in_use); }

/* Starts workers up to that many, or as many as can be had. */
static void start(int wanted) {
    static int prepared, refused;
    if (!prepared) prepared = 1, refused = pthread_atfork(before_fork, after_fork, after_fork);
    if (refused) return;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all); /* Ctrl-C is for the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < wanted && !refused) {
        void *number = (void *)(intptr_t)(started + 1);
        refused = pthread_create(&workers[started], &attributes, work, number);
        started += !refused;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

EXPORT void run_parts(part_fn part, void *context, long rows, long grain, int threads) {
    int parts = count_parts(rows, grain, threads);
    if (parts <= 1 || pthread_mutex_trylock(&in_use)) {
        one_by_one(part, context, rows, grain, threads);
        return;
    }
    if (started < parts - 1) start(parts - 1);
    section.part = part, section.context = context;
    section.rows = rows, section.grain = grain, section.parts = parts;
    atomic_store(&unfinished, parts);
    uint64_t number = (atomic_load(&open_parts) >> 32) + 1;
    atomic_store(&open_parts, number << 32 | ((UINT64_C(1) << parts) - 1));
    if (atomic_load(&sleepers)) wake_workers();
    compute(0);
    if (!spin(everything_done)) {
        pthread_mutex_lock(&bed);
        atomic_store(&caller_sleeps, 1);
        while (!everything_done()) pthread_cond_wait(&all_done, &bed);
        atomic_store(&caller_sleeps, 0);
        pthread_mutex_unlock(&bed);
    }
    pthread_mutex_unlock(&in_use);
}

EXPORT int count_workers(void) { return started; }
EXPORT int count_sleepers(void) { return sleepers; }
#endif
