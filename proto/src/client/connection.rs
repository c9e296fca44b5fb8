//! The connection to a coordinator: HTTP/2, encrypted where its URL says `https`, found dead by keepalive.

use std::net::IpAddr;

use rechunk_common::Refusal;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{ClientError, ClientOptions, call::cause_of};

/// The headers of a status may hold a message and its details.
const MAX_HEADER_BYTES: u32 = 64 << 10;

/// A connection that stands.
pub(super) async fn connect(url: &str, options: &ClientOptions) -> Result<Channel, ClientError> {
    let endpoint = endpoint(url, options)?;
    // The endpoint's own timeout bounds the TCP connection only, not the greeting.
    let unreachable = |cause: String| ClientError::Unreachable { url: url.to_owned(), cause };
    match tokio::time::timeout(options.connect_timeout, endpoint.connect()).await {
        Ok(connected) => connected.map_err(|error| unreachable(cause_of(&error))),
        Err(_elapsed) => Err(unreachable(format!("no connection within {:?}", options.connect_timeout))),
    }
}

/// A connection that is made by the first call.
pub(super) fn connect_lazily(url: &str, options: &ClientOptions) -> Result<Channel, ClientError> {
    Ok(endpoint(url, options)?.connect_lazy())
}

fn endpoint(url: &str, options: &ClientOptions) -> Result<Endpoint, ClientError> {
    let refuse = |what: &str| {
        let message = format!("{url:?} is not the URL of a coordinator: {what}; write it as in http://127.0.0.1:7380");
        ClientError::Refused(Refusal::invalid("coordinator", "COORDINATOR_URL_INVALID", message))
    };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_encrypted = match scheme.as_deref() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(refuse("it starts neither with http:// nor with https://")),
    };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|_invalid| refuse("it is malformed"))?;
    if !is_encrypted && options.credentials.have_token() && !is_this_machine(endpoint.uri()) {
        let message = format!("{url} is not encrypted, and a token would be read on the way: write it as https://");
        return Err(ClientError::Refused(Refusal::invalid("coordinator", "TOKEN_IN_THE_CLEAR", message)));
    }
    let endpoint = if is_encrypted {
        let unusable = |error: tonic::transport::Error| {
            let message = format!("the certificates for {url} cannot be used: {}", cause_of(&error));
            ClientError::Refused(Refusal::invalid("coordinator", "CERTIFICATE_INVALID", message))
        };
        endpoint.tls_config(options.credentials.tls()).map_err(unusable)?
    } else {
        endpoint
    };
    Ok(endpoint
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(MAX_HEADER_BYTES))
}

/// Whether what is sent there leaves this machine.
fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
