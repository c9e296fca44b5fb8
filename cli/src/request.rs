//! From arguments to a request: places are made absolute here, because only the client knows its directory.

use rechunk_common::{
    Refusal,
    ids::RequestId,
    request::{RechunkRequest, SourceListing},
};
use rechunk_storage::StoreUrl;

use crate::{
    args::{CopyArgs, When},
    failure::Failure,
};

/// The request that the arguments spell.
pub(crate) fn from_arguments(copy: &CopyArgs, request_id: Option<&str>) -> Result<RechunkRequest, Failure> {
    Ok(RechunkRequest {
        source: place("source", &copy.source)?,
        target: place("target", &copy.target)?,
        chunks: copy.chunks.clone(),
        shards: copy.shards.clone(),
        codecs: copy.codec.clone(),
        include: copy.include.clone(),
        exclude: copy.exclude.clone(),
        region: copy.region.clone(),
        append: copy.append.clone(),
        zarr_format: copy.zarr_format,
        overwrite: copy.overwrite,
        consolidate: copy.consolidate,
        max_mem: copy.max_mem,
        temp: copy.temp.as_deref().map(|temp| place("temp", temp)).transpose()?,
        keep_temp: copy.keep_temp,
        temp_limit: copy.temp_limit,
        exchange_codec: copy.exchange_codec,
        write_empty_chunks: copy.write_empty_chunks,
        strict: copy.strict,
        verify: copy.verify,
        prefer: copy.prefer,
        listing: match copy.list {
            None => SourceListing::WhereFew,
            Some(When::Always) => SourceListing::Always,
            Some(When::Never) => SourceListing::Never,
        },
        request_id: request_id.map(RequestId::from),
    })
}

/// A place in the words of the command line, made absolute.
pub(crate) fn place(field: &str, text: &str) -> Result<String, Failure> {
    match StoreUrl::parse(text) {
        Ok(url) => Ok(url.to_string()),
        Err(error) => Err(Refusal::invalid(field, "BAD_URL", error.to_string()).into()),
    }
}
