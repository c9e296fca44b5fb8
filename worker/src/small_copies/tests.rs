use rechunk_common::{
    ByteCount, FailureClass,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, ElementType, Separator},
    plan::{CopyEncoded, CopyReadToWrite, GapPolicy},
};

use super::*;
use crate::{
    ComputePool,
    workbench::{Bench, fresh_url},
};

/// Six bytes in chunks of `chunk`.
fn layout(url: &str, chunk: u64) -> ArrayLayout {
    ArrayLayout {
        url: url.to_owned(),
        shape: vec![6],
        element: ElementType { data_type: "uint8".to_owned(), width: 1 },
        fill: vec![0],
        has_fill: true,
        chunks: ChunkLayout::Plain { chunk_shape: vec![chunk], codecs: r#"[{"name":"bytes"}]"#.to_owned() },
        keys: ChunkKeys::V2 { separator: Separator::Dot },
        part: None,
        edges: Vec::new(),
    }
}

/// From chunks of two to chunks of three, or as they are.
fn copy(url: &str, number: usize, is_encoded: bool) -> ArrayCopy {
    let place = |side: &str| format!("{url}/{side}/{number}");
    let (source, gaps) = (layout(&place("source"), 2), GapPolicy { strict: true, ..GapPolicy::default() });
    let target = layout(&place("target"), if is_encoded { 2 } else { 3 });
    let writers = BoxGrid::new(Region::whole(&[6]), vec![6]);
    let (listed, shard_parts, is_summed) = (None, None, false);
    if is_encoded {
        let by_store = false;
        ArrayCopy::Encoded(CopyEncoded { source, target, writers, gaps, by_store, listed, shard_parts, is_summed })
    } else {
        let order = vec![0];
        ArrayCopy::ReadToWrite(CopyReadToWrite { source, target, writers, order, gaps, listed, shard_parts, is_summed })
    }
}

/// Forty arrays, and the function that copies them.
async fn arrays(bench: &Bench, url: &str) -> CopySmallArrays {
    for number in 0..40_u8 {
        for chunk in 0..3_u8 {
            let body = vec![number * 6 + chunk * 2, number * 6 + chunk * 2 + 1];
            bench.put(&format!("{url}/source/{number}"), &chunk.to_string(), body).await;
        }
    }
    let small = |number: usize| SmallCopy { copy: copy(url, number, number.is_multiple_of(3)), memory: ByteCount(64) };
    CopySmallArrays { copies: (0..40).map(small).collect() }
}

#[tokio::test]
async fn all_of_them_are_copied_within_the_memory_of_each() {
    let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
    let function = arrays(&bench, &url).await;
    let cx = bench.context(40 * 64);
    copy_small_arrays(&cx, &function, TaskIndex(0)).await.expect("copied");
    for number in 0..40_u8 {
        let mut elements = Vec::new();
        for chunk in 0..if number % 3 == 0 { 3 } else { 2 } {
            let place = bench.open(&format!("{url}/target/{number}"));
            elements.extend(place.get(&chunk.to_string()).await.expect("get").expect("written"));
        }
        assert_eq!(elements, (number * 6..number * 6 + 6).collect::<Vec<u8>>(), "array {number}");
    }
    let counts = cx.tally().total();
    assert_eq!((counts.get_requests, counts.put_requests), (120, 14 * 3 + 26 * 2));
    assert!(cx.memory().peak_reserved() <= ByteCount(40 * 64), "{}", cx.memory().peak_reserved());
    assert_eq!(cx.memory().reserved(), 0, "every part is given back");
}

#[tokio::test]
async fn one_that_fails_fails_the_task_by_its_name() {
    let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
    let function = arrays(&bench, &url).await;
    bench.open(&format!("{url}/source/7")).delete("1", &rechunk_storage::Unguarded).await.expect("delete");
    let failure = copy_small_arrays(&bench.context(40 * 64), &function, TaskIndex(0)).await.expect_err("strict");
    assert!(failure.message.contains("source/7"), "{failure:?}");
}

#[tokio::test]
async fn more_than_the_task_has_is_not_taken() {
    let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
    let function = arrays(&bench, &url).await;
    let failure = copy_small_arrays(&bench.context(63), &function, TaskIndex(0)).await.expect_err("too little");
    assert_eq!(failure.class, FailureClass::Bug);
    let failure = copy_small_arrays(&bench.context(40 * 64), &function, TaskIndex(1)).await.expect_err("no such task");
    assert_eq!(failure.class, FailureClass::InvalidRequest);
}
