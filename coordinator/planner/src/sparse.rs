//! What each stage will ask of the stores where a listing named the objects of the source that there are, exactly. As in
//! [`prediction`](crate::prediction), but over what is there: work in proportion to the objects of the source, whatever
//! the target.
//!
//! - Objects that are absent are never read, and of shards that are there every inner chunk is taken to be there too.
//! - Chunks and shards of the target that share no element with an object that is there are neither made nor written,
//!   unless they must be made of fill values.
//! - A reading task that finds nothing writes no exchange object, unless blocks are packed. The others write theirs whole,
//!   and blocks that share no element with an object that is there are not read.

use std::ops::Range;

use rechunk_common::{
    Counts, Presence,
    geometry::{BoxGrid, Cut, Region},
    layout::ArrayLayout,
    plan::{BLOCK_TRAILER_BYTES, CopyEncoded, Exchange},
};

use crate::{
    axis,
    classes::{self, Class, Cuts},
    prediction::{self, SourceReads},
};

/// A source with gaps, within the bounds of a stage's tasks.
pub(crate) struct Sparse<'a> {
    presence: &'a Presence,
    source: &'a ArrayLayout,
    bounds: &'a Region,
}

/// What a class of cells weighs along one axis.
type Weight<'a> = &'a dyn Fn(usize, &Class) -> Option<u64>;

impl<'a> Sparse<'a> {
    /// What `presence` says is there of `source`; both grids of objects and tasks meet at the bounds, or these are those of a
    /// part of an array.
    pub(crate) fn new(presence: &'a Presence, source: &'a ArrayLayout, bounds: &'a Region) -> Self {
        Self { presence, source, bounds }
    }

    /// copy_read_to_write; `leaves_out`: what no object that is there shares an element with is not written.
    pub(crate) fn read_to_write(&self, target: &ArrayLayout, writers: &BoxGrid, leaves_out: bool) -> Option<Counts> {
        let reads = self.reads(writers)?;
        let (put_requests, bytes_encoded) = self.written(target, leaves_out)?;
        Some(Counts {
            get_requests: reads.units.checked_add(reads.indexes)?,
            put_requests,
            bytes_decoded: reads.bytes,
            bytes_encoded,
            ..Counts::default()
        })
    }

    /// copy_encoded.
    pub(crate) fn encoded(&self, function: &CopyEncoded) -> Option<Counts> {
        let (put_requests, _) = self.written(&function.target, true)?;
        let get_requests = match (function.is_of_whole_objects(), function.by_store) {
            (true, true) => 0,
            (true, false) => put_requests,
            (false, _) => {
                let reads = self.reads(&function.writers)?;
                reads.units.checked_add(reads.indexes)?
            }
        };
        Some(Counts { get_requests, put_requests, ..Counts::default() })
    }

    /// copy_read_to_exchange, and the bytes of its objects.
    pub(crate) fn read_to_exchange(&self, exchange: &Exchange) -> Option<(Counts, u64)> {
        let reads = self.reads(&exchange.readers)?;
        let cuts = |axis: usize| Some(Cuts::of(self.cut(&exchange.readers, axis)?));
        let blocks = |axis: usize, class: &Class| self.blocks(exchange, axis)?.within(class.start, class.end);
        let [objects, elements, blocks] = self.sums(&cuts, [&counted(&cuts), &elements, &blocks])?;
        let bytes = elements.checked_mul(exchange.width)?;
        let counts = Counts {
            get_requests: reads.units.checked_add(reads.indexes)?,
            put_requests: objects,
            bytes_decoded: reads.bytes,
            bytes_encoded: bytes,
            ..Counts::default()
        };
        Some((counts, bytes.checked_add(blocks.checked_mul(BLOCK_TRAILER_BYTES)?)?))
    }

