//! What is wrong with a message: the path of the field at fault and the problem with it. Every typed error of a
//! conversion (`InvalidPlan`, …) holds one, and becomes a refusal that names the field.

use std::{convert::Infallible, fmt};

use rechunk_common::{Refusal, RefusalCode};

/// One field of a message and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path from the message to the field: `held[3].tasks`; empty for the message itself.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A message or a choice is not there.
    #[error("is missing")]
    Missing,
    /// A text or a list has nothing in it.
    #[error("is empty")]
    Empty,
    /// An enum has its zero value.
    #[error("is unspecified")]
    Unspecified,
    /// An enum has a value that this version does not know.
    #[error("has the unknown value {value}")]
    UnknownValue {
        /// The number on the wire.
        value: i32,
    },
    /// A list has another number of axes than the array.
    #[error("has {found} axes where {expected} are expected")]
    RankMismatch {
        /// Axes of the array.
        expected: usize,
        /// Axes of the list.
        found: usize,
    },
    /// A length of a box or a chunk is zero.
    #[error("has length 0 on axis {axis}")]
    ZeroLength {
        /// Which axis.
        axis: usize,
    },
    /// A number must be at least 1.
    #[error("is 0 and must be at least 1")]
    Zero,
    /// A range or a region ends before it starts.
    #[error("ends before it starts")]
    Reversed,
    /// A size is beyond 64 bits.
    #[error("makes a size beyond 64 bits")]
    Overflow,
    /// A limit is passed.
    #[error("is {found}, above {limit} of {most}")]
    OverLimit {
        /// The name of the limit in `rechunk_common::limits`.
        limit: &'static str,
        /// The limit.
        most: u64,
        /// What was found.
        found: u64,
    },
    /// A duration is negative, or its parts are out of range.
    #[error("is not a valid duration")]
    NotADuration,
    /// A time is before 1970, or its parts are out of range.
    #[error("is not a valid time")]
    NotATime,
    /// A list of axes is not a permutation.
    #[error("does not name each of the {rank} axes once")]
    NotAnOrder {
        /// Axes of the array.
        rank: usize,
    },
    /// An element has another width than elsewhere in the message.
    #[error("has elements of {found} bytes where {expected} are expected")]
    WidthMismatch {
        /// Bytes of an element elsewhere.
        expected: u64,
        /// Bytes of an element here.
        found: u64,
    },
    /// A box lies outside of its array.
    #[error("reaches outside of the array")]
    Outside,
    /// Boxes do not reach as far as what they cut.
    #[error("ends before what it cuts does")]
    Short,
    /// A shard is not a multiple of its chunk.
    #[error("is not a multiple of the chunk on axis {axis}")]
    NotAMultiple {
        /// Which axis.
        axis: usize,
    },
    /// A text is not a JSON list.
    #[error("is not a JSON list")]
    NotAJsonList,
    /// A caller's stage asks for a function of ours.
    #[error("is built in, and pipelines of a caller run custom functions only")]
    NotCustom,
    /// A custom function has the name of one of ours.
    #[error("is the name of a built-in function")]
    Reserved,
    /// The bytes are no message of this kind.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Bytes have another length than they must.
    #[error("has {found} bytes where {expected} are expected")]
    WrongLength {
        /// As it must be.
        expected: usize,
        /// As it is.
        found: usize,
    },
    /// Two fields contradict each other.
    #[error("does not agree with {other}")]
    Disagrees {
        /// The other field.
        other: &'static str,
    },
}

impl Problem {
    /// One upper-case word per problem, stable: the reason of the refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "FIELD_MISSING",
            Self::Empty => "FIELD_EMPTY",
            Self::Unspecified => "ENUM_UNSPECIFIED",
            Self::UnknownValue { .. } => "ENUM_UNKNOWN",
            Self::RankMismatch { .. } => "RANK_MISMATCH",
            Self::ZeroLength { .. } => "LENGTH_ZERO",
            Self::Zero => "NUMBER_ZERO",
            Self::Reversed => "RANGE_REVERSED",
            Self::Overflow => "SIZE_OVERFLOW",
            Self::OverLimit { .. } => "LIMIT_EXCEEDED",
            Self::NotADuration => "DURATION_INVALID",
            Self::NotATime => "TIME_INVALID",
            Self::NotAnOrder { .. } => "ORDER_INVALID",
            Self::WidthMismatch { .. } => "WIDTH_MISMATCH",
            Self::Outside => "OUTSIDE_ARRAY",
            Self::Short => "EDGES_TOO_SHORT",
            Self::NotAMultiple { .. } => "SHARD_NOT_A_MULTIPLE",
            Self::NotAJsonList => "JSON_INVALID",
            Self::NotCustom => "FUNCTION_NOT_CUSTOM",
            Self::Reserved => "NAME_RESERVED",
            Self::Unreadable(_) => "MESSAGE_UNREADABLE",
            Self::WrongLength { .. } => "LENGTH_WRONG",
            Self::Disagrees { .. } => "FIELDS_DISAGREE",
        }
    }

    /// A limit is RESOURCE_EXHAUSTED, everything else INVALID_ARGUMENT.
    fn code(&self) -> RefusalCode {
        if matches!(self, Self::OverLimit { .. }) {
            RefusalCode::ResourceExhausted
        } else {
            RefusalCode::InvalidArgument
        }
    }
}

impl Fault {
    /// A problem of the message itself.
    pub(crate) fn whole(problem: Problem) -> Self {
        Self { field: String::new(), problem }
    }

    /// A problem of one field of the message.
    pub(crate) fn at(field: &str, problem: Problem) -> Self {
        Self { field: field.to_owned(), problem }
    }

    /// The same fault, seen from the message that has this one as its field `parent`.
    pub(crate) fn under(self, parent: &str) -> Self {
        let field = if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        Self { field, problem: self.problem }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "it {}", self.problem)
        } else {
            write!(f, "{} {}", self.field, self.problem)
        }
    }
}

impl From<Infallible> for Fault {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let refusal = Self::new(fault.problem.code(), fault.problem.reason(), fault.to_string());
        if fault.field.is_empty() { refusal } else { refusal.at(&fault.field) }
    }
}
