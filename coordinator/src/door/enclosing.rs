//! The groups that a target lies in: where their metadata is consolidated, it is brought up to date when the target is
//! published; and the temporary space lies beside the outermost.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{Refusal, RefusalCode, request::ZarrFormat};
use rechunk_storage::{Access, StoreUrl, Stores};
use rechunk_zarr::{Consolidated, NodeDocument};

use super::node;

/// Ancestors looked at at a time.
const CONCURRENT_REQUESTS: usize = 8;

/// The groups around a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Enclosing {
    /// Innermost first.
    pub(super) groups: Vec<EnclosingGroup>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// A group that exists and in which the target lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnclosingGroup {
    /// Where it is.
    pub(super) url: StoreUrl,
    /// The target's path from it.
    pub(super) path_of_target: String,
    /// Its format.
    pub(super) format: ZarrFormat,
    /// Whether its metadata is consolidated.
    pub(super) is_consolidated: bool,
    /// Whether that names nodes inside the target: of a group that lay there.
    pub(super) names_nodes_in_target: bool,
    /// The shape that the target has there, where it is an array.
    pub(super) shape_of_target: Option<Vec<u64>>,
}

impl Enclosing {
    /// The outermost Zarr node that the target is or lies in.
    pub(super) fn outermost<'a>(&'a self, target: &'a StoreUrl) -> &'a StoreUrl {
        self.groups.last().map_or(target, |group| &group.url)
    }

    /// Consolidated metadata is brought up to date with one array, whole and by one writer. More than that, a group,
    /// or nodes that go with the target that is replaced, it would get wrong, and readers believe it before the arrays
    /// themselves.
    pub(super) fn refuse_what_cannot_be_refreshed(&self, is_group: bool) -> Result<(), Refusal> {
        let refused = |group: &&EnclosingGroup| group.is_consolidated && (is_group || group.names_nodes_in_target);
        let Some(group) = self.groups.iter().find(refused) else { return Ok(()) };
        let what = if is_group { "the target is a group" } else { "a group is to be replaced by an array" };
        let message = format!(
            "{what} in {}, whose consolidated metadata can be brought up to date with single arrays only; choose a \
             target outside of it, or remove that metadata and consolidate again afterwards",
            group.url
        );
        Err(Refusal::invalid("target", "IN_CONSOLIDATED_GROUP", message))
    }
}

/// Looks at every ancestor of `target`. One that may not be read is passed over, with a warning where the store itself
/// said so: a server's profiles need not reach above the data.
pub(super) async fn find(stores: &Stores, target: &StoreUrl) -> Result<Enclosing, Refusal> {
    let ancestors: Vec<StoreUrl> = std::iter::successors(target.parent(), StoreUrl::parent).collect();
    let looks: Vec<_> = ancestors.iter().map(|url| look(stores, target, url)).collect();
    let mut looked_at = stream::iter(looks).buffered(CONCURRENT_REQUESTS);
    let mut enclosing = Enclosing::default();
    while let Some(seen) = looked_at.try_next().await? {
        match seen {
            Seen::Group(group) => enclosing.groups.push(group),
            Seen::Nothing => {}
            // What hides one ancestor most often hides all above it: the nearest says enough.
            Seen::Hidden(_) if !enclosing.warnings.is_empty() => {}
            Seen::Hidden(warning) => enclosing.warnings.push(warning),
        }
    }
    Ok(enclosing)
}

enum Seen {
    Group(EnclosingGroup),
    Nothing,
    Hidden(String),
}

async fn look(stores: &Stores, target: &StoreUrl, url: &StoreUrl) -> Result<Seen, Refusal> {
    let Ok(prefix) = stores.open(url, Access::Read) else { return Ok(Seen::Nothing) };
    let node = match node::read(&prefix, "", None, "target").await {
        Ok(Some(node)) => node,
        Ok(None) => return Ok(Seen::Nothing),
        Err(refusal) if refusal.code == RefusalCode::PermissionDenied => {
            return Ok(Seen::Hidden(format!(
                "{url} may not be read: were it a group, its consolidated metadata would not name the target"
            )));
        }
        Err(refusal) => return Err(refusal),
    };
    if matches!(node.document, NodeDocument::Array(_)) {
        let message = format!("target {target} lies in array {url}, among its chunks; choose another place");
        return Err(Refusal::invalid("target", "TARGET_IN_ARRAY", message));
    }
    let segments = target.segments().get(url.segments().len()..).unwrap_or_default();
    let path_of_target = segments.join("/");
    let inside = format!("{path_of_target}/");
    let shape_of = |listed: &Consolidated| match NodeDocument::parse(listed.nodes().get(&path_of_target)?) {
        Ok(NodeDocument::Array(array)) => Some(array.shape().to_vec()),
        Ok(NodeDocument::Group(_)) | Err(_) => None,
    };
    let names_inside = |listed: &Consolidated| listed.nodes().keys().any(|path| path.starts_with(&inside));
    Ok(Seen::Group(EnclosingGroup {
        url: url.clone(),
        format: node.format,
        names_nodes_in_target: node.consolidated.as_ref().is_some_and(names_inside),
        is_consolidated: node.consolidated.is_some(),
        shape_of_target: node.consolidated.as_ref().and_then(shape_of),
        path_of_target,
    }))
}
