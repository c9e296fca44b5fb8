use super::*;

fn read(variables: &[(&str, &str)]) -> Result<GcsEnvironment, Fault> {
    GcsEnvironment::read(&|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn file(kind: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("application_default_credentials.json");
    std::fs::write(&path, format!("{{\"type\": \"{kind}\", \"private_key\": \"s3cr3t\"}}")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn a_token_wins_over_a_file_and_a_file_over_the_machine() {
    let (directory, path) = file("service_account");
    let (config, named) = (("CLOUDSDK_CONFIG", directory.path().to_str().unwrap()), path.as_str());
    let named = ("GOOGLE_APPLICATION_CREDENTIALS", named);
    let login = |variables: &[(&str, &str)]| read(variables).unwrap().login;
    assert_eq!(login(&[("CLOUDSDK_AUTH_ACCESS_TOKEN", "t"), named, config]), Login::Token("t".to_owned()));
    assert_eq!(login(&[named]), Login::ServiceAccount(path.clone().into()));
    assert_eq!(login(&[config]), Login::ServiceAccount(path.into()), "where gcloud keeps it");
    assert_eq!(login(&[("HOME", "/no-such-home")]), Login::Machine);
    assert_eq!(format!("{:?}", login(&[("CLOUDSDK_AUTH_ACCESS_TOKEN", "t")])), "Token(…)", "tokens are never printed");
}

#[test]
fn who_has_logged_in_is_told_from_a_service_account_and_other_types_are_refused_by_name() {
    let (_directory, path) = file("authorized_user");
    assert_eq!(of_file(path.as_ref()), Ok(Login::User(path.clone().into())));
    let (_directory, path) = file("external_account");
    let refused = of_file(path.as_ref()).unwrap_err();
    assert_eq!(refused.class, ErrorClass::Unsupported);
    assert!(refused.message.contains("external_account") && !refused.message.contains("s3cr3t"), "{refused:?}");
    let missing = read(&[("GOOGLE_APPLICATION_CREDENTIALS", "/no-such-file")]).unwrap_err();
    assert_eq!(missing.class, ErrorClass::Denied);
    assert!(missing.message.contains("/no-such-file"), "{missing:?}");
}

#[test]
fn an_emulator_is_spoken_to_as_nobody() {
    let environment = read(&[("STORAGE_EMULATOR_HOST", "localhost:4443")]).unwrap();
    assert_eq!((environment.endpoint.as_deref(), environment.login), (Some("http://localhost:4443"), Login::Nobody));
    let own = read(&[("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "https://gcs.lab/storage/v1/")]).unwrap();
    assert_eq!((own.endpoint.as_deref(), own.login), (Some("https://gcs.lab"), Login::Machine));
}
