//! Reports: what is done is a fact, whoever says so; what failed counts only from the lease that is live.

use rechunk_common::{
    ContentSum, Counts,
    ids::{Incarnation, JobId, LeaseId, WorkerId},
    record::RecordFact,
    session::{DoneTasks, LeaseReport},
    task_set::TaskRange,
};

use crate::{
    job::Lifecycle,
    lease::{LeaseKind, WhyEnded},
    stage::{StagePlace, StageState},
    state::{Scheduler, Turn},
};

impl Scheduler {
    /// Takes the reports that were not taken before.
    pub(crate) fn take_reports(
        &mut self,
        turn: &mut Turn,
        worker: &WorkerId,
        incarnation: Incarnation,
        mut reports: Vec<LeaseReport>,
    ) {
        reports.sort_by_key(|report| report.number);
        for report in reports {
            let number = report.number;
            let Some(state) = self.fleet.get_mut(worker).filter(|state| state.accepted_through < number) else {
                continue;
            };
            state.accepted_through = number;
            self.take_report(turn, worker, incarnation, report);
        }
    }

    /// Takes one report: of the current run of a job that is not terminal.
    pub(crate) fn take_report(
        &mut self,
        turn: &mut Turn,
        worker: &WorkerId,
        incarnation: Incarnation,
        report: LeaseReport,
    ) {
        let (job_id, place) = (report.stage.job.clone(), StagePlace::of(&report.stage));
        let rss = self.fleet.get(worker).map(|worker| worker.peak_rss).unwrap_or_default();
        let Some(job) = self.jobs.get_mut(&job_id).filter(|job| job.run == report.stage.run) else { return };
        let is_over = matches!(
            job.lifecycle,
            Lifecycle::Submitted { .. }
                | Lifecycle::Settling(_)
                | Lifecycle::Ended(_)
                | Lifecycle::Retrying
                | Lifecycle::Condemned { .. }
                | Lifecycle::Removing
                | Lifecycle::Forgetting(_)
        );
        if is_over || job.stage_plan(place).is_none() {
            return;
        }
        job.peak_rss = job.peak_rss.max(rss);
        turn.changed.insert(job_id.clone());
        // A report that names the wrong stage says nothing about the lease.
        let own = self
            .leases
            .of(report.lease, worker, incarnation)
            .is_some_and(|lease| lease.job == job_id && lease.place == place)
            .then_some(report.lease);
        for done in &report.done {
            self.tasks_done(turn, &job_id, place, own, done);
        }
        for failed in report.failed {
            self.task_failed(turn, &job_id, place, own, &failed);
        }
        if let Some(lease) = own {
            self.note_progress(turn, lease, &report.done);
        }
        self.refresh(turn, &job_id, place);
        self.decide_barrier(turn, &job_id, place);
    }

    fn tasks_done(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        place: StagePlace,
        lease: Option<LeaseId>,
        report: &DoneTasks,
    ) {
        let tasks = report.tasks;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let most = job.stage_plan(place).map_or(0, |plan| plan.task_count);
        if tasks.is_empty() || tasks.end > most {
            return;
        }
        let is_behind = job.is_behind(place);
        let run = job.run;
        let Some(stage) = job.stage_mut(place) else {
            if is_behind {
                job.count_repeated(place, report.counts);
            }
            return;
        };
        if stage.state != StageState::Open {
            job.count_repeated(place, report.counts);
            self.output_is_back(turn, job_id, place, lease, tasks);
            return;
        }
        let new = stage.done.gaps(tasks);
        let count: u64 = new.iter().map(|range| range.len()).sum();
        stage.done.insert(tasks);
        stage.forget_faults(tasks);
        // Tasks that this lease alone holds are in no other place.
        let holder = lease.and_then(|id| self.leases.get(id));
        let is_held = holder
            .is_some_and(|lease| lease.is_live() && lease.partner.is_none() && lease.unreported.contains_range(tasks));
        if !is_held {
            stage.take_out(tasks);
        }
        let row = stage.row;
        let (measured, repeated) = split(report.counts, count, tasks.len());
        stage.content += measured.content;
        if let Some(row) = row.and_then(|row| job.rows.get_mut(row)) {
            row.measured += measured;
        }
        job.count_repeated(place, repeated);
        let (mut rest, mut left) = (measured, count);
        for range in new {
            let (counts, others) = split(rest, range.len(), left);
            (rest, left) = (others, left.saturating_sub(range.len()));
            let fact = RecordFact::TasksDone { stage: place.address(job_id, run), tasks: range, counts };
            self.record(turn, fact);
        }
        if !is_held {
            self.end_needless(turn, job_id, place, lease);
        }
    }

