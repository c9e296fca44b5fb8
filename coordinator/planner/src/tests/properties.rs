//! Plans for small random arrays, held against brute force, stage by stage and task by task.

mod small;
mod through_exchange;
mod through_scratch;
mod variable;
mod verification;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rechunk_common::{
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    plan::{
        CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, ExchangeCodec, IndexExchange,
        MultiStagePipeline, ShapeOfPlan, ShardParts, StageEffect, StageFunction, TABLE_ENTRY_BYTES, Verdict,
    },
};

pub(super) use self::small::{Small, input_of, small, spec};
use self::through_exchange::{check_index, check_read, check_write, identity};
use super::*;
use crate::{
    array::Array,
    choice::Shape,
    copy::Copier,
    cost::Fleet,
    direct, encoded,
    exchange::{self, Within},
    fit::Room,
    group_local,
    groups::Groups,
    memory::{self, TaskMemory},
    prediction::source_reads,
};

/// Every shape that fits, whatever it costs, as pipelines, with shards held whole and in parts.
pub(super) fn all_shapes(input: &PlanInput, groups: u64) -> Vec<Vec<MultiStagePipeline>> {
    let array = Array::new(&input.copies[0]).expect("valid").expect("has elements");
    let sizes = [input.part_sizes.usual, input.part_sizes.least];
    let parts = sizes.into_iter().filter(|_| ShardParts::can_write(&input.copies[0].target.chunks));
    let in_parts = parts.map(|bytes| array.written(ShardParts { bytes }));
    [array].into_iter().chain(in_parts).flat_map(|array| shapes_of(&array, input, groups)).collect()
}

fn shapes_of(array: &Array, input: &PlanInput, groups: u64) -> Vec<Vec<MultiStagePipeline>> {
    let threads = input.threads_per_worker;
    let workers = input.worker_slots.div_ceil(threads);
    let (budget, scratch) = (input.memory.budget.0, input.worker_scratch.0);
    let fleet = Fleet { workers, threads, budget, scratch, basis: input.basis };
    let work = Copier { input, array, fleet: &fleet, index: 0 };
    // No budget in the groups: as many as there may be.
    let groups = Groups::of(array, 0, None, groups).expect("small");
    let mut shapes = Vec::new();
    for room in [Room::Busy, Room::Least] {
        if encoded::is_eligible(&input.copies[0]) {
            shapes.extend(encoded::search(array, &fleet, room).into_iter().map(Shape::Encoded));
        }
        shapes.extend(direct::search(array, &fleet, room).into_iter().map(Shape::Direct));
        // Neither is there for a source with gaps.
        let (mut locals, mut codecs) = (group_local::search(array, &fleet, room), vec![None, Some(ExchangeCodec::Lz4)]);
        if input.copies[0].has_gaps() {
            locals.clear();
            codecs.truncate(1);
        }
        if !input.copies[0].target.has_equal_chunks() {
            locals.clear();
            codecs.clear();
        }
        shapes.extend(locals.into_iter().map(Shape::GroupLocal));
        for codec in codecs {
            let exchanges = exchange::search(array, &Within { groups: &groups, may_cut: true }, &fleet, codec, room);
            shapes.extend(exchanges.into_iter().map(Shape::Exchange));
        }
    }
    let put_together = |shape: &Shape| work.pipelines(shape).and_then(|pipelines| work.verified(pipelines));
    shapes.iter().map(|shape| put_together(shape).expect("what was found can be put together")).collect()
}

/// How often each element and each object was written.
#[derive(Default)]
struct Written {
    elements: BTreeMap<Vec<u64>, u64>,
    objects: BTreeMap<Vec<u64>, u64>,
}

impl Written {
    /// A task that owns `region` of `target`.
    fn add(&mut self, target: &ArrayLayout, region: &Region) -> u64 {
        let objects = target.write_grid();
        let mut puts = 0;
        for position in BoxGrid::positions(&objects.overlapping(region)) {
            assert!(region.contains(&objects.region_at(&position)), "objects are written whole");
            *self.objects.entry(position).or_default() += 1;
            puts += 1;
        }
        for element in BoxGrid::positions(region) {
            *self.elements.entry(element).or_default() += 1;
        }
        puts
    }

    fn is_everything_once(&self, target: &ArrayLayout) -> bool {
        let all = |count: u64, map: &BTreeMap<Vec<u64>, u64>| {
            map.len() as u64 == count && map.values().all(|times| *times == 1)
        };
        all(target.shape.iter().product(), &self.elements) && all(target.write_grid().len(), &self.objects)
    }
}

