//! `--chunks`: from specs to the length of a target chunk per axis of every array.

use rechunk_common::{ByteCount, Refusal, geometry::Edges};
use rechunk_planner::advice::{self, AUTO_CHUNK_BYTES, ChunkAxis};

use super::{
    assignment::{self, Asked, AskedOfArray},
    spec::Value,
    subject::{Subject, Subjects},
};

/// A task holds some open target chunks, encoded ones and pieces of the source beside them: with a budget of this many
/// chunks it does so with ease.
const CHUNKS_IN_BUDGET: u64 = 8;

/// What `auto` aims at where tasks may hold `budget`: [`AUTO_CHUNK_BYTES`], and less where the memory is little.
pub(super) fn aim_of_auto(budget: ByteCount) -> ByteCount {
    AUTO_CHUNK_BYTES.min(ByteCount(budget.0 / CHUNKS_IN_BUDGET))
}

/// The target chunks of all arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChunkChoices {
    /// Per array, in their order.
    pub(super) arrays: Vec<ChunkChoice>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// The target chunks (inner chunks where sharded) of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChunkChoice {
    /// Length per axis; of the longest where they differ.
    pub(super) chunks: Vec<u64>,
    /// Where they end along axes where they differ in length: an entry per axis, or none at all.
    pub(super) edges: Vec<Option<Edges>>,
    /// Lengths that differ were asked for, and not those of the source kept.
    pub(super) are_edges_asked: bool,
    /// The field of the request that chose them; `None` where nothing did, and they are the source's.
    pub(super) field: Option<String>,
}

/// Reads the specs `chunks[0]…` against the arrays. An array that none is about keeps its chunks; chunks of `auto` aim
/// at `aim` decoded bytes.
pub(super) fn choose(specs: &[String], subjects: Subjects<'_>, aim: ByteCount) -> Result<ChunkChoices, Refusal> {
    let fields: Vec<(String, &str)> =
        specs.iter().enumerate().map(|(index, text)| (format!("chunks[{index}]"), text.as_str())).collect();
    let assignment = assignment::assign(&fields, subjects)?;
    let arrays = subjects.arrays.iter().zip(&assignment.arrays).map(|(subject, asked)| match asked {
        Some(asked) => of_array(subject, asked, aim),
        None => Ok(kept(subject)),
    });
    Ok(ChunkChoices { arrays: arrays.collect::<Result<_, _>>()?, warnings: assignment.warnings })
}

/// Whether chunks have more than one length; else they are a regular grid.
fn differ(edges: &Edges) -> bool {
    edges.longest() != edges.shortest()
}

/// The chunks of the source.
fn kept(subject: &Subject) -> ChunkChoice {
    let longest = |(axis, length): (usize, &u64)| subject.edges_along(axis).map_or(*length, Edges::longest);
    let chunks = subject.chunks.iter().enumerate().map(longest).collect();
    let edges = subject.edges.iter().map(|edges| edges.clone().filter(differ)).collect();
    ChunkChoice { chunks, edges, are_edges_asked: false, field: None }
}

fn of_array(subject: &Subject, asked: &AskedOfArray, aim: ByteCount) -> Result<ChunkChoice, Refusal> {
    let ChunkChoice { mut chunks, mut edges, mut are_edges_asked, .. } = kept(subject);
    let mut sized: Option<(usize, ByteCount, &str)> = None;
    let mut is_auto = vec![false; chunks.len()];
    for (axis, ((slot, is_auto), asked)) in chunks.iter_mut().zip(&mut is_auto).zip(asked).enumerate() {
        let Some(Asked { value, field }) = asked else { continue };
        let whole = subject.length(axis).max(1);
        if *value != Value::Keep {
            edges.resize(subject.chunks.len(), None);
            if let Some(edges) = edges.get_mut(axis) {
                *edges = None;
            }
        }
        match value {
            Value::Length { elements, exact: true } => *slot = *elements,
            Value::Length { elements, exact: false } => *slot = (*elements).min(whole),
            Value::Whole => *slot = whole,
            Value::Keep => {}
            Value::Lengths(asked) => {
                let reaching = reaching(subject, axis, asked, field)?;
                *slot = reaching.longest();
                are_edges_asked |= differ(&reaching);
                if let Some(edges) = edges.get_mut(axis) {
                    *edges = Some(reaching).filter(differ);
                }
            }
            Value::Auto => *is_auto = true,
            Value::Size(size) => match sized {
                None => sized = Some((axis, *size, field)),
                Some(_) => return Err(second_size(subject, field)),
            },
        }
    }
    match sized {
        Some((_, _, field)) if is_auto.contains(&true) => return Err(size_and_auto(subject, field)),
        Some((axis, size, field)) => {
            let length = fitting(size, subject.width, &chunks, axis, 1)
                .ok_or_else(|| too_small(subject, axis, size, &chunks, field))?;
            if let Some(slot) = chunks.get_mut(axis) {
                *slot = aligned(subject, axis, length, 1).min(subject.length(axis).max(1));
            }
        }
        None if is_auto.contains(&true) => chunks = advised(subject, &chunks, &is_auto, aim),
        None => {}
    }
    // A 0-d array's spec has no value, and nothing can be wrong with its chunk.
    let field = asked.iter().flatten().map(|asked| asked.field.clone()).next();
    Ok(ChunkChoice { chunks, edges, are_edges_asked, field })
}

