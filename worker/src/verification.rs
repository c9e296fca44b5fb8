//! Reads back what a copy has written, as a reader would, and sums its content. Whether that is the content that was
//! read from the source is for the coordinator to say, who knows of all tasks.
//!
//! The same bytes as a reader's, but for what is cached on the way: a store that answers from a cache is believed.

use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::TaskIndex,
    plan::{ReadBackAs, Verify},
};

use crate::{context::TaskContext, copy, copy_encoded};

/// Reads box `task` back.
pub(crate) async fn verify(cx: &TaskContext, function: &Verify, task: TaskIndex) -> Result<(), TaskFailure> {
    let apart = cx.counted_apart();
    let read = match function.read_back_as {
        ReadBackAs::Elements => copy::read_back(&apart, function, task).await,
        ReadBackAs::EncodedChunks | ReadBackAs::EncodedInnerChunks => {
            copy_encoded::read_back(&apart, function, task).await
        }
    };
    // What is missing here was left out by the copy, and counted there.
    let asked = Counts { missing_source_chunks: 0, skipped_fill_chunks: 0, ..apart.tally().total() };
    cx.tally().add(|counts| *counts += asked);
    read.map_err(of_target)
}

/// An object that cannot be read is one of the target.
fn of_target(failure: TaskFailure) -> TaskFailure {
    match failure.class {
        FailureClass::GiveUpTask => {
            TaskFailure { message: format!("what was written does not read back: {}", failure.message), ..failure }
        }
        FailureClass::TryAgain
        | FailureClass::TryElsewhere
        | FailureClass::InputLost { .. }
        | FailureClass::InvalidRequest
        | FailureClass::Bug => failure,
    }
}
