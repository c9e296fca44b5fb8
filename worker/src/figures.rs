//! What a running worker says of itself at any moment, for probes and metrics.
//!
//! Changes nothing and waits for nothing: whoever looks sees the latest.

use std::time::Duration;

use rechunk_common::{ByteCount, FailureClass, ids::Epoch, session::Capacity};
use rechunk_metrics::names::{
    WORKER_CONNECTED, WORKER_DRAINING, WORKER_EPOCH, WORKER_FAILURES, WORKER_LEASES, WORKER_MEMORY_BUDGET,
    WORKER_MEMORY_GRANTED, WORKER_MEMORY_KEPT, WORKER_RESIDENT, WORKER_RESIDENT_PEAK, WORKER_SCRATCH_BUDGET,
    WORKER_SCRATCH_GRANTED, WORKER_SLOTS_TOTAL, WORKER_TASK_SECONDS, WORKER_TASKS, WORKER_TASKS_RUNNING,
};
use tokio::sync::watch;

use crate::{
    resident::{current_rss, peak_rss},
    session::{Admission, Outcome},
};

/// Where the conversation with the coordinator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest reign that answered; none has before the first answer.
    pub epoch: Option<Epoch>,
    /// The coordinator answered the latest call.
    pub is_connected: bool,
    /// The worker was told to end.
    pub is_leaving: bool,
    /// Leases that are held, or whose tasks are being stopped.
    pub leases: u64,
    /// Tasks that run or wait for their memory.
    pub running: u64,
}

/// Looks at a worker. Clones look at the same one.
#[derive(Debug, Clone)]
pub struct WorkerWatch {
    pub(crate) total: Capacity,
    pub(crate) admission: Admission,
    pub(crate) standing: watch::Receiver<Standing>,
}

impl WorkerWatch {
    /// Where the conversation with the coordinator stands.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Whether it takes work; else why not.
    pub fn readiness(&self) -> Result<(), String> {
        let standing = self.standing();
        if standing.is_leaving {
            return Err("the worker finishes what it holds and leaves".to_owned());
        }
        if !standing.is_connected {
            return Err("the coordinator does not answer".to_owned());
        }
        Ok(())
    }

    /// Sets the gauges to what holds now.
    pub fn sample(&self) {
        let standing = self.standing();
        WORKER_SLOTS_TOTAL.set(&[], u64::from(self.total.slots));
        WORKER_TASKS_RUNNING.set(&[], standing.running);
        WORKER_LEASES.set(&[], standing.leases);
        WORKER_CONNECTED.set(&[], u64::from(standing.is_connected));
        WORKER_DRAINING.set(&[], u64::from(standing.is_leaving));
        WORKER_EPOCH.set(&[], standing.epoch.unwrap_or_default().0);
        let (memory, scratch) = self.admission.granted();
        WORKER_MEMORY_BUDGET.set(&[], self.total.memory.0);
        WORKER_MEMORY_GRANTED.set(&[], memory.0);
        WORKER_MEMORY_KEPT.set(&[], self.admission.pool().kept().0);
        WORKER_SCRATCH_BUDGET.set(&[], self.total.scratch.0);
        WORKER_SCRATCH_GRANTED.set(&[], scratch.0);
        let show = |gauge: rechunk_metrics::Metric, bytes: Option<ByteCount>| {
            if let Some(bytes) = bytes {
                gauge.set(&[], bytes.0);
            }
        };
        show(WORKER_RESIDENT, current_rss());
        show(WORKER_RESIDENT_PEAK, peak_rss());
    }
}

/// Counts an attempt of a task of `function` that ended, `time` after it had its memory.
pub(crate) fn count_attempt(function: &str, outcome: &Outcome, time: Option<Duration>) {
    let label = match outcome {
        Outcome::Done(_) => "done",
        Outcome::Failed(failure, _) => {
            WORKER_FAILURES.counter(&[class_label(failure.class)]).increment(1);
            "failed"
        }
        Outcome::Stopped => "stopped",
    };
    WORKER_TASKS.counter(&[function, label]).increment(1);
    if let Some(time) = time {
        WORKER_TASK_SECONDS.histogram(&[function]).record(time);
    }
}

fn class_label(class: FailureClass) -> &'static str {
    match class {
        FailureClass::TryAgain => "try_again",
        FailureClass::TryElsewhere => "try_elsewhere",
        FailureClass::InputLost { .. } => "input_lost",
        FailureClass::GiveUpTask => "give_up_task",
        FailureClass::InvalidRequest => "invalid_request",
        FailureClass::Bug => "bug",
    }
}

/// Shows every class of failure from the start, so that the first one is a change.
pub(crate) fn announce() {
    let input_lost = FailureClass::InputLost { stages_back: 1, task: rechunk_common::ids::TaskIndex(0) };
    for class in [
        FailureClass::TryAgain,
        FailureClass::TryElsewhere,
        input_lost,
        FailureClass::GiveUpTask,
        FailureClass::InvalidRequest,
        FailureClass::Bug,
    ] {
        WORKER_FAILURES.counter(&[class_label(class)]).absolute(0);
    }
}
