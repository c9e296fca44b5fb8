//! Sends spans to a collector, by OTLP over gRPC, as the environment variables of OpenTelemetry say.
//!
//! Off until an endpoint is named. What a collector does not take in time is dropped, and the log says so: no work waits
//! for it.

use std::{env, sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    trace::{self, Link, SpanContext, SpanKind, Status, TraceFlags, TraceState},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};
use rechunk_traces::{Kind, Sink, Span, TraceId, TraceParent, Value};
use tonic::transport::ClientTlsConfig;

use crate::Failure;

/// Spans that wait for the collector, unless `OTEL_BSP_MAX_QUEUE_SIZE` says another number: requests come in bursts.
const QUEUE: usize = 1 << 14;

/// For the last spans, when a program ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Does `work`, and sends the spans that it records in the name of `service`.
pub async fn traced<T>(
    service: &'static str,
    version: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(settings) = Settings::of_environment(|name| env::var(name).ok())? else { return work.await };
    let exporter = Exporter::new(&settings, service, version)?;
    let exporter = Arc::new(exporter);
    rechunk_traces::install(Arc::clone(&exporter) as Arc<dyn Sink>);
    tracing::info!(endpoint = settings.endpoint, "traces are sent");
    let done = work.await;
    let _ended = tokio::task::spawn_blocking(move || exporter.end()).await;
    done
}

/// What the environment says.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    endpoint: String,
    share: f64,
    has_queue: bool,
    has_name: bool,
}

impl Settings {
    /// `None`: nothing is sent. `Err`: something is asked for that there is not.
    fn of_environment(value: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let value = |name: &str| value(name).filter(|value| !value.is_empty());
        let of_traces = |name: &str| {
            value(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}")).or_else(|| value(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let is_disabled = value("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporter = value("OTEL_TRACES_EXPORTER");
        let Some(endpoint) = of_traces("ENDPOINT") else { return Ok(None) };
        if is_disabled || exporter.as_deref() == Some("none") {
            return Ok(None);
        }
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            let message = format!("OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint:?}: write a URL, as http://collector:4317");
            return Err(Failure::wrong(message));
        }
        if let Some(other) = exporter.filter(|exporter| exporter != "otlp") {
            return Err(Failure::wrong(format!("OTEL_TRACES_EXPORTER is {other:?}: traces are sent as otlp, or none")));
        }
        if let Some(other) = of_traces("PROTOCOL").filter(|protocol| protocol != "grpc") {
            let message =
                format!("OTEL_EXPORTER_OTLP_PROTOCOL is {other:?}: traces are sent by grpc, to port 4317 as a rule");
            return Err(Failure::wrong(message));
        }
        let share = share(value("OTEL_TRACES_SAMPLER").as_deref(), value("OTEL_TRACES_SAMPLER_ARG").as_deref())?;
        let (has_queue, has_name) = (value("OTEL_BSP_MAX_QUEUE_SIZE").is_some(), value("OTEL_SERVICE_NAME").is_some());
        Ok(Some(Self { endpoint, share, has_queue, has_name }))
    }
}

/// The share of jobs whose traces are kept.
fn share(sampler: Option<&str>, argument: Option<&str>) -> Result<f64, Failure> {
    let sampler = sampler.unwrap_or("always_on");
    match sampler.strip_prefix("parentbased_").unwrap_or(sampler) {
        "always_on" => Ok(1.0),
        "always_off" => Ok(0.0),
        "traceidratio" => {
            let argument = argument.unwrap_or("1");
            let share = argument.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| {
                Failure::wrong(format!("OTEL_TRACES_SAMPLER_ARG is {argument:?}: a share is a number from 0 to 1"))
            })
        }
        _ => Err(Failure::wrong(format!(
            "OTEL_TRACES_SAMPLER is {sampler:?}: it may be always_on, always_off or traceidratio"
        ))),
    }
}

/// Sends spans.
struct Exporter {
    processor: BatchSpanProcessor,
    share: f64,
}

impl Exporter {
    fn new(settings: &Settings, service: &'static str, version: &'static str) -> Result<Self, Failure> {
        let mut exporter = SpanExporter::builder().with_tonic().with_protocol(Protocol::Grpc);
        if settings.endpoint.starts_with("https://") {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
        }
        let exporter = exporter
            .build()
            .map_err(|error| Failure::wrong(format!("OTEL_EXPORTER_OTLP_ENDPOINT {}: {error}", settings.endpoint)))?;
        let mut batches = BatchConfigBuilder::default();
        if !settings.has_queue {
            batches = batches.with_max_queue_size(QUEUE);
        }
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", version));
        if !settings.has_name {
            resource = resource.with_service_name(service);
        }
        processor.set_resource(&resource.build());
        Ok(Self { processor, share: settings.share })
    }

