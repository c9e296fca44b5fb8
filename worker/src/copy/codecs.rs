//! The codecs of an array's chunks: one where all have one shape, else one for each shape that a task meets.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkLayout},
};
use rechunk_zarr::{ChunkCodec, MetadataError, ShardCodec};

use crate::failure::{bug, invalid};

/// How to make the codec of chunks or shards of one shape.
type Make<C> = fn(&ArrayLayout, Vec<u64>) -> Result<C, MetadataError>;

/// The codecs of objects of one array.
#[derive(Debug)]
struct Codecs<C> {
    longest: Arc<C>,
    /// Where objects differ in length.
    unequal: Option<Unequal<C>>,
}

#[derive(Debug)]
struct Unequal<C> {
    layout: ArrayLayout,
    objects: BoxGrid,
    make: Make<C>,
    known: Mutex<BTreeMap<Vec<u64>, Arc<C>>>,
}

impl<C> Codecs<C> {
    fn new(layout: &ArrayLayout, make: Make<C>) -> Result<Self, MetadataError> {
        let longest = Arc::new(make(layout, layout.chunks.write_unit().to_vec())?);
        let unequal = (!layout.has_equal_chunks()).then(|| Unequal {
            layout: layout.clone(),
            objects: layout.write_grid(),
            make,
            known: Mutex::default(),
        });
        Ok(Self { longest, unequal })
    }

    /// That of the object at `position`.
    fn of(&self, position: &[u64]) -> Result<Arc<C>, TaskFailure> {
        let Some(unequal) = &self.unequal else { return Ok(Arc::clone(&self.longest)) };
        let shape = unequal.objects.unclipped_at(position).shape();
        let mut known = unequal.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(codec) = known.get(&shape) {
            return Ok(Arc::clone(codec));
        }
        let refused = |error: MetadataError| invalid(format!("{}: {error}", unequal.layout.url));
        let codec = Arc::new((unequal.make)(&unequal.layout, shape.clone()).map_err(refused)?);
        known.insert(shape, Arc::clone(&codec));
        Ok(codec)
    }
}

/// The codecs of the chunks of an array without shards.
#[derive(Debug)]
pub(crate) struct ChunkCodecs(Codecs<ChunkCodec>);

impl ChunkCodecs {
    pub(crate) fn new(layout: &ArrayLayout) -> Result<Self, MetadataError> {
        let make: Make<ChunkCodec> =
            |layout, shape| ChunkCodec::new(layout.chunks.codecs(), &layout.element, &shape, &layout.fill);
        Codecs::new(layout, make).map(Self)
    }

    /// That of the longest chunk: no other has more bytes.
    pub(crate) fn longest(&self) -> &ChunkCodec {
        &self.0.longest
    }

    /// That of the chunk at `position`.
    pub(crate) fn of(&self, position: &[u64]) -> Result<Arc<ChunkCodec>, TaskFailure> {
        self.0.of(position)
    }
}

/// The codecs of the shards of an array; their inner chunks all have one shape.
#[derive(Debug)]
pub(crate) struct ShardCodecs {
    codecs: Codecs<ShardCodec>,
    shards: BoxGrid,
    chunks: BoxGrid,
}

/// Where an inner chunk lies.
#[derive(Debug)]
pub(crate) struct InnerPlace {
    /// The position of its shard.
    pub(crate) shard: Vec<u64>,
    /// The shard's codec.
    pub(crate) codec: Arc<ShardCodec>,
    /// Its number in the shard, in C order.
    pub(crate) inner: u64,
}

impl ShardCodecs {
    pub(crate) fn new(layout: &ArrayLayout) -> Result<Self, MetadataError> {
        let make: Make<ShardCodec> = |layout, shape| {
            let mut chunks = layout.chunks.clone();
            if let ChunkLayout::Sharded { shard_shape, .. } = &mut chunks {
                *shard_shape = shape;
            }
            let plain = || MetadataError::ChunkShape { field: "shards", problem: "there are none".to_owned() };
            ShardCodec::new(&chunks, &layout.element, &layout.fill)?.ok_or_else(plain)
        };
        let codecs = Codecs::new(layout, make)?;
        Ok(Self { codecs, shards: layout.write_grid(), chunks: layout.read_grid() })
    }

    /// That of the longest shard: no other has more bytes.
    pub(crate) fn longest(&self) -> &ShardCodec {
        &self.codecs.longest
    }

    /// Shards that share an element with `region`.
    pub(crate) fn count_in(&self, region: &Region) -> u64 {
        self.shards.overlapping(region).element_count()
    }

    /// Where the inner chunk at `position` lies.
    pub(crate) fn place(&self, position: &[u64]) -> Result<InnerPlace, TaskFailure> {
        let odd = || bug("an inner chunk lies in no shard");
        let mut shard = Vec::with_capacity(position.len());
        let mut first = Vec::with_capacity(position.len());
        for (axis, at) in position.iter().enumerate() {
            let start = self.chunks.span(axis, *at).start;
            let of_axis = self.shards.along(axis, start, start).start;
            first.push(self.chunks.along(axis, self.shards.span(axis, of_axis).start, 0).start);
            shard.push(of_axis);
        }
        let codec = self.codecs.of(&shard)?;
        let numbers = position.iter().zip(&first).zip(codec.chunks_per_shard());
        let inner = numbers.into_iter().try_fold(0_u64, |inner, ((at, first), count)| {
            let within = at.checked_sub(*first).filter(|within| within < count)?;
            inner.checked_mul(*count)?.checked_add(within)
        });
        Ok(InnerPlace { shard, codec, inner: inner.ok_or_else(odd)? })
    }
}
