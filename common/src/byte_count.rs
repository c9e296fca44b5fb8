//! A number of bytes, and how people write it: `2GiB`, `100MB`, `1048576`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

/// The text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size; write a number and a unit, as in 512MiB, 2GiB or 100MB")]
pub struct NotASize(pub String);

const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
];

impl FromStr for ByteCount {
    type Err = NotASize;

    /// k M G T are powers of ten, Ki Mi Gi Ti of two; case is ignored, `B` is optional, a fraction is allowed.
    fn from_str(text: &str) -> Result<Self, NotASize> {
        let refuse = || NotASize(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let split = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
        let (number, unit) = lower.split_at(split);
        let unit = unit.trim();
        let unit = unit.strip_suffix('b').unwrap_or(unit);
        let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?.1;
        decimal_times(number, factor).map(Self).ok_or_else(refuse)
    }
}

/// `number` (digits with at most one point) times `factor`, rounded down, without passing through a float.
fn decimal_times(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    u64::try_from(digits.checked_mul(u128::from(factor))?.checked_div(scale)?).ok()
}

impl fmt::Display for ByteCount {
    /// The largest binary unit of which there is at least one, with one decimal: `1.5 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < NAMES.len() {
            value /= 1024.0;
            unit += 1;
        }
        let name = NAMES.get(unit).copied().unwrap_or("B");
        if unit == 0 || value.fract() < 0.05 { write!(f, "{value:.0} {name}") } else { write!(f, "{value:.1} {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("2GiB", 2 << 30),
            ("2gib", 2 << 30),
            ("2 Gi", 2 << 30),
            ("100MB", 100_000_000),
            ("100m", 100_000_000),
            ("1.5k", 1_500),
            ("0.5KiB", 512),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["", "GiB", "-1", "1.2.3", "5 parsecs", "1.", "99999999999TiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_print_with_one_decimal_at_most() {
        assert_eq!(ByteCount(512).to_string(), "512 B");
        assert_eq!(ByteCount(2 << 30).to_string(), "2 GiB");
        assert_eq!(ByteCount(1536 << 20).to_string(), "1.5 GiB");
    }
}
