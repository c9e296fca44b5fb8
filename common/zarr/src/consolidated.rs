//! Consolidated metadata: the documents of everything below a group, in one. v2 has the object `.zmetadata`, v3 the
//! member `consolidated_metadata` of the group's `zarr.json`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rechunk_common::request::ZarrFormat;

use crate::{
    GroupDocument, MetadataError, NodeDocument, NodeKind,
    document::{self, ZARR_JSON, ZARRAY, ZATTRS},
    group::ZGROUP,
    json::{Json, Object},
    node::NamedDocument,
};

/// The name of v2's object.
pub(crate) const ZMETADATA: &str = ".zmetadata";
/// The member of a v3 group.
pub(crate) const INLINE: &str = "consolidated_metadata";

/// The documents of the nodes below a group, by path from the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consolidated {
    format: ZarrFormat,
    root: Vec<NamedDocument>,
    nodes: BTreeMap<String, Vec<NamedDocument>>,
}

impl Consolidated {
    /// Of a group without nodes.
    pub fn new(format: ZarrFormat) -> Self {
        Self { format, root: Vec::new(), nodes: BTreeMap::new() }
    }

    /// Parses a v2 `.zmetadata`.
    pub fn parse_v2(zmetadata: &str) -> Result<Self, MetadataError> {
        let object = document::parse_object(ZMETADATA, zmetadata)?;
        if object.get("zarr_consolidated_format").and_then(Json::as_u64) != Some(1) {
            return Err(MetadataError::corrupt(ZMETADATA, "zarr_consolidated_format is not 1"));
        }
        let mut consolidated = Self::new(ZarrFormat::V2);
        for (key, value) in members(object.get("metadata"), ZMETADATA)?.iter() {
            let (path, name) = key.rsplit_once('/').unwrap_or(("", &key));
            if ![ZARRAY, ZGROUP, ZATTRS].contains(&name) {
                return Err(MetadataError::corrupt(ZMETADATA, format!("{key} is no metadata document")));
            }
            let document = (name.to_owned(), value.pretty());
            if path.is_empty() {
                consolidated.root.push(document);
            } else {
                consolidated.nodes.entry(checked(path)?).or_default().push(document);
            }
        }
        Ok(consolidated)
    }

    /// Parses the member of a v3 group.
    pub(crate) fn parse_inline(value: &Json) -> Result<Self, MetadataError> {
        let object = value.as_object().ok_or_else(|| MetadataError::corrupt(INLINE, "not an object"))?;
        match object.get("kind").and_then(Json::as_text) {
            Some(kind) if kind == "inline" => {}
            Some(kind) => return Err(MetadataError::UnsupportedExtension { field: INLINE, name: kind }),
            None => return Err(MetadataError::corrupt(INLINE, "it has no kind")),
        }
        let mut consolidated = Self::new(ZarrFormat::V3);
        for (path, value) in members(object.get("metadata"), INLINE)?.iter() {
            consolidated.nodes.insert(checked(&path)?, vec![(ZARR_JSON.to_owned(), value.pretty())]);
        }
        Ok(consolidated)
    }

    /// The format of the documents.
    pub fn format(&self) -> ZarrFormat {
        self.format
    }

    /// The group itself, which `.zmetadata` has, too; `None` in v3.
    pub fn root(&self) -> Result<Option<GroupDocument>, MetadataError> {
        if self.root.is_empty() {
            return Ok(None);
        }
        match NodeDocument::parse(&self.root)? {
            NodeDocument::Group(group) => Ok(Some(group)),
            NodeDocument::Array(_) => Err(MetadataError::WrongNode { expected: "a group", found: "array".to_owned() }),
        }
    }

    /// The nodes below the group: path (`a/b`) and objects.
    pub fn nodes(&self) -> &BTreeMap<String, Vec<NamedDocument>> {
        &self.nodes
    }

