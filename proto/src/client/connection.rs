//! The connection to a coordinator: plain HTTP/2, found dead by keepalive.

use rechunk_common::Refusal;
use tonic::transport::{Channel, Endpoint};

use super::{ClientError, ClientOptions, call::cause_of};

/// The headers of a status may hold a message and its details.
const MAX_HEADER_BYTES: u32 = 64 << 10;

/// A connection that stands.
pub(super) async fn connect(url: &str, options: ClientOptions) -> Result<Channel, ClientError> {
    let endpoint = endpoint(url, options)?;
    // The endpoint's own timeout bounds the TCP connection only, not the greeting.
    let unreachable = |cause: String| ClientError::Unreachable { url: url.to_owned(), cause };
    match tokio::time::timeout(options.connect_timeout, endpoint.connect()).await {
        Ok(connected) => connected.map_err(|error| unreachable(cause_of(&error))),
        Err(_elapsed) => Err(unreachable(format!("no connection within {:?}", options.connect_timeout))),
    }
}

/// A connection that is made by the first call.
pub(super) fn connect_lazily(url: &str, options: ClientOptions) -> Result<Channel, ClientError> {
    Ok(endpoint(url, options)?.connect_lazy())
}

fn endpoint(url: &str, options: ClientOptions) -> Result<Endpoint, ClientError> {
    let refuse = |what: &str| {
        let message = format!("{url:?} is not the URL of a coordinator: {what}; write it as in http://127.0.0.1:7380");
        ClientError::Refused(Refusal::invalid("coordinator", "COORDINATOR_URL_INVALID", message))
    };
    if !url.to_ascii_lowercase().starts_with("http://") {
        return Err(refuse("it does not start with http://"));
    }
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_invalid| refuse("it is malformed"))?;
    Ok(endpoint
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(MAX_HEADER_BYTES))
}
