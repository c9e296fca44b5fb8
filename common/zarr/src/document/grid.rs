//! Chunk grids of v3: `regular`, and `rectilinear` (an extension), where chunks differ in length along some axes.

use rechunk_common::{geometry::Edges, limits::MAX_UNEQUAL_BOXES};

use super::parse::{chunk_lengths, extension};
use crate::{MetadataError, json::Json};

const REGULAR: &str = "regular";
const RECTILINEAR: &str = "rectilinear";
/// The kind of rectilinear grid whose lengths stand in the document.
const INLINE: &str = "inline";
const CHUNK_SHAPES: &str = "chunk_grid.configuration.chunk_shapes";

/// How an array is cut into objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    /// Length of an object per axis; of the longest where they differ.
    pub(super) lengths: Vec<u64>,
    /// Where objects end along axes where they differ: an entry per axis, or none at all.
    pub(super) edges: Vec<Option<Edges>>,
}

/// One number after another, each so many times.
type Runs = Vec<(u64, u64)>;

impl Grid {
    /// Equal objects.
    pub(super) fn of_equal(lengths: Vec<u64>) -> Self {
        Self { lengths, edges: Vec::new() }
    }

    /// Reads `chunk_grid` of an array of `shape`.
    pub(super) fn parse(value: Option<&Json>, shape: &[u64]) -> Result<Self, MetadataError> {
        let (name, configuration) = extension(value, "chunk_grid")?;
        let option = |key: &str| configuration.and_then(|configuration| configuration.get(key));
        match name.as_str() {
            REGULAR => {
                let field = "chunk_grid.configuration.chunk_shape";
                Ok(Self::of_equal(chunk_lengths(option("chunk_shape"), field, shape.len())?))
            }
            RECTILINEAR => {
                let kind = option("kind").and_then(Json::as_text);
                if kind.as_deref() != Some(INLINE) {
                    let name =
                        format!("{RECTILINEAR} of kind {}", option("kind").map_or("none".to_owned(), Json::compact));
                    return Err(MetadataError::UnsupportedExtension { field: "chunk_grid", name });
                }
                Self::of_lists(option("chunk_shapes"), shape)
            }
            _ => Err(MetadataError::UnsupportedExtension { field: "chunk_grid", name }),
        }
    }

    fn of_lists(value: Option<&Json>, shape: &[u64]) -> Result<Self, MetadataError> {
        let corrupt = |problem: &str| MetadataError::corrupt(CHUNK_SHAPES, problem);
        let axes = value.and_then(Json::as_list).ok_or_else(|| corrupt("not a list of lengths"))?;
        if axes.len() != shape.len() {
            return Err(corrupt(&format!("it has {} axes, the array {}", axes.len(), shape.len())));
        }
        let of_axes = axes.iter().zip(shape).map(|(value, n)| of_axis(value, *n));
        let (lengths, edges): (Vec<u64>, Vec<Option<Edges>>) =
            of_axes.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let edges = if edges.iter().all(Option::is_none) { Vec::new() } else { edges };
        Ok(Self { lengths, edges })
    }

    /// The lengths of all objects along each axis where they differ, else the one length.
    pub(super) fn all_lengths(&self, axis: usize) -> Vec<u64> {
        let equal = || self.lengths.get(axis).copied().into_iter().collect();
        self.edges.get(axis).and_then(Option::as_ref).map_or_else(equal, |edges| edges.lengths().collect())
    }
}

/// Length of the longest chunk, and where chunks end if they differ, along an axis of `n` elements.
fn of_axis(value: &Json, n: u64) -> Result<(u64, Option<Edges>), MetadataError> {
    let corrupt = |problem: String| MetadataError::corrupt(CHUNK_SHAPES, problem);
    if let Some(length) = value.as_u64() {
        return if length > 0 { Ok((length, None)) } else { Err(corrupt("a length is 0".to_owned())) };
    }
    let runs: Option<Runs> = value.as_list().and_then(|values| values.iter().map(run).collect());
    let runs = runs
        .filter(|runs| !runs.is_empty())
        .ok_or_else(|| corrupt(format!("{} is no list of lengths", value.compact())))?;
    if runs.iter().any(|(length, count)| *length == 0 || *count == 0) {
        return Err(corrupt("a length or a count is 0".to_owned()));
    }
    let Some(covering) = covering(&runs, n) else {
        return Err(corrupt(format!("the chunks end before the axis of {n} elements does")));
    };
    // Of an empty axis no chunk is there, whatever its length.
    let first = runs.first().map_or(1, |(length, _)| *length);
    match covering.as_slice() {
        [] => Ok((first, None)),
        [(length, _)] => Ok((*length, None)),
        unequal => {
            let count = unequal.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
            let edges = Edges::of_runs(unequal).ok_or_else(|| MetadataError::Limit {
                what: "chunks of unequal lengths along an axis",
                value: count.to_string(),
                limit: u64::try_from(MAX_UNEQUAL_BOXES).unwrap_or(u64::MAX),
            })?;
            Ok((edges.longest(), Some(edges)))
        }
    }
}

/// A length, or a length and how often it comes.
fn run(value: &Json) -> Option<(u64, u64)> {
    if let Some(length) = value.as_u64() {
        return Some((length, 1));
    }
    match value.as_list()? {
        [length, count] => Some((length.as_u64()?, count.as_u64()?)),
        _ => None,
    }
}

/// The runs of chunks that share an element with the first `n`, neighbours of one length put together; `None` where the
/// chunks end before.
fn covering(runs: &Runs, n: u64) -> Option<Runs> {
    let mut covering = Runs::new();
    let mut left = n;
    for (length, count) in runs {
        if left == 0 {
            break;
        }
        let used = left.div_ceil(*length).min(*count);
        left = left.saturating_sub(used.saturating_mul(*length));
        match covering.last_mut() {
            Some((before, known)) if before == length => *known = known.saturating_add(used),
            _ => covering.push((*length, used)),
        }
    }
    (left == 0).then_some(covering)
}

/// The member `chunk_grid`, in the place and with the members of `before` where that is of the same kind.
pub(crate) fn spelt(before: &Json, lengths: &[u64], edges: &[Option<Edges>]) -> Json {
    if edges.iter().any(Option::is_some) {
        let of_axis = |(axis, length): (usize, &u64)| match edges.get(axis).and_then(Option::as_ref) {
            Some(edges) => Json::List(edges.runs().into_iter().map(spelt_run).collect()),
            None => Json::number(*length),
        };
        let shapes = Json::List(lengths.iter().enumerate().map(of_axis).collect());
        let configuration = Json::object([("kind", Json::text(INLINE)), ("chunk_shapes", shapes)]);
        return Json::object([("name", Json::text(RECTILINEAR)), ("configuration", configuration)]);
    }
    let is_regular = extension(Some(before), "chunk_grid").is_ok_and(|(name, _)| name == REGULAR);
    let Some(mut grid) = before.as_object().filter(|_| is_regular).cloned() else {
        return Json::object([("name", Json::text(REGULAR)), ("configuration", of_equal(lengths))]);
    };
    let mut configuration = grid.get("configuration").and_then(Json::as_object).cloned().unwrap_or_default();
    configuration.set("chunk_shape", Json::numbers(lengths));
    grid.set("configuration", Json::Object(configuration));
    Json::Object(grid)
}

fn of_equal(lengths: &[u64]) -> Json {
    Json::object([("chunk_shape", Json::numbers(lengths))])
}

fn spelt_run((length, count): (u64, u64)) -> Json {
    if count == 1 { Json::number(length) } else { Json::numbers(&[length, count]) }
}
