//! The exchange: reading tasks cut boxes R of whole read units into blocks, one object each; writing tasks put boxes W
//! of whole write units together from blocks. The search chooses both boxes in all axes, and what cuts the blocks.

mod cuts;

use rechunk_common::{
    cost_profile::Prefer,
    geometry::BoxGrid,
    plan::{BLOCK_HEADER_BYTES, BLOCK_TRAILER_BYTES, ExchangeCodec, ROW_ENTRY_BYTES, ShardParts, TABLE_ENTRY_BYTES},
};

use crate::{
    array::Array,
    axis::{self, product},
    codec,
    cost::{Bests, Fleet, Outlay, Place, StageWork, Traffic},
    direct::orders_over,
    fit::Room,
    groups::Groups,
    lengths::{self, Lengths},
    memory::{self, Sweep},
    packing, parted, prediction,
};

/// Maximal boxes of one side that are tried against those of the other.
const MOST_MAXIMAL: usize = 250;

/// The same where several cuts of their blocks are tried for each pair.
const MOST_MAXIMAL_CUT: usize = 40;

/// Tasks that share one worker, as far as the search looks for.
const SHARES: [u64; 3] = [1, 2, 4];

/// The cheapest exchange.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExchangeShape {
    pub(crate) groups: Groups,
    /// Length of a reading task's box per axis.
    pub(crate) readers: Vec<u64>,
    /// Length of a writing task's box per axis.
    pub(crate) writers: Vec<u64>,
    /// Length per axis of the boxes that cut what a reading task reads into blocks: those of writing tasks, or parts of them,
    /// which these tasks take one after another.
    pub(crate) cut: Vec<u64>,
    /// Axes in the order in which a writing task visits its blocks.
    pub(crate) order: Vec<usize>,
    /// How blocks are compressed, if they are.
    pub(crate) codec: Option<ExchangeCodec>,
    pub(crate) outlay: Outlay,
    /// Blocks: pairs of a reading and a writing task.
    pub(crate) blocks: f64,
    /// Tasks of both stages.
    pub(crate) tasks: (f64, f64),
    pub(crate) room: Room,
    /// In what shards are written that are not held whole.
    pub(crate) parts: Option<ShardParts>,
}

/// Where an exchange is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within<'a> {
    pub(crate) groups: &'a Groups,
    /// Blocks may be parts of what a writing task and a reading task share.
    pub(crate) may_cut: bool,
}

/// Figures of one axis at one pair of box lengths, over all groups.
#[derive(Debug, Clone, Copy)]
struct AxisFigures {
    readers: f64,
    writers: f64,
    units: f64,
    pairs: f64,
    indexes: f64,
}

/// Per axis, reader's length and writer's length: their figures.
type Table = Vec<Vec<Vec<Option<AxisFigures>>>>;

/// The lengths of one side, and boxes as choices among them.
type Side<'a> = (&'a Lengths, &'a [Vec<usize>]);

struct Search<'a> {
    array: &'a Array<'a>,
    groups: &'a Groups,
    fleet: &'a Fleet,
    codec: Option<ExchangeCodec>,
    may_cut: bool,
    room: Room,
    written: f64,
    bests: Bests<ExchangeShape>,
}

/// The cheapest pairs of boxes that fit, by each preference; none if none does.
pub(crate) fn search(
    array: &Array,
    within: &Within,
    fleet: &Fleet,
    codec: Option<ExchangeCodec>,
    room: Room,
) -> Vec<ExchangeShape> {
    let Within { groups, may_cut } = *within;
    let number = |units: &[u64]| array.shape.iter().zip(units).map(|(n, unit)| axis::boxes(*n, *unit) as f64).product();
    let written = number(array.write_unit);
    let mut search = Search { array, groups, fleet, codec, may_cut, room, written, bests: Bests::default() };
    let readers = lengths::all(&groups.lengths, array.source.unit, array.write_unit);
    let writers = lengths::all(&groups.lengths, array.write_unit, array.source.unit);
    search.consider(array.source.unit.to_vec(), array.write_unit.to_vec());
    let (thin_readers, thin_writers) = (lengths::thinned(readers.clone()), lengths::thinned(writers.clone()));
    let figures = search.table(&thin_readers, &thin_writers);
    let most = if array.target.parts.is_some() { MOST_MAXIMAL_CUT } else { MOST_MAXIMAL };
    for share in SHARES.into_iter().filter(|share| *share <= fleet.threads) {
        let budget = fleet.budget.checked_div(share).unwrap_or(0);
        let readers = maximal(&thin_readers, most, |lengths| search.reader_fits(lengths, budget));
        let writers = maximal(&thin_writers, most, |lengths| search.writer_fits_whole(lengths, budget));
        search.look_at_pairs(&figures, (&thin_readers, &readers), (&thin_writers, &writers));
    }
    for prefer in Prefer::ALL {
        search.refine(prefer, &readers, &writers);
    }
    search.bests.distinct()
}

