//! Estimates, candidates and what they rest on.

use std::time::Duration;

use proptest::{option, prelude::*, sample::select};
use rechunk_common::{
    MicroUsd,
    cost_profile::{CostProfile, Prefer, StoreKind, StorePrices},
    plan::{Candidate, CandidateFigures, CostBasis, Estimate, Verdict},
};

use super::{
    basics::{bytes, counts, texts},
    plans::shapes_of_plan,
};

fn money() -> impl Strategy<Value = MicroUsd> {
    any::<u64>().prop_map(MicroUsd)
}

fn durations() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

pub(crate) fn preferences() -> impl Strategy<Value = Prefer> {
    select(Prefer::ALL.to_vec())
}

pub(crate) fn estimates() -> impl Strategy<Value = Estimate> {
    (durations(), money(), bytes()).prop_map(|(duration, usd, wire_bytes)| Estimate { duration, usd, wire_bytes })
}

fn profiles() -> impl Strategy<Value = CostProfile> {
    let prices = (money(), money(), money(), money(), money()).prop_map(
        |(per_1000_put, per_1000_get, per_1000_list, per_gb_out, per_gb_month)| StorePrices {
            per_1000_put,
            per_1000_get,
            per_1000_list,
            per_gb_out,
            per_gb_month,
        },
    );
    let limits = (1_u64.., 1_u64.., option::of(1_u64..), option::of(1_u64..));
    (select(StoreKind::ALL.to_vec()), durations(), limits, prices).prop_map(
        |(kind, latency, (bytes_per_second, requests_in_flight, gets_per_second, puts_per_second), prices)| {
            CostProfile {
                kind,
                latency,
                bytes_per_second,
                requests_in_flight,
                gets_per_second,
                puts_per_second,
                prices,
            }
        },
    )
}

pub(crate) fn bases() -> impl Strategy<Value = CostBasis> {
    (profiles(), profiles(), profiles(), money(), any::<u64>(), preferences()).prop_map(
        |(source, target, temp, worker_hour, workers, prefer)| CostBasis {
            source,
            target,
            temp,
            worker_hour,
            workers,
            prefer,
        },
    )
}

pub(crate) fn candidates() -> impl Strategy<Value = Candidate> {
    let figures = (durations(), estimates(), counts(), any::<u64>(), bytes(), bytes()).prop_map(
        |(cost, estimate, counts, tasks, peak_memory, exchange_bytes)| CandidateFigures {
            cost,
            estimate,
            counts,
            tasks,
            peak_memory,
            exchange_bytes,
        },
    );
    let verdicts = select(vec![Verdict::Chosen, Verdict::Dearer, Verdict::DoesNotFit, Verdict::NotExecuted]);
    (shapes_of_plan(), verdicts, texts(), option::of(figures))
        .prop_map(|(shape_of_plan, verdict, reason, figures)| Candidate { shape_of_plan, verdict, reason, figures })
}
