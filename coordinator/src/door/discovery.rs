//! What the source is: one array, or a group with all arrays and groups in it.
//!
//! Where a group has consolidated metadata, that says which nodes there are, as it does for zarr-python and xarray;
//! else directories are listed, level by level. What a node *is* its own documents say in both cases: they are pinned,
//! and consolidated metadata may be older. All nodes of a group have the format of its root.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{
    Refusal, RefusalCode,
    limits::{MAX_ARRAYS, MAX_RANK},
    plan::PinnedDocument,
    request::ZarrFormat,
};
use rechunk_storage::{Access, Prefix, StoreUrl, Stores};
use rechunk_zarr::{ArrayDocument, Consolidated, GroupDocument, NodeDocument};

use super::{
    node::{self, Node},
    refusals,
};

/// Requests under way at a time, for the nodes of one group.
const CONCURRENT_REQUESTS: usize = 32;

/// Nodes that are asked for in one go; a pause comes only after so many.
const READ_AT_ONCE: usize = 1024;

/// The source of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Where it is.
    pub(super) url: StoreUrl,
    /// The format of all of it.
    pub(super) format: ZarrFormat,
    /// Whether it is a group.
    pub(super) is_group: bool,
    /// By path from the root; the one array of an array job has the empty path.
    pub(super) arrays: BTreeMap<String, ArrayDocument>,
    /// By path from the root, which has the empty path; none for an array job.
    pub(super) groups: BTreeMap<String, SourceGroup>,
    /// The documents that were read.
    pub(super) pins: Vec<PinnedDocument>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// A group of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceGroup {
    /// Its own documents.
    pub(super) document: GroupDocument,
    /// Whether it has consolidated metadata.
    pub(super) is_consolidated: bool,
}

/// Reads the source at `url`.
pub(super) async fn discover(stores: &Stores, url: &StoreUrl) -> Result<Source, Refusal> {
    let prefix = stores.open(url, Access::Read).map_err(|error| refusals::of_storage(&error, "source"))?;
    let Some(root) = node::read(&prefix, "", None, "source").await? else {
        return Err(nothing_there(&prefix).await?);
    };
    let mut source = Source {
        url: url.clone(),
        format: root.format,
        is_group: matches!(root.document, NodeDocument::Group(_)),
        arrays: BTreeMap::new(),
        groups: BTreeMap::new(),
        pins: Vec::new(),
        warnings: Vec::new(),
    };
    if root.has_both_formats {
        source.warnings.push(format!("{url} has metadata of Zarr v3 and v2; v3 was read"));
    }
    let consolidated = root.consolidated.clone();
    source.add(String::new(), root)?;
    match consolidated {
        Some(consolidated) => read_listed_nodes(&prefix, &consolidated, &mut source).await?,
        None if source.is_group => walk(&prefix, &mut source).await?,
        None => {}
    }
    refuse_nodes_in_arrays(&source)?;
    Ok(source)
}

impl Source {
    fn add(&mut self, path: String, node: Node) -> Result<(), Refusal> {
        self.pins.extend(node.pins);
        match node.document {
            NodeDocument::Array(array) => {
                let rank = array.shape().len();
                if rank > MAX_RANK {
                    let message = format!("{} has {rank} axes; arrays may have {MAX_RANK}", self.url.join(&path));
                    return Err(refusals::over_limit("source", "MAX_RANK", message));
                }
                self.arrays.insert(path, array);
            }
            NodeDocument::Group(document) => {
                let is_consolidated = node.consolidated.is_some();
                self.groups.insert(path, SourceGroup { document, is_consolidated });
            }
        }
        refuse_too_many(&self.url, self.arrays.len().max(self.groups.len()))
    }
}

/// The nodes that consolidated metadata names. One whose own documents are gone is as the consolidated ones say.
async fn read_listed_nodes(prefix: &Prefix, listed: &Consolidated, source: &mut Source) -> Result<(), Refusal> {
    refuse_too_many(&source.url, listed.nodes().len() / 2)?;
    for path in listed.nodes().keys() {
        refuse_unsafe_path(&source.url, path)?;
    }
    let format = source.format;
    let asked: Vec<_> = listed.nodes().keys().map(|path| read_node(prefix, path, format)).collect();
    let mut nodes = stream::iter(asked).buffered(CONCURRENT_REQUESTS).zip(stream::iter(listed.nodes()));
    while let Some((node, (path, documents))) = nodes.next().await {
        let node = node?;
        if let Some(node) = node {
            source.add(path.clone(), node)?;
            continue;
        }
        let url = source.url.join(path);
        let document = NodeDocument::parse(documents)
            .map_err(|error| refusals::of_metadata(&error, "source", &format!("source {url}")))?;
        source.warnings.push(format!("{url} has no metadata of its own; that of the group was read"));
        let node = Node { document, format, consolidated: None, pins: Vec::new(), has_both_formats: false };
        source.add(path.clone(), node)?;
    }
    Ok(())
}

