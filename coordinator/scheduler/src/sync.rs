//! One call of a worker: what it reports and holds is taken in at once; its answer waits until there is something to
//! say, or until its time is up.

use std::collections::BTreeSet;

use rechunk_common::{
    ids::{JobId, LeaseId, SyncSeq, WorkerId},
    limits::{MAX_LEASES_PER_WORKER, MAX_SYNC_WAIT, MAX_WORKERS},
    session::{Grant, Lease, SyncCall, SyncRequest, SyncResponse},
};

use crate::{
    command::Command,
    lease::{LeaseState, Standing, WhyEnded},
    state::{Scheduler, Turn},
    worker::{Poll, Worker},
};

impl Scheduler {
    /// A worker speaks.
    pub(crate) fn sync(&mut self, turn: &mut Turn, request: SyncRequest) {
        match self.fleet.get(&request.worker) {
            None if self.fleet.len() >= MAX_WORKERS => {
                let response = self.response(request.seq, 0);
                answer(turn, request.call(), response);
            }
            Some(worker) if request.incarnation < worker.incarnation => self.sync_of_earlier(turn, request),
            Some(worker) if worker.incarnation == request.incarnation && request.seq <= worker.seq => {
                self.sync_out_of_order(turn, request);
            }
            Some(_) | None => self.sync_in_order(turn, request),
        }
    }

    fn sync_in_order(&mut self, turn: &mut Turn, mut request: SyncRequest) {
        self.end_poll(turn, &request.worker);
        self.meet(turn, &request);
        let held = std::mem::take(&mut request.held);
        let reports = std::mem::take(&mut request.reports);
        let has_reports = !reports.is_empty();
        for lease in &held {
            self.adopt(turn, &request, lease);
        }
        self.take_reports(turn, &request.worker, request.incarnation, reports);
        self.settle_unlisted(turn, &request.worker, &held);
        let (renewed, unknown) = self.renew_listed(&request, &held);
        self.note_moves(&request);
        let told = self.fleet.get(&request.worker).map(|worker| &worker.told);
        let is_news = unknown.iter().any(|lease| told.is_none_or(|told| !told.contains(lease)));
        let wait = request.wait.min(MAX_SYNC_WAIT).min(self.settings.lease / 3);
        let rest = self.fleet.get(&request.worker).and_then(|worker| worker.record.rest_at(self.now));
        let until = self.now.after(wait);
        let until = rest.map_or(until, |rest| rest.min(until));
        let poll = Poll { seq: request.seq, until, is_urgent: has_reports || is_news, renewed, unknown };
        self.fleet.set_poll(&request.worker, poll);
        turn.serve.insert(request.worker);
    }

    /// Takes in what the worker says of itself. A later process under a known name takes the place of the one before, which may still be writing: its tasks are leased again, its leases are over when their time is.
    fn meet(&mut self, turn: &mut Turn, request: &SyncRequest) {
        let known = self.fleet.get(&request.worker);
        let has_died = known.is_some_and(|worker| worker.incarnation != request.incarnation);
        if has_died {
            let leases: Vec<LeaseId> = known.map(|worker| worker.leases.iter().copied().collect()).unwrap_or_default();
            for lease in leases {
                self.lease_died(turn, lease, WhyEnded::Expired);
            }
        }
        let worker = match self.fleet.remove(&request.worker) {
            Some(worker) if !has_died => worker,
            Some(_) | None => Worker::new(request.incarnation, self.now),
        };
        turn.wake |= request.draining && !worker.is_draining;
        let functions: BTreeSet<_> = request.functions.iter().cloned().collect();
        let is_news =
            worker.functions != functions || worker.total != request.total || worker.is_draining != request.draining;
        let worker = Worker {
            seq: request.seq,
            functions,
            free: request.free,
            total: request.total,
            is_draining: request.draining,
            version: request.version.clone(),
            peak_rss: request.peak_rss,
            last_heard: self.now,
            held: request.held.len(),
            ..worker
        };
        self.fleet.put(request.worker.clone(), worker);
        if is_news {
            self.fleet_changed(turn);
        }
    }

