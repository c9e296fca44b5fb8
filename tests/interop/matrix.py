"""The matrix: every data type with every chain of codecs that is legal for it, in both formats, and what is done to it.

A chain is what zarr-python is given; a case is one array of one data type behind one chain. Arrays are tiny, and all
cases of a format are one group, so that each way through rechunk is one command for all of them."""

import dataclasses
import itertools
import lzma

import numcodecs
import numpy as np
import zarr
import zarr.codecs
import zarr.codecs.numcodecs as wrapped
from arrays import NUMERIC, elements, texts
from zarr.core.dtype import VariableLengthBytes, VariableLengthUTF8

SHAPE, CHUNKS = (7, 10), (3, 10)
# The last rows of chunks are never written: they read as the fill value.
WRITTEN = 6

STRUCTURE = np.dtype([("x", "<f4"), ("n", "<i2"), ("name", "S3")])
BIG_STRUCTURE = np.dtype([("x", ">f4"), ("n", ">i2")])
DTYPES = [np.dtype(name) for name in NUMERIC] + [np.dtype(name) for name in [
    "<M8[ns]", ">M8[D]", "<M8[10ms]", "<m8[s]", ">m8[us]", "S5", "<U4", ">U4", "V7"]] + [STRUCTURE]
TEXT, BYTE_STRINGS = np.dtypes.StringDType(), np.dtype("O")
VARIABLE = [TEXT, BYTE_STRINGS]
# numcodecs' shuffle takes whole numbers of its elements only, and elements of variable length are no numbers.
NOT_VARIABLE = {"shuffle, zlib, fletcher32", "big-endian bytes"}

# Codecs of bytes know nothing of data types but a width: these chains meet every type, the others these types.
FOR_ALL = {"none", "zstd", "lz4", "lzma (xz)", "blosc (lz4)", "fletcher32", "order F, zlib", "core zstd, crc32c",
           "big-endian bytes"}
REPRESENTATIVES = {"|u1", "<i2", ">f4", "<f4", "<f8", "<c16", "|S5"}


@dataclasses.dataclass(frozen=True)
class Codec:
    """One codec of numcodecs, in either format."""

    id: str
    options: dict = dataclasses.field(default_factory=dict, hash=False)

    def make(self, zarr_format):
        if zarr_format == 2:
            return numcodecs.get_codec({"id": self.id, **self.options})
        return {
            "blosc": wrapped.Blosc, "lz4": wrapped.LZ4, "zstd": wrapped.Zstd, "zlib": wrapped.Zlib,
            "gzip": wrapped.GZip, "bz2": wrapped.BZ2, "lzma": wrapped.LZMA, "shuffle": wrapped.Shuffle,
            "delta": wrapped.Delta, "bitround": wrapped.BitRound, "fixedscaleoffset": wrapped.FixedScaleOffset,
            "quantize": wrapped.Quantize, "packbits": wrapped.PackBits, "astype": wrapped.AsType,
            "crc32": wrapped.CRC32, "crc32c": wrapped.CRC32C, "adler32": wrapped.Adler32,
            "fletcher32": wrapped.Fletcher32,
        }[self.id](**self.options)


@dataclasses.dataclass(frozen=True)
class Chain:
    """A chain of codecs: its name in the table, filters of elements, filters of bytes, and what compresses."""

    name: str
    elements: tuple = ()
    bytes: tuple = ()
    compressor: object = None
    formats: tuple = (2, 3)
    # Codecs of v3's own, in place of all bytes-to-bytes ones.
    core: tuple = None
    options: dict = dataclasses.field(default_factory=dict, hash=False)

    @property
    def is_for_all(self):
        """Whether every data type is taken through it, or only the representative ones."""
        return self.name in FOR_ALL

    def arguments(self, zarr_format):
        """What `zarr.create_array` is given."""
        elements = [codec.make(zarr_format) for codec in self.elements]
        if zarr_format == 2:
            filters = elements + [codec.make(2) for codec in self.bytes]
            compressor = self.compressor and self.compressor.make(2)
            return {"filters": filters or None, "compressors": compressor, **self.options}
        compressors = self.core
        if compressors is None:
            codecs = [*self.bytes, *([self.compressor] if self.compressor else [])]
            compressors = [codec.make(3) for codec in codecs]
        return {"filters": elements, "compressors": compressors or None, **self.options}


def codec(id, **options):
    return Codec(id, options)


