"""Every data type with every chain of codecs, through every shape of plan, bit for bit; and what is refused, by name.

One run of each shape takes all cases of a format. The table of what is supported is made of what happened here:
`RECHUNK_WRITE_SUPPORT=1 tests/.env/bin/python -m pytest tests/interop/test_matrix.py` writes it anew."""

import concurrent.futures
import json
import multiprocessing
import os
import warnings

import matrix
import numpy as np
import pytest
import support_table
import zarr
from refusals import REFUSALS

pytestmark = pytest.mark.filterwarnings("ignore")

TARGET = "4,3"


def shape_of_plan(name, formats, *options, chunks=TARGET, shards=None, converts=False):
    return {"name": name, "formats": formats, "options": options, "chunks": chunks, "shards": shards,
            "converts": converts}


# Each way through: its name in the table, the formats of its sources, and what is asked for.
SHAPES = [
    shape_of_plan("other chunks", (2, 3)),
    shape_of_plan("other chunks in little memory", (2, 3), "--max-mem", "2KiB", chunks="6,1"),
    shape_of_plan("other format, other chunks", (2, 3), converts=True),
    shape_of_plan("other format, same chunks", (2, 3), chunks="3,10", converts=True),
    shape_of_plan("into shards, other chunks", (3,), shards="8,9"),
    shape_of_plan("into shards, same chunks", (3,), chunks="3,10", shards="9,10"),
]
RUNS = [(shape, zarr_format) for shape in SHAPES for zarr_format in shape["formats"]]
IDS = [f"{shape['name']} v{zarr_format}" for shape, zarr_format in RUNS]


def takes(shape, case):
    """Whether the case goes this way. Elements of variable length do not go through an exchange, and in so little memory
    there is no other way."""
    return not case.is_variable or "--max-mem" not in shape["options"]


def batches(zarr_format):
    count = len(matrix.cases(zarr_format))
    return [(zarr_format, start, start + 50) for start in range(0, count, 50)]


def write(root, batch):
    """Writes some cases; in a process of its own, like everything that reads or writes many arrays."""
    warnings.simplefilter("ignore")
    zarr_format, start, end = batch
    for case in matrix.cases(zarr_format)[start:end]:
        case.write(root)


