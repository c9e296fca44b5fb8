//! Copies of many small arrays by one task, side by side, each within its own part of the task's memory: what one of them
//! waits for, the others use.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{
    TaskFailure,
    ids::TaskIndex,
    plan::{ArrayCopy, CopySmallArrays, SmallCopy},
};

use crate::{
    context::TaskContext,
    copy, copy_encoded,
    failure::{bug, invalid},
};

#[cfg(test)]
mod tests;

/// Copies under way at a time: enough to hide the latency of an object store.
const MOST_SIDE_BY_SIDE: usize = 16;

/// Makes all of the copies.
pub(crate) async fn copy_small_arrays(
    cx: &TaskContext,
    function: &CopySmallArrays,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    if task.0 != 0 {
        return Err(invalid(format!("there is no task {task}: the stage has 1")));
    }
    let copies: Vec<_> = function.copies.iter().map(|small| Box::pin(copy_array(cx, small))).collect();
    stream::iter(copies).buffer_unordered(MOST_SIDE_BY_SIDE).try_collect().await
}

async fn copy_array(cx: &TaskContext, small: &SmallCopy) -> Result<(), TaskFailure> {
    let cx = cx.within(small.memory).ok_or_else(|| bug("copies of small arrays need more than their task's memory"))?;
    match &small.copy {
        ArrayCopy::Encoded(copy) => copy_encoded::copy_encoded(&cx, copy, TaskIndex(0)).await,
        ArrayCopy::ReadToWrite(copy) => copy::read_to_write(&cx, copy, TaskIndex(0)).await,
    }
}
