//! From arguments to a coordinator in this process: which stores it may use, and what of the machine.

use rechunk_common::{ByteCount, Refusal};
use rechunk_program::read_configuration;
use rechunk_storage::StoreConfig;
use rechunk_worker::pages::suit_pages_to;

use crate::{
    args::{MachineArgs, StoreArgs},
    failure::Failure,
    local::{LocalOptions, LocalService, default_max_mem},
};

/// Starts the coordinator; workers start with the first job.
pub(crate) fn start(
    stores: &StoreArgs,
    machine: &MachineArgs,
    max_mem: Option<ByteCount>,
) -> Result<LocalService, Failure> {
    suit_pages_to(max_mem.unwrap_or_else(default_max_mem));
    LocalService::start(LocalOptions {
        stores: store_config(stores)?,
        workers: machine.workers,
        threads: machine.threads,
        scratch: machine.scratch.clone(),
        scratch_size: machine.scratch_size,
        max_mem,
    })
}

/// The stores that this process may use.
pub(crate) fn store_config(args: &StoreArgs) -> Result<StoreConfig, Failure> {
    let config = match &args.config {
        None => StoreConfig::environment(),
        Some(file) => read_configuration(file)
            .map_err(|error| Failure::from(Refusal::invalid("config", "BAD_CONFIG", error.to_string())))?,
    };
    Ok(config.anonymous(args.anonymous).requester_pays(args.requester_pays))
}
