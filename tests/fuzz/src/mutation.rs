//! Inputs changed by chance: the same seed brings the same changes.

/// A number that bounds like to be tested with.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];

/// Draws by a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Chance of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = self.draw();
        usize::try_from(drawn % u64::try_from(bound.max(1)).unwrap_or(u64::MAX)).unwrap_or(0)
    }

    /// Changes `input` in a few places; `other` lends a part of itself.
    pub fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(input.len());
            match self.below(8) {
                0 | 1 => {
                    let bit = self.below(8);
                    if let Some(byte) = input.get_mut(at) {
                        *byte ^= 1 << bit;
                    }
                }
                2 => {
                    let new = self.draw().to_le_bytes()[0];
                    if let Some(byte) = input.get_mut(at) {
                        *byte = new;
                    }
                }
                3 => input.insert(at, self.draw().to_le_bytes()[0]),
                4 => {
                    let end = at.saturating_add(self.below(16)).min(input.len());
                    drop(input.drain(at..end));
                }
                5 => {
                    let number = EDGES[self.below(EDGES.len())].to_le_bytes();
                    let width = [1, 2, 4, 8][self.below(4)];
                    let end = at.saturating_add(width).min(input.len());
                    input.splice(at..end, number.into_iter().take(width));
                }
                6 => {
                    let start = self.below(other.len());
                    let end = start.saturating_add(self.below(64)).min(other.len());
                    input.splice(at..at, other[start..end].iter().copied());
                }
                _ => input.truncate(at),
            }
        }
    }
}
