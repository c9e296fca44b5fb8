//! `rechunk doctor`.

use clap::Args;
use rechunk_program::CredentialArgs;

use super::StoreArgs;

/// What is looked at.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// Places that jobs will read and write [default: those of the [[stores]] tables of --config]
    #[arg(value_name = "URL")]
    pub(crate) places: Vec<String>,
    /// Write nothing: the right to write stays unknown
    #[arg(long)]
    pub(crate) read_only: bool,
    #[command(flatten)]
    pub(crate) stores: StoreArgs,
    /// URL of a coordinator to talk to; none is asked if it is not given
    #[arg(long, value_name = "URL", env = "RECHUNK_COORDINATOR")]
    pub(crate) coordinator: Option<String>,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}
