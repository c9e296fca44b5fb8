//! The HTTP client of object stores: `object_store`'s own, except that an answer other than success becomes a
//! [`StatusError`], because the status and the store's error code are lost in `object_store`'s errors otherwise.

use std::time::Duration;

use futures::StreamExt;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
        ReqwestConnector,
    },
};

/// How much of an error's body is read: the code stands at its beginning.
const MAX_ERROR_BODY: usize = 64 << 10;

/// Where machines in the cloud ask for their credentials.
const METADATA_HOSTS: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// Stores are never sent forms, and those who give out tokens always are.
const FORM: &str = "application/x-www-form-urlencoded";

/// An answer that is not success.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("status {status}{}", code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub(crate) struct StatusError {
    pub(crate) status: u16,
    /// The `Code` of the error document, or what Azure says beside it.
    pub(crate) code: Option<String>,
    /// Where the bucket is, if the store says so.
    pub(crate) bucket_region: Option<String>,
    /// How long the store asks to wait, if it says so.
    pub(crate) retry_after: Option<Duration>,
}

/// No credentials were found, not even on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no credentials were found")]
pub(crate) struct NoCredentials;

/// Who gives out tokens does not know us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no token was given for the credentials (status {status})")]
pub(crate) struct LoginRefused {
    pub(crate) status: u16,
}

/// Makes clients whose errors keep their status.
#[derive(Debug, Default)]
pub(crate) struct StatusConnector {
    inner: ReqwestConnector,
}

impl HttpConnector for StatusConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(StatusService { inner: self.inner.connect(options)? }))
    }
}

#[derive(Debug)]
struct StatusService {
    inner: HttpClient,
}

#[async_trait::async_trait]
impl HttpService for StatusService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_metadata = request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host));
        let is_login =
            request.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(FORM.as_bytes()));
        match self.inner.execute(request).await {
            Ok(response) if response.status().is_success() => Ok(response),
            // This is a machine without a role, or none in the cloud.
            Ok(response) if is_metadata && response.status().is_client_error() => {
                Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials))
            }
            Err(_) if is_metadata => Err(HttpError::new(HttpErrorKind::Unknown, NoCredentials)),
            Ok(response) if is_login && matches!(response.status().as_u16(), 400 | 401 | 403) => {
                let refused = LoginRefused { status: response.status().as_u16() };
                Err(HttpError::new(HttpErrorKind::Unknown, refused))
            }
            Ok(response) => Err(HttpError::new(HttpErrorKind::Unknown, status_error(response).await)),
            Err(error) => Err(error),
        }
    }
}

async fn status_error(response: HttpResponse) -> StatusError {
    let (parts, body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let bucket_region = header("x-amz-bucket-region").map(str::to_owned);
    let retry_after = header("retry-after").and_then(seconds);
    let status = parts.status.as_u16();
    // The answer to a HEAD has no document.
    let beside = header("x-ms-error-code").and_then(word);
    let code = error_code(&beginning(body).await).or(beside);
    StatusError { status, code, bucket_region, retry_after }
}

/// The form of `Retry-After` that stores use; its other one, a date, would need the time of day.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn beginning(body: HttpResponseBody) -> Vec<u8> {
    let mut text = Vec::new();
    let mut stream = body.bytes_stream();
    while let Some(Ok(part)) = stream.next().await {
        text.extend_from_slice(&part);
        if text.len() >= MAX_ERROR_BODY {
            break;
        }
    }
    text
}

/// The `Code` element of an error document, where it is a plain word.
fn error_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, after) = text.split_once("<Code>")?;
    let (code, _) = after.split_once("</Code>")?;
    word(code)
}

fn word(code: &str) -> Option<String> {
    let code = code.trim();
    let is_word = !code.is_empty() && code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    is_word.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_whole_seconds() {
        assert_eq!(seconds(" 7 "), Some(Duration::from_secs(7)));
        for other in ["", "-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(seconds(other), None, "{other}");
        }
    }

    #[test]
    fn the_code_of_an_error_document_is_found_and_anything_else_is_not_taken_for_one() {
        let body = b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>";
        assert_eq!(error_code(body).as_deref(), Some("NoSuchBucket"));
        for other in ["", "<Code></Code>", "<Code>two words</Code>", "<Code>unclosed", "<html>502</html>"] {
            assert_eq!(error_code(other.as_bytes()), None, "{other}");
        }
    }
}
