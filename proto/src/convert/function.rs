//! Stage functions. Behind this door the layouts and grids of a function fit each other: same shape, same width,
//! task boxes inside the array, every axis visited once.

use rechunk_common::{
    ByteCount,
    geometry::BoxGrid,
    layout::ArrayLayout,
    limits::MAX_CUSTOM_PARAMETERS,
    plan::{
        CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite, CustomFunction, DeleteExchange,
        Exchange, FunctionId, GapPolicy, ShardParts, StageFunction,
    },
};

use super::{
    exchange::{tasks, writers_of},
    field::{name, positive, required, within},
    listed,
};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidFunction, InvalidFunctionId},
    v1::{self, stage_function::Function},
};

impl From<FunctionId> for v1::FunctionId {
    fn from(id: FunctionId) -> Self {
        let FunctionId { name, version } = id;
        Self { name, version }
    }
}

impl TryFrom<v1::FunctionId> for FunctionId {
    type Error = InvalidFunctionId;

    fn try_from(id: v1::FunctionId) -> Result<Self, InvalidFunctionId> {
        Ok(Self { name: name(id.name, "name")?, version: id.version })
    }
}

impl From<StageFunction> for v1::StageFunction {
    fn from(function: StageFunction) -> Self {
        let function = match function {
            StageFunction::ClearPrefix(clear) => Function::ClearPrefix(clear.into()),
            StageFunction::CopyEncoded(copy) => Function::CopyEncoded(copy.into()),
            StageFunction::CopyReadToWrite(copy) => Function::CopyReadToWrite(copy.into()),
            StageFunction::CopyReadToExchange(copy) => Function::CopyReadToExchange(copy.into()),
            StageFunction::IndexExchange(index) => Function::IndexExchange(index.into()),
            StageFunction::CopyExchangeToWrite(copy) => Function::CopyExchangeToWrite(copy.into()),
            StageFunction::CopyThroughScratch(copy) => Function::CopyThroughScratch(copy.into()),
            StageFunction::CopySmallArrays(small) => Function::CopySmallArrays(small.into()),
            StageFunction::Verify(verify) => Function::Verify(verify.into()),
            StageFunction::DeleteExchange(delete) => Function::DeleteExchange(delete.into()),
            StageFunction::CheckSource(check) => Function::CheckSource(check.into()),
            StageFunction::PublishMetadata(publish) => Function::PublishMetadata(publish.into()),
            StageFunction::Custom(custom) => Function::Custom(custom.into()),
        };
        Self { function: Some(function) }
    }
}

impl TryFrom<v1::StageFunction> for StageFunction {
    type Error = InvalidFunction;

    fn try_from(function: v1::StageFunction) -> Result<Self, InvalidFunction> {
        let function = function.function.ok_or_else(|| Fault::whole(Problem::Missing))?;
        Ok(match function {
            Function::ClearPrefix(clear) => Self::ClearPrefix(required(Some(clear), "clear_prefix")?),
            Function::CopyEncoded(copy) => Self::CopyEncoded(required(Some(copy), "copy_encoded")?),
            Function::CopyReadToWrite(copy) => Self::CopyReadToWrite(required(Some(copy), "copy_read_to_write")?),
            Function::CopyReadToExchange(copy) => {
                Self::CopyReadToExchange(required(Some(copy), "copy_read_to_exchange")?)
            }
            Function::IndexExchange(index) => Self::IndexExchange(required(Some(index), "index_exchange")?),
            Function::CopyExchangeToWrite(copy) => {
                Self::CopyExchangeToWrite(required(Some(copy), "copy_exchange_to_write")?)
            }
            Function::CopyThroughScratch(copy) => {
                Self::CopyThroughScratch(required(Some(copy), "copy_through_scratch")?)
            }
            Function::CopySmallArrays(small) => Self::CopySmallArrays(required(Some(small), "copy_small_arrays")?),
            Function::Verify(verify) => Self::Verify(required(Some(verify), "verify")?),
            Function::DeleteExchange(delete) => Self::DeleteExchange(required(Some(delete), "delete_exchange")?),
            Function::CheckSource(check) => Self::CheckSource(required(Some(check), "check_source")?),
            Function::PublishMetadata(publish) => Self::PublishMetadata(required(Some(publish), "publish_metadata")?),
            Function::Custom(custom) => Self::Custom(required(Some(custom), "custom")?),
        })
    }
}

