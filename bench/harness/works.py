"""The works: which array, in which chunks, into which. Plain data; anything that can hold numbers may import it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

#: A chunk length that is the whole axis.
WHOLE = -1


@dataclass(frozen=True)
class Work:
    """One row group of the table. Chunk lengths are elements, or WHOLE."""

    name: str
    title: str
    shape: tuple[int, ...]
    dtype: str
    source: tuple[int, ...]
    target: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    compressed: bool = True
    #: Share of the source chunks that are stored.
    stored: float = 1.0
    #: The source is Zarr v2, the target v3, or is packed into shards: no chunk needs decoding.
    passes_through: bool = False
    source_format: int = 3

    def scaled(self, factor: float) -> Work:
        """The same work on about `factor` of the elements."""
        if factor >= 1:
            return self
        side = factor ** (1 / len(self.shape))
        shape = tuple(max(32, round(length * side / 32) * 32) for length in self.shape)
        return Work(**{**asdict(self), "shape": shape})

    def lengths(self, chunks: tuple[int, ...] | None) -> list[int] | None:
        """Chunk lengths with WHOLE resolved and none longer than its axis."""
        if chunks is None:
            return None
        return [axis if length == WHOLE else min(length, axis) for length, axis in zip(chunks, self.shape)]

    def source_chunks(self) -> list[int]:
        return self.lengths(self.source)

    def target_chunks(self) -> list[int]:
        return self.lengths(self.target)

    def target_shards(self) -> list[int] | None:
        """Shard lengths: multiples of the chunk's."""
        shards = self.lengths(self.shards)
        if shards is None:
            return None
        return [-(-shard // chunk) * chunk for shard, chunk in zip(shards, self.target_chunks())]

    def decoded_bytes(self) -> int:
        count = int(self.dtype[1:])
        for length in self.shape:
            count *= length
        return count


CUBE = (1024, 512, 1024)
MAPS, SERIES = (1, WHOLE, WHOLE), (WHOLE, 16, 32)
REBLOCK = {"shape": (512, 1024, 1024), "dtype": "f4", "source": (64, 64, 64), "target": (100, 100, 100)}

WORKS = [
    Work("W1a", "maps to series, blosc-lz4", CUBE, "f4", MAPS, SERIES),
    Work("W1b", "maps to series, no codec", CUBE, "f4", MAPS, SERIES, compressed=False),
    Work("W2a", "series to maps, blosc-lz4", CUBE, "f4", SERIES, MAPS),
    Work("W2b", "series to maps, no codec", CUBE, "f4", SERIES, MAPS, compressed=False),
    Work("W3", "reblock 64³ to 100³", **REBLOCK),
    Work("W4", "many small, int16", (256, 2048, 1024), "i2", (1, 128, 128), (WHOLE, 32, 32)),
    Work("W5", "maps to series in shards", CUBE, "f4", MAPS, SERIES, shards=(WHOLE, 128, 256)),
    Work("W6", "reblock, 95 % of the chunks missing", **REBLOCK, stored=0.05),
    Work("W7a", "pass-through, v2 to v3", CUBE, "f4", MAPS, MAPS, passes_through=True, source_format=2),
    Work("W7b", "pass-through, chunks into shards", CUBE, "f4", SERIES, SERIES, shards=(WHOLE, 128, 256), passes_through=True),
]


def chosen(names: list[str]) -> list[Work]:
    """The works whose names begin with one of `names`, all where none is given: W1 is W1a and W1b."""
    if not names:
        return WORKS
    found = [work for work in WORKS if any(work.name.lower().startswith(name.lower()) for name in names)]
    unknown = [name for name in names if not any(work.name.lower().startswith(name.lower()) for work in WORKS)]
    if unknown:
        raise SystemExit(f"there is no work {', '.join(unknown)}; known: {', '.join(work.name for work in WORKS)}")
    return found
