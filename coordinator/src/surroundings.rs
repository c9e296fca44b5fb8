//! What the coordinator asks of the machine around it: the time of day and fresh ids. They come in by parameter, so
//! that a simulation can give its own. Monotonic time is tokio's.

use std::time::{SystemTime, UNIX_EPOCH};

use rechunk_common::ids::JobId;
use rechunk_scheduler::{Command, Event, Scheduler, Timestamp};

/// The time of day, for people, and ids that nobody has used.
pub trait Surroundings: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch. Only shown, never compared.
    fn unix_millis(&self) -> u64;

    /// A fresh id: `job-` and 12 hexadecimal digits.
    fn new_job_id(&self) -> JobId;

    /// Whether plans are made on threads of their own; a simulation allows none.
    fn has_threads(&self) -> bool {
        true
    }
}

/// Sees every step of the scheduler; for simulations, which check what must hold.
pub trait Witness: Send + 'static {
    /// This happened at `now`, and these commands came of it.
    fn saw(&mut self, now: Timestamp, event: &Event, commands: &[Command], after: &Scheduler);
}

/// The machine's clock and its randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Surroundings for Machine {
    fn unix_millis(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn new_job_id(&self) -> JobId {
        let digits = uuid::Uuid::new_v4().simple().to_string();
        JobId(format!("job-{}", digits.get(..12).unwrap_or(&digits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_job_and_twelve_hexadecimal_digits() {
        let id = Machine.new_job_id();
        let digits = id.as_str().strip_prefix("job-").expect("the prefix");
        assert_eq!(digits.len(), 12, "{id}");
        assert!(digits.chars().all(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()), "{id}");
        assert_ne!(id, Machine.new_job_id());
    }
}
