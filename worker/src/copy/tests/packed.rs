//! Packed exchanges whose objects are gone, damaged, or there more than once.

use rechunk_common::{
    FailureClass, TaskFailure,
    ids::{Epoch, LeaseId, TaskIndex},
    plan::{CopyExchangeToWrite, CopyReadToExchange, DeleteExchange, Exchange, ExchangeCodec, IndexExchange},
};
use rechunk_storage::{RequestKind, Unguarded};

use super::{
    case::{Case, Shape, of_variable},
    faults::{PLENTY, ZSTD, bench_with_source, case},
    oracle,
};
use crate::{
    copy::{exchange_to_write, index_exchange, read_to_exchange},
    removal::delete_exchange,
    workbench::Bench,
};

/// A case between its first stage and its last: two reading tasks, one writing task, one index.
struct Story {
    bench: Bench,
    case: Case,
    read: CopyReadToExchange,
    index: IndexExchange,
    write: CopyExchangeToWrite,
}

fn lease(counter: u64) -> LeaseId {
    LeaseId { epoch: Epoch(7), counter }
}

impl Story {
    /// Both exchange objects are written, under leases 1 and 2.
    async fn begun() -> Self {
        let mut case = case(ZSTD);
        case.shape = Shape::Exchange { readers: vec![2, 4], packed: Some(ExchangeCodec::Lz4) };
        Self::of(case).await
    }

    async fn of(case: Case) -> Self {
        let bench = bench_with_source(&case).await;
        let (read, write) = case.exchange();
        let index = IndexExchange { exchange: read.exchange.clone() };
        let story = Self { bench, case, read, index, write };
        story.read(0, 1).await;
        story.read(1, 2).await;
        story
    }

    async fn read(&self, task: u64, under: u64) {
        let cx = self.bench.context(PLENTY).with_lease(lease(under));
        read_to_exchange(&cx, &self.read, TaskIndex(task)).await.expect("written");
    }

    async fn index(&self) -> Result<(), TaskFailure> {
        index_exchange(&self.bench.context(PLENTY), &self.index, TaskIndex(0)).await
    }

    /// The last stage; the target is as the oracle has it.
    async fn write(&self) -> Result<u64, TaskFailure> {
        let cx = self.bench.context(PLENTY);
        exchange_to_write(&cx, &self.write, TaskIndex(0)).await?;
        oracle::check_target(&self.bench, &self.case, cx.tally().total()).await.expect("as the oracle has it");
        Ok(cx.tally().total().repeated_requests)
    }

    fn key(task: u64, under: u64) -> String {
        Exchange::packed_key(TaskIndex(task), lease(under))
    }

    /// Changes an object; `None` deletes it.
    async fn harm(&self, key: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let temp = self.bench.open(&self.read.exchange.url);
        let body = temp.get(key).await.expect("get").expect("there").to_vec();
        match change(body) {
            Some(body) => self.bench.put(&self.read.exchange.url, key, body).await,
            None => temp.delete(key, &Unguarded).await.expect("deleted"),
        }
    }
}

type Harm = fn(Vec<u8>) -> Option<Vec<u8>>;

