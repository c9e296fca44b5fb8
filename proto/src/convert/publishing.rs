//! The functions of the first and the last phase: clearing, checking, publishing.

use rechunk_common::{
    limits::{MAX_DOCUMENT_BYTES, MAX_STAGE_DOCUMENT_BYTES},
    plan::{CheckSource, ClearPrefix, Document, PinnedDocument, PrefixPart, PublishMetadata},
};

use super::field::{choice, each, each_by, name, same_variants, text, url, within};
use crate::{
    fault::{Fault, Problem},
    v1::{self, document::Document as WireDocument},
};

same_variants! {
    v1::PrefixPart = PrefixPart { Metadata, Everything }
}

impl From<ClearPrefix> for v1::ClearPrefix {
    fn from(clear: ClearPrefix) -> Self {
        let ClearPrefix { prefixes, part } = clear;
        Self { prefixes, part: v1::PrefixPart::from(part).into() }
    }
}

impl TryFrom<v1::ClearPrefix> for ClearPrefix {
    type Error = Fault;

    fn try_from(clear: v1::ClearPrefix) -> Result<Self, Fault> {
        Ok(Self {
            prefixes: each_by(clear.prefixes, "prefixes", |prefix| url(prefix, ""))?,
            part: choice::<v1::PrefixPart, _>(clear.part, "part")?,
        })
    }
}

impl From<CheckSource> for v1::CheckSource {
    fn from(check: CheckSource) -> Self {
        let CheckSource { documents } = check;
        Self { documents: documents.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::CheckSource> for CheckSource {
    type Error = Fault;

    fn try_from(check: v1::CheckSource) -> Result<Self, Fault> {
        Ok(Self { documents: each(check.documents, "documents")? })
    }
}

impl From<PinnedDocument> for v1::PinnedDocument {
    fn from(document: PinnedDocument) -> Self {
        let PinnedDocument { url, etag, size } = document;
        Self { url, etag, size_bytes: size }
    }
}

impl TryFrom<v1::PinnedDocument> for PinnedDocument {
    type Error = Fault;

    fn try_from(document: v1::PinnedDocument) -> Result<Self, Fault> {
        Ok(Self {
            url: url(document.url, "url")?,
            etag: document.etag.map(|etag| text(etag, "etag")).transpose()?,
            size: document.size_bytes,
        })
    }
}

impl From<PublishMetadata> for v1::PublishMetadata {
    fn from(publish: PublishMetadata) -> Self {
        let PublishMetadata { documents } = publish;
        Self { documents: documents.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::PublishMetadata> for PublishMetadata {
    type Error = Fault;

    fn try_from(publish: v1::PublishMetadata) -> Result<Self, Fault> {
        let documents: Vec<Document> = each(publish.documents, "documents")?;
        let together = documents.iter().map(body_bytes).fold(0, u64::saturating_add);
        within(together, MAX_STAGE_DOCUMENT_BYTES.0, "MAX_STAGE_DOCUMENT_BYTES", "documents")?;
        Ok(Self { documents })
    }
}

fn body_bytes(document: &Document) -> u64 {
    match document {
        Document::Write { body, .. } => length(body),
        Document::Reconsolidate { documents, .. } => {
            documents.iter().map(|(_, body)| length(body)).fold(0, u64::saturating_add)
        }
    }
}

fn length(body: &str) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

/// One metadata document's content; that it is JSON is for its writer to know.
fn body(body: String) -> Result<String, Fault> {
    within(length(&body), MAX_DOCUMENT_BYTES.0, "MAX_DOCUMENT_BYTES", "body")?;
    Ok(body)
}

impl From<Document> for v1::Document {
    fn from(document: Document) -> Self {
        let document = match document {
            Document::Write { url, body } => WireDocument::Write(v1::WriteDocument { url, body }),
            Document::Reconsolidate { group_url, node_path, documents } => {
                let documents = documents.into_iter().map(|(name, body)| v1::NamedDocument { name, body }).collect();
                WireDocument::Reconsolidate(v1::ReconsolidateGroup { group_url, node_path, documents })
            }
        };
        Self { document: Some(document) }
    }
}

impl TryFrom<v1::Document> for Document {
    type Error = Fault;

    fn try_from(document: v1::Document) -> Result<Self, Fault> {
        match document.document {
            None => Err(Fault::whole(Problem::Missing)),
            Some(WireDocument::Write(write)) => written(write).map_err(|fault| fault.under("write")),
            Some(WireDocument::Reconsolidate(group)) => {
                reconsolidated(group).map_err(|fault| fault.under("reconsolidate"))
            }
        }
    }
}

fn written(write: v1::WriteDocument) -> Result<Document, Fault> {
    Ok(Document::Write { url: url(write.url, "url")?, body: body(write.body)? })
}

fn reconsolidated(group: v1::ReconsolidateGroup) -> Result<Document, Fault> {
    Ok(Document::Reconsolidate {
        group_url: url(group.group_url, "group_url")?,
        node_path: text(group.node_path, "node_path")?,
        documents: each_by(group.documents, "documents", |document| {
            Ok((name(document.name, "name")?, body(document.body)?))
        })?,
    })
}
