//! What surrounds the copy: clearing the target before, checking the source and publishing after, and the clean-up of a
//! cancelled job.

use rechunk_common::{
    ByteCount, Counts, Refusal, limits,
    plan::{
        CheckSource, ClearPrefix, Document, MultiStagePipeline, ParallelPipelines, PrefixPart, PublishMetadata,
        RetryPolicy, Stage, StageEffect, StageFunction,
    },
};

use crate::{PlanInput, copy::SMALL_TASK_BYTES, refusal};

/// Deletes what lies at the target: metadata first, so that no reader sees an array whose chunks are going.
pub(crate) fn prepare(input: &PlanInput) -> Option<MultiStagePipeline> {
    let prefixes = input.clear.as_ref().map(|clear| &clear.prefixes).filter(|prefixes| !prefixes.is_empty())?;
    Some(pipeline("prepare", clearing(input, prefixes, "clear_metadata", "clear_target")))
}

/// Removes all that the job may have written.
pub(crate) fn cleanup(input: &PlanInput) -> ParallelPipelines {
    if input.cleanup_prefixes.is_empty() {
        return ParallelPipelines::default();
    }
    let stages = clearing(input, &input.cleanup_prefixes, "clear_metadata", "clear_everything");
    ParallelPipelines { pipelines: vec![pipeline("cleanup", stages)] }
}

/// Leaves the temporary space empty if there was one, checks the source, then publishes arrays, then groups; `None`
/// where there is nothing to do.
pub(crate) fn finish(input: &PlanInput, had_temp: bool) -> Result<Option<MultiStagePipeline>, Refusal> {
    let mut stages = Vec::new();
    if had_temp && !input.temp.keep {
        // Each group has deleted its own; an attempt that outlived its lease may have written one of them again.
        let prefixes = vec![input.temp.space.clone()];
        let function = StageFunction::ClearPrefix(ClearPrefix { prefixes, part: PrefixPart::Everything });
        // Bitmaps of sources with gaps lie there to the end.
        let bitmaps = input.copies.iter().filter_map(|spec| spec.listed.as_ref()?.source.presence.as_ref()).count();
        let delete_requests = u64::try_from(bitmaps).unwrap_or(u64::MAX);
        let counts = Counts { metadata_requests: 1, delete_requests, ..Counts::default() };
        stages.push(stage(input, "clear_temp", function, 1, StageEffect::Destroys, counts));
    }
    if !input.pinned.is_empty() {
        let documents = input.pinned.clone();
        let counts =
            Counts { metadata_requests: u64::try_from(documents.len()).unwrap_or(u64::MAX), ..Counts::default() };
        let function = StageFunction::CheckSource(CheckSource { documents });
        stages.push(stage(input, "check_source", function, 1, StageEffect::Writes, counts));
    }
    publish(input, "publish_arrays", &input.publish.arrays, &mut stages)?;
    publish(input, "publish_groups", &input.publish.groups, &mut stages)?;
    Ok((!stages.is_empty()).then(|| pipeline("finish", stages)))
}

fn clearing(input: &PlanInput, prefixes: &[String], first: &str, second: &str) -> Vec<Stage> {
    let tasks = u64::try_from(prefixes.len()).unwrap_or(u64::MAX);
    [(first, PrefixPart::Metadata), (second, PrefixPart::Everything)]
        .map(|(name, part)| {
            let function = StageFunction::ClearPrefix(ClearPrefix { prefixes: prefixes.to_vec(), part });
            // How much lies there is not known before it is listed: nothing is predicted.
            stage(input, name, function, tasks, StageEffect::Destroys, Counts::default())
        })
        .into()
}

/// As many stages as it takes to keep the documents of each within what travels in a lease.
fn publish(input: &PlanInput, name: &str, documents: &[Document], stages: &mut Vec<Stage>) -> Result<(), Refusal> {
    let mut batch: Vec<Document> = Vec::new();
    let mut batch_bytes: u64 = 0;
    for document in documents {
        let bytes = document_bytes(document)?;
        let together = batch_bytes.saturating_add(bytes);
        if together > limits::MAX_STAGE_DOCUMENT_BYTES.0 && !batch.is_empty() {
            stages.push(publishing(input, name, std::mem::take(&mut batch)));
            batch_bytes = bytes;
        } else {
            batch_bytes = together;
        }
        batch.push(document.clone());
    }
    if !batch.is_empty() {
        stages.push(publishing(input, name, batch));
    }
    Ok(())
}

fn publishing(input: &PlanInput, name: &str, documents: Vec<Document>) -> Stage {
    let tasks = u64::try_from(documents.len()).unwrap_or(u64::MAX);
    let counts = Counts { metadata_requests: tasks, ..Counts::default() };
    let function = StageFunction::PublishMetadata(PublishMetadata { documents });
    stage(input, name, function, tasks, StageEffect::Publishes, counts)
}

/// URL and content, refused above the limit of a document.
fn document_bytes(document: &Document) -> Result<u64, Refusal> {
    let (url, lengths): (&str, Vec<usize>) = match document {
        Document::Write { url, body } => (url, vec![body.len()]),
        Document::Reconsolidate { group_url, node_path, documents } => {
            let parts = documents.iter().map(|(name, body)| name.len().saturating_add(body.len()));
            (group_url, parts.chain([node_path.len()]).collect())
        }
    };
    let content = lengths.into_iter().fold(0_usize, usize::saturating_add);
    let content = u64::try_from(content).unwrap_or(u64::MAX);
    if content > limits::MAX_DOCUMENT_BYTES.0 {
        let message = format!(
            "the metadata document {url} has {}, and {} is the most that one may have",
            ByteCount(content),
            limits::MAX_DOCUMENT_BYTES
        );
        return Err(refusal::limit("DOCUMENT_TOO_LARGE", message).at("source"));
    }
    Ok(content.saturating_add(u64::try_from(url.len()).unwrap_or(u64::MAX)))
}

fn pipeline(name: &str, stages: Vec<Stage>) -> MultiStagePipeline {
    MultiStagePipeline { name: name.to_owned(), stages, temp_bytes: ByteCount(0) }
}

fn stage(
    input: &PlanInput,
    name: &str,
    function: StageFunction,
    task_count: u64,
    effect: StageEffect,
    predicted: Counts,
) -> Stage {
    Stage {
        name: name.to_owned(),
        array: None,
        function,
        task_count,
        // Listings and documents are small beside the reserve: no budget is too small for them.
        task_memory: ByteCount(SMALL_TASK_BYTES.min(input.memory.budget.0)),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect,
        predicted,
    }
}
