//! The worked examples of the design: at most these requests at that memory. And the first job that was asked for.

use rechunk_common::plan::{ShapeOfPlan, StageFunction};

use super::*;
use crate::memory;

const GB: u64 = 1_000_000_000;

struct Worked {
    name: &'static str,
    copy: CopySpec,
    max_mem: u64,
    gets: u64,
    puts: u64,
    groups: u64,
}

fn examples() -> Vec<Worked> {
    let era5 = || plain(&[350_640, 721, 1440], &[31, 721, 1440], &[350_640, 10, 10]);
    let years = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let rows = plain(&[394_488, 778, 706], &[24, 778, 706], &[8760, 15, 15]);
    let days = plain(&[175_320, 721, 1440], &[24, 721, 1440], &[21_915, 103, 10]);
    vec![
        Worked { name: "era5, 2 GB", copy: era5(), max_mem: 2 * GB, gets: 1_370_000, puts: 11_800, groups: 1 },
        Worked { name: "era5, 4 GB", copy: era5(), max_mem: 4 * GB, gets: 260_000, puts: 11_000, groups: 1 },
        Worked { name: "years", copy: years, max_mem: 2 * GB, gets: 108_000, puts: 1_580, groups: 12 },
        Worked { name: "rows", copy: rows, max_mem: 2 * GB, gets: 27_000, puts: 115_600, groups: 46 },
        Worked { name: "days", copy: days, max_mem: 2 * GB, gets: 50_300, puts: 8_800, groups: 1 },
    ]
}

#[test]
fn exchanges_need_no_more_requests_than_the_design_says() {
    for slots in [1, 2, 4, 8] {
        for example in examples() {
            let bytes = example.copy.source.decoded_bytes().expect("small");
            let input = input(vec![example.copy], usable(example.max_mem), slots, 1);
            let plan = planned(&input);
            let (name, totals, summary) = (example.name, totals(&plan), summary(&plan));
            assert_eq!(summary.arrays[0].shape_of_plan, ShapeOfPlan::Exchange, "{name}");
            assert!(totals.get_requests <= example.gets, "{name}: {} GETs, {slots} slots", totals.get_requests);
            assert!(totals.put_requests <= example.puts, "{name}: {} PUTs, {slots} slots", totals.put_requests);
            assert_eq!(summary.arrays[0].pipelines, example.groups, "{name}");
            assert_eq!(totals.bytes_decoded, 2 * bytes, "{name}");
            assert_eq!(totals.bytes_encoded, 2 * bytes, "{name}");
            assert!(summary.peak_memory <= input.memory.budget, "{name}");
        }
    }
}

#[test]
fn reblocking_is_one_sweep_that_reads_every_chunk_once_in_half_a_gibibyte() {
    let copy = plain(&[512, 1024, 1024], &[64, 64, 64], &[100, 100, 100]);
    let plan = planned(&input(vec![copy], usable(1 << 30), 1, 1));
    let row = row(summary(&plan), "copy_read_to_write");
    assert_eq!((row.tasks, row.counts.get_requests, row.counts.put_requests), (1, 2048, 6 * 11 * 11));
    assert!(row.task_memory < ByteCount(490 << 20), "{}", row.task_memory);
    let Some(StageFunction::CopyReadToWrite(function)) = plan.stages().next().map(|stage| &stage.function) else {
        panic!("a direct sweep")
    };
    assert_ne!(function.order[0], 0, "across the shortest axis a layer is largest");
}

#[test]
fn reblocking_on_eight_workers_pays_little_for_being_parallel() {
    let copy = plain(&[512, 1024, 1024], &[64, 64, 64], &[100, 100, 100]);
    let plan = planned(&input(vec![copy], usable(1 << 30), 8, 1));
    let row = row(summary(&plan), "copy_read_to_write");
    assert!(row.tasks > 1, "one task leaves seven workers idle");
    assert!(row.counts.get_requests <= 2584, "{}", row.counts.get_requests);
}

#[test]
fn a_billion_elements_from_1000_to_999_need_two_million_requests() {
    for slots in [1, 8] {
        let copy = plain(&[1_000_000_000], &[1000], &[999]);
        let totals = totals(&planned(&input(vec![copy], usable(1 << 30), slots, 1)));
        assert!(totals.get_requests + totals.put_requests <= 2_010_000, "{totals:?}");
        assert!(totals.get_requests >= 1_000_000);
    }
}

fn maps_to_series(max_mem: MemoryModel, slots: u64, threads: u64) -> PlanInput {
    let shape = [1024, 512, 1024];
    let (source, target) = (layout(&shape, 4, None, &[1, 512, 1024]), layout(&shape, 4, None, &[1024, 16, 32]));
    input(vec![copy(source, target, 101)], max_mem, slots, threads)
}

