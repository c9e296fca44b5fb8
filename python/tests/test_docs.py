"""The pages of docs/: the reference says what the package says, the notebook runs, and the lines for who comes from
rechunker do, too."""

import importlib.util
import json
import pathlib
import re

import nbclient
import nbformat
import rechunk
from conftest import make_array

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"


def test_the_reference_is_what_the_docstrings_say():
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.reference(rechunk) == (DOCS / "reference.md").read_text(), "run python/docs/reference.py"
    for name in set(rechunk.__all__) - {"__version__", "aio"}:
        assert f"`rechunk.{name}`" in made.reference(rechunk), name


def test_the_notebook_runs_to_its_end_and_keeps_no_output():
    book = nbformat.read(DOCS / "series.ipynb", as_version=4)
    nbformat.validate(book)
    assert not any(cell.get("outputs") for cell in book.cells)
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in shown if output.output_type == "error"]
    pages = [output.data["text/html"] for output in shown if "text/html" in output.get("data", {})]
    assert any("series.zarr" in page for page in pages), "the plan is a page"
    assert any("K warmer" in json.dumps(output) for output in shown)


def test_the_lines_of_the_migration_page_work(tmp_path, monkeypatch):
    make_array(tmp_path / "maps.zarr", (12, 32, 64), (1, 32, 64))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "migration.md").read_text(), re.DOTALL)
    [lines] = blocks
    exec(compile(lines, "migration.md", "exec"), {})  # noqa: S102
    assert (tmp_path / "series.zarr" / "zarr.json").exists()
    assert not (tmp_path / "temporary.zarr").exists()
