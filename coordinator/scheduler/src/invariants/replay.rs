//! A replay of the journal makes the state that it came from, less its leases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rechunk_common::{
    Counts, Refusal,
    ids::{Epoch, Incarnation, JobId, JournalPosition, RequestId, RunNumber, WorkerId},
    record::Record,
    task_set::TaskSet,
};

use super::{Verdict, Violation, check, hold};
use crate::{
    Command, Event, Ledger, Scheduler, Settings,
    job::{Ending, Job, Lifecycle, PipelineProgress, Remains},
    stage::{StagePlace, StageState},
};

/// What a restart must keep of a job.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    run: RunNumber,
    request_id: Option<RequestId>,
    target: String,
    stands: &'static str,
    failure: Option<Refusal>,
    rows: Vec<(u64, Counts)>,
    phase: u32,
    complete: BTreeSet<u32>,
    stages: BTreeMap<StagePlace, (TaskSet, bool, Deaths)>,
}

type Deaths = BTreeMap<u64, BTreeSet<(WorkerId, Incarnation)>>;

/// What is not recorded is left out: that a stage opened, that cleaning began, what was not needed.
fn kept(job: &Job) -> Kept {
    let removing = "removing";
    let stands = match &job.lifecycle {
        Lifecycle::Submitted { .. } => "submitted",
        Lifecycle::Running => "running",
        Lifecycle::Deciding { .. } => "deciding",
        Lifecycle::Ending(Ending::Succeeded) => "succeeding",
        Lifecycle::Ending(Ending::Failed) => "failing",
        Lifecycle::Ending(Ending::Cancelled) | Lifecycle::Cleaning => "cancelling",
        Lifecycle::Ended(Ending::Failed) if job.remains == Remains::Condemned => removing,
        Lifecycle::Ended(Ending::Failed) if job.remains == Remains::Removed => "removed",
        Lifecycle::Ended(Ending::Failed) => "failed",
        Lifecycle::Ended(Ending::Succeeded) => "succeeded",
        Lifecycle::Ended(Ending::Cancelled) => "cancelled",
        Lifecycle::Deleting { .. } => removing,
        Lifecycle::Settling(_)
        | Lifecycle::Retrying
        | Lifecycle::Condemned { .. }
        | Lifecycle::Removing
        | Lifecycle::Forgetting(_) => "waiting for a record",
    };
    // A pipeline is left when its job moves on, which an ending job does not.
    let is_left = |pipeline: u32| job.open.get(&pipeline).is_none_or(|progress| is_through(job, pipeline, progress));
    let complete: BTreeSet<u32> = (0..job.next_pipeline).filter(|pipeline| is_left(*pipeline)).collect();
    let pipelines = job.phase_plan(job.phase).map_or(0, |plan| plan.pipelines.len());
    let is_new_phase = complete.len() == pipelines && job.phase < job.cleanup_phase();
    let phase = job.phase.saturating_add(u32::from(is_new_phase));
    let cleans = |place: &StagePlace| place.phase == job.cleanup_phase() && has_done(job, *place);
    let has_begun_cleaning = job.lifecycle == Lifecycle::Cleaning && job.open_places().iter().any(cleans);
    let forgets_place = ["succeeded", "cancelled", "removed", "succeeding", removing].contains(&stands)
        || (stands == "cancelling" && !has_begun_cleaning);
    let open = job.open_places().into_iter().filter(|place| !is_left(place.pipeline) && has_done(job, *place));
    let stages = open.filter_map(|place| {
        let stage = job.stage(place)?;
        let mut deaths = stage.deaths.clone();
        deaths.retain(|task, _| !stage.done.contains(*task));
        Some((place, (stage.done.clone(), stage.state == StageState::Complete, deaths)))
    });
    let without = |counts: Counts| Counts { repeated_requests: 0, ..counts };
    Kept {
        run: job.run,
        request_id: job.request_id.clone(),
        target: job.target.clone(),
        stands,
        failure: job.failure.clone(),
        rows: job.rows.iter().map(|row| (row.done, without(row.measured))).collect(),
        phase: if forgets_place { 0 } else { phase },
        complete: if forgets_place || is_new_phase { BTreeSet::new() } else { complete },
        stages: if forgets_place { BTreeMap::new() } else { stages.collect() },
    }
}

/// Whether its last stage is complete.
fn is_through(job: &Job, pipeline: u32, progress: &PipelineProgress) -> bool {
    let stages = job.pipeline_plan(job.phase, pipeline).map_or(0, |plan| plan.stages.len());
    progress.stages.len() == stages && progress.stages.iter().all(|stage| stage.state == StageState::Complete)
}

fn has_done(job: &Job, place: StagePlace) -> bool {
    job.stage(place)
        .is_some_and(|stage| !stage.done.is_empty() || stage.state == StageState::Complete || !stage.deaths.is_empty())
}

/// Makes everything durable that is recorded, and what follows from it, in a copy; then a replay of all records, and one
/// of what a ledger keeps of them, come to the same. `records` are all since the journal began.
pub fn check_replay(scheduler: &Scheduler, records: &[Record]) -> Verdict {
    let (mut scheduler, mut records) = (scheduler.clone(), records.to_vec());
    let mut durable = None;
    while let Some(position) = records.last().map(|record| record.position).filter(|last| durable != Some(*last)) {
        durable = Some(position);
        let commands = scheduler.apply(scheduler.now, Event::RecordDurable { position });
        records.extend(commands.into_iter().filter_map(|command| match command {
            Command::Append(record) => Some(record),
            Command::Answer { .. }
            | Command::Accepted { .. }
            | Command::Refused { .. }
            | Command::Confirmed { .. }
            | Command::JobChanged { .. } => None,
        }));
    }
    let expected = all_kept(&scheduler);
    let mut ledger = Ledger::default();
    for record in &records {
        ledger.add(record);
    }
    let last = durable.unwrap_or_default();
    let differ = |rule: &'static str, found: &BTreeMap<JobId, Kept>| {
        hold(*found == expected, rule, || format!("{found:#?}\ninstead of {expected:#?}"))
    };
    differ("a replay of the journal makes the same state, less its leases", &recover(&scheduler, records, last)?)?;
    let kept: Vec<Record> = ledger.records().collect();
    differ("a replay of a snapshot makes the same as one of all records", &recover(&scheduler, kept, last)?)?;
    hold(ledger.last() == last, "a ledger knows how far it has come", || format!("{:?}", ledger.last()))
}

fn recover(
    former: &Scheduler,
    records: Vec<Record>,
    last: JournalPosition,
) -> Result<BTreeMap<JobId, Kept>, Violation> {
    // A window counts from the record of the failure here, from its effect there: it ends in neither.
    let settings = Settings { retry_window: Duration::from_hours(1_000), ..former.settings.clone() };
    let epoch = Epoch(former.epoch.0.saturating_add(1));
    let recovered = Scheduler::recover(epoch, settings, former.now, records, last);
    let mut recovered = recovered.map_err(|inconsistent| Violation {
        rule: "records follow from those before them",
        detail: inconsistent.to_string(),
    })?;
    recovered.apply(former.now, Event::Begin);
    check(&recovered)?;
    Ok(all_kept(&recovered))
}

fn all_kept(scheduler: &Scheduler) -> BTreeMap<JobId, Kept> {
    scheduler.jobs.iter().map(|(id, job)| (id.clone(), kept(job))).collect()
}
