//! Barriers: the only place where a permit to open a stage is made.

use rechunk_common::{
    ids::{JobId, StageAddress},
    record::RecordFact,
};

use crate::{
    durable::Held,
    job::Job,
    lease::WhyEnded,
    stage::{StagePlace, StageState},
    state::{Scheduler, Turn},
};

/// Every stage before this one is durably complete: it may open. Opening asks for this permit, and only this module
/// makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BarrierPassed {
    opens: StagePlace,
}

impl BarrierPassed {
    /// The stage that may open.
    pub(crate) fn opens(&self) -> StagePlace {
        self.opens
    }
}

/// Permits the first stage of a pipeline of the current phase, which began when the phase before was complete.
pub(crate) fn permit_first_stage(job: &Job, pipeline: u32) -> Option<BarrierPassed> {
    let opens = StagePlace { phase: job.phase, pipeline, stage: 0 };
    (!job.open.contains_key(&pipeline)).then_some(BarrierPassed { opens })
}

/// Permits the stage after the one at `place`, which must be complete.
fn permit_next_stage(job: &Job, place: StagePlace) -> Option<BarrierPassed> {
    let is_complete = job.stage(place).is_some_and(|stage| stage.state == StageState::Complete);
    is_complete.then(|| BarrierPassed { opens: place.next() })
}

impl Scheduler {
    /// If every task of the stage is done, the barrier's record is written, and the stage drains until it is durable;
    /// unless it verifies, and found something else than was written: then the job fails.
    pub(crate) fn decide_barrier(&mut self, turn: &mut Turn, job_id: &JobId, place: StagePlace) {
        let Some(job) = self.jobs.get_mut(job_id).filter(|job| job.lifecycle.is_active()) else { return };
        let run = job.run;
        let Some(stage) = job.stage_mut(place) else { return };
        if stage.state != StageState::Open || !stage.is_done() {
            return;
        }
        if job.has_mismatch(place) {
            let refusal = job.mismatch(place);
            self.fail_job(turn, job_id, refusal);
            return;
        }
        let Some(stage) = job.stage_mut(place) else { return };
        stage.state = StageState::Draining;
        // What still runs is not needed any more: backups that lost, repairs that nobody waits for.
        let mut needless: Vec<_> = stage.leases.iter().copied().collect();
        let earlier: Vec<StagePlace> = std::iter::successors(place.before(), |place| place.before()).collect();
        for before in &earlier {
            let Some(before) = job.stage_mut(*before) else { continue };
            needless.extend(before.leases.iter().copied());
            before.repairs.clear();
        }
        for lease in needless {
            self.end_lease(turn, lease, WhyEnded::Revoked);
        }
        for before in earlier {
            self.refresh(turn, job_id, before);
        }
        self.refresh(turn, job_id, place);
        let stage = place.address(job_id, run);
        self.record_and_hold(turn, RecordFact::BarrierPassed { stage: stage.clone() }, Held::Barrier(stage));
    }

    /// The record is durable: the stage is complete, and the next one may open.
    pub(crate) fn barrier_is_durable(&mut self, turn: &mut Turn, address: &StageAddress) {
        let place = StagePlace::of(address);
        let Some(job) = self.jobs.get_mut(&address.job).filter(|job| job.run == address.run) else { return };
        let Some(stage) = job.stage_mut(place).filter(|stage| stage.state == StageState::Draining) else { return };
        stage.state = StageState::Complete;
        if let Some(permit) = permit_next_stage(job, place) {
            job.permits.insert(place.pipeline, permit);
        }
        turn.touch(&address.job);
    }
}
