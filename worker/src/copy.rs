//! Copies of elements from one chunk grid to another: four functions, one engine; and the index that a packed exchange
//! has between two of them.
//!
//! A *piece* is what is read alone (a chunk, an inner chunk, an exchange block), a *target* what is filled (a chunk,
//! an inner chunk, an exchange block). Elements are opaque bytes. Knows nothing of plans, leases or
//! other tasks: a task index and the function's parameters say all.

mod cells;
mod codecs;
mod content;
mod engine;
mod exchange;
mod group;
mod heap;
mod index_exchange;
mod kernel;
mod packed;
mod read_back;
mod sink;
mod source;
mod targets;

use std::sync::Arc;

use rechunk_common::{
    Presence, TaskFailure,
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkLayout, ElementType},
    plan::{CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, Exchange, GapPolicy, ShardParts},
};

pub(crate) use self::read_back::read_back;
use self::{
    content::Content,
    engine::Copy,
    sink::{ChunkSink, ExchangeSink, PackedSink, ShardSink, Sink, Visits},
    source::{ArraySource, BlockKind, BlockSource, PackedSource, PieceSource},
    targets::Fills,
};
pub use self::{group::through_scratch, index_exchange::index_exchange};
use crate::{
    context::TaskContext,
    failure::invalid,
    presence::{Listed, presence_of},
};

#[cfg(test)]
mod tests;

/// Fills the target chunks of box `task` from the source.
pub async fn read_to_write(cx: &TaskContext, function: &CopyReadToWrite, task: TaskIndex) -> Result<(), TaskFailure> {
    let CopyReadToWrite { source, target, writers, order, gaps, listed, shard_parts, is_summed } = function;
    same_elements(&source.element, &target.element)?;
    let region = box_of(writers, task)?;
    let listed = Listed::of(cx, listed.as_ref()).await?;
    let absent = listed.presence.clone().filter(|_| gaps.leaves_out_gaps(&source.fill, &target.fill));
    let pieces = PieceSource::Array(ArraySource::open(cx, source, &region, gaps.strict, listed)?);
    let visits = Visits { pieces: pieces.cells(), order };
    let heap_start = Fills::held_bytes(&source.fill, &target.fill);
    let sink = array_sink(cx, target, &region, *gaps, shard_parts.map(|parts| (parts, visits)), heap_start)?;
    let fills = Fills::of(target.element.is_variable(), &source.fill, &target.fill);
    let content = is_summed.then(|| Content::new(&source.shape, &source.element, &target.fill, &source.fill));
    let copy = Copy::new(cx.clone(), pieces, sink, fills, target.element.width)?.summed(content);
    without(copy, absent)?.run(order).await
}

/// Leaves out what is absent. Where it must be made of fill values, pieces that are absent are copied as gaps.
fn without(copy: Copy, absent: Option<Arc<Presence>>) -> Result<Copy, TaskFailure> {
    match absent {
        Some(presence) => copy.without_absent(&presence),
        None => Ok(copy),
    }
}

/// Fills exchange object `task` from the source.
pub async fn read_to_exchange(
    cx: &TaskContext,
    function: &CopyReadToExchange,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    fill_exchange(cx, cx, function, task).await
}

/// The same with the exchange in the stores of `temp`.
async fn fill_exchange(
    cx: &TaskContext,
    temp: &TaskContext,
    function: &CopyReadToExchange,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    let CopyReadToExchange { source, exchange, strict, listed, sum_beside } = function;
    can_go_through(exchange, &source.element)?;
    let region = box_of(&exchange.readers, task)?;
    let listed = Listed::of(cx, listed.as_ref()).await?;
    let content = sum_beside.as_ref().map(|beside| Content::new(&source.shape, &source.element, beside, &source.fill));
    let is_absent = listed.presence.as_ref().is_some_and(|presence| !presence.overlaps(&region));
    if is_absent && exchange.packing().is_none() {
        // No writing task reads any of its blocks; an index would miss the object.
        return add_gap(cx, content, region).await;
    }
    let pieces = PieceSource::Array(ArraySource::open(cx, source, &region, *strict, listed)?);
    let gap = &source.fill;
    let sink = match exchange.packing() {
        None => Sink::Exchange(ExchangeSink::open(temp, exchange, task, &region, gap)?),
        Some(packing) => {
            let (of_task, gaps) = ((task, &region), (&source.element, &gap[..]));
            Sink::Packed(PackedSink::open(temp, exchange, packing, of_task, gaps)?)
        }
    };
    let fills = Fills::of(source.element.is_variable(), gap, gap);
    let order: Vec<usize> = (0..region.rank()).collect();
    Copy::new(cx.clone(), pieces, sink, fills, exchange.width)?.summed(content).run(&order).await
}

