//! A group by way of local disk: both halves of an exchange in one task, the objects of it in the attempt's scratch
//! directory. Source and target are counted as they always are; what happens on the disk is counted nowhere. Knows
//! nothing of whose directory that is, or who removes it.

use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::TaskIndex,
    plan::{CopyExchangeToWrite, CopyReadToExchange, CopyThroughScratch},
};

use super::{empty_exchange, fill_exchange, same_width};
use crate::{context::TaskContext, failure::invalid};

/// Copies group `task`.
pub async fn through_scratch(
    cx: &TaskContext,
    function: &CopyThroughScratch,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    same_width(function.source.element.width, function.target.element.width)?;
    let Some(scratch) = cx.scratch() else {
        return Err(TaskFailure::new(FailureClass::TryElsewhere, "this worker has no local disk for a group"));
    };
    let halves = function.halves(task, scratch.url.clone());
    let groups = function.groups.len();
    let (read, write) = halves.ok_or_else(|| invalid(format!("there is no task {task}: the stage has {groups}")))?;
    let disk = cx.on(&scratch.stores);

    let half = cx.counted_apart();
    let filled = fill(&half, &disk, &read).await;
    // What was written lies on the disk.
    let asked = Counts { put_requests: 0, bytes_encoded: 0, ..half.tally().total() };
    cx.tally().add(|counts| *counts += asked);
    filled?;

    let half = cx.counted_apart();
    let emptied = empty(&half, &disk, &write).await;
    // What was read lay there.
    let asked = Counts { get_requests: 0, bytes_decoded: 0, ..half.tally().total() };
    cx.tally().add(|counts| *counts += asked);
    emptied.map_err(of_this_worker)
}

/// Every source chunk of the group, into the exchange.
pub(super) async fn fill(cx: &TaskContext, disk: &TaskContext, read: &CopyReadToExchange) -> Result<(), TaskFailure> {
    for object in 0..read.exchange.readers.len() {
        fill_exchange(cx, disk, read, TaskIndex(object)).await?;
    }
    Ok(())
}

/// Every target chunk of the group, out of the exchange.
pub(super) async fn empty(
    cx: &TaskContext,
    disk: &TaskContext,
    write: &CopyExchangeToWrite,
) -> Result<(), TaskFailure> {
    for object in 0..write.writers.len() {
        empty_exchange(cx, disk, write, TaskIndex(object)).await?;
    }
    Ok(())
}

/// What this task wrote itself is no other task's to write again: a disk that loses or changes it is this worker's.
pub(super) fn of_this_worker(failure: TaskFailure) -> TaskFailure {
    match failure.class {
        FailureClass::InputLost { .. } => TaskFailure { class: FailureClass::TryElsewhere, ..failure },
        FailureClass::TryAgain
        | FailureClass::TryElsewhere
        | FailureClass::GiveUpTask
        | FailureClass::InvalidRequest
        | FailureClass::Bug => failure,
    }
}
