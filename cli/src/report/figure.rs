//! Figures as people read them.

use rechunk_common::ByteCount;

/// A count; a dash for none.
pub fn count_or_dash(count: u64) -> String {
    if count == 0 { "–".to_owned() } else { grouped(count) }
}

/// A size; a dash for none.
pub fn size_or_dash(size: ByteCount) -> String {
    if size.0 == 0 { "–".to_owned() } else { size.to_string() }
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure for people, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and durations are small and positive"
)]
pub fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

/// `0.8 s`, `42 s`, `3 min 20 s`, `7 h 5 min`, `12 days`.
pub fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7_200.0 {
        let whole = whole(seconds);
        format!("{} min {} s", whole / 60, whole % 60)
    } else if seconds < 172_800.0 {
        let minutes = whole(seconds / 60.0);
        format!("{} h {} min", minutes / 60, minutes % 60)
    } else {
        format!("{} days", grouped(whole(seconds / 86_400.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(96_432_017), "96,432,017");
    }

    #[test]
    fn seconds_read_as_a_person_says_them() {
        assert_eq!(seconds(0.84), "0.8 s");
        assert_eq!(seconds(42.4), "42 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(25_500.0), "7 h 5 min");
        assert_eq!(seconds(1_000_000.0), "12 days");
    }
}
