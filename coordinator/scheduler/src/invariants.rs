//! What must hold in every state and between any two: checked after every step of every test.
//!
//! Reads the state only, and derives again what the indexes say.

use std::collections::BTreeMap;

use rechunk_common::{
    ids::{JobId, LeaseId},
    plan::Stage,
    task_set::{TaskRange, TaskSet},
};

use crate::{
    durable::Held,
    job::{Ending, Ghosts, Job, Lifecycle},
    lease::{LeaseKind, LeaseState},
    repair::{LostTask, MOST_REPAIRS, Repair},
    stage::{StagePlace, StageProgress, StageState},
    state::Scheduler,
};

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// Where it is broken.
    pub detail: String,
}

fn hold(holds: bool, rule: &'static str, detail: impl Fn() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { rule, detail: detail() }) }
}

/// Checks one state.
pub fn check(scheduler: &Scheduler) -> Result<(), Violation> {
    hold(scheduler.fleet.is_indexed(), "the fleet's indexes agree with its workers", || "they do not".to_owned())?;
    hold(scheduler.leases.is_indexed(scheduler.progress_ms()), "every lease has one deadline", || {
        "one is missing or too many".to_owned()
    })?;
    hold(scheduler.next_deadline().is_none_or(|due| due > scheduler.now), "what was due was done", || {
        format!("{:?} is due at {:?}", scheduler.next_deadline(), scheduler.now)
    })?;
    let mut counted: BTreeMap<&JobId, BTreeMap<StagePlace, u32>> = BTreeMap::new();
    for (id, lease) in scheduler.leases.iter() {
        let count = counted.entry(&lease.job).or_default().entry(lease.place).or_default();
        *count = count.saturating_add(1);
        check_lease(scheduler, id, lease)?;
    }
    for (job_id, job) in &scheduler.jobs {
        let leases = counted.remove(job_id).unwrap_or_default();
        hold(leases == job.leases, "a job counts its leases", || format!("{job_id}: {leases:?}, {:?}", job.leases))?;
        check_job(scheduler, job_id, job)?;
    }
    hold(counted.is_empty(), "every lease belongs to a job", || format!("{counted:?}"))?;
    let queued = scheduler.jobs.iter().filter(|(_, job)| job.is_queued).map(|(id, _)| id);
    let mut in_turn: Vec<&JobId> = scheduler.turns.jobs().collect();
    in_turn.sort();
    hold(queued.eq(in_turn.iter().copied()), "the queue holds the queued jobs", || format!("{in_turn:?}"))
}

fn check_lease(scheduler: &Scheduler, id: LeaseId, lease: &LeaseState) -> Result<(), Violation> {
    if !lease.is_live() {
        return Ok(());
    }
    let job = scheduler.jobs.get(&lease.job);
    let is_listed = job.and_then(|job| job.stage(lease.place)).is_some_and(|stage| stage.leases.contains(&id));
    hold(is_listed, "a live lease belongs to an open stage", || format!("{id} of {}", lease.job))?;
    let worker = scheduler.fleet.get(&lease.worker);
    hold(
        worker.is_some_and(|worker| worker.incarnation == lease.incarnation && worker.leases.contains(&id)),
        "a live lease is held by a worker that is known",
        || format!("{id} of {}", lease.worker),
    )
}

