//! What a user asks for. Texts are as the user wrote them; the coordinator parses them against the source, so that a
//! refusal can say what the source has.

use rechunk_common::{
    ByteCount,
    cost_profile::Prefer,
    ids::{JobId, RequestId},
    limits::{MAX_ARRAYS, MAX_DOCUMENT_BYTES},
    request::{ExchangeCodecChoice, RechunkRequest, SourceListing, ZarrFormat},
};

use super::field::{each_by, length_within, name, text, url, within};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidJobId, InvalidRechunk},
    v1,
};

impl From<RechunkRequest> for v1::SubmitRechunkRequest {
    fn from(request: RechunkRequest) -> Self {
        let request_id = of_request_id(request.request_id.clone());
        Self { request_id, spec: Some(request.into()) }
    }
}

impl TryFrom<v1::SubmitRechunkRequest> for RechunkRequest {
    type Error = InvalidRechunk;

    fn try_from(request: v1::SubmitRechunkRequest) -> Result<Self, InvalidRechunk> {
        let request_id = request_id(request.request_id)?;
        Ok(Self { request_id, ..spec(request.spec)? })
    }
}

impl From<RechunkRequest> for v1::PlanRechunkRequest {
    fn from(request: RechunkRequest) -> Self {
        Self { spec: Some(request.into()) }
    }
}

impl TryFrom<v1::PlanRechunkRequest> for RechunkRequest {
    type Error = InvalidRechunk;

    fn try_from(request: v1::PlanRechunkRequest) -> Result<Self, InvalidRechunk> {
        spec(request.spec)
    }
}

/// Refusals name fields as users know them, `chunks[0]` and not `spec.chunks[0]`.
fn spec(spec: Option<v1::RechunkSpec>) -> Result<RechunkRequest, InvalidRechunk> {
    spec.ok_or_else(|| Fault::at("spec", Problem::Missing))?.try_into()
}

impl From<RechunkRequest> for v1::RechunkSpec {
    fn from(request: RechunkRequest) -> Self {
        let RechunkRequest {
            source,
            target,
            chunks,
            shards,
            codecs,
            include,
            exclude,
            zarr_format,
            overwrite,
            consolidate,
            max_mem,
            temp,
            keep_temp,
            temp_limit,
            exchange_codec,
            write_empty_chunks,
            strict,
            verify,
            prefer,
            listing,
            region,
            append,
            // Of the submission, not of the rechunk.
            request_id: _,
        } = request;
        let zarr_format = match zarr_format {
            None => v1::ZarrFormat::Unspecified,
            Some(ZarrFormat::V2) => v1::ZarrFormat::V2,
            Some(ZarrFormat::V3) => v1::ZarrFormat::V3,
        };
        let listing = match listing {
            SourceListing::WhereFew => v1::SourceListing::Unspecified,
            SourceListing::Always => v1::SourceListing::Always,
            SourceListing::Never => v1::SourceListing::Never,
        };
        Self {
            source,
            target,
            chunks,
            shards,
            codecs,
            include,
            exclude,
            zarr_format: zarr_format.into(),
            overwrite,
            consolidate,
            max_mem_bytes: max_mem.map(|bytes| bytes.0),
            temp,
            keep_temp,
            temp_limit_bytes: temp_limit.map(|bytes| bytes.0),
            write_empty_chunks,
            strict,
            verify,
            prefer: v1::Prefer::from(prefer).into(),
            exchange_codec: of_exchange_codec(exchange_codec).into(),
            listing: listing.into(),
            region,
            append,
        }
    }
}

impl TryFrom<v1::RechunkSpec> for RechunkRequest {
    type Error = InvalidRechunk;

    fn try_from(spec: v1::RechunkSpec) -> Result<Self, InvalidRechunk> {
        Ok(Self {
            source: url(spec.source, "source")?,
            target: url(spec.target, "target")?,
            chunks: specs(spec.chunks, "chunks")?,
            shards: specs(spec.shards, "shards")?,
            codecs: specs(spec.codecs, "codecs")?,
            include: specs(spec.include, "include")?,
            exclude: specs(spec.exclude, "exclude")?,
            zarr_format: zarr_format(spec.zarr_format)?,
            overwrite: spec.overwrite,
            consolidate: spec.consolidate,
            max_mem: spec.max_mem_bytes.map(ByteCount),
            temp: spec.temp.map(|temp| url(temp, "temp")).transpose()?,
            keep_temp: spec.keep_temp,
            temp_limit: spec.temp_limit_bytes.map(ByteCount),
            exchange_codec: exchange_codec(spec.exchange_codec)?,
            write_empty_chunks: spec.write_empty_chunks,
            strict: spec.strict,
            verify: spec.verify,
            prefer: prefer(spec.prefer)?,
            listing: listing(spec.listing)?,
            region: specs(spec.region, "region")?,
            append: spec.append.map(|append| text(append, "append")).transpose()?,
            request_id: None,
        })
    }
}

