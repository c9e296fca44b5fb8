//! What comes of each thing that happens.

use std::sync::Arc;

use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::{Epoch, JobId, JournalPosition, TaskIndex},
    job::JobState,
    session::{FailedTask, Lease},
    task_set::TaskRange,
};
use rechunk_scheduler::{Command, Event, RecordFact, Scheduler, Timestamp};

use super::{
    Action, JOB, Scope, SmallWorld, Written,
    network::{Body, Message},
    print::print_of_debug,
};

impl SmallWorld {
    /// The world after `action`.
    #[must_use]
    pub(crate) fn after(mut self, action: Action) -> Self {
        match action {
            Action::Deliver(index) => {
                let message = self.network.take(index);
                self.deliver(&message);
            }
            Action::Repeat(index) => {
                self.left.repeated -= 1;
                let message = self.network.get(index).clone();
                self.deliver(&message);
            }
            Action::Lose(index) => {
                self.left.lost -= 1;
                let message = self.network.take(index);
                let worker = &mut self.workers[message.worker];
                if worker.incarnation == message.incarnation
                    && worker.asked.is_some_and(|asked| asked.seq == message.seq)
                {
                    worker.give_up_call();
                }
            }
            Action::Work(worker, lease) => self.work(worker, lease),
            Action::Fail(worker, lease) => {
                self.left.failures -= 1;
                self.fail(worker, lease, FailureClass::TryAgain);
            }
            Action::MissInput(worker, lease) => {
                self.left.lost_inputs -= 1;
                self.fail(worker, lease, FailureClass::InputLost { stages_back: 1, task: TaskIndex(0) });
            }
            Action::Die(worker) => {
                self.left.deaths -= 1;
                self.workers[worker].replace();
                self.open_calls.retain(|(of, _, _)| *of != worker);
            }
            Action::Record => {
                let Some(next) = self.next_fact() else { return self };
                self.durable = next + 1;
                let position = self.journal[next].record.position;
                self.apply(Event::RecordDurable { position });
            }
            Action::Pass => self.pass(),
            Action::Crash(kept) => self.crash(kept),
            Action::Cancel => {
                self.left.cancels -= 1;
                self.apply(Event::Cancel { job: JOB.into() });
            }
            Action::Retry => {
                self.left.retries -= 1;
                self.apply(Event::Retry { job: JOB.into() });
            }
        }
        self.call_all();
        self.look_at_the_end();
        self
    }

    /// Workers that have something to say, or to ask for, do so. Answers that nobody waits for say nothing.
    pub(super) fn call_all(&mut self) {
        for worker in 0..self.workers.len() {
            if self.workers[worker].would_call() {
                self.call(worker);
            }
        }
        let workers = &self.workers;
        self.network.keep_answers(|answer| {
            let worker = &workers[answer.worker];
            let is_awaited = worker.asked.is_some_and(|asked| asked.seq == answer.seq);
            worker.incarnation == answer.incarnation && is_awaited
        });
    }

    fn call(&mut self, worker: usize) {
        let function = Scope::function();
        let request = self.workers[worker].call(&name(worker), function, self.now);
        let incarnation = self.workers[worker].incarnation;
        self.network.send(worker, incarnation, request.seq.0, Body::Request(Arc::new(request)));
    }

    fn deliver(&mut self, message: &Message) {
        match &message.body {
            Body::Request(request) => {
                self.seen.was_overtaken |= self.network.has_earlier_request(message);
                if self.workers[message.worker].incarnation == message.incarnation {
                    self.open_calls.push((message.worker, message.incarnation, message.seq));
                    self.open_calls.sort_unstable();
                    self.open_calls.dedup();
                }
                self.apply(Event::Sync(Box::new((**request).clone())));
            }
            Body::Answer(answer) => {
                let now = self.now;
                let worker = &mut self.workers[message.worker];
                if worker.incarnation == message.incarnation {
                    worker.take(answer, now);
                }
            }
        }
    }

