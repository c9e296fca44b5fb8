//! All packed objects of one reading task, as a listing shows them: more than one where it was run more than once.

use futures::TryStreamExt;
use rechunk_common::{
    TaskFailure,
    ids::{LeaseId, TaskIndex},
    plan::Exchange,
};
use rechunk_storage::Prefix;

use crate::failure::of_storage;

/// The leases whose objects of `task` are there, the newest first: after a repair that is the one to read.
pub(crate) async fn copies_of(prefix: &Prefix, task: TaskIndex) -> Result<Vec<LeaseId>, TaskFailure> {
    let directory = Exchange::packed_directory(task);
    let mut copies: Vec<LeaseId> = prefix
        .list(&directory)
        .try_filter_map(|object| {
            let found = Exchange::parse_packed_key(&object.key).filter(|(owner, _)| *owner == task);
            std::future::ready(Ok(found.map(|(_, lease)| lease)))
        })
        .try_collect()
        .await
        .map_err(|error| of_storage(&error))?;
    copies.sort_unstable_by(|a, b| b.cmp(a));
    Ok(copies)
}
