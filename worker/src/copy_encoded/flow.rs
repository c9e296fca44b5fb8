//! How much is under way at a time. An object starts when there is room for all that it will hold, so whatever is
//! under way can always finish; one that turns out to be longer than was thought waits for its true length.

use std::sync::Arc;

use rechunk_common::{FailureClass, TaskFailure};
use tokio::task::{JoinError, JoinSet};

use super::passage::{Object, Passage, Step};
use crate::{compute::of_panic, failure::bug};

/// Target objects under way at the most, where memory is to spare: enough to hide the latency of an object store.
const MOST_IN_FLIGHT: usize = 32;

/// The objects of one task on their way.
pub(super) struct Flow {
    passage: Arc<Passage>,
    running: JoinSet<Result<Step, TaskFailure>>,
    /// Objects that wait for room.
    waiting: Vec<Object>,
}

impl Flow {
    pub(super) fn new(passage: Arc<Passage>) -> Self {
        Self { passage, running: JoinSet::new(), waiting: Vec::new() }
    }

    /// Passes every object on.
    pub(super) async fn run(mut self) -> Result<(), TaskFailure> {
        let passage = Arc::clone(&self.passage);
        let memory = Arc::clone(passage.memory());
        let standing = passage.standing_room();
        let standing = memory.try_reserve(standing).ok_or_else(|| too_little(&passage, standing))?;
        let mut positions = passage.positions();
        loop {
            while self.running.len() < MOST_IN_FLIGHT {
                let object = match self.waiting.pop() {
                    Some(object) => object,
                    None => match positions.next() {
                        Some(position) => passage.object(position)?,
                        None => break,
                    },
                };
                let Some(room) = memory.try_reserve(object.room) else {
                    self.waiting.push(object);
                    break;
                };
                self.running.spawn(Arc::clone(&passage).pass(object, room));
            }
            if self.running.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                ended = self.running.join_next() => {
                    if let Some(ended) = ended {
                        self.note(ended)?;
                    }
                }
                () = memory.freed().notified() => {}
            }
        }
        drop(standing);
        // Nothing is under way: what waits can never start.
        match self.waiting.first() {
            None => Ok(()),
            Some(object) if object.is_known() => {
                let reason = format!(
                    "cannot copy {}: it needs {} bytes of its task's {}; give more memory",
                    passage.url_of(object),
                    object.room,
                    memory.limit().0
                );
                Err(TaskFailure::new(FailureClass::GiveUpTask, reason))
            }
            Some(object) => Err(too_little(&passage, object.room)),
        }
    }

    fn note(&mut self, ended: Result<Result<Step, TaskFailure>, JoinError>) -> Result<(), TaskFailure> {
        match ended {
            Ok(Ok(Step::Done)) => Ok(()),
            Ok(Ok(Step::NeedsMore(object))) => {
                self.waiting.push(object);
                Ok(())
            }
            Ok(Err(failure)) => Err(failure),
            Err(error) if error.is_panic() => Err(of_panic(error.into_panic().as_ref())),
            Err(_) => Err(bug("a part of a copy was cancelled")),
        }
    }
}

fn too_little(passage: &Passage, needed: u64) -> TaskFailure {
    let memory = passage.memory();
    bug(format!(
        "a copy needs {needed} bytes more of its memory of {} bytes, where {} are taken and nothing is under way",
        memory.limit().0,
        memory.reserved(),
    ))
}
