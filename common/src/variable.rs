//! Elements of variable length: text and byte strings. In memory each has a *descriptor* of a fixed width, which says
//! where its bytes stand in a heap beside; all that is counted by elements of a width goes by that width.
//!
//! How long they are shows only when a chunk has been decoded. What a task will hold is estimated by what is assumed
//! here, by the plan and by the worker alike.

use crate::{layout::ElementType, limits::MAX_ELEMENT_BYTES};

/// Bytes of a descriptor: offset and length, of four bytes each.
pub const DESCRIPTOR_BYTES: u64 = 8;

/// What a decoded chunk has before the bytes of each element: their number.
pub const LENGTH_BYTES: u64 = 4;

/// What a decoded chunk has before its elements: how many there are.
pub const COUNT_BYTES: u64 = 4;

/// Bytes that an element is assumed to have: names, identifiers and the like have fewer.
pub const ASSUMED_BYTES: u64 = 32;

/// What a chunk of `elements` elements with `bytes` bytes together is, before it is compressed.
pub fn chunk_bytes(elements: u64, bytes: u64) -> u64 {
    elements.saturating_mul(LENGTH_BYTES).saturating_add(COUNT_BYTES).saturating_add(bytes)
}

/// What a block of an exchange of so many has: their lengths, then the elements.
pub fn block_bytes(elements: u64, bytes: u64) -> u64 {
    elements.saturating_mul(LENGTH_BYTES).saturating_add(bytes)
}

/// What a chunk is assumed to be where nothing is known of it.
pub fn assumed_chunk_bytes(elements: u64) -> u64 {
    chunk_bytes(elements, elements.saturating_mul(ASSUMED_BYTES))
}

impl ElementType {
    /// The name of the type of all elements of variable length.
    const VARIABLE: &str = "variable";

    /// Elements of variable length, as wide as their descriptors.
    pub fn variable() -> Self {
        Self { data_type: Self::VARIABLE.to_owned(), width: DESCRIPTOR_BYTES }
    }

    /// Whether elements are of variable length.
    pub fn is_variable(&self) -> bool {
        self.data_type == Self::VARIABLE
    }

    /// Whether `value` can be one element.
    pub fn holds(&self, value: &[u8]) -> bool {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        if self.is_variable() { length <= MAX_ELEMENT_BYTES } else { length == self.width }
    }

    /// What one element takes in memory, as far as is known before it is there.
    pub fn held_bytes(&self) -> u64 {
        let beside = if self.is_variable() { LENGTH_BYTES.saturating_add(ASSUMED_BYTES) } else { 0 };
        self.width.saturating_add(beside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_elements_of_variable_length_hold_values_of_any() {
        let fixed = ElementType { data_type: "uint16".to_owned(), width: 2 };
        assert!(fixed.holds(&[1, 2]) && !fixed.holds(&[1]) && !fixed.is_variable());
        assert_eq!(fixed.held_bytes(), 2);
        let variable = ElementType::variable();
        assert!(variable.is_variable() && variable.holds(&[]) && variable.holds(&[1, 2, 3]));
        assert_eq!((variable.width, variable.held_bytes()), (8, 8 + 4 + ASSUMED_BYTES));
        assert_eq!(assumed_chunk_bytes(3), 4 + 3 * (4 + ASSUMED_BYTES));
    }
}
