"""What the documentation shows is what happens: examples in docstrings, code of the README."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import autograd
import backends
import nn
from nn.gallery import examples, recorded, table

ROOT = Path(__file__).parent.parent
NEEDS_A_GPU = {"backends.cupy"}


def modules() -> list[str]:
    return [
        name
        for package in (autograd, backends, nn)
        for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if name not in NEEDS_A_GPU
    ] + ["autograd", "backends", "nn"]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    autograd.seed(0)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples fail"


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        example
        for name in modules()
        for test in finder.find(importlib.import_module(name))
        for example in test.examples
    ]
    assert len(found) > 40


def blocks(page: str = "README.md") -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def check_promises(code: str, printed: str) -> None:
    """Each `print(…)  # this` printed this, where … stands for anything."""
    for promised in re.findall(r"^ *print\(.*\)  # (.*)$", code, flags=re.MULTILINE):
        pattern = re.escape(promised).replace("…", ".*")
        assert re.search(f"^{pattern}$", printed, flags=re.MULTILINE), promised


@pytest.mark.parametrize("code", blocks(), ids=lambda code: code.strip().splitlines()[-1][:40])
def test_code_of_the_readme(
    code: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from autograd.node import Op

    monkeypatch.chdir(tmp_path)
    before = dict(Op.table)
    try:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    finally:  # the README adds an op to the table
        Op.table.clear()
        Op.table.update(before)
    check_promises(code, capsys.readouterr().out)


@pytest.mark.parametrize("page", ["docs/jit.md", "docs/see.md", "docs/verdicts.md"])
def test_code_of_a_page(
    page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The blocks of a page are one program; verdicts are shown as they are printed."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page))
    exec(compile(code, page, "exec"), {"__name__": "page"})
    printed = capsys.readouterr().out
    check_promises(code, printed)
    text = (ROOT / page).read_text(encoding="utf-8")
    for shown in re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL):
        assert shown in printed or page == "docs/jit.md"  # which shows times


def test_pictures_and_files_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_the_gallery_shows_what_was_recorded() -> None:
    behind = (ROOT / "README.md").read_text().partition("<!-- gallery -->\n")[2]
    assert behind.partition("\n<!-- end -->")[0] == table(recorded())
    assert set(recorded()) == set(examples())


def test_every_kink_is_documented() -> None:
    from test_kinks import ARRAY_KINKS, KINKS

    rows = re.findall(r"^\| (.+?) \| .* \|$", (ROOT / "docs/kinks.md").read_text(), re.MULTILINE)
    assert rows[1:] == [kink[0] for kink in (*KINKS, *ARRAY_KINKS)]
