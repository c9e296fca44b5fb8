//! Clients of Google Cloud Storage. Sends nothing.

use std::sync::Arc;

use object_store::{
    StaticCredentialProvider,
    gcp::{GcpCredential, GoogleCloudStorage, GoogleCloudStorageBuilder},
};

use crate::{
    classify::one_line,
    client::{no_retries, options, other_store, parse_endpoint},
    config::StoreConfig,
    error::{ErrorClass, Fault, Operation, StorageError},
    gcs_environment::{self, GcsEnvironment, Login},
    http::StatusConnector,
    profile::{Credentials, StoreSettings},
    url::StoreUrl,
};

/// A client for the bucket of `url`.
pub(crate) fn gcs(
    url: &StoreUrl,
    settings: &StoreSettings,
    config: &StoreConfig,
) -> Result<Arc<GoogleCloudStorage>, StorageError> {
    build(url.container(), settings, config).map_err(|fault| fault.of(Operation::Open, url))
}

fn build(bucket: &str, settings: &StoreSettings, config: &StoreConfig) -> Result<Arc<GoogleCloudStorage>, Fault> {
    let read = |name: &str| (config.variables)(name).filter(|value| !value.is_empty());
    let (endpoint, login) = match (&settings.credentials, settings.anonymous) {
        (Credentials::File { path, .. }, false) => (None, gcs_environment::of_file(path)?),
        (Credentials::Environment, false) => {
            let environment = GcsEnvironment::read(&read)?;
            (environment.endpoint, environment.login)
        }
        (_, true) => (GcsEnvironment::read(&read).ok().and_then(|known| known.endpoint), Login::Nobody),
        (Credentials::Azure { .. }, false) => return Err(other_store("Azure")),
        (Credentials::Variables { .. }, false) => return Err(other_store("S3")),
    };
    let endpoint = settings.endpoint.clone().or(endpoint);
    let endpoint = endpoint.map(|text| parse_endpoint(&text)).transpose()?;
    let allow_http = endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_client_options(options(allow_http))
        .with_retry(no_retries())
        .with_http_connector(StatusConnector::default());
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(endpoint.as_str().trim_end_matches('/'));
    }
    let client = as_whom(builder, login)?.build();
    client.map(Arc::new).map_err(|error| Fault::new(ErrorClass::Invalid, one_line(error)))
}

fn as_whom(builder: GoogleCloudStorageBuilder, login: Login) -> Result<GoogleCloudStorageBuilder, Fault> {
    let text = |path: std::path::PathBuf| {
        let name = path.display().to_string();
        path.into_os_string().into_string().map_err(|_| Fault::new(ErrorClass::Invalid, format!("{name} is not UTF-8")))
    };
    Ok(match login {
        Login::Token(token) => builder.with_bearer_token(token),
        Login::ServiceAccount(path) => builder.with_service_account_path(text(path)?),
        Login::User(path) => builder.with_application_credentials(text(path)?),
        Login::Machine => builder,
        // Writes would ask for a token all the same, and find none.
        Login::Nobody => {
            let nobody = Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: String::new() }));
            builder.with_skip_signature(true).with_credentials(nobody)
        }
    })
}
