//! One array as the planner sees it: checked once here, believed everywhere else.

use rechunk_common::{Refusal, RefusalCode, geometry::Cut, limits, plan::ShardParts};

use crate::{
    CopySpec,
    axis::{self, product},
    codec::CodecFamily,
    memory::{SourceSide, TargetSide},
    shifted::Shifted,
};

/// A copy spec with elements, whose figures fit into 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Array<'a> {
    pub(crate) spec: &'a CopySpec,
    pub(crate) shape: &'a [u64],
    pub(crate) source: SourceSide<'a>,
    pub(crate) target: TargetSide<'a>,
    /// Length of a source object: the chunk, or the shard.
    pub(crate) read_object: &'a [u64],
    /// Length of a write unit.
    pub(crate) write_unit: &'a [u64],
    /// The array, decoded (T); elements of variable length as is assumed.
    pub(crate) bytes: u64,
    /// Whether elements are of variable length.
    pub(crate) is_variable: bool,
    /// Of the source's chunks.
    pub(crate) source_codec: CodecFamily,
    /// Whether any run of elements of a source chunk can be read alone.
    pub(crate) is_source_raw: bool,
    /// Of the target's chunks.
    pub(crate) target_codec: CodecFamily,
    /// Axes along which chunks of both sides do not begin together, or those of one side differ in length.
    pub(crate) shifted: Shifted,
}

impl<'a> Array<'a> {
    /// `None` for an array without elements.
    pub(crate) fn new(spec: &'a CopySpec) -> Result<Option<Self>, Refusal> {
        let (source, target) = (&spec.source, &spec.target);
        let rank = source.shape.len();
        if rank > limits::MAX_RANK {
            return Err(refuse_limit(spec, "RANK_TOO_HIGH", &format!("{rank} axes, {} at the most", limits::MAX_RANK)));
        }
        if source.shape != target.shape
            || source.bounds() != target.bounds()
            || source.element.width != target.element.width
            || source.element.is_variable() != target.element.is_variable()
        {
            return Err(invalid(spec, "SHAPES_DIFFER", "source and target differ in shape or element size"));
        }
        let width = source.element.width;
        if width > limits::MAX_ELEMENT_BYTES {
            let text = format!("elements of {width} bytes, {} at the most", limits::MAX_ELEMENT_BYTES);
            return Err(refuse_limit(spec, "ELEMENT_TOO_LARGE", &text));
        }
        for (side, layout) in [("source", source), ("target", target)] {
            check_grid(spec, side, layout.chunks.read_unit(), rank)?;
            check_grid(spec, side, layout.chunks.write_unit(), rank)?;
            let mut shards = layout.chunks.write_unit().iter().zip(layout.chunks.read_unit());
            if shards.any(|(shard, chunk)| shard.checked_rem(*chunk) != Some(0)) {
                return Err(invalid(
                    spec,
                    "SHARDS_NOT_A_MULTIPLE",
                    &format!("{side} shards are no multiple of chunks"),
                ));
            }
        }
        if source.shape.contains(&0) {
            return Ok(None);
        }
        let elements = product(source.shape.iter().copied());
        let Some(bytes) = elements.and_then(|elements| elements.checked_mul(source.element.held_bytes())) else {
            return Err(refuse_limit(spec, "ARRAY_TOO_LARGE", "more than 2^64 bytes"));
        };
        let shifted = Shifted::of(source).and(Shifted::of(target));
        let listed = spec.listed.as_ref().map(|listed| &listed.source);
        Ok(Some(Self {
            spec,
            shape: &source.shape,
            source: SourceSide::of(source, spec.source_encoding).listed(source, listed).shifted(shifted),
            target: TargetSide::of(target, spec.target_encoding).filled_from(target, source, listed).shifted(shifted),
            shifted,
            read_object: source.chunks.write_unit(),
            write_unit: target.chunks.write_unit(),
            bytes,
            is_variable: source.element.is_variable(),
            source_codec: CodecFamily::of(source.chunks.codecs()),
            is_source_raw: source.is_raw(),
            target_codec: CodecFamily::of(target.chunks.codecs()),
        }))
    }

