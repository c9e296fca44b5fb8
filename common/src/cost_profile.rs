//! What a store is assumed to do and to charge: the figures by which plans are weighed against each other, and from
//! which seconds and money are estimated. Assumptions, never measurements; they are shown with every plan.
//!
//! Knows nothing of URLs: which store has which profile is said by the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::MicroUsd;

/// One store, as far as cost is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostProfile {
    /// Which figures these are.
    pub kind: StoreKind,
    /// From a request to its first byte.
    pub latency: Duration,
    /// Bytes that one worker moves in a second, in both directions together; at least 1.
    pub bytes_per_second: u64,
    /// Requests that one worker has in flight; at least 1.
    pub requests_in_flight: u64,
    /// Reads that the store answers in a second, for all workers together; `None`: no limit that matters.
    pub gets_per_second: Option<u64>,
    /// Writes and deletes likewise.
    pub puts_per_second: Option<u64>,
    /// What it charges.
    pub prices: StorePrices,
}

/// What a store charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorePrices {
    /// 1,000 writes; deletes are free everywhere.
    pub per_1000_put: MicroUsd,
    /// 1,000 reads.
    pub per_1000_get: MicroUsd,
    /// 1,000 pages of a listing.
    pub per_1000_list: MicroUsd,
    /// 10^9 bytes that leave the store. Nothing by default: workers are assumed to run beside it.
    pub per_gb_out: MicroUsd,
    /// 10^9 bytes that stand for a month of 30 days.
    pub per_gb_month: MicroUsd,
}

/// Kinds of stores whose figures are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// Amazon S3, from a machine of the same region.
    S3,
    /// Another server that speaks S3, at an endpoint of its own.
    S3Compatible,
    /// Google Cloud Storage, from a machine of the same region.
    Gcs,
    /// Azure Blob Storage, from a machine of the same region.
    Azure,
    /// Files, or the memory of this process.
    Local,
    /// Figures of the configuration.
    Custom,
}

/// What a plan is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// To be done soon, without waste: a dollar counts as four hours, so that a second of one worker's work weighs about
    /// as much as a second of waiting.
    #[default]
    Time,
    /// To cost little: a second counts as a millionth of a dollar.
    Money,
}

/// What a machine for one worker costs in an hour where the configuration says nothing: about a general-purpose
/// instance of 4 cores and 16 GiB by list price (2026).
pub const WORKER_HOUR: MicroUsd = MicroUsd(200_000);

/// A network of 2 to 10 Gbit/s, as such instances have, carries this with some tens of requests at a time.
const NETWORK_BYTES_PER_SECOND: u64 = 250_000_000;

/// What a worker's tasks keep in flight where their memory allows it.
const REQUESTS_IN_FLIGHT: u64 = 32;

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::S3, Self::S3Compatible, Self::Gcs, Self::Azure, Self::Local, Self::Custom];

    /// As JSON spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::S3Compatible => "s3_compatible",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
            Self::Local => "local",
            Self::Custom => "custom",
        }
    }

    /// Its figures: documented limits and list prices of 2026 for the cheapest region and the standard class, and round
    /// figures of experience for the rest. A kind of its own starts as S3.
    pub fn profile(self) -> CostProfile {
        let s3 = CostProfile {
            kind: self,
            // First bytes come after 20 to 60 ms, most of them early.
            latency: Duration::from_millis(30),
            bytes_per_second: NETWORK_BYTES_PER_SECOND,
            requests_in_flight: REQUESTS_IN_FLIGHT,
            // Documented for each prefix. Keys of an array share one until the store has split it.
            gets_per_second: Some(5_500),
            puts_per_second: Some(3_500),
            prices: StorePrices {
                per_1000_put: MicroUsd(5_000),
                per_1000_get: MicroUsd(400),
                per_1000_list: MicroUsd(5_000),
                per_gb_out: MicroUsd(0),
                per_gb_month: MicroUsd(23_000),
            },
        };
        match self {
            Self::S3 | Self::Custom => s3,
            // A server of one's own bills nothing by the request, and nobody wrote down its limits.
            Self::S3Compatible => {
                CostProfile { gets_per_second: None, puts_per_second: None, prices: StorePrices::default(), ..s3 }
            }
            Self::Gcs => CostProfile {
                // A little slower to the first byte than S3.
                latency: Duration::from_millis(50),
                // Documented for a bucket before it has scaled up.
                gets_per_second: Some(5_000),
                puts_per_second: Some(1_000),
                prices: StorePrices { per_gb_month: MicroUsd(20_000), ..s3.prices },
                ..s3
            },
            Self::Azure => CostProfile {
                // Documented for a storage account, reads and writes together.
                gets_per_second: Some(20_000),
                puts_per_second: Some(20_000),
                prices: StorePrices {
                    per_1000_put: MicroUsd(6_500),
                    per_1000_get: MicroUsd(500),
                    per_1000_list: MicroUsd(6_500),
                    per_gb_month: MicroUsd(18_000),
                    ..s3.prices
                },
                ..s3
            },
            Self::Local => CostProfile {
                kind: self,
                // To open a file of a warm directory and to read its first page.
                latency: Duration::from_micros(100),
                // A solid-state disk; memory is faster, but then copies in the kernel take about as long.
                bytes_per_second: 1_000_000_000,
                requests_in_flight: REQUESTS_IN_FLIGHT,
                gets_per_second: None,
                puts_per_second: None,
                prices: StorePrices::default(),
            },
        }
    }
}

impl Prefer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Time, Self::Money];

    /// As the command line spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Money => "money",
        }
    }

    /// What a dollar weighs, in seconds.
    pub fn seconds_per_usd(self) -> f64 {
        match self {
            Self::Time => 14_400.0,
            Self::Money => 1_000_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_figures_that_can_be_divided_by() {
        for kind in StoreKind::ALL {
            let profile = kind.profile();
            assert_eq!(profile.kind, kind);
            assert!(profile.bytes_per_second > 0 && profile.requests_in_flight > 0, "{kind:?}");
            assert!(profile.gets_per_second != Some(0) && profile.puts_per_second != Some(0), "{kind:?}");
        }
    }

    #[test]
    fn only_clouds_charge() {
        let charges = |kind: StoreKind| kind.profile().prices != StorePrices::default();
        assert!([StoreKind::S3, StoreKind::Gcs, StoreKind::Azure].into_iter().all(charges));
        assert!(![StoreKind::Local, StoreKind::S3Compatible].into_iter().any(charges));
    }
}
