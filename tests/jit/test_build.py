"""C source becomes a library: on disk, checked, once, whatever goes wrong meanwhile."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from autograd.jit import build as building
from autograd.jit import compiler as compiling
from autograd.jit import health, processor, store, toolchain
from autograd.jit.build import BuildError, Library, build
from autograd.jit.compiler import Compiler, CompilerError, whole
from autograd.jit.kernel import Target
from autograd.jit.processor import Processor
from autograd.jit.store import FolderError, Store, stores, user_folder
from nn import cli

ROOT = Path(__file__).parents[2]
SOURCE = '#include "vectors.h"\nint answer(int x) { return 6 * x; }\n'
posix = pytest.mark.skipif(sys.platform == "win32", reason="scripts of the shell")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads ELF, /proc")
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What is noted about the compiler: tried once for all tests."""
    cache = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        for name in ("CC", "AUTOGRAD_JIT_VECTOR"):
            patch.delenv(name, raising=False)
        toolchain.find()
    return list(cache.glob("glassgrad/jit/compiler-*.json"))


@pytest.fixture(autouse=True)
def folder(notes: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test alone, without a program, and a process that has loaded nothing."""
    for name in ("CC", "AUTOGRAD_JIT_VECTOR", "AUTOGRAD_JIT_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_own", None)
    monkeypatch.setattr(building, "_loaded", {})
    for note in notes:
        shutil.copy(note, user_folder())
    yield tmp_path / "cache" / "glassgrad" / "jit"
    if store._own is not None:
        shutil.rmtree(store._own, ignore_errors=True)


def forget() -> None:
    """What a new process does not know."""
    building._loaded.clear()
    toolchain._find.cache_clear()


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{store.SUFFIX}"))


def rubbish(folder: Path) -> list[str]:
    """What should have been tidied up."""
    return [p.name for p in folder.iterdir() if p.name.startswith(store.NEW) or "lock" in p.name]


def script(path: Path, body: str) -> Compiler:
    """A compiler that is a shell script; `$out` is the file it should write."""
    lines = [
        "#!/bin/sh",
        '[ "$1" = --version ] && exit',
        'while [ "$1" != -o ]; do shift; done',
        "out=$2",
        body,
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return Compiler((str(path),), "other", "a script", "", str(path))


# --- the usual path ------------------------------------------------------------------------


@needs_compiler
def test_a_library_is_compiled_once_and_then_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(SOURCE, "answer")
    assert first.answer(7) == 42
    assert first.seconds > 0
    assert build(SOURCE, "answer") is first
    assert first.path.parent == folder
    assert first.path.with_name(first.path.name.rpartition("-")[0] + ".c").read_text() == SOURCE

    def forbidden(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a program is started")

    forget()
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    second = build(SOURCE, "answer")
    assert second is not first
    assert (second.path, second.seconds) == (first.path, 0)
    assert second.answer(7) == 42
    assert rubbish(folder) == []


@needs_compiler
def test_what_a_library_depends_on_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [build(SOURCE, "answer").path]
    found.append(build(SOURCE + "\n", "answer").path)
    found.append(build(SOURCE, "answer", flags=["-DX"]).path)
    if processor.processor().target.vector > 16:
        found.append(build(SOURCE, "answer", target=Target(16, 16)).path)
    known = toolchain.find()
    assert known is not None
    other = Compiler(known.command, known.family, known.version, known.native, "other")
    found.append(build(SOURCE, "answer", compiler=other).path)
    shutil.copytree(compiling.HEADERS, tmp_path / "c")
    header = tmp_path / "c" / "vectors.h"
    header.write_text(header.read_text() + "\n")
    monkeypatch.setattr(building, "HEADERS", tmp_path / "c")
    found.append(build(SOURCE, "answer").path)
    assert len(set(found)) == len(found)


def test_headers_are_followed_through_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "HEADERS", tmp_path)
    (tmp_path / "a.h").write_text('#  include "b.h"\n#include <math.h>\n')
    (tmp_path / "b.h").write_text('#include "a.h"\n')
    assert set(building._included('int x;\n #include "a.h"\n#include "no.h"')) == {"a.h", "b.h"}


@needs_compiler
def test_functions_are_looked_for_when_building() -> None:
    source = "int a(void) { return 1; } int b(void) { return 2; } static int c(void) { return 3; }"
    library = build(source, ("a", "b"))
    assert (library.a(), library.b()) == (1, 2)
    with pytest.raises(BuildError, match="exports no function 'c'"):
        build(source, ("a", "c"))


@needs_compiler
@linux
def test_a_function_named_like_one_of_libc_is_our_own() -> None:
    source = "int step(const char *s, int x) { return x + 1; } int go(void) { return step(0, 1); }"
    assert build(source, "go").go() == 2


@needs_compiler
@pytest.mark.parametrize("vector", [16, 32, 64])
def test_every_width_of_vectors_computes(vector: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if vector > processor.processor().target.vector:
        pytest.skip("this processor's vectors are narrower")
    monkeypatch.setenv("AUTOGRAD_JIT_VECTOR", str(vector))
    source = '#include "vectors.h"\nint width(float *x) { storef(x, loadf(x) * 2); return VB; }\n'
    numbers = (ctypes.c_float * 16)(*range(16))
    assert build(source, "width").width(numbers) == vector
    lanes = vector // 4
    assert list(numbers) == [float(2 * i if i < lanes else i) for i in range(16)]


# --- what lies on disk is damaged ----------------------------------------------------------


@needs_compiler
def test_a_damaged_library_is_never_loaded(folder: Path) -> None:
    path = build(SOURCE, "answer").path
    name = path.name.rpartition("-")[0]
    sound = path.read_bytes()
    path.unlink()  # it is loaded here: what is damaged is another file

    def found(content: bytes) -> Path | None:
        path.write_bytes(content)
        return Store(folder).find(name)

    assert found(sound) == path
    assert not any(found(sound[:n]) for n in [*range(0, len(sound), 97), len(sound) - 1])
    assert not any(map(found, (sound + b"x", bytes(len(sound)), sound[:99] + b"?" + sound[100:])))
    for length in (0, 1, 4000, len(sound) - 1):
        path.unlink()
        path.write_bytes(sound[:length])
        out = python(GO.format(SOURCE) + "print(library.seconds > 0)")
        assert out.split() == ["42", "True"]
    assert python(GO.format(SOURCE) + "print(library.seconds > 0)").split() == ["42", "False"]


@needs_compiler
def test_a_damaged_manifest_means_building_again(folder: Path) -> None:
    path = build(SOURCE, "answer").path
    name = path.name.rpartition("-")[0]
    note = folder / f"{name}.json"
    sound = note.read_text()
    for length in [*range(0, len(sound), 9), len(sound) - 1]:
        note.write_text(sound[:length])
        assert Store(folder).find(name) is None
    for told in ("[]", "{}", '{"sha256": 1, "bytes": null}', "\0\0", '{"sha256": "../../x"}'):
        note.write_text(told)
        assert Store(folder).find(name) is None
    forget()
    assert build(SOURCE, "answer").answer(7) == 42


@needs_compiler
@linux
def test_a_library_that_is_cut_off_is_told_from_a_whole_one() -> None:
    sound = build(SOURCE, "answer").path.read_bytes()
    assert whole(sound)
    assert not any(whole(sound[:length]) for length in [*range(0, len(sound), 31), len(sound) - 1])
    assert not whole(b"#!/bin/sh" * 99)


@needs_compiler
def test_a_note_about_the_compiler_is_only_believed_while_it_reads_well(folder: Path) -> None:
    found = toolchain.find()
    assert found is not None
    [note] = folder.glob("compiler-*.json")
    for told in ("", "[1]", '{"family": 3}', note.read_text()[:-5]):
        note.write_text(told)
        forget()
        assert toolchain.find() == found


# --- compilers that fail -------------------------------------------------------------------

HALF = 'head -c 2000 "$(dirname "$0")/whole" > "$out"'


@posix
@needs_compiler
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("exit 1", "status 1 and said nothing"),
        ("echo 'x.c:1: error: no semicolon' >&2; exit 1", "x.c:1: error: no semicolon"),
        ("kill -9 $$", "ended by SIGKILL: is there enough memory"),
        ("head -c 99 /dev/zero > $out; kill -9 $$", "ended by SIGKILL"),
        ("exit 0", "no whole library"),
        (": > $out", "no whole library"),
        ("head -c 3000 /dev/urandom > $out", "no whole library"),
        (HALF, "no whole library"),
        ("echo 'ld: No space left on device'; exit 1", "no space left"),
        ("while :; do :; done", "gave no answer for 0.2 seconds"),
    ],
)
def test_a_failing_compiler_is_one_clear_error(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str
) -> None:
    if sys.platform != "linux" and ("zero" in body or "random" in body or body == HALF):
        pytest.skip("only ELF files are read")
    shutil.copy(build(SOURCE, "answer").path, tmp_path / "whole")
    if "0.2 seconds" in told:
        monkeypatch.setattr(compiling, "SECONDS", 0.2)
    broken = script(tmp_path / "broken", body)
    with pytest.raises(BuildError, match=told) as caught:
        build(SOURCE, "answer", compiler=broken)
    assert "CC=" in str(caught.value) or "XDG_CACHE_HOME" in str(caught.value)
    assert len(libraries(folder)) == 1
    assert rubbish(folder) == []
    assert build(SOURCE + " ", "answer").answer(7) == 42


@posix
def test_a_hanging_compiler_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "SECONDS", 0.3)
    hanging = script(tmp_path / "hangs", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(BuildError, match="no answer"):
        build(SOURCE, "answer", compiler=hanging)
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        told = Path(f"/proc/{child}/stat")
        if sys.platform != "linux" or not told.exists() or told.read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    pytest.fail("what the compiler started goes on")


@needs_compiler
def test_the_first_error_is_told_and_the_rest_counted() -> None:
    with pytest.raises(BuildError) as caught:
        build("int go(void) { return 1 }\n" + "nonsense;;\n" * 50, "go")
    message = str(caught.value)
    assert "go.c:1" in message
    assert "error: expected" in message
    assert "more lines" in message
    assert len(message.splitlines()) < 12


@posix
@needs_compiler
def test_a_full_disk_sends_the_build_elsewhere(tmp_path: Path, folder: Path) -> None:
    full = f'case $PWD in {folder}/*) echo "ld: No space left on device"; exit 1;; esac'
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    compiler = script(tmp_path / "full", f'{full}\n{cc} -shared -fPIC answer.c -o "$out"')
    library = build("int answer(int x) { return x; }", "answer", compiler=compiler)
    assert library.answer(5) == 5
    assert library.path.parent == store._own
    assert libraries(folder) == []


@needs_compiler
def test_a_disk_that_is_full_for_the_manifest_sends_the_build_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = toolchain.find()
    write = Store._write

    def full(self: Store, path: Path, text: str) -> None:
        if self.folder == folder:
            raise OSError(28, "No space left on device")
        write(self, path, text)

    monkeypatch.setattr(Store, "_write", full)
    library = build(SOURCE, "answer", compiler=compiler)
    assert library.answer(7) == 42
    assert library.path.parent == store._own
    monkeypatch.setattr(Store, "_write", write)
    forget()
    assert build(SOURCE, "answer").answer(7) == 42


@posix
@needs_compiler
def test_a_limit_on_the_size_of_files_is_an_error_not_a_broken_library(folder: Path) -> None:
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "from autograd.jit.build import build, BuildError\n"
        "from autograd.jit import toolchain\n"
        "try: build('int go(void) { return 1; }', 'go', compiler=COMPILER)\n"
        "except BuildError as error: print('told', error)\n"
    )
    found = toolchain.find()
    told = python(f"from autograd.jit.compiler import Compiler\nCOMPILER = {found!r}\n{code}")
    assert told.startswith("told")
    assert libraries(folder) == []
    assert rubbish(folder) == []


# --- many at once --------------------------------------------------------------------------


def start(code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def python(code: str) -> str:
    with start(code) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


GO = """\
from autograd.jit.build import build
library = build({!r}, 'answer')
print(library.answer(7))
"""


@posix
@needs_compiler
def test_eight_processes_build_the_same_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    wrapper = tmp_path / "slow"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *answer.c*) echo once >> {tmp_path}/log; sleep 0.3;; esac\n'
        f'exec {cc} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    processes = [start(GO.format(SOURCE)) for _ in range(8)]
    for process in processes:
        with process:
            assert process.communicate(timeout=60) == ("42\n", "")
    assert (tmp_path / "log").read_text() == "once\n"
    assert len(libraries(folder)) == 1
    assert rubbish(folder) == []


@needs_compiler
def test_without_locks_the_last_one_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "alone", lambda self, name: nullcontext())
    toolchain.find()
    found: list[int] = []

    def work() -> None:
        compiler = toolchain.find()
        assert compiler is not None
        name = "answer-" + building._key(SOURCE, ["-O1"], compiler)
        flags = [*compiler.flags(processor.target()), "-O1"]
        found.append(building._made(name, SOURCE, flags, compiler).answer(7))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [42] * 8
    assert len({path.name for path in libraries(folder)}) == len(libraries(folder))


@posix
@needs_compiler
def test_a_builder_that_is_killed_leaves_nothing_that_hinders(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    wrapper = tmp_path / "slow"
    wrapper.write_text(
        '#!/bin/sh\ncase "$*" in *answer.c*) head -c 500 /dev/zero > library.so\n'
        f"test -e {tmp_path}/begun || {{ echo $$ > {tmp_path}/begun; exec sleep 60; }} ;; esac\n"
        f'exec {cc} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("CC", str(wrapper))
    with start(GO.format(SOURCE)) as process:
        while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    os.kill(int((tmp_path / "begun").read_text()), signal.SIGKILL)  # it outlives its caller
    assert libraries(folder) == []
    assert build(SOURCE, "answer").answer(7) == 42
    [left] = rubbish(folder)
    os.utime(folder / left, (0, 0))
    Store(folder).trim(store.LIMIT)
    assert rubbish(folder) == []


# --- folders -------------------------------------------------------------------------------


def test_the_folder_is_private(folder: Path) -> None:
    assert user_folder() == folder
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700


@posix
@needs_compiler
@pytest.mark.parametrize("which", ["jit", "glassgrad"])
@pytest.mark.parametrize("harm", ["open", "foreign", "link", "file"])
def test_a_folder_that_others_control_is_refused(
    which: str, harm: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = folder if which == "jit" else folder.parent
    if harm == "open":
        bad.chmod(0o777)
    elif harm == "foreign":
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    else:
        shutil.rmtree(bad)
        (tmp_path / "elsewhere" / "jit").mkdir(parents=True)
        bad.symlink_to(tmp_path / "elsewhere") if harm == "link" else bad.write_text("")
    with pytest.raises(FolderError, match=r"chmod go-w|set XDG_CACHE_HOME"):
        user_folder()
    library = build(SOURCE, "answer")
    assert library.answer(7) == 42
    assert library.path.parent == store._own
    assert not any(p.suffix == store.SUFFIX for p in tmp_path.rglob("*") if p.is_file())
    [_, told] = health.findings()
    assert told.ok is None
    assert told.fix


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nothing"])
@linux
@needs_compiler
def test_where_nothing_can_be_kept_a_process_has_its_own_folder(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    out = python(GO.format(SOURCE) + "print(library.path.parent)")
    answer, own = out.split()
    assert answer == "42"
    assert not Path(own).exists()


@posix
@needs_compiler
def test_a_folder_that_can_only_be_read_still_serves(folder: Path) -> None:
    build(SOURCE, "answer")
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("root may write everywhere")
        forget()
        assert build(SOURCE, "answer").path.parent == folder
        assert build(SOURCE + " ", "answer").path.parent == store._own
    finally:
        folder.chmod(0o700)


def test_a_user_without_a_home_has_a_folder_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OSError, match="no home folder"):
        user_folder()
    assert [s.folder for s in stores()] == [store._own]


def test_the_oldest_goes_first(folder: Path) -> None:
    kept = Store(user_folder())
    kept.clear()
    for age, name in enumerate(["new", "middle", "old"]):
        for suffix in (f"-x-0000{store.SUFFIX}", "-x.c", "-x.json"):
            (folder / f"{name}{suffix}").write_bytes(bytes(1000))
            os.utime(folder / f"{name}{suffix}", (0, 1e6 - age))
    kept.trim(9000)
    assert kept.usage().programs == 3
    kept.trim(6500)
    assert [p.name for p in libraries(folder)] == [
        f"{name}-x-0000{store.SUFFIX}" for name in ("middle", "new")
    ]
    assert not list(folder.glob("old*"))
    os.utime(folder / "middle-x.json")
    kept.trim(3000)
    assert [p.name[:6] for p in libraries(folder)] == ["middle"]
    kept.trim(0, but="middle-x")
    assert kept.usage().programs == 1


@needs_compiler
def test_what_is_loaded_survives_the_removal_of_everything(folder: Path) -> None:
    library = build(SOURCE, "answer")
    assert Store(folder).usage().programs == 1
    assert str(Store(folder).clear()).startswith("1 program, 0.0 MB")
    assert list(folder.iterdir()) == []
    assert library.answer(7) == 42
    forget()
    assert build(SOURCE, "answer").seconds > 0


# --- which compiler ------------------------------------------------------------------------


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
    toolchain._find.cache_clear()


def test_without_a_compiler_the_error_says_how_to_get_one(no_compiler: None) -> None:
    assert toolchain.find() is None
    with pytest.raises(BuildError, match=r"no C compiler that works here: .*ziglang"):
        build(SOURCE, "answer")
    [found, _] = health.findings()
    assert found.ok is None
    assert "NumPy" in found.detail
    assert "pip install ziglang" in found.fix


@posix
def test_a_compiler_that_does_not_work_is_told_of(
    tmp_path: Path, no_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/sh\necho 1.0; exit 0\n")
    wrong.chmod(0o755)
    for cc, told in [
        (str(wrong), "no whole library"),
        ("/not/there", "does not start: No such file"),
        ("'unclosed", "does not start"),
        (str(tmp_path), "does not start"),
    ]:
        monkeypatch.setenv("CC", cc)
        assert toolchain.find() is None
        assert told in next(iter(toolchain.tried().values()))
        with pytest.raises(BuildError, match=told):
            build(SOURCE, "answer")


@posix
@needs_compiler
def test_the_next_compiler_is_taken_where_the_first_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false -m64")
    found = toolchain.find()
    assert found is not None
    assert Path(found.command[0]).name in ("cc", "gcc", "clang")
    assert [command.endswith("false -m64") for command in toolchain.tried()] == [True]


@posix
@needs_compiler
def test_cc_may_have_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    monkeypatch.setenv("CC", f"{cc} -DMINE=5")
    assert build("int mine(void) { return MINE; }", "mine").mine() == 5


@posix
@needs_compiler
def test_a_compiler_that_computes_wrongly_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    other = "float probe(float *x, int n) { return 0; }"
    body = f"echo '{other}' | {cc} -shared -fPIC -x c - -o \"$out\""
    compiler = script(tmp_path / "wrong", body)
    monkeypatch.setenv("CC", compiler.command[0])
    toolchain.find()
    assert "computes wrongly" in next(iter(toolchain.tried().values()))


@posix
def test_a_flag_that_the_compiler_does_not_know_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not cc:
        pytest.skip("there is no C compiler")
    old = tmp_path / "old"
    case = 'case "$*" in *=native*) echo unknown; exit 1;; esac'
    old.write_text(f'#!/bin/sh\n{case}\nexec {cc} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setenv("CC", str(old))
    found = toolchain.find()
    assert found is not None
    assert (found.command, found.native) == ((str(old),), "")
    assert build(SOURCE, "answer").answer(7) == 42


@pytest.mark.slow  # it compiles its own C library first
def test_the_wheel_serves_where_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ziglang")
    monkeypatch.setenv("PATH", "")
    found = toolchain.find()
    assert found is not None
    assert found.zig
    assert build(SOURCE, "answer").answer(7) == 42
    assert build(SOURCE, "answer", target=Target(16, 16)).answer(7) == 42


@pytest.mark.parametrize("vector", [16, 32, 64])
def test_flags_of_each_family(vector: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Processor("x86_64", "some", frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl"}))
    monkeypatch.setattr(compiling, "processor", lambda: wide)
    expected = {16: "-march=x86-64-v2", 32: "-march=x86-64-v3", 64: "-march=native"}[vector]
    for family in ("gcc", "clang", "zig", "other"):
        flags = Compiler(("cc",), family, "", "-march=native", "").flags(Target(vector, 16))
        assert (expected.replace("-v", "_v").replace("86-", "86_") if family == "zig" else
                expected) in flags  # fmt: skip
        assert f"-DVB={vector}" in flags
        assert ("-fno-predictive-commoning" in flags) == (family == "gcc")
        assert ("-mprefer-vector-width=512" in flags) == (vector == 64)
        assert "-ffast-math" not in flags
    monkeypatch.setattr(compiling, "processor", lambda: Processor("arm64", "", frozenset()))
    flags = Compiler(("cc",), "clang", "", "-mcpu=native", "").flags(Target(16, 32))
    assert "-mcpu=native" in flags
    assert not any("x86" in flag or "prefer" in flag for flag in flags)


@pytest.mark.parametrize(
    ("features", "target"),
    [
        ("sse2", Target(16, 16)),
        ("avx sse4_2", Target(16, 16)),
        ("avx2", Target(16, 16)),
        ("avx2 fma", Target(32, 16)),
        ("avx2 fma avx512f", Target(32, 16)),
        ("avx2 fma avx512f avx512dq avx512bw avx512vl", Target(64, 32)),
        ("neon", Target(16, 32)),
    ],
)
def test_a_processor_tells_its_vectors(features: str, target: Target) -> None:
    assert Processor("x86_64", "", frozenset(features.split())).target == target


def test_a_wish_for_other_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    for vector, registers in ((16, (16, 32)), (32, (16,)), (64, (32,))):
        monkeypatch.setenv("AUTOGRAD_JIT_VECTOR", str(vector))
        found = processor.target()
        assert found.vector == vector
        assert found.registers in registers
    monkeypatch.setenv("AUTOGRAD_JIT_VECTOR", "48")
    with pytest.raises(ValueError, match="16, 32 or 64 bytes"):
        processor.target()
    [found, _] = health.findings()
    assert found.ok is False
    assert "AUTOGRAD_JIT_VECTOR" in found.detail


# --- commands ------------------------------------------------------------------------------


@needs_compiler
def test_the_commands_tell_and_clear(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(SOURCE, "answer")
    assert cli.main(["cache"]) == 0
    assert f"{folder}: 1 program, 0.0 MB (at most 500 MB are kept)" in capsys.readouterr().out
    assert cli.main(["doctor", "--json"]) == 0
    told = capsys.readouterr().out
    assert "C by " in told
    assert str(folder) in told
    assert cli.main(["cache", "--clear"]) == 0
    assert "removed 1 program" in capsys.readouterr().out
    assert libraries(folder) == []


@posix
def test_the_command_tells_of_a_folder_that_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_folder().chmod(0o777)
    assert cli.main(["cache"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "chmod go-w" in line


def test_what_is_returned_is_a_ctypes_library() -> None:
    assert issubclass(Library, ctypes.CDLL)
    assert issubclass(BuildError, RuntimeError)
    assert not issubclass(CompilerError, BuildError)