    /// copy_read_to_exchange where blocks are packed: an index takes an object that is missing for lost, so each is written,
    /// and whole.
    pub(crate) fn read_to_packed_exchange(&self, exchange: &Exchange) -> Option<Counts> {
        let reads = self.reads(&exchange.readers)?;
        let dense = prediction::read_to_exchange(self.source, &exchange.readers)?;
        let get_requests = reads.units.checked_add(reads.indexes)?;
        Some(Counts { get_requests, bytes_decoded: reads.bytes, ..dense })
    }

    /// copy_exchange_to_write; of a packed exchange every task reads its row.
    pub(crate) fn exchange_to_write(
        &self,
        target: &ArrayLayout,
        exchange: &Exchange,
        leaves_out: bool,
    ) -> Option<Counts> {
        let cuts = |axis: usize| self.blocks(exchange, axis);
        let [blocks, elements] = self.sums(&cuts, [&counted(&cuts), &elements])?;
        let (put_requests, bytes_encoded) = self.written(target, leaves_out)?;
        let rows = if exchange.packing().is_some() { exchange.writers.len() } else { 0 };
        Some(Counts {
            get_requests: blocks.checked_add(rows)?,
            put_requests,
            bytes_decoded: elements.checked_mul(exchange.width)?,
            bytes_encoded,
            ..Counts::default()
        })
    }

    /// Chunks (inner chunks of shards) of the target that are made; `leaves_out` as in [`Sparse::read_to_write`].
    pub(crate) fn chunks_within(&self, target: &ArrayLayout, leaves_out: bool) -> Option<u64> {
        if !leaves_out {
            return prediction::chunks_within(target, self.bounds);
        }
        let chunks = target.read_grid();
        let cuts = |axis: usize| Some(Cuts::of(self.cut(&chunks, axis)?));
        let [chunks] = self.sums(&cuts, [&counted(&cuts)])?;
        Some(chunks)
    }

