//! The tasks of a plan that run in this process, so that they can be stopped: an engine that gives up does not wait for
//! those that it had begun, and what they write must not come after the clean-up.

use std::sync::{Mutex, PoisonError};

use rechunk_common::ids::JobId;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Plans that are known at a time; of those beyond, the oldest are forgotten, and start no more tasks than an engine
/// gives them.
const KEPT: usize = 64;

static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// The tasks of one plan in this process. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Running {
    job: JobId,
    /// A forked process runs none of its parent's tasks.
    process: u32,
    pub(super) cancelled: CancellationToken,
    tasks: TaskTracker,
}

/// The tasks of `job` in this process.
pub(super) fn of(job: &JobId) -> Running {
    let mut known = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(running) = known.iter().find(|running| running.job == *job && running.process == process) {
        return running.clone();
    }
    let running = Running { job: job.clone(), process, cancelled: CancellationToken::new(), tasks: TaskTracker::new() };
    if known.len() >= KEPT {
        known.remove(0);
    }
    known.push(running.clone());
    running
}

impl Running {
    /// Runs `work` as one of them.
    pub(super) async fn with<T>(&self, work: impl Future<Output = T>) -> T {
        self.tasks.track_future(work).await
    }

    /// Stops them all, and those that an engine still starts here; returns when none runs.
    pub(super) async fn stop(&self) {
        self.cancelled.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