/// Lengths that were asked for, which must reach to the end of their axis.
fn reaching(subject: &Subject, axis: usize, asked: &Edges, field: &str) -> Result<Edges, Refusal> {
    let n = subject.length(axis);
    let too_short = || {
        let (of, end) = (subject.called(), asked.total());
        let message =
            format!("the lengths along axis {axis} of {of} add up to {end}, and it has {n} elements; add the rest");
        Refusal::invalid(field, "CHUNKS_TOO_SHORT", message)
    };
    // Chunks that begin behind the end are none.
    if asked.total() < n { Err(too_short()) } else { Ok(asked.up_to(n)) }
}

/// The planner's advice for the axes that are left to it.
fn advised(subject: &Subject, chunks: &[u64], is_auto: &[bool], aim: ByteCount) -> Vec<u64> {
    let axes = chunks.iter().zip(is_auto).zip(&subject.chunks).enumerate();
    let axes: Vec<ChunkAxis> = axes
        .map(|(axis, ((chunk, is_auto), source))| ChunkAxis {
            length: subject.length(axis),
            source: *source,
            asked: (!is_auto).then_some(*chunk),
        })
        .collect();
    advice::chunks(&axes, subject.width, aim)
}

/// `length`, a multiple of `step`, or a little less where that lines up with the source's chunks.
pub(super) fn aligned(subject: &Subject, axis: usize, length: u64, step: u64) -> u64 {
    let source = subject.chunks.get(axis).copied().unwrap_or(1);
    advice::aligned(length, step, subject.length(axis), source)
}

/// The greatest multiple of `step` that, as the length along `axis`, keeps a box of `lengths` within `size`; `None`
/// where not even `step` does.
pub(super) fn fitting(size: ByteCount, width: u64, lengths: &[u64], axis: usize, step: u64) -> Option<u64> {
    let others = lengths.iter().enumerate().filter(|(other, _)| *other != axis);
    let one = others.fold(width.max(1), |bytes, (_, length)| bytes.saturating_mul(*length));
    let steps = size.0.checked_div(one.saturating_mul(step))?;
    (steps > 0).then(|| steps.saturating_mul(step))
}

fn too_small(subject: &Subject, axis: usize, size: ByteCount, chunks: &[u64], field: &str) -> Refusal {
    let others = chunks.iter().enumerate().filter(|(other, _)| *other != axis);
    let one = others.fold(subject.width, |bytes, (_, length)| bytes.saturating_mul(*length));
    Refusal::invalid(
        field,
        "CHUNK_SIZE_TOO_SMALL",
        format!(
            "one element along axis {axis} of {} takes {} with the other lengths {chunks:?}, more than {size}; \
             raise the size or shorten the other axes",
            subject.called(),
            ByteCount(one)
        ),
    )
}

/// Two specs without a name may meet in one array, a size from one and `auto` from the other.
pub(super) fn size_and_auto(subject: &Subject, field: &str) -> Refusal {
    let message =
        format!("{} is given a size and auto, which has a size of its own; write one of them", subject.called());
    Refusal::invalid(field, "INVALID_CHUNK_SPEC", message)
}

/// Two specs without a name may each give a size, on axes that meet in one array.
pub(super) fn second_size(subject: &Subject, field: &str) -> Refusal {
    let message =
        format!("{} is given a size on two axes; give it on one, and lengths on the others", subject.called());
    Refusal::invalid(field, "INVALID_CHUNK_SPEC", message)
}
