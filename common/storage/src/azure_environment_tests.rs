use super::*;

fn variables<'a>(known: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn of(known: &[(&str, &str)]) -> Account {
    account(&variables(known)).unwrap()
}

#[test]
fn a_connection_string_wins_over_the_other_variables() {
    let text = "DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn";
    let account = of(&[("AZURE_STORAGE_CONNECTION_STRING", text), ("AZURE_STORAGE_ACCOUNT", "other")]);
    assert_eq!(account.name.as_deref(), Some("mine"));
    assert_eq!(account.endpoint.as_deref(), Some("https://mine.blob.core.chinacloudapi.cn"));
    assert_eq!(account.secret, Some(Secret::Key("a2V5==".to_owned())), "a value may hold =");
    assert_eq!(format!("{:?}", account.secret), "Some(Key(…))", "keys are never printed");
}

#[test]
fn a_connection_string_may_name_an_endpoint_and_a_signature() {
    let text = "BlobEndpoint=http://127.0.0.1:1/mine;SharedAccessSignature=sv=1&sig=x;QueueEndpoint=http://q;";
    let account = of(&[("AZURE_STORAGE_CONNECTION_STRING", text)]);
    assert_eq!(account.endpoint.as_deref(), Some("http://127.0.0.1:1/mine"));
    assert_eq!(account.secret, Some(Secret::Sas("sv=1&sig=x".to_owned())));
    for text in ["AccountName=mine", "AccountKey=k", "nonsense", "UseDevelopmentStorage=true"] {
        let refused = account_of(AzureSecret::ConnectionString, text.to_owned()).unwrap_err();
        assert_eq!(refused.class, ErrorClass::Invalid, "{text}");
    }
}

#[test]
fn the_key_wins_over_the_signature() {
    let name = ("AZURE_STORAGE_ACCOUNT", "mine");
    let (key, sas) = (("AZURE_STORAGE_KEY", "k"), ("AZURE_STORAGE_SAS_TOKEN", "sig=x"));
    assert_eq!(of(&[name, key, sas]).secret, Some(Secret::Key("k".to_owned())));
    assert_eq!(of(&[name, sas]).secret, Some(Secret::Sas("sig=x".to_owned())));
    assert_eq!(of(&[name]), Account { name: Some("mine".to_owned()), ..Account::default() });
}

#[test]
fn the_nearest_identity_is_taken() {
    let (client, tenant) = (("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t"));
    let (file, secret) = (("AZURE_FEDERATED_TOKEN_FILE", "/f"), ("AZURE_CLIENT_SECRET", "s"));
    let who = |known: &[(&str, &str)]| format!("{:?}", identity(&variables(known)));
    assert_eq!(who(&[client, tenant, file, secret]), "Workload");
    assert_eq!(who(&[client, tenant, secret]), "Application");
    assert_eq!(identity(&variables(&[client])), Identity::Managed { client: Some("c".to_owned()), endpoint: None });
    let home = tempfile::tempdir().unwrap();
    let config = ("AZURE_CONFIG_DIR", home.path().to_str().unwrap());
    assert_eq!(who(&[config]), "Managed", "nobody has logged in");
    std::fs::write(home.path().join("azureProfile.json"), "{}").unwrap();
    assert_eq!(who(&[config]), "CommandLine");
    assert_eq!(who(&[config, ("IDENTITY_ENDPOINT", "http://e")]), "Managed");
}
