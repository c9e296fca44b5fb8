//! `rechunk run`: coordinator and workers inside this process.

use std::time::Instant;

use rechunk_common::{
    ByteCount,
    ids::JobId,
    job::{JobState, JobView},
    plan::PlanSummary,
};

use crate::{
    args::{OutputArgs, OutputFormat, RunArgs},
    console::{say, say_text, tell},
    failure::Failure,
    follow::{self, OnInterrupt},
    interrupt::Interrupts,
    local::LocalService,
    machine,
    progress::Progress,
    report, request,
    service::Service,
};

/// Runs the job here and prints what was measured beside what was planned.
pub(crate) async fn run(args: &RunArgs, output: &OutputArgs, interrupts: &Interrupts) -> Result<(), Failure> {
    let request = request::from_arguments(&args.copy, None)?;
    let service = machine::start(&args.stores, &args.machine, args.copy.max_mem)?;
    let done = execute(&service, request, output, interrupts).await.map(|ended| print(&ended, output));
    service.stop().await;
    done
}

/// A job that succeeded.
pub(crate) struct Ended {
    /// Its last view.
    pub(crate) job: JobView,
    /// Its plan.
    pub(crate) summary: PlanSummary,
    /// From submission to the end.
    pub(crate) wall_seconds: f64,
    /// What the process whose memory was measured may take.
    pub(crate) max_mem: ByteCount,
}

/// Submits, follows, and cleans up after a job that did not succeed: nobody can retry what lived in this process.
pub(crate) async fn execute(
    service: &LocalService,
    request: rechunk_common::request::RechunkRequest,
    output: &OutputArgs,
    interrupts: &Interrupts,
) -> Result<Ended, Failure> {
    let begun = Instant::now();
    let job = service.submit(request).await?;
    let mut progress = Progress::new(output.quiet);
    let followed = follow::to_the_end(service, &job, &mut progress, OnInterrupt::Cancel, interrupts).await;
    let wall_seconds = begun.elapsed().as_secs_f64();
    if followed.as_ref().is_ok_and(|view| view.state == JobState::Failed) {
        remove_what_is_left(service, &job).await;
    }
    ended(follow::outcome(followed?)?, wall_seconds, Some(service.max_mem()))
}

/// A succeeded job with its plan; `max_mem` bounds the process, where that is not what the plan has for a worker.
pub(crate) fn ended(mut job: JobView, wall_seconds: f64, max_mem: Option<ByteCount>) -> Result<Ended, Failure> {
    let summary = job.plan.take().ok_or_else(|| Failure::internal(format!("{} came back without its plan", job.id)))?;
    let max_mem = max_mem.unwrap_or(summary.memory.max_mem);
    Ok(Ended { job, summary, wall_seconds, max_mem })
}

/// Prints a result on standard output.
pub(crate) fn print(ended: &Ended, output: &OutputArgs) {
    let Ended { job, summary, wall_seconds, max_mem } = ended;
    match output.output {
        OutputFormat::Text => {
            for warning in &summary.warnings {
                tell!("warning: {warning}");
            }
            say_text!("{}", report::table::result(job, *wall_seconds, *max_mem));
        }
        OutputFormat::Json => say!("{:#}", report::json::result(job, summary, *wall_seconds)),
    }
}

async fn remove_what_is_left(service: &LocalService, job: &JobId) {
    if let Err(failure) = service.delete(job).await {
        tell!("could not remove what {job} had written: {}", failure.refusal());
    }
}
