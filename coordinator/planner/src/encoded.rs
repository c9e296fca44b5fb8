//! The pass-through: where both sides have the same chunks by the same codecs, chunks are passed on as they are, still
//! encoded; into and out of shards too. The search chooses how many objects one task has.

use rechunk_common::{layout::ArrayLayout, limits, plan::ShardParts};
use serde_json::Value;

use crate::{
    CopySpec,
    array::Array,
    axis,
    cost::{Bests, Fleet, Outlay, Place, StageWork, Traffic},
    fit::Room,
    lengths::{self, Lengths},
    memory, parted,
};

/// The cheapest pass-through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PassThrough {
    /// Length of a task's box per axis.
    pub(crate) writers: Vec<u64>,
    /// The store itself copies the objects.
    pub(crate) by_store: bool,
    pub(crate) outlay: Outlay,
    pub(crate) room: Room,
    /// In what shards are packed that are not held whole.
    pub(crate) parts: Option<ShardParts>,
}

/// Whether what is stored in the source is what would be stored in the target: same chunks, all of one length, with the
/// same edges, same elements, same codecs, and what is missing reads the same. Chunks that must be made where they are
/// missing can't be passed on.
pub(crate) fn is_eligible(spec: &CopySpec) -> bool {
    let (source, target) = (&spec.source, &spec.target);
    source.shape == target.shape
        && source.has_equal_chunks()
        && target.has_equal_chunks()
        && are_cut_alike(source, target)
        && !spec.ends_inside_chunk
        && source.chunks.read_unit() == target.chunks.read_unit()
        && source.element == target.element
        && source.fill == target.fill
        && reads_the_same_where_missing(source, target)
        && !spec.gaps.write_empty_chunks
        && (has_known_lengths(spec) || source.chunks.is_sharded() || source.are_whole_objects_of(target))
        && same_codecs(source.chunks.codecs(), target.chunks.codecs())
}

/// Whether no chunk is longer than is known: of elements of variable length only a listing tells, where chunks are objects.
/// What is packed into a shard must be known before it is read.
fn has_known_lengths(spec: &CopySpec) -> bool {
    !spec.source.element.is_variable() || (spec.listed.is_some() && !spec.source.chunks.is_sharded())
}

/// Whether a part begins with a chunk of either side: what is passed on is whole chunks. One that goes on beyond the end of
/// the part would bring elements along that an array which grows later would show.
fn are_cut_alike(source: &ArrayLayout, target: &ArrayLayout) -> bool {
    let begins_with_chunk = |layout: &ArrayLayout| {
        let mut units = layout.chunks.read_unit().iter().enumerate();
        units.all(|(axis, unit)| layout.origin(axis).checked_rem(*unit) == Some(0))
    };
    begins_with_chunk(source) && begins_with_chunk(target)
}

/// An array without a fill value reads as zeros where nothing is stored, and so does one whose fill value is zero. The
/// other way round values would become undefined.
fn reads_the_same_where_missing(source: &ArrayLayout, target: &ArrayLayout) -> bool {
    target.has_fill || !source.has_fill
}

/// Whether two chains are the same, whatever the order of their fields.
fn same_codecs(one: &str, other: &str) -> bool {
    let parsed = |codecs: &str| serde_json::from_str::<Value>(codecs).ok();
    one == other || parsed(one).is_some_and(|one| parsed(other) == Some(one))
}

