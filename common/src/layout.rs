//! How an array lies in a store: all that a worker needs to find, decode, encode and place a chunk, and nothing
//! else. Attributes and names stay in the metadata documents. Both Zarr formats come down to this one form:
//! codecs are Zarr v3 codec metadata, elements are opaque bytes of a fixed width.

use serde::{Deserialize, Serialize};

use crate::geometry::{BoxGrid, Edges, Region};

/// One array in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayLayout {
    /// The URL of the array's node, without a trailing slash.
    pub url: String,
    /// Length per axis, in elements: of the array, or of the part of it.
    pub shape: Vec<u64>,
    /// The type that the codecs see.
    pub element: ElementType,
    /// One element as it stands in a decoded chunk, in the machine's (little-endian) byte order: the value of what
    /// is missing. Zeros, or no bytes, where the array has no fill value.
    pub fill: Vec<u8>,
    /// Whether the array has a fill value; `fill_value: null` of Zarr v2 has none, and then no chunk is left out
    /// for being full of zeros.
    pub has_fill: bool,
    /// How chunks are stored.
    pub chunks: ChunkLayout,
    /// Where objects end along axes where they differ in length (a rectilinear grid), in elements of the array, up to its
    /// end at the least: an entry per axis, or none at all. Their length in `chunks` is then that of the longest; inner
    /// chunks of shards are equal always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Option<Edges>>,
    /// How chunk keys are spelt.
    pub keys: ChunkKeys,
    /// Which part of the array this is about: `shape` is then the length of that part. `None`: all of it.
    pub part: Option<ArrayPart>,
}

/// A box of an array that is copied to or from a box of another: both have the same coordinates, in which they lie in
/// the same place, while chunks stay where they are in each of the arrays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayPart {
    /// Where the box begins in the coordinates that both sides share, per axis: at least `origin`, so that a chunk that
    /// begins before the box has a place.
    pub start: Vec<u64>,
    /// Where it begins in the array, per axis.
    pub origin: Vec<u64>,
}

/// A type as the codec chain sees it: a surrogate of the array's own type with the same width, so that no value is
/// ever interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementType {
    /// A Zarr v3 data type name that the codec library knows: `uint32`, `complex64`, `r40`; or `variable`.
    pub data_type: String,
    /// Bytes of one element; of its descriptor where elements are of variable length.
    pub width: u64,
}

/// How the chunks of an array are stored. Objects are chunks, or shards of inner chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkLayout {
    /// One object per chunk.
    Plain {
        /// Length per axis.
        chunk_shape: Vec<u64>,
        /// The codec chain, as a JSON list of Zarr v3 codec metadata.
        codecs: String,
    },
    /// One object per shard.
    Sharded {
        /// Length of a shard per axis: a multiple of the inner chunk's.
        shard_shape: Vec<u64>,
        /// Length of an inner chunk per axis.
        chunk_shape: Vec<u64>,
        /// The inner codec chain, as a JSON list.
        codecs: String,
        /// The codec chain of the shard index, as a JSON list.
        index_codecs: String,
        /// Where the index stands in the shard.
        index_location: IndexLocation,
    },
}

/// Where the index of a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexLocation {
    /// Before the inner chunks.
    Start,
    /// After the inner chunks; the default.
    End,
}

/// How chunk keys are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkKeys {
    /// Zarr v3 `default`: `c/0/1`, and `c` for a 0-d array.
    Default {
        /// Between the numbers.
        separator: Separator,
    },
    /// Zarr v2 and v3 `v2`: `0.1`, and `0` for a 0-d array.
    V2 {
        /// Between the numbers.
        separator: Separator,
    },
}

/// What stands between the numbers of a chunk key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Separator {
    /// `/`
    Slash,
    /// `.`
    Dot,
}

impl Separator {
    /// The character.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slash => "/",
            Self::Dot => ".",
        }
    }
}

impl ChunkKeys {
    /// The key of the chunk at `position`, relative to the array's node.
    pub fn key(self, position: &[u64]) -> String {
        let join =
            |separator: Separator| position.iter().map(u64::to_string).collect::<Vec<_>>().join(separator.as_str());
        match self {
            Self::Default { .. } if position.is_empty() => "c".to_owned(),
            Self::Default { separator } => format!("c{}{}", separator.as_str(), join(separator)),
            Self::V2 { .. } if position.is_empty() => "0".to_owned(),
            Self::V2 { separator } => join(separator),
        }
    }