    /// Jobs that wait may wait for something else now.
    pub(crate) fn fleet_changed(&self, turn: &mut Turn) {
        let waits = |id: &&JobId| self.jobs.get(*id).is_some_and(|job| job.leased == 0);
        turn.changed.extend(self.turns.jobs().filter(waits).cloned());
    }

    /// A lease that its worker does not list is over: it was finished, or its grant was lost on the way.
    fn settle_unlisted(&mut self, turn: &mut Turn, worker: &WorkerId, held: &[Lease]) {
        let Some(state) = self.fleet.get(worker) else { return };
        if state.leases.is_empty() {
            return;
        }
        let listed: BTreeSet<LeaseId> = held.iter().map(|lease| lease.id).collect();
        let over: Vec<LeaseId> = state.leases.difference(&listed).copied().collect();
        for lease in over {
            self.note_let_go(lease);
            self.settle_lease(turn, lease);
        }
    }

    /// A worker that lets go of a lease, after its term and before its tasks are done, could not renew it in time: as bad
    /// as a failure, or the same tasks would go round with the slowest of all.
    fn note_let_go(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.get(id).filter(|lease| lease.is_live() && !lease.unreported.is_empty()) else {
            return;
        };
        if self.now >= lease.granted_at.after(self.settings.lease)
            && let Some(worker) = self.fleet.get_mut(&lease.worker)
        {
            worker.record.note_failure(self.now);
        }
    }

    /// Live leases get more time; those without a record here are to stop. Ended ones are named in every answer anyway.
    fn renew_listed(&mut self, request: &SyncRequest, held: &[Lease]) -> (Vec<LeaseId>, Vec<LeaseId>) {
        let expires_at = self.now.after(self.settings.lease).after(self.settings.margin);
        let (mut renewed, mut unknown) = (Vec::new(), Vec::new());
        for lease in held {
            match self.leases.of(lease.id, &request.worker, request.incarnation).map(|lease| lease.standing) {
                Some(Standing::Live { .. }) => {
                    renewed.push(lease.id);
                    let progress_ms = self.progress_ms();
                    self.leases.change(lease.id, progress_ms, |lease| lease.standing = Standing::Live { expires_at });
                }
                Some(Standing::Ended { .. }) => {}
                None => unknown.push(lease.id),
            }
        }
        (renewed, unknown)
    }

    /// A call that was overtaken by a later one, or repeated: only its reports count.
    fn sync_out_of_order(&mut self, turn: &mut Turn, request: SyncRequest) {
        if self.fleet.get(&request.worker).is_some_and(|worker| worker.seq == request.seq) {
            self.fleet.take_poll(&request.worker);
        }
        let call = request.call();
        self.take_reports(turn, &request.worker, request.incarnation, request.reports);
        let accepted = self.fleet.get(&request.worker).map_or(0, |worker| worker.accepted_through);
        let response = self.response(request.seq, accepted);
        answer(turn, call, response);
    }

    /// A call of a process that another one of its name has replaced: what it did counts, and it is to stop.
    fn sync_of_earlier(&mut self, turn: &mut Turn, request: SyncRequest) {
        let call = request.call();
        let through = request.reports.iter().map(|report| report.number).max().unwrap_or(0);
        for report in request.reports {
            self.take_report(turn, &request.worker, request.incarnation, report);
        }
        let revoked = request.held.iter().map(|lease| lease.id).collect();
        let response = SyncResponse { revoked, ..self.response(request.seq, through) };
        answer(turn, call, response);
    }

    /// The older call of a worker that speaks again gets nothing.
    fn end_poll(&mut self, turn: &mut Turn, worker: &WorkerId) {
        if let Some(poll) = self.fleet.take_poll(worker) {
            let Some((incarnation, accepted)) =
                self.fleet.get(worker).map(|worker| (worker.incarnation, worker.accepted_through))
            else {
                return;
            };
            let call = SyncCall { worker: worker.clone(), incarnation, seq: poll.seq };
            let response = self.response(poll.seq, accepted);
            answer(turn, call, response);
        }
    }

