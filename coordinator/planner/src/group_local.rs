//! Groups over local disk: each task copies one group by itself, and what an exchange would send to the store and back
//! lies on its worker's disk. The data moves twice instead of four times; but there are no more tasks than groups, and a
//! group must fit the disk.

use rechunk_common::{
    geometry::{BoxGrid, Region},
    plan::CopyThroughScratch,
};

use crate::{
    array::Array,
    cost::{Fleet, StageWork},
    exchange,
    fit::Room,
    groups::Groups,
    memory::TaskMemory,
    prediction,
};

/// Tasks that share one worker, as far as the search looks for.
const SHARES: [u64; 3] = [1, 2, 4];

/// A task of a larger group would come too near to the time after which a lease counts as stuck.
const MOST_GROUP_BYTES: u64 = 64_000_000_000;

/// What a byte written to a local disk, and read there again later, costs beside one that goes to a store or comes from
/// it.
const DISK_BYTE: f64 = 0.5;

/// The cheapest way over local disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupLocal {
    pub(crate) groups: Groups,
    /// Length per axis of the boxes that the reading half cuts a group into.
    pub(crate) readers: Vec<u64>,
    /// Length per axis of the boxes that the writing half assembles.
    pub(crate) writers: Vec<u64>,
    /// Axes in the order in which blocks are visited.
    pub(crate) order: Vec<usize>,
    /// Local disk that the largest group needs.
    pub(crate) scratch: u64,
    /// Tasks that share a worker.
    share: u64,
    pub(crate) cost: f64,
    pub(crate) room: Room,
}

/// The cheapest boxes inside the smallest groups; `None` where memory or local disk is too small.
pub(crate) fn search(array: &Array, fleet: &Fleet, room: Room) -> Option<GroupLocal> {
    let groups = Groups::smallest(array).filter(|groups| groups.bytes <= MOST_GROUP_BYTES.min(fleet.scratch))?;
    let shares = SHARES.into_iter().filter(|share| *share <= fleet.threads.max(1));
    let found = shares.filter_map(|share| with_share(array, &groups, fleet, share, room));
    found.min_by(|a, b| a.cost.total_cmp(&b.cost))
}

/// The cheapest boxes where `share` tasks share a worker.
fn with_share(array: &Array, groups: &Groups, fleet: &Fleet, share: u64, room: Room) -> Option<GroupLocal> {
    // Inside a task one box comes after another: larger ones are better, and nobody waits for the last.
    let boxes = exchange::search(array, groups, &alone(fleet, share), room)?;
    let scratch = boxes.largest_group_bytes(array)?;
    if scratch.checked_mul(share)? > fleet.scratch {
        return None;
    }
    let found = GroupLocal {
        groups: boxes.groups,
        readers: boxes.readers,
        writers: boxes.writers,
        order: boxes.order,
        scratch,
        share,
        cost: 0.0,
        room,
    };
    let counts = prediction::through_scratch(&found.function(array))?;
    let bytes = 2.0 * array.bytes as f64;
    let work = StageWork {
        tasks: groups.count(array)? as f64,
        requests: counts.requests() as f64,
        bytes: bytes + DISK_BYTE * bytes,
        in_turn: true,
    };
    let cost = work.cost(fleet, share);
    Some(GroupLocal { cost, ..found })
}

/// A worker as one of `share` tasks sees it.
fn alone(fleet: &Fleet, share: u64) -> Fleet {
    Fleet { workers: 1, threads: 1, budget: fleet.budget.checked_div(share).unwrap_or(0), scratch: 0 }
}

/// Local disk that the smallest group needs, checksums left out; `None` beyond 2^64.
pub(crate) fn least_scratch(array: &Array) -> Option<u64> {
    Some(Groups::smallest(array)?.bytes)
}

/// What the smallest boxes inside a group would hold, at the least.
pub(crate) fn least_memory(array: &Array) -> Option<u64> {
    exchange::least_memory(array, &Groups::smallest(array)?)
}

impl GroupLocal {
    /// What a task is declared to hold: the larger of both halves, each with as many pieces in flight as its share of
    /// the worker has room for.
    pub(crate) fn declared(&self, halves: &[TaskMemory; 2], fleet: &Fleet) -> Option<u64> {
        let alone = alone(fleet, self.share);
        let [read, write] = halves.each_ref().map(|half| self.room.declared(half, &alone, 1));
        Some(read?.max(write?))
    }

    /// What its stage maps over the groups.
    pub(crate) fn function(&self, array: &Array) -> CopyThroughScratch {
        CopyThroughScratch {
            source: array.spec.source.clone(),
            target: array.spec.target.clone(),
            groups: BoxGrid::new(Region::whole(array.shape), self.groups.lengths.clone()),
            readers: self.readers.clone(),
            writers: self.writers.clone(),
            order: self.order.clone(),
            gaps: array.spec.gaps,
        }
    }
}