impl From<CopyEncoded> for v1::CopyEncoded {
    fn from(copy: CopyEncoded) -> Self {
        let CopyEncoded { source, target, writers, gaps, by_store, listed, shard_parts, is_summed } = copy;
        Self {
            source: Some(source.into()),
            target: Some(target.into()),
            writers: Some(writers.into()),
            gaps: Some(gaps.into()),
            by_store,
            listed: listed.map(Into::into),
            shard_part_bytes: of_shard_parts(shard_parts),
            is_summed,
        }
    }
}

impl TryFrom<v1::CopyEncoded> for CopyEncoded {
    type Error = Fault;

    fn try_from(copy: v1::CopyEncoded) -> Result<Self, Fault> {
        let source: ArrayLayout = required(copy.source, "source")?;
        let target: ArrayLayout = required(copy.target, "target")?;
        same_array(&source, &target)?;
        if target.chunks.read_unit() != source.chunks.read_unit() {
            return Err(Fault::at("target.chunks", Problem::Disagrees { other: "source.chunks" }));
        }
        // Chunks that differ in length are never passed on.
        for (side, layout) in [("source.edges", &source), ("target.edges", &target)] {
            if !layout.has_equal_chunks() {
                return Err(Fault::at(side, Problem::Disagrees { other: "copy_encoded" }));
            }
        }
        let writers = tasks(copy.writers, "writers")?;
        inside(&writers, &target, "writers")?;
        let listed = listed::of_source(copy.listed, &source.write_grid(), &source.fill)?;
        let v1::CopyEncoded { by_store, is_summed, .. } = copy;
        if by_store && is_summed {
            // What the store copies is never seen.
            return Err(Fault::at("is_summed", Problem::Disagrees { other: "by_store" }));
        }
        let shard_parts = shard_parts(copy.shard_part_bytes, &target)?;
        Ok(Self { source, target, writers, gaps: gaps(copy.gaps), by_store, listed, shard_parts, is_summed })
    }
}

impl From<CopyReadToWrite> for v1::CopyReadToWrite {
    fn from(copy: CopyReadToWrite) -> Self {
        let CopyReadToWrite { source, target, writers, order, gaps, listed, shard_parts, is_summed } = copy;
        Self {
            source: Some(source.into()),
            target: Some(target.into()),
            writers: Some(writers.into()),
            order: of_order(&order),
            gaps: Some(gaps.into()),
            listed: listed.map(Into::into),
            shard_part_bytes: of_shard_parts(shard_parts),
            is_summed,
        }
    }
}

impl TryFrom<v1::CopyReadToWrite> for CopyReadToWrite {
    type Error = Fault;

    fn try_from(copy: v1::CopyReadToWrite) -> Result<Self, Fault> {
        let source: ArrayLayout = required(copy.source, "source")?;
        let target: ArrayLayout = required(copy.target, "target")?;
        same_array(&source, &target)?;
        let writers = tasks(copy.writers, "writers")?;
        inside(&writers, &target, "writers")?;
        let listed = listed::of_source(copy.listed, &source.write_grid(), &source.fill)?;
        let order = order(&copy.order, target.shape.len())?;
        let (shard_parts, is_summed) = (shard_parts(copy.shard_part_bytes, &target)?, copy.is_summed);
        Ok(Self { order, source, target, writers, gaps: gaps(copy.gaps), listed, shard_parts, is_summed })
    }
}

impl From<CopyReadToExchange> for v1::CopyReadToExchange {
    fn from(copy: CopyReadToExchange) -> Self {
        let CopyReadToExchange { source, exchange, strict, listed, sum_beside } = copy;
        let listed = listed.map(Into::into);
        Self { source: Some(source.into()), exchange: Some(exchange.into()), strict, listed, sum_beside }
    }
}

