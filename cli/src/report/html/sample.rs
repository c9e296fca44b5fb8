//! What the first task of a stage does: the region it owns, what lies around it, and a sentence. By geometry alone, as
//! the worker finds its work.

use rechunk_common::{
    ByteCount,
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    layout::ArrayLayout,
    plan::{
        CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, CopyThroughScratch, Exchange, Stage,
        StageFunction,
    },
};

use super::{
    counted,
    drawing::{Block, Role},
    lengths,
};

/// The first task of a copying stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// Whose grid to draw it on.
    pub(super) role: Role,
    /// What to draw.
    pub(super) blocks: Vec<Block>,
    /// What it does.
    pub(super) sentence: String,
}

/// The first task of a stage; `None` where it moves no elements, or the function is not ours.
pub(super) fn first_task(stage: &Stage, names: &[String]) -> Option<Sample> {
    let (sample, layout) = match &stage.function {
        StageFunction::CopyEncoded(copy) => (encoded(copy)?, &copy.target),
        StageFunction::CopyReadToWrite(copy) => (direct(copy, names)?, &copy.target),
        StageFunction::CopyReadToExchange(copy) => (to_exchange(copy)?, &copy.source),
        StageFunction::CopyExchangeToWrite(copy) => (from_exchange(copy)?, &copy.target),
        StageFunction::CopyThroughScratch(copy) => (through_scratch(copy, stage.task_scratch)?, &copy.target),
        StageFunction::ClearPrefix(_)
        | StageFunction::IndexExchange(_)
        | StageFunction::CopySmallArrays(_)
        | StageFunction::Verify(_)
        | StageFunction::DeleteExchange(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_)
        | StageFunction::Custom(_) => return None,
    };
    Some(drawn_from(sample, layout.bounds().start()))
}

/// Drawn is what is copied, from its own start on.
fn drawn_from(sample: Sample, start: &[u64]) -> Sample {
    let shifted = |block: Block| {
        let region = Region::new(block.start, block.end).relative_to(start);
        Block { start: region.start().to_vec(), end: region.end().to_vec(), ..block }
    };
    Sample { blocks: sample.blocks.into_iter().map(shifted).collect(), ..sample }
}

/// The array layout that a copying stage reads or writes, for its URL.
pub(super) fn target_of(stage: &Stage) -> Option<&ArrayLayout> {
    match &stage.function {
        StageFunction::CopyEncoded(copy) => Some(&copy.target),
        StageFunction::CopyReadToWrite(copy) => Some(&copy.target),
        StageFunction::CopyExchangeToWrite(copy) => Some(&copy.target),
        StageFunction::CopyThroughScratch(copy) => Some(&copy.target),
        StageFunction::CopyReadToExchange(_)
        | StageFunction::IndexExchange(_)
        | StageFunction::CopySmallArrays(_)
        | StageFunction::Verify(_)
        | StageFunction::ClearPrefix(_)
        | StageFunction::DeleteExchange(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_)
        | StageFunction::Custom(_) => None,
    }
}

fn encoded(copy: &CopyEncoded) -> Option<Sample> {
    let own = copy.writers.region(0)?;
    let (read, _) = overlapped(&copy.source.read_grid(), &own);
    let written = overlapped(&copy.target.write_grid(), &own).0;
    let sentence = if copy.by_store {
        format!("It lets the store copy {}, which nobody reads.", counted(written, "object"))
    } else {
        format!(
            "It fetches {} of the source and stores them, bytes unchanged, as {} of the target.",
            counted(read, "chunk"),
            counted(written, "object"),
        )
    };
    let (mut blocks, note) = around(copy.writers.bounds(), &copy.target.shape);
    blocks.push(block(Role::Target, &own, Some(copy.target.chunks.write_unit())));
    let sentence = sentence + note;
    Some(Sample { role: Role::Target, blocks, sentence })
}

fn direct(copy: &CopyReadToWrite, names: &[String]) -> Option<Sample> {
    let own = copy.writers.region(0)?;
    let (read, covered) = overlapped(&copy.source.read_grid(), &own);
    let (written, _) = overlapped(&copy.target.write_grid(), &own);
    let sweep = copy.order.first().and_then(|axis| names.get(*axis));
    let sweep =
        sweep.filter(|_| read > 1).map(|name| format!(" It walks along {name}, so that few are open at a time."));
    let sentence = format!(
        "It owns {} elements, reads the {} that overlap them (dashed), and writes {}.{}",
        lengths(&own.shape()),
        counted(read, "source chunk"),
        counted(written, "target object"),
        sweep.unwrap_or_default(),
    );
    let own = block(Role::Target, &own, Some(copy.target.chunks.write_unit()));
    let blocks = vec![own, block(Role::Around, &covered, None)];
    Some(Sample { role: Role::Target, blocks, sentence })
}

