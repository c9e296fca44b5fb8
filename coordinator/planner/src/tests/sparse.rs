//! Plans for small random arrays of which a listing found only a part, held against brute force, task by task.

use proptest::prelude::*;
use rechunk_common::{
    Presence,
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    plan::{Assumed, ListedSource, MultiStagePipeline, PresenceBitmap, ReadBackAs, Stage, StageFunction},
};

use super::{
    properties::{Small, all_shapes, small, spec},
    *,
};

/// A source of which the objects whose bits are set in `pattern` are there.
fn listed(source: &ArrayLayout, pattern: u64) -> Listing {
    let grid = source.write_grid();
    let mut presence = Presence::none(grid.clone()).expect("small");
    for index in (0..grid.len()).filter(|index| pattern >> (index % 61) & 1 == 1) {
        presence.insert(&grid.position(index).expect("in the grid"));
    }
    let bitmap = PresenceBitmap {
        url: "memory://t/tmp/job-1/0/presence/0".into(),
        size: ByteCount(presence.bits().len() as u64),
        crc32c: 7,
        objects: grid,
        fill: source.fill.clone(),
    };
    let presence_of_stages = (!presence.is_complete()).then_some(bitmap);
    Listing { presence, source: ListedSource { longest: ByteCount(9), presence: presence_of_stages } }
}

/// Counts by looking at every unit of every task.
struct Oracle<'a> {
    source: &'a ArrayLayout,
    target: &'a ArrayLayout,
    presence: &'a Presence,
    leaves_out: bool,
}

impl Oracle<'_> {
    fn bytes(&self, region: &Region) -> u64 {
        region.element_count() * self.source.element.width
    }

    /// Chunks and indexes of objects that are there.
    fn reads(&self, region: &Region, counts: &mut Counts) {
        let (units, objects) = (self.source.read_grid(), self.source.write_grid());
        for position in BoxGrid::positions(&units.overlapping(region)) {
            let unit = units.region_at(&position);
            if self.presence.overlaps(&unit) {
                counts.get_requests += 1;
                counts.bytes_decoded += self.bytes(&unit);
            }
        }
        if self.source.chunks.is_sharded() {
            let indexes = BoxGrid::positions(&objects.overlapping(region));
            counts.get_requests += indexes.filter(|position| self.presence.contains(position)).count() as u64;
        }
    }

    /// Gives the number of chunks.
    fn writes(&self, region: &Region, counts: &mut Counts) -> u64 {
        let is_made = |unit: &Region| !self.leaves_out || self.presence.overlaps(unit);
        let made = |grid: &BoxGrid| {
            let units: Vec<Region> =
                BoxGrid::positions(&grid.overlapping(region)).map(|at| grid.region_at(&at)).filter(is_made).collect();
            (units.len() as u64, units.iter().map(|unit| self.bytes(unit)).sum::<u64>())
        };
        counts.put_requests += made(&self.target.write_grid()).0;
        let (chunks, bytes) = made(&self.target.read_grid());
        counts.bytes_encoded += bytes;
        chunks
    }

    /// What a stage does, and the bytes of the exchange objects that it writes.
    fn stage(&self, stage: &Stage) -> Option<(Counts, u64)> {
        let mut counts = Counts::default();
        let mut exchanged = 0;
        for task in 0..stage.task_count {
            match &stage.function {
                StageFunction::CopyEncoded(function) => {
                    let region = function.writers.region(task).expect("task");
                    self.writes(&region, &mut counts);
                    if function.is_of_whole_objects() {
                        counts.get_requests = if function.by_store { 0 } else { counts.put_requests };
                    } else {
                        self.reads(&region, &mut counts);
                    }
                    (counts.bytes_decoded, counts.bytes_encoded) = (0, 0);
                }
                StageFunction::CopyReadToWrite(function) => {
                    let region = function.writers.region(task).expect("task");
                    self.reads(&region, &mut counts);
                    self.writes(&region, &mut counts);
                }
                StageFunction::CopyReadToExchange(function) => {
                    let region = function.exchange.readers.region(task).expect("task");
                    self.reads(&region, &mut counts);
                    if self.presence.overlaps(&region) {
                        counts.put_requests += 1;
                        counts.bytes_encoded += self.bytes(&region);
                        exchanged += function.exchange.object_bytes(TaskIndex(task)).expect("small");
                    }
                }
                StageFunction::CopyExchangeToWrite(function) => {
                    let (readers, cut) = (&function.exchange.readers, &function.exchange.writers);
                    let region = function.writers.region(task).expect("task");
                    for part in BoxGrid::positions(&cut.overlapping(&region)).map(|at| cut.region_at(&at)) {
                        for position in BoxGrid::positions(&readers.overlapping(&part)) {
                            let block = readers.region_at(&position).intersection(&part).expect("they overlap");
                            if self.presence.overlaps(&block) {
                                counts.get_requests += 1;
                                counts.bytes_decoded += self.bytes(&block);
                            }
                        }
                    }
                    self.writes(&region, &mut counts);
                }
                StageFunction::Verify(function) => {
                    let mut written = Counts::default();
                    let chunks = self.writes(&function.boxes.region(task).expect("task"), &mut written);
                    counts.get_requests += written.put_requests;
                    if function.read_back_as == ReadBackAs::Elements {
                        counts.bytes_decoded += written.bytes_encoded;
                    }
                    if function.read_back_as != ReadBackAs::EncodedChunks && self.target.chunks.is_sharded() {
                        counts.get_requests += chunks;
                    }
                    let knows_gaps = function.presence.is_some();
                    assert_eq!(knows_gaps, self.leaves_out && !self.presence.is_complete());
                }
                StageFunction::IndexExchange(_)
                | StageFunction::CopyThroughScratch(_)
                | StageFunction::DeleteExchange(_)
                | StageFunction::CopySmallArrays(_)
                | StageFunction::ClearPrefix(_)
                | StageFunction::CheckSource(_)
                | StageFunction::PublishMetadata(_)
                | StageFunction::Custom(_) => return None,
            }
        }
        Some((counts, exchanged))
    }

    fn check(&self, pipelines: &[MultiStagePipeline]) {
        // Only a complete source's exchange is packed, and that is counted as a dense source's.
        let is_packed = |stage: &Stage| matches!(stage.function, StageFunction::IndexExchange(_));
        for pipeline in pipelines.iter().filter(|pipeline| !pipeline.stages.iter().any(is_packed)) {
            let mut exchanged = 0;
            for stage in &pipeline.stages {
                let Some((counts, bytes)) = self.stage(stage) else { continue };
                assert_eq!(counts, stage.predicted, "{}", stage.name);
                exchanged += bytes;
            }
            assert_eq!(pipeline.temp_bytes.0, exchanged);
        }
    }
}

