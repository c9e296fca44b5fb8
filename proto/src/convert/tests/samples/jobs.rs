//! Jobs and workers as callers see them.

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    ByteCount,
    ids::{JobId, RunNumber, WorkerId},
    job::{JobState, JobView, StageProgressView, TempStanding, TempView, WorkerView},
    session::Capacity,
};

use super::{
    basics::{bytes, counts, names, refusals, texts, urls},
    functions::function_ids,
    plans::summaries,
};

pub(crate) fn jobs() -> impl Strategy<Value = JobView> {
    let standing = select(vec![
        JobState::Accepted,
        JobState::Running,
        JobState::Succeeding,
        JobState::Failing,
        JobState::Cancelling,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
    ]);
    let stage = (names(), names(), any::<[u64; 3]>(), counts(), counts()).prop_map(
        |(array, name, [tasks, done, leased], predicted, measured)| StageProgressView {
            array,
            name,
            tasks,
            done,
            leased,
            predicted,
            measured,
        },
    );
    let what = (names(), any::<u32>(), standing, texts(), texts());
    let when = (any::<u64>(), any::<Option<u64>>());
    let temp_standing = select(vec![TempStanding::InUse, TempStanding::Kept, TempStanding::Released]);
    let temp = (urls(), temp_standing).prop_map(|(url, standing)| TempView { url, standing });
    let failure = option::of(refusals());
    let how = (vec(stage, 0..3), option::of(texts()), failure, option::of(temp), option::of(summaries()));
    (what, when, how, any::<[u64; 3]>()).prop_map(
        |(
            (id, run, state, source, target),
            (accepted_at_ms, ended_at_ms),
            (stages, waits_for, failure, temp, plan),
            [leases_expired, retries, peak_rss],
        )| JobView {
            id: JobId(id),
            run: RunNumber(run),
            state,
            source,
            target,
            accepted_at_ms,
            ended_at_ms,
            stages,
            waits_for,
            failure,
            leases_expired,
            retries,
            peak_rss: ByteCount(peak_rss),
            temp,
            plan,
        },
    )
}

pub(crate) fn capacities() -> impl Strategy<Value = Capacity> {
    (bytes(), bytes(), any::<u32>()).prop_map(|(memory, scratch, slots)| Capacity { memory, scratch, slots })
}

pub(crate) fn workers() -> impl Strategy<Value = WorkerView> {
    let parts = (names(), texts(), capacities(), capacities(), any::<u64>(), any::<bool>(), vec(function_ids(), 0..3));
    (parts, any::<u64>()).prop_map(
        |((id, version, total, free, leased_tasks, draining, functions), last_heard_at_ms)| WorkerView {
            id: WorkerId(id),
            version,
            total,
            free,
            leased_tasks,
            draining,
            functions,
            last_heard_at_ms,
        },
    )
}