/// What the smallest tasks would hold, at the least: the largest of all stages.
pub(crate) fn least_memory(array: &Array, within: &Within, is_packed: bool) -> Option<u64> {
    let (readers, writers, extents) = (array.source.unit, array.write_unit, &within.groups.lengths);
    let of_stages = |cut: &Vec<u64>| {
        let read = memory::read_to_exchange(extents, &array.source, readers, cut, is_packed)?;
        let pieces = memory::pieces_of(readers, cut, writers);
        let sweep = Sweep::new(extents, &pieces, array.target)?;
        let write = orders_over(extents, &pieces, &array.target).into_iter().filter_map(|order| {
            let memory = memory::exchange_to_write(&sweep, cut, writers, &order, is_packed)?;
            memory.total(memory.least_pieces)
        });
        Some(read.total(read.least_pieces)?.max(write.min()?))
    };
    let cuts = cuts::of(array, extents, readers, writers, within.may_cut && !is_packed);
    let least = cuts.iter().filter_map(of_stages).min()?;
    let index = if is_packed {
        let memory = memory::index_exchange(extents, readers, writers, writers, array.shifted)?;
        memory.total(memory.least_pieces)?
    } else {
        0
    };
    Some(least.max(index))
}

/// The choices whose boxes fit and could not be longer on any axis, evenly thinned.
fn maximal(lengths: &Lengths, most: usize, fits: impl Fn(&[u64]) -> bool) -> Vec<Vec<usize>> {
    let sizes: Vec<usize> = lengths.iter().map(Vec::len).collect();
    let fitting: Vec<bool> = lengths::choices(sizes.clone())
        .map(|choice| lengths::chosen(lengths, &choice).is_some_and(|lengths| fits(&lengths)))
        .collect();
    // Choices come in C order: the next one along an axis is the product of the faster axes further on.
    let mut strides = vec![1_usize; sizes.len()];
    let mut stride = 1_usize;
    for (axis, size) in sizes.iter().enumerate().rev() {
        if let Some(at) = strides.get_mut(axis) {
            *at = stride;
        }
        stride = stride.saturating_mul(*size);
    }
    let longer_fits = |at: usize, stride: &usize| fitting.get(at.saturating_add(*stride)) == Some(&true);
    let is_maximal = |at: usize, choice: &[usize]| {
        let mut axes = choice.iter().zip(&sizes).zip(&strides);
        fitting.get(at) == Some(&true)
            && axes.all(|((index, size), stride)| index.saturating_add(1) == *size || !longer_fits(at, stride))
    };
    let maximal: Vec<_> = lengths::choices(sizes.clone())
        .enumerate()
        .filter(|(at, choice)| is_maximal(*at, choice))
        .map(|(_, choice)| choice)
        .collect();
    let every = maximal.len().div_ceil(most).max(1);
    maximal.into_iter().step_by(every).collect()
}