    /// Adds a node, or replaces it.
    pub fn insert(&mut self, path: &str, documents: Vec<NamedDocument>) -> Result<(), MetadataError> {
        let format = if documents.iter().any(|(name, _)| name == ZARR_JSON) { ZarrFormat::V3 } else { ZarrFormat::V2 };
        if format != self.format {
            return Err(MetadataError::corrupt(path, "a node of another format than its group"));
        }
        NodeDocument::parse(&documents)?;
        self.nodes.insert(checked(path)?, documents);
        Ok(())
    }

    /// The member of a v3 group, as zarr-python writes it.
    pub(crate) fn to_inline(&self) -> Result<Json, MetadataError> {
        let mut metadata = Object::default();
        for (path, documents) in &self.nodes {
            for (name, body) in documents {
                let mut document = document::parse_object(name, body)?;
                if NodeDocument::parse_v3(body)?.kind() == NodeKind::Group {
                    // All that lies below is in the outer one.
                    document.set(INLINE, inline(Object::default()));
                }
                metadata.set(path, Json::Object(document));
            }
        }
        Ok(inline(metadata))
    }
}

fn inline(metadata: Object) -> Json {
    Json::object([
        ("kind", Json::text("inline")),
        ("must_understand", Json::Bool(false)),
        ("metadata", Json::Object(metadata)),
    ])
}

/// The body of `.zmetadata`: the group's own documents and those of its nodes.
pub(crate) fn to_zmetadata(root: &[NamedDocument], nodes: &Consolidated) -> Result<String, MetadataError> {
    let mut metadata = Object::default();
    for (name, body) in root {
        metadata.set(name, Json::parse(name, body)?);
    }
    for (path, documents) in &nodes.nodes {
        for (name, body) in documents {
            metadata.set(&format!("{path}/{name}"), Json::parse(name, body)?);
        }
    }
    let whole = Json::object([("metadata", Json::Object(metadata)), ("zarr_consolidated_format", Json::number(1))]);
    Ok(whole.pretty())
}

/// Brings a group's consolidated metadata up to date with one node below it. `group` are the group's objects as they
/// stand: `zarr.json`; or `.zgroup`, `.zattrs` and `.zmetadata`. Gives the objects to write anew: none where the group
/// has no consolidated metadata, or where the node is of another format.
pub fn reconsolidate(
    group: &[NamedDocument],
    node_path: &str,
    documents: &[NamedDocument],
) -> Result<Vec<NamedDocument>, MetadataError> {
    let body = |wanted: &str| group.iter().find(|(name, _)| name == wanted).map(|(_, body)| body.as_str());
    let node_is_v3 = documents.iter().any(|(name, _)| name == ZARR_JSON);
    if let (Some(zarr_json), true) = (body(ZARR_JSON), node_is_v3) {
        let group = GroupDocument::parse_v3(zarr_json)?;
        let Some(mut consolidated) = group.consolidated()? else {
            return Ok(Vec::new());
        };
        consolidated.insert(node_path, documents.to_vec())?;
        return group.documents_with(&consolidated);
    }
    if let (Some(zmetadata), false) = (body(ZMETADATA), node_is_v3) {
        let mut consolidated = Consolidated::parse_v2(zmetadata)?;
        consolidated.insert(node_path, documents.to_vec())?;
        let root = consolidated.root.clone();
        return Ok(vec![(ZMETADATA.to_owned(), to_zmetadata(&root, &consolidated)?)]);
    }
    Ok(Vec::new())
}

fn members<'j>(value: Option<&'j Json>, field: &str) -> Result<&'j Object, MetadataError> {
    value.and_then(Json::as_object).ok_or_else(|| MetadataError::corrupt(field, "its metadata is not an object"))
}

/// A path of names, which cannot climb out of the group.
fn checked(path: &str) -> Result<String, MetadataError> {
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(MetadataError::corrupt("path", format!("{path:?} does not lie below the group")));
    }
    Ok(path.to_owned())
}
