//! Groups over local disk: each task copies one group by itself, and what an exchange would send to the store and back
//! lies on its worker's disk. The data moves twice instead of four times; but there are no more tasks than groups, and a
//! group must fit the disk.

use rechunk_common::{
    cost_profile::{CostProfile, StoreKind},
    geometry::BoxGrid,
    plan::{CopyThroughScratch, CostBasis, ShardParts},
};

use crate::{
    array::Array,
    codec,
    cost::{Bests, Fleet, Outlay, Place, StageWork, Traffic},
    exchange::{self, ExchangeShape, Within},
    fit::Room,
    groups::Groups,
    memory::TaskMemory,
    prediction,
};

/// Tasks that share one worker, as far as the search looks for.
const SHARES: [u64; 3] = [1, 2, 4];

/// A task of a larger group would come too near to the time after which a lease counts as stuck.
const MOST_GROUP_BYTES: u64 = 64_000_000_000;

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
    pub(crate) outlay: Outlay,
    pub(crate) room: Room,
    /// In what shards are written that are not held whole.
    pub(crate) parts: Option<ShardParts>,
}

/// The cheapest boxes inside the smallest groups, by each preference; none where memory or local disk is too small.
pub(crate) fn search(array: &Array, fleet: &Fleet, room: Room) -> Vec<GroupLocal> {
    let groups = Groups::smallest(array).filter(|groups| groups.bytes <= MOST_GROUP_BYTES.min(fleet.scratch));
    let Some(groups) = groups else { return Vec::new() };
    let mut bests = Bests::default();
    for share in SHARES.into_iter().filter(|share| *share <= fleet.threads.max(1)) {
        // Inside a task one box comes after another: larger ones are better, and nobody waits for the last.
        for boxes in
            exchange::search(array, &Within { groups: &groups, may_cut: false }, &alone(fleet, share), None, room)
        {
            if let Some(found) = with_share(array, boxes, fleet, share) {
                bests.offer(&found.outlay, &found);
            }
        }
    }
    bests.distinct()
}

/// Boxes inside a group where `share` tasks share a worker; `None` where its local disk is too small for them.
fn with_share(array: &Array, boxes: ExchangeShape, fleet: &Fleet, share: u64) -> Option<GroupLocal> {
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
        outlay: Outlay::default(),
        room: boxes.room,
        parts: boxes.parts,
    };
    let outlay = work(array, &found)?.outlay(fleet, share, 1.0);
    Some(GroupLocal { outlay, ..found })
}

/// Source and target are moved once each; the disk takes the elements and gives them back, and nothing else of the task
/// goes on meanwhile.
fn work(array: &Array, local: &GroupLocal) -> Option<StageWork> {
    let counts = prediction::through_scratch(&local.function(array))?;
    let (bytes, from, to) = (array.bytes as f64, array.source_codec, array.target_codec);
    let disk = bytes / disk().bytes_per_second.max(1) as f64;
    Some(StageWork {
        tasks: local.groups.count(array)? as f64,
        reads: Traffic {
            place: Place::Source,
            requests: counts.get_requests as f64,
            bytes: bytes * from.stored_part(),
        },
        writes: Traffic { place: Place::Target, requests: counts.put_requests as f64, bytes: bytes * to.stored_part() },
        deletes: 0.0,
        decode_seconds: from.decode_seconds(bytes) + codec::copy_seconds(bytes) + disk,
        encode_seconds: to.encode_seconds(bytes) + codec::copy_seconds(bytes) + disk,
    })
}

/// A worker's local disk.
fn disk() -> CostProfile {
    StoreKind::Local.profile()
}

/// A worker as one of `share` tasks sees it, with its disk for a temporary store.
fn alone(fleet: &Fleet, share: u64) -> Fleet {
    let basis = CostBasis { temp: disk(), workers: 1, ..fleet.basis };
    Fleet { workers: 1, threads: 1, budget: fleet.budget.checked_div(share).unwrap_or(0), scratch: 0, basis }
}

/// Local disk that the smallest group needs, checksums left out; `None` beyond 2^64.
pub(crate) fn least_scratch(array: &Array) -> Option<u64> {
    Some(Groups::smallest(array)?.bytes)
}

/// What the smallest boxes inside a group would hold, at the least.
pub(crate) fn least_memory(array: &Array) -> Option<u64> {
    exchange::least_memory(array, &Within { groups: &Groups::smallest(array)?, may_cut: false }, false)
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
            groups: BoxGrid::new(array.spec.source.bounds(), self.groups.lengths.clone()),
            readers: self.readers.clone(),
            writers: self.writers.clone(),
            order: self.order.clone(),
            gaps: array.spec.gaps,
            listed: array.spec.listed.as_ref().map(|listed| listed.source.clone()),
            shard_parts: self.parts,
            is_summed: array.spec.verify,
        }
    }
}
