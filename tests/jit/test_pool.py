"""The pool of threads: every row once, whoever computes it, and nothing left running."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from autograd.jit import pool, processor
from autograd.jit.build import Library, build
from autograd.jit.compiler import HEADERS

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="needs a C compiler and POSIX threads",
)
two_cores = pytest.mark.skipif(processor.cores() < 2, reason="needs two cores")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SOURCE = """\
#include "threads.h"
#include <pthread.h>
#include <string.h>

typedef struct { int *hits; long *begins, *ends; } cover_job;
static void cover_part(void *context, long begin, long end, int thread) {
    cover_job *job = context;
    for (long i = begin; i < end; i++) job->hits[i]++;
    job->begins[thread] = begin, job->ends[thread] = end;
}
void cover(long rows, long grain, int threads, int *hits, long *begins, long *ends) {
    cover_job job = {hits, begins, ends};
    parallel(cover_part, &job, rows, grain, threads);
}

typedef struct { const double *x; double sums[MOST_THREADS]; } sum_job;
static void sum_part(void *context, long begin, long end, int thread) {
    sum_job *job = context;
    double sum = 0;
    for (long i = begin; i < end; i++) sum += job->x[i];
    job->sums[thread] += sum;
}
/* the same section `times` times over */
double sum(const double *x, long rows, int threads, int times) {
    double total = 0;
    for (int n = 0; n < times; n++) {
        sum_job job = {x, {0}};
        parallel(sum_part, &job, rows, 1, threads);
        for (int i = 0; i < MOST_THREADS; i++) total += job.sums[i];
    }
    return total;
}

static void nested_part(void *context, long begin, long end, int thread) {
    for (long i = begin; i < end; i++) ((double *)context)[i] = sum((double[]){1, 2, 3}, 3, 3, 1);
}
void nested(double *results, long rows) { parallel(nested_part, results, rows, 1, 4); }

static void who_part(void *context, long begin, long end, int thread) {
    ((pthread_t *)context)[thread] = pthread_self();
    for (volatile long i = 0; i < 300000; i++) {}
}
/* how many different threads computed four parts */
int who(void) {
    pthread_t ids[4];
    int different = 0;
    parallel(who_part, ids, 4, 1, 4);
    for (int i = 0; i < 4; i++) {
        int seen = 0;
        for (int j = 0; j < i; j++) seen |= pthread_equal(ids[i], ids[j]);
        different += !seen;
    }
    return different;
}
"""
NUMBERS = (ctypes.c_double * 1000)(*[1 / (i + 1) for i in range(1000)])


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs are kept in a folder of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def program(extra: str = "") -> Library:
    """A program that shares the pool; another one for each `extra`."""
    library = build(SOURCE + extra, ("cover", "sum", "nested", "who"))
    assert pool.attach(library)
    library.cover.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_int, *[ctypes.c_void_p] * 3]
    library.sum.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    library.sum.restype = ctypes.c_double
    library.nested.argtypes = [ctypes.c_void_p, ctypes.c_long]
    return library


def shares(library: Library) -> bool:
    """Whether several threads compute a section, sooner or later: cores may be busy otherwise."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (count := library.who()) > 1:
            return bool(count <= 4)
    return False


def cover(library: Library, rows: int, grain: int, threads: int) -> list[tuple[int, int]]:
    """The ranges that were computed, in order; every row is checked to come once."""
    hits = (ctypes.c_int * (rows + 1))()
    begins, ends = (ctypes.c_long * 32)(*[-1] * 32), (ctypes.c_long * 32)(*[-1] * 32)
    library.cover(rows, grain, threads, hits, begins, ends)
    assert list(hits) == [1] * rows + [0]
    return [(b, e) for b, e in zip(begins, ends, strict=True) if b >= 0]


