//! What `rechunk gc` looks at, and what it may remove.

use std::time::Duration;

use clap::Args;

use super::{
    process::StoreArgs,
    remote::{RemoteArgs, parse_duration},
};

/// What another coordinator has only just planned may be younger.
const LEAST_AGE: Duration = Duration::from_hours(1);

/// `rechunk gc`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GcArgs {
    /// Where to look: a --temp place, or what a target lies in [default: wherever the coordinator's jobs had theirs]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Remove what is listed as left behind; without it nothing is removed
    #[arg(long)]
    pub(crate) remove: bool,
    /// Remove also what belongs to jobs that the coordinator does not know, where nothing was written for so long, as 12h
    /// or 7d. A job of another coordinator, or of rechunk run, that still needs it would fail
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub(crate) unknown_older_than: Option<Duration>,
    /// Ask no coordinator: every job is unknown
    #[arg(long, requires = "url")]
    pub(crate) no_coordinator: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

fn parse_age(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        age if age < LEAST_AGE => Err("less than 1h may be a job that is just being planned".to_owned()),
        age => Ok(age),
    }
}