def compressors():
    yield Chain("none")
    yield Chain("zstd", compressor=codec("zstd", level=3))
    yield Chain("gzip", compressor=codec("gzip", level=5))
    yield Chain("zlib", compressor=codec("zlib", level=1))
    yield Chain("bz2", compressor=codec("bz2", level=1))
    yield Chain("lz4", compressor=codec("lz4", acceleration=1))
    yield Chain("lzma (xz)", compressor=codec("lzma", preset=1))
    yield Chain("lzma (xz, SHA-256)", compressor=codec("lzma", preset=0, check=lzma.CHECK_SHA256))
    yield Chain("lzma (alone)", compressor=codec("lzma", format=lzma.FORMAT_ALONE, preset=1))
    raw = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    yield Chain("lzma (raw, delta and LZMA2)", compressor=codec("lzma", format=lzma.FORMAT_RAW, filters=raw))
    raw = [{"id": lzma.FILTER_LZMA1, "dict_size": 65536}]
    yield Chain("lzma (raw, LZMA1)", compressor=codec("lzma", format=lzma.FORMAT_RAW, filters=raw))
    shuffles = itertools.cycle([numcodecs.Blosc.SHUFFLE, numcodecs.Blosc.BITSHUFFLE, numcodecs.Blosc.NOSHUFFLE])
    for cname in ["lz4", "lz4hc", "blosclz", "zlib", "zstd"]:
        yield Chain(f"blosc ({cname})", compressor=codec("blosc", cname=cname, clevel=5, shuffle=next(shuffles)))


def around_bytes():
    zlib = codec("zlib", level=1)
    yield Chain("crc32", bytes=(codec("crc32"),))
    yield Chain("crc32 (end), zlib", bytes=(codec("crc32", location="end"),), compressor=zlib)
    yield Chain("crc32c", bytes=(codec("crc32c"),))
    yield Chain("crc32c (start)", bytes=(codec("crc32c", location="start"),))
    yield Chain("adler32, zlib", bytes=(codec("adler32"),), compressor=zlib)
    yield Chain("fletcher32", bytes=(codec("fletcher32"),))
    yield Chain("shuffle, zlib, fletcher32",
                bytes=(codec("shuffle", elementsize=2), zlib, codec("fletcher32")), formats=(2, 3))


def of_v3():
    own = zarr.codecs
    yield Chain("core zstd, crc32c", core=(own.ZstdCodec(level=1, checksum=True), own.Crc32cCodec()), formats=(3,))
    yield Chain("core gzip", core=(own.GzipCodec(level=5),), formats=(3,))
    yield Chain("core blosc", core=(own.BloscCodec(cname="lz4", shuffle="bitshuffle"),), formats=(3,))
    yield Chain("transpose, core zstd", core=(own.ZstdCodec(level=1),), formats=(3,),
                options={"filters": [own.TransposeCodec(order=(1, 0))]})
    yield Chain("big-endian bytes", core=(), formats=(3,), options={"serializer": own.BytesCodec(endian="big")})


def of_v2():
    yield Chain("order F, zlib", compressor=codec("zlib", level=1), formats=(2,), options={"order": "F"})
    yield Chain("order F, fletcher32", bytes=(codec("fletcher32"),), formats=(2,), options={"order": "F"})


BYTES_CHAINS = [*compressors(), *around_bytes(), *of_v3(), *of_v2()]


def filter_chains(dtype, zarr_format):
    """Filters of elements, where numcodecs and zarr-python can write and read them for the type."""
    name, kind, width = dtype.str, dtype.kind, dtype.itemsize
    order = name[0]
    if zarr_format == 3 and order == ">":
        return
    zstd = codec("zstd", level=1)
    if kind == "b":
        yield Chain("packbits", elements=(codec("packbits"),))
        yield Chain("packbits, zstd", elements=(codec("packbits"),), compressor=zstd)
    if kind in "iu":
        yield Chain("delta", elements=(codec("delta", dtype=name),))
        yield Chain("delta, zstd", elements=(codec("delta", dtype=name),), compressor=zstd)
        narrow = f"{order if width > 2 else '|'}{kind}{max(width // 2, 1)}"
        yield Chain("astype (narrower)", elements=(codec("astype", encode_dtype=narrow, decode_dtype=name),))
        if width > 1:
            narrow = f"{order if width > 2 else '|'}i{width // 2}"
            if not (kind == "u" and width == 8):
                yield Chain("delta (astype)", elements=(codec("delta", dtype=name, astype=narrow),))
        yield Chain("fixedscaleoffset (whole)",
                    elements=(codec("fixedscaleoffset", offset=1, scale=1, dtype=name, astype=name),))
    if kind == "f":
        if width > 2:
            narrow = f"{order}f{width // 2}"
            yield Chain("astype (narrower)", elements=(codec("astype", encode_dtype=narrow, decode_dtype=name),))
        yield Chain("astype (f8)", elements=(codec("astype", encode_dtype=f"{order}f8", decode_dtype=name),))
        yield Chain("fixedscaleoffset, zstd", compressor=zstd, elements=(
            codec("fixedscaleoffset", offset=5, scale=10, dtype=name, astype=f"{order}i2"),))
        yield Chain("fixedscaleoffset (u1)", elements=(
            codec("fixedscaleoffset", offset=0.5, scale=4, dtype=name, astype="|u1"),))
        yield Chain("fixedscaleoffset, delta, zstd", compressor=zstd, elements=(
            codec("fixedscaleoffset", offset=0, scale=2, dtype=name, astype=f"{order}i2"),
            codec("delta", dtype=f"{order}i2")))
        yield Chain("quantize, zstd", elements=(codec("quantize", digits=1, dtype=name),), compressor=zstd)
        yield Chain("delta", elements=(codec("delta", dtype=name),))
        if order == "<":
            yield Chain("bitround", elements=(codec("bitround", keepbits=3),))
            yield Chain("bitround, zstd", elements=(codec("bitround", keepbits=6),), compressor=zstd)


