"""Elements of variable length, text above all, as zarr-python and xarray read them before and after."""

import json

import numpy as np
import pytest
import xarray
import zarr
from arrays import stored, texts
from test_groups import read

pytestmark = pytest.mark.filterwarnings("ignore")

TEXT, BYTE_STRINGS = np.dtypes.StringDType(), np.dtype("O")


def create(path, values, chunks, fill="", **options):
    array = zarr.create_array(path, shape=values.shape, chunks=chunks, dtype=str, fill_value=fill, **options)
    array[...] = values
    return array


def dataset():
    """As of a genome: identifiers, alleles of very different lengths, positions, and text over two axes."""
    random = np.random.default_rng(2)
    count = 400
    alleles = np.array(["ACGT" * int(n) + "T" for n in random.exponential(20, count)], dtype=object)
    ids = np.array([f"rs{n}" if n % 3 else "" for n in random.integers(0, 10**9, count)], dtype=object)
    samples = np.array(["Åsa", "Bo", "陈", "", "x" * 500], dtype=object)
    notes = texts((count, 5), TEXT, seed=1).astype(object)
    return xarray.Dataset(
        {"call": (("variant", "sample"), random.integers(0, 3, (count, 5)).astype("int8")),
         "note": (("variant", "sample"), notes), "allele": ("variant", alleles)},
        coords={"variant": ids, "sample": samples, "position": ("variant", np.cumsum(random.integers(1, 99, count)))},
        attrs={"contig": "chr1"})


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("target_format", [2, 3])
def test_a_dataset_with_text_reads_identical_in_other_chunks(tmp_path, rechunk_run, zarr_format, target_format):
    dataset().to_zarr(tmp_path / "a", zarr_format=zarr_format, encoding={
        "allele": {"chunks": (70,)}, "note": {"chunks": (50, 2)}, "call": {"chunks": (50, 5)}})
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "variant=130,sample=3", "--zarr-format", str(target_format),
                        "--verify")
    plans = {array["name"]: array["shape_of_plan"] for array in report["arrays"]}
    assert plans["allele"] == plans["note"] == "direct_sweep", plans
    before, after = read(tmp_path / "a"), read(tmp_path / "b")
    xarray.testing.assert_identical(after, before)
    assert zarr.open_group(tmp_path / "b")["note"].chunks == (130, 3)
    assert (before["allele"].values == dataset()["allele"].values).all()


@pytest.mark.parametrize("shards", [None, "60,8"])
@pytest.mark.parametrize("source_shards", [None, (40, 8)])
def test_text_goes_into_and_out_of_shards_bit_for_bit(tmp_path, rechunk_run, shards, source_shards):
    values = texts((100, 16), TEXT, seed=4)
    create(tmp_path / "a", values, (20, 4), "fill", shards=source_shards)
    options = ["--shards", shards] if shards else ["--shards", "none"]
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "30,2", *options, "--verify")
    assert report["arrays"][0]["shape_of_plan"] == "direct_sweep"
    array = zarr.open_array(tmp_path / "b")
    assert array.shards == (None if shards is None else (60, 8))
    assert (array[...] == values).all() and array.fill_value == "fill"


@pytest.mark.parametrize("source_shards, shards", [(None, "40,8"), ((40, 8), "none"), ((40, 8), "80,16"), (None, None)])
def test_chunks_of_text_are_passed_on_as_they_are(tmp_path, rechunk_run, source_shards, shards):
    values = texts((100, 16), TEXT, seed=5)
    create(tmp_path / "a", values, (20, 4), shards=source_shards)
    options = [] if shards is None else ["--shards", shards]
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "20,4", *options, "--verify")
    assert report["arrays"][0]["shape_of_plan"] == "copy_encoded"
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_of_nothing_but_fill_values_are_left_out_and_missing_ones_read_the_same(
        tmp_path, rechunk_run, zarr_format):
    values = texts((12, 6), TEXT, seed=6)
    values[4:8] = "nö"
    array = zarr.create_array(tmp_path / "a", shape=(12, 6), chunks=(2, 6), dtype=str, zarr_format=zarr_format,
                              fill_value="nö", config={"write_empty_chunks": True})
    array[:10] = values[:10]
    values[10:] = "nö"
    rechunk_run(tmp_path / "a", tmp_path / "b", "4,3")
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()
    separator = {2: "{}.{}", 3: "c/{}/{}"}[zarr_format]
    assert stored(tmp_path / "b") == sorted(separator.format(i, j) for i in (0, 2) for j in (0, 1))


@pytest.mark.parametrize("fill", [None, 0, "", "n"])
def test_every_fill_value_that_v2_spells_reads_as_zarr_python_reads_it(tmp_path, rechunk_run, fill):
    values = texts((10,), TEXT, seed=8)
    create(tmp_path / "a", values, (3,), "", zarr_format=2)
    document = tmp_path / "a" / ".zarray"
    document.write_text(json.dumps({**json.loads(document.read_text()), "fill_value": fill}))
    (tmp_path / "a" / "1").unlink()
    expected = zarr.open_array(tmp_path / "a")[...]
    rechunk_run(tmp_path / "a", tmp_path / "b", "4")
    assert (zarr.open_array(tmp_path / "b")[...] == expected).all()
    rechunk_run(tmp_path / "a", tmp_path / "c", "4", "--zarr-format", "3")
    assert (zarr.open_array(tmp_path / "c")[...] == expected).all()
    assert (expected[3:6] == ("" if fill is None else str(fill))).all()


def test_another_codec_replaces_the_compressor_alone(tmp_path, rechunk_run):
    values = texts((60,), TEXT, seed=9)
    for zarr_format in (2, 3):
        create(tmp_path / f"a{zarr_format}", values, (20,), zarr_format=zarr_format)
        rechunk_run(tmp_path / f"a{zarr_format}", tmp_path / f"b{zarr_format}", "30", "--codec", "gzip:3")
        assert (zarr.open_array(tmp_path / f"b{zarr_format}")[...] == values).all()
    document = json.loads((tmp_path / "b2" / ".zarray").read_text())
    assert (document["filters"], document["compressor"]) == ([{"id": "vlen-utf8"}], {"id": "gzip", "level": 3})
    names = [codec["name"] for codec in json.loads((tmp_path / "b3" / "zarr.json").read_text())["codecs"]]
    assert names == ["vlen-utf8", "gzip"]


def test_text_that_is_too_long_for_the_memory_fails_by_the_name_of_its_chunk_and_says_what_to_raise(tmp_path, rechunk):
    # It compresses to nearly nothing: how long it is shows when it is there.
    values = np.array(["x" * 3_000_000] * 40, dtype=TEXT)
    create(tmp_path / "a", values, (20,))
    small = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "10", "--max-mem", "20MiB", "--output", "json")
    assert small.code not in (0, 2), small.stdout
    text = small.stdout + small.stderr
    assert "--max-mem" in text and f"{tmp_path}/a/c/" in text, text
    enough = rechunk("run", tmp_path / "a", tmp_path / "c", "--chunks", "10", "--max-mem", "1GiB", "--output", "json")
    assert enough.code == 0, enough.stderr
    assert (zarr.open_array(tmp_path / "c")[...] == values).all()


def test_a_part_of_an_array_of_text_is_copied(tmp_path, rechunk_run):
    values = texts((50, 6), TEXT, seed=10)
    create(tmp_path / "a", values, (7, 6))
    rechunk_run(tmp_path / "a", tmp_path / "b", "10,3", "--region", "3:41,1:6", "--verify")
    assert (zarr.open_array(tmp_path / "b")[...] == values[3:41, 1:6]).all()
