"""The arrays that are rechunked, and the ways in which they are."""

from dataclasses import dataclass

import numpy as np
import zarr

SHAPE = (256, 128, 256)
FILL = -1.0


@dataclass(frozen=True)
class Shape:
    """One kind of job: `where` is s3 or files."""

    name: str
    where: str
    source: str
    chunks: str
    options: tuple = ()
    # The customer thinks better of it.
    is_cancelled: bool = False


# With so little memory a task holds a part of the array only, and there are several tasks.
SHAPES = [
    Shape("direct on s3", "s3", "maps", "256,16,32", ("--max-mem", "24MiB")),
    Shape("blocks on s3", "s3", "cubes", "50,50,50", ("--max-mem", "8MiB")),
    Shape("raw exchange on s3", "s3", "maps", "256,16,32", ("--max-mem", "4MiB", "--exchange-codec", "none")),
    Shape("packed exchange on s3", "s3", "maps", "256,8,32", ("--max-mem", "4MiB", "--exchange-codec", "lz4")),
    Shape("groups over local disk", "s3", "rows", "256,16,32", ("--max-mem", "2MiB")),
    Shape("shards on s3", "s3", "maps", "256,8,32", ("--shards", "256,64,64", "--max-mem", "8MiB")),
    Shape("pass-through into shards on s3", "s3", "maps", "1,128,256", ("--shards", "16,128,256", "--max-mem", "8MiB")),
    Shape("sparse on s3", "s3", "sparse", "50,50,50", ("--max-mem", "8MiB")),
    Shape("sparse exchange on s3", "s3", "sparse maps", "256,16,32", ("--max-mem", "4MiB")),
    Shape("direct on files", "files", "maps", "256,16,32", ("--max-mem", "24MiB")),
    Shape("raw exchange on files", "files", "maps", "256,16,32", ("--max-mem", "4MiB", "--exchange-codec", "none")),
    Shape("shards on files", "files", "cubes", "64,32,32", ("--shards", "64,64,128", "--max-mem", "8MiB")),
    Shape("exchange on s3, cancelled", "s3", "maps", "256,16,32", ("--max-mem", "4MiB"), is_cancelled=True),
    Shape("exchange on files, cancelled", "files", "maps", "256,16,32", ("--max-mem", "4MiB"), is_cancelled=True),
]


def values_of(name, seed):
    """The elements of a source; those of a sparse one are the fill value where no chunk is stored."""
    dice = np.random.default_rng([seed % 2**32, len(name)])
    values = dice.normal(280, 10, SHAPE).astype("f4").round(1)
    if name == "sparse":
        for corner in np.ndindex(*(length // 32 for length in SHAPE)):
            if dice.random() < 0.7:
                values[tuple(slice(32 * n, 32 * n + 32) for n in corner)] = FILL
    if name == "sparse maps":
        values[dice.random(SHAPE[0]) < 0.5] = FILL
    return values


CHUNKS = {"maps": (1, 128, 256), "cubes": (32, 32, 32), "rows": (1, 32, 256), "sparse": (32, 32, 32),
          "sparse maps": (1, 128, 256)}


def make_source(store, name, seed):
    """Writes a source with zarr-python; answers its elements."""
    values = values_of(name, seed)
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(store, shape=SHAPE, chunks=CHUNKS[name], dtype="f4", compressors=(codec,), fill_value=FILL,
                              config={"write_empty_chunks": False})
    array[...] = values
    return values