/// Ways to lose an exchange object whose table is still needed.
fn harms() -> [(&'static str, Harm); 3] {
    let cut: Harm = |body| Some(body[..body.len() / 4].to_vec());
    let flip: Harm = |mut body| {
        // Everything: table and blocks.
        for byte in &mut body {
            *byte ^= 0x10;
        }
        Some(body)
    };
    // Of what is too short stores say this or that.
    [("not there", |_| None), ("", cut), ("checksum", flip)]
}

#[tokio::test]
async fn an_object_that_is_lost_before_the_index_is_asked_for_again_and_then_indexed() {
    for (reason, harm) in harms() {
        let story = Box::pin(Story::begun()).await;
        story.harm(&Story::key(1, 2), harm).await;
        let failure = story.index().await.expect_err("lost");
        assert_eq!(failure.class, FailureClass::InputLost { stages_back: 1, task: TaskIndex(1) }, "{failure}");
        assert!(failure.message.contains(reason), "{failure}");
        story.read(1, 9).await;
        story.index().await.expect("the other object is there");
        assert_eq!(story.write().await, Ok(0), "the index names the intact one");
    }
}

#[tokio::test]
async fn an_object_that_is_lost_after_the_index_is_found_under_the_lease_of_its_repair() {
    for (reason, harm) in harms() {
        let story = Box::pin(Story::begun()).await;
        story.index().await.expect("indexed");
        story.harm(&Story::key(1, 2), harm).await;
        let failure = story.write().await.expect_err("lost");
        assert_eq!(failure.class, FailureClass::InputLost { stages_back: 2, task: TaskIndex(1) }, "{failure}");
        assert!(failure.message.contains(reason) && failure.message.contains(&Story::key(1, 2)), "{failure}");
        story.read(1, 9).await;
        assert!(story.write().await.expect("read from the repaired object") > 0, "beside what was planned");
    }
}

#[tokio::test]
async fn a_block_whose_bytes_changed_is_noticed_and_names_its_object() {
    let story = Box::pin(Story::begun()).await;
    story.index().await.expect("indexed");
    story
        .harm(&Story::key(0, 1), |mut body| {
            *body.last_mut().expect("a block") ^= 1;
            Some(body)
        })
        .await;
    let failure = story.write().await.expect_err("corrupt");
    assert_eq!(failure.class, FailureClass::InputLost { stages_back: 2, task: TaskIndex(0) });
    assert!(failure.message.contains("checksum") && failure.message.contains(&Story::key(0, 1)), "{failure}");
}

#[tokio::test]
async fn blocks_of_text_are_found_under_the_lease_of_their_repair() {
    for codec in [ExchangeCodec::Lz4, ExchangeCodec::None] {
        for (reason, harm) in harms() {
            let shape = Shape::Exchange { readers: vec![2, 4], packed: Some(codec) };
            let story = Story::of(of_variable(Case { shape, ..case(ZSTD) })).await;
            story.index().await.expect("indexed");
            story.harm(&Story::key(1, 2), harm).await;
            let failure = story.write().await.expect_err("lost");
            assert_eq!(failure.class, FailureClass::InputLost { stages_back: 2, task: TaskIndex(1) }, "{failure}");
            assert!(failure.message.contains(reason) && failure.message.contains(&Story::key(1, 2)), "{failure}");
            story.read(1, 9).await;
            assert!(story.write().await.expect("read from the repaired object") > 0, "beside what was planned");
        }
    }
}

#[tokio::test]
async fn a_repair_that_is_lost_too_is_asked_for_again() {
    let story = Box::pin(Story::begun()).await;
    story.index().await.expect("indexed");
    story.harm(&Story::key(1, 2), |_| None).await;
    story.read(1, 9).await;
    story.harm(&Story::key(1, 9), |body| Some(body[..10].to_vec())).await;
    let failure = story.write().await.expect_err("both are lost");
    assert_eq!(failure.class, FailureClass::InputLost { stages_back: 2, task: TaskIndex(1) });
}

#[tokio::test]
async fn an_index_that_is_lost_is_written_again_by_the_task_before() {
    for (reason, harm) in harms() {
        let story = Box::pin(Story::begun()).await;
        story.index().await.expect("indexed");
        story.harm(&Exchange::index_key(TaskIndex(0)), harm).await;
        let failure = story.write().await.expect_err("lost");
        assert_eq!(failure.class, FailureClass::InputLost { stages_back: 1, task: TaskIndex(0) }, "{failure}");
        assert!(failure.message.contains(reason), "{failure}");
        story.index().await.expect("indexed again");
        assert_eq!(story.write().await, Ok(0));
    }
}

#[tokio::test]
async fn of_several_objects_of_a_task_the_oldest_counts_and_all_are_deleted() {
    let story = Box::pin(Story::begun()).await;
    story.read(0, 5).await;
    story.read(0, 3).await;
    story.index().await.expect("indexed");
    // Later objects may go; the index does not name them.
    story.harm(&Story::key(0, 5), |_| None).await;
    assert_eq!(story.write().await, Ok(0));
    let delete = DeleteExchange { exchange: story.read.exchange.clone(), objects_per_task: 100 };
    let cx = story.bench.context(PLENTY);
    story.bench.observer.clear();
    delete_exchange(&cx, &delete, TaskIndex(0)).await.expect("deleted");
    let counts = cx.tally().total();
    assert_eq!((counts.delete_requests, counts.repeated_requests), (3, 1), "two objects, an index; and a spare one");
    assert_eq!((counts.metadata_requests, story.bench.observer.count(RequestKind::List)), (1, 1));
    assert!(story.bench.open(&story.read.exchange.url).is_empty().await.expect("a listing"));
}

#[tokio::test]
async fn each_deleting_task_has_its_objects_and_its_part_of_the_index() {
    let mut case = case(ZSTD);
    case.shape = Shape::Exchange { readers: vec![1, 1], packed: Some(ExchangeCodec::Zstd) };
    case.writers = vec![1, 1];
    let (read, _) = case.exchange();
    let bench = Bench::new(crate::compute::ComputePool::inline());
    let (readers, indexers) = (read.exchange.readers.len(), read.exchange.packing().expect("packed").indexers.len());
    assert_eq!((readers, indexers), (16, 2));
    for task in 0..readers {
        bench.put(&read.exchange.url, &Exchange::packed_key(TaskIndex(task), lease(task)), "x").await;
    }
    for task in 0..indexers {
        bench.put(&read.exchange.url, &Exchange::index_key(TaskIndex(task)), "x").await;
    }
    let delete = DeleteExchange { exchange: read.exchange.clone(), objects_per_task: 5 };
    let mut deleted = Vec::new();
    for task in 0..4 {
        let cx = bench.context(PLENTY);
        delete_exchange(&cx, &delete, TaskIndex(task)).await.expect("deleted");
        deleted.push(cx.tally().total().delete_requests);
    }
    assert_eq!(deleted, [6, 6, 5, 1]);
    assert!(bench.open(&read.exchange.url).is_empty().await.expect("a listing"));
}
