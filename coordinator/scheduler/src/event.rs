//! What can happen to the scheduler.

use std::time::Duration;

use rechunk_common::{
    ByteCount,
    ids::{JobId, JournalPosition, RequestId},
    limits::{LEASE_MARGIN, RETRY_WINDOW},
    plan::Plan,
    session::{SyncCall, SyncRequest},
};

/// A moment on the caller's clock, which never goes back: milliseconds since some start, which is the same for the
/// records of one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.after_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this; 0 where it is not earlier.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A caller submits a job. The door has checked it.
    Submit {
        /// Chosen by the driver.
        job: JobId,
        /// The caller's name for it.
        request_id: Option<RequestId>,
        /// What is to be done.
        plan: Box<Plan>,
        /// Shown to people.
        source: String,
        /// Shown to people, and compared with the targets of later jobs.
        target: String,
        /// Temporary bytes that may stand at one time.
        temp_limit: Option<ByteCount>,
        /// Its share beside other jobs; at least 1.
        weight: u32,
        /// Tasks of it that may be leased at a time.
        max_parallel_tasks: Option<u64>,
    },
    /// A caller cancels a job.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// A caller lets a failed job go on, with what is done.
    Retry {
        /// The job.
        job: JobId,
    },
    /// A caller deletes a terminal job: what it wrote (unless it succeeded) and its record go.
    Delete {
        /// The job.
        job: JobId,
    },
    /// A worker speaks. Answered by `Command::Answer`, now or later.
    Sync(Box<SyncRequest>),
    /// The caller of a `Sync` is gone: its answer is not wanted any more.
    SyncDropped {
        /// Which.
        call: SyncCall,
    },
    /// Everything up to this position is durable.
    RecordDurable {
        /// The last durable record.
        position: JournalPosition,
    },
    /// A scheduler made by `Scheduler::recover` begins: its jobs go on. Comes first, and only then.
    Begin,
    /// `next_deadline` has come.
    Tick,
}

/// The scheduler's constants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// Added on the coordinator's side before a lease counts as expired, and after that before anything is deleted.
    pub margin: Duration,
    /// Work that one lease should hold.
    pub lease_work: Duration,
    /// A lease that stands still for this long is taken away, though it is renewed, and its tasks are leased again.
    pub progress_deadline: Duration,
    /// Deaths of leases on a single task, on different workers, before the job fails.
    pub poison_limit: u16,
    /// How long a failed job keeps what it wrote for a retry.
    pub retry_window: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            margin: LEASE_MARGIN,
            lease_work: Duration::from_secs(15),
            progress_deadline: Duration::from_mins(10),
            poison_limit: 3,
            retry_window: RETRY_WINDOW,
        }
    }
}
