//! Which temporary spaces were left behind: decided from what lies there and what the coordinator says of the job, and
//! from nothing else. Sends nothing.
//!
//! A space is removed where its coordinator says that the job never needs it again, which it never takes back; of a job
//! that the coordinator does not know only where the caller says which age is enough.

use std::{fmt, time::Duration};

use rechunk_common::{
    ids::JobId,
    job::{JobView, TempStanding},
};
use rechunk_storage::StoreUrl;

/// The default temporary space of a job is named so, and its id follows.
const PREFIX: &str = ".rechunk-";

/// What a job's id begins with.
const JOB: &str = "job-";

/// Hexadecimal digits of a job's id.
const DIGITS: usize = 12;

/// A directory that has the name of a temporary space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) url: StoreUrl,
    pub(crate) job: JobId,
    /// Beside a target, not in a `--temp` place.
    is_default: bool,
}

/// What lies in a space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) keys: Vec<String>,
    pub(crate) bytes: u64,
    /// When the youngest object was written, in milliseconds since the Unix epoch.
    pub(crate) newest_ms: Option<u64>,
    /// An object that no job of ours would have written there.
    foreign: Option<String>,
}

/// What the coordinator says of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The space is that of a job that it knows.
    Known(TempStanding),
    /// It knows no such job, or the job's space is another; or nobody was asked.
    Unknown,
}

/// What becomes of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was left behind.
    Remove(LeftBehind),
    /// It stays.
    Keep(Needed),
}

/// Why a space is taken for left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftBehind {
    /// Its job has ended for good.
    Released,
    /// Its job is unknown, and it is older than the caller asks.
    Old,
}

/// Why a space stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Its job is live, or may be retried.
    InUse,
    /// Its job was asked to keep it.
    Kept,
    /// Nobody knows its job, and no age was given.
    Unknown,
    /// Nobody knows its job, and it is younger than the age that was given.
    Young,
    /// There is something in it that is not ours.
    Foreign(String),
}

impl Space {
    /// The space that a directory of that name in `place` is, if it is named like one.
    pub(crate) fn named(place: &StoreUrl, name: &str) -> Option<Self> {
        let (is_default, id) = name.strip_prefix(PREFIX).map_or((false, name), |id| (true, id));
        is_job_id(id).then(|| Self { url: place.join(name), job: JobId::from(id), is_default })
    }

    /// Notes an object that lies in it.
    pub(crate) fn note(&self, contents: &mut Contents, key: String, size: u64, modified_ms: u64) {
        contents.bytes = contents.bytes.saturating_add(size);
        contents.newest_ms = contents.newest_ms.max(Some(modified_ms));
        if !self.is_ours(&key) {
            contents.foreign.get_or_insert_with(|| key.clone());
        }
        contents.keys.push(key);
    }

    /// Whether a job puts an object of that key there: `<generation>/…`, below the job's id where the space is beside a
    /// target.
    fn is_ours(&self, key: &str) -> bool {
        let in_job = if self.is_default {
            key.strip_prefix(self.job.as_str()).and_then(|rest| rest.strip_prefix('/'))
        } else {
            Some(key)
        };
        in_job.and_then(|key| key.split_once('/')).is_some_and(|(generation, rest)| {
            !generation.is_empty() && generation.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty()
        })
    }

    /// What the coordinator says of it, where it knows a job of that id.
    pub(crate) fn word_of(&self, job: Option<&JobView>) -> Word {
        let temp = job.filter(|job| job.id == self.job).and_then(|job| job.temp.as_ref());
        let is_it = |url: &str| StoreUrl::parse(url).is_ok_and(|url| url.is_within(&self.url));
        temp.filter(|temp| is_it(&temp.url)).map_or(Word::Unknown, |temp| Word::Known(temp.standing))
    }
}

/// The place in which the temporary space of `job` lies, of which `temp` is a part.
pub(crate) fn place_of(job: &JobId, temp: &StoreUrl) -> Option<StoreUrl> {
    let named = |url: &StoreUrl| url.parent().and_then(|place| Space::named(&place, url.file_name()?));
    let above = std::iter::successors(Some(temp.clone()), StoreUrl::parent);
    above.filter(|url| named(url).is_some_and(|space| space.job == *job)).last()?.parent()
}

fn is_job_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix(JOB).is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(is_digit))
}

/// What becomes of a space at `now_ms`, where unknown ones that old may go.
pub(crate) fn judge(word: Word, contents: &Contents, now_ms: u64, unknown_older_than: Option<Duration>) -> Verdict {
    if let Some(key) = &contents.foreign {
        return Verdict::Keep(Needed::Foreign(key.clone()));
    }
    match (word, unknown_older_than) {
        (Word::Known(TempStanding::InUse), _) => Verdict::Keep(Needed::InUse),
        (Word::Known(TempStanding::Kept), _) => Verdict::Keep(Needed::Kept),
        (Word::Known(TempStanding::Released), _) => Verdict::Remove(LeftBehind::Released),
        (Word::Unknown, None) => Verdict::Keep(Needed::Unknown),
        (Word::Unknown, Some(age)) => {
            // Without an object there is nothing to tell its age by.
            let unchanged_ms = contents.newest_ms.map_or(0, |newest| now_ms.saturating_sub(newest));
            let is_old = u128::from(unchanged_ms) >= age.as_millis();
            if is_old { Verdict::Remove(LeftBehind::Old) } else { Verdict::Keep(Needed::Young) }
        }
    }
}

impl Verdict {
    pub(crate) fn removes(&self) -> bool {
        matches!(self, Self::Remove(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(LeftBehind::Released) => f.write_str("left behind: its job has ended"),
            Self::Remove(LeftBehind::Old) => f.write_str("left behind: its job is unknown, and it is old"),
            Self::Keep(Needed::InUse) => f.write_str("stays: its job needs it, or may"),
            Self::Keep(Needed::Kept) => f.write_str("stays: its job was asked to keep it"),
            Self::Keep(Needed::Unknown) => f.write_str("stays: its job is unknown"),
            Self::Keep(Needed::Young) => f.write_str("stays: its job is unknown, and it is not old"),
            Self::Keep(Needed::Foreign(key)) => write!(f, "stays: {key} is not rechunk's"),
        }
    }
}

#[cfg(test)]
mod tests;
