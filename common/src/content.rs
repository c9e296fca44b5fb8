//! The content of an array in one number that does not depend on order: a sum over its elements, each weighed by its
//! index. Boxes of elements may be summed by anybody in any order; together they give what the whole array gives.
//!
//! An element is cut into 32-bit words (the last one padded with zeros), each less the fill value's word by XOR, so
//! that elements equal to the fill value add nothing: an array full of gaps costs nothing, and what is missing counts as
//! what it reads as. The upper half of a word is added to the lower one by XOR. Blocks of up to 256 words, which begin at
//! fixed indexes, are summed under a table of odd 32-bit weights, and the sums are added up, each times an odd 64-bit
//! weight that is mixed from the block's number; all of it modulo 2^64, and twice with independent weights. Inside a
//! block this is multilinear hashing (D. Lemire, O. Kaser, "Strongly universal string hashing is fast", 2014), which
//! vectorises; the weight of a block costs two mixes of 64 bits (G. Steele, D. Lea, C. Flood, "Fast splittable
//! pseudorandom number generators", 2014) for up to 1 KiB.
//!
//! What it finds: a change of one word always, because odd weights lose no bit of it. Any other change is missed with a
//! chance below 2^-60 over random weights: inside a block both sums must cancel, 2^-62, and between blocks, where the
//! XOR above leaves a difference no more than 15 zeros at its end, about 2^-42 twice. The weights are fixed, so this
//! guards against faults, not against an adversary. It is about bits: NaNs and zeros of different bits are different
//! elements.
//!
//! Knows nothing of chunks, stores or tasks.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;
mod values;

pub use values::ValueHash;

/// Words that are summed before they are weighed by the block's number.
const BLOCK_WORDS: usize = 256;

/// The same in bytes.
const BLOCK_BYTES: usize = 4 * BLOCK_WORDS;

/// The golden ratio as a fraction of 2^64: steps of it spread evenly.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What tells chunks that are summed as they are stored from elements.
const ENCODED: u64 = 0xD1B5_4A32_D192_ED03;

/// What tells elements of variable length from others.
const VALUES: u64 = 0x8CB9_2BA7_2F3D_8DD7;

/// What tells the weights of blocks in one sum from those in the other.
const SEEDS: [u64; 2] = [0x2545_F491_4F6C_DD1D, 0xA076_1D64_78BD_642F];

/// The weights of the words of a block, in two independent tables.
static WEIGHTS: [[u32; BLOCK_WORDS]; 2] = [weights(1), weights(2)];

/// A sum over elements or encoded chunks: two sums with weights of their own. Sums of parts that share nothing add up to
/// the sum of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ContentSum([u64; 2]);

impl ContentSum {
    /// A sum from its two halves.
    pub fn of_halves(first: u64, second: u64) -> Self {
        Self([first, second])
    }

    /// Both sums.
    pub fn halves(self) -> (u64, u64) {
        let Self([first, second]) = self;
        (first, second)
    }

    /// Whether it is the sum of nothing but fill values.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// The sum of a chunk (an inner chunk of a shard) as it is stored: `number` is its place in the grid of chunks. A
    /// chunk that is missing adds nothing; one that is there does, also where it has no bytes.
    pub fn of_encoded(number: u64, bytes: &[u8]) -> Self {
        Self::of_bytes(mix(number ^ ENCODED), bytes)
    }

    /// Bytes of any number, in blocks of which the first has number `base`.
    fn of_bytes(base: u64, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).wrapping_add(1);
        let mut sum = Self([length; 2]).weighed(base);
        let zeros = [0; BLOCK_WORDS];
        for (at, block) in (1_u64..).zip(bytes.chunks(BLOCK_BYTES)) {
            let (words, tail) = block.as_chunks();
            let mut inner = summed(words.iter().map(|word| u32::from_le_bytes(*word)), &zeros, 0);
            if !tail.is_empty() {
                inner += summed(std::iter::once(little_endian(tail)), &zeros, words.len());
            }
            sum += inner.weighed(base.wrapping_add(at));
        }
        sum
    }

    /// The sums of block `number`, each times its odd weight.
    #[inline]
    fn weighed(self, number: u64) -> Self {
        let seed = number.wrapping_mul(GOLDEN);
        let weights = SEEDS.map(|of_sum| mix(seed.wrapping_add(of_sum)) | 1);
        let Self([first, second]) = self;
        Self([first.wrapping_mul(weights[0]), second.wrapping_mul(weights[1])])
    }
}

impl AddAssign for ContentSum {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        let Self([first, second]) = other;
        self.0 = [self.0[0].wrapping_add(first), self.0[1].wrapping_add(second)];
    }
}

impl std::iter::Sum for ContentSum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

/// Sums the elements of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHash {
    /// Bytes of one element.
    width: usize,
    /// Words of one element.
    words: usize,
    /// Elements of one block; 1 where an element has more words than a block.
    per_block: usize,
    /// The words of the fill value, over and over for the elements of one block.
    fill: Vec<u32>,
}

