//! Random small copies.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rechunk_common::{
    ByteCount,
    geometry::{BoxGrid, Edges},
    layout::{ArrayLayout, ArrayPart, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
    plan::{
        CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, CopyThroughScratch, Exchange, ExchangeCodec,
        ExchangeEncoding, GapPolicy, Packing, ReadBackAs, ShardParts, Verify,
    },
};

use super::oracle;

/// By which functions the copy is made.
#[derive(Debug, Clone)]
pub(in crate::copy) enum Shape {
    Direct,
    Exchange { readers: Vec<u64>, packed: Option<ExchangeCodec> },
    Scratch { readers: Vec<u64>, groups: Vec<u64> },
}

/// A copy of a whole array, or of a part of one.
#[derive(Debug, Clone)]
pub(in crate::copy) struct Case {
    pub(in crate::copy) url: String,
    pub(in crate::copy) source: ArrayLayout,
    pub(in crate::copy) target: ArrayLayout,
    pub(in crate::copy) writers: Vec<u64>,
    pub(in crate::copy) order: Vec<usize>,
    pub(in crate::copy) gaps: GapPolicy,
    pub(in crate::copy) shape: Shape,
    /// Makes the values.
    pub(in crate::copy) seed: u64,
    /// Out of 8 read units so many are missing, and so many full of the fill value.
    pub(in crate::copy) missing: u64,
    pub(in crate::copy) filled: u64,
    /// Whether the source was listed.
    pub(in crate::copy) is_listed: bool,
    /// Bytes of the parts in which shards are written, where they are.
    pub(in crate::copy) parts: Option<u64>,
    /// Whether blocks of a raw exchange are cut by target chunks, so that a writing task takes them chunk by chunk.
    pub(in crate::copy) is_cut: bool,
}

impl Case {
    /// Boxes of whole write units, or of what these are cut by, over what is copied.
    fn grid(&self, lengths: &[u64]) -> BoxGrid {
        self.target.boxes_of_write_units(self.source.bounds(), lengths.to_vec())
    }

    /// What the blocks of an exchange are cut by.
    pub(in crate::copy) fn blocks_by(&self) -> &[u64] {
        let Shape::Exchange { readers, packed: None } = &self.shape else { return &self.writers };
        let cut = self.target.chunks.read_unit();
        let mut axes = cut.iter().zip(readers).zip(&self.source.shape).enumerate();
        // As a plan cuts them: where one grid lies in the other.
        let is_nested = axes.all(|(axis, ((cut, r), n))| {
            begins_with_object(&self.source, axis) && (r % cut == 0 || cut % r == 0 || r >= n)
        });
        if self.is_cut && is_nested { cut } else { &self.writers }
    }

    fn shard_parts(&self) -> Option<ShardParts> {
        let parts = self.parts.filter(|_| ShardParts::can_write(&self.target.chunks));
        parts.map(|bytes| ShardParts { bytes: ByteCount(bytes) })
    }

    pub(in crate::copy) fn direct(&self) -> CopyReadToWrite {
        CopyReadToWrite {
            source: self.source.clone(),
            target: self.target.clone(),
            writers: self.grid(&self.writers),
            order: self.order.clone(),
            gaps: self.gaps,
            listed: oracle::listed(self),
            shard_parts: self.shard_parts(),
            is_summed: true,
        }
    }

    /// Reads back what was written.
    pub(in crate::copy) fn verification(&self) -> Verify {
        let leaves_out = self.gaps.leaves_out_gaps(&self.source.fill, &self.target.fill);
        Verify {
            target: self.target.clone(),
            boxes: self.grid(&self.writers),
            read_back_as: ReadBackAs::Elements,
            presence: oracle::listed(self).and_then(|listed| listed.presence).filter(|_| leaves_out),
        }
    }

    pub(in crate::copy) fn through_scratch(&self) -> CopyThroughScratch {
        let (readers, groups) = match &self.shape {
            Shape::Scratch { readers, groups } => (readers.clone(), groups.clone()),
            Shape::Direct | Shape::Exchange { .. } => panic!("{self:?} has no groups"),
        };
        CopyThroughScratch {
            source: self.source.clone(),
            target: self.target.clone(),
            groups: BoxGrid::new(self.source.bounds(), groups),
            readers,
            writers: self.writers.clone(),
            order: self.order.clone(),
            gaps: self.gaps,
            listed: oracle::listed(self),
            shard_parts: self.shard_parts(),
            is_summed: true,
        }
    }

