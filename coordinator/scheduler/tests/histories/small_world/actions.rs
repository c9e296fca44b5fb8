//! What can happen next.

use rechunk_common::job::JobState;

use super::SmallWorld;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message arrives.
    Deliver(usize),
    /// A message arrives, and will arrive again.
    Repeat(usize),
    /// A message is lost.
    Lose(usize),
    /// A worker does the next task of a lease.
    Work(usize, usize),
    /// A worker fails at the next task of a lease.
    Fail(usize, usize),
    /// A worker finds an output of the stage before lost.
    MissInput(usize, usize),
    /// A worker's process is replaced.
    Die(usize),
    /// All records through the next that something waits for become durable, and the coordinator hears of it.
    Record,
    /// Time passes, to the next moment that means something.
    Pass,
    /// The coordinator dies, and another begins with so many records.
    Crash(usize),
    /// A caller cancels the job.
    Cancel,
    /// A caller retries the job.
    Retry,
}

impl SmallWorld {
    /// Everything that can happen next. Nothing: it is over.
    ///
    /// Once nothing can go wrong any more that depends on when a worker does its part, workers do it at once: whatever
    /// they do commutes with what happens elsewhere, so that no other order would show anything new.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.broken.is_some() {
            return actions;
        }
        let state = self.state();
        let may_retry = state == Some(JobState::Failed) && self.left.retries > 0;
        let is_over = match state {
            Some(state) => state.is_terminal() && !may_retry,
            None => self.durable == self.journal.len(),
        };
        if is_over {
            // What is still on the way arrives and must do no harm.
            actions.extend((0..self.network.len()).map(Action::Deliver));
            return actions;
        }
        if let Some(answer) = self.network.first_answer().filter(|_| self.left.is_timeless()) {
            actions.push(Action::Deliver(answer));
            actions.extend(Some(Action::Lose(answer)).filter(|_| self.left.lost > 0));
            return actions;
        }
        let working = self.workers.iter().position(|worker| !worker.held.is_empty());
        if let Some(worker) = working.filter(|_| self.left.is_timeless()) {
            self.add_work(worker, &mut actions);
            return actions;
        }
        actions.extend((0..self.network.len()).map(Action::Deliver));
        actions.extend(Some(Action::Retry).filter(|_| may_retry));
        (0..self.workers.len()).for_each(|worker| self.add_work(worker, &mut actions));
        actions.extend(Some(Action::Record).filter(|_| self.next_fact().is_some()));
        let may_be_late = self.left.delays > 0 && self.next_due().is_some();
        if may_be_late || actions.is_empty() {
            actions.push(Action::Pass);
        }
        self.add_trouble(&mut actions);
        actions
    }

    /// Whether nothing is left to do but to let time pass.
    pub(super) fn is_quiet(&self) -> bool {
        let may_retry = self.state() == Some(JobState::Failed) && self.left.retries > 0;
        let is_working = self.workers.iter().any(|worker| !worker.held.is_empty());
        self.network.len() == 0 && self.next_fact().is_none() && !may_retry && !is_working
    }

    /// Position in the journal of the next record that something waits for. That others become durable shows only when
    /// the coordinator dies, and it may die with any of them durable.
    pub(super) fn next_fact(&self) -> Option<usize> {
        let waiting = &self.journal[self.durable..];
        waiting.iter().position(|written| written.record.is_synchronous).map(|before| self.durable + before)
    }

    fn add_work(&self, worker: usize, actions: &mut Vec<Action>) {
        for (lease, held) in self.workers[worker].held.iter().enumerate() {
            actions.push(Action::Work(worker, lease));
            if self.left.failures > 0 {
                actions.push(Action::Fail(worker, lease));
            }
            if self.left.lost_inputs > 0 && self.scope.reads(&held.lease.stage) {
                actions.push(Action::MissInput(worker, lease));
            }
        }
    }

    fn add_trouble(&self, actions: &mut Vec<Action>) {
        let messages = 0..self.network.len();
        if self.left.lost > 0 {
            actions.extend(messages.clone().map(Action::Lose));
        }
        if self.left.repeated > 0 {
            actions.extend(messages.map(Action::Repeat));
        }
        if self.left.crashes > 0 {
            actions.extend((self.durable..=self.journal.len()).map(Action::Crash));
        }
        let known = self.workers.iter().enumerate().filter(|(_, worker)| worker.seq > 1);
        if self.left.deaths > 0 {
            actions.extend(known.map(|(index, _)| Action::Die(index)));
        }
        if self.left.cancels > 0 && self.truth.was_accepted {
            actions.push(Action::Cancel);
        }
    }
}
