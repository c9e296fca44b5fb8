//! Copies of many small arrays.

use rechunk_common::{
    ByteCount,
    limits::MAX_ARRAYS,
    plan::{ArrayCopy, CopySmallArrays, SmallCopy},
};

use super::field::{each, length_within, required};
use crate::{
    fault::{Fault, Problem},
    v1::{self, small_copy::Copy},
};

impl From<CopySmallArrays> for v1::CopySmallArrays {
    fn from(CopySmallArrays { copies }: CopySmallArrays) -> Self {
        Self { copies: copies.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::CopySmallArrays> for CopySmallArrays {
    type Error = Fault;

    fn try_from(small: v1::CopySmallArrays) -> Result<Self, Fault> {
        length_within(small.copies.len(), MAX_ARRAYS, "MAX_ARRAYS", "copies")?;
        Ok(Self { copies: each(small.copies, "copies")? })
    }
}

impl From<SmallCopy> for v1::SmallCopy {
    fn from(SmallCopy { copy, memory }: SmallCopy) -> Self {
        let copy = match copy {
            ArrayCopy::Encoded(copy) => Copy::Encoded(copy.into()),
            ArrayCopy::ReadToWrite(copy) => Copy::ReadToWrite(copy.into()),
        };
        Self { copy: Some(copy), memory_bytes: memory.0 }
    }
}

impl TryFrom<v1::SmallCopy> for SmallCopy {
    type Error = Fault;

    fn try_from(small: v1::SmallCopy) -> Result<Self, Fault> {
        let copy = match small.copy.ok_or_else(|| Fault::at("copy", Problem::Missing))? {
            Copy::Encoded(copy) => ArrayCopy::Encoded(required(Some(copy), "encoded")?),
            Copy::ReadToWrite(copy) => ArrayCopy::ReadToWrite(required(Some(copy), "read_to_write")?),
        };
        Ok(Self { copy, memory: ByteCount(small.memory_bytes) })
    }
}
