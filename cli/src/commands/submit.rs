//! `rechunk submit`: send a request to a coordinator.

use std::time::Instant;

use serde_json::json;

use crate::{
    args::{OutputArgs, OutputFormat, SubmitArgs},
    console::{say, tell},
    failure::Failure,
    follow::{self, OnInterrupt},
    interrupt::Interrupts,
    progress::Progress,
    request,
    service::Service,
};

/// Submits; prints the job's id, or with `--wait` its result.
pub(crate) async fn run(args: &SubmitArgs, output: &OutputArgs, interrupts: &Interrupts) -> Result<(), Failure> {
    // A fresh id, so that a submission repeated after a lost answer is still one job.
    let request_id = args.request_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let request = request::from_arguments(&args.copy, Some(&request_id))?;
    let service = args.remote.connect(args.patience.reconnect).await?;
    let begun = Instant::now();
    let job = service.submit(request).await?;
    if !args.wait {
        match output.output {
            OutputFormat::Text => say!("{job}"),
            OutputFormat::Json => say!("{:#}", json!({"job": job})),
        }
        return Ok(());
    }
    if !output.quiet {
        tell!("{job}");
    }
    let mut progress = Progress::new(output.quiet);
    let view = follow::to_the_end(&service, &job, &mut progress, OnInterrupt::Cancel, interrupts).await?;
    let ended = super::run::ended(follow::outcome(view)?, begun.elapsed().as_secs_f64(), None)?;
    super::run::print(&ended, output);
    Ok(())
}
