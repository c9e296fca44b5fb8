"""Text and byte strings through an exchange: what a small memory makes of maps that become series."""

import numpy as np
import pytest
import zarr
import zarr.storage
from arrays import as_predicted, names, texts
from test_variable import BYTE_STRINGS, TEXT, create
from zarr.core.dtype import VariableLengthBytes

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE, MAPS, SERIES = (60, 100, 100), (1, 100, 100), "-1,4,4"


def within(memory):
    """So little memory that a direct sweep would read each map a hundred times."""
    return ["--max-mem", memory, "--threads", "2"]


SMALL = within("1300KiB")


def exchanged(report, tmp_path=None, reads_again=False):
    array = report["arrays"][0]
    assert array["shape_of_plan"] == "exchange", array
    if reads_again:
        # What turned out to be longer than there was room for came a second time.
        assert report["totals"]["get_requests"] > report["plan"]["totals"]["get_requests"]
        assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"]
    else:
        as_predicted(report)
    assert "index_exchange" in [stage["name"] for stage in report["plan"]["stages"]]
    assert report["totals"]["delete_requests"] == report["plan"]["totals"]["delete_requests"]
    if tmp_path is not None:
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "temporary space is left"


@pytest.mark.parametrize("zarr_format, target_format", [(2, 2), (2, 3), (3, 3), (3, 2)])
@pytest.mark.parametrize("options", [[], ["--exchange-codec", "zstd", "--verify"]])
def test_maps_of_text_become_series_bit_for_bit(tmp_path, rechunk_run, zarr_format, target_format, options):
    values = names(SHAPE, TEXT, seed=1)
    create(tmp_path / "a", values, MAPS, "Å", zarr_format=zarr_format)
    report = rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, "--zarr-format", str(target_format), *SMALL, *options)
    exchanged(report, tmp_path)
    target = zarr.open_array(tmp_path / "b")
    assert (target[...] == values).all() and target.fill_value == "Å"


def test_byte_strings_become_series_bit_for_bit(tmp_path, rechunk_run):
    values = names(SHAPE, BYTE_STRINGS, seed=2)
    array = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=MAPS, dtype=VariableLengthBytes(), fill_value=b"\xfe")
    array[...] = values
    exchanged(rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, *SMALL, "--exchange-codec", "lz4"), tmp_path)
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()


@pytest.mark.parametrize("source_shards, shards", [((4, 100, 100), None), (None, "60,8,8"), ((4, 100, 100), "60,8,8")])
def test_shards_of_text_go_through_an_exchange(tmp_path, rechunk_run, source_shards, shards):
    values = names(SHAPE, TEXT, seed=3)
    create(tmp_path / "a", values, MAPS, shards=source_shards)
    report = rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, "--shards", shards or "none", *within("1800KiB"),
                         "--verify")
    exchanged(report, tmp_path)
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()


@pytest.mark.parametrize("begin", [0, 3])
def test_a_part_of_an_array_of_text_goes_through_an_exchange(tmp_path, rechunk_run, begin):
    values = names(SHAPE, TEXT, seed=4)
    create(tmp_path / "a", values, MAPS)
    region = f"{begin}:58,:,1:99"
    exchanged(rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, "--region", region, *within("1500KiB"),
                          "--verify"), tmp_path)
    assert (zarr.open_array(tmp_path / "b")[...] == values[begin:58, :, 1:99]).all()


@pytest.mark.parametrize("listing", ["always", "never"])
def test_what_is_missing_in_a_source_of_text_is_missing_behind_its_exchange(tmp_path, rechunk_run, listing):
    values = names(SHAPE, TEXT, seed=5)
    array = create(tmp_path / "a", values, (1, 50, 100), "nö")
    for gap in [(slice(7, 30), slice(None)), (slice(None), slice(50, 100)), (slice(40, 41), slice(0, 50))]:
        values[gap] = "nö"
        array[gap] = "nö"
    report = rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, *within("800KiB"), "--list", listing, "--verify")
    assert report["arrays"][0]["shape_of_plan"] == "exchange"
    if listing == "always":
        exchanged(report, tmp_path)
        assert report["totals"]["missing_source_chunks"] == 0, "what is absent is never asked for"
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()
    assert not [p for p in (tmp_path / "b" / "c" / "0").iterdir() if int(p.name) >= 13], "made of nothing but gaps"


def test_text_goes_through_an_exchange_on_s3(s3, rechunk_run):
    values = names(SHAPE, TEXT, seed=6)
    array = zarr.create_array(zarr.storage.ObjectStore(s3.store("text/a")), shape=SHAPE, chunks=MAPS, dtype=str)
    array[...] = values
    report = rechunk_run(s3.url("text/a"), s3.url("text/b"), SERIES, *SMALL, "--exchange-codec", "lz4", env=s3.env)
    exchanged(report)
    assert (zarr.open_array(zarr.storage.ObjectStore(s3.store("text/b")), mode="r")[...] == values).all()


def test_text_that_is_too_long_for_an_exchange_fails_by_name_and_leaves_nothing(tmp_path, rechunk):
    # It compresses to nearly nothing: how long it is shows when it is there.
    values = names(SHAPE, TEXT, seed=7)
    values[30:] = "y" * 2000
    create(tmp_path / "a", values, MAPS)
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", SERIES, *SMALL, "--output", "json")
    assert ended.code not in (0, 2), ended.stdout
    text = ended.stdout + ended.stderr
    assert "--max-mem" in text and "of variable length" in text and str(tmp_path) in text, text
    left = [p for name in tmp_path.iterdir() if name.name != "a" for p in name.rglob("*") if p.is_file()]
    assert not left, left


def test_texts_of_very_different_lengths_go_through_an_exchange(tmp_path, rechunk_run):
    values = texts(SHAPE, TEXT, seed=8)
    # As they are: a listing says how long they may be.
    create(tmp_path / "a", values, MAPS, compressors=None)
    exchanged(rechunk_run(tmp_path / "a", tmp_path / "b", SERIES, *within("4MiB"), "--verify"), reads_again=True)
    assert (zarr.open_array(tmp_path / "b")[...] == values).all()
