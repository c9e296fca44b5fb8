//! What a doctor finds: one finding a check, and what to do where one is bad. Pure but for `store.rs`, which asks stores.

mod store;

use rechunk_common::job::WorkerView;
use rechunk_storage::{ErrorClass, StorageError};

pub(crate) use self::store::examine;

/// How far apart two clocks may be: signed requests of S3 allow a quarter of an hour, and people compare times.
const MOST_CLOCK_SKEW_MS: u64 = 120_000;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and may not do what is wanted.
    Warning,
    /// It does not work.
    Bad,
}

impl Verdict {
    /// One word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "failed",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was tried, of what.
    pub(crate) check: String,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// What was seen; where that is bad, also what to do.
    pub(crate) message: String,
}

impl Finding {
    /// As it should be.
    pub(crate) fn good(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Good, message: message.into() }
    }

    /// It works, and may not do what is wanted.
    pub(crate) fn warning(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Warning, message: message.into() }
    }

    /// It does not work.
    pub(crate) fn bad(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Bad, message: message.into() }
    }

    /// A store said no.
    fn refused(check: impl Into<String>, error: &StorageError) -> Self {
        Self::bad(check, format!("{error}; {}", advice(error.class)))
    }
}

/// What to do about a store's refusal.
fn advice(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Denied => {
            "see that the credentials are those of this store and that its policy allows this; reading, listing, writing \
             and deleting are rights of their own"
        }
        ErrorClass::TryAgain => "see that the endpoint is right and that this machine reaches it",
        ErrorClass::Missing => "make the bucket, or see that its name and its region are right",
        ErrorClass::Full => "make room",
        ErrorClass::Unsupported => "use a store that can do this",
        ErrorClass::Invalid => "write the URL or the table as deploy/stores.example.toml shows",
        ErrorClass::BadIndex => "write the index of references anew",
        ErrorClass::LeaseLost | ErrorClass::Corrupt | ErrorClass::Other => "see the store's own log",
    }
}

/// What the workers of a coordinator say of themselves, and what the times that it tells say of its clock.
pub(crate) fn of_workers(workers: &[WorkerView], version: &str, now_ms: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let active = workers.iter().filter(|worker| !worker.draining).count();
    findings.push(if active == 0 {
        Finding::warning("workers", "none takes work: start rechunk-worker with --coordinator naming this coordinator")
    } else {
        Finding::good("workers", format!("{active} take work"))
    });
    let odd: Vec<&str> =
        workers.iter().filter(|worker| worker.version != version).map(|worker| worker.id.as_str()).collect();
    if !odd.is_empty() {
        let message =
            format!("not {version}: {}; old and new ones work side by side, but end the upgrade", odd.join(", "));
        findings.push(Finding::warning("versions of workers", message));
    }
    findings.push(match workers.iter().map(|worker| worker.last_heard_at_ms).max() {
        None => Finding::good("clock", "nothing to compare it with"),
        Some(heard) if heard.abs_diff(now_ms) > MOST_CLOCK_SKEW_MS => Finding::bad(
            "clock",
            format!(
                "this machine and the coordinator's are {} s apart; let both keep their time by NTP",
                heard.abs_diff(now_ms) / 1000
            ),
        ),
        Some(_) => Finding::good("clock", "this machine and the coordinator's agree"),
    });
    findings
}

#[cfg(test)]
mod tests;
