//! What goes out comes back, for every type.

use std::fmt::Debug;

use proptest::prelude::*;
use prost::Message;
use rechunk_common::{
    Counts, Refusal,
    geometry::{BoxGrid, Region},
    ids::JobId,
    job::{JobView, WorkerView},
    layout::ArrayLayout,
    limits::{MAX_ERROR_MESSAGE_BYTES, MAX_SYNC_WAIT},
    plan::{Exchange, FunctionId, PlanSummary, StageFunction},
    request::{PipelinesRequest, RechunkRequest},
    session::{Grant, Lease, LeaseReport, SyncRequest, SyncResponse},
};

use super::samples;
use crate::{PlannedRechunk, v1, worker::v1 as worker};

/// Domain → message → bytes → message → domain.
fn there_and_back<W, D>(value: &D) -> D
where
    W: Message + Default + From<D>,
    D: TryFrom<W> + Clone + Debug,
    D::Error: Debug,
{
    let bytes = W::from(value.clone()).encode_to_vec();
    D::try_from(W::decode(bytes.as_slice()).expect("own bytes")).expect("own message")
}

macro_rules! comes_back {
    ($($test:ident: $samples:expr, $domain:ty as $wire:ty;)*) => {
        proptest! {$(
            #[test]
            fn $test(value in $samples) {
                prop_assert_eq!(there_and_back::<$wire, $domain>(&value), value);
            }
        )*}
    };
}

comes_back! {
    a_region_comes_back: samples::regions(), Region as v1::Region;
    a_grid_comes_back: samples::grids(), BoxGrid as v1::BoxGrid;
    counts_come_back: samples::counts(), Counts as v1::Counts;
    a_layout_comes_back: samples::layouts(), ArrayLayout as v1::ArrayLayout;
    an_exchange_comes_back: samples::exchanges(), Exchange as v1::Exchange;
    a_function_comes_back: samples::functions(), StageFunction as v1::StageFunction;
    a_function_id_comes_back: samples::function_ids(), FunctionId as v1::FunctionId;
    a_summary_comes_back: samples::summaries(), PlanSummary as v1::PlanSummary;
    a_planned_rechunk_comes_back: samples::planned(), PlannedRechunk as v1::PlanRechunkResponse;
    a_rechunk_request_comes_back: samples::rechunk_requests(), RechunkRequest as v1::SubmitRechunkRequest;
    a_pipelines_request_comes_back: samples::pipelines_requests(), PipelinesRequest as v1::SubmitPipelinesRequest;
    a_refusal_comes_back: samples::refusals(), Refusal as v1::Refusal;
    a_job_comes_back: samples::jobs(), JobView as v1::Job;
    a_job_id_comes_back: samples::names().prop_map(JobId), JobId as v1::GetJobRequest;
    a_worker_comes_back: samples::workers(), WorkerView as v1::Worker;
    a_lease_comes_back: samples::leases(), Lease as worker::Lease;
    a_grant_comes_back: samples::grants(), Grant as worker::Grant;
    a_report_comes_back: samples::reports(), LeaseReport as worker::LeaseReport;
    a_sync_request_comes_back: samples::sync_requests(), SyncRequest as worker::SyncRequest;
    a_sync_response_comes_back: samples::sync_responses(), SyncResponse as worker::SyncResponse;
}

proptest! {
    #[test]
    fn a_plan_request_comes_back_without_its_request_id(value in samples::rechunk_requests()) {
        let back = there_and_back::<v1::PlanRechunkRequest, RechunkRequest>(&value);
        prop_assert_eq!(back, RechunkRequest { request_id: None, ..value });
    }

    #[test]
    fn a_long_wait_is_cut_to_the_limit(request in samples::sync_requests(), more in 0_u64..1_000_000) {
        let wait = MAX_SYNC_WAIT + std::time::Duration::from_millis(more);
        let back = there_and_back::<worker::SyncRequest, SyncRequest>(&SyncRequest { wait, ..request });
        prop_assert_eq!(back.wait, MAX_SYNC_WAIT);
    }

    #[test]
    fn a_long_message_is_cut_between_characters(refusal in samples::refusals(), padding in 0_usize..4) {
        let message = "x".repeat(padding) + &"é€".repeat(MAX_ERROR_MESSAGE_BYTES);
        let back = there_and_back::<v1::Refusal, Refusal>(&Refusal { message: message.clone(), ..refusal });
        prop_assert!(back.message.len() <= MAX_ERROR_MESSAGE_BYTES);
        prop_assert!(back.message.len() > MAX_ERROR_MESSAGE_BYTES - 4);
        prop_assert!(message.starts_with(&back.message));
    }
}
