"""Every data type and codec that both sides know goes through bit for bit, in both formats."""

import numcodecs
import numpy as np
import pytest
import zarr
from arrays import NUMERIC, assert_same, elements, open_array
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

SHAPE, CHUNKS, TARGET = (11, 7, 13), (3, 7, 5), "5,4,6"

V2_COMPRESSORS = {
    "none": None,
    "blosc-lz4": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
    "blosc-zstd-bit": numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE),
    "blosc-blosclz": numcodecs.Blosc("blosclz", 9, numcodecs.Blosc.NOSHUFFLE),
    "zstd": numcodecs.Zstd(3),
    "gzip": numcodecs.GZip(5),
    "zlib": numcodecs.Zlib(1),
    "bz2": numcodecs.BZ2(5),
    "lz4": numcodecs.LZ4(),
    "lzma": numcodecs.LZMA(),
}
V3_COMPRESSORS = {
    "none": (),
    "blosc-lz4": (BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),),
    "blosc-zstd-bit": (BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),),
    "zstd": (ZstdCodec(level=3),),
    "zstd-checksum": (ZstdCodec(level=1, checksum=True),),
    "gzip": (GzipCodec(level=5),),
    "crc32c": (Crc32cCodec(),),
    "zstd-crc32c": (ZstdCodec(level=1), Crc32cCodec()),
}


def make(path, dtype, zarr_format):
    """Opened again for reading later: zarr-python keeps the byte order of a new v3 array only in memory."""
    return zarr.create_array(path, shape=SHAPE, chunks=CHUNKS, dtype=dtype, zarr_format=zarr_format)


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_numeric_dtype_keeps_its_bits(tmp_path, rechunk_run, dtype, zarr_format):
    values = elements(SHAPE, dtype)
    make(tmp_path / "a", dtype, zarr_format)[...] = values
    report = rechunk_run(tmp_path / "a", tmp_path / "b", TARGET)
    target = open_array(tmp_path / "b")
    assert target.chunks == (5, 4, 6)
    assert_same(open_array(tmp_path / "a"), target)
    assert report["totals"]["get_requests"] == report["plan"]["totals"]["get_requests"]


@pytest.mark.parametrize("dtype", ["<M8[ns]", "<M8[D]", "<m8[s]", "S5", "<U4", ">U4", "V7"])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning", "ignore::UserWarning")
def test_dtypes_that_only_a_width_is_known_of_keep_their_bits(tmp_path, rechunk_run, dtype, zarr_format):
    make(tmp_path / "a", dtype, zarr_format)[...] = elements(SHAPE, dtype)
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET)
    assert_same(open_array(tmp_path / "a"), open_array(tmp_path / "b"))


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning", "ignore::UserWarning")
def test_structured_elements_keep_their_bits(tmp_path, rechunk_run):
    dtype = np.dtype([("x", "<f4"), ("n", ">i2"), ("name", "S3")])
    values = np.frombuffer(np.random.default_rng(1).bytes(200 * dtype.itemsize), dtype)
    source = zarr.create_array(tmp_path / "a", shape=(200,), chunks=(32,), dtype=dtype, zarr_format=2)
    source[...] = values
    rechunk_run(tmp_path / "a", tmp_path / "b", "50")
    assert_same(source, open_array(tmp_path / "b"))


@pytest.mark.parametrize("compressor", V2_COMPRESSORS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_v2_compressors_and_orders_are_kept(tmp_path, rechunk_run, compressor, order):
    source = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<f4", zarr_format=2, order=order,
        compressors=V2_COMPRESSORS[compressor])
    source[...] = elements(SHAPE, "<f4")
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET)
    target = open_array(tmp_path / "b")
    assert target.metadata.compressor == source.metadata.compressor
    assert target.order == order
    assert_same(source, target)


@pytest.mark.parametrize("codecs", V3_COMPRESSORS)
def test_v3_codecs_are_kept(tmp_path, rechunk_run, codecs):
    source = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<u4", zarr_format=3, compressors=V3_COMPRESSORS[codecs])
    source[...] = elements(SHAPE, "<u4")
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET)
    target = open_array(tmp_path / "b")
    assert [c.to_dict() for c in target.metadata.codecs] == [c.to_dict() for c in source.metadata.codecs]
    assert_same(source, target)


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_transpose_and_byte_order_are_kept(tmp_path, rechunk_run, endian, order):
    source = zarr.create_array(
        tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="int16", zarr_format=3,
        filters=(TransposeCodec(order=order),), serializer=BytesCodec(endian=endian), compressors=(ZstdCodec(),))
    source[...] = elements(SHAPE, "int16")
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET)
    target = open_array(tmp_path / "b")
    assert [c.to_dict() for c in target.metadata.codecs] == [c.to_dict() for c in source.metadata.codecs]
    assert_same(source, target)


@pytest.mark.parametrize("codec, kind", [("none", None), ("zstd:5", "ZstdCodec"), ("gzip:1", "GzipCodec"),
                                         ("blosc:zstd:3:bitshuffle", "BloscCodec"), ("lz4", "LZ4"), ("lzma:2", "LZMA")])
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
def test_the_codec_can_be_replaced(tmp_path, rechunk_run, codec, kind):
    source = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<f8", compressors=(GzipCodec(),))
    source[...] = elements(SHAPE, "<f8")
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET, "--codec", codec)
    target = open_array(tmp_path / "b")
    assert [type(c).__name__ for c in target.metadata.codecs[1:]] == ([kind] if kind else [])
    assert_same(source, target)


@pytest.mark.parametrize("codec, kind", [("lz4", numcodecs.LZ4()), ("lzma", numcodecs.LZMA(preset=6))])
def test_numcodecs_reads_what_takes_the_place_of_a_v2_compressor(tmp_path, rechunk_run, codec, kind):
    source = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<f8", zarr_format=2)
    source[...] = elements(SHAPE, "<f8")
    rechunk_run(tmp_path / "a", tmp_path / "b", TARGET, "--codec", codec)
    target = open_array(tmp_path / "b")
    assert target.metadata.compressor == kind
    assert_same(source, target)


def test_an_element_that_a_filter_would_change_fails_the_job(tmp_path, rechunk):
    offset = numcodecs.FixedScaleOffset(offset=0, scale=10, dtype="<f4", astype="<i2")
    source = zarr.create_array(tmp_path / "a", shape=(8,), chunks=(2,), dtype="<f4", zarr_format=2,
                               filters=[offset], fill_value=1e20)
    source[:2] = 1.5
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "4", "--output", "json")
    assert ended.code == 1, ended.stderr
    assert "fixedscaleoffset" in ended.json["error"]["message"] and "element 2" in ended.json["error"]["message"]
    assert not (tmp_path / "b/.zarray").exists()
    # Without the filter everything has its place.
    choice = '{"compressor":null,"filters":null}'
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "4", "--codec", choice, "--overwrite")
    assert ended.code == 0, ended.stderr
    assert_same(source, open_array(tmp_path / "b"))
