//! The sizes that a stage is held to: nothing is allocated for more.

use bytes::Bytes;

use super::super::length;
use crate::CodecError;

/// The size of what a stage encodes, or must decode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Size {
    /// Known from the metadata.
    Exactly(u64),
    /// Compressed by another stage: a generous bound, because other encoders have other worst cases.
    AtMost(u64),
}

impl Size {
    pub(super) fn bound(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }

    /// The size of what is `more` bytes longer.
    pub(super) fn longer(self, more: u64) -> Self {
        match self {
            Self::Exactly(bytes) => Self::Exactly(bytes.saturating_add(more)),
            Self::AtMost(bytes) => Self::AtMost(bytes.saturating_add(more)),
        }
    }

    fn allows(self, bytes: u64) -> bool {
        match self {
            Self::Exactly(expected) => bytes == expected,
            Self::AtMost(most) => bytes <= most,
        }
    }

    pub(super) fn check_declared(self, codec: &'static str, declared: u64) -> Result<(), CodecError> {
        if self.allows(declared) {
            Ok(())
        } else {
            Err(CodecError::DeclaredSize { codec, declared, expected: self.bound() })
        }
    }

    pub(super) fn check_decoded(self, codec: &'static str, bytes: Vec<u8>) -> Result<Bytes, CodecError> {
        let found = length(&bytes);
        if self.allows(found) {
            Ok(Bytes::from(bytes))
        } else {
            Err(CodecError::DecodedSize { codec, found, expected: self.bound() })
        }
    }
}
