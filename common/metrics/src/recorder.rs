//! Keeps what is counted, and prints it for Prometheus.

use ::metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::{
    metric::{Kind, Shown},
    names::{ALL, BUILD_INFO},
};

/// The upper bounds of every histogram in seconds: from a local read to a task of a slow link.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];

/// What was counted so far. Clones show the same.
#[derive(Clone)]
pub struct Recorder {
    handle: PrometheusHandle,
}

/// There is no recorder.
#[derive(Debug)]
pub struct RecorderError(BuildError);

impl std::fmt::Display for RecorderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "metrics cannot be kept: {}", self.0)
    }
}

impl std::error::Error for RecorderError {}

impl Recorder {
    /// From here on everything that this process counts is kept. Once in a process, before anything is counted;
    /// `keep` has to be called every few seconds from then on.
    pub fn install(program: Shown, version: &str) -> Result<Self, RecorderError> {
        let builder = PrometheusBuilder::new().set_buckets(&BOUNDS).map_err(RecorderError)?;
        let handle = builder.install_recorder().map_err(RecorderError)?;
        for metric in ALL.iter().filter(|metric| metric.shown == program || metric.shown == Shown::Both) {
            match metric.kind {
                Kind::Counter => describe_counter!(metric.name, metric.help),
                Kind::Gauge => describe_gauge!(metric.name, metric.help),
                Kind::Histogram => describe_histogram!(metric.name, metric.help),
            }
            if metric.labels.is_empty() {
                // So that it is there from the start, and a rate over the first event is one.
                match metric.kind {
                    Kind::Counter => metric.counter(&[]).absolute(0),
                    Kind::Gauge => metric.set(&[], 0),
                    Kind::Histogram => {}
                }
            }
        }
        BUILD_INFO.set(&[program.as_str(), version], 1);
        Ok(Self { handle })
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sums up what histograms have gathered: without it they grow until somebody looks.
    pub fn keep(&self) {
        self.handle.run_upkeep();
    }
}
