//! What will lie at the target: the layout and documents of every array, the documents of every group, consolidated
//! metadata where the source had it or the request asks for it. Pure.

use rechunk_common::{
    Refusal,
    geometry::Edges,
    limits::MAX_DOCUMENT_BYTES,
    plan::{Document, GapPolicy, PinnedDocument},
    request::ZarrFormat,
};
use rechunk_planner::{CopySpec, Publish};
use rechunk_storage::StoreUrl;
use rechunk_zarr::{ArrayDocument, Consolidated, MetadataError, NamedDocument, TargetOptions};

use super::{
    append,
    chunk_spec::{self, ChunkChoice},
    codec_spec::{self, Chosen},
    encoding, refusals,
    region::{self, Part},
    shard_spec::{self, ShardChoice},
    subject::{Subject, Subjects},
    survey::Survey,
};

/// The target of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// One per array, in the order of their names.
    pub(super) copies: Vec<CopySpec>,
    /// What makes it visible.
    pub(super) publish: Publish,
    /// Its own documents as they stand, where they are to be replaced.
    pub(super) pinned: Vec<PinnedDocument>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// What was chosen for one array.
struct Choice<'a> {
    chunks: &'a ChunkChoice,
    shards: &'a ShardChoice,
    codec: Option<&'a Chosen>,
    part: Option<&'a Part>,
}

/// A node of the target, by its path from the root, with its documents.
pub(super) type Nodes = Vec<(String, Vec<NamedDocument>)>;

/// The target that a survey's request asks for.
pub(super) fn of(survey: &Survey) -> Result<Target, Refusal> {
    let Survey { request, source, standing, .. } = survey;
    if let (Some(dimension), Some(standing)) = (&request.append, standing) {
        return append::of(survey, standing, dimension);
    }
    let format = request.zarr_format.unwrap_or(source.format);
    let mut arrays: Vec<Subject> =
        source.arrays.iter().map(|(name, array)| subject(name, array, &source.url)).collect::<Result<_, _>>()?;
    let parts = region::choose(&request.region, Subjects { arrays: &arrays, is_group: source.is_group })?;
    // Chunks and shards are those of the target, which is as long as the part.
    for (subject, part) in arrays.iter_mut().zip(&parts) {
        if let Some(part) = part {
            subject.restrict(&part.start, &part.shape);
        }
    }
    let subjects = Subjects { arrays: &arrays, is_group: source.is_group };
    let chunks = chunk_spec::choose(&request.chunks, subjects, chunk_spec::aim_of_auto(survey.memory.budget))?;
    let (shards, warnings) = shard_spec::choose(&request.shards, subjects, &chunks.arrays)?;
    let codecs = codec_spec::choose(&request.codecs, subjects)?;

    let mut target =
        Target { copies: Vec::new(), publish: Publish::default(), pinned: Vec::new(), warnings: chunks.warnings };
    target.warnings.extend(warnings);
    let mut nodes = Nodes::new();
    let choices = chunks.arrays.iter().zip(&shards).zip(codecs.iter().zip(&parts));
    for ((subject, array), ((chunks, shards), (codec, part))) in arrays.iter().zip(source.arrays.values()).zip(choices)
    {
        let choice = Choice { chunks, shards, codec: codec.as_ref(), part: part.as_ref() };
        let (copy, documents) = copy_of(survey, subject, array, &choice, format)?;
        target.publish.arrays.extend(written(&survey.target.join(&subject.name), &documents)?);
        target.copies.push(copy);
        nodes.push((subject.name.clone(), documents));
    }
    publish_groups(survey, format, nodes, &mut target)?;
    Ok(target)
}

/// What specs need to know of an array of the source at `root`.
pub(super) fn subject(name: &str, array: &ArrayDocument, root: &StoreUrl) -> Result<Subject, Refusal> {
    let url = root.join(name);
    let layout = array
        .layout(&url.to_string())
        .map_err(|error| refusals::of_metadata(&error, "source", &format!("source array {url}")))?;
    let shape = array.shape().to_vec();
    Ok(Subject {
        name: name.to_owned(),
        dimensions: array.dimension_names().unwrap_or_else(|| vec![None; shape.len()]),
        chunks: array.chunk_shape().to_vec(),
        edges: if array.shard_shape().is_none() { array.edges().to_vec() } else { Vec::new() },
        shards: array.shard_shape().map(<[u64]>::to_vec),
        width: layout.element.held_bytes(),
        shape,
    })
}

