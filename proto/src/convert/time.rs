//! Durations and times: whole milliseconds where the domain counts milliseconds, nanoseconds elsewhere.

use std::time::Duration;

use super::field::required;
use crate::fault::{Fault, Problem};

/// The longest duration that protobuf allows: about 10,000 years.
const MOST_SECONDS: i64 = 315_576_000_000;

/// A duration on its way out; cut to what protobuf allows.
pub(super) fn of_duration(value: Duration) -> prost_types::Duration {
    match i64::try_from(value.as_secs()) {
        Ok(seconds) if seconds < MOST_SECONDS => prost_types::Duration {
            seconds,
            // Below 10^9, so it fits.
            nanos: i32::try_from(value.subsec_nanos()).unwrap_or(0),
        },
        Ok(_) | Err(_) => prost_types::Duration { seconds: MOST_SECONDS, nanos: 0 },
    }
}

/// A duration given in milliseconds.
pub(super) fn of_millis(value: u64) -> prost_types::Duration {
    of_duration(Duration::from_millis(value))
}

/// A duration that must be there.
pub(super) fn duration(value: Option<prost_types::Duration>, field: &str) -> Result<Duration, Fault> {
    let Some(value) = value else { return Err(Fault::at(field, Problem::Missing)) };
    let refuse = || Fault::at(field, Problem::NotADuration);
    let seconds = u64::try_from(value.seconds).map_err(|_negative| refuse())?;
    let nanos = nanoseconds(value.nanos).ok_or_else(refuse)?;
    if value.seconds > MOST_SECONDS {
        return Err(refuse());
    }
    Ok(Duration::new(seconds, nanos))
}

/// A duration that must be there, in milliseconds, rounded down.
pub(super) fn millis(value: Option<prost_types::Duration>, field: &str) -> Result<u64, Fault> {
    let value = duration(value, field)?;
    u64::try_from(value.as_millis()).map_err(|_too_long| Fault::at(field, Problem::NotADuration))
}

/// A time in milliseconds since the Unix epoch, on its way out.
pub(super) fn of_time(ms: u64) -> prost_types::Timestamp {
    let since = Duration::from_millis(ms);
    prost_types::Timestamp {
        // 2^64 milliseconds are fewer than 2^63 seconds, and a fraction is below 10^9 nanoseconds: both fit.
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}

/// A time that must be there, in milliseconds since the Unix epoch.
pub(super) fn time(value: Option<prost_types::Timestamp>, field: &str) -> Result<u64, Fault> {
    let Millis(ms) = required(value, field)?;
    Ok(ms)
}

/// A time that may be absent.
pub(super) fn optional_time(value: Option<prost_types::Timestamp>, field: &str) -> Result<Option<u64>, Fault> {
    value.map(|value| time(Some(value), field)).transpose()
}

struct Millis(u64);

impl TryFrom<prost_types::Timestamp> for Millis {
    type Error = Fault;

    fn try_from(value: prost_types::Timestamp) -> Result<Self, Fault> {
        let refuse = || Fault::whole(Problem::NotATime);
        let seconds = u64::try_from(value.seconds).map_err(|_before_1970| refuse())?;
        let nanos = nanoseconds(value.nanos).ok_or_else(refuse)?;
        let ms = Duration::new(seconds, nanos).as_millis();
        u64::try_from(ms).map(Self).map_err(|_too_late| refuse())
    }
}

/// A fraction of a second.
fn nanoseconds(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|nanos| *nanos < 1_000_000_000)
}
