//! `rechunk plan`: what would be done, and what it costs.

use rechunk_common::plan::PlanSummary;

use crate::{
    args::{OutputArgs, OutputFormat, PlanArgs},
    failure::Failure,
    local::LocalService,
    report, request,
    service::Service,
};

/// Plans in this process and prints the plan.
pub(crate) async fn run(args: &PlanArgs, output: &OutputArgs) -> Result<(), Failure> {
    let request = request::from_arguments(&args.copy, None)?;
    let service = LocalService::start(&args.stores, &args.machine, args.copy.max_mem)?;
    let planned = service.plan(request).await;
    service.stop().await;
    print(&planned?, output);
    Ok(())
}

/// Prints a plan on standard output.
pub(crate) fn print(summary: &PlanSummary, output: &OutputArgs) {
    match output.output {
        OutputFormat::Text => print!("{}", report::table::plan(summary)),
        OutputFormat::Json => println!("{:#}", report::json::plan(summary)),
    }
}