    /// What the coordinator's driver does.
    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Append(record) => {
                let outcome = self.truth.note_record(&record.fact);
                self.check(outcome);
                self.seen.expired |= matches!(record.fact, RecordFact::TaskDied { .. });
                self.idle_steps = 0;
                let print = print_of_debug(&record);
                self.journal.push(Written { record: Arc::new(record), print });
            }
            Command::Answer { call, response } => {
                let is_caller = |index: &usize| name(*index) == call.worker.as_str();
                let Some(index) = (0..self.workers.len()).find(is_caller) else { return };
                let incarnation = call.incarnation.0;
                let call = (index, incarnation, call.seq.0);
                // Only the call that waits hears it.
                if self.open_calls.contains(&call) {
                    self.open_calls.retain(|open| *open != call);
                    self.seen.backed_up |= response.granted.iter().any(|grant| self.is_held(&grant.lease, index));
                    self.seen.adopted |= response.renewed.iter().any(|lease| lease.epoch < response.epoch);
                    self.network.send(index, incarnation, response.seq.0, Body::Answer(Arc::from(response)));
                }
            }
            Command::Accepted { .. } => self.truth.was_accepted = true,
            Command::Confirmed { .. } => {
                // A retry is confirmed too, but never after a cancel.
                let is_cancel = self.state().is_some_and(|state| state == JobState::Cancelling);
                self.truth.was_cancelled |= is_cancel;
            }
            Command::Refused { .. } | Command::JobChanged { .. } => {}
        }
    }

    /// Whether a worker other than `but` is still to do a task of the lease.
    fn is_held(&self, lease: &Lease, but: usize) -> bool {
        let others = self.workers.iter().enumerate().filter(|(other, _)| *other != but);
        others.flat_map(|(_, worker)| &worker.held).any(|held| {
            let left = TaskRange::new(held.next, held.lease.tasks.end);
            held.lease.stage == lease.stage && left.intersection(lease.tasks).is_some()
        })
    }

    fn work(&mut self, worker: usize, lease: usize) {
        let held = &self.workers[worker].held[lease];
        let (stage, task) = (held.lease.stage.clone(), held.next);
        let standing = self.state();
        let outcome = self.truth.run(&self.scope, standing, &stage, task);
        self.seen.ran_twice |= matches!(outcome, Ok(true));
        self.check(outcome.map(|_| ()));
        self.workers[worker].end_task(lease, None);
    }

    fn fail(&mut self, worker: usize, lease: usize, class: FailureClass) {
        let Some((task, _)) = self.workers[worker].at(lease) else { return };
        let failure = TaskFailure::new(class, "no luck");
        let failed = FailedTask { task, failure, counts: Counts::default() };
        self.workers[worker].end_task(lease, Some(failed));
    }

    /// The next moment at which somebody does something by himself.
    pub(super) fn next_due(&self) -> Option<u64> {
        let held = self.workers.iter().flat_map(|worker| &worker.held).map(|held| held.until);
        held.chain(self.scheduler.next_deadline().map(|due| due.0)).min()
    }

    /// Time moves to the next moment at which somebody does something by himself; workers stop first.
    fn pass(&mut self) {
        if self.is_quiet() {
            self.idle_steps += 1;
        } else {
            self.left.delays = self.left.delays.saturating_sub(1);
        }
        let Some(next) = self.next_due() else {
            self.check(Err("whoever waits has a deadline: nothing is due, and the job has not ended".to_owned()));
            return;
        };
        self.now = self.now.max(next);
        for worker in &mut self.workers {
            worker.stop_late(self.now);
        }
        self.apply(Event::Tick);
    }

    /// The coordinator dies: calls that wait with it break off, and all but the first `kept` records are lost.
    fn crash(&mut self, kept: usize) {
        self.left.crashes -= 1;
        for (worker, _, seq) in std::mem::take(&mut self.open_calls) {
            let worker = &mut self.workers[worker];
            if worker.asked.is_some_and(|asked| asked.seq == seq) {
                worker.give_up_call();
            }
        }
        self.journal.truncate(kept);
        self.durable = kept;
        let outcome = self.truth.forget_records(self.journal.iter().map(|written| &written.record.fact));
        self.check(outcome);
        let records: Vec<_> = self.journal.iter().map(|written| (*written.record).clone()).collect();
        let last = records.last().map_or(JournalPosition(0), |record| record.position);
        let epoch = Epoch(self.scheduler.epoch().0 + 1);
        match Scheduler::recover(epoch, self.scope.settings(), Timestamp(self.now), records, last) {
            Ok(scheduler) => {
                self.scheduler = scheduler;
                self.apply(Event::Begin);
            }
            Err(inconsistent) => self.check(Err(format!("records follow from each other: {inconsistent}"))),
        }
        if self.truth.was_accepted && self.scheduler.job(&JobId::from(JOB)).is_none() {
            self.check(Err("an accepted job is kept: it is gone".to_owned()));
        }
    }

    fn look_at_the_end(&mut self) {
        if self.idle_steps >= super::MOST_IDLE_STEPS {
            self.check(Err(format!("every job ends: this one is {:?} and does not", self.state())));
        }
        let Some(job) = self.scheduler.job(&JobId::from(JOB)).filter(|job| job.state.is_terminal()) else { return };
        let outcome = self.truth.check_end(&self.scope, &job);
        self.check(outcome);
        // What a failed job has written is removed when its retry window is over; nothing else is.
        let mut held = self.workers.iter().flat_map(|worker| &worker.held);
        if held.any(|held| !self.truth.may_clean_up(&held.lease.stage)) {
            self.check(Err(format!("a terminal job is a promise: a worker still holds a lease, {:?}", job.state)));
        }
    }
}

fn name(worker: usize) -> String {
    format!("w{worker}")
}
