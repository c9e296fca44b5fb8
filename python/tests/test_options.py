"""target_options: codec objects of both zarr-pythons, shards, overwrite."""

import numcodecs
import pytest
import rechunk
import zarr
from conftest import TARGET_CHUNKS, elements, make_array
from rechunk import _options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compressors": zarr.codecs.ZstdCodec(level=3)}, "zstd:3"),
        ({"compressors": [zarr.codecs.GzipCodec(level=2)]}, "gzip:2"),
        ({"compressors": zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")}, "blosc:lz4:5:bitshuffle"),
        ({"compressors": None}, "none"),
        ({"compressor": None}, "none"),
        ({"compressor": numcodecs.Zstd(level=7)}, "zstd:7"),
        ({"compressor": numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.SHUFFLE)}, "blosc:zstd:3:shuffle"),
        ({"compressor": numcodecs.LZ4()}, '{"compressor": {"id": "lz4", "acceleration": 1}, "filters": null}'),
        ({"compressors": "auto"}, None),
        ({"overwrite": True}, None),
        (
            {"codecs": [zarr.codecs.BytesCodec(), zarr.codecs.GzipCodec(level=1)]},
            '[{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {"level": 1}}]',
        ),
        (
            {"compressors": zarr.codecs.ZstdCodec(level=1, checksum=True)},
            '[{"name": "bytes", "configuration": {"endian": "little"}}, '
            '{"name": "zstd", "configuration": {"level": 1, "checksum": true}}]',
        ),
    ],
)
def test_codec_objects_become_the_codecs_of_the_command_line(options, text):
    options.pop("overwrite", None)
    assert _options.codec_text(options) == text


@pytest.mark.parametrize(
    "compressor", [zarr.codecs.ZstdCodec(level=3), zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")])
def test_a_compressor_of_zarr_3_is_that_of_the_target(source, tmp_path, compressor):
    target = rechunk.rechunk(
        source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", {"compressors": compressor}).execute()
    (stored,) = target.compressors
    assert type(stored) is type(compressor) and target[...].tobytes() == elements().tobytes()


def test_a_compressor_and_filters_of_numcodecs_are_those_of_a_target_in_zarr_2(tmp_path):
    values = make_array(tmp_path / "in.zarr", zarr_format=2)
    options = {"compressor": numcodecs.Zlib(level=4), "filters": [numcodecs.Shuffle(4)]}
    target = rechunk.rechunk(tmp_path / "in.zarr", TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", options).execute()
    assert target.compressors == (numcodecs.Zlib(level=4),) and target.filters == (numcodecs.Shuffle(4),)
    assert target[...].tobytes() == values.tobytes()


def test_shards_are_written(source, tmp_path):
    target = rechunk.rechunk(
        source, (24, 5, 5), "512MiB", tmp_path / "out.zarr", {"shards": (24, 10, 15)}).execute()
    assert target.shards == (24, 10, 15) and target.chunks == (24, 5, 5)
    assert target[...].tobytes() == elements().tobytes()


def test_a_target_that_is_there_is_refused_and_stays_as_it_was_unless_it_is_to_be_overwritten(source, tmp_path):
    before = make_array(tmp_path / "out.zarr", shape=(4, 4), chunks=(2, 2))
    with pytest.raises(FileExistsError, match="out.zarr") as refused:
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    assert isinstance(refused.value, rechunk.ExistsError) and refused.value.field == "target_store"
    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == before.tobytes()
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", {"overwrite": True}).execute()
    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == elements().tobytes()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dtype": "f8"}, "no option 'dtype'"),
        ({"fill_value": 1}, "fill value stays"),
        ({"tas": {"overwrite": True}}, "about the whole target"),
        ({"compressor": "zstd"}, "is no codec"),
        ({"filters": [numcodecs.Shuffle(4)]}, "beside a compressor"),
        ({"compressor": None, "compressors": zarr.codecs.GzipCodec()}, "say the same"),
    ],
)
def test_options_that_cannot_be_taken_are_refused_by_name(source, tmp_path, options, sentence):
    with pytest.raises(rechunk.RequestError, match=sentence) as refused:
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", options)
    assert refused.value.field.startswith("target_options")