    /// The same array with its shards written in `parts`.
    pub(crate) fn written(&self, parts: ShardParts) -> Self {
        Self { target: self.target.written(Some(parts)), ..*self }
    }

    pub(crate) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// One decoded read unit of the source, and one decoded chunk of the target.
    pub(crate) fn chunk_bytes(&self) -> (u64, u64) {
        let of = |chunk: &[u64], width: u64| {
            product(chunk.iter().copied()).and_then(|elements| elements.checked_mul(width)).unwrap_or(u64::MAX)
        };
        (of(self.source.unit, self.source.width), of(self.target.chunk, self.target.width))
    }

    /// How read units of the source cut `axis`.
    pub(crate) fn read_units(&self, axis: usize) -> Option<Cut<'a>> {
        let unit = Cut::from(*self.source.unit.get(axis)?);
        Some(if self.source.shard.is_some() { unit } else { self.objects(axis)? })
    }

    /// How objects of the source cut `axis`.
    pub(crate) fn objects(&self, axis: usize) -> Option<Cut<'a>> {
        let source = &self.spec.source;
        let equal = || self.read_object.get(axis).copied().map(Cut::from);
        source.edges(axis).map(|edges| Cut::unequal(edges, source.origin(axis))).or_else(equal)
    }

    /// Write units in all.
    pub(crate) fn write_unit_count(&self) -> f64 {
        let target = &self.spec.target;
        let along = |(axis, (n, unit)): (usize, (&u64, &u64))| {
            let unequal = target.edges(axis).map(|edges| Cut::unequal(edges, target.origin(axis)));
            unequal.unwrap_or_else(|| Cut::from(*unit)).boxes(*n) as f64
        };
        self.shape.iter().zip(self.write_unit).enumerate().map(along).product()
    }

    /// Read units of the source in all.
    pub(crate) fn read_unit_count(&self) -> f64 {
        let along = |(axis, n): (usize, &u64)| self.read_units(axis).map_or(1.0, |units| units.boxes(*n) as f64);
        self.shape.iter().enumerate().map(along).product()
    }

    /// Along `axis`: length, read unit, source object, write unit; of the longest where they differ.
    pub(crate) fn axis(&self, axis: usize) -> Option<(u64, u64, u64, u64)> {
        let at = |lengths: &[u64]| lengths.get(axis).copied();
        Some((at(self.shape)?, at(self.source.unit)?, at(self.read_object)?, at(self.write_unit)?))
    }
}

fn check_grid(spec: &CopySpec, side: &str, lengths: &[u64], rank: usize) -> Result<(), Refusal> {
    if lengths.len() != rank || lengths.contains(&0) {
        let text = format!("{side} chunks {lengths:?} need one length of at least 1 for each of {rank} axes");
        return Err(invalid(spec, "BAD_CHUNKS", &text));
    }
    let bytes = product(lengths.iter().copied()).and_then(|n| n.checked_mul(spec.source.element.width));
    if bytes.is_none_or(|bytes| bytes > limits::MAX_CHUNK_BYTES.0) {
        let text = format!("{side} chunks or shards {lengths:?} pass {}", limits::MAX_CHUNK_BYTES);
        return Err(refuse_limit(spec, "CHUNK_TOO_LARGE", &text));
    }
    // The last box of a grid may end beyond the array: that end must still be a number.
    let ends = spec.source.shape.iter().zip(lengths).all(|(n, l)| axis::boxes(*n, *l).checked_mul(*l).is_some());
    if ends { Ok(()) } else { Err(refuse_limit(spec, "ARRAY_TOO_LARGE", "an axis that ends beyond 2^64")) }
}

/// The array in a sentence: nothing for an array job.
pub(crate) fn named(spec: &CopySpec) -> String {
    if spec.name.is_empty() { String::new() } else { format!("array {}: ", spec.name) }
}

pub(crate) fn invalid(spec: &CopySpec, reason: &str, text: &str) -> Refusal {
    Refusal::invalid("chunks", reason, format!("{}{text}", named(spec)))
}

pub(crate) fn refuse_limit(spec: &CopySpec, reason: &str, text: &str) -> Refusal {
    Refusal::new(RefusalCode::ResourceExhausted, reason, format!("{}{text}", named(spec))).at("chunks")
}