    /// Ends the live leases of a stage that have nothing left to do because others did it.
    fn end_needless(&mut self, turn: &mut Turn, job_id: &JobId, place: StagePlace, reporter: Option<LeaseId>) {
        let Some(stage) = self.jobs.get(job_id).and_then(|job| job.stage(place)) else { return };
        let is_needless = |id: &LeaseId| {
            self.leases.get(*id).is_some_and(|lease| lease.unreported.runs().all(|run| stage.done.contains_range(run)))
        };
        let needless: Vec<LeaseId> =
            stage.leases.iter().copied().filter(|id| Some(*id) != reporter && is_needless(id)).collect();
        for lease in needless {
            self.end_lease(turn, lease, WhyEnded::Revoked);
        }
    }

    /// A repair lease has written a lost output again: its readers may go on.
    fn output_is_back(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        place: StagePlace,
        lease: Option<LeaseId>,
        tasks: TaskRange,
    ) {
        let repair = lease
            .and_then(|id| self.leases.get(id))
            .filter(|lease| lease.is_live() && lease.kind == LeaseKind::Repair && tasks.contains(lease.tasks.start));
        if let Some(task) = repair.map(|lease| lease.tasks.start) {
            self.repair_is_done(turn, job_id, place, task);
        }
    }

    /// The worker goes on with the lease, or is through with it.
    fn note_progress(&mut self, turn: &mut Turn, id: LeaseId, done: &[DoneTasks]) {
        let Some(lease) = self.leases.get(id) else { return };
        let (ms, is_live) = (self.now.ms_since(lease.progress_at), lease.is_live());
        let (job_id, place) = (lease.job.clone(), lease.place);
        let (now, progress_ms) = (self.now, self.progress_ms());
        let mut reported = 0_u64;
        self.leases.change(id, progress_ms, |lease| {
            for done in done {
                reported = reported.saturating_add(lease.unreported.remove(done.tasks));
            }
            if is_live {
                (lease.progress_at, lease.moved_at) = (now, now);
            }
        });
        let Some(lease) = self.leases.get(id) else { return };
        let stage = self.jobs.get_mut(&job_id).and_then(|job| job.stage_mut(place));
        if let Some(stage) = stage.filter(|_| is_live && reported > 0) {
            let usual = stage.pace.ms_for(reported);
            stage.pace.add(reported, ms);
            if let Some(worker) = self.fleet.get_mut(&lease.worker) {
                worker.record.note_done(usual, ms);
            }
        }
        if lease.unreported.is_empty() {
            self.settle_lease(turn, id);
        } else if lease.is_live() {
            self.end_if_needless(turn, id, &job_id, place);
        }
    }

    /// Its own reports may leave a lease with nothing but what its partner has done.
    fn end_if_needless(&mut self, turn: &mut Turn, id: LeaseId, job_id: &JobId, place: StagePlace) {
        let Some(lease) = self.leases.get(id).filter(|lease| lease.kind != LeaseKind::Repair) else { return };
        let Some(stage) = self.jobs.get(job_id).and_then(|job| job.stage(place)) else { return };
        if lease.unreported.runs().all(|run| stage.done.contains_range(run)) {
            self.end_lease(turn, id, WhyEnded::Revoked);
        }
    }
}

/// The part of `counts` that falls to `tasks` of `of` tasks, and the rest: their sum is `counts`. Workers count tasks
/// together that asked for the same, so only what no plan predicts is estimated, where some of them were done before.
fn split(counts: Counts, tasks: u64, of: u64) -> (Counts, Counts) {
    if tasks == of {
        return (counts, Counts::default());
    }
    if tasks == 0 {
        return (Counts::default(), counts);
    }
    let (mut part, mut rest) = (counts, counts);
    // No part of a sum is a sum of a part: workers tell it task by task.
    (part.content, rest.content) = (ContentSum::default(), ContentSum::default());
    // One of the tasks took the most memory: perhaps one of these, perhaps one of the others.
    let fields: [fn(&mut Counts) -> &mut u64; 13] = [
        |counts| &mut counts.get_requests,
        |counts| &mut counts.put_requests,
        |counts| &mut counts.delete_requests,
        |counts| &mut counts.bytes_decoded,
        |counts| &mut counts.bytes_encoded,
        |counts| &mut counts.skipped_fill_chunks,
        |counts| &mut counts.missing_source_chunks,
        |counts| &mut counts.metadata_requests,
        |counts| &mut counts.repeated_requests,
        |counts| &mut counts.upload_parts,
        |counts| &mut counts.wire_bytes_read,
        |counts| &mut counts.wire_bytes_written,
        |counts| &mut counts.rate_wait_us,
    ];
    for field in fields {
        let whole = *field(&mut part);
        let share = u128::from(whole).saturating_mul(u128::from(tasks)) / u128::from(of.max(1));
        let share = u64::try_from(share).unwrap_or(u64::MAX).min(whole);
        *field(&mut part) = share;
        *field(&mut rest) = whole.saturating_sub(share);
    }
    (part, rest)
}
