//! What an index of kerchunk refers to, as a store that can be read and listed.
//!
//! An index is a JSON document, or a directory of records in Parquet (`records`). It is read once by those who share it,
//! and asked for its state by each prefix that is opened: so one that was replaced is read again, and nothing of an older
//! one is taken for a part of the newer. It gives access to nothing: what it refers to is read as its own store profile
//! says.

mod cache;
mod fault;
mod index;
mod list;
mod load;
mod parse;
pub(crate) mod place;
mod records;
mod referred;
mod store;
mod templates;

#[cfg(test)]
mod store_tests;

pub(crate) use cache::Indexes;
pub(crate) use fault::ReferenceFault;
pub use referred::Referred;
pub(crate) use store::ReferenceStore;

/// Reads any bytes as an index: how many references it has, or why it can't be used.
pub fn check_index(text: &[u8]) -> Result<usize, String> {
    index::Index::parse(text).map(|index| index.len()).map_err(|error| error.to_string())
}

/// Reads any bytes as a record of references in Parquet: how many rows it has, or why it can't be used.
pub fn check_record(file: &[u8]) -> Result<u64, String> {
    records::Record::parse(file).map(|record| record.len())
}
