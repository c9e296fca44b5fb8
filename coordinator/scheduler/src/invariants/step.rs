//! What must hold between a state and the one after it.

use rechunk_common::{ids::JobId, ids::LeaseId};

use super::{Verdict, hold};
use crate::{
    durable::Held,
    job::{Ending, Job, Lifecycle},
    lease::{LeaseState, Standing, WhyEnded},
    stage::{StagePlace, StageState},
    state::Scheduler,
};

pub(super) const RULES: &[fn(&Scheduler, &Scheduler) -> Verdict] = &[
    time_and_lease_ids_go_forward,
    an_epoch_is_kept,
    a_lease_that_is_renewed_does_not_expire,
    nothing_is_granted_for_a_job_that_ends,
    positions_go_forward,
];

/// A job before and after.
type Pair<'a> = (&'a Job, &'a Job);

/// A rule about one job, in its scheduler before and after.
type RuleOfAJob = fn(&Scheduler, &Scheduler, &JobId, Pair<'_>) -> Verdict;

pub(super) const RULES_OF_A_JOB: &[RuleOfAJob] = &[
    a_terminal_state_is_kept,
    a_job_is_terminal_when_its_record_is_durable,
    a_new_run_begins_when_its_record_is_durable,
    a_job_starts_when_its_acceptance_is_durable,
    done_only_grows,
    a_barrier_is_passed_when_its_record_is_durable,
];

fn time_and_lease_ids_go_forward(before: &Scheduler, after: &Scheduler) -> Verdict {
    let is_forward = before.now <= after.now && before.next_lease <= after.next_lease;
    hold(is_forward, "time and lease ids go forward", || format!("{:?} to {:?}", before.now, after.now))
}

fn an_epoch_is_kept(before: &Scheduler, after: &Scheduler) -> Verdict {
    hold(before.epoch == after.epoch, "one coordinator writes in an epoch", || {
        format!("{} to {}", before.epoch, after.epoch)
    })
}

fn positions_go_forward(before: &Scheduler, after: &Scheduler) -> Verdict {
    let last = before.journal.held.last_key_value().map(|(position, _)| *position);
    let is_new = |position: &_| before.journal.held.contains_key(position) || last < Some(*position);
    hold(after.journal.held.keys().all(is_new), "records carry rising positions", || format!("{:?}", after.journal))
}

/// A lease that its worker renewed, and that reports now and then, does not expire while it is renewed and its worker is
/// the same process.
fn a_lease_that_is_renewed_does_not_expire(before: &Scheduler, after: &Scheduler) -> Verdict {
    for (id, old) in before.leases.iter() {
        let Standing::Live { expires_at } = old.standing else { continue };
        let Some(new) = after.leases.get(id) else { continue };
        let (is_early, rule) = match new.standing {
            Standing::Ended { why: WhyEnded::Expired, .. } => {
                (expires_at > after.now, "a renewed lease does not expire")
            }
            Standing::Ended { why: WhyEnded::Stuck, .. } => {
                let due = old.moved_at.after(before.settings.progress_deadline);
                (due > after.now, "a lease that moves is not stuck")
            }
            Standing::Ended { why: WhyEnded::Revoked, .. } | Standing::Live { .. } => continue,
        };
        hold(!is_early || is_of_a_dead_process(after, new), rule, || format!("{id}, good until {expires_at:?}"))?;
    }
    Ok(())
}

fn is_of_a_dead_process(after: &Scheduler, lease: &LeaseState) -> bool {
    after.fleet.get(&lease.worker).is_none_or(|worker| worker.incarnation != lease.incarnation)
}

/// New leases are of active jobs; of a job that was cancelled, or is removed, in its cleanup only.
fn nothing_is_granted_for_a_job_that_ends(before: &Scheduler, after: &Scheduler) -> Verdict {
    let is_new = |id: &LeaseId| before.leases.get(*id).is_none();
    for (id, lease) in after.leases.iter().filter(|(id, lease)| is_new(id) && lease.is_live()) {
        let Some(job) = after.jobs.get(&lease.job) else { continue };
        let may_run = match job.lifecycle {
            Lifecycle::Cleaning | Lifecycle::Deleting { .. } => lease.place.phase == job.cleanup_phase(),
            // It was decided in the same step, after the grant.
            Lifecycle::Running | Lifecycle::Deciding { .. } => true,
            Lifecycle::Submitted { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Settling(_)
            | Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => false,
        };
        hold(may_run, "nothing is granted for a job that ends", || format!("{id} of {}", lease.job))?;
    }
    Ok(())
}

pub(super) fn a_job_goes_when_its_deletion_is_durable(before: &Scheduler, id: &JobId) -> Verdict {
    let was_held = before.journal.held.values().any(|held| *held == Held::Deleted(id.clone()));
    hold(was_held, "a job goes when its deletion is durable", || id.to_string())
}

fn a_terminal_state_is_kept(_: &Scheduler, _: &Scheduler, id: &JobId, (old, new): Pair<'_>) -> Verdict {
    let Lifecycle::Ended(ending) = &old.lifecycle else { return Ok(()) };
    let is_kept = match &new.lifecycle {
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
    };
    hold(is_kept, "a terminal state is kept", || format!("{id}: {:?} to {:?}", old.lifecycle, new.lifecycle))
}

fn a_job_is_terminal_when_its_record_is_durable(
    before: &Scheduler,
    after: &Scheduler,
    id: &JobId,
    (old, new): Pair<'_>,
) -> Verdict {
    let is_settled = !old.state().is_terminal() && new.state().is_terminal();
    let record = Held::Settled(id.clone());
    let has_record = was_made_durable(before, after, &record);
    hold(!is_settled || has_record, "a job is terminal when its record is durable", || id.to_string())
}

fn a_new_run_begins_when_its_record_is_durable(
    before: &Scheduler,
    after: &Scheduler,
    id: &JobId,
    (old, new): Pair<'_>,
) -> Verdict {
    let is_retried = || was_made_durable(before, after, &Held::Retried(id.clone()));
    hold(old.run == new.run || is_retried(), "a new run begins when its record is durable", || id.to_string())
}

fn a_job_starts_when_its_acceptance_is_durable(
    before: &Scheduler,
    after: &Scheduler,
    id: &JobId,
    (old, new): Pair<'_>,
) -> Verdict {
    let is_started = old.accepted_at.is_none() && new.accepted_at.is_some();
    let has_record = || was_made_durable(before, after, &Held::Accepted(id.clone()));
    hold(!is_started || has_record(), "a job starts when its acceptance is durable", || id.to_string())
}

fn done_only_grows(_: &Scheduler, _: &Scheduler, id: &JobId, (old, new): Pair<'_>) -> Verdict {
    let rows = old.rows.iter().zip(&new.rows).all(|(old, new)| old.done <= new.done);
    hold(rows, "done only grows", || id.to_string())?;
    for (place, stage) in stages_of(old, new) {
        let is_kept = old.stage(place).is_none_or(|was| was.done.runs().all(|run| stage.done.contains_range(run)));
        hold(is_kept, "done only grows", || format!("{id} {place:?}"))?;
    }
    Ok(())
}

fn a_barrier_is_passed_when_its_record_is_durable(
    before: &Scheduler,
    after: &Scheduler,
    id: &JobId,
    (old, new): Pair<'_>,
) -> Verdict {
    for (place, stage) in stages_of(old, new) {
        let was_complete = old.stage(place).is_some_and(|was| was.state == StageState::Complete);
        if stage.state == StageState::Complete && !was_complete {
            let record = Held::Barrier(place.address(id, new.run));
            let has_record = was_made_durable(before, after, &record);
            hold(has_record, "a barrier is passed when its record is durable", || format!("{id} {place:?}"))?;
        }
    }
    Ok(())
}

/// Whether the record of this effect waited before and does not any more.
fn was_made_durable(before: &Scheduler, after: &Scheduler, effect: &Held) -> bool {
    let waits = |scheduler: &Scheduler| scheduler.journal.held.values().any(|held| held == effect);
    waits(before) && !waits(after)
}

/// The opened stages after a step that stayed in one phase.
fn stages_of<'a>(
    old: &Job,
    new: &'a Job,
) -> impl Iterator<Item = (StagePlace, &'a crate::stage::StageProgress)> + use<'a> {
    let is_same_phase = old.phase == new.phase && old.lifecycle.is_active() && new.lifecycle.is_active();
    let open = new.open.iter().filter(move |_| is_same_phase);
    open.flat_map(|(pipeline, progress)| {
        (0_u32..)
            .zip(&progress.stages)
            .map(|(index, stage)| (StagePlace { phase: new.phase, pipeline: *pipeline, stage: index }, stage))
    })
}