    /// How `grid` cuts the bounds along `axis`.
    fn cut<'g>(&self, grid: &'g BoxGrid, axis: usize) -> Option<Cut<'g>> {
        grid.cut(axis, *self.bounds.start().get(axis)?)
    }

    /// How both sides of an exchange cut the bounds together.
    fn blocks<'g>(&self, exchange: &'g Exchange, axis: usize) -> Option<Cuts<'g>> {
        Some(Cuts::both(self.cut(&exchange.readers, axis)?, self.cut(&exchange.writers, axis)?))
    }

    /// What all tasks together read: for every object that is there, a product of one figure per axis.
    fn reads(&self, tasks: &BoxGrid) -> Option<SourceReads> {
        let objects = self.presence.objects();
        let units = self.source.read_grid();
        let within = objects.overlapping(self.bounds);
        let is_raw = self.source.is_raw();
        let mut tables: Vec<Vec<[u64; 3]>> = Vec::with_capacity(within.rank());
        for axis in 0..within.rank() {
            let (unit, task) = (self.cut(&units, axis)?, self.cut(tasks, axis)?);
            let of_object = self.cut(objects, axis)?;
            let figures = |Range { start, end }: Range<u64>| {
                // No read unit reaches over an object's start, so that what lies before it is a whole array of its own.
                let difference = |figure: &dyn Fn(u64) -> Option<u64>| figure(end)?.checked_sub(figure(start)?);
                Some([
                    difference(&|n| axis::pairs(n, unit, task))?,
                    if is_raw { end.checked_sub(start)? } else { difference(&|n| axis::covered(n, unit, task))? },
                    difference(&|n| axis::pairs(n, of_object, task))?,
                ])
            };
            // The first may begin before the bounds, and is clipped to them.
            tables.push(classes::spans(self.bounds.length(axis), of_object).map(figures).collect::<Option<_>>()?);
        }
        let mut sums = [0_u64; 3];
        for position in self.presence.present_in(&within) {
            let mut products = [1_u64; 3];
            for ((at, first), table) in position.iter().zip(within.start()).zip(&tables) {
                let figures = table.get(usize::try_from(at.checked_sub(*first)?).ok()?)?;
                for (product, figure) in products.iter_mut().zip(figures) {
                    *product = product.checked_mul(*figure)?;
                }
            }
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum = sum.checked_add(product)?;
            }
        }
        let [units, elements, indexes] = sums;
        let indexes = if self.source.chunks.is_sharded() { indexes } else { 0 };
        Some(SourceReads { units, indexes, bytes: elements.checked_mul(self.source.element.width)? })
    }

    /// Objects of the target that are written, and their decoded bytes: of shards, those of the chunks in them.
    fn written(&self, target: &ArrayLayout, leaves_out: bool) -> Option<(u64, u64)> {
        let (shards, chunks) = (target.write_grid(), target.read_grid());
        if !leaves_out {
            return prediction::written(target, self.bounds);
        }
        let of_shards = |axis: usize| Some(Cuts::of(self.cut(&shards, axis)?));
        let of_chunks = |axis: usize| Some(Cuts::of(self.cut(&chunks, axis)?));
        let [objects] = self.sums(&of_shards, [&counted(&of_shards)])?;
        let [elements] = self.sums(&of_chunks, [&elements])?;
        Some((objects, elements.checked_mul(target.element.width)?))
    }

    /// Sums over the cells that share an element with an object that is there, each of a product of weights per axis.
    fn sums<'g, const N: usize>(
        &self,
        cuts: &dyn Fn(usize) -> Option<Cuts<'g>>,
        weights: [Weight; N],
    ) -> Option<[u64; N]> {
        let objects = self.presence.objects();
        let first = objects.overlapping(self.bounds);
        let axes: Vec<Vec<Class>> = (0..self.bounds.rank())
            .map(|axis| {
                let objects = (*first.start().get(axis)?, self.cut(objects, axis)?);
                classes::along(self.bounds.length(axis), objects, cuts(axis)?)
            })
            .collect::<Option<_>>()?;
        let ranges: Vec<Vec<Range<u64>>> =
            axes.iter().map(|axis| axis.iter().map(|class| class.objects.clone()).collect()).collect();
        let touched = self.presence.touched(&ranges);
        let mut sums = [0; N];
        for (sum, weight) in sums.iter_mut().zip(weights) {
            let of_axis = |(axis, classes): (usize, &Vec<Class>)| {
                classes.iter().map(|class| weight(axis, class)).collect::<Option<Vec<u64>>>()
            };
            *sum = weighted(&touched, &axes.iter().enumerate().map(of_axis).collect::<Option<Vec<_>>>()?)?;
        }
        Some(sums)
    }
}

/// Cells of a class.
fn counted<'g>(cuts: &dyn Fn(usize) -> Option<Cuts<'g>>) -> impl Fn(usize, &Class) -> Option<u64> {
    move |axis, class| cuts(axis)?.within(class.start, class.end)
}

/// Elements of a class.
#[expect(clippy::unnecessary_wraps, reason = "a weight may pass 2^64")]
fn elements(_axis: usize, class: &Class) -> Option<u64> {
    Some(class.end.saturating_sub(class.start))
}

/// The sum over the cells that are touched, in C order, of the product of their weights.
fn weighted(touched: &[bool], weights: &[Vec<u64>]) -> Option<u64> {
    let Some((last, before)) = weights.split_last() else {
        return Some(touched.first().map_or(0, |touched| u64::from(*touched)));
    };
    let of_row = |row: &[bool]| {
        let weights = row.iter().zip(last).filter(|(touched, _)| **touched);
        weights.map(|(_, weight)| *weight).try_fold(0_u64, u64::checked_add)
    };
    let mut sums: Vec<u64> = touched.chunks(last.len().max(1)).map(of_row).collect::<Option<_>>()?;
    for weights in before.iter().rev() {
        let of_row = |row: &[u64]| {
            let mut products = row.iter().zip(weights).map(|(sum, weight)| sum.checked_mul(*weight));
            products.try_fold(0_u64, |sum, product| sum.checked_add(product?))
        };
        sums = sums.chunks(weights.len().max(1)).map(of_row).collect::<Option<_>>()?;
    }
    sums.first().copied()
}