/// The nodes that listings find, level by level.
async fn walk(prefix: &Prefix, source: &mut Source) -> Result<(), Refusal> {
    if !prefix.can_list() {
        let message = format!(
            "source {} is a group without consolidated metadata, and a web server lists nothing; name an array in it, or \
             consolidate its metadata",
            source.url
        );
        return Err(Refusal::invalid("source", "NOT_CONSOLIDATED", message));
    }
    let format = source.format;
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let asked: Vec<_> = level.iter().map(|path| list_children(prefix, path)).collect();
        let children: Vec<Vec<String>> = stream::iter(asked).buffered(CONCURRENT_REQUESTS).try_collect().await?;
        level = Vec::new();
        // In batches, since most of the directories may be no nodes: there is no limit to those.
        for paths in children.concat().chunks(READ_AT_ONCE) {
            let asked: Vec<_> = paths.iter().map(|path| read_node(prefix, path, format)).collect();
            let mut nodes = stream::iter(asked).buffered(CONCURRENT_REQUESTS).zip(stream::iter(paths));
            while let Some((node, path)) = nodes.next().await {
                let Some(node) = node? else { continue };
                if matches!(node.document, NodeDocument::Group(_)) {
                    level.push(path.clone());
                }
                source.add(path.clone(), node)?;
            }
        }
    }
    Ok(())
}

/// The directories in `path`, by their paths.
async fn list_children(prefix: &Prefix, path: &str) -> Result<Vec<String>, Refusal> {
    let listing = prefix.list_directory(path).await.map_err(|error| refusals::of_storage(&error, "source"))?;
    let child = |name: String| if path.is_empty() { name } else { format!("{path}/{name}") };
    Ok(listing.directories.into_iter().map(child).collect())
}

/// One node of the source, which is all of one format.
async fn read_node(prefix: &Prefix, path: &str, format: ZarrFormat) -> Result<Option<Node>, Refusal> {
    node::read(prefix, path, Some(format), "source").await
}

/// There is no node: is there anything?
async fn nothing_there(prefix: &Prefix) -> Result<Refusal, Refusal> {
    let url = prefix.url();
    if !prefix.can_list() {
        let message = format!("source {url} has no zarr.json, .zarray or .zgroup; check the URL, and name a node");
        return Ok(Refusal::new(RefusalCode::NotFound, "NO_SUCH_SOURCE", message).at("source"));
    }
    let is_empty = prefix.is_empty().await.map_err(|error| refusals::of_storage(&error, "source"))?;
    Ok(if is_empty {
        let message = format!("nothing lies at source {url}; check the URL, and the region and endpoint of its store");
        Refusal::new(RefusalCode::NotFound, "NO_SUCH_SOURCE", message).at("source")
    } else {
        let message = format!(
            "source {url} is neither a Zarr array nor a group: it has no zarr.json, .zarray or .zgroup; name a node"
        );
        Refusal::invalid("source", "NOT_A_ZARR_NODE", message)
    })
}

fn refuse_too_many(url: &StoreUrl, count: usize) -> Result<(), Refusal> {
    if count <= MAX_ARRAYS {
        return Ok(());
    }
    let message =
        format!("{url} has more than {MAX_ARRAYS} arrays or groups; rechunk parts of it in jobs of their own");
    Err(refusals::over_limit("source", "MAX_ARRAYS", message))
}

/// Paths in consolidated metadata are whatever somebody wrote there.
fn refuse_unsafe_path(url: &StoreUrl, path: &str) -> Result<(), Refusal> {
    let is_safe = |part: &str| !matches!(part, "" | "." | "..");
    if path.split('/').all(is_safe) {
        return Ok(());
    }
    let message =
        format!("the consolidated metadata of {url} names {path:?}, which is no path below it; consolidate anew");
    Err(Refusal::invalid("source", "UNSAFE_PATH", message))
}

/// Below an array lie its chunks: a node there could be taken for one of them.
fn refuse_nodes_in_arrays(source: &Source) -> Result<(), Refusal> {
    for path in source.arrays.keys().chain(source.groups.keys()) {
        for (at, _) in path.match_indices('/') {
            if let Some(array) = path.get(..at).filter(|parent| source.arrays.contains_key(*parent)) {
                let message =
                    format!("source {} has a node {path:?} inside array {array:?}; consolidate anew", source.url);
                return Err(Refusal::invalid("source", "CORRUPT_METADATA", message));
            }
        }
    }
    Ok(())
}
