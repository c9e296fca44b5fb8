//! How many requests a second may be asked of a store: by the whole fleet, and by each worker of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Millionths of a request in a second, so that a small share of a small budget is still one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct RequestRate(pub u64);

impl RequestRate {
    /// No request at all.
    pub const NONE: Self = Self(0);

    const MILLION: u64 = 1_000_000;

    /// So many whole requests a second.
    pub fn per_second(requests: u32) -> Self {
        Self(u64::from(requests).saturating_mul(Self::MILLION))
    }

    /// Whole requests a second, rounded down.
    pub fn whole_per_second(self) -> u64 {
        self.0 / Self::MILLION
    }
}

impl std::fmt::Display for RequestRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / Self::MILLION, self.0 % Self::MILLION);
        if rest == 0 { write!(f, "{whole}/s") } else { write!(f, "{whole}.{:03}/s", rest / 1000) }
    }
}

/// What may be asked of the objects below a prefix. Of several prefixes that cover an object the longest holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRates {
    /// A URL.
    pub prefix: String,
    /// Requests that read, ask or list; `None`: any number.
    pub gets: Option<RequestRate>,
    /// Requests that write or delete, one for each key; `None`: any number.
    pub puts: Option<RequestRate>,
}

/// What one worker may ask of the stores, of what the fleet may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestShares {
    /// Its part, by prefix.
    pub rates: Vec<StoreRates>,
    /// It asks again within this time, also where it has nothing to say: others wait for what it gives back.
    pub ask_within: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_keeps_millionths_and_reads_as_a_person_says_it() {
        assert_eq!(RequestRate::per_second(5), RequestRate(5_000_000));
        assert_eq!(RequestRate::per_second(u32::MAX).whole_per_second(), u64::from(u32::MAX));
        assert_eq!(RequestRate(1_999_999).whole_per_second(), 1);
        assert_eq!(RequestRate::per_second(5).to_string(), "5/s");
        assert_eq!(RequestRate(2_062_500).to_string(), "2.062/s");
        assert_eq!(RequestRate::NONE.to_string(), "0/s");
    }
}