    /// Tries every waiting call, the one that waits longest first, while there is work.
    pub(crate) fn serve_waiting(&mut self, turn: &mut Turn) {
        let mut last = None;
        while (!self.turns.is_empty() || !self.late.is_empty())
            && let Some(next) = self.fleet.poll_after(last.as_ref()).cloned()
        {
            self.serve(turn, &next.1);
            last = Some(next);
        }
    }

    /// Answers the waiting call of a worker if there is something to say, or if its time is up.
    pub(crate) fn serve(&mut self, turn: &mut Turn, worker_id: &WorkerId) {
        let Some(poll) = self.fleet.get(worker_id).and_then(|worker| worker.poll.clone()) else { return };
        let granted = self.grants_for(turn, worker_id);
        let Some(worker) = self.fleet.get(worker_id) else { return };
        let ended: Vec<(LeaseId, bool)> = worker
            .leases
            .iter()
            .filter_map(|id| self.leases.get(*id).map(|lease| (*id, lease)))
            .filter(|(_, lease)| !lease.is_live())
            .map(|(id, lease)| (id, lease.was_told))
            .collect();
        let has_news = poll.is_urgent || !granted.is_empty() || ended.iter().any(|(_, was_told)| !was_told);
        if !has_news && poll.until > self.now {
            return;
        }
        let accepted = worker.accepted_through;
        let call = SyncCall { worker: worker_id.clone(), incarnation: worker.incarnation, seq: poll.seq };
        self.fleet.take_poll(worker_id);
        let progress_ms = self.progress_ms();
        for (id, _) in &ended {
            self.leases.change(*id, progress_ms, |lease| lease.was_told = true);
        }
        let renewed = poll.renewed.into_iter().filter(|id| self.leases.get(*id).is_some_and(LeaseState::is_live));
        let renewed = renewed.collect();
        let revoked = ended.into_iter().map(|(id, _)| id).chain(poll.unknown.iter().copied()).collect();
        if let Some(worker) = self.fleet.get_mut(worker_id) {
            worker.told = poll.unknown.into_iter().collect();
        }
        let response = SyncResponse { granted, revoked, renewed, ..self.response(poll.seq, accepted) };
        answer(turn, call, response);
    }

    /// New leases within what the worker has free.
    fn grants_for(&mut self, turn: &mut Turn, worker_id: &WorkerId) -> Vec<Grant> {
        let Some(worker) = self.fleet.get(worker_id).filter(|worker| !worker.is_draining) else { return Vec::new() };
        if worker.record.rest_at(self.now).is_some() && self.fleet.has_other_at_work(worker_id, self.now) {
            return Vec::new();
        }
        let mut free = worker.free;
        let most = usize::try_from(MAX_LEASES_PER_WORKER).unwrap_or(usize::MAX).saturating_sub(worker.held);
        let mut granted = Vec::new();
        while free.slots > 0 && granted.len() < most {
            let Some(grant) = self.grant_next(turn, worker_id, &free) else { break };
            free.slots = free.slots.saturating_sub(1);
            free.memory.0 = free.memory.0.saturating_sub(grant.task_memory.0);
            free.scratch.0 = free.scratch.0.saturating_sub(grant.task_scratch.0);
            granted.push(grant);
            // A job without a fresh task may open its next pipeline, and this worker may have room for it.
            self.advance_touched(turn);
        }
        granted
    }

    fn response(&self, seq: SyncSeq, accepted: u64) -> SyncResponse {
        SyncResponse {
            epoch: self.epoch,
            seq,
            granted: Vec::new(),
            revoked: Vec::new(),
            renewed: Vec::new(),
            reports_accepted_through: accepted,
            next_sync_after: self.settings.lease / 3,
            // Stores are no concern of the scheduler's: the driver shares them out.
            request_shares: None,
        }
    }
}

fn answer(turn: &mut Turn, call: SyncCall, response: SyncResponse) {
    turn.commands.push(Command::Answer { call, response: Box::new(response) });
}
