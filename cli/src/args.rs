//! The grammar of the command line. Texts that depend on the source (chunk specs, codecs) stay texts: the coordinator
//! parses them, so that every client speaks one grammar.

mod copy;
mod doctor;
mod gc;
mod output;
mod process;
mod remote;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use rechunk_common::ids::JobId;

pub(crate) use self::{
    copy::{CopyArgs, When},
    doctor::DoctorArgs,
    gc::GcArgs,
    output::{AskedOutput, OutputArgs, OutputFormat, PlanFormat},
    process::{MachineArgs, StoreArgs},
    remote::{PatienceArgs, RemoteArgs, connect},
};

/// Change the chunk grid of Zarr arrays: at any size, within a stated memory, without losing an element.
#[derive(Debug, Parser)]
#[command(name = "rechunk", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How to say it.
    #[command(flatten)]
    pub(crate) output: AskedOutput,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what would be done and what it costs; write nothing
    Plan(PlanArgs),
    /// Do it here: coordinator and workers inside this process
    Run(RunArgs),
    /// Send it to a coordinator and print the job's id
    Submit(SubmitArgs),
    /// List the jobs of a coordinator
    Jobs(RemoteArgs),
    /// Show one job, its plan and what was measured
    Show(JobArgs),
    /// Follow a job until it ends
    Watch(JobArgs),
    /// Cancel a job and remove what it wrote
    Cancel(JobArgs),
    /// Let a failed job go on, with what is done
    Retry(JobArgs),
    /// Forget a job that has ended; remove what it left if it failed
    Delete(JobArgs),
    /// List the workers of a coordinator
    Workers(RemoteArgs),
    /// Look at what jobs will need (configuration, stores, clock, coordinator), and say what to do
    Doctor(DoctorArgs),
    /// Find the temporary objects that dead jobs left behind, and remove them
    Gc(GcArgs),
    /// Say what is there: arrays, shapes, chunks, shards, codecs, stored size
    Info(InfoArgs),
    /// Make a sample array, plan it, rechunk it, verify it, show the result
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `rechunk plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    /// Plan as if every chunk of the source were there; nothing is listed
    #[arg(long, conflicts_with = "list")]
    pub(crate) assume_dense: bool,
    #[command(flatten)]
    pub(crate) stores: StoreArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

/// `rechunk run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    #[command(flatten)]
    pub(crate) stores: StoreArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Only plan
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `rechunk submit`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) copy: CopyArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Follow the job until it ends
    #[arg(long)]
    pub(crate) wait: bool,
    /// A name of your own for this submission: the same id gives the same job
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    #[command(flatten)]
    pub(crate) patience: PatienceArgs,
}

/// A command about one job.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobArgs {
    /// The job's id
    #[arg(value_name = "ID", value_parser = |text: &str| Ok::<_, std::convert::Infallible>(JobId::from(text)))]
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(flatten)]
    pub(crate) patience: PatienceArgs,
}

/// `rechunk info`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InfoArgs {
    /// An array or a group: a path or a URL
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// `rechunk demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Keep the arrays in this directory [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[cfg(test)]
mod tests;
