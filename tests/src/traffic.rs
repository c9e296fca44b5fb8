//! What observed requests were for, told by their URLs: chunk and shard objects, exchange objects, metadata.

use std::collections::BTreeSet;

use rechunk_common::plan::PresenceBitmap;
use rechunk_storage::{CountingObserver, ObservedRequest, RequestKind};

/// The last segments of the keys of Zarr metadata.
const METADATA_NAMES: [&str; 5] = ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"];

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A Zarr metadata document.
    Metadata,
    /// Which chunks a source has, in a temporary space.
    Presence,
    /// Another object of a temporary space.
    Exchange,
    /// A chunk or a shard: everything else.
    Chunk,
}

/// What the object at `url` is. Temporary spaces lie in a directory `.rechunk-<job>`.
pub fn kind_of(url: &str) -> ObjectKind {
    let is_temporary = || url.split('/').any(|segment| segment.starts_with(".rechunk-"));
    let is_metadata = url.rsplit('/').next().is_some_and(|name| METADATA_NAMES.contains(&name));
    if is_metadata {
        ObjectKind::Metadata
    } else if is_temporary() && url.split('/').rev().nth(1) == Some(PresenceBitmap::DIRECTORY) {
        ObjectKind::Presence
    } else if is_temporary() {
        ObjectKind::Exchange
    } else {
        ObjectKind::Chunk
    }
}

/// Requests for chunk, shard and exchange objects, as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// GETs, ranged ones too.
    pub gets: u64,
    /// PUTs.
    pub puts: u64,
    /// Keys deleted.
    pub deletes: u64,
    /// HEADs.
    pub heads: u64,
}

impl Traffic {
    /// Counts what `observer` saw.
    pub fn of(observer: &CountingObserver) -> Self {
        Self::of_kinds(observer, &[ObjectKind::Chunk, ObjectKind::Exchange, ObjectKind::Presence])
    }

    /// Counts what `observer` saw of objects of these kinds.
    pub fn of_kinds(observer: &CountingObserver, kinds: &[ObjectKind]) -> Self {
        let mut traffic = Self::default();
        for request in observer.requests() {
            let kind = kind_of(&request.url);
            if !kinds.contains(&kind) {
                continue;
            }
            match request.kind {
                // Read as metadata is, and deleted as an object.
                RequestKind::Get if kind == ObjectKind::Presence => {}
                RequestKind::Get => traffic.gets += 1,
                RequestKind::Put => traffic.puts += 1,
                RequestKind::Delete => traffic.deletes += 1,
                RequestKind::Head => traffic.heads += 1,
                RequestKind::List | RequestKind::Part | RequestKind::Upload => {}
            }
        }
        traffic
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The keys of chunk, shard and exchange objects that were asked for, in any way but by listing.
pub fn chunk_urls(observer: &CountingObserver) -> BTreeSet<String> {
    let is_of_chunk = |request: &ObservedRequest| {
        let kind = kind_of(&request.url);
        request.kind != RequestKind::List && kind != ObjectKind::Metadata && kind != ObjectKind::Presence
    };
    observer.requests().into_iter().filter(is_of_chunk).map(|request| request.url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_by_their_urls() {
        for (url, kind) in [
            ("s3://b/a.zarr/zarr.json", ObjectKind::Metadata),
            ("s3://b/g/a/.zarray", ObjectKind::Metadata),
            ("s3://b/a.zarr/c/0/1", ObjectKind::Chunk),
            ("s3://b/a.zarr/0.1", ObjectKind::Chunk),
            ("s3://b/.rechunk-job-0123/job-0123/0/0/0/a0/17", ObjectKind::Exchange),
            ("s3://b/.rechunk-job-0123/job-0123/0/presence/0", ObjectKind::Presence),
        ] {
            assert_eq!(kind_of(url), kind, "{url}");
        }
    }
}