/// One array: from where to where, and its new documents.
fn copy_of(
    survey: &Survey,
    subject: &Subject,
    array: &ArrayDocument,
    choice: &Choice<'_>,
    format: ZarrFormat,
) -> Result<(CopySpec, Vec<NamedDocument>), Refusal> {
    if let (ZarrFormat::V2, Some(_)) = (format, &choice.shards.shards) {
        let message = format!("Zarr v2 has no shards, and {} would have them; write --shards none", subject.called());
        let field = choice.shards.field.as_deref().unwrap_or("zarr_format");
        return Err(Refusal::invalid(field, "SHARDS_NEED_V3", message));
    }
    let from = survey.source.url.join(&subject.name).to_string();
    let to = survey.target.join(&subject.name).to_string();
    let edges = edges_of(subject, choice)?;
    let options = TargetOptions {
        chunk_shape: choice.chunks.chunks.clone(),
        edges,
        shard_shape: choice.shards.shards.clone(),
        codec: choice.codec.map(|chosen| chosen.codec.clone()),
        format,
        shape: choice.part.map(|part| part.shape.clone()),
    };
    let of_source = |error: MetadataError| refusals::of_metadata(&error, "source", &format!("source array {from}"));
    let mut source_layout = array.layout(&from).map_err(of_source)?;
    encoding::refuse_oversized(subject.width, &subject.chunks, "source", &from)?;
    let source_encoding = encoding::bound(&source_layout).map_err(of_source)?;
    let chunks_field = choice.chunks.field.as_deref().unwrap_or("source");
    encoding::refuse_oversized(subject.width, &choice.chunks.chunks, chunks_field, &to)?;
    let of_target = |error: MetadataError| match encoding::codec_limit(&error) {
        Some(limit) => encoding::over_codec(subject.width, &choice.chunks.chunks, limit, chunks_field, &to),
        None => refusals::of_metadata(&error, &field_of(&error, choice), &format!("target array {to}")),
    };
    let rewritten = array.rewrite(&options).map_err(of_target)?;
    let mut target_layout = rewritten.layout(&to).map_err(of_target)?;
    if let Some(part) = choice.part {
        source_layout.shape.clone_from(&part.shape);
        source_layout.part = Some(part.of_source());
        target_layout.part = Some(part.of_target());
    }
    let ends_inside_chunk =
        choice.part.is_some_and(|part| part.ends_inside_chunk(array.shape(), source_layout.chunks.read_unit()));
    let target_encoding = encoding::bound(&target_layout).map_err(of_target)?;
    // A missing source chunk reads as the source's fill value: where the target's differs, it must be written.
    let fills_agree = source_layout.fill == target_layout.fill && source_layout.has_fill <= target_layout.has_fill;
    let copy = CopySpec {
        name: subject.name.clone(),
        dtype: array.dtype_text(),
        source_encoding,
        target_encoding,
        gaps: GapPolicy {
            strict: survey.request.strict,
            write_empty_chunks: survey.request.write_empty_chunks || !fills_agree,
        },
        source: source_layout,
        target: target_layout,
        ends_inside_chunk,
        one_store: survey.one_store,
        listed: None,
        verify: survey.request.verify,
        held: None,
    };
    Ok((copy, rewritten.documents()))
}

/// Where chunks of the target end along axes where they differ in length. Chunks in shards are equal: those that were asked
/// for are refused, those of the source are not kept.
fn edges_of(subject: &Subject, choice: &Choice<'_>) -> Result<Vec<Option<Edges>>, Refusal> {
    let ChunkChoice { edges, are_edges_asked, field, .. } = choice.chunks;
    if choice.shards.shards.is_none() || edges.iter().all(Option::is_none) {
        return Ok(edges.clone());
    }
    if *are_edges_asked {
        let message = format!(
            "chunks in shards have one length, and {} would have others; write --shards none",
            subject.called()
        );
        return Err(Refusal::invalid(field.as_deref().unwrap_or("chunks"), "UNEQUAL_CHUNKS_IN_SHARDS", message));
    }
    Ok(Vec::new())
}

/// The field of the request that a target's metadata error is about.
fn field_of(error: &MetadataError, choice: &Choice<'_>) -> String {
    let codec = choice.codec.map(|chosen| chosen.field.as_str());
    let grid = choice.shards.field.as_deref().or(choice.chunks.field.as_deref());
    let field = match error {
        MetadataError::UnsupportedCodec { .. } | MetadataError::CodecChoice { .. } => codec.unwrap_or("source"),
        MetadataError::NoTwin { .. } => "zarr_format",
        MetadataError::ChunkShape { .. } | MetadataError::Limit { .. } => grid.unwrap_or("source"),
        MetadataError::Corrupt { .. }
        | MetadataError::WrongNode { .. }
        | MetadataError::UnsupportedDataType { .. }
        | MetadataError::UnsupportedExtension { .. }
        | MetadataError::FillValue { .. } => codec.or(grid).unwrap_or("source"),
    };
    field.to_owned()
}

