//! What this process may use: of stores, and of the machine.

use std::{num::NonZeroU32, path::PathBuf};

use clap::Args;
use rechunk_common::ByteCount;

/// Which stores this process may use, and how.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreArgs {
    /// TOML file with [[stores]] tables [default: the environment, as aws, gcloud and az see it]
    #[arg(long, value_name = "FILE", env = "RECHUNK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Send no credentials
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// Pay for requests to buckets that ask it
    #[arg(long)]
    pub(crate) requester_pays: bool,
}

/// What this process may use of the machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct MachineArgs {
    /// Workers inside this process; they share its memory
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) workers: NonZeroU32,
    /// Threads that decode and encode [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroU32>,
    /// A directory on local disk that tasks may use; without one, everything temporary goes to --temp
    #[arg(long, value_name = "DIR", env = "RECHUNK_SCRATCH")]
    pub(crate) scratch: Option<PathBuf>,
    /// The most that tasks may use there [default: nine tenths of what is free]
    #[arg(long, value_name = "SIZE", env = "RECHUNK_SCRATCH_SIZE", requires = "scratch")]
    pub(crate) scratch_size: Option<ByteCount>,
}
