//! The clock by which leases are counted, and chance: both come in by parameter, so that a simulation has its own.

use std::{
    hash::{BuildHasher, Hasher},
    time::Duration,
};

/// A clock that never goes back.
pub trait Clock: Send + Sync + 'static {
    /// Time since some start.
    fn now(&self) -> Duration;
}

/// Where random numbers come from: to spread calls, and to tell two starts apart. Not for secrets.
pub trait Chance: Send + Sync + 'static {
    /// A number that is uniform over all `u64`.
    fn draw(&self) -> u64;
}

/// The seed of a fresh hasher, which the standard library draws.
#[derive(Debug, Clone, Copy, Default)]
pub struct HasherChance;

impl Chance for HasherChance {
    fn draw(&self) -> u64 {
        std::hash::RandomState::new().build_hasher().finish()
    }
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