    /// The position of the chunk that `key` names in an array of `rank` axes; `None` where it is no chunk key, spelt
    /// exactly as [`ChunkKeys::key`] spells it.
    pub fn position(self, key: &str, rank: usize) -> Option<Vec<u64>> {
        let (Self::Default { separator } | Self::V2 { separator }) = self;
        let numbers = match self {
            Self::Default { .. } if rank > 0 => key.strip_prefix('c')?.strip_prefix(separator.as_str())?,
            Self::Default { .. } | Self::V2 { .. } => key,
        };
        let position: Vec<u64> = if rank == 0 {
            Vec::new()
        } else {
            numbers.split(separator.as_str()).map(|number| number.parse().ok()).collect::<Option<_>>()?
        };
        // A number may be spelt in several ways; a key has one.
        (position.len() == rank && self.key(&position) == key).then_some(position)
    }
}

impl ChunkLayout {
    /// The codec chain of the chunks, or of the inner chunks of shards, as JSON.
    pub fn codecs(&self) -> &str {
        match self {
            Self::Plain { codecs, .. } | Self::Sharded { codecs, .. } => codecs,
        }
    }

    /// Length per axis of the smallest piece that can be read alone: the chunk, or the inner chunk of a shard.
    pub fn read_unit(&self) -> &[u64] {
        match self {
            Self::Plain { chunk_shape, .. } | Self::Sharded { chunk_shape, .. } => chunk_shape,
        }
    }

    /// Length per axis of the smallest piece that must be written whole: the chunk, or the shard.
    pub fn write_unit(&self) -> &[u64] {
        match self {
            Self::Plain { chunk_shape, .. } => chunk_shape,
            Self::Sharded { shard_shape, .. } => shard_shape,
        }
    }

    /// Whether objects of both layouts are cut and laid out alike: chunks, or shards with the same index. That chunks
    /// and their codecs are the same is another question.
    pub fn are_whole_objects_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain { .. }, Self::Plain { .. }) => true,
            (
                Self::Sharded { shard_shape, index_codecs, index_location, .. },
                Self::Sharded {
                    shard_shape: other_shape,
                    index_codecs: other_codecs,
                    index_location: other_location,
                    ..
                },
            ) => shard_shape == other_shape && index_codecs == other_codecs && index_location == other_location,
            (Self::Plain { .. }, Self::Sharded { .. }) | (Self::Sharded { .. }, Self::Plain { .. }) => false,
        }
    }

    /// Whether objects are shards.
    pub fn is_sharded(&self) -> bool {
        matches!(self, Self::Sharded { .. })
    }
}

impl ArrayLayout {
    /// Whether a chunk is an object that holds its elements as they are: any run of them can be read alone.
    pub fn is_raw(&self) -> bool {
        let ChunkLayout::Plain { codecs, .. } = &self.chunks else { return false };
        let Ok(codecs) = serde_json::from_str::<Vec<serde_json::Value>>(codecs) else { return false };
        let [codec] = codecs.as_slice() else { return false };
        let name = codec.get("name").unwrap_or(codec).as_str();
        let is_little = codec.pointer("/configuration/endian").is_none_or(|endian| endian == "little");
        name == Some("bytes") && is_little
    }

    /// The elements that this is about: the array, or the part of it.
    pub fn bounds(&self) -> Region {
        let Some(part) = &self.part else { return Region::whole(&self.shape) };
        let end = part.start.iter().zip(&self.shape).map(|(start, length)| start.saturating_add(*length));
        Region::new(part.start.clone(), end.collect())
    }

    /// Where the bounds begin in the array, along `axis`.
    pub fn origin(&self, axis: usize) -> u64 {
        self.part.as_ref().and_then(|part| part.origin.get(axis).copied()).unwrap_or(0)
    }

    /// Whether all objects have one shape, clipped at the array's end.
    pub fn has_equal_chunks(&self) -> bool {
        self.edges.iter().all(Option::is_none)
    }

    /// Where objects end along `axis`, in elements of the array; `None`: they are equal.
    pub fn edges(&self, axis: usize) -> Option<&Edges> {
        self.edges.get(axis)?.as_ref()
    }