/// The cheapest boxes that fit, by each preference; none if none does. Bytes are read and written once whatever the box: it decides how
/// many tasks there are, and how often the index of a shard is read.
pub(crate) fn search(array: &Array, fleet: &Fleet, room: Room) -> Vec<PassThrough> {
    if !is_possible(array) {
        return Vec::new();
    }
    let lengths = lengths::thinned(lengths::all(array.shape, array.write_unit, array.read_object));
    let mut bests: Bests<PassThrough> = Bests::default();
    let tables = tables(array, &lengths);
    let objects =
        |units: &[u64]| array.shape.iter().zip(units).map(|(n, unit)| axis::boxes(*n, *unit) as f64).product();
    let units: f64 = objects(array.source.unit);
    let written: f64 = objects(array.write_unit);
    let is_whole = is_of_whole_objects(array);
    let by_store = is_by_store(array);
    for choice in lengths::choices(lengths.iter().map(Vec::len).collect()) {
        let figures = tables.iter().zip(&choice).map(|(axis, index)| axis.get(*index).copied().flatten());
        let Some((tasks, indexes)) = figures.into_iter().try_fold((1.0, 1.0), |(tasks, indexes), figures| {
            let (axis_tasks, axis_indexes) = figures?;
            Some((tasks * axis_tasks, indexes * axis_indexes))
        }) else {
            continue;
        };
        let reads = match (by_store, is_whole) {
            (true, _) => 0.0,
            (false, true) => written,
            (false, false) => units + has_indexes(array) * indexes,
        };
        let bytes = if by_store { 0.0 } else { array.source_codec.stored_part() * array.bytes as f64 };
        let work = StageWork {
            tasks,
            reads: Traffic { place: Place::Source, requests: reads, bytes },
            writes: Traffic { place: Place::Target, requests: parted::requests(array, written), bytes },
            deletes: 0.0,
            decode_seconds: 0.0,
            encode_seconds: 0.0,
        };
        // Objects are passed on one by one, some at a time: reading and writing overlap as far as they can.
        let outlay = work.least_outlay(fleet);
        if !bests.would_take(&outlay) {
            continue;
        }
        let Some(writers) = lengths::chosen(&lengths, &choice) else { continue };
        let memory = memory::encoded(array, &writers, is_whole, by_store);
        if memory.is_some_and(|memory| room.fits(&memory, fleet.budget).is_some()) {
            let parts = array.target.parts;
            bests.offer(&outlay, &PassThrough { writers, by_store, outlay, room, parts });
        }
    }
    bests.distinct()
}

/// Whether shards can be written as `array` has it: in parts only those that are packed of chunks of known lengths.
fn is_possible(array: &Array) -> bool {
    array.target.parts.is_none() || (!is_of_whole_objects(array) && has_known_lengths(array.spec))
}

/// What the smallest task would hold, at the least; `None` where there is none.
pub(crate) fn least_memory(array: &Array) -> Option<u64> {
    if !is_possible(array) {
        return None;
    }
    let memory = memory::encoded(array, array.write_unit, is_of_whole_objects(array), is_by_store(array))?;
    memory.total(memory.least_pieces)
}

/// Tasks and index reads of one axis at each of its lengths.
fn tables(array: &Array, lengths: &Lengths) -> Vec<Vec<Option<(f64, f64)>>> {
    let of_axis = |axis: usize, length: u64| {
        let n = *array.shape.get(axis)?;
        Some((axis::boxes(n, length) as f64, axis::pairs(n, array.objects(axis)?, length)? as f64))
    };
    let axes = lengths.iter().enumerate();
    axes.map(|(axis, lengths)| lengths.iter().map(|length| of_axis(axis, *length)).collect()).collect()
}

fn has_indexes(array: &Array) -> f64 {
    if array.source.shard.is_some() { 1.0 } else { 0.0 }
}

fn is_of_whole_objects(array: &Array) -> bool {
    array.spec.source.are_whole_objects_of(&array.spec.target)
}

/// Whether the store itself copies the objects: both sides lie in one, and what is in an object need not be seen. The
/// longest object must be one that stores copy at once. What is to be verified must be seen.
fn is_by_store(array: &Array) -> bool {
    let is_seen = array.spec.gaps.strict && array.target.shard.is_some();
    let longest = || Some(memory::encoded(array, array.write_unit, true, true)?.piece);
    array.spec.one_store
        && !array.spec.verify
        && is_of_whole_objects(array)
        && !is_seen
        && longest().is_some_and(|longest| longest <= limits::MAX_STORE_COPY.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_compared_by_what_they_say() {
        let zstd = r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;
        let turned = r#"[ {"configuration":{"endian":"little"},"name":"bytes"}, {"name":"zstd","configuration":{"checksum":false,"level":1}} ]"#;
        assert!(same_codecs(zstd, turned));
        assert!(!same_codecs(zstd, &zstd.replace('1', "2")));
        assert!(!same_codecs(zstd, r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#));
        assert!(!same_codecs("[", "] "), "what cannot be read is not the same as anything else");
    }
}
