//! Money, in millionths of a US dollar: a request costs less than one of them, so prices are for thousands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

/// The most that is told apart: beyond it a sum is as good as endless, and still a number that floats hold exactly.
const MOST: f64 = 9e15;

impl MicroUsd {
    /// Of dollars, rounded; `None` if negative or not a number. What is too much is the most.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between zero and MOST")]
    pub fn from_usd(usd: f64) -> Option<Self> {
        if usd.is_nan() || usd < 0.0 { None } else { Some(Self((usd * 1e6).min(MOST).round() as u64)) }
    }

    /// As dollars.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for MicroUsd {
    /// As many digits as matter: `$0`, `$0.0004`, `$0.37`, `$12.50`, `$1300`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usd = self.as_usd();
        match self.0 {
            0 => write!(f, "$0"),
            1..100 => write!(f, "below $0.0001"),
            100..10_000 => write!(f, "${usd:.4}"),
            10_000..1_000_000 => write!(f, "${usd:.3}"),
            1_000_000..100_000_000 => write!(f, "${usd:.2}"),
            100_000_000.. => write!(f, "${usd:.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_rounded_to_millionths_and_nothing_else_is_taken() {
        assert_eq!(MicroUsd::from_usd(0.005_432_1), Some(MicroUsd(5_432)));
        assert_eq!(MicroUsd::from_usd(0.0), Some(MicroUsd(0)));
        assert!(MicroUsd::from_usd(f64::INFINITY).is_some_and(|most| most.0 > 1 << 50));
        assert_eq!(MicroUsd::from_usd(-0.01), None);
        assert_eq!(MicroUsd::from_usd(f64::NAN), None);
    }

    #[test]
    fn money_is_shown_with_the_digits_that_matter() {
        let shown = [0, 7, 432, 12_000, 370_000, 12_500_000, 1_300_000_000].map(|sum| MicroUsd(sum).to_string());
        assert_eq!(shown, ["$0", "below $0.0001", "$0.0004", "$0.012", "$0.370", "$12.50", "$1300"]);
    }
}