@pytest.mark.parametrize("threads", [-1, 0, 1, 2, 3, 7, 32, 99])
def test_every_row_is_computed_once(threads: int) -> None:
    library = program()
    for rows in (0, 1, 2, 3, 7, 31, 32, 33, 64, 100, 1001):
        for grain in (1, 2, 3, 8, 32, 5000):
            ranges = cover(library, rows, grain, threads)
            blocks = -(-rows // grain)
            assert len(ranges) == min(blocks, max(1, min(threads, 32)))
            edges = [0, *(end for _, end in ranges)]
            assert ranges == list(pairwise(edges))
            assert edges[-1] == rows
            assert all(begin % grain == 0 for begin, _ in ranges)
            sizes = [-(-(end - begin) // grain) for begin, end in ranges]
            assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_more_than_an_int_of_rows() -> None:
    library = program(
        "static void ends(void *c, long begin, long end, int i) { ((long *)c)[i] = end; }\n"
        "void many(long *e, long rows) { parallel(ends, e, rows, 8, 4); }\n"
    )
    found = (ctypes.c_long * 4)()
    library.many(found, ctypes.c_long(2**40 + 4))
    assert list(found) == [2**38 + 8, 2**39 + 8, 3 * 2**38 + 8, 2**40 + 4]


def test_ten_thousand_small_sections() -> None:
    library, one = program(), program()
    once = sum(NUMBERS)
    for threads in (1, 2, 4, 8):
        assert library.sum(NUMBERS, 1000, threads, 10_000) == pytest.approx(10_000 * once)
        assert one.sum(NUMBERS, 3, threads, 10_000) == pytest.approx(10_000 * (1 + 1 / 2 + 1 / 3))


def test_sums_are_the_same_bits_whoever_computes_them() -> None:
    library = program()
    alone = build(SOURCE + "/* without a pool */", "sum")
    alone.sum.argtypes, alone.sum.restype = library.sum.argtypes, ctypes.c_double
    for threads in (2, 3, 5):
        expected = alone.sum(NUMBERS, 1000, threads, 1)
        assert {library.sum(NUMBERS, 1000, threads, 1) for _ in range(500)} == {expected}


@two_cores
def test_several_threads_do_compute() -> None:
    assert shares(program())


def test_sections_in_sections() -> None:
    results = (ctypes.c_double * 100)()
    program().nested(results, 100)
    assert list(results) == [6.0] * 100


def test_callers_on_several_threads() -> None:
    found: list[float] = []
    library, other = program(), program("/* another */")

    def call(which: Library) -> None:
        found.append(which.sum(NUMBERS, 1000, 4, 3000))

    callers = [threading.Thread(target=call, args=[w]) for w in (library, other) * 3]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def names() -> list[str]:
    """The names of this process's threads."""
    tasks = Path("/proc/self/task").iterdir()
    return [(task / "comm").read_text().strip() for task in tasks]


@linux
def test_all_programs_share_the_same_threads() -> None:
    for i in range(3):
        program(f"/* {i} */").who()
    started, _ = pool.workers()
    assert names().count("glassgrad") == started <= 31
    for i in range(3):
        program(f"/* {i} */").who()
    assert pool.workers()[0] == started


def test_idle_threads_sleep() -> None:
    program().who()
    time.sleep(0.05)
    begin = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - begin < 0.03
    started, asleep = pool.workers()
    assert started == asleep >= 3


# --- fork ----------------------------------------------------------------------------------


def in_child(work: Any) -> int:
    """The status of a forked child that does this."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@two_cores
@forks
def test_a_child_has_threads_of_its_own() -> None:
    library = program()
    library.who()
    expected = library.sum(NUMBERS, 1000, 4, 10)

    def work() -> bool:
        computed = library.sum(NUMBERS, 1000, 4, 10) == expected
        return computed and pool.workers()[0] == 3 and shares(library)

    assert [in_child(work) for _ in range(5)] == [0] * 5
    assert in_child(lambda: in_child(work) == 0) == 0
    assert library.sum(NUMBERS, 1000, 4, 10) == expected
    assert pool.workers()[0] == 3


@forks
def test_forks_while_sections_run() -> None:
    library = program()
    expected = library.sum(NUMBERS, 1000, 4, 2)
    done = threading.Event()
    wrong: list[float] = []

    def run() -> None:
        while not done.is_set():
            found = library.sum(NUMBERS, 1000, 4, 2)
            if found != expected:
                wrong.append(found)

    other = threading.Thread(target=run)
    other.start()
    try:
        for _ in range(30):
            assert in_child(lambda: library.sum(NUMBERS, 1000, 4, 2) == expected) == 0
    finally:
        done.set()
        other.join()
    assert wrong == []


@linux
@forks
def test_no_worker_lives_at_the_moment_of_a_fork() -> None:
    program().who()
    assert names().count("glassgrad") == pool.workers()[0] >= 3
    assert in_child(lambda: names().count("glassgrad") == 0 == pool.workers()[0]) == 0


# --- where it cannot be had ----------------------------------------------------------------


def test_without_threads_parts_are_computed_one_after_the_other() -> None:
    text = (HEADERS / "pool.c").read_text()
    failing = "#define _GNU_SOURCE\n#include <pthread.h>\n#define pthread_create(...) 11\n" + text
    lame = build(failing, ("run_parts", "count_workers"))
    library = build(SOURCE + "/* lame */", "cover")
    library.use_pool(ctypes.cast(lame.run_parts, ctypes.c_void_p))
    assert cover(library, 100, 3, 5) == [(0, 21), (21, 42), (42, 63), (63, 84), (84, 100)]
    assert lame.count_workers() == 0


def test_no_compiler_means_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    library = program()
    pool.shared.cache_clear()
    monkeypatch.setattr(pool, "build", _refused)
    try:
        assert not pool.attach(library)
        assert pool.workers() == (0, 0)
    finally:
        pool.shared.cache_clear()


def _refused(*args: Any) -> Library:
    raise pool.BuildError("no compiler")


# --- how many threads ----------------------------------------------------------------------


def test_as_many_threads_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTOGRAD_JIT_THREADS", raising=False)
    assert 1 <= pool.threads() <= min(8, os.cpu_count() or 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert pool.threads() == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(processor, "_read", lambda path: "")
    assert pool.threads() == 8


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 6),
        ({"cpu.max": "10000 100000"}, 1),
        ({"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}, 3),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 6),
        ({f"cpu{i}/topology/thread_siblings_list": "2-3" for i in (2, 3)}, 5),
    ],
)  # fmt: skip
def test_a_share_of_the_processor_counts(
    files: dict[str, str], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: str) -> str:
        return next((text for name, text in files.items() if path.endswith(name)), "")

    monkeypatch.setattr(processor, "_read", read)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert processor.cores() == count


def test_a_wish_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_JIT_THREADS", "3")
    assert pool.threads() == 3
    for wrong in ("0", "33", "-1", "two", "1.5"):
        monkeypatch.setenv("AUTOGRAD_JIT_THREADS", wrong)
        with pytest.raises(ValueError, match="a number from 1 to 32"):
            pool.threads()


# --- races ---------------------------------------------------------------------------------

RACES = """\
#include "pool.c"
#include <stdlib.h>

typedef struct { long rows; int hits[500]; double sums[MOST_THREADS]; } job;
static void count(void *context, long begin, long end, int thread) {
    job *j = context;
    for (long i = begin; i < end; i++) j->hits[i]++, j->sums[thread] += i;
}
static void *call(void *number) {
    int seed = (int)(intptr_t)number;
    for (int n = 0; n < 1000; n++) {
        job *j = calloc(1, sizeof *j);
        j->rows = (n * 7 + seed) % 500;
        run_parts(count, j, j->rows, 1 + n % 5, 1 + (n + seed) % 6);
        double sum = 0;
        for (int i = 0; i < MOST_THREADS; i++) sum += j->sums[i];
        for (long i = 0; i < 500; i++) if (j->hits[i] != (i < j->rows)) exit(1);
        if (sum != j->rows * (j->rows - 1) / 2) exit(2);
        free(j);
        if (n % 100 == 0) nanosleep(&(struct timespec){0, 200000}, NULL); /* let them sleep */
    }
    return NULL;
}
int main(void) {
    pthread_t callers[2];
    for (intptr_t i = 0; i < 2; i++) pthread_create(&callers[i], NULL, call, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(callers[i], NULL);
    before_fork();
    after_fork();
    call((void *)5);
    return 0;
}
"""


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_the_sanitizers_find_nothing(sanitizer: str, tmp_path: Path) -> None:
    flags = ["-g", "-O1", "-std=gnu11", "-pthread", f"-fsanitize={sanitizer}"]
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}

    def run(source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "races.c").write_text(source)
        command = ["cc", *flags, f"-I{HEADERS}", "races.c", "-o", "races"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no -fsanitize={sanitizer} here")
        return subprocess.run(
            [tmp_path / "races"], env=environment, capture_output=True, text=True, check=False
        )

    if run("int main(void) { return 0; }").returncode:
        pytest.skip("the sanitizer does not run here")
    done = run(RACES)
    assert (done.returncode, done.stderr) == (0, "")
    if sanitizer == "thread":  # a caller that does not wait for the last part is noticed
        pool_text = (HEADERS / "pool.c").read_text()
        careless = pool_text.replace("return !atomic_load(&unfinished);", "return 1;")
        assert careless != pool_text
        assert run(RACES.replace('#include "pool.c"', careless)).returncode != 0
