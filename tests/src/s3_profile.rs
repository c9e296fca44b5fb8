//! How programs are told of an S3 server on this machine.

use rechunk_storage::{Access, Credentials, StoreConfig, StoreProfile, StoreUrl};

/// Everything in `bucket` may be read and written, with this key pair.
pub(crate) fn config(bucket: &str, port: u16, key: &str, secret: &str) -> StoreConfig {
    let bucket = StoreUrl::parse(&format!("s3://{bucket}")).expect("a URL");
    let mut profile = StoreProfile::new(bucket, Access::ReadWrite);
    profile.settings.endpoint = Some(format!("http://127.0.0.1:{port}"));
    profile.settings.region = Some("us-east-1".to_owned());
    profile.settings.credentials = Credentials::Variables {
        access_key_id: "KEY".to_owned(),
        secret_access_key: "SECRET".to_owned(),
        session_token: None,
    };
    let (key, secret) = (key.to_owned(), secret.to_owned());
    StoreConfig::of_profiles(vec![profile]).with_variables(move |name| match name {
        "KEY" => Some(key.clone()),
        "SECRET" => Some(secret.clone()),
        _ => None,
    })
}