/// Unspecified means the source's here.
fn zarr_format(value: i32) -> Result<Option<ZarrFormat>, Fault> {
    match v1::ZarrFormat::try_from(value) {
        Ok(v1::ZarrFormat::Unspecified) => Ok(None),
        Ok(v1::ZarrFormat::V2) => Ok(Some(ZarrFormat::V2)),
        Ok(v1::ZarrFormat::V3) => Ok(Some(ZarrFormat::V3)),
        Err(_) => Err(Fault::at("zarr_format", Problem::UnknownValue { value })),
    }
}

/// Unspecified means time here.
fn prefer(value: i32) -> Result<Prefer, Fault> {
    match v1::Prefer::try_from(value) {
        Ok(v1::Prefer::Unspecified | v1::Prefer::Time) => Ok(Prefer::Time),
        Ok(v1::Prefer::Money) => Ok(Prefer::Money),
        Err(_) => Err(Fault::at("prefer", Problem::UnknownValue { value })),
    }
}

fn of_exchange_codec(choice: ExchangeCodecChoice) -> v1::ExchangeCodecChoice {
    match choice {
        ExchangeCodecChoice::Auto => v1::ExchangeCodecChoice::Unspecified,
        ExchangeCodecChoice::None => v1::ExchangeCodecChoice::None,
        ExchangeCodecChoice::Lz4 => v1::ExchangeCodecChoice::Lz4,
        ExchangeCodecChoice::Zstd => v1::ExchangeCodecChoice::Zstd,
    }
}

/// Unspecified means that it is up to the planner.
fn exchange_codec(value: i32) -> Result<ExchangeCodecChoice, Fault> {
    match v1::ExchangeCodecChoice::try_from(value) {
        Ok(v1::ExchangeCodecChoice::Unspecified) => Ok(ExchangeCodecChoice::Auto),
        Ok(v1::ExchangeCodecChoice::None) => Ok(ExchangeCodecChoice::None),
        Ok(v1::ExchangeCodecChoice::Lz4) => Ok(ExchangeCodecChoice::Lz4),
        Ok(v1::ExchangeCodecChoice::Zstd) => Ok(ExchangeCodecChoice::Zstd),
        Err(_) => Err(Fault::at("exchange_codec", Problem::UnknownValue { value })),
    }
}

/// Unspecified means where there are few objects.
fn listing(value: i32) -> Result<SourceListing, Fault> {
    match v1::SourceListing::try_from(value) {
        Ok(v1::SourceListing::Unspecified) => Ok(SourceListing::WhereFew),
        Ok(v1::SourceListing::Always) => Ok(SourceListing::Always),
        Ok(v1::SourceListing::Never) => Ok(SourceListing::Never),
        Err(_) => Err(Fault::at("listing", Problem::UnknownValue { value })),
    }
}

/// At most one spec per array; a codec's may be a JSON document.
fn specs(values: Vec<String>, field: &str) -> Result<Vec<String>, Fault> {
    length_within(values.len(), MAX_ARRAYS, "MAX_ARRAYS", field)?;
    each_by(values, field, |spec| {
        within(u64::try_from(spec.len()).unwrap_or(u64::MAX), MAX_DOCUMENT_BYTES.0, "MAX_DOCUMENT_BYTES", "")?;
        Ok(spec)
    })
}

/// Empty on the wire means none.
pub(super) fn request_id(id: String) -> Result<Option<RequestId>, Fault> {
    if id.is_empty() { Ok(None) } else { text(id, "request_id").map(|id| Some(RequestId(id))) }
}

pub(super) fn of_request_id(id: Option<RequestId>) -> String {
    id.map(|RequestId(id)| id).unwrap_or_default()
}

/// Requests that are about one job.
macro_rules! about_a_job {
    ($($request:ident)*) => {$(
        impl From<JobId> for v1::$request {
            fn from(JobId(job_id): JobId) -> Self {
                Self { job_id }
            }
        }

        impl TryFrom<v1::$request> for JobId {
            type Error = InvalidJobId;

            fn try_from(request: v1::$request) -> Result<Self, InvalidJobId> {
                Ok(Self(name(request.job_id, "job_id")?))
            }
        }
    )*};
}

about_a_job! {
    GetJobRequest WatchJobRequest CancelJobRequest RetryJobRequest DeleteJobRequest SubmitRechunkResponse SubmitPipelinesResponse
}
