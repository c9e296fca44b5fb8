//! Small random arrays and what is asked of a plan for them.

use proptest::prelude::*;

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
    let rest = (prop_oneof![Just(50_u64), Just(101), Just(150)], 30_u64..6000, (shares, starts));
    (axes, any::<(bool, bool)>(), 1_u64..9, rest, any::<((bool, bool), bool, bool)>()).prop_map(
        |(axes, sharded, width, rest, (same, one_store, verify))| {
            let (hundredths, budget, ((slots, threads, groups, scratch, (least, more)), starts)) = rest;
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
    CopySpec { one_store: small.one_store, verify: small.verify, ..copy(source, target, small.hundredths) }
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
