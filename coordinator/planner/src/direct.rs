//! The direct sweep: each task owns a box of write units, reads every source unit that overlaps it, and holds only
//! the chunks that are open. The search chooses the box and the axis along which it is swept.

use crate::{
    array::Array,
    axis,
    cost::{Fleet, StageWork},
    fit::Room,
    lengths::{self, Lengths},
    memory::{self, Sweep, TaskMemory},
    sweep,
};

/// The cheapest direct sweep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DirectSweep {
    /// Length of a task's box per axis.
    pub(crate) writers: Vec<u64>,
    /// Axes in visiting order.
    pub(crate) order: Vec<usize>,
    pub(crate) cost: f64,
    /// Decoded source bytes, as often as they are read.
    pub(crate) read_bytes: f64,
    pub(crate) tasks: f64,
    pub(crate) room: Room,
}

/// Figures of one axis at one box length, over all boxes.
#[derive(Debug, Clone, Copy, Default)]
struct AxisFigures {
    tasks: f64,
    reads: f64,
    covered: f64,
    indexes: f64,
}

struct Search<'a> {
    array: &'a Array<'a>,
    fleet: &'a Fleet,
    room: Room,
    sweep: Sweep<'a>,
    orders: Vec<Vec<usize>>,
    best: Option<DirectSweep>,
}

/// The cheapest box and order that fit; `None` if none does.
pub(crate) fn search(array: &Array, fleet: &Fleet, room: Room) -> Option<DirectSweep> {
    let sweep = Sweep::new(array.shape, array.source.unit, array.target)?;
    let mut search = Search { array, fleet, room, sweep, orders: orders(array), best: None };
    let all = lengths::all(array.shape, array.write_unit, array.source.unit);
    search.look_at_all(&lengths::thinned(all.clone()));
    search.refine(&all);
    search.best
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

/// One visiting order per axis that can be the slowest; axes of one piece are left out if there are others.
pub(crate) fn orders_over(extents: &[u64], pieces: &[u64]) -> Vec<Vec<usize>> {
    let rank = extents.len();
    let cut = |axis: &usize| extents.get(*axis) > pieces.get(*axis);
    let mut orders: Vec<Vec<usize>> = (0..rank).filter(cut).map(|axis| sweep::order(rank, axis)).collect();
    if orders.is_empty() {
        orders.push((0..rank).collect());
    }
    orders
}

fn orders(array: &Array) -> Vec<Vec<usize>> {
    orders_over(array.shape, array.source.unit)
}

impl Search<'_> {
    fn figures(&self, axis: usize, length: u64) -> Option<AxisFigures> {
        let (n, unit, object, _) = self.array.axis(axis)?;
        Some(AxisFigures {
            tasks: axis::boxes(n, length) as f64,
            reads: axis::pairs(n, unit, length)? as f64,
            covered: axis::covered(n, unit, length)? as f64,
            indexes: axis::pairs(n, object, length)? as f64,
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
            if self.is_better(work.cost(self.fleet, 1))
                && let Some(writers) = lengths::chosen(lengths, &choice)
            {
                self.consider(writers, &work, read_bytes);
            }
        }
    }

    /// Moves along one axis at a time to any length of the full list, for as long as that is cheaper.
    fn refine(&mut self, lengths: &Lengths) {
        while let Some(start) = self.best.clone() {
            for (axis, lengths) in lengths.iter().enumerate() {
                for length in lengths {
                    let Some(mut writers) = self.best.as_ref().map(|best| best.writers.clone()) else { return };
                    if let Some(at) = writers.get_mut(axis) {
                        *at = *length;
                    }
                    let figures = writers.iter().enumerate().map(|(axis, length)| self.figures(axis, *length));
                    let Some(figures) = figures.collect::<Option<Vec<_>>>() else { continue };
                    let (work, read_bytes) = self.work(&figures);
                    self.consider(writers, &work, read_bytes);
                }
            }
            if self.best.as_ref() == Some(&start) {
                return;
            }
        }
    }

    fn work(&self, of_axes: &[AxisFigures]) -> (StageWork, f64) {
        let over = |figure: fn(&AxisFigures) -> f64| of_axes.iter().map(figure).product::<f64>();
        let read_bytes = over(|axis| axis.covered) * self.array.source.width as f64;
        let indexes = if self.array.source.shard.is_some() { over(|axis| axis.indexes) } else { 0.0 };
        let written = self.array.shape.iter().zip(self.array.write_unit).map(|(n, unit)| axis::boxes(*n, *unit) as f64);
        let work = StageWork {
            tasks: over(|axis| axis.tasks),
            requests: over(|axis| axis.reads) + indexes + written.product::<f64>(),
            bytes: read_bytes + self.array.bytes as f64,
            in_turn: false,
        };
        (work, read_bytes)
    }

    fn is_better(&self, cost: f64) -> bool {
        self.best.as_ref().is_none_or(|best| cost < best.cost)
    }

    fn consider(&mut self, writers: Vec<u64>, work: &StageWork, read_bytes: f64) {
        let cost = work.cost(self.fleet, 1);
        if !self.is_better(cost) {
            return;
        }
        let total = |order: &Vec<usize>| self.room.fits(&self.memory(&writers, order)?, self.fleet.budget);
        let order = self.orders.iter().filter_map(|order| Some((total(order)?, order))).min_by_key(|(total, _)| *total);
        if let Some((_, order)) = order {
            let (order, room, tasks) = (order.clone(), self.room, work.tasks);
            self.best = Some(DirectSweep { writers, order, cost, read_bytes, tasks, room });
        }
    }

    fn memory(&self, writers: &[u64], order: &[usize]) -> Option<TaskMemory> {
        memory::direct(&self.sweep, &self.array.source, writers, order)
    }
}
