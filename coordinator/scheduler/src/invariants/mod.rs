//! What must hold in every state and between any two, each rule a function with its sentence. Written once, and checked
//! after every step by the stories, the random histories, the exhaustive model and the simulation.
//!
//! Reads the state only, and derives again what the indexes say. Knows nothing of who drives the scheduler.

mod indexes;
mod job;
mod lease;
mod replay;
mod stage;
mod step;

use crate::{job::Job, stage::StagePlace, state::Scheduler};

pub use replay::check_replay;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// Where it is broken.
    pub detail: String,
}

/// What a check says.
type Verdict = Result<(), Violation>;

fn hold(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { rule, detail: detail() }) }
}

/// A job in its scheduler.
#[derive(Clone, Copy)]
struct OneJob<'a> {
    scheduler: &'a Scheduler,
    id: &'a rechunk_common::ids::JobId,
    job: &'a Job,
}

/// A stage in its job.
#[derive(Clone, Copy)]
struct OneStage<'a> {
    of: OneJob<'a>,
    place: StagePlace,
    stage: &'a crate::stage::StageProgress,
    plan: &'a rechunk_common::plan::Stage,
}

impl OneStage<'_> {
    fn name(&self) -> String {
        format!("{} {:?}", self.of.id, self.place)
    }
}

/// Checks one state.
pub fn check(scheduler: &Scheduler) -> Result<(), Violation> {
    for rule in indexes::RULES {
        rule(scheduler)?;
    }
    for (id, lease) in scheduler.leases.iter() {
        for rule in lease::RULES {
            rule(scheduler, id, lease)?;
        }
    }
    for (id, job) in &scheduler.jobs {
        let one = OneJob { scheduler, id, job };
        for rule in job::RULES {
            rule(one)?;
        }
        for (pipeline, progress) in &job.open {
            for (index, stage) in (0_u32..).zip(&progress.stages) {
                let place = StagePlace { phase: job.phase, pipeline: *pipeline, stage: index };
                let Some(plan) = job.stage_plan(place) else { continue };
                for rule in stage::RULES {
                    rule(OneStage { of: one, place, stage, plan })?;
                }
            }
        }
    }
    Ok(())
}

/// Checks what must hold between a state and the one after it.
pub fn check_step(before: &Scheduler, after: &Scheduler) -> Result<(), Violation> {
    for rule in step::RULES {
        rule(before, after)?;
    }
    for (id, old) in &before.jobs {
        match after.jobs.get(id) {
            Some(new) => {
                for rule in step::RULES_OF_A_JOB {
                    rule(before, after, id, (old, new))?;
                }
            }
            None => step::a_job_goes_when_its_deletion_is_durable(before, id)?,
        }
    }
    Ok(())
}