impl TryFrom<v1::CopyReadToExchange> for CopyReadToExchange {
    type Error = Fault;

    fn try_from(copy: v1::CopyReadToExchange) -> Result<Self, Fault> {
        let source: ArrayLayout = required(copy.source, "source")?;
        let exchange: Exchange = required(copy.exchange, "exchange")?;
        same_width(exchange.width, source.element.width, "exchange.width_bytes")?;
        inside(&exchange.readers, &source, "exchange.readers")?;
        packed_if_variable(&exchange, &source)?;
        let listed = listed::of_source(copy.listed, &source.write_grid(), &source.fill)?;
        if let Some(fill) = copy.sum_beside.as_ref().filter(|fill| !source.element.holds(fill)) {
            let found = u64::try_from(fill.len()).unwrap_or(u64::MAX);
            return Err(Fault::at("sum_beside", Problem::WidthMismatch { expected: source.element.width, found }));
        }
        Ok(Self { source, exchange, strict: copy.strict, listed, sum_beside: copy.sum_beside })
    }
}

impl From<CopyExchangeToWrite> for v1::CopyExchangeToWrite {
    fn from(copy: CopyExchangeToWrite) -> Self {
        let CopyExchangeToWrite { exchange, writers, target, order, gaps, presence, shard_parts } = copy;
        let is_own = writers == exchange.writers;
        Self {
            exchange: Some(exchange.into()),
            target: Some(target.into()),
            order: of_order(&order),
            gaps: Some(gaps.into()),
            presence: presence.map(Into::into),
            shard_part_bytes: of_shard_parts(shard_parts),
            writer_lengths: if is_own { Vec::new() } else { writers.lengths().to_vec() },
        }
    }
}

impl TryFrom<v1::CopyExchangeToWrite> for CopyExchangeToWrite {
    type Error = Fault;

    fn try_from(copy: v1::CopyExchangeToWrite) -> Result<Self, Fault> {
        let exchange: Exchange = required(copy.exchange, "exchange")?;
        let target: ArrayLayout = required(copy.target, "target")?;
        same_width(exchange.width, target.element.width, "exchange.width_bytes")?;
        inside(&exchange.writers, &target, "exchange.writers")?;
        packed_if_variable(&exchange, &target)?;
        let presence = listed::of_tasks(copy.presence, (&exchange.writers, "exchange.writers"), &target.element)?;
        let shard_parts = shard_parts(copy.shard_part_bytes, &target)?;
        let order = order(&copy.order, target.shape.len())?;
        let writers = writers_of(&exchange, &target, copy.writer_lengths)?;
        Ok(Self { order, exchange, writers, target, gaps: gaps(copy.gaps), presence, shard_parts })
    }
}

impl From<DeleteExchange> for v1::DeleteExchange {
    fn from(delete: DeleteExchange) -> Self {
        let DeleteExchange { exchange, objects_per_task } = delete;
        Self { exchange: Some(exchange.into()), objects_per_task }
    }
}

impl TryFrom<v1::DeleteExchange> for DeleteExchange {
    type Error = Fault;

    fn try_from(delete: v1::DeleteExchange) -> Result<Self, Fault> {
        Ok(Self {
            exchange: required(delete.exchange, "exchange")?,
            objects_per_task: positive(delete.objects_per_task, "objects_per_task")?,
        })
    }
}

impl From<CustomFunction> for v1::CustomFunction {
    fn from(custom: CustomFunction) -> Self {
        let CustomFunction { id: FunctionId { name, version }, parameters } = custom;
        Self { name, version, parameters }
    }
}

impl TryFrom<v1::CustomFunction> for CustomFunction {
    type Error = Fault;

    fn try_from(custom: v1::CustomFunction) -> Result<Self, Fault> {
        let bytes = u64::try_from(custom.parameters.len()).unwrap_or(u64::MAX);
        within(bytes, MAX_CUSTOM_PARAMETERS.0, "MAX_CUSTOM_PARAMETERS", "parameters")?;
        let id = FunctionId { name: name(custom.name, "name")?, version: custom.version };
        // A custom function by a built-in name could never be told from it in a worker's offer.
        if StageFunction::built_in().iter().any(|built_in| built_in.name == id.name) {
            return Err(Fault::at("name", Problem::Reserved));
        }
        Ok(Self { id, parameters: custom.parameters })
    }
}

