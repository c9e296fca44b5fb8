//! Groups that are copied by way of a worker's own disk. Behind this door groups lie inside the array, and the boxes
//! inside them are few enough to count.

use rechunk_common::{layout::ArrayLayout, limits::MAX_TASKS_PER_STAGE, plan::CopyThroughScratch};

use super::{
    exchange::tasks,
    field::{lengths, required, within},
    function::{gaps, inside, of_order, of_shard_parts, order, same_array, shard_parts},
    listed,
};
use crate::{fault::Fault, v1};

impl From<CopyThroughScratch> for v1::CopyThroughScratch {
    fn from(copy: CopyThroughScratch) -> Self {
        let CopyThroughScratch {
            source,
            target,
            groups,
            readers,
            writers,
            order,
            gaps,
            listed,
            shard_parts,
            is_summed,
        } = copy;
        Self {
            source: Some(source.into()),
            target: Some(target.into()),
            groups: Some(groups.into()),
            readers,
            writers,
            order: of_order(&order),
            gaps: Some(gaps.into()),
            listed: listed.map(Into::into),
            shard_part_bytes: of_shard_parts(shard_parts),
            is_summed,
        }
    }
}

impl TryFrom<v1::CopyThroughScratch> for CopyThroughScratch {
    type Error = Fault;

    fn try_from(copy: v1::CopyThroughScratch) -> Result<Self, Fault> {
        let source: ArrayLayout = required(copy.source, "source")?;
        let target: ArrayLayout = required(copy.target, "target")?;
        same_array(&source, &target)?;
        let groups = tasks(copy.groups, "groups")?;
        inside(&groups, &target, "groups")?;
        let rank = target.shape.len();
        let copy = Self {
            readers: lengths(copy.readers, rank, "readers")?,
            writers: lengths(copy.writers, rank, "writers")?,
            order: order(&copy.order, rank)?,
            gaps: gaps(copy.gaps),
            listed: listed::of_source(copy.listed, &source.write_grid(), &source.fill)?,
            shard_parts: shard_parts(copy.shard_part_bytes, &target)?,
            is_summed: copy.is_summed,
            source,
            target,
            groups,
        };
        // The first group is the largest.
        if let Some(group) = copy.groups.region(0) {
            let exchange = copy.exchange(group, String::new());
            for (grid, field) in [(exchange.readers, "readers"), (exchange.writers, "writers")] {
                within(grid.len(), MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", field)?;
            }
        }
        Ok(copy)
    }
}
