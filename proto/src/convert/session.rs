//! The two sides of a `Sync`.

use rechunk_common::{
    ByteCount,
    ids::{Epoch, Incarnation, SyncSeq, WorkerId},
    limits::{MAX_LEASES_PER_WORKER, MAX_STORE_TABLES, MAX_SYNC_WAIT},
    session::{SyncRequest, SyncResponse},
};

use super::{
    field::{each, length_within, name, optional, required, text},
    time::{duration, of_duration},
};
use crate::{
    invalid::{InvalidSyncRequest, InvalidSyncResponse},
    worker::v1,
};

impl From<SyncRequest> for v1::SyncRequest {
    fn from(request: SyncRequest) -> Self {
        let SyncRequest {
            worker: WorkerId(worker_id),
            incarnation: Incarnation(incarnation),
            seq: SyncSeq(seq),
            functions,
            free,
            total,
            draining,
            held,
            reports,
            wait,
            version,
            peak_rss,
            request_rates,
            progress,
        } = request;
        Self {
            worker_id,
            incarnation,
            seq,
            functions: functions.into_iter().map(Into::into).collect(),
            free: Some(free.into()),
            total: Some(total.into()),
            draining,
            held: held.into_iter().map(Into::into).collect(),
            reports: reports.into_iter().map(Into::into).collect(),
            wait: Some(of_duration(wait)),
            version,
            peak_rss_bytes: peak_rss.0,
            request_rates: request_rates.into_iter().map(Into::into).collect(),
            progress: progress.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::SyncRequest> for SyncRequest {
    type Error = InvalidSyncRequest;

    fn try_from(request: v1::SyncRequest) -> Result<Self, InvalidSyncRequest> {
        let most = usize::try_from(MAX_LEASES_PER_WORKER).unwrap_or(usize::MAX);
        length_within(request.held.len(), most, "MAX_LEASES_PER_WORKER", "held")?;
        length_within(request.progress.len(), most, "MAX_LEASES_PER_WORKER", "progress")?;
        length_within(request.request_rates.len(), MAX_STORE_TABLES, "MAX_STORE_TABLES", "request_rates")?;
        Ok(Self {
            worker: WorkerId(name(request.worker_id, "worker_id")?),
            incarnation: Incarnation(request.incarnation),
            seq: SyncSeq(request.seq),
            functions: each(request.functions, "functions")?,
            free: required(request.free, "free")?,
            total: required(request.total, "total")?,
            draining: request.draining,
            held: each(request.held, "held")?,
            reports: each(request.reports, "reports")?,
            // The coordinator may answer earlier than it is allowed to.
            wait: duration(request.wait, "wait")?.min(MAX_SYNC_WAIT),
            version: text(request.version, "version")?,
            peak_rss: ByteCount(request.peak_rss_bytes),
            request_rates: each(request.request_rates, "request_rates")?,
            progress: each(request.progress, "progress")?,
        })
    }
}

impl From<SyncResponse> for v1::SyncResponse {
    fn from(response: SyncResponse) -> Self {
        let SyncResponse {
            epoch: Epoch(epoch),
            seq: SyncSeq(seq),
            granted,
            revoked,
            renewed,
            reports_accepted_through,
            next_sync_after,
            request_shares,
        } = response;
        Self {
            epoch,
            seq,
            granted: granted.into_iter().map(Into::into).collect(),
            revoked: revoked.into_iter().map(Into::into).collect(),
            renewed: renewed.into_iter().map(Into::into).collect(),
            reports_accepted_through,
            next_sync_after: Some(of_duration(next_sync_after)),
            request_shares: request_shares.map(Into::into),
        }
    }
}

impl TryFrom<v1::SyncResponse> for SyncResponse {
    type Error = InvalidSyncResponse;

    fn try_from(response: v1::SyncResponse) -> Result<Self, InvalidSyncResponse> {
        let most = usize::try_from(MAX_LEASES_PER_WORKER).unwrap_or(usize::MAX);
        length_within(response.granted.len(), most, "MAX_LEASES_PER_WORKER", "granted")?;
        Ok(Self {
            epoch: Epoch(response.epoch),
            seq: SyncSeq(response.seq),
            granted: each(response.granted, "granted")?,
            revoked: response.revoked.into_iter().map(Into::into).collect(),
            renewed: response.renewed.into_iter().map(Into::into).collect(),
            reports_accepted_through: response.reports_accepted_through,
            next_sync_after: duration(response.next_sync_after, "next_sync_after")?,
            request_shares: optional(response.request_shares, "request_shares")?,
        })
    }
}
