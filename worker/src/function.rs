//! The functions that a worker can run: ours, and those that others register.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use rechunk_common::{
    Counts, TaskFailure,
    ids::TaskIndex,
    plan::{FunctionId, StageFunction},
};

use crate::{
    context::TaskContext, copy, copy_encoded, failure::invalid, metadata, removal, small_copies, verification,
};

/// A function that turns a task index into work. Another project registers its own with
/// `WorkerBuilder::register` and submits pipelines of it to an unmodified coordinator.
#[async_trait]
pub trait TaskFunction: Send + Sync + 'static {
    /// The name and version under which it is offered. Any change of what a task index means bumps the version.
    fn id(&self) -> FunctionId;

    /// Does task `task`. It may be run more than once, also at the same time on several workers, and must write the
    /// same each time; every write asks `cx.guard()`. What is sent through `cx.open()` is counted in `cx.tally()`;
    /// the answer is what the report says of a task that is done.
    async fn run(&self, cx: &TaskContext, parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure>;
}

/// Functions by id.
#[derive(Clone, Default)]
pub(crate) struct Functions {
    registered: BTreeMap<FunctionId, Arc<dyn TaskFunction>>,
}

impl Functions {
    pub(crate) fn register(&mut self, function: Arc<dyn TaskFunction>) {
        self.registered.insert(function.id(), function);
    }

    /// The ids of all functions, ours first.
    pub(crate) fn ids(&self) -> Vec<FunctionId> {
        StageFunction::built_in().into_iter().chain(self.registered()).collect()
    }

    /// The ids of those that others registered.
    pub(crate) fn registered(&self) -> Vec<FunctionId> {
        self.registered.keys().cloned().collect()
    }

    /// Runs task `task` of `function`.
    pub(crate) async fn run(
        &self,
        cx: &TaskContext,
        function: &StageFunction,
        task: TaskIndex,
    ) -> Result<Counts, TaskFailure> {
        match function {
            StageFunction::CopyEncoded(copy) => copy_encoded::copy_encoded(cx, copy, task).await?,
            StageFunction::CopyReadToWrite(copy) => copy::read_to_write(cx, copy, task).await?,
            StageFunction::CopyReadToExchange(copy) => copy::read_to_exchange(cx, copy, task).await?,
            StageFunction::IndexExchange(index) => copy::index_exchange(cx, index, task).await?,
            StageFunction::CopyExchangeToWrite(copy) => copy::exchange_to_write(cx, copy, task).await?,
            StageFunction::CopyThroughScratch(copy) => copy::through_scratch(cx, copy, task).await?,
            StageFunction::CopySmallArrays(small) => small_copies::copy_small_arrays(cx, small, task).await?,
            StageFunction::Verify(verify) => verification::verify(cx, verify, task).await?,
            StageFunction::ClearPrefix(clear) => removal::clear_prefix(cx, clear, task).await?,
            StageFunction::DeleteExchange(delete) => removal::delete_exchange(cx, delete, task).await?,
            StageFunction::CheckSource(check) => metadata::check_source(cx, check).await?,
            StageFunction::PublishMetadata(publish) => metadata::publish(cx, publish, task).await?,
            StageFunction::Custom(custom) => {
                let function = self.registered.get(&custom.id);
                let function = function.ok_or_else(|| invalid(format!("this worker has no function {}", custom.id)))?;
                return function.run(cx, &custom.parameters, task).await;
            }
        }
        Ok(cx.tally().total())
    }
}
