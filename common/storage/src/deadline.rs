//! How long one attempt may take: longer for larger objects.
//!
//! Pure. Writes are the exception: each stays below the margin of its lease, whatever its size; what is too large for
//! that goes up in parts.

use std::time::Duration;

/// Slower than this is taken for a hung connection: 1 MB/s.
pub(crate) const LEAST_BYTES_PER_SECOND: u64 = 1_000_000;

/// The time for reading `bytes`, `base` being the time for an answer without any.
pub(crate) fn of_read(base: Duration, bytes: u64) -> Duration {
    base.saturating_add(Duration::from_secs(bytes / LEAST_BYTES_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_added_for_every_megabyte() {
        let base = Duration::from_secs(30);
        assert_eq!(of_read(base, 999_999), base);
        assert_eq!(of_read(base, 100_000_000), Duration::from_secs(130));
        assert_eq!(of_read(base, 5 << 40), Duration::from_secs(30 + 5_497_558));
        assert!(of_read(Duration::MAX, u64::MAX) == Duration::MAX, "no overflow");
    }
}
