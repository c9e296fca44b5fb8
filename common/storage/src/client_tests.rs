use super::*;
use crate::{Access, StoreProfile, Stores};

fn config(variables: &'static [(&'static str, &'static str)]) -> StoreConfig {
    StoreConfig::environment().with_variables(move |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn open(config: StoreConfig) -> Result<(), StorageError> {
    let url = StoreUrl::parse("s3://bucket/a.zarr").unwrap();
    Stores::new(config).open(&url, Access::Read).map(|_| ())
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];

#[test]
fn a_bucket_opens_with_keys_or_anonymously_and_sends_nothing() {
    open(config(&KEYS)).unwrap();
    open(config(&[("AWS_EC2_METADATA_DISABLED", "true")]).anonymous(true)).unwrap();
    open(config(&[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")])).unwrap();
}

#[test]
fn without_credentials_the_sentence_says_what_to_set() {
    let error = open(config(&[("AWS_EC2_METADATA_DISABLED", "true")])).unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(error.to_string().starts_with("cannot open s3://bucket/a.zarr: no credentials were found"), "{error}");
}

#[test]
fn a_bad_endpoint_is_refused_without_repeating_secrets() {
    for endpoint in ["not a url", "ftp://h", "http://key:secret@h"] {
        let mut profile = StoreProfile::new(StoreUrl::parse("s3://bucket").unwrap(), Access::Read);
        profile.settings.endpoint = Some(endpoint.to_owned());
        let error = open(config(&KEYS).with_profile(profile)).unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{endpoint}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn named_variables_that_are_not_set_are_named() {
    let mut profile = StoreProfile::new(StoreUrl::parse("s3://bucket").unwrap(), Access::Read);
    profile.settings.credentials = Credentials::Variables {
        access_key_id: "AWS_ACCESS_KEY_ID".to_owned(),
        secret_access_key: "OTHER_SECRET".to_owned(),
        session_token: None,
    };
    let error = open(config(&KEYS).with_profile(profile)).unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(error.to_string().contains("OTHER_SECRET is not set"), "{error}");
}

#[test]
fn the_bucket_moves_into_the_host_where_the_path_style_is_off() {
    let mut endpoint = parse_endpoint("https://s3.example.com:9000/").unwrap();
    put_bucket_into_host(&mut endpoint, "bucket").unwrap();
    assert_eq!(endpoint.as_str(), "https://bucket.s3.example.com:9000/");
}
