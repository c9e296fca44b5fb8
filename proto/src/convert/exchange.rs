//! Exchanges. Behind this door both grids cut the same region, within the limit of tasks, and its size fits into
//! 64 bits; boxes of an index hold whole boxes of writing tasks.

use rechunk_common::{
    geometry::BoxGrid,
    layout::ArrayLayout,
    limits::MAX_TASKS_PER_STAGE,
    plan::{Exchange, ExchangeCodec, ExchangeEncoding, IndexExchange, Packing},
};

use super::{
    field::{lengths, required, url, within},
    layout::element_width,
};
use crate::{
    fault::{Fault, Problem},
    invalid::InvalidExchange,
    v1,
};

impl From<Exchange> for v1::Exchange {
    fn from(exchange: Exchange) -> Self {
        let Exchange { url, width, readers, writers, encoding } = exchange;
        let packing = match encoding {
            ExchangeEncoding::Raw => None,
            ExchangeEncoding::Packed(packing) => Some(packing.into()),
        };
        Self { url, width_bytes: width, readers: Some(readers.into()), writers: Some(writers.into()), packing }
    }
}

impl TryFrom<v1::Exchange> for Exchange {
    type Error = InvalidExchange;

    fn try_from(exchange: v1::Exchange) -> Result<Self, InvalidExchange> {
        let packing = exchange.packing;
        let exchange = Self {
            url: url(exchange.url, "url")?,
            width: element_width(exchange.width_bytes, "width_bytes")?,
            readers: tasks(exchange.readers, "readers")?,
            writers: tasks(exchange.writers, "writers")?,
            encoding: ExchangeEncoding::Raw,
        };
        if exchange.writers.bounds() != exchange.readers.bounds() {
            return Err(Fault::at("writers.bounds", Problem::Disagrees { other: "readers.bounds" }).into());
        }
        if exchange.readers.bounds().element_count().checked_mul(exchange.width).is_none() {
            return Err(Fault::at("readers.bounds", Problem::Overflow).into());
        }
        let packing = packing.map(|packing| of_writers(packing, &exchange.writers)).transpose();
        let packing = packing.map_err(|fault| fault.under("packing"))?;
        Ok(Self { encoding: packing.map_or(ExchangeEncoding::Raw, ExchangeEncoding::Packed), ..exchange })
    }
}

impl From<Packing> for v1::Packing {
    fn from(packing: Packing) -> Self {
        let Packing { codec, indexers } = packing;
        let codec = match codec {
            ExchangeCodec::Lz4 => v1::ExchangeCodec::Lz4,
            ExchangeCodec::Zstd => v1::ExchangeCodec::Zstd,
            ExchangeCodec::None => v1::ExchangeCodec::None,
        };
        Self { codec: codec.into(), indexer_lengths: indexers.lengths().to_vec() }
    }
}

/// A packing whose boxes are boxes of whole `writers`.
fn of_writers(packing: v1::Packing, writers: &BoxGrid) -> Result<Packing, Fault> {
    let value = packing.codec;
    let codec = match v1::ExchangeCodec::try_from(value) {
        Ok(v1::ExchangeCodec::Lz4) => ExchangeCodec::Lz4,
        Ok(v1::ExchangeCodec::Zstd) => ExchangeCodec::Zstd,
        Ok(v1::ExchangeCodec::None) => ExchangeCodec::None,
        Ok(v1::ExchangeCodec::Unspecified) => return Err(Fault::at("codec", Problem::Unspecified)),
        Err(_unknown) => return Err(Fault::at("codec", Problem::UnknownValue { value })),
    };
    let indexers = lengths(packing.indexer_lengths, writers.bounds().rank(), "indexer_lengths")?;
    if indexers.iter().zip(writers.lengths()).any(|(indexer, writer)| indexer.checked_rem(*writer) != Some(0)) {
        return Err(Fault::at("indexer_lengths", Problem::Disagrees { other: "writers.lengths" }));
    }
    Ok(Packing { codec, indexers: writers.with_lengths(indexers) })
}

impl From<IndexExchange> for v1::IndexExchange {
    fn from(index: IndexExchange) -> Self {
        let IndexExchange { exchange } = index;
        Self { exchange: Some(exchange.into()) }
    }
}

impl TryFrom<v1::IndexExchange> for IndexExchange {
    type Error = Fault;

    fn try_from(index: v1::IndexExchange) -> Result<Self, Fault> {
        let exchange: Exchange = required(index.exchange, "exchange")?;
        if exchange.packing().is_none() {
            return Err(Fault::at("exchange.packing", Problem::Missing));
        }
        Ok(Self { exchange })
    }
}

/// Boxes of writing tasks: those of the exchange where `of_tasks` is empty, else several of them each, along every axis. Of
/// a packed exchange a task has one row, and so one box.
pub(super) fn writers_of(exchange: &Exchange, target: &ArrayLayout, of_tasks: Vec<u64>) -> Result<BoxGrid, Fault> {
    if of_tasks.is_empty() {
        return Ok(exchange.writers.clone());
    }
    let of_tasks = lengths(of_tasks, exchange.writers.bounds().rank(), "writer_lengths")?;
    let are_multiples = of_tasks.iter().zip(exchange.writers.lengths()).all(|(task, own)| task.is_multiple_of(*own));
    if !are_multiples || exchange.packing().is_some() {
        return Err(Fault::at("writer_lengths", Problem::Disagrees { other: "exchange" }));
    }
    Ok(target.boxes_of_write_units(exchange.writers.bounds().clone(), of_tasks))
}

/// A grid whose boxes are the tasks of a stage.
pub(super) fn tasks(grid: Option<v1::BoxGrid>, field: &str) -> Result<BoxGrid, Fault> {
    let grid: BoxGrid = required(grid, field)?;
    within(grid.len(), MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", field)?;
    Ok(grid)
}
