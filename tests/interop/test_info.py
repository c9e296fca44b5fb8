"""`rechunk info` says what zarr-python wrote: nodes, grids, codecs, what is stored."""

import numpy as np
import pytest
import zarr


@pytest.fixture
def group(tmp_path):
    """A group with a full array, one with gaps, one in shards, and one that cannot be rechunked."""
    root = zarr.create_group(tmp_path / "g")
    full = root.create_array("full", shape=(10, 6), chunks=(4, 6), dtype="f4", dimension_names=("time", "x"),
                             compressors=(zarr.codecs.BloscCodec(cname="zstd"),), fill_value=7)
    full[...] = 1
    gaps = root.create_array("deep/gaps", shape=(10,), chunks=(2,), dtype="i2", compressors=None)
    gaps[4:6] = 3
    root.create_array("sharded", shape=(16, 16), chunks=(2, 2), shards=(8, 8), dtype="u1")[...] = 5
    root.create_array("words", shape=(3,), chunks=(3,), dtype=str)[...] = np.array(["a", "b", "c"], dtype=object)
    document = tmp_path / "g/words/zarr.json"
    text = document.read_text()
    assert '"vlen-utf8"' in text
    document.write_text(text.replace('"vlen-utf8"', '"json2"'))
    return tmp_path / "g"


def test_a_group_is_described_array_by_array(group, rechunk):
    ended = rechunk("info", group, "--output", "json")
    assert ended.code == 0, ended.stderr
    info = ended.json
    assert (info["zarr_format"], info["is_group"], info["url"]) == (3, True, f"file://{group}")
    arrays = {array["name"]: array for array in info["arrays"]}
    assert sorted(arrays) == ["deep/gaps", "full", "sharded", "words"]
    full = arrays["full"]
    assert (full["shape"], full["chunks"], full["shards"], full["dtype"]) == ([10, 6], [4, 6], None, "float32")
    assert (full["dimensions"], full["fill_value"]) == (["time", "x"], 7.0)
    assert [codec["name"] for codec in full["codecs"]] == ["bytes", "blosc"]
    assert full["grid"] == {"objects": 3, "decoded_bytes": 240}
    chunks = list((group / "full/c").rglob("*"))
    size = sum(path.stat().st_size for path in chunks if path.is_file())
    assert full["stored"] == {"objects": 3, "bytes": size, "has_more": False}
    assert arrays["deep/gaps"]["stored"] == {"objects": 1, "bytes": 4, "has_more": False}
    assert arrays["deep/gaps"]["grid"]["objects"] == 5
    assert (arrays["sharded"]["chunks"], arrays["sharded"]["shards"]) == ([2, 2], [8, 8])
    assert arrays["sharded"]["stored"]["objects"] == 4, "shards are the objects"


def test_people_get_a_table_and_what_cannot_be_rechunked(group, rechunk):
    ended = rechunk("info", group)
    assert ended.code == 0, ended.stderr
    for part in ["Zarr v3 group", "time=10×x=6", "bytes blosc:zstd", "1 of 5", "2×2 in shards 8×8", "warning: words: "]:
        assert part in ended.stdout, part


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_of_either_format_is_described(tmp_path, rechunk, zarr_format):
    array = zarr.create_array(tmp_path / "a", shape=(5,), chunks=(2,), dtype="f8", zarr_format=zarr_format)
    array[...] = 1
    info = rechunk("info", tmp_path / "a", "--output", "json").json
    assert (info["zarr_format"], info["is_group"], len(info["arrays"])) == (zarr_format, False, 1)
    assert info["arrays"][0]["stored"]["objects"] == 3


def test_where_nothing_lies_it_says_so(tmp_path, rechunk):
    ended = rechunk("info", tmp_path / "nothing")
    assert ended.code == 2
    assert "nothing lies at source" in ended.stderr and str(tmp_path) in ended.stderr
