//! One metric: its name, what it means, and the handle by which it is counted.

use ::metrics::{Counter, Gauge, Histogram, Label};

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from nought at the start of the program.
    Counter,
    /// Up and down.
    Gauge,
    /// How often values were in which range.
    Histogram,
}

/// Which program shows a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The coordinator.
    Coordinator,
    /// A worker.
    Worker,
    /// Both.
    Both,
}

/// A metric as it is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with the unit at the end.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Its labels. Each takes few values, whatever users ask for.
    pub labels: &'static [&'static str],
    /// Where it is seen.
    pub shown: Shown,
    /// What it counts.
    pub help: &'static str,
}

impl Kind {
    /// As Prometheus spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Shown {
    /// As the table spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
            Self::Both => "both",
        }
    }
}

impl Metric {
    /// The counter with these values of its labels, in their order.
    pub fn counter(&self, values: &[&str]) -> Counter {
        ::metrics::counter!(self.name, self.labels(values))
    }

    /// The gauge with these values of its labels, in their order.
    pub fn gauge(&self, values: &[&str]) -> Gauge {
        ::metrics::gauge!(self.name, self.labels(values))
    }

    /// The histogram with these values of its labels, in their order.
    pub fn histogram(&self, values: &[&str]) -> Histogram {
        ::metrics::histogram!(self.name, self.labels(values))
    }

    /// Shows a count as a gauge; exact up to 2^53.
    pub fn set(&self, values: &[&str], count: u64) {
        self.gauge(values).set(count as f64);
    }

    fn labels(&self, values: &[&str]) -> Vec<Label> {
        self.labels.iter().zip(values).map(|(label, value)| Label::new(*label, (*value).to_owned())).collect()
    }
}
