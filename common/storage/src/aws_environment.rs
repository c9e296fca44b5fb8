//! What the AWS command line would use here: `AWS_…` variables, then the profile in `~/.aws/{credentials,config}`.
//!
//! Knows static keys only; a profile that needs a role, SSO or a program is refused by name.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use crate::error::{ErrorClass, Fault};

/// A key pair. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct KeyPair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(…)")
    }
}

/// What the environment says about S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsEnvironment {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    variables: Option<KeyPair>,
    profile: Profile,
}

/// One profile, from both files together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Profile {
    name: String,
    /// Whether someone asked for it by name.
    is_asked_for: bool,
    settings: Settings,
}

type Settings = BTreeMap<String, String>;

impl AwsEnvironment {
    /// Reads the variables and the profile's files; what is not there is not an error yet.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let asked_for = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let profile = Profile {
            is_asked_for: asked_for.is_some(),
            name: asked_for.unwrap_or_else(|| "default".to_owned()),
            settings: Settings::new(),
        };
        let home = variable("HOME").map(|home| PathBuf::from(home).join(".aws"));
        let file = |name: &str, usual: &str| {
            variable(name).map(PathBuf::from).or_else(|| home.as_ref().map(|home| home.join(usual)))
        };
        let profile = profile.read_from(
            file("AWS_CONFIG_FILE", "config").as_deref(),
            file("AWS_SHARED_CREDENTIALS_FILE", "credentials").as_deref(),
        )?;
        let variables = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = variable("AWS_SESSION_TOKEN");
                Some(KeyPair { access_key_id, secret_access_key, session_token })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Fault::new(
                    ErrorClass::Denied,
                    "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set",
                ));
            }
        };
        let setting = |name: &str| profile.settings.get(name).cloned();
        Ok(Self {
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| setting("region")),
            endpoint: variable("AWS_ENDPOINT_URL_S3")
                .or_else(|| variable("AWS_ENDPOINT_URL"))
                .or_else(|| setting("endpoint_url")),
            variables,
            profile,
        })
    }

    /// The static keys; `None` where neither variables nor a profile have any.
    pub(crate) fn keys(self) -> Result<Option<KeyPair>, Fault> {
        match self.variables {
            Some(keys) => Ok(Some(keys)),
            None => self.profile.keys(),
        }
    }
}

impl Profile {
    fn read_from(mut self, config: Option<&Path>, credentials: Option<&Path>) -> Result<Self, Fault> {
        let mut is_found = false;
        let in_config = if self.name == "default" { self.name.clone() } else { format!("profile {}", self.name) };
        for (file, section) in [(config, in_config), (credentials, self.name.clone())] {
            let Some(text) = file.map(read_file).transpose()?.flatten() else { continue };
            // A credentials file wins over the config file.
            if let Some(settings) = parse_ini(&text).remove(&section) {
                is_found = true;
                self.settings.extend(settings);
            }
        }
        if self.is_asked_for && !is_found {
            return Err(Fault::new(ErrorClass::Denied, format!("there is no AWS profile {:?}", self.name)));
        }
        Ok(self)
    }

    fn keys(mut self) -> Result<Option<KeyPair>, Fault> {
        match (self.settings.remove("aws_access_key_id"), self.settings.remove("aws_secret_access_key")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let session_token = self.settings.remove("aws_session_token");
                Ok(Some(KeyPair { access_key_id, secret_access_key, session_token }))
            }
            (None, None) => {
                const UNSUPPORTED: [&str; 4] = ["role_arn", "sso_session", "sso_start_url", "credential_process"];
                match UNSUPPORTED.iter().find(|name| self.settings.contains_key(**name)) {
                    Some(name) => Err(Fault::new(
                        ErrorClass::Unsupported,
                        format!(
                            "the AWS profile {:?} needs {name}, which is not supported; export its keys into the \
                             environment (aws configure export-credentials --format env)",
                            self.name
                        ),
                    )),
                    None => Ok(None),
                }
            }
            (Some(_), None) | (None, Some(_)) => {
                Err(Fault::new(ErrorClass::Denied, format!("the AWS profile {:?} has half a key pair", self.name)))
            }
        }
    }
}

/// The static keys of `profile` in a file like `~/.aws/credentials`.
pub(crate) fn keys_of_file(path: &Path, profile: &str) -> Result<KeyPair, Fault> {
    let denied = |reason: &str| Fault::new(ErrorClass::Denied, format!("{}: {reason}", path.display()));
    let text = read_file(path)?.ok_or_else(|| denied("there is no such credentials file"))?;
    let settings = parse_ini(&text).remove(profile).ok_or_else(|| denied(&format!("it has no profile {profile:?}")))?;
    let profile = Profile { name: profile.to_owned(), is_asked_for: true, settings };
    profile.keys()?.ok_or_else(|| denied("its profile has no aws_access_key_id"))
}

/// The file's text; `None` where there is no such file.
fn read_file(path: &Path) -> Result<Option<String>, Fault> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::new(ErrorClass::Denied, format!("{} can't be read: {error}", path.display()))),
    }
}

/// Sections of `key = value` lines. Indented lines are nested settings (`s3 =`), which say nothing to us.
fn parse_ini(text: &str) -> BTreeMap<String, Settings> {
    let mut sections: BTreeMap<String, Settings> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
            section = name.split_whitespace().collect::<Vec<_>>().join(" ");
            sections.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !is_nested && !line.starts_with(['#', ';']))
        {
            let value = value.trim();
            let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
            sections.entry(section.clone()).or_default().insert(key.trim().to_lowercase(), value.to_owned());
        }
    }
    sections
}

#[cfg(test)]
#[path = "aws_environment_tests.rs"]
mod tests;
