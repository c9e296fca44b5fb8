"""`plan --output html`: one page that stands alone, says what the JSON says, and lets no name become markup."""

import html.parser
import re

import pytest
import zarr

VOID = {"meta", "br", "img", "link", "input", "hr"}
HOSTILE = "<img src=x onerror=alert(1)>"


class Page(html.parser.HTMLParser):
    """Collects elements, and fails where one is not closed in its turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.rows, self.words = [], [], [], [], []
        self.cell = None
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attributes]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = []

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attributes]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self.cell))
            self.cell = None

    def handle_data(self, data):
        self.words.append(data)
        if self.cell is not None:
            self.cell.append(data)

    @property
    def text(self):
        return "".join(self.words)


def plan(rechunk, source, target, *options, memory="256MiB"):
    """The page of a plan and its JSON."""
    arguments = ["plan", source, target, "--max-mem", memory, *options]
    page, figures = (rechunk(*arguments, "--output", form) for form in ("html", "json"))
    assert page.code == 0, page.stderr
    return Page(page.stdout), figures.json, page.stdout


def number(text):
    return 0 if text == "–" else int(text.replace(",", ""))


def array(path, shape=(60, 90, 80), chunks=(1, 90, 80), names=("time", "lat", "lon"), **options):
    return zarr.create_array(path, shape=shape, chunks=chunks, dtype="f4", dimension_names=names, **options)


@pytest.mark.parametrize("shape, chunks, spec, options", [
    ((), (), "", []),
    ((0, 4), (1, 4), "auto", []),
    ((1000,), (10,), "7", []),
    ((400, 600), (50, 60), "60,50", []),
    ((60, 90, 80), (1, 90, 80), "60,9,8", []),
    ((60, 90, 80), (1, 90, 80), "keep,keep,keep", []),
    ((5, 60, 90, 80), (5, 1, 90, 80), "1,60,10,10", ["--shards", "auto"]),
    ((100_000_000,), (1,), "3", []),
])
def test_the_page_is_well_formed_and_stands_alone(tmp_path, rechunk, shape, chunks, spec, options):
    zarr.create_array(tmp_path / "a", shape=shape, chunks=chunks, dtype="f4")
    page, _, text = plan(rechunk, tmp_path / "a", tmp_path / "b", "--chunks", spec, *options)
    assert text.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", text)
    assert len(text) < 300_000, "lines are thinned out, however many chunks there are"
    assert "NaN" not in text and "inf" not in re.findall(r'd="[^"]*"', text)


def test_the_counts_are_those_of_the_json(tmp_path, rechunk):
    array(tmp_path / "a", (365, 180, 360), (1, 180, 360))
    # So much memory that the plan is the same though two processes do not take the same of it.
    page, figures, _ = plan(
        rechunk, tmp_path / "a", tmp_path / "b", "--chunks", "365,18,36", "--assume-dense", memory="2GiB")
    names = [stage["name"] for stage in figures["stages"]]
    rows = {row[0]: row[1:] for row in page.rows if len(row) == 8}
    for stage in figures["stages"]:
        [cells] = [cells for first, cells in rows.items() if first.startswith(stage["name"])]
        shown = [number(cells[column]) for column in (0, 2, 3)]
        assert shown == [stage["tasks"], stage["get_requests"], stage["put_requests"]], stage["name"]
    total = rows["total"]
    fields = ["get_requests", "put_requests", "delete_requests"]
    assert [number(cell) for cell in total[2:5]] == [figures["totals"][field] for field in fields]
    sizes = {value for tag, name, value in page.attributes if (tag, name) == ("td", "title")}
    assert f"{figures['totals']['bytes_decoded']:,} bytes" in sizes
    assert len(names) == len(set(names)) and "copy_" in " ".join(names)
    for word in ["time", "lat", "lon", "365 chunks of 1 × 180 × 360", "100 chunks of 365 × 18 × 36"]:
        assert word in page.text, word


def test_names_stay_text(tmp_path, rechunk):
    group = zarr.create_group(tmp_path / "g")
    for name in (HOSTILE, "tas"):
        group.create_array(
            name, shape=(20, 30), chunks=(1, 30), dtype="f4", dimension_names=["time", '"></svg><script>alert(1)'])
    page, figures, text = plan(rechunk, tmp_path / "g", tmp_path / "<b>'t'", "--chunks", "time=20")
    assert HOSTILE in {row["name"] for row in figures["arrays"]}
    assert HOSTILE in page.text
    assert not {"script", "img", "b><"} & set(page.tags)
    assert HOSTILE not in text and "<script" not in text and "<b>'t'" not in text


def test_warnings_are_on_the_page_with_shards_that_can_be_pasted(tmp_path, rechunk):
    array(tmp_path / "a", (100, 200, 200), (1, 200, 200))
    page, figures, _ = plan(rechunk, tmp_path / "a", tmp_path / "b", "--chunks", "10,10,10")
    [warning] = [warning for warning in figures["warnings"] if "--shards" in warning]
    assert warning in page.text
    shards = re.search(r"--shards (\S+)", warning)[1]
    _, sharded, _ = plan(rechunk, tmp_path / "a", tmp_path / "b", "--chunks", "10,10,10", "--shards", shards)
    assert not [warning for warning in sharded["warnings"] if "objects" in warning]
    array(tmp_path / "v2", (100, 200, 200), (1, 200, 200), names=None, zarr_format=2)
    _, figures, _ = plan(rechunk, tmp_path / "v2", tmp_path / "b", "--chunks", "10,10,10")
    assert figures["warnings"] and not [warning for warning in figures["warnings"] if "--shards" in warning]


def test_a_dry_run_has_the_page_too_and_nothing_else_has(tmp_path, rechunk):
    array(tmp_path / "a")
    arguments = [tmp_path / "a", tmp_path / "b", "--chunks", "auto", "--output", "html"]
    dry = rechunk("run", "--dry-run", *arguments)
    assert dry.code == 0 and Page(dry.stdout).rows
    for command in [["run", *arguments], ["submit", *arguments], ["jobs", "--output", "html"],
                    ["workers", "--output", "html"], ["demo", "--output", "html"]]:
        refused = rechunk(*command)
        assert refused.code == 2, command
        assert refused.stdout == "" and "output: html is for plan" in refused.stderr
    assert not (tmp_path / "b").exists()


def test_auto_chunks_are_written_and_read_back(tmp_path, rechunk_run):
    source = array(tmp_path / "a", (50, 30, 20), (7, 30, 20))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "auto")
    assert report["arrays"][0]["target_chunks"] == [50, 30, 20], "small enough for one chunk"
    assert zarr.open_array(tmp_path / "b", mode="r").shape == source.shape
