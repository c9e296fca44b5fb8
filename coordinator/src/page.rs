//! Pages of jobs, newest first.

use rechunk_common::{Refusal, job::JobView};

/// The most jobs of one page: a page stays well below the limit of a message.
pub const MAX_PAGE_SIZE: u32 = 100;

/// Which jobs are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageRequest {
    /// How many; 0, and what is above [`MAX_PAGE_SIZE`], mean that many.
    pub size: u32,
    /// Where the page before ended; empty for the first.
    pub token: String,
}

/// Some jobs, newest first, without their plans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<JobView>,
    /// For the next page; empty where this is the last.
    pub next_token: String,
}

impl PageRequest {
    /// How many jobs, within the limit.
    pub(crate) fn limit(&self) -> usize {
        let size = if self.size == 0 { MAX_PAGE_SIZE } else { self.size.min(MAX_PAGE_SIZE) };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// The number of the last job of the page before.
    pub(crate) fn before(&self) -> Result<Option<u64>, Refusal> {
        if self.token.is_empty() {
            return Ok(None);
        }
        self.token.parse().map(Some).map_err(|_not_a_number| {
            Refusal::invalid(
                "page_token",
                "INVALID_PAGE_TOKEN",
                format!("{:?} is not a page token; use the one of the page before, or none", self.token),
            )
        })
    }
}
