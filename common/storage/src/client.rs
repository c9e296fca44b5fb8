//! Clients of S3: endpoint, region, credentials and timeouts put together; and what the clients of all stores share.
//!
//! Sends nothing. `object_store`'s own retries are off: ours ask the guard before each attempt.

use std::sync::Arc;

use object_store::{
    ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};
use url::Url;

use crate::{
    aws_environment::{self, AwsEnvironment, KeyPair},
    classify::one_line,
    config::{CONNECT_TIMEOUT, StoreConfig},
    error::{ErrorClass, Fault, Operation, StorageError},
    http::StatusConnector,
    profile::{Credentials, StoreSettings},
    url::StoreUrl,
};

/// A client for the bucket of `url`.
pub(crate) fn s3(
    url: &StoreUrl,
    settings: &StoreSettings,
    config: &StoreConfig,
) -> Result<Arc<AmazonS3>, StorageError> {
    build(url.container(), settings, config).map_err(|fault| fault.of(Operation::Open, url))
}

fn build(bucket: &str, settings: &StoreSettings, config: &StoreConfig) -> Result<Arc<AmazonS3>, Fault> {
    let read = |name: &str| (config.variables)(name).filter(|value| !value.is_empty());
    let environment = AwsEnvironment::read(&read)?;
    let region = settings.region.clone().or_else(|| environment.region.clone());
    let endpoint = settings.endpoint.clone().or_else(|| environment.endpoint.clone());
    let endpoint = endpoint.map(|text| parse_endpoint(&text)).transpose()?;
    let path_style = settings.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));

    let allow_http = endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == "http");
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.unwrap_or_else(|| "us-east-1".to_owned()))
        .with_client_options(options(allow_http))
        .with_retry(no_retries())
        .with_http_connector(StatusConnector::default())
        .with_virtual_hosted_style_request(!path_style)
        .with_request_payer(settings.requester_pays)
        // TLS guards the body already; over http its hash does.
        .with_unsigned_payload(!allow_http);
    if let Some(mut endpoint) = endpoint {
        if !path_style {
            put_bucket_into_host(&mut endpoint, bucket)?;
        }
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    let builder = if settings.anonymous {
        builder.with_skip_signature(true)
    } else {
        with_credentials(builder, &settings.credentials, environment, &read)?
    };
    let client = builder.build().map_err(|error| Fault::new(ErrorClass::Invalid, one_line(error)))?;
    Ok(Arc::new(client))
}

/// The options of every client.
pub(crate) fn options(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        // Every request has a time limit of ours, which grows with the object.
        .with_timeout_disabled()
}

/// `object_store`'s own retries are off: ours ask the guard before each attempt.
pub(crate) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

pub(crate) fn parse_endpoint(text: &str) -> Result<Url, Fault> {
    let invalid = |reason: &str| Fault::new(ErrorClass::Invalid, format!("the endpoint is not valid: {reason}"));
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it must not carry credentials"));
    }
    Ok(url)
}

fn put_bucket_into_host(endpoint: &mut Url, bucket: &str) -> Result<(), Fault> {
    let host = endpoint.host_str().unwrap_or_default();
    let host = format!("{bucket}.{host}");
    endpoint.set_host(Some(&host)).map_err(|error| {
        Fault::new(ErrorClass::Invalid, format!("the bucket can't stand before the endpoint's host: {error}"))
    })
}

fn with_credentials(
    builder: AmazonS3Builder,
    credentials: &Credentials,
    environment: AwsEnvironment,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<AmazonS3Builder, Fault> {
    match credentials {
        Credentials::Environment => match environment.keys()? {
            Some(keys) => Ok(with_keys(builder, keys)),
            None => with_roles(builder, read),
        },
        Credentials::File { path, profile } => {
            let profile = profile.as_deref().unwrap_or("default");
            Ok(with_keys(builder, aws_environment::keys_of_file(path, profile)?))
        }
        Credentials::Azure { .. } => Err(other_store("Azure")),
        Credentials::Variables { access_key_id, secret_access_key, session_token } => {
            let needed = |name: &String| needed_variable(read, name);
            let keys = KeyPair {
                access_key_id: needed(access_key_id)?,
                secret_access_key: needed(secret_access_key)?,
                session_token: session_token.as_ref().map(needed).transpose()?,
            };
            Ok(with_keys(builder, keys))
        }
    }
}

/// The variable that a store profile names.
pub(crate) fn needed_variable(read: &dyn Fn(&str) -> Option<String>, name: &str) -> Result<String, Fault> {
    let missing = || Fault::new(ErrorClass::Denied, format!("the environment variable {name} is not set"));
    read(name).ok_or_else(missing)
}

/// A profile has credentials in the form of another kind of store.
pub(crate) fn other_store(kind: &str) -> Fault {
    Fault::new(ErrorClass::Invalid, format!("the credentials of its store profile are in the form of {kind}"))
}

fn with_keys(builder: AmazonS3Builder, keys: KeyPair) -> AmazonS3Builder {
    let builder = builder.with_access_key_id(keys.access_key_id).with_secret_access_key(keys.secret_access_key);
    match keys.session_token {
        Some(token) => builder.with_token(token),
        None => builder,
    }
}

/// The roles of pods, containers and machines, which `object_store` knows; it asks for them at the first request.
fn with_roles(mut builder: AmazonS3Builder, read: &dyn Fn(&str) -> Option<String>) -> Result<AmazonS3Builder, Fault> {
    let keys = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
        ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
        ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
        ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
    ];
    let mut has_role = false;
    for (variable, key) in keys {
        if let Some(value) = read(variable) {
            has_role = true;
            builder = builder.with_config(key, value);
        }
    }
    let asks_machine = !read("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if !has_role && !asks_machine {
        return Err(Fault::new(
            ErrorClass::Denied,
            "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or ask for \
             anonymous access",
        ));
    }
    Ok(builder)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