/// The most that open chunks and shards take while `pieces` are visited in order, counted one by one.
fn most_open(
    target: &ArrayLayout,
    encoding: EncodedBound,
    parts: Option<ShardParts>,
    region: &Region,
    pieces: &[Region],
) -> u64 {
    let lives = |grid: &BoxGrid| -> Vec<(usize, usize)> {
        BoxGrid::positions(&grid.overlapping(region))
            .map(|position| {
                let touches = |piece: &Region| piece.intersection(&grid.region_at(&position)).is_some();
                (pieces.iter().position(touches).expect("touched"), pieces.iter().rposition(touches).expect("touched"))
            })
            .collect()
    };
    let open_at = |lives: &[(usize, usize)], at: usize| {
        lives.iter().filter(|(first, last)| *first <= at && at <= *last).count() as u64
    };
    let chunk = target.chunks.read_unit().iter().product::<u64>() * target.element.width;
    let chunks = lives(&target.read_grid());
    let shards = if target.chunks.is_sharded() { lives(&target.write_grid()) } else { Vec::new() };
    let inner = |at: usize| -> u64 {
        // What open shards reserve: their chunks that lie in the array, encoded, and their index.
        let open = BoxGrid::positions(&target.write_grid().overlapping(region)).zip(&shards);
        open.filter(|(_, (first, last))| *first <= at && at <= *last)
            .map(|(position, _)| {
                let shard = target.write_grid().region_at(&position);
                let chunks = target.read_grid().overlapping(&shard).element_count();
                match parts {
                    None => chunks * encoding.chunk.0 + encoding.shard_index.0,
                    // What does not fill a part, a chunk that lies across its end, and the index three times.
                    Some(parts) => parts.bytes.0 + encoding.chunk.0 + 3 * encoding.shard_index.0,
                }
            })
            .sum()
    };
    (0..pieces.len())
        .map(|at| {
            if let Some(parts) = parts {
                inner(at) + open_at(&chunks, at) * chunk.max(encoding.chunk.0) + parts.bytes.0
            } else if target.chunks.is_sharded() {
                inner(at) + open_at(&chunks, at) * chunk.saturating_sub(encoding.chunk.0)
            } else {
                let open = BoxGrid::positions(&target.read_grid().overlapping(region)).zip(&chunks);
                open.filter(|(_, (first, last))| *first <= at && at <= *last)
                    .map(|(position, _)| {
                        target.read_grid().unclipped_at(&position).element_count() * target.element.width
                    })
                    .sum()
            }
        })
        .max()
        .unwrap_or(0)
}

/// The boxes of `grid` that overlap `region`, in visiting order.
fn visited(grid: &BoxGrid, region: &Region, order: &[usize]) -> Vec<Region> {
    let mut positions: Vec<_> = BoxGrid::positions(&grid.overlapping(region)).collect();
    positions.sort_by_key(|position| order.iter().map(|axis| position[*axis]).collect::<Vec<_>>());
    positions.iter().map(|position| grid.region_at(position)).collect()
}

fn check_memory(memory: TaskMemory, stage: &rechunk_common::plan::Stage, budget: u64) {
    assert!(stage.task_memory.0 <= budget);
    let pieces = memory.pieces_in_flight(stage.task_memory);
    assert!(memory.total(pieces).expect("small") <= stage.task_memory.0, "what the worker allows itself is declared");
}

fn check_encoded(stage: &rechunk_common::plan::Stage, function: &CopyEncoded, small: &Small, written: &mut Written) {
    let bounds = [&function.source, &function.target].map(|layout| bound(layout, small.hundredths));
    let memory = memory::of_encoded(function, bounds[0], bounds[1]).expect("small");
    check_memory(memory, stage, small.budget);
    let (source, target) = (&function.source, &function.target);
    assert_eq!(source.chunks.read_unit(), target.chunks.read_unit());
    let mut counts = Counts::default();
    for task in 0..stage.task_count {
        let region = function.writers.region(task).expect("task");
        let indexes = BoxGrid::positions(&source.write_grid().overlapping(&region)).count() as u64;
        counts.put_requests += written.add(target, &region);
        for position in BoxGrid::positions(&target.write_grid().overlapping(&region)) {
            let object = target.write_grid().region_at(&position);
            let chunks = BoxGrid::positions(&source.read_grid().overlapping(&object)).count() as u64;
            let index = if target.chunks.is_sharded() { 2 * bounds[1].shard_index.0 } else { 0 };
            match function.shard_parts {
                None => assert!(chunks * bounds[0].chunk.0 + index <= memory.piece, "any object fits its room"),
                Some(parts) => {
                    let (chunk, index) = (bounds[0].chunk.0, bounds[1].shard_index.0);
                    assert!(4 * chunk + 2 * parts.bytes.0 + 3 * index <= memory.piece, "two parts and what is read");
                }
            }
            counts.get_requests += match (function.is_of_whole_objects(), function.by_store) {
                (true, by_store) => u64::from(!by_store),
                (false, _) => chunks,
            };
        }
        if source.chunks.is_sharded() && !function.is_of_whole_objects() {
            counts.get_requests += indexes;
            assert!(memory.indexes >= indexes * bounds[0].shard_index.0);
        }
    }
    assert_eq!(function.by_store, small.one_store && function.is_of_whole_objects() && !small.verify);
    assert_eq!(function.is_summed, small.verify);
    assert_eq!(counts, stage.predicted, "nothing is decoded or encoded");
}