fn to_exchange(copy: &CopyReadToExchange) -> Option<Sample> {
    let exchange = &copy.exchange;
    let own = exchange.readers.region(0)?;
    let (read, _) = overlapped(&copy.source.read_grid(), &own);
    let (blocks_in_it, _) = overlapped(&exchange.writers, &own);
    let most = if exchange.packing().is_some() { "at most " } else { "" };
    let size = exchange.object_bytes(TaskIndex(0)).map(|bytes| format!(" of {most}{}", ByteCount(bytes)));
    let size = size.unwrap_or_default();
    let sentence = format!(
        "It reads {} ({} elements), cuts them into {}, one for each task of the next stage that needs some of them, \
         and writes these as one temporary object{size}.",
        counted(read, "source chunk"),
        lengths(&own.shape()),
        counted(blocks_in_it, "block"),
    );
    let (mut blocks, note) = around(exchange.readers.bounds(), &copy.source.shape);
    blocks.push(block(Role::Source, &own, Some(exchange.writers.lengths())));
    let sentence = sentence + note;
    Some(Sample { role: Role::Source, blocks, sentence })
}

fn from_exchange(copy: &CopyExchangeToWrite) -> Option<Sample> {
    let exchange: &Exchange = &copy.exchange;
    let own = copy.writers.region(0)?;
    let (objects, _) = overlapped(&exchange.readers, &own);
    let (written, _) = overlapped(&copy.target.write_grid(), &own);
    let fetched = match overlapped(&exchange.writers, &own).0 {
        1 => format!("{}, one out of each temporary object that holds some", counted(objects, "block")),
        parts => format!("up to {parts} blocks out of each of {} that hold some", counted(objects, "temporary object")),
    };
    let sentence = format!(
        "It fetches {fetched} of its {} elements, and writes {}.",
        lengths(&own.shape()),
        counted(written, "target object"),
    );
    let (mut blocks, note) = around(copy.writers.bounds(), &copy.target.shape);
    blocks.push(block(Role::Target, &own, Some(exchange.readers.lengths())));
    let sentence = sentence + note;
    Some(Sample { role: Role::Target, blocks, sentence })
}

fn through_scratch(copy: &CopyThroughScratch, scratch: ByteCount) -> Option<Sample> {
    let own = copy.groups.region(0)?;
    let (read, _) = overlapped(&copy.source.read_grid(), &own);
    let (written, _) = overlapped(&copy.target.write_grid(), &own);
    let exchange = copy.exchange(own.clone(), String::new());
    let sentence = format!(
        "It reads the {} of its group, sorts their elements on local disk in {} of {scratch} together, and writes {}.",
        counted(read, "source chunk"),
        counted(exchange.readers.len(), "file"),
        counted(written, "target object"),
    );
    let blocks = vec![block(Role::Target, &own, Some(copy.target.chunks.write_unit()))];
    Some(Sample { role: Role::Target, blocks, sentence })
}

/// How many boxes of a grid a region overlaps, and the elements that these have together.
pub(super) fn overlapped(grid: &BoxGrid, region: &Region) -> (u64, Region) {
    let positions = grid.overlapping(region);
    let last: Vec<u64> = positions.end().iter().map(|end| end.saturating_sub(1)).collect();
    let first = grid.region_at(positions.start());
    (positions.element_count(), Region::new(first.start().to_vec(), grid.region_at(&last).end().to_vec()))
}

fn block(role: Role, region: &Region, cut_by: Option<&[u64]>) -> Block {
    Block { role, start: region.start().to_vec(), end: region.end().to_vec(), cut_by: cut_by.map(<[u64]>::to_vec) }
}

/// The group that a pipeline's tasks cut, where it is not the whole array, and a sentence about it.
fn around(bounds: &Region, shape: &[u64]) -> (Vec<Block>, &'static str) {
    if bounds.shape() == shape {
        return (Vec::new(), "");
    }
    (vec![block(Role::Around, bounds, None)], " Dashed: the group of chunks that one pipeline copies by itself.")
}
