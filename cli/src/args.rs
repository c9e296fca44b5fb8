//! The grammar of the command line. Texts that depend on the source (chunk specs, codecs) stay texts: the coordinator
//! parses them, so that every client speaks one grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rechunk_common::{ByteCount, Refusal, cost_profile::Prefer, ids::JobId};

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

/// How results and progress are shown, as it was asked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskedOutput {
    /// How the result is printed on standard output
    #[arg(long = "output", value_name = "FORMAT", default_value = "text", global = true)]
    pub(crate) format: PlanFormat,
    /// No progress, only the result
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Log what is done on standard error; twice for every request
    #[arg(long, short, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

/// A form in which a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Tables for people
    Text,
    /// One JSON object
    Json,
    /// One page with pictures, for plan and run --dry-run
    Html,
}

/// How results and progress of any command are shown.
#[derive(Debug, Clone)]
pub(crate) struct OutputArgs {
    /// How the result is printed on standard output.
    pub(crate) output: OutputFormat,
    /// No progress, only the result.
    pub(crate) quiet: bool,
}

/// A form of output that every command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Tables for people.
    Text,
    /// One JSON object.
    Json,
}

impl AskedOutput {
    /// For a command that shows no plan: pictures of anything else there are none.
    pub(crate) fn without_pictures(&self) -> Result<OutputArgs, Refusal> {
        let output = match self.format {
            PlanFormat::Text => OutputFormat::Text,
            PlanFormat::Json => OutputFormat::Json,
            PlanFormat::Html => {
                let message = "html is for plan and run --dry-run; write text or json for other commands";
                return Err(Refusal::invalid("output", "OUTPUT_FORMAT", message));
            }
        };
        Ok(OutputArgs { output, quiet: self.quiet })
    }
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
    /// Make a sample array, plan it, rechunk it, verify it, show the result
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What is rechunked into what.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Args)]
pub(crate) struct CopyArgs {
    /// Array or group to read: a path, file:// or s3:// URL
    pub(crate) source: String,
    /// Array or group to write: an array for an array, a group for a group
    pub(crate) target: String,
    /// Target chunks: 1024,16,32 by position, time=-1,lat=16 by dimension name, NAME:SPEC for one array of a group
    ///
    /// A length, -1 for the whole axis, keep, a size such as 100MB on one axis, or auto (alone: for every axis); a
    /// dimension that is not named keeps its chunk length. With --shards these are the inner chunks. Repeatable in a
    /// group.
    #[arg(long, value_name = "SPEC", required = true, allow_hyphen_values = true)]
    pub(crate) chunks: Vec<String>,
    /// Target shards (Zarr v3): a spec as for --chunks, auto, keep, or none
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub(crate) shards: Vec<String>,
    /// Target compressor, as zstd:3, blosc:lz4:5:shuffle or none; NAME:CODEC for one array; or JSON
    #[arg(long, value_name = "CODEC")]
    pub(crate) codec: Vec<String>,
    /// Zarr format of the target [default: the source's]
    #[arg(long, value_name = "2|3", value_parser = parse_format)]
    pub(crate) zarr_format: Option<rechunk_common::request::ZarrFormat>,
    /// Delete what lies at TARGET first; after a failure the old data is gone
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Write consolidated metadata [default: where the source has it]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) consolidate: Option<bool>,
    /// Memory of one worker process (in run: of this process): 2GiB, 512MiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<ByteCount>,
    /// Where temporary objects go [default: .rechunk-JOB beside TARGET]
    #[arg(long, value_name = "URL")]
    pub(crate) temp: Option<String>,
    /// Leave the temporary objects
    #[arg(long)]
    pub(crate) keep_temp: bool,
    /// Temporary bytes that may stand at one time
    #[arg(long, value_name = "SIZE")]
    pub(crate) temp_limit: Option<ByteCount>,
    /// Blocks of temporary objects: none (raw), lz4, zstd, or auto: compressed where the link is slower than the codec
    #[arg(long, value_name = "CODEC", default_value = "auto")]
    pub(crate) exchange_codec: rechunk_common::request::ExchangeCodecChoice,
    /// Write target chunks also where every element equals the fill value
    #[arg(long)]
    pub(crate) write_empty_chunks: bool,
    /// A missing source chunk is an error
    #[arg(long)]
    pub(crate) strict: bool,
    /// What the plan is chosen for: to be done soon, or to cost little
    #[arg(long, value_name = "time|money", default_value = "time", value_parser = parse_prefer)]
    pub(crate) prefer: Prefer,
    /// Whether the source's chunks are listed, so that missing ones are never asked for [default: up to 100,000 of each
    /// array; with more, every chunk is taken to be there]
    #[arg(long, value_name = "WHEN")]
    pub(crate) list: Option<When>,
}

/// Whether something is done that depends on the case otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// In any case
    Always,
    /// In no case
    Never,
}

