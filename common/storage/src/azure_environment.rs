//! What the Azure command line and Azure's client libraries would use here: a connection string, the key of the account
//! or a shared access signature; then the identities of applications, pods, machines, and of who has logged in.
//!
//! A secret belongs to one account: it is not used for another that a URL names.

use std::{fmt, path::PathBuf};

use crate::{
    error::{ErrorClass, Fault},
    profile::AzureSecret,
};

/// Gives access to an account. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// One of the account's keys.
    Key(String),
    /// A shared access signature.
    Sas(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Sas(_) => "Sas(…)",
        })
    }
}

/// An account, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Account {
    pub(crate) name: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) secret: Option<Secret>,
}

/// Who asks for tokens.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A pod, with the token in a file.
    Workload { client: String, tenant: String, token_file: String, authority: Option<String> },
    /// An application, with a password.
    Application { client: String, tenant: String, secret: String, authority: Option<String> },
    /// Who has logged in with `az login`.
    CommandLine,
    /// A machine or its like, or one of the identities that it may use.
    Managed { client: Option<String>, endpoint: Option<String> },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workload { .. } => "Workload",
            Self::Application { .. } => "Application",
            Self::CommandLine => "CommandLine",
            Self::Managed { .. } => "Managed",
        })
    }
}

/// The account that the variables are about.
pub(crate) fn account(variable: &dyn Fn(&str) -> Option<String>) -> Result<Account, Fault> {
    if let Some(text) = variable("AZURE_STORAGE_CONNECTION_STRING") {
        return connection_string(&text);
    }
    let any = |names: &[&str]| names.iter().find_map(|name| variable(name));
    let key = any(&["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"]).map(Secret::Key);
    let sas = || any(&["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"]).map(Secret::Sas);
    Ok(Account {
        name: any(&["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]),
        endpoint: variable("AZURE_STORAGE_SERVICE_ENDPOINT"),
        secret: key.or_else(sas),
    })
}

/// The account that a variable of a store profile is about.
pub(crate) fn account_of(secret: AzureSecret, value: String) -> Result<Account, Fault> {
    match secret {
        AzureSecret::ConnectionString => connection_string(&value),
        AzureSecret::AccountKey => Ok(Account { secret: Some(Secret::Key(value)), ..Account::default() }),
        AzureSecret::SasToken => Ok(Account { secret: Some(Secret::Sas(value)), ..Account::default() }),
    }
}

/// `AccountName=…;AccountKey=…;BlobEndpoint=…`.
fn connection_string(text: &str) -> Result<Account, Fault> {
    let invalid = |reason: &str| Fault::new(ErrorClass::Invalid, format!("the connection string {reason}"));
    let mut account = Account::default();
    let (mut protocol, mut suffix) = ("https".to_owned(), "core.windows.net".to_owned());
    let mut key = None;
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| invalid("has a part without ="))?;
        let value = value.to_owned();
        match name.to_ascii_lowercase().as_str() {
            "accountname" => account.name = Some(value),
            "accountkey" => key = Some(Secret::Key(value)),
            "sharedaccesssignature" => account.secret = Some(Secret::Sas(value)),
            "blobendpoint" => account.endpoint = Some(value),
            "defaultendpointsprotocol" => protocol = value,
            "endpointsuffix" => suffix = value,
            "usedevelopmentstorage" => {
                return Err(invalid("names the emulator; give AccountName, AccountKey and BlobEndpoint instead"));
            }
            // The endpoints of queues and tables.
            _ => {}
        }
    }
    account.secret = key.or(account.secret);
    if account.endpoint.is_none() {
        account.endpoint = account.name.as_ref().map(|name| format!("{protocol}://{name}.blob.{suffix}"));
    }
    if account.secret.is_none() || account.endpoint.is_none() {
        return Err(invalid("has no AccountKey or SharedAccessSignature, or no AccountName or BlobEndpoint"));
    }
    Ok(account)
}

/// Who one is here, where there is no secret.
pub(crate) fn identity(variable: &dyn Fn(&str) -> Option<String>) -> Identity {
    let (client, tenant) = (variable("AZURE_CLIENT_ID"), variable("AZURE_TENANT_ID"));
    let authority = variable("AZURE_AUTHORITY_HOST");
    if let (Some(client), Some(tenant)) = (client.clone(), tenant) {
        if let Some(token_file) = variable("AZURE_FEDERATED_TOKEN_FILE") {
            return Identity::Workload { client, tenant, token_file, authority };
        }
        if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
            return Identity::Application { client, tenant, secret, authority };
        }
    }
    let endpoint = variable("IDENTITY_ENDPOINT").or_else(|| variable("MSI_ENDPOINT"));
    let directory = variable("AZURE_CONFIG_DIR").map(PathBuf::from);
    let directory = directory.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".azure")));
    let is_logged_in = directory.is_some_and(|directory| directory.join("azureProfile.json").exists());
    if endpoint.is_none() && client.is_none() && is_logged_in {
        return Identity::CommandLine;
    }
    Identity::Managed { client, endpoint }
}

#[cfg(test)]
#[path = "azure_environment_tests.rs"]
mod tests;
