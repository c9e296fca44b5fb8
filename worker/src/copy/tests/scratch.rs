//! Groups over local disk: how they are run, what they take of the disk, and what becomes of its faults.

use std::{fs, path::Path, sync::Arc};

use rechunk_common::{
    ByteCount, Counts, FailureClass, TaskFailure,
    geometry::BoxGrid,
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, ElementType, Separator},
    plan::{CopyThroughScratch, Exchange, GapPolicy},
};
use rechunk_planner::memory;
use rechunk_storage::{Effect, ErrorClass, FaultRule, Faults, RequestKind, StoreConfig, Stores};
use tempfile::TempDir;

use super::{
    bound,
    case::{Case, Shape},
    declared, oracle, task,
};
use crate::{
    compute::ComputePool,
    copy::{
        group::{empty, fill, of_this_worker},
        through_scratch,
    },
    scratch::{Scratch, ScratchPlace},
    workbench::{Bench, fresh_url},
};

const PLENTY: u64 = 1 << 20;

fn disk() -> (TempDir, Scratch) {
    let directory = tempfile::tempdir().expect("a directory");
    let scratch = Scratch::open(directory.path(), ByteCount(PLENTY)).expect("opened");
    (directory, scratch)
}

fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let of_entry = |path: &Path| if path.is_dir() { bytes_in(path) } else { path.metadata().expect("a file").len() };
    entries.map(|entry| of_entry(&entry.expect("an entry").path())).sum()
}

/// Runs every group, each within the larger of what its halves declare, and checks what it took of the disk.
pub(super) async fn run(bench: &Bench, function: &CopyThroughScratch) -> Result<Counts, TaskFailure> {
    let halves = memory::of_through_scratch(function, bound(&function.source), bound(&function.target));
    let memory = halves.expect("small").map(|half| declared(Some(half))).into_iter().max().expect("two");
    let (_directory, scratch) = disk();
    let mut counts = Counts::default();
    for index in 0..function.groups.len() {
        let attempt = scratch.attempt();
        let place = attempt.place();
        let group = TaskIndex(index);
        counts +=
            task(
                bench,
                memory,
                |cx| async move { through_scratch(&cx.with_scratch(Some(place)), function, group).await },
            )
            .await?;
        let exchange = function.exchange(function.groups.region(index).expect("a group"), String::new());
        let objects = 0..exchange.readers.len();
        let expected: u64 = objects.map(|object| exchange.object_bytes(TaskIndex(object)).expect("small")).sum();
        let taken = bytes_in(attempt.directory());
        // What a listing says is empty has no object.
        let is_expected = taken == expected || (function.listed.is_some() && taken < expected);
        assert!(is_expected, "elements and a checksum for each block: {taken} of {expected}");
    }
    Ok(counts)
}

