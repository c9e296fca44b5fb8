//! What can happen in a random history, and how often.

use proptest::prelude::*;
use rechunk_common::{FailureClass, ids::TaskIndex};

pub(super) const WORKERS: [&str; 3] = ["u", "v", "w"];
pub(super) const JOBS: [&str; 2] = ["a", "b"];

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A worker calls; it may wait for work, and the answer may get lost.
    Call {
        worker: usize,
        waits: bool,
        is_lost: bool,
    },
    /// A worker calls, but the call stays on the way.
    CallLate {
        worker: usize,
    },
    /// A call that was on the way arrives, perhaps not for the last time.
    Arrive {
        which: usize,
        again: bool,
    },
    /// The caller of a waiting call goes away.
    Drop {
        worker: usize,
    },
    /// A worker gets some tasks of a lease done.
    Work {
        worker: usize,
        lease: usize,
        count: u64,
    },
    /// A worker fails at a task.
    Fail {
        worker: usize,
        lease: usize,
        class: FailureClass,
    },
    /// A worker stops working on a lease.
    Abandon {
        worker: usize,
        lease: usize,
    },
    /// A worker's process is replaced by a new one.
    Crash {
        worker: usize,
    },
    /// A worker begins or ceases to drain.
    Drain {
        worker: usize,
    },
    /// Time passes.
    Wait {
        ms: u64,
    },
    /// Some of the records become durable.
    Durable {
        count: usize,
    },
    Cancel {
        job: usize,
    },
    Retry {
        job: usize,
    },
    /// The coordinator dies, and another one reads its journal.
    Restart,
    Delete {
        job: usize,
    },
}

fn class() -> impl Strategy<Value = FailureClass> {
    prop_oneof![
        4 => Just(FailureClass::TryAgain),
        4 => Just(FailureClass::TryElsewhere),
        6 => (prop_oneof![3 => Just(1_u32), 1 => Just(2)], 0_u64..3).prop_map(|(stages_back, task)| FailureClass::InputLost { stages_back, task: TaskIndex(task) }),
        1 => Just(FailureClass::GiveUpTask),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let worker = 0..WORKERS.len();
    let lease = 0_usize..3;
    let job = 0..JOBS.len();
    prop_oneof![
        20 => (worker.clone(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(worker, waits, is_lost)| Step::Call { worker, waits, is_lost }),
        4 => worker.clone().prop_map(|worker| Step::CallLate { worker }),
        4 => (0_usize..4, any::<bool>()).prop_map(|(which, again)| Step::Arrive { which, again }),
        1 => worker.clone().prop_map(|worker| Step::Drop { worker }),
        20 => (worker.clone(), lease.clone(), 1_u64..4)
            .prop_map(|(worker, lease, count)| Step::Work { worker, lease, count }),
        4 => (worker.clone(), lease.clone(), class())
            .prop_map(|(worker, lease, class)| Step::Fail { worker, lease, class }),
        1 => (worker.clone(), lease).prop_map(|(worker, lease)| Step::Abandon { worker, lease }),
        1 => worker.clone().prop_map(|worker| Step::Crash { worker }),
        1 => worker.prop_map(|worker| Step::Drain { worker }),
        10 => prop_oneof![1_u64..500, 500_u64..12_000, 12_000_u64..60_000].prop_map(|ms| Step::Wait { ms }),
        12 => (1_usize..6).prop_map(|count| Step::Durable { count }),
        1 => job.clone().prop_map(|job| Step::Cancel { job }),
        2 => job.clone().prop_map(|job| Step::Retry { job }),
        1 => job.prop_map(|job| Step::Delete { job }),
        1 => Just(Step::Restart),
    ]
}
