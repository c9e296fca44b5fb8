//! How two regular grids that start together cut one axis. Closed forms: no enumeration of boxes.

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

/// Pairs of a box of `a` and a box of `b` over `n` elements that share an element: `⌈n/a⌉ + ⌈n/b⌉ − ⌈n/lcm(a,b)⌉`.
pub fn pairs(n: u64, a: u64, b: u64) -> Option<u64> {
    let boxes = |length: u64| n.div_ceil(length.max(1));
    boxes(a).checked_add(boxes(b))?.checked_sub(boxes(lcm(a, b)))
}