fn check_job(scheduler: &Scheduler, job_id: &JobId, job: &Job) -> Result<(), Violation> {
    let has_live = || job.open.values().flat_map(|pipeline| &pipeline.stages).any(|stage| !stage.leases.is_empty());
    let may_have_live = job.lifecycle.is_active() || matches!(job.lifecycle, Lifecycle::Deciding { .. });
    hold(may_have_live || !has_live(), "a job that ends has no live lease", || {
        format!("{job_id}: {:?}", job.lifecycle)
    })?;
    let is_over = match job.lifecycle {
        Lifecycle::Settling(_) | Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled) => true,
        Lifecycle::Submitted { .. }
        | Lifecycle::Running
        | Lifecycle::Deciding { .. }
        | Lifecycle::Ending(_)
        | Lifecycle::Cleaning
        | Lifecycle::Ended(Ending::Failed)
        | Lifecycle::Retrying
        | Lifecycle::Condemned { .. }
        | Lifecycle::Deleting { .. }
        | Lifecycle::Removing
        | Lifecycle::Forgetting(_) => false,
    };
    hold(!is_over || !job.may_be_written(), "a terminal job has no lease that may write", || format!("{job_id}"))?;
    let is_cleanup = job.phase == job.cleanup_phase() && !job.plan.phases.is_empty();
    let may_clean = !matches!(job.lifecycle, Lifecycle::Submitted { .. } | Lifecycle::Running);
    let window = job.window.is_none_or(|due| scheduler.windows.contains(&(due, job_id.clone())));
    hold(window, "a window that is open will end", || job_id.to_string())?;
    let is_succession = scheduler.succession.is_some() || job.ghosts == Ghosts::Gone;
    hold(is_succession, "whatever waits for an earlier reign has a timer", || job_id.to_string())?;
    hold(!is_cleanup || may_clean, "cleanup runs only for what ends", || format!("{job_id}"))?;
    hold(job.lifecycle != Lifecycle::Cleaning || is_cleanup, "nothing but cleanup runs for a cancelled job", || {
        format!("{job_id} is in phase {}", job.phase)
    })?;
    let leased: u64 = job.open.values().flat_map(|pipeline| &pipeline.stages).map(|stage| stage.indexed.leased).sum();
    hold(leased == job.leased, "a job counts its leased tasks", || format!("{job_id}: {leased}, {}", job.leased))?;
    let most = job.max_parallel_tasks.map_or(u64::MAX, |most| most.max(1));
    hold(leased <= most, "no more tasks are leased than the job allows", || format!("{job_id}: {leased} of {most}"))?;
    let temp: u64 = job
        .open
        .keys()
        .filter_map(|pipeline| job.pipeline_plan(job.phase, *pipeline))
        .map(|plan| plan.temp_bytes.0)
        .sum();
    let is_ended = matches!(
        job.lifecycle,
        Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_)
    );
    let limit = job.temp_limit.map_or(u64::MAX, |limit| limit.0);
    hold(
        is_ended || (temp == job.open_temp && (temp <= limit || job.open.len() == 1)),
        "temporary bytes stay within their limit",
        || format!("{job_id}: {temp} of {limit}"),
    )?;
    for (pipeline, progress) in &job.open {
        for (index, stage) in (0_u32..).zip(&progress.stages) {
            let place = StagePlace { phase: job.phase, pipeline: *pipeline, stage: index };
            let is_last = progress.stages.len() == usize::try_from(index).unwrap_or(usize::MAX).saturating_add(1);
            hold(
                is_last || stage.state == StageState::Complete,
                "a stage opens when the one before is complete",
                || format!("{job_id} {place:?}"),
            )?;
            let Some(plan) = job.stage_plan(place) else { continue };
            check_stage(scheduler, job_id, job, place, stage, plan)?;
        }
    }
    Ok(())
}

fn check_stage(
    scheduler: &Scheduler,
    job_id: &JobId,
    job: &Job,
    place: StagePlace,
    stage: &StageProgress,
    plan: &Stage,
) -> Result<(), Violation> {
    let here = || format!("{job_id} {place:?}");
    check_partition(scheduler, stage).map_err(|detail| Violation {
        rule: "done, leased, waiting, blocked and untouched tasks are all tasks, each once",
        detail: format!("{}: {detail}", here()),
    })?;
    if job.lifecycle.is_active() {
        let most = plan.retry.max_attempts.max(1);
        hold(stage.failures.values().all(|count| *count < most), "attempts stay within the policy", here)?;
        let index = stage.index_at(scheduler.now);
        hold(index == stage.indexed, "a stage is indexed as it is", || format!("{}: {index:?}", here()))?;
        let timers = stage.indexed.due.is_none_or(|due| scheduler.timers.contains(&(due, job_id.clone(), place)));
        hold(timers, "whatever waits has a timer", here)?;
        let is_ready = job.ready.get(&stage.class).is_some_and(|places| places.contains(&place));
        hold(is_ready == stage.indexed.is_ready, "a ready stage is found", here)?;
        let mut lost = stage.blocked.values().copied().chain(stage.repairs.values().filter_map(Repair::blocked_on));
        let in_repair = |lost: LostTask| {
            let writer = job.stage(StagePlace { stage: lost.stage, ..place }).filter(|_| lost.stage < place.stage);
            writer.and_then(|writer| writer.repairs.get(&lost.task)).is_some_and(|repair| !repair.is_finished())
        };
        hold(lost.all(in_repair), "who waits for a repair of an earlier stage gets one", here)?;
    }
    hold(stage.repairs.values().all(|repair| repair.rounds <= MOST_REPAIRS), "repairs stay within their limit", here)?;
    let address = place.address(job_id, job.run);
    let is_held = scheduler.journal.held.values().any(|held| *held == Held::Barrier(address.clone()));
    match stage.state {
        StageState::Open => hold(!is_held, "a barrier is recorded once", here),
        StageState::Draining => {
            hold(is_held, "a draining stage waits for its record", here)?;
            hold(stage.is_done() && stage.leases.is_empty(), "a draining stage has nothing left", here)
        }
        StageState::Complete => {
            let is_repair =
                |id: &LeaseId| scheduler.leases.get(*id).is_some_and(|lease| lease.kind == LeaseKind::Repair);
            hold(stage.is_done() && !is_held, "a complete stage is done", here)?;
            hold(stage.leases.iter().all(is_repair), "a complete stage has repair leases only", here)
        }
    }
}