@dataclasses.dataclass(frozen=True)
class Case:
    """One array of the matrix."""

    name: str
    zarr_format: int
    dtype: np.dtype
    chain: Chain

    @property
    def label(self):
        return f"v{self.zarr_format} {dtype_label(self.dtype)} [{self.chain.name}]"

    @property
    def is_variable(self):
        return self.dtype in VARIABLE

    @property
    def is_exact(self):
        """Whether what is written is what is read."""
        return not any(codec.id in ("bitround", "quantize") for codec in self.chain.elements)

    def values(self):
        """Random bits; behind a filter of elements small whole numbers and halves, which every filter here keeps."""
        if self.is_variable:
            return texts(SHAPE, self.dtype, seed=len(self.label))
        if not self.chain.elements:
            return elements(SHAPE, self.dtype, seed=len(self.label))
        random = np.random.default_rng(len(self.label))
        if self.dtype.kind == "b":
            return random.integers(0, 2, SHAPE).astype(bool)
        whole = random.integers(1, 60, SHAPE)
        return (whole / 2 if self.dtype.kind == "f" else whole).astype(self.dtype)

    def write(self, root):
        # What no filter here changes, where one sees it.
        fill = self.dtype.type(1) if self.chain.elements else fill_of(self.dtype)
        dtype, arguments = self.dtype, self.chain.arguments(self.zarr_format)
        if self.is_variable:
            dtype = VariableLengthUTF8() if self.dtype == TEXT else VariableLengthBytes()
            if self.zarr_format == 2:
                own = numcodecs.VLenUTF8() if self.dtype == TEXT else numcodecs.VLenBytes()
                arguments["filters"] = [own, *(arguments["filters"] or [])]
        array = zarr.create_array(
            f"{root}/{self.name}", shape=SHAPE, chunks=CHUNKS, dtype=dtype, zarr_format=self.zarr_format,
            fill_value=fill, **arguments)
        array[:WRITTEN] = self.values()[:WRITTEN]


def dtype_label(dtype):
    if dtype in VARIABLE:
        return "text (vlen-utf8)" if dtype == TEXT else "byte strings (vlen-bytes)"
    return "structured" if dtype.names else dtype.str


def fill_of(dtype):
    """A value that gets lost easily."""
    if dtype in VARIABLE:
        return "nö" if dtype == TEXT else b"n\xff"
    if dtype.kind in "SU":
        return dtype.type("ab" if dtype.kind == "U" else b"ab")
    if dtype.kind == "V":
        return np.zeros((), dtype)[()]
    return {"b": True, "f": np.nan, "c": complex(1, np.inf), "M": np.datetime64("NaT"), "m": np.timedelta64("NaT"),
            "i": -7, "u": 7}[dtype.kind]


def cases(zarr_format):
    """Every case of a format."""
    made = []
    for dtype in DTYPES + VARIABLE:
        if zarr_format == 3 and dtype.byteorder == ">":
            continue
        is_variable = dtype in VARIABLE
        chains = [chain for chain in BYTES_CHAINS if chain.is_for_all or is_variable or dtype.str in REPRESENTATIVES]
        for chain in [*chains, *filter_chains(dtype, zarr_format)]:
            if is_variable and chain.name in NOT_VARIABLE:
                continue
            if zarr_format in chain.formats:
                made.append(Case(f"a{len(made)}", zarr_format, dtype, chain))
    return made
