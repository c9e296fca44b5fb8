//! Reading single fields of a message, each refusal with the field's name.

use rechunk_common::limits::{MAX_NAME_BYTES, MAX_RANK, MAX_URL_BYTES};

use crate::fault::{Fault, Problem};

/// A field that must be there.
pub(super) fn required<W, D>(value: Option<W>, field: &str) -> Result<D, Fault>
where
    D: TryFrom<W>,
    D::Error: Into<Fault>,
{
    optional(value, field)?.ok_or_else(|| Fault::at(field, Problem::Missing))
}

/// A field that may be absent.
pub(super) fn optional<W, D>(value: Option<W>, field: &str) -> Result<Option<D>, Fault>
where
    D: TryFrom<W>,
    D::Error: Into<Fault>,
{
    value.map(|value| D::try_from(value).map_err(|invalid| invalid.into().under(field))).transpose()
}

/// A list; a refusal names the position.
pub(super) fn each<W, D>(values: Vec<W>, field: &str) -> Result<Vec<D>, Fault>
where
    D: TryFrom<W>,
    D::Error: Into<Fault>,
{
    each_by(values, field, |value| D::try_from(value).map_err(Into::into))
}

/// A list whose elements are read by `read`; a refusal names the position.
pub(super) fn each_by<W, D>(
    values: Vec<W>,
    field: &str,
    read: impl Fn(W) -> Result<D, Fault>,
) -> Result<Vec<D>, Fault> {
    let positions = values.into_iter().enumerate();
    positions.map(|(at, value)| read(value).map_err(|fault| fault.under(&format!("{field}[{at}]")))).collect()
}

/// An enum's number.
pub(super) fn choice<W, D>(value: i32, field: &str) -> Result<D, Fault>
where
    W: TryFrom<i32>,
    D: TryFrom<W>,
    D::Error: Into<Fault>,
{
    let known = W::try_from(value).map_err(|_unknown| Fault::at(field, Problem::UnknownValue { value }))?;
    D::try_from(known).map_err(|invalid| invalid.into().under(field))
}

/// Enums that have the same variants in the domain and, beside `Unspecified`, on the wire.
macro_rules! same_variants {
    ($($wire:path = $domain:path { $($variant:ident),* $(,)? })*) => {$(
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$variant => Self::$variant,)* }
            }
        }

        impl TryFrom<$wire> for $domain {
            type Error = $crate::fault::Fault;

            fn try_from(value: $wire) -> Result<Self, Self::Error> {
                match value {
                    <$wire>::Unspecified => Err($crate::fault::Fault::whole($crate::fault::Problem::Unspecified)),
                    $(<$wire>::$variant => Ok(Self::$variant),)*
                }
            }
        }
    )*};
}
pub(super) use same_variants;

/// Refuses a number above a limit.
pub(super) fn within(found: u64, most: u64, limit: &'static str, field: &str) -> Result<(), Fault> {
    if found <= most { Ok(()) } else { Err(Fault::at(field, Problem::OverLimit { limit, most, found })) }
}

/// Refuses a length above a limit.
pub(super) fn length_within(found: usize, most: usize, limit: &'static str, field: &str) -> Result<(), Fault> {
    let number = |length| u64::try_from(length).unwrap_or(u64::MAX);
    within(number(found), number(most), limit, field)
}

/// A text that may be empty, such as an optional name.
pub(super) fn text(value: String, field: &str) -> Result<String, Fault> {
    length_within(value.len(), MAX_NAME_BYTES, "MAX_NAME_BYTES", field)?;
    Ok(value)
}

/// A name or an id.
pub(super) fn name(value: String, field: &str) -> Result<String, Fault> {
    if value.is_empty() { Err(Fault::at(field, Problem::Empty)) } else { text(value, field) }
}

/// A URL or a path; it is parsed where it is used.
pub(super) fn url(value: String, field: &str) -> Result<String, Fault> {
    if value.is_empty() {
        return Err(Fault::at(field, Problem::Empty));
    }
    length_within(value.len(), MAX_URL_BYTES, "MAX_URL_BYTES", field)?;
    Ok(value)
}

/// A list with one number per axis.
pub(super) fn of_rank(values: Vec<u64>, rank: usize, field: &str) -> Result<Vec<u64>, Fault> {
    if values.len() == rank {
        Ok(values)
    } else {
        Err(Fault::at(field, Problem::RankMismatch { expected: rank, found: values.len() }))
    }
}

/// A list with one length per axis, none of them zero.
pub(super) fn lengths(values: Vec<u64>, rank: usize, field: &str) -> Result<Vec<u64>, Fault> {
    let values = of_rank(values, rank, field)?;
    match values.iter().position(|length| *length == 0) {
        Some(axis) => Err(Fault::at(field, Problem::ZeroLength { axis })),
        None => Ok(values),
    }
}

/// A list that decides how many axes there are.
pub(super) fn shape(values: Vec<u64>, field: &str) -> Result<Vec<u64>, Fault> {
    length_within(values.len(), MAX_RANK, "MAX_RANK", field)?;
    Ok(values)
}

/// A number that is at least 1.
pub(super) fn positive<N: PartialEq + From<u8>>(value: N, field: &str) -> Result<N, Fault> {
    if value == N::from(0) { Err(Fault::at(field, Problem::Zero)) } else { Ok(value) }
}

/// At most the first `most` bytes of a message for people, whole characters.
pub(crate) fn cut(mut message: String, most: usize) -> String {
    message.truncate(message.floor_char_boundary(most));
    message
}