    fn grid(&self, lengths: &[u64]) -> BoxGrid {
        let ahead = self.part.as_ref().map(|part| part.origin.clone());
        BoxGrid::new(self.bounds(), lengths.to_vec()).begun_ahead(ahead.unwrap_or_default())
    }

    /// The grid of read units over the bounds. A position is that of the chunk in the array.
    pub fn read_grid(&self) -> BoxGrid {
        let grid = self.grid(self.chunks.read_unit());
        if self.chunks.is_sharded() { grid } else { grid.cut_at(&self.edges) }
    }

    /// The grid of write units, which is the grid of objects, over the bounds. A position is that of the object in the
    /// array.
    pub fn write_grid(&self) -> BoxGrid {
        self.grid(self.chunks.write_unit()).cut_at(&self.edges)
    }

    /// Boxes of `lengths`, each of whole read units, over `bounds`: the first begins where a unit does, at or before
    /// these. Along an axis where units differ they begin with the bounds, and cut some.
    pub fn boxes_of_read_units(&self, bounds: Region, lengths: Vec<u64>) -> BoxGrid {
        self.boxes(bounds, lengths, self.chunks.read_unit())
    }

    /// The same of write units, or of parts that they are divided into. Along an axis where units differ as many are put
    /// together as a length allows.
    pub fn boxes_of_write_units(&self, bounds: Region, lengths: Vec<u64>) -> BoxGrid {
        let boxes = self.boxes(bounds, lengths, self.chunks.write_unit());
        if self.has_equal_chunks() {
            return boxes;
        }
        let units = self.write_grid();
        let of_axis = |(axis, length): (usize, &u64)| {
            let from_origin = |at: u64| at.saturating_sub(units.origin(axis));
            let (start, end) = (*boxes.bounds().start().get(axis)?, *boxes.bounds().end().get(axis)?);
            units.edges(axis)?.grouped(from_origin(start), from_origin(end), *length)
        };
        let grouped: Vec<Option<(Edges, u64)>> = boxes.lengths().iter().enumerate().map(of_axis).collect();
        let ahead = grouped.iter().enumerate();
        let ahead =
            ahead.map(|(axis, of_axis)| of_axis.as_ref().map_or(boxes.ahead(axis), |(_, ahead)| *ahead)).collect();
        let edges: Vec<Option<Edges>> = grouped.into_iter().map(|of_axis| of_axis.map(|(edges, _)| edges)).collect();
        boxes.begun_ahead(ahead).cut_at(&edges)
    }

    fn boxes(&self, bounds: Region, lengths: Vec<u64>, unit: &[u64]) -> BoxGrid {
        if self.part.is_none() {
            return BoxGrid::new(bounds, lengths);
        }
        // A length that is neither is one that was cut to an axis: of it there is one box.
        let divides = |(unit, length): (&u64, &u64)| if unit.checked_rem(*length) == Some(0) { *length } else { *unit };
        let step: Vec<u64> = unit.iter().zip(&lengths).map(divides).collect();
        let grid = self.grid(&step);
        let of_axis = |(axis, start): (usize, &u64)| match self.edges(axis) {
            Some(_) => 0,
            None => grid.cut(axis, *start).map_or(0, |cut| cut.ahead),
        };
        let ahead = bounds.start().iter().enumerate().map(of_axis).collect();
        BoxGrid::new(bounds, lengths).begun_ahead(ahead)
    }

    /// Whether the objects of both are cut and laid out alike, each where one of the other is. That chunks and their
    /// codecs are the same is another question. A shard that reaches out of a part is not taken as it is.
    pub fn are_whole_objects_of(&self, other: &Self) -> bool {
        let is_whole = |layout: &Self| {
            let units = layout.chunks.write_unit().iter().zip(&layout.shape).enumerate();
            let is_on_edge = |at: u64, unit: u64| at.checked_rem(unit) == Some(0);
            layout.part.is_none()
                || !layout.chunks.is_sharded()
                || units.into_iter().all(|(axis, (unit, length))| {
                    let origin = layout.origin(axis);
                    is_on_edge(origin, *unit) && is_on_edge(origin.saturating_add(*length), *unit)
                })
        };
        self.edges == other.edges
            && self.chunks.are_whole_objects_of(&other.chunks)
            && is_whole(self)
            && is_whole(other)
    }

