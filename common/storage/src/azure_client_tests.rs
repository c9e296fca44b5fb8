use super::*;
use crate::{Access, AzureSecret, StoreProfile, Stores};

const KEY: (&str, &str) = ("AZURE_STORAGE_KEY", "a2V5");
const ACCOUNT: (&str, &str) = ("AZURE_STORAGE_ACCOUNT", "mine");

fn config(variables: &'static [(&'static str, &'static str)]) -> StoreConfig {
    StoreConfig::environment().with_variables(move |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn open(url: &str, config: StoreConfig) -> Result<(), StorageError> {
    Stores::new(config).open(&StoreUrl::parse(url).unwrap(), Access::ReadWrite).map(|_| ())
}

#[test]
fn a_container_opens_with_a_key_with_an_identity_or_anonymously_and_sends_nothing() {
    open("az://box/a.zarr", config(&[ACCOUNT, KEY])).unwrap();
    open("az://box/a.zarr", config(&[ACCOUNT, ("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=x%3D")])).unwrap();
    open("abfs://box@mine.dfs.core.windows.net/a", config(&[ACCOUNT, KEY])).unwrap();
    open("az://box@mine/a", config(&[KEY])).unwrap();
    open("az://box/a.zarr", config(&[ACCOUNT])).unwrap();
    open("az://box@other/a", config(&[ACCOUNT, KEY]).anonymous(true)).unwrap();
}

#[test]
fn credentials_are_not_sent_to_another_account() {
    let error = open("abfs://box@other.dfs.core.windows.net/a", config(&[ACCOUNT, KEY])).unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(error.message.contains("of the account mine, not of other"), "{error}");
    let chosen = choose(
        azure_container::named("box@other.dfs.core.windows.net"),
        &StoreSettings::default(),
        Account { name: Some("mine".to_owned()), endpoint: Some("https://mine.example".to_owned()), secret: None },
    );
    assert_eq!(chosen, Ok(Account { name: Some("other".to_owned()), ..Account::default() }), "nor its endpoint used");
}

#[test]
fn without_an_account_the_sentence_says_how_to_name_one() {
    let error = open("az://box/a", config(&[KEY])).unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert!(error.message.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
}

#[test]
fn a_profile_names_account_endpoint_and_the_variable_of_a_secret() {
    let mut profile = StoreProfile::new(StoreUrl::parse("az://box").unwrap(), Access::ReadWrite);
    profile.settings.endpoint = Some("http://127.0.0.1:10000/lab".to_owned());
    let secret = AzureSecret::AccountKey;
    profile.settings.credentials = Credentials::Azure { secret, variable: "LAB_KEY".to_owned() };
    let error = open("az://box/a", config(&[]).with_profile(profile.clone())).unwrap_err();
    assert!(error.message.contains("LAB_KEY is not set"), "{error}");
    open("az://box/a", config(&[("LAB_KEY", "a2V5")]).with_profile(profile.clone())).unwrap();
    let error = open("az://box/a", config(&[("LAB_KEY", "not base64!")]).with_profile(profile)).unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(!error.message.contains("not base64!"), "{error}");
}

#[test]
fn an_endpoint_names_the_account_in_its_path_or_its_host() {
    for (endpoint, account) in [
        ("http://127.0.0.1:10000/lab", Some("lab")),
        ("https://lab.blob.core.windows.net/", Some("lab")),
        ("http://127.0.0.1:10000", None),
    ] {
        assert_eq!(account_of_endpoint(endpoint).as_deref(), account, "{endpoint}");
    }
}
