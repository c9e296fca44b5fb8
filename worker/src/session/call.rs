//! The call that is under way, and when the next one is due.

use std::{future::Future, pin::Pin, time::Duration};

use rechunk_common::{
    ids::SyncSeq,
    session::{SyncRequest, SyncResponse},
};
use tokio::time::Instant;

use super::LinkError;

/// Beyond the time that the coordinator may hold a call, for the way there and back.
const CALL_GRACE: Duration = Duration::from_secs(10);

/// A call that nobody answered yet; dropping it gives it up.
pub(crate) struct Call {
    pub(crate) seq: SyncSeq,
    /// On the lease clock, from before the call was made.
    pub(crate) asked_at: Duration,
    /// How long the coordinator may hold it.
    pub(crate) wait: Duration,
    pub(crate) started: Instant,
    answer: Pin<Box<dyn Future<Output = Result<SyncResponse, LinkError>> + Send>>,
}

impl Call {
    /// Makes a call. `asked_at` was read before.
    pub(crate) fn new(
        request: &SyncRequest,
        asked_at: Duration,
        answer: impl Future<Output = Result<SyncResponse, LinkError>> + Send + 'static,
    ) -> Self {
        let limit = request.wait.saturating_add(CALL_GRACE);
        let bounded = async move {
            tokio::time::timeout(limit, answer)
                .await
                .unwrap_or_else(|_| Err(LinkError::Unreachable(format!("no answer within {limit:?}"))))
        };
        Self { seq: request.seq, asked_at, wait: request.wait, started: Instant::now(), answer: Box::pin(bounded) }
    }
}

/// Waits for the answer of the call, for ever where there is none.
pub(crate) async fn answer(call: &mut Option<Call>) -> Result<SyncResponse, LinkError> {
    match call {
        Some(call) => call.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The longest pause after failed calls: below a third of a lease, so that one success in time renews it.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait after `failures` failed calls in a row (at least 1); `random` is uniform over all `u32`.
pub(crate) fn pause_after(failures: u32, random: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let bound = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    // Half of it is fixed, so that a crowd of workers is both spread and slowed down.
    bound.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}
