//! `rechunk jobs`, `show`, `watch`, `cancel`, `retry` and `delete`: commands about a coordinator's jobs.

use rechunk_common::job::{JobState, JobView};
use serde_json::{Value, json};

use crate::{
    args::{JobArgs, OutputArgs, OutputFormat, RemoteArgs},
    console::{say, say_text},
    failure::Failure,
    follow::{self, OnInterrupt},
    interrupt::Interrupts,
    progress::Progress,
    remote::RemoteService,
    report,
    report::{figure::grouped, table::table_of},
    service::Service,
};

/// All jobs, the newest first.
pub(crate) async fn list(args: &RemoteArgs, output: &OutputArgs) -> Result<(), Failure> {
    let jobs = args.connect(std::time::Duration::ZERO).await?.jobs().await?;
    match output.output {
        OutputFormat::Json => say!("{:#}", Value::Array(jobs.iter().map(report::json::job).collect())),
        OutputFormat::Text if jobs.is_empty() => say!("no jobs"),
        OutputFormat::Text => {
            let mut table = table_of(&["job", "state", "done", "source", "target"]);
            for job in &jobs {
                table.add_row([
                    job.id.to_string(),
                    job.state.as_str().to_lowercase(),
                    done(job),
                    job.source.clone(),
                    job.target.clone(),
                ]);
            }
            say!("{}", table.trim_fmt());
        }
    }
    Ok(())
}

/// One job.
pub(crate) async fn show(args: &JobArgs, output: &OutputArgs) -> Result<(), Failure> {
    let job = connect(args).await?.job(&args.job).await?;
    print(&job, output);
    Ok(())
}

/// Follows a job; its end is the command's.
pub(crate) async fn watch(args: &JobArgs, output: &OutputArgs, interrupts: &Interrupts) -> Result<(), Failure> {
    let service = connect(args).await?;
    let mut progress = Progress::new(output.quiet);
    let job = follow::to_the_end(&service, &args.job, &mut progress, OnInterrupt::Leave, interrupts).await?;
    let job = follow::outcome(job)?;
    print(&job, output);
    Ok(())
}

/// Cancels a job and waits until what it wrote is removed.
pub(crate) async fn cancel(args: &JobArgs, output: &OutputArgs, interrupts: &Interrupts) -> Result<(), Failure> {
    let service = connect(args).await?;
    service.cancel(&args.job).await?;
    let mut progress = Progress::new(output.quiet);
    let job = follow::to_the_end(&service, &args.job, &mut progress, OnInterrupt::Leave, interrupts).await?;
    if job.state != JobState::Cancelled {
        follow::outcome(job)?;
        return Err(Failure::internal(format!("{} was not cancelled", args.job)));
    }
    report_back(output, &format!("{} is cancelled; what it had written is removed", job.id), &report::json::job(&job));
    Ok(())
}

/// Lets a failed job go on.
pub(crate) async fn retry(args: &JobArgs, output: &OutputArgs) -> Result<(), Failure> {
    connect(args).await?.retry(&args.job).await?;
    report_back(output, &format!("{} goes on", args.job), &json!({"job": args.job, "retried": true}));
    Ok(())
}

/// Forgets a job.
pub(crate) async fn delete(args: &JobArgs, output: &OutputArgs) -> Result<(), Failure> {
    connect(args).await?.delete(&args.job).await?;
    report_back(output, &format!("{} is deleted", args.job), &json!({"job": args.job, "deleted": true}));
    Ok(())
}

async fn connect(args: &JobArgs) -> Result<RemoteService, Failure> {
    args.remote.connect(args.patience.reconnect).await
}

fn report_back(output: &OutputArgs, text: &str, value: &Value) {
    match output.output {
        OutputFormat::Text => say!("{text}"),
        OutputFormat::Json => say!("{value:#}"),
    }
}

fn print(job: &JobView, output: &OutputArgs) {
    if output.output == OutputFormat::Json {
        say!("{:#}", report::json::job(job));
        return;
    }
    say!("job       {}", job.id);
    say!("state     {}", job.state.as_str().to_lowercase());
    if !job.source.is_empty() {
        say!("source    {}\ntarget    {}", job.source, job.target);
    }
    if let Some(waits) = &job.waits_for {
        say!("waits for {waits}");
    }
    if let Some(failure) = &job.failure {
        say!("failure   {failure}");
    }
    say!("");
    if let Some(summary) = &job.plan {
        say!("{}", report::table::plan(summary));
    }
    let wall = job.ended_at_ms.map(|ended| ended.saturating_sub(job.accepted_at_ms) as f64 / 1000.0);
    if let (Some(summary), Some(wall)) = (&job.plan, wall) {
        say_text!("{}", report::table::result(job, wall, summary.memory.max_mem));
        return;
    }
    let mut table = table_of(&["stage", "tasks", "done", "leased"]);
    for stage in &job.stages {
        table.add_row([stage.name.clone(), grouped(stage.tasks), grouped(stage.done), grouped(stage.leased)]);
    }
    say!("{}", table.trim_fmt());
}

fn done(job: &JobView) -> String {
    let tasks: u64 = job.stages.iter().map(|stage| stage.tasks).sum();
    let done: u64 = job.stages.iter().map(|stage| stage.done).sum();
    format!("{} of {}", grouped(done), grouped(tasks))
}
