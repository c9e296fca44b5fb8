//! `rechunk plan`, and `run --dry-run`: what would be done, and what it costs.

use rechunk_common::plan::PlanSummary;

use crate::{
    args::{CopyArgs, MachineArgs, OutputFormat, PlanFormat, StoreArgs},
    console::{say, say_text},
    failure::Failure,
    machine, report, request,
};

/// Plans in this process and prints the plan.
pub(crate) async fn run(
    copy: &CopyArgs,
    stores: &StoreArgs,
    machine: &MachineArgs,
    format: PlanFormat,
) -> Result<(), Failure> {
    let request = request::from_arguments(copy, None)?;
    let service = machine::start(stores, machine, copy.max_mem)?;
    let planned = service.whole_plan(request.clone()).await;
    service.stop().await;
    let (plan, summary) = planned?;
    match format {
        PlanFormat::Text => print(&summary, OutputFormat::Text),
        PlanFormat::Json => print(&summary, OutputFormat::Json),
        PlanFormat::Html => say_text!("{}", report::html::page(&request, &plan, &summary)),
    }
    Ok(())
}

/// Prints the figures of a plan on standard output.
pub(crate) fn print(summary: &PlanSummary, output: OutputFormat) {
    match output {
        OutputFormat::Text => say_text!("{}", report::table::plan(summary)),
        OutputFormat::Json => say!("{:#}", report::json::plan(summary)),
    }
}
