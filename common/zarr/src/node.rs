//! A node of a hierarchy, array or group, and the objects that hold its metadata.

use crate::{
    ArrayDocument, GroupDocument, MetadataError,
    document::{self, ZARR_JSON, ZARRAY, ZATTRS},
    group::ZGROUP,
    json::Json,
};

/// One object of a node: its name (`zarr.json`, `.zarray`, `.zgroup`, `.zattrs`) and its body.
pub type NamedDocument = (String, String);

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// It has chunks.
    Array,
    /// It has children.
    Group,
}

/// The metadata of a node of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeDocument {
    /// An array's.
    Array(ArrayDocument),
    /// A group's.
    Group(GroupDocument),
}

impl NodeDocument {
    /// Parses a v3 `zarr.json` of either kind.
    pub fn parse_v3(zarr_json: &str) -> Result<Self, MetadataError> {
        let metadata = document::parse_object(ZARR_JSON, zarr_json)?;
        match metadata.get("node_type").and_then(Json::as_text).as_deref() {
            Some("array") => ArrayDocument::parse_v3(zarr_json).map(Self::Array),
            Some("group") => GroupDocument::parse_v3(zarr_json).map(Self::Group),
            Some(other) => Err(MetadataError::WrongNode { expected: "an array or a group", found: other.to_owned() }),
            None => Err(MetadataError::corrupt("node_type", "missing")),
        }
    }

    /// From the objects of a node: `zarr.json`; or `.zarray` or `.zgroup`, with `.zattrs` where there is one. v3 wins
    /// over v2, an array over a group.
    pub fn parse(documents: &[NamedDocument]) -> Result<Self, MetadataError> {
        let body = |wanted: &str| documents.iter().find(|(name, _)| name == wanted).map(|(_, body)| body.as_str());
        let attributes = body(ZATTRS);
        match (body(ZARR_JSON), body(ZARRAY), body(ZGROUP)) {
            (Some(zarr_json), _, _) => Self::parse_v3(zarr_json),
            (None, Some(zarray), _) => ArrayDocument::parse_v2(zarray, attributes).map(Self::Array),
            (None, None, Some(zgroup)) => GroupDocument::parse_v2(zgroup, attributes).map(Self::Group),
            (None, None, None) => Err(MetadataError::WrongNode {
                expected: "an array or a group",
                found: "neither zarr.json nor .zarray nor .zgroup".to_owned(),
            }),
        }
    }

    /// Array or group.
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Array(_) => NodeKind::Array,
            Self::Group(_) => NodeKind::Group,
        }
    }

    /// The node's objects, without consolidated metadata.
    pub fn documents(&self) -> Vec<NamedDocument> {
        match self {
            Self::Array(array) => array.documents(),
            Self::Group(group) => group.documents(),
        }
    }
}