impl Search<'_> {
    /// Whether a reading task fits, its trailers left out, which depend on the writers.
    fn reader_fits(&self, readers: &[u64], budget: u64) -> bool {
        let extents = &self.groups.lengths;
        memory::read_to_exchange(extents, &self.array.source, readers, extents, false)
            .is_some_and(|memory| self.room.fits(&memory, budget).is_some())
    }

    /// Whether a writing task fits that holds its whole box. Larger ones that fit because they are swept are found by
    /// refining.
    fn writer_fits_whole(&self, writers: &[u64], budget: u64) -> bool {
        if self.array.target.parts.is_some() {
            // A shard in parts is swept in any case, and a longer box makes no larger blocks.
            return writers.iter().zip(self.array.write_unit).all(|(length, unit)| length <= unit);
        }
        product(writers.iter().copied())
            .and_then(|elements| elements.checked_mul(self.array.target.width))
            .is_some_and(|bytes| bytes <= budget)
    }

    /// The figures of every pair of lengths of every axis.
    fn table(&self, readers: &Lengths, writers: &Lengths) -> Table {
        let axes = readers.iter().zip(writers).enumerate();
        axes.map(|(axis, (readers, writers))| {
            let row =
                |reader: &u64| writers.iter().map(|writer| self.figures(axis, *reader, *writer, *writer)).collect();
            readers.iter().map(row).collect()
        })
        .collect()
    }

    /// Tries every pair of a reader's and a writer's box.
    fn look_at_pairs(&mut self, table: &Table, readers: Side, writers: Side) {
        for reader in readers.1 {
            for writer in writers.1 {
                let axes = table.iter().zip(reader).zip(writer);
                let figures = axes.map(|((axis, r), w)| axis.get(*r)?.get(*w).copied().flatten());
                // Most pairs end here, before anything is allocated for them.
                let Some((read, write)) = self.work(figures) else { continue };
                if !self.bests.would_take(&self.least_outlay(&read, &write)) {
                    continue;
                }
                let boxes = lengths::chosen(readers.0, reader).zip(lengths::chosen(writers.0, writer));
                if let Some((readers, writers)) = boxes {
                    self.consider(readers, writers);
                }
            }
        }
    }

    /// Moves one axis of one side at a time to any length of its list, for as long as that is cheaper.
    fn refine(&mut self, prefer: Prefer, readers: &Lengths, writers: &Lengths) {
        while let Some(start) = self.bests.by(prefer).cloned() {
            for (axis, lengths) in readers.iter().enumerate() {
                for length in lengths {
                    self.consider_changed(prefer, axis, |best| &mut best.readers, *length);
                }
            }
            for (axis, lengths) in writers.iter().enumerate() {
                for length in lengths {
                    self.consider_changed(prefer, axis, |best| &mut best.writers, *length);
                }
            }
            if self.bests.by(prefer) == Some(&start) {
                return;
            }
        }
    }

    fn consider_changed(
        &mut self,
        prefer: Prefer,
        axis: usize,
        side: fn(&mut ExchangeShape) -> &mut Vec<u64>,
        length: u64,
    ) {
        let Some(mut changed) = self.bests.by(prefer).cloned() else { return };
        if let Some(at) = side(&mut changed).get_mut(axis) {
            *at = length;
        }
        self.consider(changed.readers, changed.writers);
    }

    fn figures(&self, axis: usize, reader: u64, writer: u64, cut: u64) -> Option<AxisFigures> {
        let (units, objects) = (self.array.read_units(axis)?, self.array.objects(axis)?);
        let sum = |figure: &dyn Fn(u64) -> Option<u64>| self.groups.sum(self.array, axis, figure).map(|sum| sum as f64);
        Some(AxisFigures {
            readers: sum(&|n| Some(axis::boxes(n, reader)))?,
            writers: sum(&|n| Some(axis::boxes(n, writer)))?,
            // Readers cut no unit, unless units differ.
            units: if units.edges.is_some() {
                sum(&|n| axis::pairs(n, reader, units))?
            } else {
                sum(&|n| Some(units.boxes(n)))?
            },
            pairs: sum(&|n| axis::pairs(n, reader, cut))?,
            indexes: sum(&|n| axis::pairs(n, reader, objects))?,
        })
    }

    /// The work of both stages.
    fn work(&self, of_axes: impl Iterator<Item = Option<AxisFigures>>) -> Option<(StageWork, StageWork)> {
        let mut all = AxisFigures { readers: 1.0, writers: 1.0, units: 1.0, pairs: 1.0, indexes: 1.0 };
        for figures in of_axes {
            let figures = figures?;
            all.readers *= figures.readers;
            all.writers *= figures.writers;
            all.units *= figures.units;
            all.pairs *= figures.pairs;
            all.indexes *= figures.indexes;
        }
        let indexes = if self.array.source.shard.is_some() { all.indexes } else { 0.0 };
        let (array, bytes) = (self.array, self.array.bytes as f64);
        let (from, to) = (array.source_codec, array.target_codec);
        // Each block is checked against its sum as it is copied.
        let packed = packing::effect(self.codec);
        let read = StageWork {
            tasks: all.readers,
            reads: Traffic { place: Place::Source, requests: all.units + indexes, bytes: bytes * from.stored_part() },
            writes: Traffic { place: Place::Temp, requests: all.readers, bytes: bytes * packed.stored_part },
            deletes: all.readers,
            decode_seconds: from.decode_seconds(bytes) + codec::copy_seconds(bytes),
            encode_seconds: bytes * packed.pack_seconds_per_byte,
        };
        let write = StageWork {
            tasks: all.writers,
            reads: Traffic { place: Place::Temp, requests: all.pairs, bytes: bytes * packed.stored_part },
            writes: Traffic {
                place: Place::Target,
                requests: parted::requests(array, self.written),
                bytes: bytes * to.stored_part(),
            },
            deletes: 0.0,
            decode_seconds: codec::copy_seconds(bytes) + bytes * packed.unpack_seconds_per_byte,
            encode_seconds: to.encode_seconds(bytes),
        };
        Some((read, write))
    }

    /// Less than both stages take, whatever their memory.
    fn least_outlay(&self, read: &StageWork, write: &StageWork) -> Outlay {
        let mut outlay = read.least_outlay(self.fleet);
        outlay += write.least_outlay(self.fleet);
        outlay
    }

    /// Looks at a pair of boxes, with as few blocks as memory allows.
    fn consider(&mut self, readers: Vec<u64>, writers: Vec<u64>) {
        let may_cut = self.may_cut && self.codec.is_none();
        for cut in cuts::of(self.array, &self.groups.lengths, &readers, &writers, may_cut) {
            let axes = readers.iter().zip(&writers).zip(&cut).enumerate();
            let figures = axes.map(|(axis, ((r, w), c))| self.figures(axis, *r, *w, *c));
            let Some((read, write)) = self.work(figures) else { return };
            if !self.bests.would_take(&self.least_outlay(&read, &write)) {
                return;
            }
            let Some((read_memory, write_memory, order)) = self.memory(&readers, &writers, &cut) else { continue };
            let Some(held) = memory::box_bytes(&self.groups.lengths, &writers, self.array.target.width) else { return };
            let times = held as f64 / write_memory.1.max(1) as f64;
            let mut outlay = read.outlay(self.fleet, self.fleet.residents(read_memory), 1.0);
            outlay += write.outlay(self.fleet, self.fleet.residents(write_memory.0), times);
            let outlay = outlay.with_standing(self.array.bytes as f64, self.fleet);
            if self.bests.would_take(&outlay) {
                let (groups, codec, room, parts) =
                    (self.groups.clone(), self.codec, self.room, self.array.target.parts);
                let (blocks, tasks) = (write.reads.requests, (read.tasks, write.tasks));
                let shape =
                    ExchangeShape { groups, readers, writers, cut, order, codec, outlay, blocks, tasks, room, parts };
                self.bests.offer(&outlay, &shape);
            }
            return;
        }
    }

    /// What a task of either stage takes, of a writing task also what is open, and the best visiting order; `None` if
    /// one does not fit.
    fn memory(&self, readers: &[u64], writers: &[u64], cut: &[u64]) -> Option<(u64, (u64, u64), Vec<usize>)> {
        let (extents, budget) = (&self.groups.lengths, self.fleet.budget);
        let is_packed = self.codec.is_some();
        if is_packed {
            packing::indexers(extents, readers, writers, budget, self.array.shifted)?;
        }
        let read = memory::read_to_exchange(extents, &self.array.source, readers, cut, is_packed)?;
        let read = self.room.fits(&read, budget)?;
        let pieces = memory::pieces_of(readers, cut, writers);
        let sweep = Sweep::new(extents, &pieces, self.array.target)?;
        let write = |order: &[usize]| {
            let memory = memory::exchange_to_write(&sweep, cut, writers, order, is_packed)?;
            Some((self.room.fits(&memory, budget)?, memory.open))
        };
        orders_over(extents, &pieces, &self.array.target)
            .into_iter()
            .filter_map(|order| Some((read, write(&order)?, order)))
            .min_by_key(|(_, write, _)| *write)
    }
}

