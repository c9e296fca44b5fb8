//! One call: with its deadline, and with its answer in the words of the domain.

use std::{error::Error, future::Future, time::Duration};

use prost::Message;
use rechunk_common::{Refusal, RefusalCode, limits::MAX_MESSAGE_BYTES};
use tonic::{Request, Response, Status};

use super::ClientError;
use crate::{
    fault::Fault,
    status::{from_status, is_of_transport},
};

/// A request that tells the coordinator when nobody will wait any more. One over the message limit is refused here:
/// sent, it would only cut its connection.
pub(super) fn request<W: Message>(message: impl Into<W>, deadline: Duration) -> Result<Request<W>, ClientError> {
    let message = message.into();
    let bytes = message.encoded_len();
    if bytes > MAX_MESSAGE_BYTES {
        let message = format!(
            "the request has {bytes} bytes, and MAX_MESSAGE_BYTES is {MAX_MESSAGE_BYTES}; submit several smaller ones"
        );
        return Err(Refusal::new(RefusalCode::ResourceExhausted, "LIMIT_EXCEEDED", message).into());
    }
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    Ok(request)
}

/// The answer of a call within its deadline. The header alone does not bound an answer whose body never ends.
pub(super) async fn answer<W>(
    url: &str,
    deadline: Duration,
    call: impl Future<Output = Result<Response<W>, Status>>,
) -> Result<W, ClientError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(refused(url, &status)),
        Err(_elapsed) => {
            let cause = format!("no answer within {deadline:?}");
            Err(ClientError::Unreachable { url: url.to_owned(), cause })
        }
    }
}

/// A message of the coordinator as what it means.
pub(super) fn converted<W, D>(url: &str, message: W) -> Result<D, ClientError>
where
    D: TryFrom<W>,
    D::Error: Into<Fault>,
{
    D::try_from(message).map_err(|invalid| ClientError::bad_answer(url, &invalid.into()))
}

/// A part of an answer that must be there.
pub(super) fn required<W>(url: &str, field: &str, value: Option<W>) -> Result<W, ClientError> {
    value.ok_or_else(|| ClientError::bad_answer(url, &Fault::at(field, crate::Problem::Missing)))
}

/// What a status means.
pub(super) fn refused(url: &str, status: &Status) -> ClientError {
    if is_of_transport(status) {
        let cause = status.source().map_or_else(|| status.message().to_owned(), cause_of);
        ClientError::Unreachable { url: url.to_owned(), cause }
    } else {
        ClientError::Refused(from_status(status))
    }
}

/// The last cause of an error says most: `connection refused` rather than `transport error`.
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