/// The groups of a group job, deepest first, the root last; then the enclosing groups' consolidated metadata.
fn publish_groups(survey: &Survey, format: ZarrFormat, mut nodes: Nodes, target: &mut Target) -> Result<(), Refusal> {
    let refuse = |error: MetadataError| refusals::of_metadata(&error, "source", "consolidated metadata of the target");
    let mut groups: Vec<(&String, _)> = survey.source.groups.iter().collect();
    groups.sort_by_key(|(path, _)| (std::cmp::Reverse(depth(path)), (*path).clone()));
    nodes.extend(groups.iter().map(|(path, group)| ((*path).clone(), group.document.convert(format).documents())));
    for (path, group) in groups {
        let converted = group.document.convert(format);
        let is_wanted = match survey.request.consolidate {
            Some(false) => false,
            Some(true) => group.is_consolidated || path.is_empty(),
            None => group.is_consolidated,
        };
        let documents = if is_wanted {
            converted.documents_with(&consolidated(format, path, &nodes).map_err(refuse)?).map_err(refuse)?
        } else {
            converted.documents()
        };
        target.publish.groups.extend(written(&survey.target.join(path), &documents)?);
    }
    refresh_enclosing(survey, format, &nodes, target)?;
    Ok(())
}

/// Every node below the group at `root`.
fn consolidated(format: ZarrFormat, root: &str, nodes: &Nodes) -> Result<Consolidated, MetadataError> {
    let mut consolidated = Consolidated::new(format);
    for (path, documents) in nodes {
        if let Some(below) = below(root, path) {
            consolidated.insert(below, documents.clone())?;
        }
    }
    Ok(consolidated)
}

/// The path of a node from a group that it lies in.
pub(super) fn below<'a>(group: &str, node: &'a str) -> Option<&'a str> {
    let below =
        if group.is_empty() { Some(node) } else { node.strip_prefix(group).and_then(|rest| rest.strip_prefix('/')) };
    below.filter(|below| !below.is_empty())
}

/// The groups that the target lies in learn of it. The survey refused a target that is more than one node where their
/// metadata is consolidated.
pub(super) fn refresh_enclosing(
    survey: &Survey,
    format: ZarrFormat,
    nodes: &Nodes,
    target: &mut Target,
) -> Result<(), Refusal> {
    let documents = |(_, documents): &(String, Vec<NamedDocument>)| documents.clone();
    for (distance, group) in survey.enclosing.groups.iter().enumerate() {
        if group.format != format {
            let (theirs, ours) = (group.format.number(), format.number());
            let unseen = format!(
                "group {} is Zarr v{theirs}, and the target in it would be v{ours}: readers of the group would not see it",
                group.url,
            );
            if distance == 0 {
                let message = format!("{unseen}; write --zarr-format {theirs}, or choose a place outside of the group");
                return Err(Refusal::invalid("zarr_format", "GROUP_OF_OTHER_FORMAT", message));
            }
            target.warnings.push(unseen);
        } else if group.is_consolidated {
            target.publish.groups.push(Document::Reconsolidate {
                group_url: group.url.to_string(),
                node_path: group.path_of_target.clone(),
                documents: nodes.first().map(documents).unwrap_or_default(),
            });
        }
    }
    Ok(())
}

fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.split('/').count() }
}

/// The documents of one node, to be written; each within the limit.
pub(super) fn written(node: &StoreUrl, documents: &[NamedDocument]) -> Result<Vec<Document>, Refusal> {
    let mut out = Vec::with_capacity(documents.len());
    for (name, body) in documents {
        let url = node.join(name).to_string();
        if u64::try_from(body.len()).unwrap_or(u64::MAX) > MAX_DOCUMENT_BYTES.0 {
            let message = format!(
                "{url} would have {} bytes; metadata documents may have {MAX_DOCUMENT_BYTES}; drop attributes, or \
                 write --consolidate=false",
                body.len()
            );
            return Err(refusals::over_limit("source", "MAX_DOCUMENT_BYTES", message));
        }
        out.push(Document::Write { url, body: body.clone() });
    }
    Ok(out)
}
