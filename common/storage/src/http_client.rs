//! Clients of web servers. Sends nothing; knows of no credentials.

use std::sync::Arc;

use object_store::http::{HttpBuilder, HttpStore};

use crate::{
    classify::one_line,
    client::{no_retries, options},
    error::{ErrorClass, Operation, StorageError},
    http::StatusConnector,
    url::{Scheme, StoreUrl},
};

/// What a web server cannot do.
pub(crate) const CANNOT_LIST: &str = "a web server lists nothing";

/// A client for the server of `url`.
pub(crate) fn web(url: &StoreUrl) -> Result<Arc<HttpStore>, StorageError> {
    let builder = HttpBuilder::new()
        .with_url(format!("{}://{}", url.scheme(), url.container()))
        .with_client_options(options(url.scheme() == Scheme::Http))
        .with_retry(no_retries())
        .with_http_connector(StatusConnector::default());
    let client = builder.build();
    client.map(Arc::new).map_err(|error| StorageError::new(ErrorClass::Invalid, Operation::Open, url, one_line(error)))
}
