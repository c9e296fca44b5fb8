//! The direct sweep: each task owns a box of write units, reads every source unit that overlaps it, and holds only
//! the chunks that are open. The search chooses the box and the axis along which it is swept.

use rechunk_common::{cost_profile::Prefer, plan::ShardParts};

use crate::{
    array::Array,
    axis, codec,
    cost::{Bests, Fleet, Outlay, Place, StageWork, Traffic},
    fit::Room,
    lengths::{self, Lengths},
    memory::{self, Sweep, TargetSide, TaskMemory},
    parted,
    spans::Taken,
    sweep,
};

/// The cheapest direct sweep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DirectSweep {
    /// Length of a task's box per axis.
    pub(crate) writers: Vec<u64>,
    /// Axes in visiting order.
    pub(crate) order: Vec<usize>,
    pub(crate) outlay: Outlay,
    /// Source bytes that are decoded, as often as they are.
    pub(crate) read_bytes: f64,
    pub(crate) tasks: f64,
    pub(crate) room: Room,
    /// In what shards are written that are not held whole.
    pub(crate) parts: Option<ShardParts>,
}

/// Figures of one axis at one box length, over all boxes.
#[derive(Debug, Clone, Copy, Default)]
struct AxisFigures {
    tasks: f64,
    reads: f64,
    covered: f64,
    indexes: f64,
    /// Elements of a read unit that a task moves, on the average.
    used: f64,
}

/// Axes of which every order is looked at.
const MOST_PERMUTED: usize = 4;

struct Search<'a> {
    array: &'a Array<'a>,
    fleet: &'a Fleet,
    room: Room,
    sweep: Sweep<'a>,
    orders: Vec<Vec<usize>>,
    bests: Bests<DirectSweep>,
}

/// The cheapest boxes and orders that fit, by each preference; none if none does.
pub(crate) fn search(array: &Array, fleet: &Fleet, room: Room) -> Vec<DirectSweep> {
    let Some(sweep) = Sweep::new(array.shape, array.source.unit, array.target) else { return Vec::new() };
    let mut search = Search { array, fleet, room, sweep, orders: orders(array), bests: Bests::default() };
    let all = lengths::all(array.shape, array.write_unit, array.source.unit);
    search.look_at_all(&lengths::thinned(all.clone()));
    for prefer in Prefer::ALL {
        search.refine(prefer, &all);
    }
    search.bests.distinct()
}

/// What the smallest task would hold, at the least.
pub(crate) fn least_memory(array: &Array) -> Option<u64> {
    let sweep = Sweep::new(array.shape, array.source.unit, array.target)?;
    let least = |order: &Vec<usize>| {
        let memory = memory::direct(&sweep, &array.source, array.write_unit, order)?;
        memory.total(memory.least_pieces)
    };
    orders(array).iter().filter_map(least).min()
}

/// One visiting order per axis that can be the slowest; axes of one piece are left out if there are others. Where shards
/// are written in parts, which of the other axes comes next decides how much of a shard is open: every order of a few.
pub(crate) fn orders_over(extents: &[u64], pieces: &[u64], target: &TargetSide) -> Vec<Vec<usize>> {
    let rank = extents.len();
    let is_cut = |axis: &usize| extents.get(*axis) > pieces.get(*axis);
    let (cut, whole): (Vec<usize>, Vec<usize>) = (0..rank).partition(is_cut);
    if target.parts.is_some() && (2..=MOST_PERMUTED).contains(&cut.len()) {
        let followed = |order: Vec<usize>| order.into_iter().chain(whole.iter().copied()).collect();
        return parted::permutations(&cut).into_iter().map(followed).collect();
    }
    let mut orders: Vec<Vec<usize>> = cut.into_iter().map(|axis| sweep::order(rank, axis)).collect();
    if orders.is_empty() {
        orders.push((0..rank).collect());
    }
    orders
}

fn orders(array: &Array) -> Vec<Vec<usize>> {
    orders_over(array.shape, array.source.unit, &array.target)
}