impl ExchangeShape {
    /// Temporary bytes of the largest group, checksums included: at the most where blocks are packed.
    pub(crate) fn largest_group_bytes(&self, array: &Array) -> Option<u64> {
        let (source, target) = (&array.spec.source, &array.spec.target);
        // The first group is the largest.
        let bounds = BoxGrid::new(source.bounds(), self.groups.lengths.clone()).region(0)?;
        let readers = source.boxes_of_read_units(bounds.clone(), self.readers.clone());
        let cut = target.boxes_of_write_units(bounds, self.cut.clone());
        temp_bytes(&readers, &cut, array.source.width, self.codec.is_some())
    }
}

/// Bytes of all exchange objects of one group: the elements and a checksum for each block; where blocks are packed, at
/// the most, with their index.
pub(crate) fn temp_bytes(readers: &BoxGrid, writers: &BoxGrid, width: u64, is_packed: bool) -> Option<u64> {
    let elements = product(readers.bounds().shape())?;
    let beside = if is_packed { TABLE_ENTRY_BYTES + BLOCK_HEADER_BYTES + ROW_ENTRY_BYTES } else { BLOCK_TRAILER_BYTES };
    elements.checked_mul(width)?.checked_add(prediction::blocks(readers, writers)?.checked_mul(beside)?)
}
