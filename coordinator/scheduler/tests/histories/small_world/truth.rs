//! What really happened to the objects, and what callers were told: known apart from the scheduler, and compared.

use std::collections::BTreeSet;

use rechunk_common::{
    ids::StageAddress,
    job::{JobState, JobView},
    plan::StageEffect,
    record::RecordFact,
};

use super::plan::Scope;

/// A task: phase, stage, index.
type Task = (u32, u32, u64);

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Truth {
    /// Tasks that ran to their end, at least once.
    done: BTreeSet<Task>,
    /// The last stage that destroyed or published something: nothing before it may be written any more.
    closed: Option<(u32, u32)>,
    /// Tasks that the journal says are done.
    recorded: BTreeSet<Task>,
    /// The journal says that what the failed job wrote is being removed: its retry window is over.
    is_removing: bool,
    pub(super) was_accepted: bool,
    pub(super) was_cancelled: bool,
}

impl Truth {
    /// A worker does a task now. Says whether it was done before.
    pub(super) fn run(
        &mut self,
        scope: &Scope,
        standing: Option<JobState>,
        stage: &StageAddress,
        task: u64,
    ) -> Result<bool, String> {
        let place = (stage.phase.0, stage.stage.0);
        let name = format!("task {task} of {stage}");
        if standing.is_none_or(JobState::is_terminal) && !self.may_clean_up(stage) {
            return Err(format!("a terminal job is a promise: {name} runs, and the job is {standing:?}"));
        }
        if self.closed.is_some_and(|closed| place < closed) {
            return Err(format!("nothing writes where a later stage has destroyed or published: {name} does"));
        }
        let before =
            (0..place.1).flat_map(|stage| (0..scope.tasks_of(place.0)).map(move |task| (place.0, stage, task)));
        if let Some(missing) = before.into_iter().find(|task| !self.done.contains(task)) {
            return Err(format!("a barrier stands until every task is done: {name} runs without {missing:?}"));
        }
        let effect = match place {
            (0, 0) => StageEffect::Writes,
            (0, _) => scope.second,
            _ => StageEffect::Destroys,
        };
        match effect {
            StageEffect::Writes => {}
            StageEffect::Destroys | StageEffect::Publishes | StageEffect::Verifies => {
                self.closed = self.closed.max(Some(place));
            }
        }
        Ok(!self.done.insert((place.0, place.1, task)))
    }

    /// Whether the stage is the removal of what a failed job left, and its time has come.
    pub(super) fn may_clean_up(&self, stage: &StageAddress) -> bool {
        self.is_removing && stage.phase.0 == 1
    }

    /// The scheduler writes a record.
    pub(super) fn note_record(&mut self, fact: &RecordFact) -> Result<(), String> {
        self.is_removing |= matches!(fact, RecordFact::CleanupStarted { .. });
        let RecordFact::TasksDone { stage, tasks, .. } = fact else { return Ok(()) };
        for task in tasks.start..tasks.end {
            let task = (stage.phase.0, stage.stage.0, task);
            if !self.done.contains(&task) {
                return Err(format!("what is recorded is true: {task:?} was never done"));
            }
            if !self.recorded.insert(task) {
                return Err(format!("a task is recorded once: {task:?} was before"));
            }
        }
        Ok(())
    }

    /// Another coordinator begins with these records.
    pub(super) fn forget_records<'a>(&mut self, kept: impl Iterator<Item = &'a RecordFact>) -> Result<(), String> {
        self.recorded.clear();
        self.is_removing = false;
        kept.into_iter().try_for_each(|fact| self.note_record(fact))
    }

    /// The job is terminal.
    pub(super) fn check_end(&self, scope: &Scope, job: &JobView) -> Result<(), String> {
        if job.failure.as_ref().is_some_and(|failure| failure.reason == "VERIFICATION_FAILED") {
            return Err(format!("what was written once is counted once: {:?}", job.failure));
        }
        let all = (0..2).flat_map(|stage| (0..scope.tasks).map(move |task| (0, stage, task)));
        if job.state == JobState::Succeeded {
            if let Some(missing) = all.into_iter().find(|task| !self.done.contains(task)) {
                return Err(format!("a job has succeeded when every task is done: {missing:?} is not"));
            }
            if job.stages.iter().any(|row| row.done != row.tasks || row.measured.put_requests != row.tasks) {
                return Err(format!("every task is counted once: {:?}", job.stages));
            }
        }
        if job.state == JobState::Cancelled && !self.done.contains(&(1, 0, 0)) {
            return Err("a cancelled job has removed what it wrote: it has not".to_owned());
        }
        if self.was_cancelled && job.state == JobState::Succeeded {
            return Err("a confirmed cancel is kept: the job has succeeded".to_owned());
        }
        Ok(())
    }
}
