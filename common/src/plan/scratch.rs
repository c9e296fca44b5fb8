//! A group copied by one task: an exchange whose objects never leave the worker. What the reading half sorts lies on the
//! worker's own disk until the writing half has taken it.

use serde::{Deserialize, Serialize};

use super::{CopyExchangeToWrite, CopyReadToExchange, Exchange, ExchangeEncoding, GapPolicy, ListedSource, ShardParts};
use crate::{
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    layout::ArrayLayout,
};

/// Each task copies one group by itself: it reads every source chunk of the group once into exchange objects on its
/// local disk, and fills the target chunks from these. A group is a box of whole source objects and whole write units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyThroughScratch {
    /// Where the elements come from.
    pub source: ArrayLayout,
    /// Where they go.
    pub target: ArrayLayout,
    /// Task `i` copies box `i`.
    pub groups: BoxGrid,
    /// Length per axis of the boxes, each one exchange object, that the reading half cuts a group into.
    pub readers: Vec<u64>,
    /// Length per axis of the boxes that the writing half assembles one after another.
    pub writers: Vec<u64>,
    /// Axes in the order in which blocks are visited, slowest first.
    pub order: Vec<usize>,
    /// How missing chunks and fill-only chunks are treated.
    pub gaps: GapPolicy,
    /// What a listing said of the source; `None`: nothing is known of it.
    pub listed: Option<ListedSource>,
    /// How shards of the target are written that are not held whole; `None`: each is held until all of it is there.
    pub shard_parts: Option<ShardParts>,
    /// The elements are summed, to be verified later.
    pub is_summed: bool,
}

impl CopyThroughScratch {
    /// What task `task` does, half by half: all tasks of the first function, then all of the second, with the exchange
    /// objects under `url`; `None` past the end.
    pub fn halves(&self, task: TaskIndex, url: String) -> Option<(CopyReadToExchange, CopyExchangeToWrite)> {
        let group = self.groups.region(task.0)?;
        let exchange = self.exchange(group, url);
        let Self { source, target, order, gaps, listed, shard_parts, .. } = self.clone();
        let presence = listed.as_ref().and_then(|listed| listed.presence.clone());
        let sum_beside = self.is_summed.then(|| target.fill.clone());
        let read = CopyReadToExchange { source, exchange: exchange.clone(), strict: gaps.strict, listed, sum_beside };
        let writers = exchange.writers.clone();
        Some((read, CopyExchangeToWrite { exchange, writers, target, order, gaps, presence, shard_parts }))
    }

    /// The exchange inside `group`.
    pub fn exchange(&self, group: Region, url: String) -> Exchange {
        Exchange {
            url,
            width: self.source.element.width,
            encoding: ExchangeEncoding::Raw,
            readers: self.source.boxes_of_read_units(group.clone(), self.readers.clone()),
            writers: self.target.boxes_of_write_units(group, self.writers.clone()),
        }
    }
}
