use rechunk_common::geometry::{BoxGrid, Region};
use rechunk_storage::RequestKind;

use super::*;
use crate::{
    compute::ComputePool,
    workbench::{Bench, fresh_url},
};

async fn keys(bench: &Bench, url: &str) -> Vec<String> {
    let mut keys: Vec<String> =
        bench.open(url).list("").map_ok(|object| object.key).try_collect().await.expect("a listing");
    keys.sort();
    keys
}

#[tokio::test]
async fn metadata_goes_first_at_any_depth_and_chunks_after_it() {
    let bench = Bench::new(ComputePool::inline());
    let url = fresh_url();
    for key in ["g/zarr.json", "g/a/zarr.json", "g/a/c/0", "g/b/.zarray", "g/b/0.0", "other"] {
        bench.put(&url, key, "x").await;
    }
    let mut clear = ClearPrefix { prefixes: vec![format!("{url}/h"), format!("{url}/g")], part: PrefixPart::Metadata };
    let cx = bench.context(0);
    clear_prefix(&cx, &clear, TaskIndex(1)).await.expect("cleared");
    assert_eq!(keys(&bench, &url).await, ["g/a/c/0", "g/b/0.0", "other"]);
    assert_eq!(cx.tally().total().delete_requests, 3);
    clear.part = PrefixPart::Everything;
    clear_prefix(&bench.context(0), &clear, TaskIndex(1)).await.expect("cleared");
    clear_prefix(&bench.context(0), &clear, TaskIndex(0)).await.expect("nothing there is no error");
    assert_eq!(keys(&bench, &url).await, ["other"]);
    assert!(clear_prefix(&bench.context(0), &clear, TaskIndex(2)).await.is_err());
}

#[tokio::test]
async fn each_task_deletes_its_exchange_objects_and_no_others() {
    let bench = Bench::new(ComputePool::inline());
    let grid = || BoxGrid::new(Region::whole(&[5]), vec![1]);
    let encoding = rechunk_common::plan::ExchangeEncoding::Raw;
    let exchange = Exchange { url: fresh_url(), width: 1, readers: grid(), writers: grid(), encoding };
    for task in 0..5 {
        bench.put(&exchange.url, &Exchange::key(TaskIndex(task)), "x").await;
    }
    let delete = DeleteExchange { exchange: exchange.clone(), objects_per_task: 3 };
    let cx = bench.context(0);
    delete_exchange(&cx, &delete, TaskIndex(1)).await.expect("deleted");
    assert_eq!(cx.tally().total().delete_requests, 2);
    assert_eq!(bench.observer.count(RequestKind::Delete), 2);
    let mut left: Vec<String> = (0..3).map(|task| Exchange::key(TaskIndex(task))).collect();
    left.sort();
    assert_eq!(keys(&bench, &exchange.url).await, left);
}

#[tokio::test]
async fn clearing_local_files_takes_what_crashes_left_of_writes_and_every_directory() {
    let bench = Bench::new(ComputePool::inline());
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("target");
    let url = target.to_str().expect("UTF-8").to_owned();
    bench.put(&url, "c/0/0", "x").await;
    std::fs::write(target.join("c/0/1#1"), "half").expect("written");
    let clear = ClearPrefix { prefixes: vec![url], part: PrefixPart::Everything };
    clear_prefix(&bench.context(0), &clear, TaskIndex(0)).await.expect("cleared");
    assert!(!target.exists());
}