fn check_direct(stage: &rechunk_common::plan::Stage, function: &CopyReadToWrite, small: &Small, written: &mut Written) {
    let bounds = [&function.source, &function.target].map(|layout| bound(layout, small.hundredths));
    let memory = memory::of_read_to_write(function, bounds[0], bounds[1]).expect("small");
    check_memory(memory, stage, small.budget);
    let mut counts = Counts::default();
    for task in 0..stage.task_count {
        let region = function.writers.region(task).expect("task");
        let reads = source_reads(&function.source, &region);
        let pieces = visited(&function.source.read_grid(), &region, &function.order);
        assert_eq!(reads.units, pieces.len() as u64);
        assert!(most_open(&function.target, bounds[1], function.shard_parts, &region, &pieces) <= memory.open);
        assert!(memory.indexes >= reads.indexes * bounds[0].shard_index.0);
        counts.get_requests += reads.requests();
        counts.bytes_decoded += pieces.iter().map(Region::element_count).sum::<u64>() * small.width;
        counts.bytes_encoded += region.element_count() * small.width;
        counts.put_requests += written.add(&function.target, &region);
    }
    assert_eq!(counts, stage.predicted);
}

fn check(pipelines: &[MultiStagePipeline], small: &Small, target: &ArrayLayout) {
    let (mut written, mut read_back) = (Written::default(), Written::default());
    for pipeline in pipelines {
        let (mut objects, mut indexes, mut bytes) = (0, 0, 0);
        for stage in &pipeline.stages {
            match &stage.function {
                StageFunction::CopyEncoded(function) => check_encoded(stage, function, small, &mut written),
                StageFunction::CopyReadToWrite(function) => check_direct(stage, function, small, &mut written),
                StageFunction::CopyReadToExchange(function) => {
                    objects = stage.task_count;
                    bytes += check_read(stage, function, small);
                }
                StageFunction::IndexExchange(function) => {
                    indexes = stage.task_count;
                    bytes += check_index(stage, function, small);
                }
                StageFunction::CopyExchangeToWrite(function) => check_write(stage, function, small, &mut written),
                StageFunction::CopyThroughScratch(function) => {
                    let stages = 1 + usize::from(small.verify);
                    assert_eq!((pipeline.stages.len(), pipeline.temp_bytes), (stages, ByteCount(0)));
                    through_scratch::check(stage, function, small, &mut written);
                }
                StageFunction::Verify(function) => verification::check(stage, function, small, &mut read_back),
                StageFunction::DeleteExchange(function) => {
                    assert_eq!(stage.effect, StageEffect::Destroys);
                    assert_eq!(stage.predicted.delete_requests, objects + indexes);
                    let listings = if function.exchange.packing().is_some() { stage.task_count } else { 0 };
                    assert_eq!(stage.predicted.metadata_requests, listings);
                    assert!(stage.task_count * function.objects_per_task >= objects, "none is left");
                    assert!((stage.task_count - 1) * function.objects_per_task < objects, "no task without an object");
                }
                StageFunction::CopySmallArrays(_)
                | StageFunction::ClearPrefix(_)
                | StageFunction::CheckSource(_)
                | StageFunction::PublishMetadata(_)
                | StageFunction::Custom(_) => panic!("{} does not copy", stage.name),
            }
        }
        assert_eq!(bytes, pipeline.temp_bytes.0, "what stands at the most");
    }
    assert!(written.is_everything_once(target));
    assert_eq!(read_back.is_everything_once(target), small.verify, "all of it is read back, once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_shape_writes_everything_once_and_counts_as_predicted(small in small()) {
        let input = input_of(&small);
        for pipelines in all_shapes(&input, small.groups) {
            check(&pipelines, &small, &input.copies[0].target);
        }
        if let Ok(plan) = plan(&input) {
            check(&plan.phases[0].pipelines.pipelines, &small, &input.copies[0].target);
        }
    }

    #[test]
    fn the_temporary_limit_that_a_refusal_asks_for_is_enough(small in small(), limit in 1_u64..5000) {
        let mut input = input_of(&Small { scratch: 0, ..small });
        input.temp.limit = Some(ByteCount(limit));
        match plan(&input) {
            Ok(plan) => {
                let standing = summary(&plan).temp_bytes;
                prop_assert!(standing.0 <= limit, "{standing} stand");
            }
            Err(refusal) if refusal.reason == "TEMP_LIMIT_TOO_SMALL" => {
                let asked = refusal.message.split("raise it to ").nth(1).and_then(|rest| rest.split(',').next());
                input.temp.limit = Some(asked.expect("a size").parse().expect("a size"));
                prop_assert!(plan(&input).is_ok(), "{}", refusal.message);
            }
            Err(refusal) => prop_assert_eq!(refusal.reason.as_str(), "MEMORY_TOO_SMALL"),
        }
    }

    #[test]
    fn the_cheapest_by_the_figures_shown_is_chosen_and_money_never_rises_where_it_is_preferred(small in small()) {
        let mut input = input_of(&Small { scratch: 0, ..small });
        let mut spent = Vec::new();
        for prefer in Prefer::ALL {
            input.basis.prefer = prefer;
            let Ok(plan) = plan(&input) else { continue };
            let candidates = &summary(&plan).arrays[0].candidates;
            let chosen = candidates[0].figures.expect("what is chosen has figures");
            prop_assert_eq!(candidates[0].verdict, Verdict::Chosen);
            // What is passed on comes first, whatever decoding is estimated to take.
            let is_passed_on = candidates[0].shape_of_plan == ShapeOfPlan::CopyEncoded;
            let is_passed_over = |kind: ShapeOfPlan| is_passed_on && kind != ShapeOfPlan::CopyEncoded;
            for other in candidates[1..].iter().filter(|other| !is_passed_over(other.shape_of_plan)) {
                if let (Verdict::Dearer, Some(figures)) = (other.verdict, other.figures) {
                    prop_assert!(chosen.cost <= figures.cost, "{candidates:?}");
                }
            }
            spent.push(chosen.estimate.usd);
        }
        prop_assert!(spent.is_sorted_by(|time, money| money <= time), "{spent:?}");
    }

    #[test]
    fn what_a_refusal_asks_for_is_enough(small in small()) {
        let budget = ByteCount(small.budget - 7);
        let mut input = input_of(&small);
        input.memory = MemoryModel { max_mem: ByteCount(small.budget), reserve: ByteCount(7), budget };
        if let Err(refusal) = plan(&input) {
            prop_assert_eq!(refusal.reason.as_str(), "MEMORY_TOO_SMALL");
            let asked = refusal.message.split("at least ").nth(1).and_then(|rest| rest.split(',').next()).expect("a size");
            let asked: ByteCount = asked.parse().expect("a size");
            input.memory = MemoryModel { max_mem: asked, reserve: ByteCount(7), budget: ByteCount(asked.0 - 7) };
            prop_assert!(plan(&input).is_ok(), "{}", refusal.message);
        }
    }
}

