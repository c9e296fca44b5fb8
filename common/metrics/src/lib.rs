//! The metrics of rechunk's programs: what they are called, and how they become Prometheus' text.
//!
//! Libraries count through the handles of [`Metric`], which cost next to nothing while no recorder is installed;
//! a program that is asked to show its metrics installs one. Names are decided in `names.rs` and nowhere else, and
//! `deploy/METRICS.md` lists them. Knows nothing of what is counted.

mod metric;
pub mod names;
mod recorder;
mod stores;

pub use ::metrics::{Counter, Gauge, Histogram};
pub use metric::{Kind, Metric, Shown};
pub use recorder::{Recorder, RecorderError};
pub use stores::StoreMetrics;

#[cfg(test)]
mod tests;
