//! How two regular grids cut one axis. Closed forms: no enumeration of boxes.

/// How a grid cuts an axis: into boxes of `length`, the first of which begins `ahead` elements (less than a length)
/// before the axis does, and is clipped to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Length of a box, at least 1.
    pub length: u64,
    /// Elements of the first box that lie before the axis.
    pub ahead: u64,
}

impl From<u64> for Cut {
    /// Boxes that begin where the axis does.
    fn from(length: u64) -> Self {
        Self { length, ahead: 0 }
    }
}

impl Cut {
    /// Boxes over the first `n` elements.
    pub fn boxes(self, n: u64) -> u64 {
        let length = u128::from(self.length.max(1));
        let reach = u128::from(n).saturating_add(u128::from(self.ahead));
        // No more than there are elements: the first box has one.
        if n == 0 { 0 } else { u64::try_from(reach.div_ceil(length)).unwrap_or(u64::MAX) }
    }

    /// Where the box of element `at` begins.
    pub fn start_of(self, at: u64) -> u64 {
        let inside = u128::from(at).saturating_add(u128::from(self.ahead)).checked_rem(u128::from(self.length));
        at.saturating_sub(inside.and_then(|inside| u64::try_from(inside).ok()).unwrap_or(0))
    }

    /// Where the first box begins that begins at `at` or later; `None` beyond 2^64.
    pub fn first_from(self, at: u64) -> Option<u64> {
        if at == 0 {
            return Some(0);
        }
        let start = self.start_of(at);
        let is_begin = start == at
            && (u128::from(at).checked_add(u128::from(self.ahead))?).is_multiple_of(u128::from(self.length));
        if is_begin {
            return Some(at);
        }
        let next = u128::from(at).checked_add(u128::from(self.ahead))?.div_ceil(u128::from(self.length));
        u64::try_from(next.checked_mul(u128::from(self.length))?.checked_sub(u128::from(self.ahead))?).ok()
    }
}

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
pub fn pairs(n: u64, a: impl Into<Cut>, b: impl Into<Cut>) -> Option<u64> {
    let (a, b) = (a.into(), b.into());
    a.boxes(n).checked_add(b.boxes(n))?.checked_sub(meetings(n, a, b))
}