/// Which stores this process may use, and how.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct StoreArgs {
    /// TOML file with [[stores]] tables [default: the environment, as the AWS command line sees it]
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
    pub(crate) workers: std::num::NonZeroU32,
    /// Threads that decode and encode [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroU32>,
    /// A directory on local disk that tasks may use; without one, everything temporary goes to --temp
    #[arg(long, value_name = "DIR", env = "RECHUNK_SCRATCH")]
    pub(crate) scratch: Option<PathBuf>,
    /// The most that tasks may use there [default: nine tenths of what is free]
    #[arg(long, value_name = "SIZE", env = "RECHUNK_SCRATCH_SIZE", requires = "scratch")]
    pub(crate) scratch_size: Option<ByteCount>,
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

/// Which coordinator.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// URL of the coordinator
    #[arg(long, value_name = "URL", env = "RECHUNK_COORDINATOR", default_value = "http://127.0.0.1:7380")]
    pub(crate) coordinator: String,
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

/// How long to go on without a coordinator.
#[derive(Debug, Clone, Args)]
pub(crate) struct PatienceArgs {
    /// How long to try when the coordinator can't be reached, as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) reconnect: std::time::Duration,
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

/// `rechunk demo`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Keep the arrays in this directory [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

fn parse_format(text: &str) -> Result<rechunk_common::request::ZarrFormat, String> {
    match text {
        "2" => Ok(rechunk_common::request::ZarrFormat::V2),
        "3" => Ok(rechunk_common::request::ZarrFormat::V3),
        other => Err(format!("{other:?} is not a Zarr format; write 2 or 3")),
    }
}

fn parse_prefer(text: &str) -> Result<Prefer, String> {
    let found = Prefer::ALL.into_iter().find(|prefer| prefer.as_str() == text);
    found.ok_or_else(|| format!("{text:?} is no preference; write time or money"))
}

/// `30s`, `5m`, `1h`, or a number of seconds.
fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, seconds) = match text.as_bytes().last() {
        Some(b's') => (text.trim_end_matches('s'), 1),
        Some(b'm') => (text.trim_end_matches('m'), 60),
        Some(b'h') => (text.trim_end_matches('h'), 3600),
        _ => (text, 1),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is not a duration; write 30s, 5m or 1h"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_chunk_spec_may_start_with_a_hyphen() {
        let Command::Run(run) = parse("rechunk run a b --chunks -1,16,32 --max-mem 256MiB").expect("valid").command
        else {
            panic!("not run");
        };
        assert_eq!(run.copy.chunks, ["-1,16,32"]);
        assert_eq!(run.copy.max_mem, Some(ByteCount(256 << 20)));
    }

    #[test]
    fn consolidate_takes_a_value_only_after_an_equals_sign() {
        for (line, expected) in [
            ("rechunk plan a b --chunks 1", None),
            ("rechunk plan --consolidate a b --chunks 1", Some(true)),
            ("rechunk plan --consolidate=false a b --chunks 1", Some(false)),
        ] {
            let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
            assert_eq!(plan.copy.consolidate, expected, "{line}");
        }
    }

    #[test]
    fn a_plan_is_chosen_for_time_unless_money_is_preferred() {
        for (line, expected) in [
            ("rechunk plan a b --chunks 1", Prefer::Time),
            ("rechunk plan a b --chunks 1 --prefer money", Prefer::Money),
        ] {
            let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
            assert_eq!(plan.copy.prefer, expected, "{line}");
        }
        assert!(parse("rechunk plan a b --chunks 1 --prefer fame").is_err());
    }

    #[test]
    fn a_dense_plan_lists_nothing() {
        let plan = |line: &str| {
            let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
            (plan.copy.list, plan.assume_dense)
        };
        assert_eq!(plan("rechunk plan a b --chunks 1"), (None, false));
        assert_eq!(plan("rechunk plan a b --chunks 1 --list never"), (Some(When::Never), false));
        assert_eq!(plan("rechunk plan a b --chunks 1 --assume-dense"), (None, true));
        assert!(parse("rechunk plan a b --chunks 1 --assume-dense --list always").is_err());
        assert!(parse("rechunk run a b --chunks 1 --assume-dense").is_err(), "a run finds what there is");
        assert!(parse("rechunk run a b --chunks 1 --list sometimes").is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("5m"), Ok(std::time::Duration::from_mins(5)));
        assert_eq!(parse_duration("7"), Ok(std::time::Duration::from_secs(7)));
        assert!(parse_duration("soon").is_err());
        assert!(parse_duration("").is_err());
    }

    #[test]
    fn only_plans_have_pictures() {
        let asked = |line: &str| parse(line).expect("valid").output;
        assert_eq!(asked("rechunk plan a b --chunks auto --output html").format, PlanFormat::Html);
        let refusal = asked("rechunk --output html jobs").without_pictures().expect_err("a refusal");
        assert_eq!(refusal.field.as_deref(), Some("output"));
        let json = asked("rechunk jobs --output json").without_pictures().expect("every command has it");
        assert_eq!(json.output, OutputFormat::Json);
        assert!(parse("rechunk plan a b --chunks 1 --output svg").is_err());
    }

    #[test]
    fn chunks_are_required_and_a_format_is_two_or_three() {
        assert!(parse("rechunk plan a b").is_err());
        assert!(parse("rechunk plan a b --chunks 1 --zarr-format 4").is_err());
    }
}
