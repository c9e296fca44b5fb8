//! `externalscaler.ExternalScaler`: for KEDA, which starts and ends workers by what it is answered.

use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{Refusal, RefusalCode};
use rechunk_proto::{
    externalscaler::{
        GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
        ScaledObjectRef, external_scaler_server::ExternalScaler,
    },
    status::to_status,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    coordinator::Coordinator,
    scaling::{slots_per_worker, slots_wanted},
};

/// The one metric.
const METRIC: &str = "rechunk-slots-wanted";

/// The trigger's metadata that says how many slots a worker has: what it is started with as `--cpus`.
const SLOTS_PER_WORKER: &str = "slotsPerWorker";

/// Speaks for a coordinator.
pub(super) struct Scaler {
    coordinator: Coordinator,
    shutdown: CancellationToken,
}

impl Scaler {
    pub(super) fn new(coordinator: Coordinator, shutdown: CancellationToken) -> Self {
        Self { coordinator, shutdown }
    }
}

/// The slots of a worker as the trigger states them; `None`: it does not.
fn stated_slots(scaled: &ScaledObjectRef) -> Result<Option<u64>, Refusal> {
    let Some(text) = scaled.scaler_metadata.get(SLOTS_PER_WORKER) else { return Ok(None) };
    text.parse().ok().filter(|slots| *slots > 0).map(Some).ok_or_else(|| {
        let message =
            format!("{SLOTS_PER_WORKER} is a whole number above nought, as workers have --cpus, not '{text}'");
        Refusal::new(RefusalCode::InvalidArgument, "WRONG_SLOTS", message).at("scalerMetadata.slotsPerWorker")
    })
}

/// Exact up to 2^53.
fn to_float(count: u64) -> f64 {
    count as f64
}

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    async fn is_active(&self, _request: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        let figures = self.coordinator.figures().await.map_err(to_status)?;
        Ok(Response::new(IsActiveResponse { result: figures.scheduler.is_active }))
    }

    type StreamIsActiveStream = BoxStream<'static, Result<IsActiveResponse, Status>>;

    async fn stream_is_active(
        &self,
        _request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let answers = self.coordinator.activity().map(|result| Ok(IsActiveResponse { result }));
        // A graceful end waits for open streams, so they must not outlive it.
        Ok(Response::new(answers.take_until(self.shutdown.clone().cancelled_owned()).boxed()))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let slots = match stated_slots(request.get_ref()).map_err(to_status)? {
            Some(slots) => slots,
            None => slots_per_worker(&self.coordinator.figures().await.map_err(to_status)?.scheduler).unwrap_or(1),
        };
        let spec = MetricSpec {
            metric_name: METRIC.to_owned(),
            target_size: i64::try_from(slots).unwrap_or(i64::MAX),
            target_size_float: to_float(slots),
        };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(&self, _request: Request<GetMetricsRequest>) -> Result<Response<GetMetricsResponse>, Status> {
        let wanted = slots_wanted(&self.coordinator.figures().await.map_err(to_status)?.scheduler);
        let value = MetricValue {
            metric_name: METRIC.to_owned(),
            metric_value: i64::try_from(wanted).unwrap_or(i64::MAX),
            metric_value_float: to_float(wanted),
        };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }
}
