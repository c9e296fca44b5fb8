"""Arrays in this process: every form of source and of target chunks."""

import json

import numpy as np
import pytest
import rechunk
import zarr
from conftest import CHUNKS, TARGET_CHUNKS, elements, make_array, objects


def test_an_array_is_rechunked_and_keeps_its_elements_attributes_and_names(source, tmp_path):
    rechunked = rechunk.rechunk(str(source), TARGET_CHUNKS, "512MiB", str(tmp_path / "series.zarr"))
    assert not (tmp_path / "series.zarr").exists(), "a plan writes nothing"
    target = rechunked.execute()
    assert isinstance(target, zarr.Array) and target.chunks == TARGET_CHUNKS
    assert target[...].tobytes() == elements().tobytes()
    assert target.attrs["units"] == "K" and np.isnan(target.attrs["missing"])
    assert target.metadata.dimension_names == ("time", "lat", "lon")
    assert not list(tmp_path.glob(".rechunk*")), "nothing temporary is left"


@pytest.mark.parametrize(
    ("target_chunks", "chunks"),
    [
        ((24, 5, 7), (24, 5, 7)),
        ([24, 5, 7], (24, 5, 7)),
        (np.array([24, 5, 7]), (24, 5, 7)),
        ((-1, 5, 7), (24, 5, 7)),
        ((1000, 5, 7), (24, 5, 7)),
        ((None, 5, 7), (1, 5, 7)),
        ({"time": -1, "lat": 5}, (24, 5, 30)),
        ({"time": 24, "lat": None}, (24, 20, 30)),
        ("time=-1,lat=5", (24, 5, 30)),
        (((10, 10, 4), (20,), (30,)), (10, 20, 30)),
        (-1, (24, 20, 30)),
        (None, (1, 20, 30)),
    ],
)
def test_target_chunks_are_what_they_say(source, tmp_path, target_chunks, chunks):
    target = rechunk.rechunk(source, target_chunks, 2**29, tmp_path / "out.zarr").execute()
    assert target.chunks == chunks
    assert target[...].tobytes() == elements().tobytes()


def test_chunks_may_differ_in_length_along_an_axis(source, tmp_path):
    written = rechunk.rechunk(source, ((7, 1, 16), 20, (10, 20)), "512MiB", tmp_path / "out.zarr").execute()
    document = json.loads((tmp_path / "out.zarr" / "zarr.json").read_text())
    grid = {"kind": "inline", "chunk_shapes": [[7, 1, 16], 20, [10, 20]]}
    assert document["chunk_grid"] == {"name": "rectilinear", "configuration": grid}
    assert written == str(tmp_path / "out.zarr"), "this zarr-python has no such grids"
    back = rechunk.rechunk(tmp_path / "out.zarr", TARGET_CHUNKS, "512MiB", tmp_path / "back.zarr").execute()
    assert back[...].tobytes() == elements().tobytes()


@pytest.mark.parametrize("held_as", ["array", "local store", "url", "fsspec store", "mapper", "object store"])
def test_every_form_of_a_source_and_a_store_is_the_same_place(source, tmp_path, held_as):
    import fsspec
    import obstore.store

    stores = {
        "local store": lambda path: zarr.storage.LocalStore(path),
        "url": lambda path: f"file://{path}",
        "fsspec store": lambda path: zarr.storage.FsspecStore.from_url(f"file://{path}"),
        "mapper": lambda path: fsspec.get_mapper(str(path)),
        "object store": lambda path: zarr.storage.ObjectStore(obstore.store.LocalStore(path, mkdir=True)),
    }
    stores["array"] = stores["local store"]
    held = zarr.open_array(source, mode="r") if held_as == "array" else stores[held_as](source)
    rechunk.rechunk(held, TARGET_CHUNKS, "512MiB", stores[held_as](tmp_path / "out.zarr")).execute()
    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == elements().tobytes()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_both_formats_are_read_and_kept_or_converted(tmp_path, zarr_format):
    values = make_array(tmp_path / "in.zarr", zarr_format=zarr_format)
    kept = rechunk.rechunk(tmp_path / "in.zarr", TARGET_CHUNKS, "512MiB", tmp_path / "kept.zarr").execute()
    assert kept.metadata.zarr_format == zarr_format and kept[...].tobytes() == values.tobytes()
    other = 5 - zarr_format
    converted = rechunk.rechunk(
        tmp_path / "in.zarr", TARGET_CHUNKS, "512MiB", tmp_path / "converted.zarr", {"zarr_format": other}).execute()
    assert converted.metadata.zarr_format == other and converted[...].tobytes() == values.tobytes()


def test_an_array_is_written_into_a_group_by_its_name(source, tmp_path):
    zarr.create_group(tmp_path / "group.zarr")
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "group.zarr", array_name="series").execute()
    assert zarr.open_group(tmp_path / "group.zarr")["series"].chunks == TARGET_CHUNKS


