//! How a grid cuts one axis. Closed forms where boxes are equal, a search among their edges where they are not.

use super::Edges;

/// How a grid cuts an axis: into boxes of `length`, the first of which begins before the axis does, or with it, and is
/// clipped to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut<'a> {
    /// Length of a box, at least 1; of the longest where they differ.
    pub length: u64,
    /// Elements of boxes that lie before the axis: less than a length, unless boxes differ.
    pub ahead: u64,
    /// Where boxes end, counted from `ahead` of the axis; `None`: all have one length.
    pub edges: Option<&'a Edges>,
}

impl From<u64> for Cut<'_> {
    /// Boxes that begin where the axis does.
    fn from(length: u64) -> Self {
        Self::equal(length, 0)
    }
}

impl<'a> Cut<'a> {
    /// Boxes of one length, the first of which begins `ahead` of the axis.
    pub fn equal(length: u64, ahead: u64) -> Self {
        Self { length, ahead, edges: None }
    }

    /// Boxes between `edges`, which begin `ahead` of the axis.
    pub fn unequal(edges: &'a Edges, ahead: u64) -> Self {
        Self { length: edges.longest(), ahead, edges: Some(edges) }
    }

    /// Boxes over the first `n` elements.
    pub fn boxes(self, n: u64) -> u64 {
        let Some(last) = n.checked_sub(1) else { return 0 };
        if let Some(edges) = self.edges {
            let of = |at: u64| edges.box_of(at.saturating_add(self.ahead));
            return of(last).saturating_sub(of(0)).saturating_add(1);
        }
        let length = u128::from(self.length.max(1));
        let reach = u128::from(n).saturating_add(u128::from(self.ahead));
        u64::try_from(reach.div_ceil(length)).unwrap_or(u64::MAX)
    }

    /// Where the box of element `at` begins.
    pub fn start_of(self, at: u64) -> u64 {
        if let Some(edges) = self.edges {
            let start = edges.start(edges.box_of(at.saturating_add(self.ahead)));
            return start.saturating_sub(self.ahead);
        }
        let inside = u128::from(at).saturating_add(u128::from(self.ahead)).checked_rem(u128::from(self.length));
        at.saturating_sub(inside.and_then(|inside| u64::try_from(inside).ok()).unwrap_or(0))
    }

    /// Where the first box begins that begins at `at` or later; `None` where there is none, or beyond 2^64.
    pub fn first_from(self, at: u64) -> Option<u64> {
        if self.begins_at(at) {
            return Some(at);
        }
        if let Some(edges) = self.edges {
            let index = edges.box_of(at.checked_add(self.ahead)?);
            return (index < edges.count()).then(|| edges.end(index).saturating_sub(self.ahead));
        }
        let next = u128::from(at).checked_add(u128::from(self.ahead))?.div_ceil(u128::from(self.length));
        u64::try_from(next.checked_mul(u128::from(self.length))?.checked_sub(u128::from(self.ahead))?).ok()
    }

    /// Whether a box begins at `at`; the first one, which is clipped to the axis, does at 0.
    pub fn begins_at(self, at: u64) -> bool {
        if at == 0 {
            return true;
        }
        if let Some(edges) = self.edges {
            let at = at.saturating_add(self.ahead);
            return edges.start(edges.box_of(at)) == at;
        }
        let at = u128::from(at).saturating_add(u128::from(self.ahead));
        at.is_multiple_of(u128::from(self.length))
    }

    /// Elements of the box of `at` that lie among the first `n`.
    pub(super) fn length_of(self, at: u64, n: u64) -> u64 {
        let start = self.start_of(at);
        let end = start.checked_add(1).and_then(|after| self.first_from(after)).unwrap_or(n);
        end.min(n).saturating_sub(start)
    }

    /// Where boxes of unequal lengths begin inside the first `n` elements, 0 left out; none where they are equal.
    pub(super) fn unequal_starts(self, n: u64) -> impl Iterator<Item = u64> {
        let edges = self.edges.into_iter();
        edges.flat_map(move |edges| {
            let starts = edges.between(self.ahead, self.ahead.saturating_add(n));
            starts.map(move |start| start.saturating_sub(self.ahead))
        })
    }
}
