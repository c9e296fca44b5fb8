//! The first minutes of a reign. Workers may hold leases of the reign before: they name them, and the leases are
//! adopted. What nobody has named within one lease time is leased again. And nothing is destroyed, published or settled
//! before the last lease that the former coordinator can have granted is over by any clock.

use rechunk_common::ids::JobId;

use crate::{
    event::{Settings, Timestamp},
    job::Ghosts,
    state::{Scheduler, Turn},
};

/// What a new reign waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Succession {
    /// From then on tasks are leased that nobody has named; `None` when that is past.
    leases_at: Option<Timestamp>,
    /// From then on no lease of the reign before is left.
    settles_at: Timestamp,
}

impl Succession {
    /// A reign that was claimed at `now` at the latest.
    ///
    /// The former coordinator grants for one lease time after it last confirmed its reign, which was before the claim,
    /// and what it grants last runs for one lease time more.
    pub(crate) fn begin(now: Timestamp, settings: &Settings) -> Self {
        let leases_at = now.after(settings.lease);
        Self { leases_at: Some(leases_at), settles_at: leases_at.after(settings.lease).after(settings.margin) }
    }

    /// When something changes next.
    pub(crate) fn next(self) -> Timestamp {
        self.leases_at.unwrap_or(self.settles_at)
    }
}

impl Scheduler {
    /// The recovered jobs go on, as far as they may.
    pub(crate) fn resume(&mut self, turn: &mut Turn) {
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        for job_id in jobs {
            let Some(job) = self.jobs.get(&job_id).filter(|job| job.lifecycle.is_active()) else { continue };
            let (may_have_published, places) = (job.may_have_published(), job.open_places());
            if let Some(job) = self.jobs.get_mut(&job_id) {
                job.is_publishing |= may_have_published;
            }
            for place in places {
                self.refresh(turn, &job_id, place);
                self.decide_barrier(turn, &job_id, place);
                // The last death may be recorded, and what follows from it not.
                self.fail_if_poisonous(turn, &job_id, place);
            }
            self.requeue(turn, &job_id);
        }
        self.jobs.iter().filter(|(_, job)| job.is_live()).for_each(|(job_id, _)| turn.touch(job_id));
    }

    /// Ends the waits that are over.
    pub(crate) fn succession_is_due(&mut self, turn: &mut Turn) {
        let Some(succession) = self.succession else { return };
        if succession.leases_at.is_some_and(|due| due <= self.now) {
            self.succession = Some(Succession { leases_at: None, ..succession });
            for job_id in self.jobs.keys().cloned().collect::<Vec<_>>() {
                if let Some(job) = self.jobs.get_mut(&job_id).filter(|job| job.ghosts == Ghosts::MayBeHeld) {
                    job.ghosts = Ghosts::MayWrite;
                }
                self.requeue(turn, &job_id);
            }
        }
        if succession.settles_at <= self.now {
            self.succession = None;
            for (job_id, job) in self.jobs.iter_mut().filter(|(_, job)| job.ghosts != Ghosts::Gone) {
                job.ghosts = Ghosts::Gone;
                turn.touch(job_id);
            }
        }
    }
}
