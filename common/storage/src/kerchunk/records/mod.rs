//! kerchunk's references in Parquet: a directory with a document `.zmetadata`, and for each array files of so many
//! references each, the records, of which only those are read that are asked for.
//!
//! The format is that of fsspec's `LazyReferenceMapper`. Its Parquet is read by our own few hundred lines: flat tables,
//! plain values and dictionaries, zstd and snappy. A file may be whatever somebody put there, and no reader that we
//! could take keeps to a bound: each allocates what a footer or a page only says that it has.

mod catalog;
mod column;
mod footer;
mod hybrid;
mod kept;
mod pages;
mod read;
mod record;
mod thrift;

#[cfg(test)]
mod read_tests;
#[cfg(test)]
pub(super) mod written;

pub(crate) use catalog::{Array, Catalog, Place};
pub(crate) use record::Record;
