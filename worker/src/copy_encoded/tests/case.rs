//! Random arrays with the same chunks on both sides, and what is stored of them.

use proptest::prelude::*;
use rechunk_common::{
    ByteCount,
    geometry::BoxGrid,
    layout::{ArrayLayout, ArrayPart, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
    plan::{CopyEncoded, GapPolicy, ShardParts},
};

use super::{Stored, bound, counted};
use crate::workbench::fresh_url;

pub(super) const ZSTD: &str = r#"[{"name":"bytes"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;
const RAW: &str = r#"[{"name":"bytes"}]"#;
const INDEX: &str = r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#;

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) function: CopyEncoded,
    pub(super) stored: Stored,
    /// Objects in flight.
    pub(super) pieces: u64,
}

/// How one side keeps its chunks: in shards of so many per axis with the index in front, or by themselves.
pub(super) type Side = Option<(Vec<u64>, bool)>;

pub(super) fn layout(url: String, shape: &[u64], chunk: &[u64], side: &Side, codecs: &str) -> ArrayLayout {
    let (chunk_shape, codecs) = (chunk.to_vec(), codecs.to_owned());
    let chunks = match side {
        None => ChunkLayout::Plain { chunk_shape, codecs },
        Some((per_shard, is_first)) => ChunkLayout::Sharded {
            shard_shape: chunk.iter().zip(per_shard).map(|(chunk, count)| chunk * count).collect(),
            chunk_shape,
            codecs,
            index_codecs: INDEX.to_owned(),
            index_location: if *is_first { IndexLocation::Start } else { IndexLocation::End },
        },
    };
    let separator = Separator::Slash;
    ArrayLayout {
        url,
        shape: shape.to_vec(),
        element: ElementType { data_type: "uint16".into(), width: 2 },
        fill: vec![0, 0],
        has_fill: true,
        chunks,
        keys: if side.is_some() { ChunkKeys::Default { separator } } else { ChunkKeys::V2 { separator } },
        part: None,
        edges: Vec::new(),
    }
}

pub(super) fn function(
    shape: &[u64],
    chunk: &[u64],
    sides: (&Side, &Side),
    codecs: &str,
    factors: &[u64],
) -> CopyEncoded {
    let url = fresh_url();
    let side = |place: &str, side: &Side| layout(format!("{url}/{place}"), shape, chunk, side, codecs);
    let (source, target) = (side("source", sides.0), side("target", sides.1));
    let writers = tasks(&target, factors);
    CopyEncoded {
        source,
        target,
        writers,
        gaps: GapPolicy::default(),
        by_store: false,
        listed: None,
        shard_parts: None,
        is_summed: false,
    }
}

/// Boxes of so many objects of the target per axis.
fn tasks(target: &ArrayLayout, factors: &[u64]) -> BoxGrid {
    let lengths = target.chunks.write_unit().iter().zip(factors).map(|(unit, factor)| unit * factor).collect();
    target.boxes_of_write_units(target.bounds(), lengths)
}

/// Where a part begins along one axis in the source and in the target: chunks, or, where that is said, objects.
type Start = ((u64, bool), (u64, bool));

/// The same of parts of both arrays, which begin with chunks of both.
fn of_parts(function: CopyEncoded, starts: &[Start], factors: &[u64]) -> CopyEncoded {
    let origin = |layout: &ArrayLayout, of: fn(&Start) -> (u64, bool)| -> Vec<u64> {
        let units = layout.chunks.read_unit().iter().zip(layout.chunks.write_unit());
        let starts = starts.iter().map(of).zip(units);
        starts
            .map(|((start, is_of_objects), (chunk, object))| start * if is_of_objects { object } else { chunk })
            .collect()
    };
    let (from, to) = (origin(&function.source, |start| start.0), origin(&function.target, |start| start.1));
    let start: Vec<u64> = from.iter().zip(&to).map(|(from, to)| *from.max(to)).collect();
    let part = |origin: Vec<u64>| Some(ArrayPart { start: start.clone(), origin });
    let source = ArrayLayout { part: part(from), ..function.source };
    let target = ArrayLayout { part: part(to), ..function.target };
    CopyEncoded { writers: tasks(&target, factors), source, target, ..function }
}

/// Bytes for the chunk at `position`: of a length and content that nothing but copying gives.
pub(super) fn body(seed: u64, position: &[u64], most: u64) -> Vec<u8> {
    let mut state = position.iter().fold(seed | 1, |state, at| (state ^ at).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut next = || {
        state = (state ^ (state >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1;
        state >> 32
    };
    let length = 1 + next() % most;
    (0..length).map(|_| u8::try_from(next() % 251).expect("a byte")).collect()
}

/// All chunks but one in `sparse`, if that is not zero.
pub(super) fn stored(function: &CopyEncoded, seed: u64, sparse: u64) -> Stored {
    let grid = function.source.read_grid();
    let most = bound(&function.source).chunk.0;
    BoxGrid::positions(&grid.overlapping(grid.bounds()))
        .filter(|position| sparse == 0 || !(grid.index(position).expect("in the grid") ^ seed).is_multiple_of(sparse))
        .map(|position| {
            let position = counted(&grid, &position);
            let body = body(seed, &position, most);
            (position, body)
        })
        .collect()
}

fn side(rank: usize) -> impl Strategy<Value = Side> {
    prop::option::of((prop::collection::vec(1_u64..4, rank), any::<bool>()))
}

/// Any pass-through, of whole arrays or of parts.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    let axes = prop::collection::vec((1_u64..10, 1_u64..4, 1_u64..4), 0..4);
    let parts = prop::option::of(prop_oneof![1_u64..20, 1_u64..400]);
    let what = (any::<u64>(), 0_u64..4, 1_u64..5, any::<bool>(), any::<(bool, bool)>(), parts);
    (axes, what)
        .prop_flat_map(|(axes, what)| {
            let rank = axes.len();
            let start = || (0_u64..5, any::<bool>());
            let starts = prop::option::of(prop::collection::vec((start(), start()), rank));
            (Just(axes), Just(what), side(rank), side(rank), starts)
        })
        .prop_map(|(axes, (seed, sparse, pieces, is_raw, (is_same, by_store), parts), source, target, starts)| {
            let of = |pick: fn(&(u64, u64, u64)) -> u64| axes.iter().map(pick).collect::<Vec<u64>>();
            let target = if is_same { source.clone() } else { target };
            let codecs = if is_raw { RAW } else { ZSTD };
            let factors = of(|axis| axis.2);
            let mut function = function(&of(|axis| axis.0), &of(|axis| axis.1), (&source, &target), codecs, &factors);
            if let Some(starts) = starts {
                function = of_parts(function, &starts, &factors);
            }
            function.by_store = by_store;
            let can_part = !function.is_of_whole_objects() && ShardParts::can_write(&function.target.chunks);
            function.shard_parts = parts.filter(|_| can_part).map(|bytes| ShardParts { bytes: ByteCount(bytes) });
            function.is_summed = !by_store;
            let stored = stored(&function, seed, sparse);
            Case { function, stored, pieces }
        })
}
