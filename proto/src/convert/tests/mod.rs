//! Tests of the conversions: what goes out comes back, and what is wrong is named.

mod hostile;
mod journal;
mod named_faults;
mod round_trips;
pub(crate) mod samples;
