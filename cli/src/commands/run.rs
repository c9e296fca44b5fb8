//! `rechunk run`: coordinator and workers inside this process.

use std::time::Instant;

use rechunk_common::{
    ids::JobId,
    job::{JobState, JobView},
    plan::PlanSummary,
};

use crate::{
    args::{OutputArgs, OutputFormat, RunArgs},
    failure::Failure,
    follow::{self, OnInterrupt},
    local::LocalService,
    progress::Progress,
    report, request,
    service::Service,
};

/// Runs the job here and prints what was measured beside what was planned.
pub(crate) async fn run(args: &RunArgs, output: &OutputArgs) -> Result<(), Failure> {
    let request = request::from_arguments(&args.copy, None)?;
    let service = LocalService::start(&args.stores, &args.machine, args.copy.max_mem)?;
    let done = if args.dry_run {
        service.plan(request).await.map(|summary| super::plan::print(&summary, output))
    } else {
        execute(&service, request, output).await.map(|ended| print(&ended, output))
    };
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
}

/// Submits, follows, and cleans up after a job that did not succeed: nobody can retry what lived in this process.
pub(crate) async fn execute(
    service: &LocalService,
    request: rechunk_common::request::RechunkRequest,
    output: &OutputArgs,
) -> Result<Ended, Failure> {
    let begun = Instant::now();
    let job = service.submit(request).await?;
    let mut progress = Progress::new(output.quiet);
    let followed = follow::to_the_end(service, &job, &mut progress, OnInterrupt::Cancel).await;
    let wall_seconds = begun.elapsed().as_secs_f64();
    if followed.as_ref().is_ok_and(|view| view.state == JobState::Failed) {
        remove_what_is_left(service, &job).await;
    }
    ended(follow::outcome(followed?)?, wall_seconds)
}

/// A succeeded job with its plan.
pub(crate) fn ended(mut job: JobView, wall_seconds: f64) -> Result<Ended, Failure> {
    let summary = job.plan.take().ok_or_else(|| Failure::internal(format!("{} came back without its plan", job.id)))?;
    Ok(Ended { job, summary, wall_seconds })
}

/// Prints a result on standard output.
pub(crate) fn print(ended: &Ended, output: &OutputArgs) {
    let Ended { job, summary, wall_seconds } = ended;
    match output.output {
        OutputFormat::Text => print!("{}", report::table::result(job, summary, *wall_seconds)),
        OutputFormat::Json => println!("{:#}", report::json::result(job, summary, *wall_seconds)),
    }
}

async fn remove_what_is_left(service: &LocalService, job: &JobId) {
    if let Err(failure) = service.delete(job).await {
        eprintln!("could not remove what {job} had written: {}", failure.refusal());
    }
}
