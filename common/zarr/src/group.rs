//! The metadata of one group in either format.

#[cfg(test)]
mod tests;

use rechunk_common::request::ZarrFormat;

use crate::{
    Consolidated, MetadataError,
    consolidated::{self, INLINE, ZMETADATA},
    document::{self, ZARR_JSON, ZATTRS},
    json::{Json, Object},
    node::NamedDocument,
};

/// The name of a v2 group's document.
pub(crate) const ZGROUP: &str = ".zgroup";

/// One group's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDocument {
    format: ZarrFormat,
    /// `zarr.json` or `.zgroup`, without consolidated metadata.
    metadata: Object,
    /// `.zattrs`; in v3 the attributes are in the metadata.
    attributes: Option<Object>,
    /// `consolidated_metadata` of a v3 group.
    inline: Option<Json>,
}

impl GroupDocument {
    /// A group without attributes.
    pub fn new(format: ZarrFormat) -> Self {
        let mut metadata = Object::default();
        if format == ZarrFormat::V3 {
            metadata.set("attributes", Json::Object(Object::default()));
        }
        metadata.set("zarr_format", Json::number(format.number()));
        if format == ZarrFormat::V3 {
            metadata.set("node_type", Json::text("group"));
        }
        Self { format, metadata, attributes: None, inline: None }
    }

    /// Parses a v3 `zarr.json`.
    pub fn parse_v3(zarr_json: &str) -> Result<Self, MetadataError> {
        let mut metadata = document::parse_object(ZARR_JSON, zarr_json)?;
        document::check_format(&metadata, ZarrFormat::V3)?;
        match metadata.get("node_type").and_then(Json::as_text).as_deref() {
            Some("group") => {}
            Some(other) => return Err(MetadataError::WrongNode { expected: "a group", found: other.to_owned() }),
            None => return Err(MetadataError::corrupt("node_type", "missing")),
        }
        let known = ["zarr_format", "node_type", "attributes", INLINE];
        document::check_extensions(&metadata, &known)?;
        if metadata.get("attributes").is_some_and(|value| value.as_object().is_none()) {
            return Err(MetadataError::corrupt("attributes", "not an object"));
        }
        let inline = metadata.remove(INLINE).filter(|value| !value.is_null());
        Ok(Self { format: ZarrFormat::V3, metadata, attributes: None, inline })
    }

    /// Parses a v2 `.zgroup`, and the `.zattrs` beside it where there is one.
    pub fn parse_v2(zgroup: &str, zattrs: Option<&str>) -> Result<Self, MetadataError> {
        let mut metadata = document::parse_object(ZGROUP, zgroup)?;
        document::check_format(&metadata, ZarrFormat::V2)?;
        // zarr-python leaves it in the `.zgroup` of consolidated metadata, where it says nothing.
        metadata.remove(INLINE);
        let attributes = zattrs.map(|text| document::parse_object(ZATTRS, text)).transpose()?;
        Ok(Self { format: ZarrFormat::V2, metadata, attributes, inline: None })
    }

    /// The format of the document.
    pub fn format(&self) -> ZarrFormat {
        self.format
    }

    /// The attributes as one JSON object on one line; `{}` where there are none.
    pub fn attributes_text(&self) -> String {
        Json::Object(self.attributes().cloned().unwrap_or_default()).compact()
    }

    /// The consolidated metadata in a v3 document. v2 has it in an object of its own, `.zmetadata`.
    pub fn consolidated(&self) -> Result<Option<Consolidated>, MetadataError> {
        self.inline.as_ref().map(Consolidated::parse_inline).transpose()
    }

    /// The same group in another format, without consolidated metadata.
    #[must_use]
    pub fn convert(&self, format: ZarrFormat) -> Self {
        match (self.format, format) {
            (ZarrFormat::V2, ZarrFormat::V2) | (ZarrFormat::V3, ZarrFormat::V3) => {
                Self { inline: None, ..self.clone() }
            }
            (ZarrFormat::V2, ZarrFormat::V3) => {
                let mut group = Self::new(format);
                group.metadata.set("attributes", Json::Object(self.attributes().cloned().unwrap_or_default()));
                group
            }
            (ZarrFormat::V3, ZarrFormat::V2) => {
                let attributes = self.attributes().filter(|attributes| !attributes.is_empty()).cloned();
                Self { attributes, ..Self::new(format) }
            }
        }
    }

    /// The group's objects, without consolidated metadata: `zarr.json`, or `.zgroup` and, where the group has
    /// attributes, `.zattrs`.
    pub fn documents(&self) -> Vec<NamedDocument> {
        self.with_metadata(self.metadata.clone())
    }

    /// The group's objects with the metadata of everything below it: in `zarr.json`, or as `.zmetadata` besides.
    pub fn documents_with(&self, consolidated: &Consolidated) -> Result<Vec<NamedDocument>, MetadataError> {
        if consolidated.format() != self.format {
            return Err(MetadataError::corrupt("consolidated metadata", "of another format than its group"));
        }
        match self.format {
            ZarrFormat::V3 => {
                let mut metadata = self.metadata.clone();
                let node_type = metadata.remove("node_type");
                metadata.set(INLINE, consolidated.to_inline()?);
                metadata.set("node_type", node_type.unwrap_or_else(|| Json::text("group")));
                Ok(self.with_metadata(metadata))
            }
            ZarrFormat::V2 => {
                let mut documents = self.documents();
                let body = consolidated::to_zmetadata(&documents, consolidated)?;
                documents.push((ZMETADATA.to_owned(), body));
                Ok(documents)
            }
        }
    }

    fn attributes(&self) -> Option<&Object> {
        match self.format {
            ZarrFormat::V2 => self.attributes.as_ref(),
            ZarrFormat::V3 => self.metadata.get("attributes")?.as_object(),
        }
    }

    fn with_metadata(&self, metadata: Object) -> Vec<NamedDocument> {
        let name = match self.format {
            ZarrFormat::V2 => ZGROUP,
            ZarrFormat::V3 => ZARR_JSON,
        };
        let mut documents = vec![(name.to_owned(), Json::Object(metadata).pretty())];
        if let Some(attributes) = &self.attributes {
            documents.push((ZATTRS.to_owned(), Json::Object(attributes.clone()).pretty()));
        }
        documents
    }
}
