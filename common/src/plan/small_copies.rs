//! Copies of many small arrays by one task: a group of thousands of them would else be thousands of tasks that each wait for
//! a few small objects.

use serde::{Deserialize, Serialize};

use super::{CopyEncoded, CopyReadToWrite, StageFunction};
use crate::{ByteCount, layout::ArrayLayout};

/// Its one task makes all of the copies, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySmallArrays {
    /// Each is of one array.
    pub copies: Vec<SmallCopy>,
}

/// The copy of one array, which is one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallCopy {
    /// What is done.
    pub copy: ArrayCopy,
    /// Its part of the task's memory.
    pub memory: ByteCount,
}

/// A copy that needs no stage before it or behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrayCopy {
    /// Chunks as they are.
    Encoded(CopyEncoded),
    /// Source chunks straight into target chunks.
    ReadToWrite(CopyReadToWrite),
}

impl From<ArrayCopy> for StageFunction {
    fn from(copy: ArrayCopy) -> Self {
        match copy {
            ArrayCopy::Encoded(copy) => Self::CopyEncoded(copy),
            ArrayCopy::ReadToWrite(copy) => Self::CopyReadToWrite(copy),
        }
    }
}

impl ArrayCopy {
    /// The copy that a function is; `None`: another one.
    pub fn of(function: StageFunction) -> Option<Self> {
        if let StageFunction::CopyEncoded(copy) = function {
            return Some(Self::Encoded(copy));
        }
        let StageFunction::CopyReadToWrite(copy) = function else { return None };
        Some(Self::ReadToWrite(copy))
    }

    /// What is read.
    pub fn source(&self) -> &ArrayLayout {
        match self {
            Self::Encoded(copy) => &copy.source,
            Self::ReadToWrite(copy) => &copy.source,
        }
    }

    /// What is written.
    pub fn target(&self) -> &ArrayLayout {
        match self {
            Self::Encoded(copy) => &copy.target,
            Self::ReadToWrite(copy) => &copy.target,
        }
    }
}
