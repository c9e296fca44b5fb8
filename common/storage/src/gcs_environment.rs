//! What gcloud and Google's client libraries would use here: a token, then application default credentials in a file,
//! then the metadata server of a machine or pod.
//!
//! Knows service accounts and logged-in users; a file of another type is refused by name.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::error::{ErrorClass, Fault};

/// What the environment says about GCS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GcsEnvironment {
    /// Where the store is, if not at Google.
    pub(crate) endpoint: Option<String>,
    /// As whom requests are sent.
    pub(crate) login: Login,
}

/// As whom requests are sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// With an access token. Never printed.
    Token(String),
    /// As a service account, whose key is in a file.
    ServiceAccount(PathBuf),
    /// As a user who has logged in with `gcloud auth application-default login`.
    User(PathBuf),
    /// As whatever the machine or the pod is.
    Machine,
    /// As nobody.
    Nobody,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::User(_) => "User",
            Self::Machine => "Machine",
            Self::Nobody => "Nobody",
        })
    }
}

impl GcsEnvironment {
    /// Reads the variables and finds the file; no file there is not an error, unless a variable names it.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let emulator = variable("STORAGE_EMULATOR_HOST").map(|host| with_scheme(&host));
        let is_emulated = emulator.is_some();
        let endpoint = emulator.or_else(|| variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"));
        // As one reads it: the root of the JSON interface is not that of objects.
        let endpoint = endpoint.map(|url| {
            let url = url.trim_end_matches('/');
            url.strip_suffix("/storage/v1").unwrap_or(url).to_owned()
        });
        Ok(Self { endpoint, login: login(variable, is_emulated)? })
    }
}

fn login(variable: &dyn Fn(&str) -> Option<String>, is_emulated: bool) -> Result<Login, Fault> {
    if let Some(token) = variable("CLOUDSDK_AUTH_ACCESS_TOKEN") {
        return Ok(Login::Token(token));
    }
    if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
        return of_file(Path::new(&path));
    }
    if is_emulated {
        return Ok(Login::Nobody);
    }
    let directory = variable("CLOUDSDK_CONFIG").map(PathBuf::from);
    let directory = directory.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".config/gcloud")));
    let usual = directory.map(|directory| directory.join("application_default_credentials.json"));
    match usual {
        Some(path) if path.exists() => of_file(&path),
        Some(_) | None => Ok(Login::Machine),
    }
}

/// What a file of credentials says who one is.
pub(crate) fn of_file(path: &Path) -> Result<Login, Fault> {
    #[derive(Deserialize)]
    struct Document {
        r#type: String,
    }
    let denied = |reason: String| Fault::new(ErrorClass::Denied, format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| denied(error.to_string()))?;
    let document: Document =
        serde_json::from_str(&text).map_err(|_| denied("it is no file of Google credentials".to_owned()))?;
    match document.r#type.as_str() {
        "service_account" => Ok(Login::ServiceAccount(path.to_owned())),
        "authorized_user" => Ok(Login::User(path.to_owned())),
        other => Err(Fault::new(
            ErrorClass::Unsupported,
            format!(
                "{}: credentials of the type {other:?} are not supported; put a token into the environment: \
                 CLOUDSDK_AUTH_ACCESS_TOKEN=$(gcloud auth application-default print-access-token)",
                path.display()
            ),
        )),
    }
}

/// Client libraries take the emulator's host with and without a scheme.
fn with_scheme(host: &str) -> String {
    if host.contains("://") { host.to_owned() } else { format!("http://{host}") }
}

#[cfg(test)]
#[path = "gcs_environment_tests.rs"]
mod tests;
