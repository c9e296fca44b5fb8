"""The elements of the arrays: any block of any work, made from its coordinates alone, the same every time.

A map is a fixed pattern, scaled by its time, and noise that is moved about with time; values are kept to a fixed number
of binary digits, as instruments and archives do, so that blosc-lz4 makes about 2.7 bytes into one.
"""

from __future__ import annotations

import numpy as np

SEED = 20_260_101
#: Steps of a value per unit: floats keep this many binary fractions.
STEPS_PER_UNIT = 64


class Elements:
    """The elements of one work."""

    def __init__(self, shape: tuple[int, ...], dtype: str):
        random = np.random.default_rng(SEED)
        times, rows, columns = shape
        self.dtype = np.dtype("<" + dtype)
        y, x = np.arange(rows)[:, None] / 97, np.arange(columns)[None, :] / 131
        self.pattern = (250 + 40 * np.sin(y) * np.cos(x)).astype("f4")
        noise = random.normal(0, 0.45, (rows, columns)).astype("f4")
        # Twice in both directions, so that every move is a slice.
        self.noise = np.tile(noise, (2, 2))
        self.season = (1 + 0.05 * np.sin(np.arange(times) / 58)).astype("f4")
        self.moves = np.stack([random.integers(0, rows, times), random.integers(0, columns, times)], axis=1)

    def block(self, start: list[int], end: list[int]) -> np.ndarray:
        """The elements from `start` to `end`, half-open."""
        (_, y0, x0), (_, y1, x1) = start, end
        made = np.empty([e - s for s, e in zip(start, end)], self.dtype)
        pattern = self.pattern[y0:y1, x0:x1]
        for row, time in enumerate(range(start[0], end[0])):
            dy, dx = self.moves[time]
            values = pattern * self.season[time]
            values += self.noise[dy + y0 : dy + y1, dx + x0 : dx + x1]
            values *= STEPS_PER_UNIT
            np.rint(values, out=values)
            if self.dtype.kind == "f":
                np.multiply(values, 1 / STEPS_PER_UNIT, out=made[row], casting="unsafe")
            else:
                np.subtract(values, 250 * STEPS_PER_UNIT, out=made[row], casting="unsafe")
        return made


def is_stored(position: tuple[int, ...], share: float) -> bool:
    """Whether the source chunk at `position` exists in a work of which `share` is stored."""
    if share >= 1:
        return True
    number = 0
    for at in position:
        number = (number * 1_000_003 + at + 12_345) % 2_147_483_647
    return number * 48_271 % 2_147_483_647 < share * 2_147_483_647
