//! Exchanges. Behind this door both grids cut the same region, within the limit of tasks, and its size fits into
//! 64 bits.

use rechunk_common::{geometry::BoxGrid, limits::MAX_TASKS_PER_STAGE, plan::Exchange};

use super::{
    field::{required, url, within},
    layout::element_width,
};
use crate::{
    fault::{Fault, Problem},
    invalid::InvalidExchange,
    v1,
};

impl From<Exchange> for v1::Exchange {
    fn from(exchange: Exchange) -> Self {
        let Exchange { url, width, readers, writers } = exchange;
        Self { url, width_bytes: width, readers: Some(readers.into()), writers: Some(writers.into()) }
    }
}

impl TryFrom<v1::Exchange> for Exchange {
    type Error = InvalidExchange;

    fn try_from(exchange: v1::Exchange) -> Result<Self, InvalidExchange> {
        let exchange = Self {
            url: url(exchange.url, "url")?,
            width: element_width(exchange.width_bytes, "width_bytes")?,
            readers: tasks(exchange.readers, "readers")?,
            writers: tasks(exchange.writers, "writers")?,
        };
        if exchange.writers.bounds() != exchange.readers.bounds() {
            return Err(Fault::at("writers.bounds", Problem::Disagrees { other: "readers.bounds" }).into());
        }
        if exchange.readers.bounds().element_count().checked_mul(exchange.width).is_none() {
            return Err(Fault::at("readers.bounds", Problem::Overflow).into());
        }
        Ok(exchange)
    }
}

/// A grid whose boxes are the tasks of a stage.
pub(super) fn tasks(grid: Option<v1::BoxGrid>, field: &str) -> Result<BoxGrid, Fault> {
    let grid: BoxGrid = required(grid, field)?;
    within(grid.len(), MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", field)?;
    Ok(grid)
}
