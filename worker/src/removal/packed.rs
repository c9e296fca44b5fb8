//! The objects of a packed exchange: their keys name leases, so that a listing has to tell them.

use std::{collections::BTreeSet, ops::Range};

use futures::TryStreamExt;
use rechunk_common::{
    TaskFailure,
    geometry::div_ceil,
    ids::TaskIndex,
    plan::{DeleteExchange, Exchange, Packing, TASKS_PER_DIRECTORY},
};
use rechunk_storage::Prefix;

use crate::{context::TaskContext, failure::of_storage};

/// The keys of one object of each reading task of `tasks`. What else there is of them, because a task was run more than
/// once, is deleted here and counted as repeated.
pub(super) async fn objects(cx: &TaskContext, prefix: &Prefix, tasks: Range<u64>) -> Result<Vec<String>, TaskFailure> {
    let mut keys = Vec::new();
    let mut others = Vec::new();
    let mut directory = tasks.start;
    while directory < tasks.end {
        let mut seen = BTreeSet::new();
        cx.tally().add(|counts| counts.metadata_requests += 1);
        let mut found = prefix.list(&Exchange::packed_directory(TaskIndex(directory)));
        while let Some(object) = found.try_next().await.map_err(|error| of_storage(&error))? {
            match Exchange::parse_packed_key(&object.key) {
                Some((task, _)) if !tasks.contains(&task.0) => {}
                Some((task, _)) if seen.insert(task) => keys.push(object.key),
                Some(_) => others.push(object.key),
                None => {}
            }
        }
        let number = directory.checked_div(TASKS_PER_DIRECTORY).unwrap_or(0);
        directory = number.saturating_add(1).saturating_mul(TASKS_PER_DIRECTORY);
    }
    let deleted = prefix.delete_many(others, cx.guard()).await.map_err(|error| of_storage(&error))?;
    cx.tally().add(|counts| counts.repeated_requests = counts.repeated_requests.saturating_add(deleted));
    Ok(keys)
}

/// The keys of the index objects that fall to task `task`: about as many to each.
pub(super) fn indexes(function: &DeleteExchange, packing: &Packing, task: TaskIndex) -> Vec<String> {
    let count = packing.indexers.len();
    let tasks = div_ceil(function.exchange.readers.len(), function.objects_per_task);
    let share = div_ceil(count, tasks);
    let first = task.0.saturating_mul(share);
    (first..first.saturating_add(share).min(count)).map(|index| Exchange::index_key(TaskIndex(index))).collect()
}
