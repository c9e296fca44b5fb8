//! `--shards`: from specs, `keep` or `none` to the length of a target shard per axis of every array. Omitted, an array
//! whose chunks change is written unsharded, and one that keeps them keeps its shards.

use rechunk_common::Refusal;
use rechunk_planner::advice::{self, ShardAxis};

use super::{
    assignment::{self, Asked, AskedOfArray},
    chunk_spec::{ChunkChoice, aligned, fitting, second_size, size_and_auto},
    spec::Value,
    subject::{Subject, Subjects},
};

/// The target shards of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShardChoice {
    /// Length per axis; `None`: one object per chunk.
    pub(super) shards: Option<Vec<u64>>,
    /// The field of the request that chose them; `None` where nothing did.
    pub(super) field: Option<String>,
}

/// A spec that is one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Keep,
    None,
}

/// Reads the specs `shards[0]…` against the arrays and their target chunks. Warnings are one sentence each.
pub(super) fn choose(
    specs: &[String],
    subjects: Subjects<'_>,
    chunks: &[ChunkChoice],
) -> Result<(Vec<ShardChoice>, Vec<String>), Refusal> {
    let mut of_all: Option<(Word, String)> = None;
    let mut of_named: Vec<Option<(Word, String)>> = vec![None; subjects.arrays.len()];
    let mut others: Vec<(String, &str)> = Vec::new();
    for (index, text) in specs.iter().enumerate() {
        let field = format!("shards[{index}]");
        let (array, rest) =
            subjects.split_name(text).map_or((None, text.as_str()), |(array, rest)| (Some(array), rest));
        let Some(word) = word(rest) else {
            others.push((field, text));
            continue;
        };
        let slot = match array {
            Some(array) => of_named.get_mut(array),
            None => Some(&mut of_all),
        };
        match slot {
            Some(slot @ None) => *slot = Some((word, field)),
            Some(Some((_, earlier))) => return Err(given_twice(text, earlier, &field)),
            None => {}
        }
    }
    let assignment = assignment::assign(&others, subjects)?;
    let mut choices = Vec::with_capacity(subjects.arrays.len());
    let arrays = subjects.arrays.iter().zip(chunks).zip(of_named).zip(&assignment.arrays);
    for (((subject, chunks), of_named), asked) in arrays {
        let choice = match (of_named, asked, &of_all) {
            (Some((_, field)), Some(asked), _) if is_named(asked, &others, subjects) => {
                return Err(given_twice(&subject.name, &field, first_field(asked)));
            }
            (Some((word, field)), _, _) => of_word(word, subject, field),
            (None, Some(asked), _) => of_array(subject, &chunks.chunks, asked)?,
            (None, None, Some((word, field))) => of_word(*word, subject, field.clone()),
            (None, None, None) => omitted(subject, &chunks.chunks),
        };
        refuse_uneven(subject, &chunks.chunks, &choice)?;
        choices.push(choice);
    }
    if let (false, Some((_, field)), Some((other, text))) = (subjects.is_group, &of_all, others.first()) {
        return Err(given_twice(text, field, other));
    }
    Ok((choices, assignment.warnings))
}

fn word(text: &str) -> Option<Word> {
    match text.trim() {
        "keep" => Some(Word::Keep),
        "none" => Some(Word::None),
        _ => None,
    }
}

fn of_word(word: Word, subject: &Subject, field: String) -> ShardChoice {
    let shards = match word {
        Word::Keep => subject.shards.clone(),
        Word::None => None,
    };
    ShardChoice { shards, field: Some(field) }
}

fn omitted(subject: &Subject, chunks: &[u64]) -> ShardChoice {
    let is_unchanged = subject.chunks == chunks;
    ShardChoice { shards: subject.shards.clone().filter(|_| is_unchanged), field: None }
}

fn unequal(subject: &Subject, field: &str) -> Refusal {
    let message =
        format!("shards have one length, and {} is given lengths that differ; write one number", subject.called());
    Refusal::invalid(field, "UNEQUAL_SHARDS", message)
}

/// Whether the values come from a spec that names this array, rather than from one that goes by dimension.
fn is_named(asked: &AskedOfArray, specs: &[(String, &str)], subjects: Subjects<'_>) -> bool {
    let field = first_field(asked);
    specs.iter().any(|(known, text)| known == field && subjects.split_name(text).is_some())
}

