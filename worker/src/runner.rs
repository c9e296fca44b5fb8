//! Tasks without a coordinator, for an engine that has a scheduler of its own: it says which task of which stage comes
//! next, and keeps order and barriers.
//!
//! No lease stands behind such a task: nothing but the engine keeps two attempts apart, and both may write, the same.

use std::{sync::Arc, time::Duration};

use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::{Epoch, LeaseId, StageAddress, TaskIndex},
    plan::Stage,
};
use tokio_util::sync::CancellationToken;

use crate::{
    progress::Progress,
    session::{Attempts, BootClock, LeaseTerm, Machine, NextTask, Outcome, Surroundings as _},
};

/// Runs tasks one by one or side by side, within one budget of memory. Clones share everything.
#[derive(Clone)]
pub struct TaskRunner {
    attempts: Attempts,
}

impl TaskRunner {
    pub(crate) fn new(attempts: Attempts) -> Self {
        Self { attempts }
    }

    /// Runs a task of the stage at `address` to its end, or until it is cancelled; waits for its memory first. When it
    /// returns, none of its writes is under way.
    pub async fn run(
        &self,
        address: &StageAddress,
        stage: &Stage,
        task: TaskIndex,
        cancelled: CancellationToken,
    ) -> Result<Counts, TaskFailure> {
        let next = NextTask {
            // No two attempts share it: compressed exchange objects are told apart by it. Processes that were forked
            // draw the same numbers.
            lease: LeaseId { epoch: Epoch(u64::from(std::process::id())), counter: Machine.draw() },
            stage: address.clone(),
            stage_name: stage.name.clone(),
            task,
            function: Arc::new(stage.function.clone()),
            memory: stage.task_memory,
            scratch: stage.task_scratch,
            term: LeaseTerm::new(Arc::new(BootClock), Duration::MAX),
            ended: cancelled,
            progress: Progress::default(),
        };
        // A future of a whole task is large.
        match Box::pin(self.attempts.clone().run(next)).await.outcome {
            Outcome::Done(counts) => Ok(counts),
            Outcome::Failed(failure, _) => Err(failure),
            Outcome::Stopped => {
                let message = format!("task {task} of {} was cancelled", stage.name);
                Err(TaskFailure::new(FailureClass::TryAgain, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rechunk_common::{
        ByteCount,
        ids::{JobId, PhaseIndex, PipelineIndex, RunNumber, StageIndex},
        plan::{Document, PublishMetadata, RetryPolicy, StageEffect, StageFunction},
    };

    use super::*;
    use crate::{
        WorkerBuilder,
        compute::ComputePool,
        workbench::{Bench, fresh_url},
    };

    fn publishing(url: &str, task_memory: ByteCount) -> Stage {
        let document = Document::Write { url: format!("{url}/a/zarr.json"), body: "{}".to_owned() };
        Stage {
            name: "publish_arrays".to_owned(),
            array: None,
            function: StageFunction::PublishMetadata(PublishMetadata { documents: vec![document] }),
            task_count: 1,
            task_memory,
            task_scratch: ByteCount(0),
            retry: RetryPolicy::default(),
            effect: StageEffect::Publishes,
            predicted: Counts::default(),
        }
    }

    fn address() -> StageAddress {
        let (phase, pipeline, stage) = (PhaseIndex(0), PipelineIndex(0), StageIndex(0));
        StageAddress { job: JobId::from("job"), run: RunNumber(1), phase, pipeline, stage }
    }

    fn runner(bench: &Bench) -> TaskRunner {
        let builder = WorkerBuilder::new().stores(bench.stores.clone()).memory(ByteCount(1 << 20));
        builder.compute(ComputePool::inline()).runner().expect("a runner")
    }

    #[tokio::test]
    async fn a_task_runs_without_a_coordinator_and_again() {
        let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
        let (runner, stage) = (runner(&bench), publishing(&url, ByteCount(1 << 20)));
        for _ in 0..2 {
            let counts = runner.run(&address(), &stage, TaskIndex(0), CancellationToken::new()).await.expect("done");
            assert!(counts.metadata_requests > 0);
        }
        assert_eq!(bench.open(&url).get("a/zarr.json").await.expect("get").as_deref(), Some(&b"{}"[..]));
    }

    #[tokio::test]
    async fn a_task_that_was_cancelled_writes_nothing() {
        let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
        let (runner, stage) = (runner(&bench), publishing(&url, ByteCount(1 << 20)));
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let failure = runner.run(&address(), &stage, TaskIndex(0), cancelled).await.expect_err("cancelled");
        assert_eq!(failure.class, FailureClass::TryAgain);
        assert_eq!(bench.open(&url).get("a/zarr.json").await.expect("get"), None);
    }

    #[tokio::test]
    async fn a_task_that_needs_more_than_the_budget_is_refused_before_it_reads() {
        let (bench, url) = (Bench::new(ComputePool::inline()), fresh_url());
        let (runner, stage) = (runner(&bench), publishing(&url, ByteCount(2 << 20)));
        let failure = runner.run(&address(), &stage, TaskIndex(0), CancellationToken::new()).await;
        assert_eq!(failure.expect_err("too large").class, FailureClass::TryElsewhere);
        assert!(bench.observer.requests().is_empty());
    }
}
