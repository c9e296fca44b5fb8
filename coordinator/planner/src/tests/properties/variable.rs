//! Exchanges of elements of variable length, dense and with gaps, held against brute force.

use rechunk_common::{Presence, plan::ListedSource, variable::assumed_chunk_bytes};

use super::{small::input_of, *};
use crate::memory::TargetSide;

/// The same arrays with text in them, of which the objects whose bits are set in `pattern` are there.
fn of_text(small: &Small, pattern: Option<u64>) -> PlanInput {
    let mut input = input_of(small);
    let spec = &mut input.copies[0];
    for (layout, encoding) in
        [(&mut spec.source, &mut spec.source_encoding), (&mut spec.target, &mut spec.target_encoding)]
    {
        layout.element = ElementType::variable();
        layout.fill = b"fill".to_vec();
        encoding.chunk = ByteCount(assumed_chunk_bytes(layout.chunks.read_unit().iter().product()));
    }
    if let Some(pattern) = pattern {
        let grid = spec.source.write_grid();
        let mut presence = Presence::none(grid.clone()).expect("small");
        for index in (0..grid.len()).filter(|index| pattern >> (index % 61) & 1 == 1) {
            presence.insert(&grid.position(index).expect("in the grid"));
        }
        let source = ListedSource { longest: ByteCount(9), presence: None };
        spec.listed = Some(Listing { presence, source });
    }
    input
}

/// All that stages ask for, and what is written.
struct Check<'a> {
    input: &'a PlanInput,
    small: &'a Small,
    written: Written,
}