impl From<GapPolicy> for v1::GapPolicy {
    fn from(gaps: GapPolicy) -> Self {
        let GapPolicy { strict, write_empty_chunks } = gaps;
        Self { strict, write_empty_chunks }
    }
}

/// Absent is the default: neither.
pub(super) fn gaps(gaps: Option<v1::GapPolicy>) -> GapPolicy {
    gaps.map_or_else(GapPolicy::default, |gaps| GapPolicy {
        strict: gaps.strict,
        write_empty_chunks: gaps.write_empty_chunks,
    })
}

/// 0 where shards are held whole.
pub(super) fn of_shard_parts(parts: Option<ShardParts>) -> u64 {
    parts.map_or(0, |parts| parts.bytes.0)
}

/// Refuses parts of objects that cannot be written so.
pub(super) fn shard_parts(bytes: u64, target: &ArrayLayout) -> Result<Option<ShardParts>, Fault> {
    if bytes > 0 && !ShardParts::can_write(&target.chunks) {
        return Err(Fault::at("shard_part_bytes", Problem::Disagrees { other: "target.chunks" }));
    }
    Ok((bytes > 0).then_some(ShardParts { bytes: ByteCount(bytes) }))
}

/// Axes are below the limit of the rank, so each fits.
pub(super) fn of_order(order: &[usize]) -> Vec<u32> {
    order.iter().map(|axis| u32::try_from(*axis).unwrap_or(u32::MAX)).collect()
}

pub(super) fn order(order: &[u32], rank: usize) -> Result<Vec<usize>, Fault> {
    let refuse = || Fault::at("order", Problem::NotAnOrder { rank });
    let axes: Option<Vec<usize>> = order.iter().map(|axis| usize::try_from(*axis).ok()).collect();
    let axes = axes.filter(|axes| axes.len() == rank).ok_or_else(refuse)?;
    if (0..rank).all(|axis| axes.contains(&axis)) { Ok(axes) } else { Err(refuse()) }
}

/// Refuses two sides that are not of one array.
pub(super) fn same_array(source: &ArrayLayout, target: &ArrayLayout) -> Result<(), Fault> {
    if target.shape.len() != source.shape.len() {
        let problem = Problem::RankMismatch { expected: source.shape.len(), found: target.shape.len() };
        return Err(Fault::at("target.shape", problem));
    }
    if target.shape != source.shape {
        return Err(Fault::at("target.shape", Problem::Disagrees { other: "source.shape" }));
    }
    if target.bounds() != source.bounds() || target.part.is_some() != source.part.is_some() {
        return Err(Fault::at("target.part", Problem::Disagrees { other: "source.part" }));
    }
    if target.element.is_variable() != source.element.is_variable() {
        return Err(Fault::at("target.element", Problem::Disagrees { other: "source.element" }));
    }
    same_width(target.element.width, source.element.width, "target.element")
}

/// Refuses raw blocks of elements of variable length: their offsets are no arithmetic.
fn packed_if_variable(exchange: &Exchange, array: &ArrayLayout) -> Result<(), Fault> {
    let is_raw = array.element.is_variable() && exchange.packing().is_none();
    if is_raw { Err(Fault::at("exchange.packing", Problem::Missing)) } else { Ok(()) }
}

fn same_width(found: u64, expected: u64, field: &str) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { Err(Fault::at(field, Problem::WidthMismatch { expected, found })) }
}

/// Refuses a grid of tasks that is not about elements of the array.
pub(super) fn inside(grid: &BoxGrid, array: &ArrayLayout, field: &str) -> Result<(), Fault> {
    let (expected, found) = (array.shape.len(), grid.bounds().rank());
    if found != expected {
        return Err(Fault::at(field, Problem::RankMismatch { expected, found }));
    }
    if array.bounds().contains(grid.bounds()) { Ok(()) } else { Err(Fault::at(field, Problem::Outside)) }
}
