//! Reading one Zarr node: which documents lie there, what they say, and their state, pinned.

use futures::future::try_join_all;
use rechunk_common::{Refusal, limits::MAX_DOCUMENT_BYTES, plan::PinnedDocument, request::ZarrFormat};
use rechunk_storage::Prefix;
use rechunk_zarr::{Consolidated, MetadataError, NodeDocument};

use super::refusals;

/// A node as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// What it is.
    pub(super) document: NodeDocument,
    /// The format that was read.
    pub(super) format: ZarrFormat,
    /// Its consolidated metadata, of a group that has it.
    pub(super) consolidated: Option<Consolidated>,
    /// The documents, as they were read.
    pub(super) pins: Vec<PinnedDocument>,
    /// Documents of both formats lie there.
    pub(super) has_both_formats: bool,
}

/// A document, and its state from just before it was read: had it changed in between, the pin is the older state, and
/// the check before publishing finds the change.
struct ReadDocument {
    name: &'static str,
    body: String,
    pin: PinnedDocument,
}

/// Reads the node at `path` below `prefix`; `None` where there is none. v3 is preferred; with a `format` given, only
/// documents of that one are looked for. `field` is the field of the request that led there.
pub(super) async fn read(
    prefix: &Prefix,
    path: &str,
    format: Option<ZarrFormat>,
    field: &str,
) -> Result<Option<Node>, Refusal> {
    let names: &[&'static str] = match format {
        None => &["zarr.json", ".zarray", ".zgroup"],
        Some(ZarrFormat::V3) => &["zarr.json"],
        Some(ZarrFormat::V2) => &[".zarray", ".zgroup"],
    };
    let found = documents(prefix, path, names, field).await?;
    let has_both_formats = found.iter().any(|document| document.name == "zarr.json") && found.len() > 1;
    let Some(first) = found.into_iter().next() else { return Ok(None) };
    let url = prefix.url().join(path);
    let refuse = |error: MetadataError| refusals::of_metadata(&error, field, &format!("{field} {url}"));
    if first.name == "zarr.json" {
        let document = NodeDocument::parse_v3(&first.body).map_err(refuse)?;
        let consolidated = match &document {
            NodeDocument::Group(group) => group.consolidated().map_err(refuse)?,
            NodeDocument::Array(_) => None,
        };
        let pins = vec![first.pin];
        return Ok(Some(Node { document, format: ZarrFormat::V3, consolidated, pins, has_both_formats }));
    }
    let others: &[&'static str] = if first.name == ".zgroup" { &[".zattrs", ".zmetadata"] } else { &[".zattrs"] };
    let mut own = vec![first];
    own.extend(documents(prefix, path, others, field).await?);
    let consolidated = own.iter().find(|document| document.name == ".zmetadata");
    let consolidated =
        consolidated.map(|document| Consolidated::parse_v2(&document.body)).transpose().map_err(refuse)?;
    let pins = own.iter().map(|document| document.pin.clone()).collect();
    let bodies: Vec<(String, String)> = own
        .into_iter()
        .filter(|document| document.name != ".zmetadata")
        .map(|document| (document.name.to_owned(), document.body))
        .collect();
    let document = NodeDocument::parse(&bodies).map_err(refuse)?;
    Ok(Some(Node { document, format: ZarrFormat::V2, consolidated, pins, has_both_formats }))
}

/// The documents of these names that exist at `path`, in the order of the names.
async fn documents(
    prefix: &Prefix,
    path: &str,
    names: &[&'static str],
    field: &str,
) -> Result<Vec<ReadDocument>, Refusal> {
    let found = try_join_all(names.iter().map(|name| document(prefix, path, name, field))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn document(
    prefix: &Prefix,
    path: &str,
    name: &'static str,
    field: &str,
) -> Result<Option<ReadDocument>, Refusal> {
    let key = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    let url = prefix.url().join(&key).to_string();
    let refuse = |error| refusals::of_storage(&error, field);
    let Some(state) = prefix.head(&key).await.map_err(refuse)? else { return Ok(None) };
    let Some(object) = prefix.get_sized(&key).await.map_err(refuse)? else { return Ok(None) };
    // Before the body is read: its length is whatever somebody put there.
    let length = object.content_length();
    if length > MAX_DOCUMENT_BYTES.0 {
        let message = format!("{url} has {length} bytes; metadata documents may have {MAX_DOCUMENT_BYTES}");
        return Err(refusals::over_limit(field, "MAX_DOCUMENT_BYTES", message));
    }
    let Some(bytes) = object.bytes().await.map_err(refuse)? else { return Ok(None) };
    let body = String::from_utf8(bytes.into()).map_err(|_| {
        Refusal::invalid(field, "CORRUPT_METADATA", format!("{url} is not UTF-8 text; restore the document"))
    })?;
    Ok(Some(ReadDocument { name, body, pin: PinnedDocument { url, etag: state.etag, size: state.size } }))
}
