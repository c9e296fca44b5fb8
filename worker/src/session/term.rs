//! The end of a lease, as every write of its tasks asks for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rechunk_storage::{LeaseLost, WriteGuard};

use super::Clock;

/// How long a lease lasts. Shared by all tasks of the lease.
pub(crate) struct LeaseTerm {
    clock: Arc<dyn Clock>,
    /// Nanoseconds on the clock; 0: revoked.
    ends_at: AtomicU64,
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl LeaseTerm {
    pub(crate) fn new(clock: Arc<dyn Clock>, ends_at: Duration) -> Arc<Self> {
        Arc::new(Self { clock, ends_at: AtomicU64::new(nanoseconds(ends_at)) })
    }

    /// When it ends.
    pub(crate) fn ends_at(&self) -> Duration {
        Duration::from_nanos(self.ends_at.load(Ordering::Acquire))
    }

    /// A renewal; one that was asked for earlier than another never shortens the lease.
    pub(crate) fn extend_to(&self, ends_at: Duration) {
        self.ends_at.fetch_max(nanoseconds(ends_at), Ordering::AcqRel);
    }

    /// No write starts from here on.
    pub(crate) fn end(&self) {
        self.ends_at.store(0, Ordering::Release);
    }
}

impl WriteGuard for LeaseTerm {
    fn check(&self) -> Result<(), LeaseLost> {
        if self.clock.now() < self.ends_at() { Ok(()) } else { Err(LeaseLost) }
    }
}
