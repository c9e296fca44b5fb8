//! What a worker asks of the machine around it beside the clock of its leases: the time of day, and chance. They come in by
//! parameter, so that a simulation can give its own.

use std::{
    hash::{BuildHasher, Hasher},
    time::{Duration, SystemTime},
};

/// The time of day, and chance.
pub trait Surroundings: Send + Sync + 'static {
    /// The time since the Unix epoch, as far as the machine knows.
    fn time_of_day(&self) -> Duration;

    /// A number that is uniform over all `u64`: to spread calls, and to tell two starts apart. Not for secrets.
    fn draw(&self) -> u64;
}

/// The machine's clock, and the seed of a fresh hasher, which the standard library draws.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Surroundings for Machine {
    fn time_of_day(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn draw(&self) -> u64 {
        std::hash::RandomState::new().build_hasher().finish()
    }
}