impl ContentHash {
    /// For an array of elements as wide as `fill`, which add nothing where they equal it.
    pub fn new(fill: &[u8]) -> Self {
        let width = fill.len().max(1);
        let words = width.div_ceil(4);
        let per_block = (BLOCK_WORDS / words).max(1);
        let of_element: Vec<u32> = fill.chunks(4).map(little_endian).collect();
        Self { width, words, per_block, fill: of_element.repeat(per_block) }
    }

    /// The sum of consecutive `elements`, of which the first has index `first` in the C order of the whole array.
    pub fn of_run(&self, first: u64, elements: &[u8]) -> ContentSum {
        let mut sum = ContentSum::default();
        let (mut index, mut rest) = (first, elements);
        let per_block = self.per_block as u64;
        while rest.len() >= self.width {
            let (block, from) = (index / per_block, index % per_block);
            let from = usize::try_from(from).unwrap_or(0);
            let count = self.per_block.saturating_sub(from).min(rest.len() / self.width);
            let (now, later) = rest.split_at(count.saturating_mul(self.width));
            sum += self.of_block(block, from, now);
            index = index.wrapping_add(count as u64);
            rest = later;
        }
        sum
    }

    /// The sum of `count` consecutive elements that all are `element`.
    pub fn of_equal(&self, first: u64, count: u64, element: &[u8]) -> ContentSum {
        let mut sum = ContentSum::default();
        if element.iter().copied().eq(self.fill_bytes()) {
            return sum;
        }
        let block = element.repeat(self.per_block);
        let (mut index, mut left) = (first, count);
        while left > 0 {
            let now = left.min(self.per_block as u64);
            let bytes = usize::try_from(now).unwrap_or(0).saturating_mul(self.width);
            sum += self.of_run(index, block.get(..bytes).unwrap_or_default());
            index = index.wrapping_add(now);
            left = left.saturating_sub(now);
        }
        sum
    }

    fn fill_bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.fill.iter().take(self.words).flat_map(|word| word.to_le_bytes()).take(self.width)
    }

    /// Elements of one block, the first of which is its element `from`.
    fn of_block(&self, block: u64, from: usize, elements: &[u8]) -> ContentSum {
        let at = from.saturating_mul(self.words);
        let inner = match self.width {
            1 => summed(elements.iter().copied().map(u32::from), &self.fill, at),
            2 => summed(halves(elements), &self.fill, at),
            _ if self.words > BLOCK_WORDS => return self.of_wide(block, elements),
            width if width.is_multiple_of(4) => summed(whole_words(elements), &self.fill, at),
            width => {
                let words = elements.chunks_exact(width).flat_map(|element| element.chunks(4).map(little_endian));
                summed(words, &self.fill, at)
            }
        };
        inner.weighed(block)
    }

    /// One element of more words than a block: as many blocks as it takes.
    fn of_wide(&self, index: u64, element: &[u8]) -> ContentSum {
        let parts = self.words.div_ceil(BLOCK_WORDS) as u64;
        let first = index.wrapping_mul(parts);
        let blocks = element.chunks(BLOCK_BYTES).zip(self.fill.chunks(BLOCK_WORDS));
        let parts = (0_u64..).zip(blocks).map(|(part, (bytes, fill))| {
            summed(bytes.chunks(4).map(little_endian), fill, 0).weighed(first.wrapping_add(part))
        });
        parts.sum()
    }
}

/// The two inner sums of `words`, the first of which is word `at` of its block, without the weight of the block.
#[inline]
fn summed(words: impl Iterator<Item = u32>, fill: &[u32], at: usize) -> ContentSum {
    let [first, second] = &WEIGHTS;
    let fill = fill.get(at..).unwrap_or_default();
    let weights = first.get(at..).unwrap_or_default().iter().zip(second.get(at..).unwrap_or_default());
    let (mut low, mut high) = (0_u64, 0_u64);
    for ((word, fill), (first, second)) in words.zip(fill).zip(weights) {
        let word = word ^ fill;
        let word = u64::from(word ^ (word >> 16));
        low = low.wrapping_add(word.wrapping_mul(u64::from(*first)));
        high = high.wrapping_add(word.wrapping_mul(u64::from(*second)));
    }
    ContentSum([low, high])
}

/// Elements of two bytes, as words.
#[inline]
fn halves(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|half| u32::from(u16::from_le_bytes(*half)))
}

/// Whole words. Of a fixed length, so that they go through vector registers.
#[inline]
fn whole_words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
}

/// Up to four bytes as a number.
#[inline]
fn little_endian(bytes: &[u8]) -> u32 {
    match *bytes {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
        [a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [a] => u32::from(a),
        _ => 0,
    }
}

/// A bijection of 64 bits in which every bit depends on every other: the finaliser of SplitMix64.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// A table of odd weights.
const fn weights(table: u64) -> [u32; BLOCK_WORDS] {
    let mut weights = [0; BLOCK_WORDS];
    let mut at = 0;
    while at < BLOCK_WORDS {
        let number = (at as u64).wrapping_mul(2).wrapping_add(table).wrapping_mul(GOLDEN);
        weights[at] = (mix(number) >> 32) as u32 | 1;
        at += 1;
    }
    weights
}