#[test]
fn maps_to_series_in_256_mib_is_an_exchange_that_fits() {
    for slots in 1..=8 {
        for threads in [1, 2] {
            let input = maps_to_series(mebibytes(256, 40), slots, threads);
            let plan = planned(&input);
            let summary = summary(&plan);
            assert_eq!(summary.arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
            let (read, write) = (row(summary, "copy_read_to_exchange"), row(summary, "copy_exchange_to_write"));
            for row in [read, write] {
                assert!((10..=64).contains(&row.tasks), "{}: {} tasks", row.name, row.tasks);
                assert!(row.task_memory <= input.memory.budget && row.task_memory.0 > 16 << 20);
                assert_eq!((row.counts.bytes_decoded, row.counts.bytes_encoded), (2 << 30, 2 << 30));
            }
            assert_eq!((read.counts.get_requests, read.counts.put_requests), (1024, read.tasks));
            assert_eq!((write.counts.get_requests, write.counts.put_requests), (read.tasks * write.tasks, 1024));
            assert_eq!(row(summary, "delete_exchange").counts.delete_requests, read.tasks);
            let trailers = 4 * read.tasks * write.tasks;
            assert_eq!(summary.exchange_bytes, ByteCount((2 << 30) + trailers));
            let runner_up = summary.arrays[0].runner_up.as_ref().expect("a runner-up");
            assert_eq!(runner_up.shape_of_plan, ShapeOfPlan::DirectSweep);
        }
    }
}

#[test]
fn maps_to_series_with_memory_for_all_is_one_pass() {
    for slots in 1..=8 {
        for threads in [1, 2] {
            let plan = planned(&maps_to_series(mebibytes(4096, 40), slots, threads));
            let row = row(summary(&plan), "copy_read_to_write");
            assert_eq!((row.counts.get_requests, row.counts.bytes_decoded), (1024, 2 << 30));
            assert_eq!(summary(&plan).temp, None);
        }
    }
}

#[test]
fn series_to_maps_and_shards_fit_in_256_mib_too() {
    let shape = [1024, 512, 1024];
    let maps = || layout(&shape, 4, None, &[1, 512, 1024]);
    let series = layout(&shape, 4, None, &[1024, 16, 32]);
    let shards = || layout(&shape, 4, Some(&[1024, 128, 256]), &[1024, 16, 32]);
    for (from, to) in [(series, maps()), (maps(), shards()), (shards(), maps())] {
        let input = input(vec![copy(from, to, 101)], mebibytes(256, 40), 2, 2);
        let plan = planned(&input);
        assert!(summary(&plan).peak_memory <= input.memory.budget);
    }
}

#[test]
fn two_tasks_share_a_worker_of_two_threads() {
    let input = maps_to_series(mebibytes(256, 40), 2, 2);
    let plan = planned(&input);
    for name in ["copy_read_to_exchange", "copy_exchange_to_write"] {
        assert!(row(summary(&plan), name).task_memory.0 * 2 <= input.memory.budget.0, "{name}");
    }
}

#[test]
fn memory_to_spare_goes_to_pieces_in_flight() {
    let plan = planned(&maps_to_series(mebibytes(4096, 40), 2, 2));
    let stage = plan.stages().next().expect("a stage");
    let StageFunction::CopyReadToWrite(function) = &stage.function else { panic!("a direct sweep") };
    let bounds = [&function.source, &function.target].map(|layout| bound(layout, 101));
    let memory = memory::of_read_to_write(function, bounds[0], bounds[1]).expect("small");
    assert_eq!(memory.pieces_in_flight(stage.task_memory), memory::MAX_PIECES_IN_FLIGHT);
    assert_eq!(memory.total(memory::MAX_PIECES_IN_FLIGHT), Some(stage.task_memory.0));
    assert_eq!(memory.pieces_in_flight(ByteCount(0)), memory::MIN_PIECES_IN_FLIGHT);
}

#[test]
fn a_temporary_space_of_its_own_for_each_group() {
    let copy = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let mut input = input(vec![copy], usable(2 * GB), 8, 1);
    input.temp.limit = Some(ByteCount(80 * GB));
    let plan = planned(&input);
    let pipelines = &plan.phases[0].pipelines.pipelines;
    let urls: std::collections::BTreeSet<_> = pipelines
        .iter()
        .map(|pipeline| {
            let StageFunction::CopyReadToExchange(function) = &pipeline.stages[0].function else {
                panic!("{pipeline:?}")
            };
            function.exchange.url.clone()
        })
        .collect();
    assert_eq!(urls.len(), 12);
    assert!(urls.contains("memory://t/tmp/job-1/0/0/11"));
    assert_eq!(summary(&plan).temp_bytes, ByteCount(80 * GB), "two of 36 GB may stand, a third not");
    assert!(pipelines.iter().all(|pipeline| pipeline.temp_bytes < ByteCount(40 * GB)));
    let last = &pipelines[11].stages[1].predicted;
    assert_eq!((last.put_requests, last.bytes_encoded), (11 * 10, 72 * 721 * 1440 * 4), "clipped to the array");
}

#[test]
fn a_sweep_that_reads_everything_about_once_is_not_passed_over_for_an_exchange() {
    let cube = || plain(&[10_000, 10_000, 10_000], &[10, 11, 13], &[17, 19, 7]);
    let merge = || plain(&[1_000_000, 1000, 250], &[7, 1000, 250], &[10, 1000, 250]);
    for (slots, threads) in [(1, 1), (8, 4), (100, 4)] {
        for copy in [cube(), merge()] {
            let plan = planned(&input(vec![copy], mebibytes(1024, 40), slots, threads));
            assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::DirectSweep);
        }
    }
}

#[test]
fn a_long_job_of_one_worker_is_cut_into_tasks_that_are_worth_repeating() {
    let copy = plain(&[1_000_000, 1000, 250], &[1, 1000, 250], &[10, 1000, 250]);
    let plan = planned(&input(vec![copy], mebibytes(1024, 40), 1, 1));
    let row = row(summary(&plan), "copy_read_to_write");
    assert!((100..100_000).contains(&row.tasks), "{} tasks for 1 TB", row.tasks);
    assert_eq!(row.counts.get_requests, 1_000_000, "cut where both grids meet");
}
