//! An array that grows: its document with another length, and whether the elements of another array may go behind its own.

#[cfg(test)]
mod tests;

use crate::{ArrayDocument, MetadataError, TargetOptions};

/// Attributes that say what stored numbers mean (CF conventions): where they differ, equal bits are not equal values.
const MEANING: [&str; 6] = ["units", "calendar", "scale_factor", "add_offset", "missing_value", "_Unsigned"];

impl ArrayDocument {
    /// The same array with another length per axis; all else stays as it is.
    pub fn resized(&self, shape: &[u64]) -> Result<Self, MetadataError> {
        self.rewrite(&TargetOptions {
            chunk_shape: self.chunk_shape().to_vec(),
            edges: Vec::new(),
            shard_shape: self.shard_shape().map(<[u64]>::to_vec),
            codec: None,
            format: self.format(),
            shape: Some(shape.to_vec()),
        })
    }

    /// Whether elements of `source` can be stored in this array, bit for bit.
    pub fn check_elements_of(&self, source: &Self) -> Result<(), MetadataError> {
        let (own, other) = (self.data_type()?, source.data_type()?);
        if (&own.kind, own.width) != (&other.kind, other.width) {
            let problem = format!("the target's elements are {}", own.text);
            return Err(MetadataError::UnsupportedDataType { data_type: other.text, problem });
        }
        source.check_byte_order(self)?;
        source.check_rounding(self)
    }

    /// The first attribute that says what numbers mean and says something else in `other`: its name, and the JSON text of
    /// both.
    pub fn difference_of_meaning(&self, other: &Self) -> Option<(&'static str, [Option<String>; 2])> {
        let of = |name: &'static str| (name, [self.attribute(name), other.attribute(name)]);
        MEANING.into_iter().map(of).find(|(_, [own, others])| own != others)
    }
}