def compare(source, target, batch, shape):
    """What is wrong with each of the cases, "" for nothing."""
    warnings.simplefilter("ignore")
    zarr_format, start, end = batch
    found = {}
    for case in matrix.cases(zarr_format)[start:end]:
        if not takes(shape, case):
            continue
        if shape["shards"] and case.dtype.kind == "V":
            # zarr-python 3.1.6 cannot read these from shards, its own neither: it wants to hash their fill value.
            continue
        try:
            found[case.name] = difference(case, f"{source}/{case.name}", f"{target}/{case.name}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this case
            found[case.name] = repr(error)
    return found


def difference(case, source, target):
    left, right = zarr.open_array(source, mode="r"), zarr.open_array(target, mode="r")
    if left.metadata.zarr_format == right.metadata.zarr_format == 2:
        if left.metadata.filters != right.metadata.filters or left.metadata.compressor != right.metadata.compressor:
            return f"codecs {left.metadata} became {right.metadata}"
        if left.dtype != right.dtype:
            return f"{left.dtype} became {right.dtype}"
    values, copied = (array[...] for array in (left, right))
    if case.is_variable:
        if values.dtype != copied.dtype or (values != copied).any():
            return f"{values.ravel()[:4]} became {copied.ravel()[:4]}"
        if (values[-1:] != left.fill_value).any() or right.fill_value != left.fill_value:
            return "the source does not read as its fill value where nothing was written, or the target has another"
        # zarr-python 3.1.6 writes transposed text in the order in which it lies in memory, and reads it in the other.
        is_read_as_written = not case.chain.name.startswith("transpose")
        if is_read_as_written and (values[: matrix.WRITTEN] != case.values()[: matrix.WRITTEN]).any():
            return "the source does not read as what was written"
        return ""
    if values.dtype.newbyteorder("=") != copied.dtype.newbyteorder("="):
        return f"{left.dtype} became {right.dtype}"
    if native(values) != native(copied):
        return f"{values.ravel()[:4]} became {copied.ravel()[:4]}"
    if not case.chain.elements and values[-1:].tobytes() != np.full_like(values[-1:], left.fill_value).tobytes():
        return "the source does not read as its fill value where nothing was written"
    if case.chain.elements and case.is_exact:
        written = case.values()[: matrix.WRITTEN]
        if native(values[: matrix.WRITTEN]) != native(written):
            return "the source does not read as what was written"
    return ""


def native(values):
    """Bits, in the machine's byte order."""
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="))).tobytes()


@pytest.fixture(scope="module")
def pool():
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def sources(tmp_path_factory, pool):
    roots = {zarr_format: tmp_path_factory.mktemp(f"v{zarr_format}") / "a" for zarr_format in (2, 3)}
    for zarr_format, root in roots.items():
        zarr.create_group(root, zarr_format=zarr_format)
    written = [pool.submit(write, str(roots[batch[0]]), batch) for f in roots for batch in batches(f)]
    for future in written:
        future.result()
    return roots


@pytest.fixture(scope="module")
def outcomes(sources, pool, rechunk):
    """For each run: the shapes of plan that were taken, and for each case "", or what went wrong."""
    shapes, comparisons = {}, {}
    for (shape, zarr_format), name in zip(RUNS, IDS):
        source, target = sources[zarr_format], sources[zarr_format].parent / name.replace(" ", "-")
        shapes[name] = run(shape, zarr_format, source, target, rechunk)
        # They are compared while the next ones run.
        comparisons[name] = [pool.submit(compare, str(source), str(target), batch, shape)
                             for batch in batches(zarr_format)]
    found = {name: {} for name in IDS}
    for name, futures in comparisons.items():
        for future in futures:
            found[name].update(future.result())
    return {name: {"shapes": shapes[name], "cases": found[name]} for name in IDS}


def run(shape, zarr_format, source, target, rechunk):
    names = [case.name for case in matrix.cases(zarr_format) if takes(shape, case)]
    flags = [flag for name in names for flag in ("--chunks", f"{name}:{shape['chunks']}")]
    if shape["shards"]:
        flags += [flag for name in names for flag in ("--shards", f"{name}:{shape['shards']}")]
    target_format = 5 - zarr_format if shape["converts"] else zarr_format
    flags += [] if len(names) == len(matrix.cases(zarr_format)) else [f for name in names for f in ("--include", name)]
    ended = rechunk("run", source, target, *flags, "--zarr-format", target_format, "--output", "json", *shape["options"])
    assert ended.code == 0, (ended.stderr + ended.stdout)[:2000]
    return {array["shape_of_plan"] for array in ended.json["arrays"]}


@pytest.mark.parametrize("name", IDS)
def test_every_case_reads_the_same_bits(outcomes, name):
    cases = {case.name: case for case in matrix.cases(int(name[-1]))}
    wrong = [f"{cases[key].label}: {problem}" for key, problem in outcomes[name]["cases"].items() if problem]
    assert not wrong, f"{len(wrong)} of {len(outcomes[name]['cases'])}:\n" + "\n".join(wrong[:40])
    assert len(outcomes[name]["cases"]) > 250


def test_every_shape_of_plan_was_taken(outcomes):
    taken = set().union(*(outcome["shapes"] for outcome in outcomes.values()))
    assert {"direct_sweep", "exchange", "copy_encoded"} <= taken, taken


def test_filters_store_the_bytes_that_numcodecs_stores(tmp_path, outcomes, sources):
    assert outcomes
    compared = set()
    for case in matrix.cases(2):
        if not case.chain.elements or case.chain.compressor or not case.is_exact:
            continue
        target = sources[2].parent / "other-chunks-v2" / case.name
        again = zarr.create_array(tmp_path / case.name, shape=matrix.SHAPE, chunks=(4, 3), dtype=case.dtype,
                                  zarr_format=2, **case.chain.arguments(2))
        again[...] = zarr.open_array(sources[2] / case.name, mode="r")[...]
        # Whole chunks: beyond the edge zarr-python's have what happens to be there.
        for key in ["0.0", "0.1", "0.2"]:
            assert (target / key).read_bytes() == (tmp_path / case.name / key).read_bytes(), f"{case.label} {key}"
            compared.add(case.chain.elements[0].id)
    assert compared == {"delta", "fixedscaleoffset", "astype", "packbits"}


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal.label for refusal in REFUSALS])
def test_what_is_not_supported_is_refused_by_name(tmp_path, rechunk, refusal):
    refusal.write(tmp_path / "a")
    ended = rechunk("plan", tmp_path / "a", tmp_path / "b", "--chunks", "2", "--output", "json", *refusal.options)
    assert ended.code == 2, ended.stderr + ended.stdout
    error = ended.json["error"]
    assert error["reason"] == refusal.reason, error
    assert refusal.word in error["message"], error
    assert not (tmp_path / "b").exists()


def test_the_support_table_says_what_happened_here(outcomes):
    table = support_table.render(outcomes, SHAPES)
    if os.environ.get("RECHUNK_WRITE_SUPPORT"):
        support_table.PATH.write_text(table)
    assert support_table.PATH.read_text() == table, "see the head of test_matrix.py"
