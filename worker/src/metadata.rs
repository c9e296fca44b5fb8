//! Metadata documents: checking that the source's are as they were, and writing the target's.

use rechunk_common::{
    FailureClass, TaskFailure,
    ids::TaskIndex,
    plan::{CheckSource, Document, PinnedDocument, PublishMetadata},
};
use rechunk_storage::{Access, StoreUrl};
use rechunk_zarr::{NamedDocument, reconsolidate};

use crate::{
    context::TaskContext,
    failure::{invalid, of_storage},
};

#[cfg(test)]
mod tests;

/// The documents of a group that consolidated metadata may depend on, in both formats.
const GROUP_DOCUMENTS: [&str; 4] = ["zarr.json", ".zgroup", ".zattrs", ".zmetadata"];

/// The last segments of keys of Zarr metadata.
const METADATA_NAMES: [&str; 5] = ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"];

/// Whether an object with this key is a metadata document.
pub(crate) fn is_metadata(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| METADATA_NAMES.contains(&name))
}

/// Compares every pinned document with what is there now.
pub async fn check_source(cx: &TaskContext, function: &CheckSource) -> Result<(), TaskFailure> {
    for document in &function.documents {
        let (parent, name) = object_at(&document.url)?;
        let prefix = cx.open(&parent, Access::Read)?;
        cx.tally().add(|counts| counts.metadata_requests += 1);
        let now = prefix.head(&name).await.map_err(|error| of_storage(&error))?;
        let changed = match now {
            None => Some("it is gone".to_owned()),
            Some(now) => change(document, now.size, now.etag.as_deref()),
        };
        if let Some(changed) = changed {
            let message = format!("metadata changed while the job ran: {}: {changed}", document.url);
            return Err(TaskFailure::new(FailureClass::GiveUpTask, message));
        }
    }
    Ok(())
}

/// How a document differs from its state at planning, if it does.
fn change(document: &PinnedDocument, size: u64, etag: Option<&str>) -> Option<String> {
    if size != document.size {
        return Some(format!("it has {size} bytes instead of {}", document.size));
    }
    match (&document.etag, etag) {
        (Some(then), Some(now)) if then != now => Some("its entity tag is another one".to_owned()),
        (Some(_) | None, Some(_) | None) => None,
    }
}

/// Writes `documents[task]`.
pub async fn publish(cx: &TaskContext, function: &PublishMetadata, task: TaskIndex) -> Result<(), TaskFailure> {
    let document = usize::try_from(task.0).ok().and_then(|index| function.documents.get(index));
    let document =
        document.ok_or_else(|| invalid(format!("there is no task {task}: {} documents", function.documents.len())))?;
    match document {
        Document::Write { url, body } => {
            let (parent, name) = object_at(url)?;
            // Every lease that could write chunks there is over, and so is every earlier one of this document's. Other
            // documents, also those of nodes below, are being written beside it.
            let prefix = cx.open(&parent, Access::ReadWrite)?;
            let own = name.clone();
            let is_over = move |key: &str| key == own || !is_metadata(key);
            prefix.remove_unfinished_writes(cx.guard(), is_over).await.map_err(|error| of_storage(&error))?;
            write(cx, &parent, vec![(name, body.clone())]).await
        }
        Document::Reconsolidate { group_url, node_path, documents } => {
            let group = read_group(cx, group_url).await?;
            let updated = reconsolidate(&group, node_path, documents).map_err(|error| {
                let message = format!("cannot bring the consolidated metadata of {group_url} up to date: {error}");
                TaskFailure::new(FailureClass::GiveUpTask, message)
            })?;
            write(cx, group_url, updated).await
        }
    }
}

async fn read_group(cx: &TaskContext, url: &str) -> Result<Vec<NamedDocument>, TaskFailure> {
    let prefix = cx.open(url, Access::Read)?;
    let mut documents = Vec::new();
    for name in GROUP_DOCUMENTS {
        cx.tally().add(|counts| counts.metadata_requests += 1);
        let Some(body) = prefix.get(name).await.map_err(|error| of_storage(&error))? else { continue };
        let body = String::from_utf8(body.into()).map_err(|_| {
            TaskFailure::new(FailureClass::GiveUpTask, format!("cannot read {url}/{name}: it is not UTF-8"))
        })?;
        documents.push((name.to_owned(), body));
    }
    Ok(documents)
}

async fn write(cx: &TaskContext, url: &str, documents: Vec<NamedDocument>) -> Result<(), TaskFailure> {
    let prefix = cx.open(url, Access::ReadWrite)?;
    for (name, body) in documents {
        cx.tally().add(|counts| counts.metadata_requests += 1);
        prefix.put(&name, body, cx.guard()).await.map_err(|error| of_storage(&error))?;
    }
    Ok(())
}

/// The place that holds the object at `url`, and the object's name.
pub(crate) fn object_at(url: &str) -> Result<(String, String), TaskFailure> {
    let parsed = StoreUrl::parse(url).map_err(|error| invalid(error.to_string()))?;
    match (parsed.parent(), parsed.file_name()) {
        (Some(parent), Some(name)) => Ok((parent.to_string(), name.to_owned())),
        (Some(_), None) | (None, _) => Err(invalid(format!("{url} names no object"))),
    }
}