fn first_field(asked: &AskedOfArray) -> &str {
    asked.iter().flatten().map(|asked| asked.field.as_str()).next().unwrap_or("shards")
}

fn of_array(subject: &Subject, chunks: &[u64], asked: &AskedOfArray) -> Result<ShardChoice, Refusal> {
    // A dimension not named keeps its shard length; one chunk where the source has no shards.
    let mut shards = subject.shards.clone().unwrap_or_else(|| chunks.to_vec());
    let mut sized = None;
    let mut is_auto = vec![false; shards.len()];
    for (axis, ((slot, asked), chunk)) in shards.iter_mut().zip(asked).zip(chunks).enumerate() {
        let Some(Asked { value, field }) = asked else { continue };
        let whole = whole_chunks(subject.length(axis), *chunk);
        match value {
            Value::Length { elements, exact: true } => *slot = *elements,
            Value::Length { elements, exact: false } => *slot = (*elements).min(whole),
            Value::Whole => *slot = whole,
            Value::Keep => {}
            Value::Lengths(_) => return Err(unequal(subject, field)),
            Value::Auto => is_auto.iter_mut().skip(axis).take(1).for_each(|is_auto| *is_auto = true),
            Value::Size(_) if sized.is_some() => return Err(second_size(subject, field)),
            Value::Size(size) => sized = Some((axis, *size, *chunk, whole, field)),
        }
    }
    if let Some((axis, size, chunk, whole, field)) = sized {
        if is_auto.contains(&true) {
            return Err(size_and_auto(subject, field));
        }
        let length = fitting(size, subject.width, &shards, axis, chunk).ok_or_else(|| {
            let message = format!(
                "not one chunk along axis {axis} of {} fits into a shard of {size} with the other lengths {shards:?}; \
                 raise the size or shorten the other axes",
                subject.called()
            );
            Refusal::invalid(field, "CHUNK_SIZE_TOO_SMALL", message)
        })?;
        if let Some(slot) = shards.get_mut(axis) {
            *slot = aligned(subject, axis, length, chunk).min(whole);
        }
    }
    if is_auto.contains(&true) {
        shards = advised(subject, chunks, &shards, &is_auto);
        // A shard of one chunk would be that chunk and an index.
        if !is_auto.contains(&false) && shards == chunks {
            return Ok(ShardChoice { shards: None, field: Some(first_field(asked).to_owned()) });
        }
    }
    Ok(ShardChoice { shards: Some(shards), field: Some(first_field(asked).to_owned()) })
}

/// The planner's advice for the axes that are left to it.
fn advised(subject: &Subject, chunks: &[u64], shards: &[u64], is_auto: &[bool]) -> Vec<u64> {
    let axes = chunks.iter().zip(shards).zip(is_auto).enumerate();
    let axes: Vec<ShardAxis> = axes
        .map(|(axis, ((chunk, shard), is_auto))| ShardAxis {
            length: subject.length(axis),
            chunk: *chunk,
            asked: (!is_auto).then_some(*shard),
        })
        .collect();
    advice::shards(&axes, subject.width)
}

/// The axis rounded up to whole chunks, at least one.
fn whole_chunks(length: u64, chunk: u64) -> u64 {
    length.max(1).checked_next_multiple_of(chunk).unwrap_or(chunk)
}

/// A shard is made of whole chunks.
fn refuse_uneven(subject: &Subject, chunks: &[u64], choice: &ShardChoice) -> Result<(), Refusal> {
    let Some(shards) = &choice.shards else { return Ok(()) };
    let uneven = shards.iter().zip(chunks).position(|(shard, chunk)| shard.checked_rem(*chunk) != Some(0));
    let Some(axis) = uneven else { return Ok(()) };
    let (shard, chunk) = (shards.get(axis).copied().unwrap_or(0), chunks.get(axis).copied().unwrap_or(0));
    Err(Refusal::invalid(
        choice.field.as_deref().unwrap_or("shards"),
        "SHARDS_NOT_A_MULTIPLE",
        format!(
            "a shard of {} is {shard} long on axis {axis}, which is not a multiple of its chunk's {chunk}; \
             choose shards of whole chunks, as {}, or write --shards none",
            subject.called(),
            chunk.saturating_mul(shard.div_ceil(chunk.max(1)))
        ),
    ))
}

fn given_twice(text: &str, earlier: &str, field: &str) -> Refusal {
    Refusal::invalid(field, "DUPLICATE_ARRAY", format!("{text:?}: {earlier} says it already; give one spec per array"))
}
