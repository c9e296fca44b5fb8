//! Narrow floats, by bits.

/// The nearest half-precision float, ties to even; of a NaN the upper bits, and a quiet one where those are zeros.
pub(crate) fn to_half(value: f64) -> u16 {
    let sign: u16 = if value.is_sign_negative() { 0x8000 } else { 0 };
    if value.is_nan() {
        let payload = u16::try_from((value.to_bits() >> 42) & 0x3ff).unwrap_or_default();
        return sign | 0x7c00 | if payload == 0 { 0x200 } else { payload };
    }
    let magnitude = value.abs();
    // Below half of the least subnormal, or exactly half (a tie with the even 0).
    if magnitude >= 65520.0 {
        return sign | 0x7c00;
    }
    // In units of the last place: 2^-24 for subnormals, 2^(e - 10) for the rest. Both are powers of two, so the
    // division is exact and one rounding is left.
    let exponent = exponent_of(magnitude).max(-14);
    let scaled = (magnitude / 2_f64.powi(exponent.saturating_sub(10))).round_ties_even();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scaled is a whole number ≤ 2048")]
    let steps = scaled as u16;
    let base = u16::try_from(exponent.saturating_add(14)).unwrap_or_default();
    // A normal number's steps hold its leading bit (1024), which adds one to the exponent field, as it should.
    sign | base.wrapping_mul(1024).wrapping_add(steps)
}

/// The value of a half-precision float; a NaN keeps its bits.
pub(crate) fn of_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::from_bits(0x7ff0_0000_0000_0000 | (u64::from(bits & 0x3ff) << 42)).copysign(sign),
        _ => sign * (1024.0 + fraction) * 2_f64.powi(exponent.saturating_sub(25)),
    }
}

/// The nearest bfloat16, ties to even.
pub(crate) fn to_bfloat(value: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let single = value as f32;
    let bits = single.to_bits();
    let upper = (bits >> 16).to_le_bytes();
    let upper = u16::from_le_bytes([upper[0], upper[1]]);
    if single.is_nan() {
        return upper | 0x0040;
    }
    let rest = bits & 0xffff;
    let round_up = rest > 0x8000 || (rest == 0x8000 && upper & 1 == 1);
    upper.wrapping_add(u16::from(round_up))
}

/// The value of a bfloat16.
pub(crate) fn of_bfloat(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// e in `1 ≤ value / 2^e < 2`; a very small number for zero and subnormals.
fn exponent_of(value: f64) -> i32 {
    let field = (value.to_bits() >> 52) & 0x7ff;
    i32::try_from(field).unwrap_or_default().saturating_sub(1023)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_through_a_double() {
        for bits in 0..=u16::MAX {
            assert_eq!(to_half(of_half(bits)), bits, "{bits:#06x}");
        }
    }

    #[test]
    fn halves_are_rounded_to_the_nearest_ties_to_even() {
        for (value, bits) in [
            (0.1, 0x2e66),
            (65504.0, 0x7bff),
            (65519.9, 0x7bff),
            (65520.0, 0x7c00),
            (1e300, 0x7c00),
            (2048.0 + 1.0, 0x6800),
            (2048.0 + 3.0, 0x6802),
            (2_f64.powi(-25), 0x0000),
            (2_f64.powi(-25) * 1.000_001, 0x0001),
            (-0.0, 0x8000),
            (1e-320, 0x0000),
        ] {
            assert_eq!(to_half(value), bits, "{value}");
        }
    }

    #[test]
    fn every_bfloat_survives_and_others_are_rounded() {
        for bits in 0..=u16::MAX {
            let value = of_bfloat(bits);
            if !value.is_nan() {
                assert_eq!(to_bfloat(value), bits, "{bits:#06x}");
            }
        }
        assert_eq!(to_bfloat(1.0 + 1.0 / 256.0), 0x3f80);
        assert_eq!(to_bfloat(1.0 + 3.0 / 256.0), 0x3f82);
        assert_eq!(to_bfloat(f64::NAN) & 0x7fff, 0x7fc0);
    }
}
