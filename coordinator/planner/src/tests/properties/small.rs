//! Small random arrays and what is asked of a plan for them.

use proptest::prelude::*;
use rechunk_common::geometry::Edges;

use crate::tests::*;

/// Per axis: length, source chunk, source chunks per shard, target chunk, target chunks per shard.
pub(in crate::tests) type Axis = (u64, u64, u64, u64, u64);

/// Where what is copied begins in the source and in the target: elements, or, where that is said, objects.
pub(in crate::tests) type Start = ((u64, bool), (u64, bool));

#[derive(Debug, Clone)]
pub(in crate::tests) struct Small {
    pub(in crate::tests) axes: Vec<Axis>,
    pub(in crate::tests) sharded: (bool, bool),
    pub(in crate::tests) width: u64,
    pub(in crate::tests) hundredths: u64,
    pub(in crate::tests) budget: u64,
    pub(in crate::tests) slots: u64,
    pub(in crate::tests) threads: u64,
    pub(in crate::tests) groups: u64,
    /// The target has the source's chunks, the second: its shards too.
    pub(in crate::tests) same: (bool, bool),
    pub(in crate::tests) one_store: bool,
    pub(in crate::tests) scratch: u64,
    /// Lengths of the parts of shards.
    pub(in crate::tests) parts: (u64, u64),
    pub(in crate::tests) verify: bool,
    /// By axis, where parts of arrays are copied.
    pub(in crate::tests) starts: Option<Vec<Start>>,
    /// Chunks of the source differ in length, as a seed has it; those of the target too, which has then no shards.
    pub(in crate::tests) unequal: Option<(u64, bool)>,
}

pub(in crate::tests) fn small() -> impl Strategy<Value = Small> {
    let axes = (1_usize..=4).prop_flat_map(|rank| {
        let longest = [40_u64, 18, 10, 7][rank - 1];
        prop::collection::vec((1..=longest, 1_u64..7, 1_u64..4, 1_u64..7, 1_u64..4), rank)
    });
    let parts = (1_u64..60, 1_u64..400);
    let shares = (1_u64..9, 1_u64..4, 1_u64..30, prop_oneof![Just(0_u64), 30_u64..9000], parts);
    let start = || (0_u64..9, any::<bool>());
    let starts = prop::option::of(prop::collection::vec((start(), start()), 4));
    let unequal = prop_oneof![2 => Just(None), 1 => any::<(u64, bool)>().prop_map(Some)];
    let rest = (prop_oneof![Just(50_u64), Just(101), Just(150)], 30_u64..6000, (shares, starts, unequal));
    (axes, any::<(bool, bool)>(), 1_u64..9, rest, any::<((bool, bool), bool, bool)>()).prop_map(
        |(axes, sharded, width, rest, (same, one_store, verify))| {
            let (hundredths, budget, ((slots, threads, groups, scratch, (least, more)), starts, unequal)) = rest;
            let parts = (least + more, least);
            Small {
                axes,
                sharded,
                width,
                hundredths,
                budget,
                slots,
                threads,
                groups,
                same,
                one_store,
                scratch,
                parts,
                verify,
                starts,
                unequal,
            }
        },
    )
}

pub(in crate::tests) fn spec(small: &Small) -> CopySpec {
    let per_axis = |of: fn(&Axis) -> u64| small.axes.iter().map(of).collect::<Vec<u64>>();
    let shape = per_axis(|axis| axis.0);
    let side = |sharded: bool, shard: Vec<u64>, chunk: Vec<u64>| {
        layout(&shape, small.width, sharded.then_some(&shard[..]), &chunk)
    };
    let mut source = side(small.sharded.0, per_axis(|axis| axis.1 * axis.2), per_axis(|axis| axis.1));
    let mut target = match small.same {
        (true, true) => source.clone(),
        (true, false) => side(small.sharded.1, per_axis(|axis| axis.1 * axis.4), per_axis(|axis| axis.1)),
        (false, _) => side(small.sharded.1, per_axis(|axis| axis.3 * axis.4), per_axis(|axis| axis.3)),
    };
    if let Some(starts) = &small.starts {
        let origin = |layout: &ArrayLayout, of: fn(&Start) -> (u64, bool)| -> Vec<u64> {
            let starts = layout.chunks.write_unit().iter().zip(starts.iter().map(of));
            starts.map(|(unit, (start, is_of_objects))| if is_of_objects { start * unit } else { start }).collect()
        };
        let origins = (origin(&source, |start| start.0), origin(&target, |start| start.1));
        let start: Vec<u64> = origins.0.iter().zip(&origins.1).map(|(from, to)| *from.max(to)).collect();
        source.part = Some(ArrayPart { start: start.clone(), origin: origins.0 });
        target.part = Some(ArrayPart { start, origin: origins.1 });
    }
    if let Some((seed, is_target_too)) = small.unequal {
        cut_unequally(&mut source, seed);
        if is_target_too && !target.chunks.is_sharded() {
            cut_unequally(&mut target, !seed);
        }
    }
    CopySpec { one_store: small.one_store, verify: small.verify, ..copy(source, target, small.hundredths) }
}

/// Makes objects of `layout` differ in length along some axes: none is longer than they were.
fn cut_unequally(layout: &mut ArrayLayout, seed: u64) {
    let (units, parts) = (layout.chunks.write_unit().to_vec(), layout.chunks.read_unit().to_vec());
    let is_sharded = layout.chunks.is_sharded();
    let of_axis = |axis: usize| {
        let step = if is_sharded { parts[axis] } else { 1 };
        let least = layout.origin(axis) + layout.shape[axis];
        let mut lengths = Vec::new();
        while lengths.iter().sum::<u64>() < least {
            let at = lengths.len() as u64 + 1 + axis as u64;
            lengths.push(step * (1 + ((seed ^ at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % (units[axis] / step)));
        }
        (seed >> axis & 1 == 1).then(|| Edges::new(lengths).expect("some chunks"))
    };
    let edges: Vec<Option<Edges>> = (0..units.len()).map(of_axis).collect();
    if edges.iter().all(Option::is_none) {
        return;
    }
    let longest = units.iter().zip(&edges).map(|(unit, edges)| edges.as_ref().map_or(*unit, Edges::longest)).collect();
    match &mut layout.chunks {
        ChunkLayout::Plain { chunk_shape, .. } => *chunk_shape = longest,
        ChunkLayout::Sharded { shard_shape, .. } => *shard_shape = longest,
    }
    layout.edges = edges;
}

/// The plan's input for one small array.
pub(in crate::tests) fn input_of(small: &Small) -> PlanInput {
    let budget = ByteCount(small.budget);
    let memory = MemoryModel { max_mem: budget, reserve: ByteCount(0), budget };
    let mut input = input(vec![spec(small)], memory, small.slots, small.threads);
    input.worker_scratch = ByteCount(small.scratch);
    input.part_sizes = PartSizes { usual: ByteCount(small.parts.0), least: ByteCount(small.parts.1) };
    input
}