    /// Sends what is left, for a while. Blocks.
    fn end(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

impl Sink for Exporter {
    fn wants(&self, trace: TraceId) -> bool {
        is_within(self.share, trace)
    }

    fn take(&self, span: Span) {
        self.processor.on_end(data(span));
    }
}

/// Whether a trace is one of this share of all: the same in every process. Its last six bytes decide, which are the digits
/// of its job's id.
fn is_within(share: f64, trace: TraceId) -> bool {
    let random = trace.0.iter().skip(10).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    #[expect(clippy::cast_precision_loss, reason = "48 bits are exact")]
    let place = random as f64 / (1_u64 << 48) as f64;
    place < share
}

/// As OpenTelemetry spells it.
fn data(span: Span) -> SpanData {
    let mut links = SpanLinks::default();
    links.links.extend(span.link.map(|parent| Link::with_context(remote(parent))));
    let attributes = span.attributes.into_iter().map(|(key, value)| match value {
        Value::Text(text) => KeyValue::new(key, text),
        Value::Number(number) => KeyValue::new(key, i64::try_from(number).unwrap_or(i64::MAX)),
    });
    SpanData {
        span_context: SpanContext::new(
            trace::TraceId::from_bytes(span.trace.0),
            trace::SpanId::from_bytes(span.id.0.to_be_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: span
            .parent
            .map_or(trace::SpanId::INVALID, |parent| trace::SpanId::from_bytes(parent.0.to_be_bytes())),
        parent_span_is_remote: false,
        span_kind: match span.kind {
            Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
        },
        name: span.name.into(),
        start_time: span.begun,
        end_time: span.ended,
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.failure.map_or(Status::Unset, Status::error),
        instrumentation_scope: opentelemetry::InstrumentationScope::builder("rechunk").build(),
    }
}

fn remote(parent: TraceParent) -> SpanContext {
    SpanContext::new(
        trace::TraceId::from_bytes(parent.trace.to_be_bytes()),
        trace::SpanId::from_bytes(parent.span.to_be_bytes()),
        TraceFlags::new(parent.flags),
        true,
        TraceState::default(),
    )
}

#[cfg(test)]
mod tests {
    use rechunk_common::ids::JobId;

    use super::*;

    fn settings(set: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let value = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::of_environment(value).map_err(|failure| failure.message)
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    #[test]
    fn nothing_is_sent_until_an_endpoint_is_named_and_none_where_it_is_switched_off() {
        assert_eq!(settings(&[]), Ok(None));
        assert_eq!(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(None));
        assert_eq!(settings(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]), Ok(None));
        assert_eq!(settings(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
        let on = Settings { endpoint: ENDPOINT.1.to_owned(), share: 1.0, has_queue: false, has_name: false };
        assert_eq!(settings(&[ENDPOINT]), Ok(Some(on.clone())));
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317");
        let endpoint = of_traces.1.to_owned();
        assert_eq!(settings(&[ENDPOINT, of_traces]), Ok(Some(Settings { endpoint, ..on })));
    }

    #[test]
    fn what_there_is_not_is_refused_by_its_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ] {
            let said = settings(&[(name, value), ENDPOINT]).expect_err("refused");
            assert!(said.starts_with(&format!("{name} is {value:?}")), "{said}");
        }
        for share in ["2", "-1", "half", "NaN"] {
            let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
            let said = settings(&[ENDPOINT, sampler, ("OTEL_TRACES_SAMPLER_ARG", share)]).expect_err("refused");
            assert!(said.starts_with("OTEL_TRACES_SAMPLER_ARG"), "{said}");
        }
    }

    #[test]
    fn a_share_of_the_jobs_is_kept_and_it_is_the_same_share_everywhere() {
        let kept = |share: f64| {
            let jobs =
                (0..1000_u64).map(|job| JobId(format!("job-{:012x}", job.wrapping_mul(0x0100_0000_01b3_0000) >> 16)));
            jobs.filter(|job| is_within(share, TraceId::of(job))).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, 1000));
        let quarter = kept(0.25);
        assert!((200..300).contains(&quarter), "{quarter}");
    }
}
