//! A rechunk request as the Python side spells it: texts in the grammar of the command line.

use pyo3::FromPyObject;
use rechunk_cli::failure::Failure;
use rechunk_common::{
    Refusal,
    cost_profile::Prefer,
    ids::RequestId,
    request::{RechunkRequest, SourceListing, ZarrFormat},
};
use rechunk_storage::StoreUrl;

use crate::machine::size;

/// What is rechunked into what, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, FromPyObject)]
pub(crate) struct Rechunk {
    source: String,
    target: String,
    chunks: Vec<String>,
    shards: Vec<String>,
    codecs: Vec<String>,
    include: Vec<String>,
    exclude: Vec<String>,
    region: Vec<String>,
    append: Option<String>,
    zarr_format: Option<u32>,
    overwrite: bool,
    consolidate: Option<bool>,
    max_mem: Option<String>,
    temp: Option<String>,
    keep_temp: bool,
    temp_limit: Option<String>,
    exchange_codec: String,
    write_empty_chunks: bool,
    strict: bool,
    verify: bool,
    prefer: String,
    listing: Option<bool>,
    request_id: Option<String>,
}

impl TryFrom<Rechunk> for RechunkRequest {
    type Error = Failure;

    /// Places become absolute here: only this process knows its directory.
    fn try_from(request: Rechunk) -> Result<Self, Failure> {
        Ok(Self {
            source: place("source", &request.source)?,
            target: place("target", &request.target)?,
            chunks: request.chunks,
            shards: request.shards,
            codecs: request.codecs,
            include: request.include,
            exclude: request.exclude,
            region: request.region,
            append: request.append,
            zarr_format: request.zarr_format.map(zarr_format).transpose()?,
            overwrite: request.overwrite,
            consolidate: request.consolidate,
            max_mem: size("max_mem", request.max_mem.as_deref())?,
            temp: request.temp.as_deref().map(|temp| place("temp", temp)).transpose()?,
            keep_temp: request.keep_temp,
            temp_limit: size("temp_limit", request.temp_limit.as_deref())?,
            exchange_codec: request
                .exchange_codec
                .parse()
                .map_err(|error: String| Failure::from(Refusal::invalid("exchange_codec", "BAD_ARGUMENTS", error)))?,
            write_empty_chunks: request.write_empty_chunks,
            strict: request.strict,
            verify: request.verify,
            prefer: prefer(&request.prefer)?,
            listing: match request.listing {
                None => SourceListing::WhereFew,
                Some(true) => SourceListing::Always,
                Some(false) => SourceListing::Never,
            },
            request_id: request.request_id.as_deref().map(RequestId::from),
        })
    }
}

fn place(field: &str, text: &str) -> Result<String, Failure> {
    match StoreUrl::parse(text) {
        Ok(url) => Ok(url.to_string()),
        Err(error) => Err(Refusal::invalid(field, "BAD_URL", error.to_string()).into()),
    }
}

fn zarr_format(number: u32) -> Result<ZarrFormat, Failure> {
    let found = [ZarrFormat::V2, ZarrFormat::V3].into_iter().find(|format| format.number() == number);
    found.ok_or_else(|| {
        let message = format!("{number} is not a Zarr format; give 2 or 3");
        Refusal::invalid("zarr_format", "BAD_ARGUMENTS", message).into()
    })
}

fn prefer(text: &str) -> Result<Prefer, Failure> {
    let found = Prefer::ALL.into_iter().find(|prefer| prefer.as_str() == text);
    found.ok_or_else(|| {
        let message = format!("{text:?} is no preference; give time or money");
        Refusal::invalid("prefer", "BAD_ARGUMENTS", message).into()
    })
}
