//! `--region`: which part of the source is copied. `time=0:1000,lat=10:20` by dimension name, for every array that has
//! one of them, coordinates too; `0:1000,:` by position where the source is one array. Either bound may be left out.

use rechunk_common::{Refusal, layout::ArrayPart};

use super::subject::{Subject, Subjects};

/// The field of the request.
const FIELD: &str = "region";

/// What is asked of one axis: from the first bound to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    start: Option<u64>,
    stop: Option<u64>,
}

/// One term of a region, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    dimension: Option<String>,
    slice: Slice,
    text: String,
    field: String,
}

/// The part of an array that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Length per axis.
    pub(super) shape: Vec<u64>,
    /// Where it begins in the source.
    pub(super) start: Vec<u64>,
}

impl Part {
    /// The part as the source has it.
    pub(super) fn of_source(&self) -> ArrayPart {
        ArrayPart { start: self.start.clone(), origin: self.start.clone() }
    }

    /// The part as the target has it: all of it.
    pub(super) fn of_target(&self) -> ArrayPart {
        ArrayPart { start: self.start.clone(), origin: vec![0; self.start.len()] }
    }

    /// Whether it ends inside one of the source's chunks of `lengths`, of an array of `shape`, before the array does.
    pub(super) fn ends_inside_chunk(&self, shape: &[u64], lengths: &[u64]) -> bool {
        let ends = self.start.iter().zip(&self.shape).map(|(start, length)| start.saturating_add(*length));
        ends.zip(shape).zip(lengths).any(|((end, n), chunk)| end < *n && end.checked_rem(*chunk) != Some(0))
    }
}

/// What the request's region makes of each array, in their order; `None` where an array is copied whole.
pub(super) fn choose(regions: &[String], subjects: Subjects<'_>) -> Result<Vec<Option<Part>>, Refusal> {
    let mut parts = vec![None; subjects.arrays.len()];
    let terms = regions.iter().enumerate().map(|(index, text)| parse(text, &format!("{FIELD}[{index}]")));
    let terms: Vec<Vec<Term>> = terms.collect::<Result<_, _>>()?;
    let (by_position, by_name): (Vec<_>, Vec<_>) =
        terms.iter().partition(|terms| terms.iter().all(|term| term.dimension.is_none()));
    for terms in by_position {
        let Some(first) = terms.first() else { continue };
        let subject = match subjects.arrays {
            [subject] if !subjects.is_group && regions.len() == 1 => subject,
            [_] if !subjects.is_group => {
                return Err(refuse(first, "DUPLICATE_DIMENSION", "give one region by position"));
            }
            _ => {
                let text = format!(
                    "it goes by position, but the source is a group; name dimensions, as time=0:1000: there are {}",
                    subjects.dimensions()
                );
                return Err(refuse(first, "DIMENSION_NEEDED", &text));
            }
        };
        if terms.len() != subject.shape.len() {
            let text = format!("it has {} axes, and {} has {}", terms.len(), subject.called(), subject.shape.len());
            return Err(refuse(first, "RANK_MISMATCH", &text));
        }
        let axes: Vec<(usize, &Term)> = terms.iter().enumerate().collect();
        parts = vec![part_of(subject, &axes)?];
    }
    let named: Vec<&Term> = by_name.into_iter().flatten().collect();
    for (at, term) in named.iter().enumerate() {
        let Some(dimension) = &term.dimension else {
            return Err(refuse(term, "INVALID_REGION", "name a dimension before every slice or before none"));
        };
        if named.iter().take(at).any(|earlier| earlier.dimension == term.dimension) {
            return Err(refuse(term, "DUPLICATE_DIMENSION", &format!("dimension {dimension:?} is given twice")));
        }
        if !subjects.arrays.iter().any(|subject| subject.has_dimension(dimension)) {
            let text = format!(
                "no array of the source has dimension {dimension:?}; the dimension names there are: {}",
                subjects.dimensions()
            );
            return Err(refuse(term, "UNKNOWN_DIMENSION", &text));
        }
    }
    if named.is_empty() {
        return Ok(parts);
    }
    for (subject, part) in subjects.arrays.iter().zip(&mut parts) {
        let mut axes: Vec<(usize, &Term)> = Vec::new();
        for term in &named {
            let mut along = subject.dimensions.iter().enumerate().filter(|(_, name)| **name == term.dimension);
            axes.extend(along.next().map(|(axis, _)| (axis, *term)));
            if along.next().is_some() {
                let text = format!("{} has that dimension on several axes", subject.called());
                return Err(refuse(term, "AMBIGUOUS_DIMENSION", &text));
            }
        }
        *part = part_of(subject, &axes)?;
    }
    Ok(parts)
}

/// The part of one array; `None` where no term is about it, or all of it is asked for.
fn part_of(subject: &Subject, axes: &[(usize, &Term)]) -> Result<Option<Part>, Refusal> {
    let mut part = Part { shape: subject.shape.clone(), start: vec![0; subject.shape.len()] };
    for (axis, term) in axes {
        let n = subject.length(*axis);
        let (start, stop) = (term.slice.start.unwrap_or(0), term.slice.stop.unwrap_or(n));
        if start > n || stop > n {
            let text = format!("axis {axis} of {} has {n} elements", subject.called());
            return Err(refuse(term, "REGION_OUT_OF_RANGE", &text));
        }
        let length = stop.checked_sub(start).filter(|length| *length > 0);
        let Some(length) = length else {
            let text = format!("it holds nothing of axis {axis} of {}, which has {n} elements", subject.called());
            return Err(refuse(term, "REGION_EMPTY", &text));
        };
        if let (Some(of_shape), Some(of_start)) = (part.shape.get_mut(*axis), part.start.get_mut(*axis)) {
            (*of_shape, *of_start) = (length, start);
        }
    }
    Ok((part.shape != subject.shape).then_some(part))
}

fn parse(text: &str, field: &str) -> Result<Vec<Term>, Refusal> {
    text.split(',').map(|term| parse_term(term.trim(), field)).collect()
}

fn parse_term(text: &str, field: &str) -> Result<Term, Refusal> {
    // A slice never contains `=`, a dimension's name may.
    let (dimension, slice) = match text.rsplit_once('=') {
        Some((dimension, slice)) => (Some(dimension.trim().to_owned()), slice.trim()),
        None => (None, text),
    };
    let term = |slice: Slice| Term { dimension, slice, text: text.to_owned(), field: field.to_owned() };
    let wrong =
        |reason: &str, problem: &str| Err(Refusal::invalid(field, reason, format!("region {text:?}: {problem}")));
    let Some((start, stop)) = slice.split_once(':') else {
        return wrong("INVALID_REGION", "write START:STOP, as time=0:1000; either may be left out");
    };
    if stop.contains(':') {
        return wrong("REGION_WITH_STEP", "a region has no step; every element from START to before STOP is copied");
    }
    let bound = |text: &str| -> Option<Option<u64>> {
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok().map(Some)).flatten()
    };
    match (bound(start), bound(stop)) {
        (Some(start), Some(stop)) => Ok(term(Slice { start, stop })),
        (None, _) | (_, None) => {
            wrong("INVALID_REGION", "its bounds are numbers of elements, counted from the start of the axis, from 0 on")
        }
    }
}

fn refuse(term: &Term, reason: &str, problem: &str) -> Refusal {
    Refusal::invalid(&term.field, reason, format!("region {:?}: {problem}", term.text))
}