/// (8, 4) of single bytes, rows into columns of four, in two groups.
fn case() -> Case {
    let url = fresh_url();
    let layout = |place: &str, chunk_shape: [u64; 2]| ArrayLayout {
        url: format!("{url}/{place}"),
        shape: vec![8, 4],
        element: ElementType { data_type: "uint8".into(), width: 1 },
        fill: vec![9],
        has_fill: true,
        chunks: ChunkLayout::Plain { chunk_shape: chunk_shape.into(), codecs: r#"[{"name":"bytes"}]"#.into() },
        keys: ChunkKeys::Default { separator: Separator::Slash },
        part: None,
        edges: Vec::new(),
    };
    Case {
        source: layout("source", [1, 4]),
        target: layout("target", [4, 1]),
        url,
        writers: vec![4, 2],
        order: vec![0, 1],
        gaps: GapPolicy::default(),
        shape: Shape::Scratch { readers: vec![2, 4], groups: vec![4, 4] },
        seed: 1,
        missing: 0,
        filled: 0,
        is_listed: false,
        parts: None,
        is_cut: false,
    }
}

async fn bench_with_source(case: &Case) -> Bench {
    let bench = Bench::new(ComputePool::inline());
    oracle::write_source(&bench, case).await;
    bench.observer.clear();
    bench
}

#[tokio::test]
async fn the_store_sees_each_source_chunk_and_each_target_chunk_once_and_nothing_else() {
    let case = case();
    let bench = bench_with_source(&case).await;
    let counts = run(&bench, &case.through_scratch()).await.expect("copied");
    let expected = Counts {
        get_requests: 8,
        put_requests: 8,
        bytes_decoded: 32,
        bytes_encoded: 32,
        wire_bytes_read: 32,
        wire_bytes_written: 32,
        content: oracle::content(&case),
        ..Counts::default()
    };
    assert_eq!(counts, expected);
    assert_eq!((bench.observer.count(RequestKind::Get), bench.observer.count(RequestKind::Put)), (8, 8));
    oracle::check_target(&bench, &case, counts).await.expect("every element is there");
}

#[tokio::test]
async fn what_the_disk_has_lost_or_changed_is_a_fault_of_this_worker() {
    let case = case();
    let bench = bench_with_source(&case).await;
    let (_directory, scratch) = disk();
    let attempt = scratch.attempt();
    let place = attempt.place();
    let cx = bench.context(PLENTY);
    let disk = cx.on(&place.stores);
    let (read, write) = case.through_scratch().halves(TaskIndex(0), place.url.clone()).expect("a group");
    fill(&cx, &disk, &read).await.expect("read");
    let file = attempt.directory().join(Exchange::key(TaskIndex(1)));
    let intact = fs::read(&file).expect("the second object");
    let mut flipped = intact.clone();
    flipped[3] ^= 1;
    for (damaged, reason) in [(Some(flipped), "checksum"), (None, "not there")] {
        match damaged {
            Some(body) => fs::write(&file, body).expect("written"),
            None => fs::remove_file(&file).expect("removed"),
        }
        let failure = empty(&cx, &disk, &write).await.map_err(of_this_worker).expect_err("damaged");
        assert_eq!(failure.class, FailureClass::TryElsewhere, "{failure}");
        assert!(failure.message.contains(&place.url) && failure.message.contains(reason), "{failure}");
    }
    fs::write(&file, intact).expect("written");
    empty(&cx, &disk, &write).await.expect("whole again");
}

#[tokio::test]
async fn a_full_disk_sends_the_task_to_another_worker_and_says_which_disk() {
    let case = case();
    let bench = bench_with_source(&case).await;
    let faults = Arc::new(Faults::new());
    faults.add(FaultRule::nth(RequestKind::Put, 2, Effect::Fail(ErrorClass::Full)));
    let stores = Stores::new(StoreConfig::environment()).with_faults(faults);
    let url = fresh_url();
    let place = ScratchPlace { url: url.clone(), stores };
    let cx = bench.context(PLENTY).with_scratch(Some(Arc::new(place)));
    let failure = through_scratch(&cx, &case.through_scratch(), TaskIndex(0)).await.expect_err("full");
    assert_eq!(failure.class, FailureClass::TryElsewhere, "{failure}");
    assert!(failure.message.starts_with(&format!("cannot write {url}/")), "{failure}");
    let counts = cx.tally().total();
    assert!(counts.get_requests > 0 && counts.put_requests == 0, "what was asked of the source is told: {counts:?}");
    assert_eq!(bench.observer.count(RequestKind::Put), 0);
}

#[tokio::test]
async fn a_worker_without_local_disk_and_a_group_that_is_not_there_are_refused() {
    let case = case();
    let bench = bench_with_source(&case).await;
    let failure = through_scratch(&bench.context(PLENTY), &case.through_scratch(), TaskIndex(0)).await;
    assert_eq!(failure.expect_err("no disk").class, FailureClass::TryElsewhere);
    let (_directory, scratch) = disk();
    let cx = bench.context(PLENTY).with_scratch(Some(scratch.attempt().place()));
    let failure = through_scratch(&cx, &case.through_scratch(), TaskIndex(2)).await.expect_err("two groups");
    assert_eq!(failure.class, FailureClass::InvalidRequest);
    assert_eq!(BoxGrid::len(&case.through_scratch().groups), 2);
}