    /// Decoded size of the array, or of the part of it, in bytes; `None` beyond 2^64.
    pub fn decoded_bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element.width, |bytes, length| bytes.checked_mul(*length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_keys_are_spelt_as_the_specification_says() {
        let slash = Separator::Slash;
        let dot = Separator::Dot;
        assert_eq!(ChunkKeys::Default { separator: slash }.key(&[1, 23]), "c/1/23");
        assert_eq!(ChunkKeys::Default { separator: dot }.key(&[1, 23]), "c.1.23");
        assert_eq!(ChunkKeys::Default { separator: slash }.key(&[]), "c");
        assert_eq!(ChunkKeys::V2 { separator: dot }.key(&[1, 23]), "1.23");
        assert_eq!(ChunkKeys::V2 { separator: slash }.key(&[7]), "7");
        assert_eq!(ChunkKeys::V2 { separator: dot }.key(&[]), "0");
    }

    #[test]
    fn chunks_of_elements_as_they_are_are_told_from_all_others() {
        let layout = |codecs: &str| ArrayLayout {
            url: "memory://layout/a".to_owned(),
            shape: vec![4],
            element: ElementType { data_type: "uint16".to_owned(), width: 2 },
            fill: vec![0, 0],
            has_fill: true,
            chunks: ChunkLayout::Plain { chunk_shape: vec![2], codecs: codecs.to_owned() },
            edges: Vec::new(),
            keys: ChunkKeys::V2 { separator: Separator::Dot },
            part: None,
        };
        let little = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;
        for raw in [format!("[{little}]"), r#"[{"name":"bytes"}]"#.to_owned(), r#"["bytes"]"#.to_owned()] {
            assert!(layout(&raw).is_raw(), "{raw}");
        }
        let big = r#"[{"name":"bytes","configuration":{"endian":"big"}}]"#;
        let transposed = format!(r#"[{{"name":"transpose","configuration":{{"order":[0]}}}},{little}]"#);
        let checked = format!(r#"[{little},{{"name":"crc32c"}}]"#);
        let rounded = format!(r#"[{{"name":"numcodecs.bitround","configuration":{{"keepbits":3}}}},{little}]"#);
        for other in [big, &transposed, &checked, &rounded, "[]", "no JSON", r#"[{"name":"vlen-utf8"}]"#] {
            assert!(!layout(other).is_raw(), "{other}");
        }
        let chunks = ChunkLayout::Sharded {
            shard_shape: vec![4],
            chunk_shape: vec![2],
            codecs: format!("[{little}]"),
            index_codecs: format!("[{little}]"),
            index_location: IndexLocation::End,
        };
        assert!(!ArrayLayout { chunks, ..layout("[]") }.is_raw(), "inner chunks are found by an index");
    }

    #[test]
    fn only_what_a_key_spells_is_read_as_a_position() {
        for separator in [Separator::Slash, Separator::Dot] {
            for keys in [ChunkKeys::Default { separator }, ChunkKeys::V2 { separator }] {
                for position in [vec![], vec![0], vec![1, 23], vec![u64::MAX, 0, 7]] {
                    let key = keys.key(&position);
                    assert_eq!(keys.position(&key, position.len()), Some(position.clone()), "{key}");
                    assert_eq!(keys.position(&key, position.len() + 2), None, "{key}");
                    for foreign in ["0", "", "/x", ".json"] {
                        let foreign = format!("{key}{foreign}0x");
                        assert_eq!(keys.position(&foreign, position.len()), None, "{foreign}");
                    }
                }
            }
        }
        let default = ChunkKeys::Default { separator: Separator::Slash };
        for foreign in
            ["c/01/2", "c/+1/2", "c/1/2/", "c/1", "c.1.2", "1/2", "c/1/-2", "c/1/99999999999999999999", "zarr.json"]
        {
            assert_eq!(default.position(foreign, 2), None, "{foreign}");
        }
        let v2 = ChunkKeys::V2 { separator: Separator::Dot };
        for foreign in ["01.2", "1.2.3", "1/2", ".zarray", "1.", "c.1.2", "1. 2"] {
            assert_eq!(v2.position(foreign, 2), None, "{foreign}");
        }
        assert_eq!(default.position("c/0", 0), None);
        assert_eq!(v2.position("c", 0), None);
    }
}
