//! How many requests a second a store may be asked, and the shares of it that are given out.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// Requests a second, never none. Held in thousandths, so that a share of a thousandth is still one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestRate(NonZeroU64);

impl RequestRate {
    /// So many whole requests a second; `None` for zero.
    pub fn per_second(requests: u32) -> Option<Self> {
        Self::per_1000_seconds(u64::from(requests) * 1000)
    }

    /// So many requests in 1,000 seconds; `None` for zero.
    pub fn per_1000_seconds(requests: u64) -> Option<Self> {
        NonZeroU64::new(requests).map(Self)
    }

    /// Requests in 1,000 seconds.
    pub fn in_1000_seconds(self) -> u64 {
        self.0.get()
    }
}

/// What may be asked of the objects below a prefix: by the whole fleet, or by one worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestBudget {
    /// A URL.
    pub prefix: String,
    /// Requests that read, ask or list; `None`: any number.
    pub gets: Option<RequestRate>,
    /// Requests that write or delete; `None`: any number.
    pub puts: Option<RequestRate>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_never_zero_and_keeps_thousandths() {
        assert_eq!(RequestRate::per_second(0), None);
        assert_eq!(RequestRate::per_1000_seconds(0), None);
        assert_eq!(RequestRate::per_second(5).map(RequestRate::in_1000_seconds), Some(5000));
        assert_eq!(RequestRate::per_second(u32::MAX).map(RequestRate::in_1000_seconds), Some(4_294_967_295_000));
    }
}