fn any_length() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..5, 1_u64..10_000, any::<u64>(), (0_u32..64).prop_map(|shift| 1 << shift)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_request_ends_in_a_plan_or_a_refusal(
        axes in prop::collection::vec((any_length(), any_length(), any_length(), any_length()), 0..7),
        sharded in any::<(bool, bool)>(),
        width in prop_oneof![1_u64..17, Just(0), any_length()],
        budget in any_length(), slots in any_length(), threads in any_length(),
        limit in prop::option::of(any_length()),
    ) {
        let per_axis = |of: fn(&(u64, u64, u64, u64)) -> u64| axes.iter().map(of).collect::<Vec<_>>();
        let (shape, shard) = (per_axis(|axis| axis.0), per_axis(|axis| axis.3));
        let side = |sharded: bool, chunk: Vec<u64>| {
            let mut side = layout(&shape, 1, sharded.then_some(&shard[..]), &chunk);
            side.element.width = width;
            side
        };
        let (source, target) = (side(sharded.0, per_axis(|axis| axis.1)), side(sharded.1, per_axis(|axis| axis.2)));
        let encoding = EncodedBound { chunk: ByteCount(budget / 3), shard_index: ByteCount(17) };
        let copy = CopySpec {
            held: None, name: "a/b".into(), dtype: "x".into(), source, target,
            source_encoding: encoding, target_encoding: encoding, gaps: GapPolicy::default(), one_store: false,
            ends_inside_chunk: false, listed: None, verify: slots.is_multiple_of(2),
        };
        let memory = MemoryModel { max_mem: ByteCount(budget), reserve: ByteCount(budget / 7), budget: ByteCount(budget) };
        let mut input = input(vec![copy], memory, slots, threads);
        input.temp.limit = limit.map(ByteCount);
        input.worker_scratch = ByteCount(slots.rotate_left(7));
        match plan(&input) {
            Ok(plan) => prop_assert!(plan.summary.is_some_and(|summary| summary.peak_memory <= memory.budget)),
            Err(refusal) => prop_assert!(!refusal.reason.is_empty() && !refusal.message.is_empty() && refusal.field.is_some()),
        }
    }
}