/// Adds the content of a box of which nothing is stored, where that is any.
async fn add_gap(cx: &TaskContext, content: Option<Content>, region: Region) -> Result<(), TaskFailure> {
    let Some(content) = content.filter(Content::counts_gaps) else { return Ok(()) };
    let sum = cx.compute().run(move || Ok(content.of_gap(&region))).await?;
    cx.tally().add(|counts| counts.content += sum);
    Ok(())
}

/// Fills the target chunks of box `task` from exchange blocks.
pub async fn exchange_to_write(
    cx: &TaskContext,
    function: &CopyExchangeToWrite,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    empty_exchange(cx, cx, function, task).await
}

/// The same with the exchange in the stores of `temp`.
async fn empty_exchange(
    cx: &TaskContext,
    temp: &TaskContext,
    function: &CopyExchangeToWrite,
    task: TaskIndex,
) -> Result<(), TaskFailure> {
    let CopyExchangeToWrite { exchange, writers, target, order, gaps, presence: bitmap, shard_parts } = function;
    can_go_through(exchange, &target.element)?;
    let region = box_of(writers, task)?;
    let presence = presence_of(cx, bitmap.as_ref()).await?;
    // Blocks that are read hold what was missing in the source as values; others are known to hold nothing else.
    let gap = bitmap.as_ref().map_or(&target.fill, |bitmap| &bitmap.fill);
    let absent = presence.clone().filter(|_| gaps.leaves_out_gaps(gap, &target.fill));
    let pieces = match exchange.packing() {
        None => PieceSource::Blocks(BlockSource::open(temp, exchange, &region, presence)?),
        Some(_) if *writers != exchange.writers => {
            return Err(invalid("a task of a packed exchange has one row, and so one of its boxes"));
        }
        Some(packing) => {
            let blocks = BlockKind { is_variable: target.element.is_variable(), presence };
            PieceSource::Packed(PackedSource::open(temp, exchange, packing, (task, &region), blocks).await?)
        }
    };
    let visits = Visits { pieces: pieces.cells(), order };
    let heap_start = Fills::held_bytes(gap, &target.fill);
    let sink = array_sink(cx, target, &region, *gaps, shard_parts.map(|parts| (parts, visits)), heap_start)?;
    let fills = Fills::of(target.element.is_variable(), gap, &target.fill);
    let copy = Copy::new(cx.clone(), pieces, sink, fills, target.element.width)?;
    without(copy, absent)?.run(order).await
}

fn array_sink(
    cx: &TaskContext,
    target: &ArrayLayout,
    region: &Region,
    gaps: GapPolicy,
    parts: Option<(ShardParts, Visits)>,
    heap_start: u64,
) -> Result<Sink, TaskFailure> {
    match &target.chunks {
        ChunkLayout::Plain { .. } => Ok(Sink::Chunks(ChunkSink::open(cx, target, region, gaps, heap_start)?)),
        ChunkLayout::Sharded { .. } => Ok(Sink::Shards(ShardSink::open(cx, target, region, gaps, parts, heap_start)?)),
    }
}

fn box_of(grid: &BoxGrid, task: TaskIndex) -> Result<Region, TaskFailure> {
    grid.region(task.0).ok_or_else(|| invalid(format!("there is no task {task}: the stage has {}", grid.len())))
}

fn same_elements(source: &ElementType, target: &ElementType) -> Result<(), TaskFailure> {
    if source.is_variable() != target.is_variable() {
        return Err(invalid("elements of variable length cannot become elements of a width, nor the other way round"));
    }
    same_width(source.width, target.width)
}

fn can_go_through(exchange: &Exchange, element: &ElementType) -> Result<(), TaskFailure> {
    if element.is_variable() && exchange.packing().is_none() {
        return Err(invalid("elements of variable length cannot go through an exchange whose blocks are raw"));
    }
    same_width(exchange.width, element.width)
}

fn same_width(source: u64, target: u64) -> Result<(), TaskFailure> {
    if source == target && source > 0 {
        return Ok(());
    }
    Err(invalid(format!("elements of {source} bytes cannot become elements of {target} bytes")))
}