def test_chunks_that_stay_are_passed_through_as_they_are_stored(source, tmp_path):
    rechunked = rechunk.rechunk(source, CHUNKS, "512MiB", tmp_path / "out.zarr", temp_store=tmp_path / "temp")
    assert "copy_encoded" in {stage["name"] for stage in rechunked.plan["stages"]}
    rechunked.execute()
    chunks = [path for path in objects(source) if path.startswith("c/")]
    assert chunks and all(objects(source)[path] == objects(tmp_path / "out.zarr")[path] for path in chunks)


def test_what_fits_into_memory_needs_no_temporary_place_and_touches_none(source, tmp_path):
    rechunked = rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", temp_store=tmp_path / "temp")
    assert "copy_read_to_exchange" not in {stage["name"] for stage in rechunked.plan["stages"]}
    rechunked.execute()
    assert not (tmp_path / "temp").exists()


def test_an_exchange_uses_the_temporary_place_and_leaves_nothing_there(tmp_path):
    values = make_array(tmp_path / "in.zarr", shape=(96, 128, 128), chunks=(1, 128, 128))
    (tmp_path / "temp").mkdir()
    rechunked = rechunk.rechunk(
        tmp_path / "in.zarr", (96, 16, 16), "500kB", tmp_path / "out.zarr", temp_store=tmp_path / "temp",
        temp_options={"codec": "lz4"}, threads=1)
    assert rechunked.plan["temp"].startswith(f"file://{tmp_path}/temp")
    assert "copy_read_to_exchange" in {stage["name"] for stage in rechunked.plan["stages"]}
    assert rechunked.execute()[...].tobytes() == values.tobytes()
    assert not objects(tmp_path / "temp")


def test_the_report_has_what_was_measured_beside_the_plan(source, tmp_path):
    rechunked = rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    assert rechunked.report is None
    rechunked.execute()
    for name in ("get_requests", "put_requests", "bytes_decoded", "bytes_encoded"):
        assert rechunked.report["totals"][name] == rechunked.plan["totals"][name], name
    assert rechunked.report["plan"]["arrays"][0]["target_chunks"] == list(TARGET_CHUNKS)
    puts = rechunked.plan["totals"]["put_requests"]
    (row,) = [line for line in repr(rechunked).splitlines() if line.startswith("put_requests")]
    assert row.split() == ["put_requests", str(puts), str(puts)]
    assert f"<td>put_requests</td><td>{puts}</td><td>{puts}</td>" in rechunked._repr_html_()


def test_a_plan_is_text_in_a_terminal_and_a_page_in_a_notebook(source, tmp_path):
    rechunked = rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "<out>.zarr")
    assert str(source) in repr(rechunked) and "GET" in repr(rechunked)
    page = rechunked._repr_html_()
    assert page.startswith("<iframe srcdoc=") and "24 × 5 × 7" in page and "<out>" not in page


def test_progress_is_shown_where_it_is_asked_for(source, tmp_path, capsys):
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr").execute(progress=True)
    assert "task" in capsys.readouterr().err


def test_a_source_on_s3_is_named_as_its_store_names_it():
    import obstore.store
    from rechunk import _places

    store = obstore.store.S3Store("bucket", prefix="a/b.zarr", region="us-east-1", skip_signature=True)
    assert _places.store_place("source", zarr.storage.ObjectStore(store)) == "s3://bucket/a/b.zarr"


@pytest.mark.parametrize("region", [{"time": slice(3, 17), "lon": slice(None, 25)},
                                    (slice(3, 17), slice(None), slice(0, 25))])
def test_a_region_is_what_slices_cut_out(source, tmp_path, region):
    target = rechunk.rechunk(source, (-1, 5, 7), 2**29, tmp_path / "out.zarr", region=region).execute()
    assert target.shape == (14, 20, 25) and target.chunks == (14, 5, 7)
    assert target[...].tobytes() == np.ascontiguousarray(elements()[3:17, :, :25]).tobytes()


def test_an_append_puts_what_is_new_behind_what_the_target_has(source, tmp_path):
    first = rechunk.rechunk(source, (7, 5, 7), 2**29, tmp_path / "out.zarr", region={"time": slice(0, 17)}).execute()
    assert first.shape[0] == 17
    target = rechunk.rechunk(source, None, 2**29, tmp_path / "out.zarr", append="time").execute()
    assert target.chunks == (7, 5, 7)
    assert target[...].tobytes() == elements().tobytes()


@pytest.mark.parametrize(("chunks", "executor", "field"), [(None, "python", "append"), (-1, "local", "target_chunks")])
def test_what_does_not_go_with_an_append_is_refused(source, tmp_path, chunks, executor, field):
    with pytest.raises(ValueError, match=field):
        rechunk.rechunk(source, chunks, 2**29, tmp_path / "out.zarr", append="time", executor=executor)


@pytest.mark.parametrize("region", [{"time": 3}, {"time": slice(0, 9, 2)}, {"time": slice(-3, None)}, {"no": slice(1)}])
def test_what_is_no_region_is_refused(source, tmp_path, region):
    with pytest.raises(ValueError, match="region"):
        rechunk.rechunk(source, (-1, 5, 7), 2**29, tmp_path / "out.zarr", region=region)
