//! Where a job reads and writes: its URLs, made canonical, and the rules by which they must keep apart. Sends nothing.

use rechunk_common::{Refusal, RefusalCode, ids::JobId, request::RechunkRequest};
use rechunk_storage::{StoreUrl, UrlError};

use super::LiveSpace;

/// Source and target, apart from one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// What is read.
    pub(super) source: StoreUrl,
    /// What will be written.
    pub(super) target: StoreUrl,
    /// The temporary space that the request asks for.
    temp: Option<StoreUrl>,
}

/// The temporary space of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TempPlace {
    /// Holds all of the job's temporary objects and nothing else: a clean-up removes it whole.
    pub(super) space: StoreUrl,
    /// `<temp>/<job>/<generation>`: where this run's exchange objects go.
    pub(super) generation: StoreUrl,
}

/// A new generation begins only where an older space of the same job was cleaned.
const FIRST_GENERATION: &str = "0";

impl Places {
    /// The places of a request: each parsed; target and temp apart from the source and from one another.
    pub(super) fn of(request: &RechunkRequest) -> Result<Self, Refusal> {
        let source = parse(&request.source, "source")?;
        let target = parse_writable(&request.target, "target")?;
        let temp = request.temp.as_deref().map(|temp| parse_writable(temp, "temp")).transpose()?;
        if let Some(relation) = relation(&target, read(&source)) {
            return Err(Refusal::invalid(
                "target",
                "TARGET_OVERLAPS_SOURCE",
                format!("target {target} {relation} source {source}; choose a target outside of it"),
            ));
        }
        let places = Self { source, target, temp };
        if let Some(temp) = &places.temp {
            places.refuse_near(temp)?;
        }
        Ok(places)
    }

    /// The temporary space of `job`: as asked for, else beside `outermost`, the outermost Zarr node that the target
    /// is or lies in.
    pub(super) fn temp_of(&self, job: &JobId, outermost: &StoreUrl) -> Result<TempPlace, Refusal> {
        let (temp, space) = if let Some(temp) = &self.temp {
            (temp.clone(), temp.join(job.as_str()))
        } else {
            let Some(parent) = outermost.parent() else {
                let message = format!(
                    "nothing lies beside {outermost}, so the temporary space has no default; give one with --temp"
                );
                return Err(Refusal::invalid("temp", "TEMP_NEEDED", message));
            };
            let temp = parent.join(&format!(".rechunk-{job}"));
            self.refuse_near(&temp)?;
            (temp.clone(), temp)
        };
        let generation = temp.join(job.as_str()).join(FIRST_GENERATION);
        Ok(TempPlace { space, generation })
    }

    /// The temporary space is cleaned by deleting all in it.
    fn refuse_near(&self, temp: &StoreUrl) -> Result<(), Refusal> {
        for (name, place) in [("source", &self.source), ("target", &self.target)] {
            if let Some(relation) = relation(temp, read(place)) {
                return Err(Refusal::invalid(
                    "temp",
                    "TEMP_OVERLAPS",
                    format!("temporary space {temp} {relation} {name} {place}; choose one outside of it with --temp"),
                ));
            }
        }
        Ok(())
    }
}

/// Refuses a target or a temporary space that overlaps with one of a live job.
pub(super) fn refuse_live(place: &StoreUrl, field: &str, job: &JobId, live: &[LiveSpace]) -> Result<(), Refusal> {
    for space in live.iter().filter(|space| space.job != *job) {
        // The coordinator's own record: what does not parse is no place that a job could have been given.
        let Ok(url) = StoreUrl::parse(&space.url) else { continue };
        if let Some(relation) = relation(place, &url) {
            let message = format!(
                "{field} {place} {relation} {url}, which {} is writing; wait for that job or cancel it",
                space.job
            );
            return Err(Refusal::new(RefusalCode::AlreadyExists, "LIVE_JOB", message).at(field));
        }
    }
    Ok(())
}

/// What is read at a source: in an index of references that file first. What it refers to is known later.
fn read(source: &StoreUrl) -> &StoreUrl {
    source.index().unwrap_or(source)
}

/// How `place` stands to `other`: `is`, `lies in` or `contains`; `None` where they are apart.
fn relation(place: &StoreUrl, other: &StoreUrl) -> Option<&'static str> {
    match (place.may_be_within(other), other.may_be_within(place)) {
        (true, true) => Some("is"),
        (true, false) => Some("lies in"),
        (false, true) => Some("contains"),
        (false, false) => None,
    }
}

/// What the job writes can't be where things can only be read, whatever a server answers.
fn parse_writable(text: &str, field: &str) -> Result<StoreUrl, Refusal> {
    let place = parse(text, field)?;
    let Some(reason) = place.scheme().read_only() else { return Ok(place) };
    let message = format!("{field} {place}: {reason}; choose a place in a store or a directory");
    Err(Refusal::invalid(field, "STORE_UNSUPPORTED", message))
}

pub(super) fn parse(text: &str, field: &str) -> Result<StoreUrl, Refusal> {
    StoreUrl::parse(text).map_err(|error| {
        let reason = match &error {
            UrlError::Empty => "EMPTY_URL",
            UrlError::UnknownScheme { .. } => "UNKNOWN_SCHEME",
            UrlError::Credentials => "CREDENTIALS_IN_URL",
            UrlError::Malformed { .. } => "MALFORMED_URL",
            UrlError::Unresolvable { .. } => "UNRESOLVABLE_PATH",
        };
        Refusal::invalid(field, reason, format!("{field}: {error}"))
    })
}
