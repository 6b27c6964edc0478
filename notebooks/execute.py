"""Execute notebooks in place and keep their outputs: `python notebooks/execute.py [file ...]`.

Without arguments, every notebook of this folder. The first cell that fails ends the run with
status 1 and leaves its notebook as it was. What differs from run to run without meaning (paths of
this machine, addresses in memory, times of execution, the Python version) is not kept, so that
the difference between two commits shows what changed.

Drawings and pages are kept as PNG: GitHub removes the style sheet from an SVG in a notebook, which
leaves black boxes, and a page's frame altogether. A notebook that is run live shows them.
"""

import base64
import html
import os
import re
import sys
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import nbformat
import resvg_py
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from playwright.sync_api import sync_playwright

# Their matrices are small: a second thread gains little, and waits where other programs compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HERE = Path(__file__).resolve().parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main(argv: Sequence[str] | None = None) -> int:
    """Execute the named notebooks, or all; 0 if every cell ran."""
    named = [Path(name) for name in (sys.argv[1:] if argv is None else argv)]
    notebooks = named or sorted(HERE.glob("*.ipynb"))
    if not notebooks:
        print(f"no notebooks in {HERE}", file=sys.stderr)
        return 1
    for path in notebooks:
        start = time.perf_counter()
        try:
            execute(path)
        except CellExecutionError as error:
            print(f"{path.name}: a cell failed\n{error}", file=sys.stderr)
            return 1
        print(f"{path.name}: executed in {time.perf_counter() - start:.1f} s")
    return 0


def execute(path: Path) -> None:
    """Run every cell in a fresh kernel, in the notebook's own folder, and write the result back."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,  # seconds a cell
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # the kernel's own log, not the cells' warnings
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.execute()
    clean(notebook)
    nbformat.write(notebook, path)


def clean(notebook: Any) -> None:
    """Remove what tells of the machine and the hour, not of the result."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = anonymous(output.text)
            if "image/svg+xml" in output.get("data", {}):
                rasterise(output)
            if "srcdoc=" in output.get("data", {}).get("text/html", ""):
                photograph(output)
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = compact(output.data["image/png"])
            for kind, content in output.get("data", {}).items():
                if isinstance(content, str) and not kind.startswith("image/png"):
                    output.data[kind] = anonymous(content)


def rasterise(output: Any) -> None:
    """Put pixels in the place of a drawing, two for each of its own, to be shown at its size."""
    svg = output.data.pop("image/svg+xml")
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, dpi=96, zoom=2, background="white"))
    output.data["image/png"] = base64.b64encode(png).decode()
    output.metadata["image/png"] = {"width": Image.open(BytesIO(png)).width // 2}


def photograph(output: Any) -> None:
    """Put a photograph in the place of a page, which is large and which GitHub would not show.

    Without a browser only the page's text stays.
    """
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', output.data.pop("text/html"))[1])
    chromium = os.environ.get("GLASSGRAD_CHROMIUM") or which("chromium") or which("google-chrome")
    if chromium is None:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": 1100, "height": 640}, device_scale_factor=2, offline=True
        )
        view = context.new_page()
        view.set_content(page)
        view.evaluate("window.glassgrad.ready")
        view.wait_for_timeout(400)  # what moves comes to rest
        png = view.screenshot()
        browser.close()
    output.data["image/png"] = base64.b64encode(png).decode()
    output.metadata["image/png"] = {"width": 1100}


def compact(png: str) -> str:
    """The picture in 256 colours, which is less than half as large and looks the same."""
    small = BytesIO()
    picture = Image.open(BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def anonymous(text: str) -> str:
    """The text without this checkout's folder, the home folder, and addresses in memory."""
    text = text.replace(f"{HERE.parent}/", "").replace(str(Path.home()), "~")
    return re.sub(r"\b0x[0-9a-f]{6,}\b", "0x…", text)


if __name__ == "__main__":
    sys.exit(main())
