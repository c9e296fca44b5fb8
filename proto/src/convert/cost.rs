//! Estimates, what they rest on, and the candidates that were weighed.

use std::time::Duration;

use rechunk_common::{
    ByteCount, MicroUsd,
    cost_profile::{CostProfile, Prefer, StoreKind, StorePrices},
    plan::{Candidate, CandidateFigures, CostBasis, Estimate, Verdict},
};

use super::{
    counts::or_zero,
    field::{choice, optional, required, same_variants},
};
use crate::{
    fault::{Fault, Problem},
    v1,
};

same_variants! {
    v1::StoreKind = StoreKind { S3, S3Compatible, Gcs, Azure, Local, Custom }
    v1::Prefer = Prefer { Time, Money }
    v1::Verdict = Verdict { Chosen, Dearer, DoesNotFit, NotExecuted }
}

/// Whole microseconds.
fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl From<Estimate> for v1::Estimate {
    fn from(estimate: Estimate) -> Self {
        let Estimate { duration, usd, wire_bytes } = estimate;
        Self { duration_us: microseconds(duration), micro_usd: usd.0, wire_bytes: wire_bytes.0 }
    }
}

impl From<v1::Estimate> for Estimate {
    fn from(estimate: v1::Estimate) -> Self {
        Self {
            duration: Duration::from_micros(estimate.duration_us),
            usd: MicroUsd(estimate.micro_usd),
            wire_bytes: ByteCount(estimate.wire_bytes),
        }
    }
}

impl From<CostBasis> for v1::CostBasis {
    fn from(basis: CostBasis) -> Self {
        let CostBasis { source, target, temp, worker_hour, workers, prefer } = basis;
        Self {
            source: Some(source.into()),
            target: Some(target.into()),
            temp: Some(temp.into()),
            worker_hour_micro_usd: worker_hour.0,
            workers,
            prefer: v1::Prefer::from(prefer).into(),
        }
    }
}

impl TryFrom<v1::CostBasis> for CostBasis {
    type Error = Fault;

    fn try_from(basis: v1::CostBasis) -> Result<Self, Fault> {
        Ok(Self {
            source: required(basis.source, "source")?,
            target: required(basis.target, "target")?,
            temp: required(basis.temp, "temp")?,
            worker_hour: MicroUsd(basis.worker_hour_micro_usd),
            workers: basis.workers,
            prefer: choice::<v1::Prefer, _>(basis.prefer, "prefer")?,
        })
    }
}

impl From<CostProfile> for v1::CostProfile {
    fn from(profile: CostProfile) -> Self {
        let CostProfile {
            kind,
            latency,
            bytes_per_second,
            requests_in_flight,
            gets_per_second,
            puts_per_second,
            prices: StorePrices { per_1000_put, per_1000_get, per_1000_list, per_gb_out, per_gb_month },
        } = profile;
        Self {
            kind: v1::StoreKind::from(kind).into(),
            latency_us: microseconds(latency),
            bytes_per_second,
            requests_in_flight,
            gets_per_second,
            puts_per_second,
            prices: Some(v1::StorePrices {
                per_1000_put_micro_usd: per_1000_put.0,
                per_1000_get_micro_usd: per_1000_get.0,
                per_1000_list_micro_usd: per_1000_list.0,
                per_gb_out_micro_usd: per_gb_out.0,
                per_gb_month_micro_usd: per_gb_month.0,
            }),
        }
    }
}

impl TryFrom<v1::CostProfile> for CostProfile {
    type Error = Fault;

    fn try_from(profile: v1::CostProfile) -> Result<Self, Fault> {
        Ok(Self {
            kind: choice::<v1::StoreKind, _>(profile.kind, "kind")?,
            latency: Duration::from_micros(profile.latency_us),
            bytes_per_second: positive(profile.bytes_per_second, "bytes_per_second")?,
            requests_in_flight: positive(profile.requests_in_flight, "requests_in_flight")?,
            gets_per_second: profile.gets_per_second,
            puts_per_second: profile.puts_per_second,
            prices: required(profile.prices, "prices")?,
        })
    }
}

fn positive(figure: u64, field: &str) -> Result<u64, Fault> {
    if figure == 0 { Err(Fault::at(field, Problem::Zero)) } else { Ok(figure) }
}

impl From<v1::StorePrices> for StorePrices {
    fn from(prices: v1::StorePrices) -> Self {
        Self {
            per_1000_put: MicroUsd(prices.per_1000_put_micro_usd),
            per_1000_get: MicroUsd(prices.per_1000_get_micro_usd),
            per_1000_list: MicroUsd(prices.per_1000_list_micro_usd),
            per_gb_out: MicroUsd(prices.per_gb_out_micro_usd),
            per_gb_month: MicroUsd(prices.per_gb_month_micro_usd),
        }
    }
}

impl From<Candidate> for v1::Candidate {
    fn from(candidate: Candidate) -> Self {
        let Candidate { shape_of_plan, verdict, reason, figures } = candidate;
        Self {
            shape_of_plan: v1::ShapeOfPlan::from(shape_of_plan).into(),
            verdict: v1::Verdict::from(verdict).into(),
            reason,
            figures: figures.map(Into::into),
        }
    }
}

impl TryFrom<v1::Candidate> for Candidate {
    type Error = Fault;

    fn try_from(candidate: v1::Candidate) -> Result<Self, Fault> {
        Ok(Self {
            shape_of_plan: choice::<v1::ShapeOfPlan, _>(candidate.shape_of_plan, "shape_of_plan")?,
            verdict: choice::<v1::Verdict, _>(candidate.verdict, "verdict")?,
            reason: candidate.reason,
            figures: optional(candidate.figures, "figures")?,
        })
    }
}

impl From<CandidateFigures> for v1::CandidateFigures {
    fn from(figures: CandidateFigures) -> Self {
        let CandidateFigures { cost, estimate, counts, tasks, peak_memory, exchange_bytes } = figures;
        Self {
            cost_us: microseconds(cost),
            estimate: Some(estimate.into()),
            counts: Some(counts.into()),
            tasks,
            peak_memory_bytes: peak_memory.0,
            exchange_bytes: exchange_bytes.0,
        }
    }
}

impl TryFrom<v1::CandidateFigures> for CandidateFigures {
    type Error = Fault;

    fn try_from(figures: v1::CandidateFigures) -> Result<Self, Fault> {
        Ok(Self {
            cost: Duration::from_micros(figures.cost_us),
            estimate: required(figures.estimate, "estimate")?,
            counts: or_zero(figures.counts),
            tasks: figures.tasks,
            peak_memory: ByteCount(figures.peak_memory_bytes),
            exchange_bytes: ByteCount(figures.exchange_bytes),
        })
    }
}
