//! Deleting: old metadata, old chunks, exchange objects.

use futures::TryStreamExt;
use rechunk_common::{
    TaskFailure,
    ids::TaskIndex,
    plan::{ClearPrefix, DeleteExchange, Exchange, PrefixPart},
};
use rechunk_storage::Access;

use crate::{
    context::TaskContext,
    failure::{invalid, of_storage},
    metadata::is_metadata,
};

mod packed;
#[cfg(test)]
mod tests;

/// Clears `prefixes[task]`.
pub async fn clear_prefix(cx: &TaskContext, function: &ClearPrefix, task: TaskIndex) -> Result<(), TaskFailure> {
    let url = usize::try_from(task.0).ok().and_then(|index| function.prefixes.get(index));
    let url = url.ok_or_else(|| invalid(format!("there is no task {task}: {} prefixes", function.prefixes.len())))?;
    let prefix = cx.open(url, Access::ReadWrite)?;
    cx.tally().add(|counts| counts.metadata_requests += 1);
    let deleted = match function.part {
        PrefixPart::Everything => prefix.delete_all("", cx.guard()).await,
        PrefixPart::Metadata => {
            let keys = prefix
                .list("")
                .try_filter_map(|object| std::future::ready(Ok(is_metadata(&object.key).then_some(object.key))));
            let keys: Vec<String> = keys.try_collect().await.map_err(|error| of_storage(&error))?;
            prefix.delete_many(keys, cx.guard()).await
        }
    };
    let deleted = deleted.map_err(|error| of_storage(&error))?;
    cx.tally().add(|counts| counts.delete_requests = counts.delete_requests.saturating_add(deleted));
    match function.part {
        PrefixPart::Everything => {
            prefix.remove_unfinished_writes(cx.guard(), |_| true).await.map_err(|error| of_storage(&error))?;
            prefix.remove_empty_directories().await.map_err(|error| of_storage(&error))
        }
        PrefixPart::Metadata => Ok(()),
    }
}

/// Deletes the exchange objects of `objects_per_task` consecutive reading tasks.
pub async fn delete_exchange(cx: &TaskContext, function: &DeleteExchange, task: TaskIndex) -> Result<(), TaskFailure> {
    let exchange = &function.exchange;
    let first = task.0.saturating_mul(function.objects_per_task);
    let end = first.saturating_add(function.objects_per_task).min(exchange.readers.len());
    let prefix = cx.open(&exchange.url, Access::ReadWrite)?;
    let keys: Vec<String> = match exchange.packing() {
        None => (first..end).map(|reader| Exchange::key(TaskIndex(reader))).collect(),
        Some(packing) => {
            let mut keys = packed::objects(cx, &prefix, first..end).await?;
            keys.extend(packed::indexes(function, packing, task));
            keys
        }
    };
    let deleted = prefix.delete_many(keys, cx.guard()).await.map_err(|error| of_storage(&error))?;
    cx.tally().add(|counts| counts.delete_requests = counts.delete_requests.saturating_add(deleted));
    prefix.remove_empty_directories().await.map_err(|error| of_storage(&error))
}