fn memory_of(small: &Small) -> MemoryModel {
    MemoryModel { max_mem: ByteCount(small.budget), reserve: ByteCount(0), budget: ByteCount(small.budget) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_shape_counts_what_is_there_as_brute_force_does(
        small in small(), patterns in (any::<u64>(), any::<u64>(), any::<u64>()), makes_gaps in prop::bool::weighted(0.2),
        density in 0_u32..4,
    ) {
        let mut copy = spec(&small);
        let (one, two, three) = patterns;
        // None, few, about half, all.
        let pattern = [0, one & two & three, one, u64::MAX][density as usize];
        let listing = listed(&copy.source, pattern);
        copy.gaps.write_empty_chunks = makes_gaps;
        copy.listed = Some(listing.clone());
        let mut input = input(vec![copy.clone()], memory_of(&small), small.slots, small.threads);
        input.part_sizes = PartSizes { usual: ByteCount(small.parts.0), least: ByteCount(small.parts.1) };
        let oracle = Oracle {
            source: &copy.source, target: &copy.target, presence: &listing.presence, leaves_out: !makes_gaps,
        };
        for pipelines in all_shapes(&input, small.groups) {
            oracle.check(&pipelines);
        }
        if let Ok(plan) = plan(&input) {
            let copying = plan.phases.iter().find(|phase| phase.name == "copy").expect("it has elements");
            oracle.check(&copying.pipelines.pipelines);
            let summary = summary(&plan);
            prop_assert_eq!(summary.assumed, Assumed::Listed);
            prop_assert_eq!(summary.arrays[0].listed_objects, Some(listing.presence.count()));
            // Where there is a bitmap, it goes with the temporary space.
            let clears = plan.stages().any(|stage| stage.name == "clear_temp");
            prop_assert_eq!(clears, !listing.presence.is_complete() || summary.exchange_bytes.0 > 0);
        }
    }

    #[test]
    fn a_complete_listing_gives_the_plan_of_a_dense_source(small in small()) {
        let dense = spec(&small);
        let mut copy = dense.clone();
        copy.listed = Some(listed(&copy.source, u64::MAX));
        let plans = [dense, copy].map(|copy| plan(&input(vec![copy], memory_of(&small), small.slots, small.threads)));
        if let [Ok(dense), Ok(listed)] = &plans {
            prop_assert_eq!(totals(dense), totals(listed));
            prop_assert_eq!((summary(dense).assumed, summary(listed).assumed), (Assumed::Dense, Assumed::Listed));
            prop_assert_eq!(dense.stages().count(), listed.stages().count());
        } else {
            prop_assert!(plans.iter().all(Result::is_err));
        }
    }
}

#[test]
fn a_source_with_nothing_in_it_is_neither_read_nor_written() {
    let mut copy = plain(&[1000, 700, 500], &[10, 100, 500], &[100, 70, 50]);
    copy.listed = Some(listed(&copy.source, 0));
    let plan = planned(&input(vec![copy], mebibytes(2048, 100), 8, 2));
    // The bitmap goes with the temporary space, which is listed for that.
    let expected = Counts { metadata_requests: 1, delete_requests: 1, ..Counts::default() };
    assert_eq!(totals(&plan), expected);
    assert!(summary(&plan).temp.is_some(), "the bitmap lies there");
}

#[test]
fn a_plan_takes_time_for_what_is_listed_whatever_the_target() {
    // 10^11 target chunks over 1000 source chunks, three of which are there.
    let mut copy = plain(&[1_000_000, 1_000_000], &[100_000, 10_000], &[2, 3]);
    copy.listed = Some(listed(&copy.source, 0));
    let listing = copy.listed.as_mut().expect("listed");
    for position in [[0, 0], [4, 7], [9, 99]] {
        listing.presence.insert(&position);
    }
    let memory = mebibytes(64 << 10, 100);
    let plan = planned(&input(vec![copy], memory, 8, 2));
    let of_chunk = |second: (u64, u64)| 50_000 * (second.1.div_ceil(3) - second.0 / 3);
    let expected = [(0, 10_000), (70_000, 80_000), (990_000, 1_000_000)].map(of_chunk).iter().sum::<u64>();
    let written = plan.stages().filter(|stage| stage.name.ends_with("_to_write"));
    assert_eq!(written.map(|stage| stage.predicted.put_requests).sum::<u64>(), expected);
}
