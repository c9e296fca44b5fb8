//! How two grids cut one axis. Closed forms where both are regular, and then no enumeration of boxes.

use super::Cut;

/// Greatest common divisor; `gcd(0, b) = b`.
pub fn gcd(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// Least common multiple, saturating: beyond 2^64 two grids never meet again inside an array.
pub fn lcm(a: u64, b: u64) -> u64 {
    a.checked_div(gcd(a, b)).map_or(0, |a| a.saturating_mul(b))
}

/// Elements among the first `n` where a box of `a` and a box of `b` begin together; the first one, where both are
/// clipped to the axis, included.
pub fn meetings(n: u64, a: Cut, b: Cut) -> u64 {
    if n == 0 {
        return 0;
    }
    for (unequal, other) in [(a, b), (b, a)] {
        if unequal.edges.is_some() {
            let shared = unequal.unequal_starts(n).filter(|start| other.begins_at(*start)).count();
            return u64::try_from(shared).unwrap_or(u64::MAX).saturating_add(1);
        }
    }
    if a.ahead == 0 && b.ahead == 0 {
        return n.div_ceil(lcm(a.length, b.length).max(1));
    }
    let Some((first, every)) = first_meeting(a, b) else { return 1 };
    let last = u128::from(n).saturating_sub(1);
    let after_start = if first == 0 {
        last.checked_div(every)
    } else {
        last.checked_sub(first).and_then(|rest| rest.checked_div(every)?.checked_add(1))
    };
    u64::try_from(after_start.unwrap_or(0)).unwrap_or(u64::MAX).saturating_add(1)
}

/// The first element at which boxes of both begin unclipped, and the elements from one such to the next; `None`: they
/// never do. By the Chinese remainder theorem.
fn first_meeting(a: Cut, b: Cut) -> Option<(u128, u128)> {
    let (a_length, b_length) = (u128::from(a.length), u128::from(b.length));
    let first = |cut: Cut, length: u128| length.checked_sub(u128::from(cut.ahead))?.checked_rem(length);
    let (a_first, b_first) = (first(a, a_length)?, first(b, b_length)?);
    let shared = u128::from(gcd(a.length, b.length));
    let rest = b_length.checked_div(shared)?;
    // x = a_first + a·k with a·k ≡ b_first − a_first (mod b).
    let distance = b_first.checked_add(b_length)?.checked_sub(a_first.checked_rem(b_length)?)?.checked_rem(b_length)?;
    if distance.checked_rem(shared)? != 0 {
        return None;
    }
    let step = a_length.checked_div(shared)?.checked_rem(rest)?;
    let k = distance.checked_div(shared)?.checked_mul(inverse(step, rest)?)?.checked_rem(rest)?;
    let every = a_length.checked_mul(rest)?;
    Some((a_first.checked_add(a_length.checked_mul(k)?)?.checked_rem(every)?, every))
}

/// The number whose product with `number` is 1 modulo `modulus`; both are below 2^64 and have no common divisor.
fn inverse(number: u128, modulus: u128) -> Option<u128> {
    if modulus <= 1 {
        return Some(0);
    }
    let (mut r, mut next_r) = (modulus, number);
    let (mut t, mut next_t) = (0_u128, 1_u128);
    while next_r != 0 {
        let quotient = r.checked_div(next_r)?;
        (r, next_r) = (next_r, r.checked_rem(next_r)?);
        let product = quotient.checked_rem(modulus)?.checked_mul(next_t)?.checked_rem(modulus)?;
        (t, next_t) = (next_t, t.checked_add(modulus)?.checked_sub(product)?.checked_rem(modulus)?);
    }
    Some(t)
}

/// Pairs of a box of `a` and a box of `b` over `n` elements that share an element: `⌈n/a⌉ + ⌈n/b⌉ − ⌈n/lcm(a,b)⌉` where
/// both begin together.
pub fn pairs<'a, 'b>(n: u64, a: impl Into<Cut<'a>>, b: impl Into<Cut<'b>>) -> Option<u64> {
    let (a, b) = (a.into(), b.into());
    a.boxes(n).checked_add(b.boxes(n))?.checked_sub(meetings(n, a, b))
}

/// Elements of the units that each box overlaps, summed over the boxes; units count whole, but clipped to the axis. Each
/// boundary of a box strictly inside a unit adds that unit once more.
pub fn covered<'a, 'b>(n: u64, unit: impl Into<Cut<'a>>, of_box: impl Into<Cut<'b>>) -> Option<u64> {
    let (unit, of_box) = (unit.into(), of_box.into());
    let Some(last) = n.checked_sub(1) else { return Some(0) };
    // Boundaries of boxes before element `end`, the start of the axis not counted.
    let boundaries = |end: u64| of_box.boxes(end).saturating_sub(1);
    if of_box.edges.is_some() {
        let mut inside = of_box.unequal_starts(n).filter(|start| !unit.begins_at(*start));
        return inside.try_fold(n, |sum, start| sum.checked_add(unit.length_of(start, n)));
    }
    if unit.edges.is_some() {
        let mut starts = std::iter::once(0).chain(unit.unequal_starts(n));
        return starts.try_fold(n, |sum, start| {
            let length = unit.length_of(start, n);
            let inside = boundaries(start.checked_add(length)?).checked_sub(boundaries(start.checked_add(1)?))?;
            sum.checked_add(inside.checked_mul(length)?)
        });
    }
    let inside_units = of_box.boxes(n).checked_sub(meetings(n, unit, of_box))?;
    let last_start = unit.start_of(last);
    if last_start == 0 {
        return n.checked_add(inside_units.checked_mul(n)?);
    }
    let first_length = unit.length.checked_sub(unit.ahead)?;
    let inside_first = boundaries(first_length);
    let (inside_last, last_length) =
        (boundaries(n).checked_sub(boundaries(last_start.checked_add(1)?))?, n.checked_sub(last_start)?);
    let inside_others = inside_units.checked_sub(inside_first)?.checked_sub(inside_last)?;
    n.checked_add(inside_first.checked_mul(first_length)?)?
        .checked_add(inside_last.checked_mul(last_length)?)?
        .checked_add(inside_others.checked_mul(unit.length)?)
}
