use super::*;

/// A home directory with `~/.aws` files, and variables beside it.
struct Machine {
    home: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    fn new(variables: &[(&'static str, &str)], files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        for (name, text) in files {
            std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        }
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { home, variables }
    }

    fn read(&self) -> Result<AwsEnvironment, Fault> {
        AwsEnvironment::read(&|name| match name {
            "HOME" => Some(self.home.path().to_str().unwrap().to_owned()),
            name => self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
        })
    }

    fn key_id(&self) -> Option<String> {
        self.read().unwrap().keys().unwrap().map(|keys| keys.access_key_id)
    }
}

const CREDENTIALS: &str = "[default]\naws_access_key_id = D\naws_secret_access_key = d\n\n\
                           [work]\naws_access_key_id=W # mine\naws_secret_access_key=w=\naws_session_token=t\n";
const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n    endpoint_url = nested\n\n\
                      [profile work]\nregion = us-west-2\nendpoint_url = http://localhost:9000\n\n\
                      [profile roles]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n";

#[test]
fn variables_win_over_profiles() {
    let files = [("credentials", CREDENTIALS), ("config", CONFIG)];
    let keys = [("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "v"), ("AWS_SESSION_TOKEN", "s")];
    let machine = Machine::new(&keys, &files);
    let environment = machine.read().unwrap();
    assert_eq!(environment.region.as_deref(), Some("eu-west-1"), "what variables don't say, the profile does");
    let keys = environment.keys().unwrap().unwrap();
    assert_eq!((keys.access_key_id.as_str(), keys.session_token.as_deref()), ("V", Some("s")));
    assert_eq!(format!("{keys:?}"), "KeyPair(…)", "keys are never printed");
}

#[test]
fn a_profile_is_put_together_from_both_files() {
    let files = [("credentials", CREDENTIALS), ("config", CONFIG)];
    let machine = Machine::new(&[("AWS_PROFILE", "work")], &files);
    let environment = machine.read().unwrap();
    assert_eq!(environment.region.as_deref(), Some("us-west-2"));
    assert_eq!(environment.endpoint.as_deref(), Some("http://localhost:9000"));
    let keys = environment.keys().unwrap().unwrap();
    assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.as_str()), ("W", "w="));
    assert_eq!(keys.session_token.as_deref(), Some("t"));
    assert_eq!(Machine::new(&[], &files).key_id().as_deref(), Some("D"), "else the default profile");
    assert_eq!(Machine::new(&[], &files).read().unwrap().endpoint, None, "nested settings are not the profile's");
}

#[test]
fn the_endpoint_of_s3_wins_over_the_general_one() {
    let general = ("AWS_ENDPOINT_URL", "http://general");
    let own = ("AWS_ENDPOINT_URL_S3", "http://own");
    assert_eq!(Machine::new(&[general], &[]).read().unwrap().endpoint.as_deref(), Some("http://general"));
    assert_eq!(Machine::new(&[general, own], &[]).read().unwrap().endpoint.as_deref(), Some("http://own"));
    let regions = [("AWS_REGION", "r1"), ("AWS_DEFAULT_REGION", "r2")];
    assert_eq!(Machine::new(&regions, &[]).read().unwrap().region.as_deref(), Some("r1"));
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let files = [("credentials", CREDENTIALS), ("config", CONFIG)];
    assert_eq!(Machine::new(&[], &[]).key_id(), None, "nothing at all is left to the machine's role");
    let missing = Machine::new(&[("AWS_PROFILE", "nobody")], &files).read().unwrap_err();
    assert_eq!(missing.class, ErrorClass::Denied);
    assert!(missing.message.contains("nobody"), "{}", missing.message);
    let roles = Machine::new(&[("AWS_PROFILE", "roles")], &files).read().unwrap().keys().unwrap_err();
    assert_eq!(roles.class, ErrorClass::Unsupported);
    assert!(roles.message.contains("role_arn"), "{}", roles.message);
    let half = Machine::new(&[("AWS_ACCESS_KEY_ID", "only")], &files).read().unwrap_err();
    assert_eq!(half.class, ErrorClass::Denied);
}

#[test]
fn a_credentials_file_of_its_own_is_read_by_profile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    std::fs::write(&path, CREDENTIALS).unwrap();
    assert_eq!(keys_of_file(&path, "work").unwrap().access_key_id, "W");
    assert!(keys_of_file(&path, "nobody").unwrap_err().message.contains("nobody"));
    assert_eq!(keys_of_file(&directory.path().join("none"), "work").unwrap_err().class, ErrorClass::Denied);
}
