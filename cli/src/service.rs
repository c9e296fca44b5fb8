//! What the commands need of a coordinator, whether it is in this process or behind gRPC.

use async_trait::async_trait;
use futures::stream::BoxStream;
use rechunk_common::{ids::JobId, job::JobView, plan::PlanSummary, request::RechunkRequest};

use crate::failure::Failure;

/// A coordinator.
#[async_trait]
pub trait Service: Send + Sync {
    /// What would be done.
    async fn plan(&self, request: RechunkRequest) -> Result<PlanSummary, Failure>;
    /// Takes the job on.
    async fn submit(&self, request: RechunkRequest) -> Result<JobId, Failure>;
    /// The job at this moment, with its plan.
    async fn job(&self, job: &JobId) -> Result<JobView, Failure>;
    /// The job whenever it changes, the terminal view last.
    async fn watch(&self, job: &JobId) -> Result<BoxStream<'static, Result<JobView, Failure>>, Failure>;
    /// Cancels the job.
    async fn cancel(&self, job: &JobId) -> Result<(), Failure>;
    /// Forgets an ended job, and removes what it left if it failed.
    async fn delete(&self, job: &JobId) -> Result<(), Failure>;
}