impl Search<'_> {
    fn figures(&self, axis: usize, length: u64) -> Option<AxisFigures> {
        let n = *self.array.shape.get(axis)?;
        let (units, objects) = (self.array.read_units(axis)?, self.array.objects(axis)?);
        let reads = axis::pairs(n, units, length)? as f64;
        Some(AxisFigures {
            tasks: axis::boxes(n, length) as f64,
            reads,
            used: n as f64 / reads.max(1.0),
            covered: axis::covered(n, units, length)? as f64,
            indexes: axis::pairs(n, objects, length)? as f64,
        })
    }

    fn look_at_all(&mut self, lengths: &Lengths) {
        let figures: Vec<Vec<Option<AxisFigures>>> = lengths
            .iter()
            .enumerate()
            .map(|(axis, lengths)| lengths.iter().map(|length| self.figures(axis, *length)).collect())
            .collect();
        for choice in lengths::choices(lengths.iter().map(Vec::len).collect()) {
            let of_axes = figures.iter().zip(&choice).map(|(axis, index)| axis.get(*index).copied().flatten());
            let Some(of_axes) = of_axes.collect::<Option<Vec<_>>>() else { continue };
            let (work, read_bytes) = self.work(&of_axes);
            // Most boxes end here, before their memory is looked at.
            if self.bests.would_take(&work.least_outlay(self.fleet))
                && let Some(writers) = lengths::chosen(lengths, &choice)
            {
                self.consider(&writers, &work, read_bytes);
            }
        }
    }

    /// Moves along one axis at a time to any length of the full list, for as long as that is cheaper.
    fn refine(&mut self, prefer: Prefer, lengths: &Lengths) {
        while let Some(start) = self.bests.by(prefer).cloned() {
            for (axis, lengths) in lengths.iter().enumerate() {
                for length in lengths {
                    let Some(mut writers) = self.bests.by(prefer).map(|best| best.writers.clone()) else { return };
                    if let Some(at) = writers.get_mut(axis) {
                        *at = *length;
                    }
                    let figures = writers.iter().enumerate().map(|(axis, length)| self.figures(axis, *length));
                    let Some(figures) = figures.collect::<Option<Vec<_>>>() else { continue };
                    let (work, read_bytes) = self.work(&figures);
                    self.consider(&writers, &work, read_bytes);
                }
            }
            if self.bests.by(prefer) == Some(&start) {
                return;
            }
        }
    }

    fn work(&self, of_axes: &[AxisFigures]) -> (StageWork, f64) {
        let over = |figure: fn(&AxisFigures) -> f64| of_axes.iter().map(figure).product::<f64>();
        let covered = over(|axis| axis.covered) * self.array.source.width as f64;
        let reads = over(|axis| axis.reads);
        let used: Vec<f64> = of_axes.iter().map(|axis| axis.used).collect();
        let taken = Taken::of(self.array, self.fleet, reads, covered, &used);
        let indexes = if self.array.source.shard.is_some() { over(|axis| axis.indexes) } else { 0.0 };
        let (array, bytes) = (self.array, self.array.bytes as f64);
        let (from, to) = (array.source_codec, array.target_codec);
        let work = StageWork {
            tasks: over(|axis| axis.tasks),
            reads: Traffic { place: Place::Source, requests: reads + indexes, bytes: taken.stored },
            writes: Traffic {
                place: Place::Target,
                requests: parted::requests(array, array.write_unit_count()),
                bytes: bytes * to.stored_part(),
            },
            deletes: 0.0,
            decode_seconds: from.decode_seconds(taken.read) + codec::copy_seconds(bytes),
            encode_seconds: to.encode_seconds(bytes),
        };
        (work, taken.read)
    }

    fn consider(&mut self, writers: &[u64], work: &StageWork, read_bytes: f64) {
        if !self.bests.would_take(&work.least_outlay(self.fleet)) {
            return;
        }
        let Some(held) = memory::box_bytes(self.array.shape, writers, self.array.target.width) else { return };
        let mut fitting: Vec<(u64, u64, &Vec<usize>)> = Vec::new();
        for order in &self.orders {
            let Some(memory) = self.memory(writers, order) else { continue };
            let Some(total) = self.room.fits(&memory, self.fleet.budget) else { continue };
            fitting.push((total, memory.open, order));
        }
        // Of orders that cost the same the one that holds least.
        fitting.sort_by_key(|(total, _, _)| *total);
        for (total, open, order) in fitting {
            let times = held as f64 / open.max(1) as f64;
            let outlay = work.outlay(self.fleet, self.fleet.residents(total), times);
            if self.bests.would_take(&outlay) {
                let (writers, order, room, tasks) = (writers.to_vec(), order.clone(), self.room, work.tasks);
                let parts = self.array.target.parts;
                self.bests.offer(&outlay, &DirectSweep { writers, order, outlay, read_bytes, tasks, room, parts });
            }
        }
    }

    fn memory(&self, writers: &[u64], order: &[usize]) -> Option<TaskMemory> {
        memory::direct(&self.sweep, &self.array.source, writers, order)
    }
}
