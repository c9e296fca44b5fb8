//! Rechunks on an engine that the user already runs: a plan as bytes, and its tasks one by one. The engine keeps order
//! and barriers; where it runs a task twice, both write the same.

mod plan;
mod runner;
mod running;

use std::ops::Range;

use futures::StreamExt;
use pyo3::{Bound, PyResult, Python, pyfunction, types::PyBytes};
use rechunk_cli::{failure::Failure, report};
use rechunk_common::{
    ByteCount, Counts, MemoryShare, TaskFailure,
    ids::{JobId, TaskIndex},
    plan::{Plan, PlanSummary},
    request::RechunkRequest,
};
use rechunk_coordinator::{
    door::{Door, Fleet, TempObjects},
    surroundings::{Machine as Clock, Surroundings},
};
use rechunk_storage::Stores;
use rechunk_worker::TaskRunner;
use tokio_util::sync::CancellationToken;

use self::{
    plan::{EnginePlan, PlannedStage},
    runner::runner,
};
use crate::{
    failure::{of_failure, of_task},
    machine::Machine,
    request::Rechunk,
    runtime::{wait, wait_to_the_end},
};

/// Plans for an engine that runs `parallel` tasks at a time, and writes what the tasks need to know of a sparse source:
/// the plan, its outline as JSON, and its figures as JSON.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "the form in which Python hands them over")]
pub(crate) fn prepare(
    py: Python<'_>,
    request: Rechunk,
    machine: Machine,
    parallel: u64,
) -> PyResult<(Bound<'_, PyBytes>, String, String)> {
    let prepared = wait(py, || async { prepare_plan(request.try_into()?, &machine, parallel).await })?;
    let (plan, figures) = prepared.map_err(|failure| of_failure(py, &failure))?;
    let bytes = plan.to_bytes().map_err(|failure| of_failure(py, &failure))?;
    Ok((PyBytes::new(py, &bytes), plan.outline(), figures))
}

/// What would be prepared: its figures as JSON, as a table, and as a page. Writes nothing.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "the form in which Python hands them over")]
pub(crate) fn preview(
    py: Python<'_>,
    request: Rechunk,
    machine: Machine,
    parallel: u64,
) -> PyResult<(String, String, String)> {
    let previewed = wait(py, || async {
        let request = RechunkRequest::try_from(request)?;
        let planned = Planned::of(request.clone(), &machine, parallel).await?;
        let page = report::html::page(&request, &planned.plan, &planned.summary);
        Ok::<_, Failure>((
            report::json::plan(&planned.summary).to_string(),
            report::table::plan(&planned.summary),
            page,
        ))
    })?;
    previewed.map_err(|failure| of_failure(py, &failure))
}

async fn prepare_plan(
    request: RechunkRequest,
    machine: &Machine,
    parallel: u64,
) -> Result<(EnginePlan, String), Failure> {
    let Planned { job, door, plan, summary, objects, budget, threads } =
        Planned::of(request, machine, parallel).await?;
    door.write(&objects).await?;
    let figures = report::json::plan(&summary).to_string();
    Ok((EnginePlan { job, stores: machine.stores.clone(), budget, threads, plan }, figures))
}

/// A plan of which nothing is written yet.
struct Planned {
    job: JobId,
    door: Door,
    plan: Plan,
    summary: PlanSummary,
    objects: TempObjects,
    budget: ByteCount,
    threads: usize,
}

impl Planned {
    async fn of(mut request: RechunkRequest, machine: &Machine, parallel: u64) -> Result<Self, Failure> {
        let threads = machine.threads()?;
        request.max_mem = Some(machine.max_mem()?);
        let MemoryShare { reserve, budget, .. } = machine.memory_share()?;
        let fleet = Fleet {
            worker_memory_budget: Some(budget),
            reserve,
            worker_scratch: ByteCount(0),
            slots: parallel.max(1),
            threads: threads as u64,
        };
        let door = Door::new(Stores::new(machine.stores.config()?));
        let job = Clock.new_job_id();
        let mut prepared = door.prepare(&request, &job, &fleet, &[]).await?;
        let summary =
            prepared.plan.summary.take().ok_or_else(|| Failure::internal("the plan came without its figures"))?;
        Ok(Self { job, door, plan: prepared.plan, summary, objects: prepared.objects, budget, threads })
    }
}

/// Runs the tasks `start..stop` of a stage of a plan, as many at a time as there are threads; their counts as JSON. The
/// first that fails ends the others.
#[pyfunction]
pub(crate) fn run_tasks(
    py: Python<'_>,
    plan: &[u8],
    pipeline: u32,
    stage: u32,
    start: u64,
    stop: u64,
) -> PyResult<String> {
    let plan = plan::open(plan).map_err(|failure| of_failure(py, &failure))?;
    let stage = plan.stage(pipeline, stage).map_err(|failure| of_failure(py, &failure))?;
    let runner = runner(&plan).map_err(|failure| of_failure(py, &failure))?;
    let running = running::of(&plan.job);
    // What was stopped is cleaned up after.
    let cancelled = if stage.is_of_cleanup { CancellationToken::new() } else { running.cancelled.child_token() };
    let run = running.with(run_range(&runner, &stage, start..stop, plan.threads, &cancelled));
    let counts = wait_to_the_end(py, &cancelled, run)?.map_err(|failure| of_task(py, &failure))?;
    serde_json::to_string(&counts).map_err(|error| of_failure(py, &Failure::internal(error.to_string())))
}

/// Stops the tasks of a plan in this process, also those that an engine still starts here; returns when none runs.
#[pyfunction]
pub(crate) fn stop_tasks(py: Python<'_>, plan: &[u8]) -> PyResult<()> {
    let plan = plan::open(plan).map_err(|failure| of_failure(py, &failure))?;
    let running = running::of(&plan.job);
    wait(py, || running.stop())
}

async fn run_range(
    runner: &TaskRunner,
    stage: &PlannedStage<'_>,
    tasks: Range<u64>,
    threads: usize,
    cancelled: &CancellationToken,
) -> Result<Counts, TaskFailure> {
    let run = |task| runner.run(&stage.address, stage.stage, TaskIndex(task), cancelled.clone());
    let mut running = futures::stream::iter(tasks).map(run).buffer_unordered(threads.max(1));
    let (mut sum, mut first) = (Counts::default(), None);
    while let Some(outcome) = running.next().await {
        match outcome {
            Ok(counts) => sum += counts,
            Err(failure) => {
                // Those that run end soon, and those that were not begun at once.
                cancelled.cancel();
                first.get_or_insert(failure);
            }
        }
    }
    first.map_or(Ok(sum), Err)
}