    pub(in crate::copy) fn exchange(&self) -> (CopyReadToExchange, CopyExchangeToWrite) {
        let (readers, packed) = match &self.shape {
            Shape::Direct => (self.source.chunks.read_unit(), None),
            Shape::Exchange { readers, packed } => (&readers[..], *packed),
            Shape::Scratch { readers, .. } => (&readers[..], None),
        };
        // A slab of two writing tasks along the first axis, and of all along the others.
        let whole = |length: &u64, n: &u64| n.div_ceil(*length) * length;
        let mut indexers: Vec<u64> = self.writers.iter().zip(&self.source.shape).map(|(w, n)| whole(w, n)).collect();
        if let Some((first, writer)) = indexers.first_mut().zip(self.writers.first()) {
            *first = 2 * writer;
        }
        let exchange = Exchange {
            url: format!("{}/temp", self.url),
            width: self.source.element.width,
            readers: self.source.boxes_of_read_units(self.source.bounds(), readers.to_vec()),
            writers: self.grid(self.blocks_by()),
            encoding: packed.map_or(ExchangeEncoding::Raw, |codec| {
                ExchangeEncoding::Packed(Packing { codec, indexers: self.grid(&indexers) })
            }),
        };
        let listed = oracle::listed(self);
        let presence = listed.as_ref().and_then(|listed| listed.presence.clone());
        let read = CopyReadToExchange {
            source: self.source.clone(),
            exchange: exchange.clone(),
            strict: self.gaps.strict,
            listed,
            sum_beside: Some(self.target.fill.clone()),
        };
        let write = CopyExchangeToWrite {
            writers: self.grid(&self.writers),
            exchange,
            target: self.target.clone(),
            order: self.order.clone(),
            gaps: self.gaps,
            presence,
            shard_parts: self.shard_parts(),
        };
        (read, write)
    }
}

const CODECS: [&str; 5] = [
    r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"big"}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#,
    // Its chunks can be decoded in part.
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"blosc","configuration":{"cname":"lz4","clevel":5,"shuffle":"shuffle","typesize":4,"blocksize":0}}]"#,
];

const TYPES: [(&str, u64); 4] = [("uint8", 1), ("uint16", 2), ("r40", 5), ("uint64", 8)];

#[derive(Debug, Clone)]
struct Axis {
    length: u64,
    source: (u64, u64),
    target: (u64, u64),
    writers: u64,
    readers: u64,
    rank: u32,
}

fn axis() -> impl Strategy<Value = Axis> {
    let chunk = || (1_u64..5, 1_u64..4);
    (1_u64..10, chunk(), chunk(), 1_u64..4, 1_u64..4, any::<u32>()).prop_map(
        |(length, source, target, writers, readers, rank)| Axis { length, source, target, writers, readers, rank },
    )
}

/// How one side is stored.
fn side() -> impl Strategy<Value = (bool, usize, bool, bool)> {
    (any::<bool>(), 0..CODECS.len(), any::<bool>(), any::<bool>())
}

fn chunks(axes: &[(u64, u64)], (is_sharded, codecs, at_start, _): (bool, usize, bool, bool)) -> ChunkLayout {
    let chunk_shape: Vec<u64> = axes.iter().map(|axis| axis.0).collect();
    let codecs = CODECS[codecs].to_owned();
    if !is_sharded {
        return ChunkLayout::Plain { chunk_shape, codecs };
    }
    ChunkLayout::Sharded {
        shard_shape: axes.iter().map(|axis| axis.0 * axis.1).collect(),
        chunk_shape,
        codecs,
        index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.to_owned(),
        index_location: if at_start { IndexLocation::Start } else { IndexLocation::End },
    }
}

/// Which fill values the two sides have.
#[derive(Debug, Clone, Copy)]
enum FillPair {
    Same(u8),
    Different(u8, u8),
    None,
}

fn fills() -> impl Strategy<Value = FillPair> {
    prop_oneof![
        prop_oneof![Just(0_u8), any::<u8>()].prop_map(FillPair::Same),
        (any::<u8>(), any::<u8>()).prop_map(|(a, b)| FillPair::Different(a, b)),
        Just(FillPair::None),
    ]
}

