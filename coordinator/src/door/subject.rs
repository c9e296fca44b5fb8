//! What the specs of a request need to know of an array, and which array a spec names.

use rechunk_common::{Refusal, geometry::Edges};

/// An array of the source, as specs see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// Path from the group's root; empty for an array job.
    pub(super) name: String,
    /// Length per axis.
    pub(super) shape: Vec<u64>,
    /// Name per axis, where there is one.
    pub(super) dimensions: Vec<Option<String>>,
    /// Length of a chunk (of an inner chunk where sharded) per axis.
    pub(super) chunks: Vec<u64>,
    /// Where chunks end along axes where they differ in length: an entry per axis, or none at all.
    pub(super) edges: Vec<Option<Edges>>,
    /// Length of a shard per axis.
    pub(super) shards: Option<Vec<u64>>,
    /// Bytes of one element.
    pub(super) width: u64,
}

impl Subject {
    /// Where chunks end along an axis where they differ in length.
    pub(super) fn edges_along(&self, axis: usize) -> Option<&Edges> {
        self.edges.get(axis)?.as_ref()
    }

    /// The same array, of which only a part is meant.
    pub(super) fn restrict(&mut self, start: &[u64], shape: &[u64]) {
        let along = |((edges, start), length): ((&Option<Edges>, &u64), &u64)| {
            edges.as_ref().and_then(|edges| edges.within(*start, start.saturating_add(*length)))
        };
        self.edges = self.edges.iter().zip(start).zip(shape).map(along).collect();
        self.shape = shape.to_vec();
    }

    /// Length of an axis.
    pub(super) fn length(&self, axis: usize) -> u64 {
        self.shape.get(axis).copied().unwrap_or(0)
    }

    /// Whether the array is a coordinate: 1-D and named like its dimension.
    pub(super) fn is_coordinate(&self) -> bool {
        let own_name = self.name.rsplit('/').next().unwrap_or(&self.name);
        matches!(self.dimensions.as_slice(), [Some(dimension)] if dimension == own_name)
    }

    /// Whether an axis has this name.
    pub(super) fn has_dimension(&self, dimension: &str) -> bool {
        self.dimensions.iter().flatten().any(|name| name == dimension)
    }

    /// How messages call the array.
    pub(super) fn called(&self) -> String {
        if self.name.is_empty() { "the array".to_owned() } else { format!("array {:?}", self.name) }
    }
}

/// The arrays that a request's specs are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subjects<'a> {
    /// The arrays, in the order of their names.
    pub(super) arrays: &'a [Subject],
    /// Whether the source is a group: then a spec may, and a positional one must, name its array.
    pub(super) is_group: bool,
}

impl Subjects<'_> {
    /// Splits `NAME:REST` of a group job at the first colon whose left part is an array: names and dimensions may have
    /// colons themselves. `None` and the whole text where no array is named; a name of no array is refused.
    pub(super) fn name_and_rest<'t>(&self, text: &'t str, field: &str) -> Result<(Option<usize>, &'t str), Refusal> {
        match self.split_name(text) {
            Some((array, rest)) => Ok((Some(array), rest)),
            None => self.refuse_unknown_name(text, field).map(|()| (None, text)),
        }
    }

    /// `NAME:REST` where NAME is an array of the group.
    pub(super) fn split_name<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        if !self.is_group {
            return None;
        }
        text.match_indices(':').find_map(|(at, _)| {
            let (name, rest) = (text.get(..at)?, text.get(at.checked_add(1)?..)?);
            self.position(name.trim()).map(|array| (array, rest))
        })
    }

    /// The array called `name`.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.arrays.iter().position(|array| array.name == name)
    }

    /// Refuses text that looks like `NAME:SPEC`, unless the colon belongs to the name of a dimension.
    fn refuse_unknown_name(&self, text: &str, field: &str) -> Result<(), Refusal> {
        let Some((name, _)) = text.split_once(':') else { return Ok(()) };
        let dimension_of = |term: &'_ str| term.rsplit_once('=').map(|(name, _)| name.trim().to_owned());
        let is_dimension = |name: &str| self.arrays.iter().any(|array| array.has_dimension(name));
        let with_colon = text.split(',').filter(|term| term.contains(':'));
        if with_colon.map(dimension_of).all(|name| name.is_some_and(|name| is_dimension(&name))) {
            return Ok(());
        }
        let message = if self.is_group {
            format!("{text:?}: no array {name:?} in the source; its arrays are: {}", self.names())
        } else {
            format!("{text:?} names array {name:?}, but the source is one array; write the spec without a name")
        };
        Err(Refusal::invalid(field, "UNKNOWN_ARRAY", message))
    }

    /// The names of the first arrays, for messages.
    pub(super) fn names(&self) -> String {
        listed(self.arrays.iter().map(|array| array.name.as_str()))
    }

    /// The names of the first dimensions, for messages.
    pub(super) fn dimensions(&self) -> String {
        let names: std::collections::BTreeSet<&str> =
            self.arrays.iter().flat_map(|array| &array.dimensions).flatten().map(String::as_str).collect();
        listed(names.into_iter())
    }
}

/// `a, b, c`, cut after a dozen names; `none` where there is no name.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.collect();
    match names.len().checked_sub(SHOWN) {
        _ if names.is_empty() => "none".to_owned(),
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.get(..SHOWN).unwrap_or_default().join(", ")),
    }
}
