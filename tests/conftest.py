"""What every test runs under: hypothesis' settings, and which suites may be skipped.

`GLASSGRAD_REQUIRE=oracle` (a comma separates several) names marked suites that must run: there, a
skip is a failure, so that a missing peer cannot pass for a comparison that agreed.
"""

import os
import re
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from backends import doctor

pytest_plugins = ["chromium"]

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

REQUIRED = [name for name in os.environ.get("GLASSGRAD_REQUIRE", "").split(",") if name]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none, and say which part is missing."""
    if item.get_closest_marker("gpu"):
        found = doctor.cupy()
        if found.ok is not True:
            pytest.skip(f"{found.detail} ({found.fix})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required test into a failure."""
    report = yield
    return _forbid_skip(report, any(item.get_closest_marker(name) for name in REQUIRED))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that skips itself: it ran too little to tell its marks."""
    report = yield
    if not (report.skipped and isinstance(collector, pytest.File)):
        return report
    source = collector.path.read_text()
    return _forbid_skip(report, any(re.search(rf"mark\.{name}\b", source) for name in REQUIRED))


def _forbid_skip(report: Any, required: bool) -> Any:
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"this suite must run here, and was skipped: {report.longrepr}"
    return report
