//! What must hold of every opened stage.

use rechunk_common::{
    ids::LeaseId,
    task_set::{TaskRange, TaskSet},
};

use super::{OneStage, Verdict, Violation, hold};
use crate::{
    durable::Held,
    lease::{LeaseKind, LeaseState},
    repair::{LostTask, MOST_REPAIRS, Repair},
    stage::{StagePlace, StageProgress, StageState},
    state::Scheduler,
};

pub(super) const RULES: &[fn(OneStage<'_>) -> Verdict] = &[
    every_task_is_in_one_place,
    attempts_stay_within_the_policy,
    repairs_stay_within_their_limit,
    a_stage_is_indexed_as_it_is,
    whatever_waits_has_a_timer,
    a_ready_stage_is_found,
    a_late_stage_is_found,
    who_waits_for_a_repair_gets_one,
    a_barrier_is_passed_after_its_record,
];

/// Done, leased, waiting, blocked and untouched are all tasks, each once; live leases are disjoint but for backups.
fn every_task_is_in_one_place(one: OneStage<'_>) -> Verdict {
    check_partition(one.of.scheduler, one.stage).map_err(|detail| Violation {
        rule: "done, leased, waiting, blocked and untouched tasks are all tasks, each once",
        detail: format!("{}: {detail}", one.name()),
    })
}

fn attempts_stay_within_the_policy(one: OneStage<'_>) -> Verdict {
    let most = one.plan.retry.max_attempts.max(1);
    let deaths = usize::from(one.of.scheduler.settings.poison_limit.max(1));
    let is_within = one.stage.failures.values().all(|count| *count < most)
        && one.stage.deaths.values().all(|died| died.len() < deaths);
    hold(!one.of.job.lifecycle.is_active() || is_within, "attempts stay within the policy", || one.name())
}

fn repairs_stay_within_their_limit(one: OneStage<'_>) -> Verdict {
    let is_within = one.stage.repairs.values().all(|repair| repair.rounds <= MOST_REPAIRS);
    hold(is_within, "repairs stay within their limit", || one.name())
}

fn a_stage_is_indexed_as_it_is(one: OneStage<'_>) -> Verdict {
    let scheduler = one.of.scheduler;
    let index = one.stage.index_at(scheduler.now, scheduler.settings.lease_work);
    hold(!one.of.job.lifecycle.is_active() || index == one.stage.indexed, "a stage is indexed as it is", || {
        format!("{}: {index:?}", one.name())
    })
}

fn whatever_waits_has_a_timer(one: OneStage<'_>) -> Verdict {
    let timers = &one.of.scheduler.timers;
    let has_timer = one.stage.indexed.due.is_none_or(|due| timers.contains(&(due, one.of.id.clone(), one.place)));
    hold(!one.of.job.lifecycle.is_active() || has_timer, "whatever waits has a timer", || one.name())
}

fn a_ready_stage_is_found(one: OneStage<'_>) -> Verdict {
    let is_found = one.of.job.ready.get(&one.stage.class).is_some_and(|places| places.contains(&one.place));
    let agrees = is_found == one.stage.indexed.is_ready;
    hold(!one.of.job.lifecycle.is_active() || agrees, "a ready stage is found", || one.name())
}

fn a_late_stage_is_found(one: OneStage<'_>) -> Verdict {
    let agrees = one.of.job.late.contains(&one.place) == one.stage.indexed.is_late;
    hold(!one.of.job.lifecycle.is_active() || agrees, "a stage with a late lease is found", || one.name())
}

fn who_waits_for_a_repair_gets_one(one: OneStage<'_>) -> Verdict {
    let (job, place) = (one.of.job, one.place);
    let in_repair = |lost: LostTask| {
        let writer = job.stage(StagePlace { stage: lost.stage, ..place }).filter(|_| lost.stage < place.stage);
        writer.and_then(|writer| writer.repairs.get(&lost.task)).is_some_and(|repair| !repair.is_finished())
    };
    let repairs = one.stage.repairs.values().filter_map(Repair::blocked_on);
    let mut lost = one.stage.blocked.values().copied().chain(repairs);
    hold(
        !job.lifecycle.is_active() || lost.all(in_repair),
        "who waits for a repair of an earlier stage gets one",
        || one.name(),
    )
}

fn a_barrier_is_passed_after_its_record(one: OneStage<'_>) -> Verdict {
    let (scheduler, stage) = (one.of.scheduler, one.stage);
    let address = one.place.address(one.of.id, one.of.job.run);
    let is_held = scheduler.journal.held.values().any(|held| *held == Held::Barrier(address.clone()));
    match stage.state {
        StageState::Open => hold(!is_held, "a barrier is recorded once", || one.name()),
        StageState::Draining => {
            hold(is_held, "a draining stage waits for its record", || one.name())?;
            hold(stage.is_done() && stage.leases.is_empty(), "a draining stage has nothing left", || one.name())
        }
        StageState::Complete => {
            let is_repair =
                |id: &LeaseId| scheduler.leases.get(*id).is_some_and(|lease| lease.kind == LeaseKind::Repair);
            hold(stage.is_done() && !is_held, "a complete stage is done", || one.name())?;
            hold(!one.of.job.has_mismatch(one.place), "what is verified is what was written", || one.name())?;
            hold(stage.leases.iter().all(is_repair), "a complete stage has repair leases only", || one.name())
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
