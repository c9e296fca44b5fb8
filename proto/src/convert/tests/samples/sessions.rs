//! Leases, reports and both sides of a `Sync`.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    ContentSum, Counts, FailureClass, TaskFailure,
    ids::{
        Epoch, Incarnation, JobId, LeaseId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex, SyncSeq,
        TaskIndex, WorkerId,
    },
    request_rate::{RequestRate, RequestShares, StoreRates},
    session::{DoneTasks, FailedTask, Grant, Lease, LeaseProgress, LeaseReport, SyncRequest, SyncResponse},
    task_set::TaskRange,
};

use super::{
    basics::{bytes, counts, durations, names, texts},
    functions::{function_ids, functions},
    jobs::capacities,
};

pub(crate) fn lease_ids() -> impl Strategy<Value = LeaseId> {
    any::<(u64, u64)>().prop_map(|(epoch, counter)| LeaseId { epoch: Epoch(epoch), counter })
}

pub(crate) fn addresses() -> impl Strategy<Value = StageAddress> {
    (names(), any::<[u32; 4]>()).prop_map(|(job, [run, phase, pipeline, stage])| StageAddress {
        job: JobId(job),
        run: RunNumber(run),
        phase: PhaseIndex(phase),
        pipeline: PipelineIndex(pipeline),
        stage: StageIndex(stage),
    })
}

pub(crate) fn task_ranges() -> impl Strategy<Value = TaskRange> {
    (0_u64..999_999_000, 1_u64..=1000).prop_map(|(start, length)| TaskRange::new(start, start + length))
}

pub(crate) fn leases() -> impl Strategy<Value = Lease> {
    (lease_ids(), addresses(), task_ranges(), durations()).prop_map(|(id, stage, tasks, ttl)| Lease {
        id,
        stage,
        tasks,
        ttl,
    })
}

pub(crate) fn grants() -> impl Strategy<Value = Grant> {
    (leases(), names(), functions(), bytes(), bytes()).prop_map(
        |(lease, stage_name, function, task_memory, task_scratch)| Grant {
            lease,
            stage_name,
            function,
            task_memory,
            task_scratch,
        },
    )
}

pub(crate) fn failed_tasks() -> impl Strategy<Value = FailedTask> {
    let class = prop_oneof![
        select(vec![
            FailureClass::TryAgain,
            FailureClass::TryElsewhere,
            FailureClass::GiveUpTask,
            FailureClass::InvalidRequest,
            FailureClass::Bug,
        ]),
        (1_u32..5, 0_u64..1_000_000_000)
            .prop_map(|(stages_back, task)| FailureClass::InputLost { stages_back, task: TaskIndex(task) }),
    ];
    (0_u64..1_000_000_000, class, texts(), counts()).prop_map(|(task, class, message, counts)| FailedTask {
        task: TaskIndex(task),
        failure: TaskFailure { class, message },
        counts,
    })
}

pub(crate) fn reports() -> impl Strategy<Value = LeaseReport> {
    let done = (task_ranges(), counts()).prop_map(|(tasks, counts)| {
        let content = if tasks.len() == 1 { counts.content } else { ContentSum::default() };
        DoneTasks { tasks, counts: Counts { content, ..counts } }
    });
    (lease_ids(), addresses(), any::<u64>(), vec(done, 0..3), vec(failed_tasks(), 0..3))
        .prop_map(|(lease, stage, number, done, failed)| LeaseReport { lease, stage, number, done, failed })
}

pub(crate) fn sync_requests() -> impl Strategy<Value = SyncRequest> {
    let who = (names(), any::<u64>(), any::<u64>(), texts());
    let progress = vec((lease_ids(), any::<u64>()).prop_map(|(lease, count)| LeaseProgress { lease, count }), 0..3);
    let what = (
        vec(function_ids(), 0..3),
        capacities(),
        capacities(),
        any::<bool>(),
        bytes(),
        vec(store_rates(), 0..3),
        progress,
    );
    let wait = (0_u64..20_000).prop_map(Duration::from_millis);
    (who, what, vec(leases(), 0..3), vec(reports(), 0..3), wait).prop_map(
        |((worker, incarnation, seq, version), what, held, reports, wait)| {
            let (functions, free, total, draining, peak_rss, request_rates, progress) = what;
            SyncRequest {
                worker: WorkerId(worker),
                incarnation: Incarnation(incarnation),
                seq: SyncSeq(seq),
                functions,
                free,
                total,
                draining,
                held,
                reports,
                wait,
                version,
                peak_rss,
                request_rates,
                progress,
            }
        },
    )
}

pub(crate) fn store_rates() -> impl Strategy<Value = StoreRates> {
    let rate = || option::of(any::<u64>().prop_map(RequestRate));
    (names(), rate(), rate()).prop_map(|(prefix, gets, puts)| StoreRates { prefix, gets, puts })
}

pub(crate) fn request_shares() -> impl Strategy<Value = RequestShares> {
    let ask_within = durations().prop_filter("a time above zero", |time| !time.is_zero());
    (vec(store_rates(), 0..3), ask_within).prop_map(|(rates, ask_within)| RequestShares { rates, ask_within })
}

pub(crate) fn sync_responses() -> impl Strategy<Value = SyncResponse> {
    let leases = (vec(grants(), 0..3), vec(lease_ids(), 0..3), vec(lease_ids(), 0..3));
    (any::<[u64; 3]>(), leases, durations(), option::of(request_shares())).prop_map(
        |([epoch, seq, reports_accepted_through], (granted, revoked, renewed), next_sync_after, request_shares)| {
            SyncResponse {
                epoch: Epoch(epoch),
                seq: SyncSeq(seq),
                granted,
                revoked,
                renewed,
                reports_accepted_through,
                next_sync_after,
                request_shares,
            }
        },
    )
}
