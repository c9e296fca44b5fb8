//! What stands at the target of a job that appends to it.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{
    Refusal, RefusalCode, layout::ArrayLayout, limits::LISTED_BY_DEFAULT, plan::PinnedDocument, request::ZarrFormat,
};
use rechunk_planner::CopySpec;
use rechunk_storage::{Access, ErrorClass, StoreUrl, Stores};
use rechunk_zarr::{ArrayDocument, Consolidated, GroupDocument, NodeDocument};

use super::{discovery::Source, node, refusals};

/// Requests under way at a time, for the nodes of one group.
const CONCURRENT_REQUESTS: usize = 32;

/// Arrays that are listed at a time.
const CONCURRENT_LISTINGS: usize = 8;

/// The nodes of a target that the source has, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The format of all of it.
    pub(super) format: ZarrFormat,
    /// By path from the root; the one array of an array job has the empty path.
    pub(super) arrays: BTreeMap<String, StandingArray>,
    /// Those with consolidated metadata, by path from the root.
    pub(super) groups: BTreeMap<String, StandingGroup>,
}

/// An array of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StandingArray {
    pub(super) document: ArrayDocument,
    pub(super) pins: Vec<PinnedDocument>,
}

/// A group of a target with consolidated metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StandingGroup {
    pub(super) document: GroupDocument,
    pub(super) consolidated: Consolidated,
    pub(super) pins: Vec<PinnedDocument>,
}

/// Reads what stands at `target` of the nodes of `source`.
pub(super) async fn find(stores: &Stores, target: &StoreUrl, source: &Source) -> Result<Standing, Refusal> {
    let prefix = stores.open(target, Access::ReadWrite).map_err(|error| refusals::of_storage(&error, "target"))?;
    let Some(root) = node::read(&prefix, "", None, "target").await? else {
        let message =
            format!("there is no Zarr node at target {target} to append to; leave --append out, and it is made");
        return Err(Refusal::new(RefusalCode::NotFound, "NO_SUCH_TARGET", message).at("target"));
    };
    let format = root.format;
    let mut standing = Standing { format, arrays: BTreeMap::new(), groups: BTreeMap::new() };
    let is_group = matches!(root.document, NodeDocument::Group(_));
    if is_group != source.is_group {
        let what = |is_group: bool| if is_group { "a group" } else { "an array" };
        let message = format!(
            "source {} is {}, and target {target} is {}; append array to array, or group to group",
            source.url,
            what(source.is_group),
            what(is_group)
        );
        return Err(Refusal::invalid("target", "TARGET_OF_OTHER_KIND", message));
    }
    standing.add(String::new(), root);
    let paths: Vec<&String> =
        source.arrays.keys().chain(source.groups.keys()).filter(|path| !path.is_empty()).collect();
    let asked: Vec<_> = paths.iter().map(|path| node::read(&prefix, path, Some(format), "target")).collect();
    let mut nodes = stream::iter(asked).buffered(CONCURRENT_REQUESTS).zip(stream::iter(paths));
    while let Some((node, path)) = nodes.next().await {
        if let Some(node) = node? {
            standing.add(path.clone(), node);
        }
    }
    Ok(standing)
}

impl Standing {
    fn add(&mut self, path: String, node: node::Node) {
        let pins = node.pins;
        match (node.document, node.consolidated) {
            (NodeDocument::Array(document), _) => {
                self.arrays.insert(path, StandingArray { document, pins });
            }
            (NodeDocument::Group(document), Some(consolidated)) => {
                self.groups.insert(path, StandingGroup { document, consolidated, pins });
            }
            (NodeDocument::Group(_), None) => {}
        }
    }
}

/// Objects that lie already where one of `copies` writes: the last chunks of what stands, with more behind it, or what an
/// append left behind that came to nothing. Where there are any, or it is not known, every chunk is written, also one of
/// fill values: what an older one holds would show.
pub(super) async fn mind_leftovers(stores: &Stores, copies: &mut [CopySpec]) -> Result<(), Refusal> {
    let asked: Vec<_> = copies.iter().map(|copy| may_hold_objects(stores, &copy.target)).collect();
    let found: Vec<bool> = stream::iter(asked).buffered(CONCURRENT_LISTINGS).try_collect().await?;
    for (copy, may_hold) in copies.iter_mut().zip(found) {
        copy.gaps.write_empty_chunks |= may_hold;
    }
    Ok(())
}

/// Whether an object of the part of `target` may be there.
async fn may_hold_objects(stores: &Stores, target: &ArrayLayout) -> Result<bool, Refusal> {
    let refuse = |error| refusals::of_storage(&error, "target");
    let url = StoreUrl::parse(&target.url).map_err(|error| {
        Refusal::invalid("target", "MALFORMED_URL", format!("target array {}: {error}", target.url))
    })?;
    let grid = target.write_grid();
    let mut objects = stores.open(&url, Access::ReadWrite).map_err(refuse)?.list("");
    let mut listed = 0_u64;
    while let Some(object) = objects.next().await {
        let object = match object {
            Ok(object) => object,
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Unsupported) => return Ok(true),
            Err(error) => return Err(refuse(error)),
        };
        listed = listed.saturating_add(1);
        let position = target.keys.position(&object.key, target.shape.len());
        if listed > LISTED_BY_DEFAULT || position.is_some_and(|position| grid.index(&position).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}
