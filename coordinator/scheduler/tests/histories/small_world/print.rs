//! Short prints of values: equal values have equal ones.

use std::{
    fmt::{self, Debug, Write},
    hash::{DefaultHasher, Hash, Hasher},
};

struct Ink(DefaultHasher);

impl Write for Ink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.hash(&mut self.0);
        Ok(())
    }
}

/// The print of what a value says of itself.
pub(super) fn print_of_debug(value: &impl Debug) -> u64 {
    let mut ink = Ink(DefaultHasher::new());
    write!(ink, "{value:?}").expect("hashing takes any text");
    ink.0.finish()
}

/// The print of a value.
pub(super) fn print_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