impl Check<'_> {
    fn is_there(&self, region: &Region) -> bool {
        self.input.copies[0].listed.as_ref().is_none_or(|listed| listed.presence.overlaps(region))
    }

    fn read(&self, stage: &rechunk_common::plan::Stage, function: &CopyReadToExchange) {
        let spec = &self.input.copies[0];
        let memory = memory::of_read_to_exchange(function, spec.source_encoding).expect("small");
        check_memory(memory, stage, self.small.budget);
        let mut counts = Counts { put_requests: stage.task_count, ..Counts::default() };
        for task in 0..stage.task_count {
            let region = function.exchange.readers.region(task).expect("task");
            let blocks = function.exchange.writers.overlapping(&region).element_count();
            assert!(region.element_count() * (8 + 4 + 32) + blocks * (24 + 1 + 4 + 64 + 4) <= memory.open);
            for unit in visited(&spec.source.read_grid(), &region, &identity(region.rank())) {
                let is_there = self.is_there(&unit);
                counts.get_requests += u64::from(is_there);
                counts.bytes_decoded += if is_there { unit.element_count() * 8 } else { 0 };
            }
            if spec.source.chunks.is_sharded() {
                let shards = visited(&spec.source.write_grid(), &region, &identity(region.rank()));
                counts.get_requests += shards.iter().filter(|shard| self.is_there(shard)).count() as u64;
            }
            counts.bytes_encoded += region.element_count() * 8;
        }
        assert_eq!(counts, stage.predicted, "every object is written, and whole");
    }

    fn write(&mut self, stage: &rechunk_common::plan::Stage, function: &CopyExchangeToWrite, leaves_out: bool) {
        let spec = &self.input.copies[0];
        let target = TargetSide::of(&function.target, spec.target_encoding).written(function.shard_parts);
        let memory = memory::of_exchange_into(function, target).expect("small");
        check_memory(memory, stage, self.small.budget);
        assert_eq!(function.exchange.writers, function.writers, "one row each");
        let mut counts = Counts::default();
        for task in 0..stage.task_count {
            let region = function.writers.region(task).expect("task");
            counts.get_requests += 1;
            for reader in visited(&function.exchange.readers, &region, &function.order) {
                let block = reader.intersection(&region).expect("they share elements");
                if self.is_there(&block) {
                    counts.get_requests += 1;
                    counts.bytes_decoded += block.element_count() * 8;
                }
            }
            self.written.add(&function.target, &region);
            let is_written = |region: &Region| !leaves_out || self.is_there(region);
            let objects = visited(&function.target.write_grid(), &region, &function.order);
            counts.put_requests += objects.iter().filter(|object| is_written(object)).count() as u64;
            let chunks = visited(&function.target.read_grid(), &region, &function.order);
            let elements = chunks.iter().filter(|chunk| is_written(chunk)).map(Region::element_count);
            counts.bytes_encoded += elements.sum::<u64>() * 8;
        }
        assert_eq!(counts, stage.predicted);
    }

    fn pipelines(&mut self, pipelines: &[MultiStagePipeline]) {
        let leaves_out = !self.input.copies[0].gaps.write_empty_chunks;
        for stage in pipelines.iter().flat_map(|pipeline| &pipeline.stages) {
            match &stage.function {
                StageFunction::CopyReadToExchange(function) => self.read(stage, function),
                StageFunction::IndexExchange(function) => {
                    check_index(stage, function, self.small);
                }
                StageFunction::CopyExchangeToWrite(function) => self.write(stage, function, leaves_out),
                StageFunction::DeleteExchange(_) | StageFunction::Verify(_) => {}
                StageFunction::CopyEncoded(_)
                | StageFunction::CopyReadToWrite(_)
                | StageFunction::CopyThroughScratch(_)
                | StageFunction::CopySmallArrays(_)
                | StageFunction::ClearPrefix(_)
                | StageFunction::CheckSource(_)
                | StageFunction::PublishMetadata(_)
                | StageFunction::Custom(_) => panic!("{} is of no exchange", stage.name),
            }
        }
        assert!(self.written.is_everything_once(&self.input.copies[0].target));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_exchange_of_text_writes_everything_once_and_counts_as_predicted(
        small in small(), more in 0_u64..60_000, pattern in prop::option::of(any::<u64>()), writes_gaps in any::<bool>(),
        codec in prop_oneof![Just(ExchangeCodec::None), Just(ExchangeCodec::Lz4)],
    ) {
        // No exchange fills chunks that differ in length.
        let unequal = small.unequal.map(|(seed, _)| (seed, false));
        let small = Small { budget: small.budget + more, unequal, ..small };
        let mut input = of_text(&small, pattern);
        input.copies[0].gaps.write_empty_chunks = writes_gaps;
        let array = Array::new(&input.copies[0]).expect("valid").expect("has elements");
        let threads = input.threads_per_worker;
        let (workers, budget) = (input.worker_slots.div_ceil(threads), input.memory.budget.0);
        let fleet = Fleet { workers, threads, budget, scratch: 0, basis: input.basis };
        let work = Copier { input: &input, array: &array, fleet: &fleet, index: 0 };
        let groups = Groups::of(&array, 0, None, small.groups).expect("small");
        let within = Within { groups: &groups, may_cut: true };
        for room in [Room::Busy, Room::Least] {
            for shape in exchange::search(&array, &within, &fleet, Some(codec), room) {
                let pipelines = work.pipelines(&Shape::Exchange(shape)).expect("what was found can be put together");
                Check { input: &input, small: &small, written: Written::default() }.pipelines(&pipelines);
            }
        }
    }

    #[test]
    fn what_a_refusal_of_text_asks_for_is_enough(small in small()) {
        let mut input = of_text(&small, None);
        if let Err(refusal) = plan(&input) {
            prop_assert_eq!(refusal.reason.as_str(), "MEMORY_TOO_SMALL");
            let asked = refusal.message.split("at least ").nth(1).and_then(|rest| rest.split(',').next()).expect("a size");
            let asked: ByteCount = asked.parse().expect("a size");
            input.memory = MemoryModel { max_mem: asked, reserve: ByteCount(0), budget: asked };
            prop_assert!(plan(&input).is_ok(), "{}", refusal.message);
        }
    }
}
