//! Fill values of both formats and the bytes of the element that they stand for, exactly by bits.

mod parse;
mod spell;
#[cfg(test)]
mod tests;
mod xarray;

use rechunk_common::request::ZarrFormat;

use crate::{
    MetadataError,
    dtype::{DataType, Endian},
    json::Json,
};
pub(crate) use xarray::{decode as decode_xarray, encode as encode_xarray};

/// One element with the value that `value` spells, as it stands in a decoded chunk: numbers in little-endian order,
/// text in the order `stored`, everything else as it is. `null` gives zeros.
pub(crate) fn parse(value: &Json, data_type: &DataType, stored: Endian) -> Result<Vec<u8>, MetadataError> {
    parse::element(value, data_type, stored).map_err(|problem| MetadataError::FillValue {
        value: value.compact(),
        data_type: data_type.text.clone(),
        problem,
    })
}

/// The value that a document of `format` spells for the element; `None` where it has no spelling for it.
pub(crate) fn spell(bytes: &[u8], data_type: &DataType, stored: Endian, format: ZarrFormat) -> Option<Json> {
    spell::element(bytes, data_type, stored, format)
}
