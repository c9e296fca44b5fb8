//! `--chunks`: from specs to the length of a target chunk per axis of every array.

use rechunk_common::{ByteCount, Refusal};

use super::{
    assignment::{self, Asked, AskedOfArray},
    spec::Value,
    subject::{Subject, Subjects},
};

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
    /// Length per axis.
    pub(super) chunks: Vec<u64>,
    /// The field of the request that chose them; `None` where nothing did, and they are the source's.
    pub(super) field: Option<String>,
}

/// Reads the specs `chunks[0]…` against the arrays. An array that none is about keeps its chunks.
pub(super) fn choose(specs: &[String], subjects: Subjects<'_>) -> Result<ChunkChoices, Refusal> {
    let fields: Vec<(String, &str)> =
        specs.iter().enumerate().map(|(index, text)| (format!("chunks[{index}]"), text.as_str())).collect();
    let assignment = assignment::assign(&fields, subjects)?;
    let arrays = subjects.arrays.iter().zip(&assignment.arrays).map(|(subject, asked)| match asked {
        Some(asked) => of_array(subject, asked),
        None => Ok(ChunkChoice { chunks: subject.chunks.clone(), field: None }),
    });
    Ok(ChunkChoices { arrays: arrays.collect::<Result<_, _>>()?, warnings: assignment.warnings })
}

fn of_array(subject: &Subject, asked: &AskedOfArray) -> Result<ChunkChoice, Refusal> {
    let mut chunks = subject.chunks.clone();
    let mut sized: Option<(usize, ByteCount, &str)> = None;
    for (axis, (slot, asked)) in chunks.iter_mut().zip(asked).enumerate() {
        let Some(Asked { value, field }) = asked else { continue };
        let whole = subject.length(axis).max(1);
        match value {
            Value::Length { elements, exact: true } => *slot = *elements,
            Value::Length { elements, exact: false } => *slot = (*elements).min(whole),
            Value::Whole => *slot = whole,
            Value::Keep => {}
            Value::Size(size) => match sized {
                None => sized = Some((axis, *size, field)),
                Some(_) => return Err(second_size(subject, field)),
            },
        }
    }
    if let Some((axis, size, field)) = sized {
        let length = fitting(size, subject.width, &chunks, axis, 1)
            .ok_or_else(|| too_small(subject, axis, size, &chunks, field))?
            .min(subject.length(axis).max(1));
        if let Some(slot) = chunks.get_mut(axis) {
            *slot = length;
        }
    }
    // A 0-d array's spec has no value, and nothing can be wrong with its chunk.
    let field = asked.iter().flatten().map(|asked| asked.field.clone()).next();
    Ok(ChunkChoice { chunks, field })
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

/// Two specs without a name may each give a size, on axes that meet in one array.
pub(super) fn second_size(subject: &Subject, field: &str) -> Refusal {
    let message =
        format!("{} is given a size on two axes; give it on one, and lengths on the others", subject.called());
    Refusal::invalid(field, "INVALID_CHUNK_SPEC", message)
}
