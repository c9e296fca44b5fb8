//! A job as it changes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::Stream;
use rechunk_common::job::JobView;
use tonic::Streaming;

use super::{
    ClientError,
    call::{converted, refused, required},
};
use crate::v1;

/// The views of a job: its state at once, then as it changes; ends after the terminal one. Ends with
/// [`ClientError::Unreachable`] where the coordinator goes away before that.
#[derive(Debug)]
pub struct JobWatch {
    url: String,
    answers: Streaming<v1::WatchJobResponse>,
}

impl JobWatch {
    pub(super) fn new(url: String, answers: Streaming<v1::WatchJobResponse>) -> Self {
        Self { url, answers }
    }
}

impl Stream for JobWatch {
    type Item = Result<JobView, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let answer = match Pin::new(&mut self.answers).poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(answer)) => answer,
        };
        let view = answer
            .map_err(|status| refused(&self.url, &status))
            .and_then(|answer| required(&self.url, "job", answer.job))
            .and_then(|job| converted(&self.url, job));
        Poll::Ready(Some(view))
    }
}
