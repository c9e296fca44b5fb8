//! Elements of variable length: each is summed by itself, with its length, under weights of its index.

use super::{ContentSum, VALUES, mix};

/// Sums the elements of an array whose elements are of variable length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueHash {
    beside: Vec<u8>,
}

impl ValueHash {
    /// For an array whose elements add nothing where they equal `beside`, the fill value.
    pub fn new(beside: &[u8]) -> Self {
        Self { beside: beside.to_vec() }
    }

    /// The sum of the element with this index in the C order of the whole array.
    pub fn of_value(&self, index: u64, value: &[u8]) -> ContentSum {
        if value == self.beside { ContentSum::default() } else { ContentSum::of_bytes(mix(index ^ VALUES), value) }
    }

    /// The sum of `count` consecutive elements that all are `value`.
    pub fn of_equal(&self, first: u64, count: u64, value: &[u8]) -> ContentSum {
        if value == self.beside {
            return ContentSum::default();
        }
        (0..count).map(|at| self.of_value(first.wrapping_add(at), value)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_by_bytes_length_and_place_and_the_fill_adds_nothing() {
        let hash = ValueHash::new(b"fill");
        let one = |index: u64, value: &[u8]| hash.of_value(index, value);
        assert!(one(7, b"fill").is_zero());
        let sums = [one(7, b""), one(7, b"a"), one(7, b"a\0"), one(7, b"b"), one(8, b"a"), one(8, b"")];
        for (at, sum) in sums.iter().enumerate() {
            assert!(!sum.is_zero());
            assert!(sums.iter().skip(at + 1).all(|other| other != sum), "{at}");
        }
        let moved = |of: [&[u8]; 2]| of.iter().zip(3..).map(|(value, index)| one(index, value)).sum::<ContentSum>();
        assert_ne!(moved([b"ab", b"c"]), moved([b"a", b"bc"]), "a boundary that moved");
        assert_ne!(moved([b"ab", b"c"]), moved([b"c", b"ab"]), "two that changed places");
        let equal: ContentSum = (5..9).map(|index| one(index, b"x")).sum();
        assert_eq!(hash.of_equal(5, 4, b"x"), equal);
        assert!(hash.of_equal(0, 1000, b"fill").is_zero());
    }

    #[test]
    fn any_change_of_a_byte_of_a_long_value_shows() {
        let hash = ValueHash::new(b"");
        let value: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let sum = hash.of_value(1, &value);
        for at in 0..value.len() {
            let mut other = value.clone();
            other[at] ^= 0x20;
            assert_ne!(hash.of_value(1, &other), sum, "byte {at}");
        }
    }
}
