//! The floor writes what it read: an array of two axes, edges and all, in chunks, in shards and encoded.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

use std::{fs, path::Path};

use rechunk_common::geometry::{BoxGrid, Region};
use rechunk_floor::{Arguments, run};
use rechunk_zarr::{ArrayDocument, ChunkCodec};
use tempfile::TempDir;

const SHAPE: [usize; 2] = [7, 10];
const DOCUMENT: &str = r#"{"zarr_format":3,"node_type":"array","shape":[7,10],"data_type":"uint16",
    "chunk_grid":{"name":"regular","configuration":{"chunk_shape":[3,4]}},
    "chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":9,
    "codecs":[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":1,"checksum":false}}],
    "attributes":{}}"#;

/// The element at a place: every one another number.
fn element(row: usize, column: usize) -> u16 {
    u16::try_from(row * SHAPE[1] + column + 100).expect("a small array")
}

/// Writes the array, chunk by chunk, without the chunk at `missing`.
fn write_source(root: &Path, missing: [u64; 2]) {
    fs::create_dir_all(root).expect("a directory");
    fs::write(root.join("zarr.json"), DOCUMENT).expect("a file");
    let layout = ArrayDocument::parse_v3(DOCUMENT).and_then(|document| document.layout("source")).expect("valid");
    let codec = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("known codecs");
    for position in BoxGrid::positions(&Region::whole(&layout.read_grid().counts())) {
        if position == missing {
            continue;
        }
        let region = layout.read_grid().unclipped_at(&position);
        let elements = BoxGrid::positions(&region).flat_map(|place| {
            let [row, column] = [place[0], place[1]].map(|at| usize::try_from(at).expect("small"));
            let inside = row < SHAPE[0] && column < SHAPE[1];
            if inside { element(row, column).to_le_bytes() } else { 9_u16.to_le_bytes() }
        });
        let encoded = codec.encode(elements.collect::<Vec<u8>>().into()).expect("encoded");
        let path = root.join(layout.keys.key(&position));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, encoded).expect("a file");
    }
}

/// The elements of an unsharded target, read chunk by chunk.
fn read_target(root: &Path) -> Vec<Vec<u16>> {
    let text = fs::read_to_string(root.join("zarr.json")).expect("a document");
    let layout = ArrayDocument::parse_v3(&text).and_then(|document| document.layout("target")).expect("valid");
    let codec = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("known codecs");
    let mut found = vec![vec![9; SHAPE[1]]; SHAPE[0]];
    for position in BoxGrid::positions(&Region::whole(&layout.read_grid().counts())) {
        let Ok(encoded) = fs::read(root.join(layout.keys.key(&position))) else { continue };
        let decoded = codec.decode(encoded.into()).expect("decoded");
        let places = layout.read_grid().unclipped_at(&position);
        for (place, bytes) in BoxGrid::positions(&places).zip(decoded.chunks(2)) {
            let [row, column] = [place[0], place[1]].map(|at| usize::try_from(at).expect("small"));
            if row < SHAPE[0] && column < SHAPE[1] {
                found[row][column] = u16::from_le_bytes([bytes[0], bytes[1]]);
            }
        }
    }
    found
}

fn arguments(directory: &TempDir, source: &str, target: &str, more: &[&str]) -> Arguments {
    let place = |name: &str| directory.path().join(name).display().to_string();
    let words = [place(source), place(target)].into_iter().chain(more.iter().map(|word| (*word).to_owned()));
    Arguments::parse(words).expect("valid arguments")
}

#[test]
fn every_element_arrives_and_a_target_without_stored_elements_is_left_out() {
    let directory = tempfile::tempdir().expect("a directory");
    write_source(&directory.path().join("source"), [2, 2]);
    let report = run(&arguments(&directory, "source", "target", &["--chunks", "1,2"])).expect("it runs");
    let found = read_target(&directory.path().join("target"));
    for (row, elements) in found.iter().enumerate() {
        for (column, found) in elements.iter().enumerate() {
            let is_missing = row >= 6 && column >= 8;
            let expected = if is_missing { 9 } else { element(row, column) };
            assert_eq!(*found, expected, "row {row}, column {column}");
        }
    }
    assert!(!directory.path().join("target/c/6/4").exists(), "nothing was stored there");
    assert_eq!((report.traffic.gets, report.traffic.puts), (8, 34));
}

#[test]
fn shards_are_what_the_chunks_were() {
    let directory = tempfile::tempdir().expect("a directory");
    write_source(&directory.path().join("source"), [9, 9]);
    let same = ["--chunks", "3,4", "--shards", "6,8"];
    run(&arguments(&directory, "source", "decoded", &same)).expect("it runs");
    let encoded: Vec<&str> = same.into_iter().chain(["--encoded"]).collect();
    let report = run(&arguments(&directory, "source", "encoded", &encoded)).expect("it runs");
    assert_eq!((report.traffic.gets, report.traffic.puts), (9, 4));
    for shard in ["c/0/0", "c/0/1", "c/1/0", "c/1/1"] {
        let read = |root: &str| fs::read(directory.path().join(root).join(shard)).expect("a shard");
        assert_eq!(read("decoded"), read("encoded"), "{shard}: the same chunks encode to the same bytes");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused_in_a_sentence() {
    let parse = |words: &[&str]| Arguments::parse(words.iter().map(|word| (*word).to_owned()));
    assert!(parse(&["a"]).expect_err("one place").contains("a source and a target"));
    assert!(parse(&["a", "b", "--chunks", "0"]).expect_err("zero").contains("not a list of lengths"));
    assert!(parse(&["a", "b", "--speed", "3"]).expect_err("unknown").contains("there is no --speed"));
}
