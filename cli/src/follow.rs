//! Follows a job to its end: shows progress, and cancels it when the user presses Ctrl-C.

use futures::StreamExt;
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    job::{JobState, JobView},
};

use crate::{failure::Failure, interrupt::Interrupts, progress::Progress, service::Service};

/// What Ctrl-C does while a job is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// The job is cancelled; a second Ctrl-C exits at once.
    Cancel,
    /// Only the following ends.
    Leave,
}

/// The job's terminal view, with its plan; or why there is none.
pub(crate) async fn to_the_end(
    service: &dyn Service,
    job: &JobId,
    progress: &mut Progress,
    on_interrupt: OnInterrupt,
    interrupts: &Interrupts,
) -> Result<JobView, Failure> {
    let listener = match on_interrupt {
        OnInterrupt::Cancel => Some(interrupts.listen()),
        OnInterrupt::Leave => None,
    };
    let asked = async {
        match &listener {
            Some(listener) => listener.asked().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(asked);
    let mut is_cancelled = false;
    let mut views = service.watch(job).await?;
    loop {
        tokio::select! {
            view = views.next() => match view {
                Some(view) => {
                    let view = view?;
                    progress.show(&view);
                    if view.state.is_terminal() {
                        break;
                    }
                }
                None => break,
            },
            () = &mut asked, if !is_cancelled => {
                is_cancelled = true;
                progress.say("cancelling; press Ctrl-C again to leave at once");
                match service.cancel(job).await {
                    // Too late to cancel: the result is being published, so follow it to its end.
                    Err(Failure::Refused(refusal)) => progress.say(&refusal.to_string()),
                    answer => answer?,
                }
            }
        }
    }
    progress.finish();
    service.job(job).await
}

/// The terminal view as a result: only a job that succeeded is one.
pub(crate) fn outcome(job: JobView) -> Result<JobView, Failure> {
    match job.state {
        JobState::Succeeded => Ok(job),
        JobState::Cancelled => Err(Failure::cancelled()),
        JobState::Failed => Err(Failure::JobFailed(job.failure.unwrap_or_else(|| {
            Refusal::new(RefusalCode::Internal, "INTERNAL", format!("{} failed without a reason", job.id))
        }))),
        JobState::Accepted | JobState::Running | JobState::Succeeding | JobState::Failing | JobState::Cancelling => {
            let message =
                format!("the coordinator stopped reporting on {} while it was {}", job.id, job.state.as_str());
            Err(Failure::Unreachable(Refusal::new(RefusalCode::Unavailable, "WATCH_ENDED", message)))
        }
    }
}