fn check_partition(scheduler: &Scheduler, stage: &StageProgress) -> Result<(), String> {
    let mut all = TaskSet::new();
    let mut add = |name: &str, tasks: TaskRange| {
        if all.insert(tasks) == tasks.len() { Ok(()) } else { Err(format!("{name} {tasks:?} is also elsewhere")) }
    };
    stage.untouched.runs().try_for_each(|run| add("untouched", run))?;
    stage.done.runs().try_for_each(|run| add("done", run))?;
    stage.waiting.ranges().try_for_each(|run| add("waiting", run))?;
    stage.blocked.keys().try_for_each(|task| add("blocked", TaskRange::single(*task)))?;
    let mut leased = TaskSet::new();
    let open =
        |lease: &LeaseState| -> TaskSet { lease.unreported.runs().flat_map(|run| stage.done.gaps(run)).collect() };
    for (id, lease) in stage.leases.iter().filter_map(|id| scheduler.leases.get(*id).map(|lease| (id, lease))) {
        if lease.kind == LeaseKind::Repair {
            continue;
        }
        let mut own = open(lease);
        let partner = lease.partner.and_then(|partner| scheduler.leases.get(partner)).filter(|other| other.is_live());
        let shared = partner.map(open).unwrap_or_default();
        for run in own.runs() {
            leased.insert(run);
        }
        shared.runs().for_each(|run| {
            own.remove(run);
        });
        // What is not shared with the partner must be its own.
        let others = stage.leases.iter().filter(|other| *other != id && Some(**other) != lease.partner);
        for other in others.filter_map(|other| scheduler.leases.get(*other)) {
            let overlaps = open(other).runs().any(|a| own.runs().any(|b| a.intersection(b).is_some()));
            if overlaps && other.kind != LeaseKind::Repair {
                return Err(format!("{id} overlaps another live lease"));
            }
        }
    }
    leased.runs().try_for_each(|run| add("leased", run))?;
    if all.len() == stage.task_count { Ok(()) } else { Err(format!("{} of {} tasks", all.len(), stage.task_count)) }
}

/// Checks what must hold between a state and the one after it.
pub fn check_step(before: &Scheduler, after: &Scheduler) -> Result<(), Violation> {
    hold(before.now <= after.now && before.next_lease <= after.next_lease, "time and lease ids go forward", || {
        format!("{:?} to {:?}", before.now, after.now)
    })?;
    for (job_id, old) in &before.jobs {
        let Some(new) = after.jobs.get(job_id) else {
            let is_known = before.journal.held.values().any(|held| *held == Held::Deleted(job_id.clone()));
            hold(is_known, "a job goes when its deletion is durable", || job_id.to_string())?;
            continue;
        };
        let kept = match &old.lifecycle {
            Lifecycle::Ended(ending) => match &new.lifecycle {
                Lifecycle::Ended(now) | Lifecycle::Forgetting(now) => now == ending,
                Lifecycle::Retrying | Lifecycle::Condemned { .. } => *ending == Ending::Failed,
                Lifecycle::Deleting { .. }
                | Lifecycle::Removing
                | Lifecycle::Submitted { .. }
                | Lifecycle::Running
                | Lifecycle::Deciding { .. }
                | Lifecycle::Ending(_)
                | Lifecycle::Cleaning
                | Lifecycle::Settling(_) => false,
            },
            Lifecycle::Submitted { .. }
            | Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Deleting { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => true,
        };
        hold(kept, "a terminal state is kept", || format!("{job_id}: {:?} to {:?}", old.lifecycle, new.lifecycle))?;
        let is_settled = !old.state().is_terminal() && new.state().is_terminal();
        let record = Held::Settled(job_id.clone());
        hold(
            !is_settled || before.journal.held.values().any(|held| *held == record),
            "a job is terminal when its record is durable",
            || job_id.to_string(),
        )?;
        let is_retried = before.journal.held.values().any(|held| *held == Held::Retried(job_id.clone()));
        hold(old.run == new.run || is_retried, "a new run begins when its record is durable", || job_id.to_string())?;
        let rows = old.rows.iter().zip(&new.rows).all(|(old, new)| old.done <= new.done);
        hold(rows, "done only grows", || job_id.to_string())?;
        check_stage_steps(before, job_id, old, new)?;
    }
    Ok(())
}

fn check_stage_steps(before: &Scheduler, job_id: &JobId, old: &Job, new: &Job) -> Result<(), Violation> {
    let is_same_phase = old.phase == new.phase && old.lifecycle.is_active() && new.lifecycle.is_active();
    for (pipeline, progress) in new.open.iter().filter(|_| is_same_phase) {
        for (index, stage) in (0_u32..).zip(&progress.stages) {
            let place = StagePlace { phase: new.phase, pipeline: *pipeline, stage: index };
            let was = old.stage(place);
            let kept = was.is_none_or(|was| was.done.runs().all(|run| stage.done.contains_range(run)));
            hold(kept, "done only grows", || format!("{job_id} {place:?}"))?;
            let was_complete = was.is_some_and(|was| was.state == StageState::Complete);
            if stage.state == StageState::Complete && !was_complete {
                let record = Held::Barrier(place.address(job_id, new.run));
                let was_held = before.journal.held.values().any(|held| *held == record);
                hold(was_held, "a barrier is passed when its record is durable", || format!("{job_id} {place:?}"))?;
            }
        }
    }
    Ok(())
}
