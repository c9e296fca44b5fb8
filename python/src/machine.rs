//! What a process may use: of stores, and of the machine. Credentials are never part of it: each process finds them in
//! its own environment.

use std::{num::NonZeroU32, path::PathBuf};

use pyo3::{FromPyObject, pyfunction};
use rechunk_cli::{
    failure::Failure,
    local::{LocalOptions, cores, default_max_mem},
};
use rechunk_common::{ByteCount, MemoryShare, Refusal};
use rechunk_storage::StoreConfig;
use rechunk_worker::{memory_reserve, resident::current_rss};
use serde::{Deserialize, Serialize};

/// Which stores may be used, and how.
#[derive(Debug, Clone, PartialEq, Eq, FromPyObject, Serialize, Deserialize)]
pub(crate) struct StoreOptions {
    /// The text of a TOML file with `[[stores]]` tables; `None`: the environment, as the AWS command line sees it.
    config: Option<String>,
    anonymous: bool,
    requester_pays: bool,
}

/// What a process may use.
#[derive(Debug, Clone, FromPyObject)]
pub(crate) struct Machine {
    pub(crate) stores: StoreOptions,
    max_mem: Option<String>,
    threads: Option<u32>,
    workers: Option<u32>,
    scratch: Option<PathBuf>,
    /// What the process held when the rechunk was planned: measured once, so that what is run is what was shown.
    resident: Option<u64>,
}

impl StoreOptions {
    /// The stores.
    pub(crate) fn config(&self) -> Result<StoreConfig, Failure> {
        let config = match &self.config {
            None => StoreConfig::environment(),
            Some(text) => StoreConfig::from_toml(text)
                .map_err(|error| Failure::from(Refusal::invalid("config", "BAD_CONFIG", error.to_string())))?,
        };
        Ok(config.anonymous(self.anonymous).requester_pays(self.requester_pays))
    }
}

impl Machine {
    /// The resident set that the process may have.
    pub(crate) fn max_mem(&self) -> Result<ByteCount, Failure> {
        Ok(size("max_mem", self.max_mem.as_deref())?.unwrap_or_else(default_max_mem))
    }

    /// Of this what tasks may hold, and what not.
    pub(crate) fn memory_share(&self) -> Result<MemoryShare, Failure> {
        let resident = self.resident.map(ByteCount).or_else(current_rss);
        Ok(memory_reserve(self.max_mem()?, resident, self.threads()?))
    }

    /// Threads for codecs and copies.
    pub(crate) fn threads(&self) -> Result<usize, Failure> {
        Ok(number("threads", self.threads)?.map_or_else(cores, |threads| threads.get() as usize))
    }

    /// The same for a coordinator and its workers inside this process.
    pub(crate) fn local(&self) -> Result<LocalOptions, Failure> {
        Ok(LocalOptions {
            stores: self.stores.config()?,
            workers: number("workers", self.workers)?.unwrap_or(NonZeroU32::MIN),
            threads: number("threads", self.threads)?,
            scratch: self.scratch.clone(),
            scratch_size: None,
            max_mem: Some(self.max_mem()?),
        })
    }
}

/// What this process holds now, in bytes, where that can be known.
#[pyfunction]
pub(crate) fn resident() -> Option<u64> {
    current_rss().map(|rss| rss.0)
}

/// A size as people write it.
pub(crate) fn size(field: &str, text: Option<&str>) -> Result<Option<ByteCount>, Failure> {
    let parsed = text.map(str::parse::<ByteCount>).transpose();
    parsed.map_err(|error| Refusal::invalid(field, "BAD_SIZE", error.to_string()).into())
}

fn number(field: &str, number: Option<u32>) -> Result<Option<NonZeroU32>, Failure> {
    let checked = number.map(|number| NonZeroU32::new(number).ok_or("0 is none; give at least 1")).transpose();
    checked.map_err(|message| Refusal::invalid(field, "BAD_NUMBER", message).into())
}
