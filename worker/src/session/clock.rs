//! The clock by which leases are counted.

use std::time::Duration;

/// A clock that never goes back.
pub trait Clock: Send + Sync + 'static {
    /// Time since some start.
    fn now(&self) -> Duration;
}

/// CLOCK_BOOTTIME: it goes on while the machine sleeps, as the coordinator's does. `std` has no such clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}