/// The same copy of elements of variable length: straight into the target, or through packed blocks.
pub(in crate::copy) fn of_variable(mut case: Case) -> Case {
    let lengths = (case.source.fill.first().copied(), case.target.fill.first().copied());
    let is_same = case.source.fill == case.target.fill;
    let fill = |first: Option<u8>| "fill value".bytes().take(usize::from(first.unwrap_or(0)) % 8).collect::<Vec<u8>>();
    for (layout, first) in [(&mut case.source, lengths.0), (&mut case.target, lengths.1)] {
        layout.element = ElementType::variable();
        layout.fill = if layout.has_fill { fill(first) } else { Vec::new() };
        let (ChunkLayout::Plain { codecs, .. } | ChunkLayout::Sharded { codecs, .. }) = &mut layout.chunks;
        let tail = codecs.find("},{").map_or("", |at| &codecs[at + 1..codecs.len() - 1]);
        *codecs = format!(
            r#"[{{"name":"vlen-utf8"}}{}]"#,
            tail.replace(r#""shuffle":"shuffle","typesize":4"#, r#""shuffle":"noshuffle","typesize":1"#)
        );
    }
    if !is_same && case.source.fill == case.target.fill {
        case.target.fill.push(b'!');
    }
    let shape = match case.shape {
        Shape::Exchange { readers, packed } => {
            Shape::Exchange { readers, packed: packed.or(Some(ExchangeCodec::None)) }
        }
        Shape::Direct | Shape::Scratch { .. } => Shape::Direct,
    };
    Case { shape, ..case }
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// One element as a fill value: not the same byte all over.
fn fill_of(first: u8, width: u64) -> Vec<u8> {
    let mut fill = vec![0; usize::try_from(width).expect("small")];
    fill[0] = first;
    fill
}

/// The least length that both are multiples to.
fn meeting(a: u64, b: u64) -> u64 {
    (1..=b).map(|times| a * times).find(|length| length.is_multiple_of(b)).expect("at their product at the latest")
}

/// Whether what is copied begins with an object of the source along `axis`. Of the target it always does.
fn begins_with_object(source: &ArrayLayout, axis: usize) -> bool {
    source.edges(axis).is_none() && source.origin(axis).is_multiple_of(source.chunks.write_unit()[axis])
}

/// Makes objects of `layout` differ in length along some axes: none is longer than they were. What is copied begins with
/// one.
fn cut_unequally(layout: &mut ArrayLayout, seed: u64) {
    let (units, inner) = (layout.chunks.write_unit().to_vec(), layout.chunks.read_unit().to_vec());
    let is_sharded = layout.chunks.is_sharded();
    let of_axis = |axis: usize| {
        let step = if is_sharded { inner[axis] } else { 1 };
        let (origin, mut end, mut lengths) = (layout.origin(axis), 0, Vec::new());
        while end < origin + layout.shape[axis] {
            let at = lengths.len() as u64 + 1 + axis as u64;
            let mut length =
                step * (1 + ((seed ^ at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % (units[axis] / step));
            if !is_sharded && end < origin {
                length = length.min(origin - end);
            }
            lengths.push(length);
            end += length;
        }
        (seed >> axis & 1 == 1).then(|| Edges::new(lengths).expect("some chunks"))
    };
    let edges: Vec<Option<Edges>> = (0..units.len()).map(of_axis).collect();
    if edges.iter().all(Option::is_none) {
        return;
    }
    let longest = units.iter().zip(&edges).map(|(unit, edges)| edges.as_ref().map_or(*unit, Edges::longest)).collect();
    match &mut layout.chunks {
        ChunkLayout::Plain { chunk_shape, .. } => *chunk_shape = longest,
        ChunkLayout::Sharded { shard_shape, .. } => *shard_shape = longest,
    }
    layout.edges = edges;
}

/// Any copy.
pub(in crate::copy) fn cases() -> impl Strategy<Value = Case> {
    let axes = prop::collection::vec(axis(), 0..4);
    let gaps = prop_oneof![3 => Just(false), 1 => Just(true)];
    let parts = prop::option::of(prop_oneof![1_u64..20, 1_u64..400]);
    // Where a part begins in the source: elements, or, where that is said, objects; and the write units before it in the
    // target.
    let starts = prop::option::of(prop::collection::vec((0_u64..9, any::<bool>(), 0_u64..3), 3));
    let values = (any::<u64>(), 0_u64..8, 0_u64..4, any::<bool>(), (parts, any::<bool>(), starts));
    let unequal = prop_oneof![3 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let packed = prop_oneof![
        2 => Just(None),
        2 => Just(Some(ExchangeCodec::Lz4)),
        1 => Just(Some(ExchangeCodec::Zstd)),
    ];
    (axes, side(), side(), 0..TYPES.len(), fills(), gaps, (0..3, packed, unequal), values).prop_map(
        |(axes, source, target, data_type, fills, write_empty_chunks, (way, packed, unequal), values)| {
            let (seed, missing, filled, is_listed, (parts, is_cut, starts)) = values;
            let url = format!("memory://copy-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let (data_type, width) = TYPES[data_type];
            let (fill_in, fill_out, has_fill) = match fills {
                FillPair::Same(fill) => (fill, fill, true),
                FillPair::Different(a, b) => (a, b, true),
                FillPair::None => (0, 0, false),
            };
            let lengths: Vec<u64> = axes.iter().map(|axis| axis.length).collect();
            let layout = |place: &str, axes: Vec<(u64, u64)>, side: (bool, usize, bool, bool), fill: u8| ArrayLayout {
                url: format!("{url}/{place}"),
                shape: lengths.clone(),
                element: ElementType { data_type: data_type.to_owned(), width },
                fill: fill_of(fill, width),
                has_fill,
                chunks: chunks(&axes, side),
                keys: if side.3 {
                    ChunkKeys::Default { separator: Separator::Slash }
                } else {
                    ChunkKeys::V2 { separator: Separator::Dot }
                },
                part: None,
                edges: Vec::new(),
            };
            let mut source = layout("source", axes.iter().map(|axis| axis.source).collect(), source, fill_in);
            let mut target = layout("target", axes.iter().map(|axis| axis.target).collect(), target, fill_out);
            if let Some(starts) = starts {
                let units = source.chunks.write_unit().iter().zip(target.chunks.write_unit());
                let origins = starts.iter().zip(units).map(|((start, is_of_objects, units), (object, unit))| {
                    (start * if *is_of_objects { *object } else { 1 }, units * unit)
                });
                let (from, to): (Vec<u64>, Vec<u64>) = origins.unzip();
                let start: Vec<u64> = from.iter().zip(&to).map(|(from, to)| *from.max(to)).collect();
                source.part = Some(ArrayPart { start: start.clone(), origin: from });
                target.part = Some(ArrayPart { start, origin: to });
            }
            if let Some(seed) = unequal {
                cut_unequally(&mut source, seed);
                if way == 0 && !target.chunks.is_sharded() {
                    cut_unequally(&mut target, !seed);
                }
            }
            let times = |unit: &[u64], factor: fn(&Axis) -> u64| -> Vec<u64> {
                unit.iter().zip(&axes).map(|(length, axis)| length * factor(axis)).collect()
            };
            let writers = times(target.chunks.write_unit(), |axis| axis.writers);
            let readers = times(source.chunks.read_unit(), |axis| axis.readers);
            let mut order: Vec<usize> = (0..axes.len()).collect();
            order.sort_by_key(|axis| axes[*axis].rank);
            let objects = source.chunks.write_unit().iter().zip(target.chunks.write_unit());
            // Where the grids of a part do not begin together they are one group.
            let group = |(at, ((a, b), axis)): (usize, ((&u64, &u64), &Axis))| {
                if begins_with_object(&source, at) { meeting(*a, *b) * axis.readers } else { axis.length }
            };
            let groups = objects.zip(&axes).enumerate().map(group).collect();
            // A packed exchange knows no gaps.
            let is_listed = is_listed && (way != 1 || packed.is_none());
            let shape = match way {
                0 => Shape::Direct,
                1 => Shape::Exchange { readers, packed },
                _ => Shape::Scratch { readers, groups },
            };
            Case {
                url: url.clone(),
                source,
                target,
                writers,
                order,
                gaps: GapPolicy { strict: false, write_empty_chunks },
                shape,
                seed,
                missing,
                filled,
                is_listed,
                parts,
                is_cut,
            }
        },
    )
}
