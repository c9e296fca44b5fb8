//! The `[[stores]]` tables of the programs' TOML file.
//!
//! Beside them it reads `[prices]`, which belongs to no store, and ignores every other table: they belong to the program.
//! Within a table an unknown key is refused, so that a misspelt restriction is not lost.

use std::{collections::BTreeSet, num::NonZeroU32, path::PathBuf};

use rechunk_common::{MicroUsd, cost_profile::WORKER_HOUR, limits::MAX_STORE_TABLES, request_rate::RequestRate};
use serde::Deserialize;

use crate::{
    config::{self, StoreConfig},
    cost_table::{self, PriceTable, SpeedTable},
    profile::{Access, AzureSecret, Credentials, RequestLimits, StoreProfile, StoreSettings},
    url::{Scheme, StoreUrl, UrlError},
};

/// The text is not a configuration of stores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this form.
    #[error("line {line} of the configuration: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// More tables than the limit.
    #[error("there are {tables} [[stores]] tables, and the limit MAX_STORE_TABLES is {MAX_STORE_TABLES}")]
    TooMany {
        /// How many.
        tables: usize,
    },
    /// The prefix of a table is not a place.
    #[error("[[stores]] table {table}: {error}")]
    Prefix {
        /// From 1.
        table: usize,
        /// Why.
        error: UrlError,
    },
    /// The prefix of a table depends on where the program runs.
    #[error("[[stores]] table {table}: the prefix {prefix:?} is not absolute")]
    RelativePrefix {
        /// From 1.
        table: usize,
        /// As written.
        prefix: String,
    },
    /// Two tables for one prefix.
    #[error("[[stores]] table {table}: there is another table with the prefix {prefix}")]
    Duplicate {
        /// From 1.
        table: usize,
        /// The prefix of both.
        prefix: StoreUrl,
    },
    /// A setting that the prefix's kind of store does not have.
    #[error("[[stores]] table {table}: {key} has no meaning for {scheme}://")]
    NotForScheme {
        /// From 1.
        table: usize,
        /// The setting.
        key: &'static str,
        /// The prefix's.
        scheme: Scheme,
    },
    /// An index of references gives access to nothing.
    #[error(
        "[[stores]] table {table}: an index has no table of its own; write one for the place of its file and one for each that it refers to"
    )]
    OfIndex {
        /// From 1.
        table: usize,
    },
    /// A web server can't be written.
    #[error("[[stores]] table {table}: {scheme}:// can only be read")]
    ReadOnly {
        /// From 1.
        table: usize,
        /// The prefix's.
        scheme: Scheme,
    },
    /// A figure about speed or prices that can't be one.
    #[error("[[stores]] table {table}: {key} must be {wanted}")]
    Figure {
        /// From 1.
        table: usize,
        /// The setting.
        key: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
    /// A price that can't be one.
    #[error("[prices]: {key} must be {wanted}")]
    Price {
        /// The setting.
        key: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
    /// Anonymous requests carry no credentials.
    #[error("[[stores]] table {table}: anonymous requests need no credentials")]
    AnonymousWithCredentials {
        /// From 1.
        table: usize,
    },
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    stores: Vec<Table>,
    #[serde(default)]
    prices: Prices,
}

/// Prices of what is no store, in US dollars.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    worker_hour: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    prefix: String,
    access: AccessName,
    endpoint: Option<String>,
    region: Option<String>,
    account: Option<String>,
    path_style: Option<bool>,
    anonymous: Option<bool>,
    requester_pays: Option<bool>,
    credentials: Option<CredentialsEntry>,
    max_concurrent_requests: Option<NonZeroU32>,
    max_gets_per_second: Option<NonZeroU32>,
    max_puts_per_second: Option<NonZeroU32>,
    speed: Option<SpeedTable>,
    prices: Option<PriceTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AccessName {
    Read,
    ReadWrite,
}

/// `"environment"`, a path, `{ file = …, profile = … }`, the names of S3's variables, or of one of Azure's.
#[derive(Deserialize)]
#[serde(untagged)]
enum CredentialsEntry {
    Text(String),
    File(FileEntry),
    Variables(VariablesEntry),
    ConnectionString(ConnectionStringEntry),
    AccountKey(AccountKeyEntry),
    SasToken(SasTokenEntry),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionStringEntry {
    connection_string_env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountKeyEntry {
    account_key_env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SasTokenEntry {
    sas_token_env: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    file: PathBuf,
    profile: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariablesEntry {
    #[serde(rename = "access_key_id_env")]
    access_key_id: String,
    #[serde(rename = "secret_access_key_env")]
    secret_access_key: String,
    #[serde(rename = "session_token_env")]
    session_token: Option<String>,
}

impl StoreConfig {
    /// The profiles of a server's configuration file; URLs that none of them covers are refused.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let document: Document = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            message: error.message().replace('\n', " "),
        })?;
        if document.stores.len() > MAX_STORE_TABLES {
            return Err(ConfigError::TooMany { tables: document.stores.len() });
        }
        let mut seen = BTreeSet::new();
        let mut profiles = Vec::new();
        for (index, table) in document.stores.into_iter().enumerate() {
            let profile = table.into_profile(index + 1)?;
            if !seen.insert(profile.prefix.clone()) {
                return Err(ConfigError::Duplicate { table: index + 1, prefix: profile.prefix });
            }
            profiles.push(profile);
        }
        Ok(Self::of_profiles(profiles).with_worker_hour(document.prices.worker_hour()?))
    }
}

impl Prices {
    fn worker_hour(&self) -> Result<MicroUsd, ConfigError> {
        let price = |usd| cost_table::price("worker_hour", usd);
        let price = self.worker_hour.map(price).transpose();
        price.map(|price| price.unwrap_or(WORKER_HOUR)).map_err(|(key, wanted)| ConfigError::Price { key, wanted })
    }
}

impl Table {
    fn into_profile(self, table: usize) -> Result<StoreProfile, ConfigError> {
        if !self.prefix.contains("://") && !self.prefix.starts_with('/') {
            return Err(ConfigError::RelativePrefix { table, prefix: self.prefix });
        }
        let prefix = StoreUrl::parse(&self.prefix).map_err(|error| ConfigError::Prefix { table, error })?;
        if prefix.index().is_some() {
            return Err(ConfigError::OfIndex { table });
        }
        self.check_settings(table, prefix.scheme())?;
        let access = match self.access {
            AccessName::Read => Access::Read,
            AccessName::ReadWrite => Access::ReadWrite,
        };
        let cost = if self.speed.is_some() || self.prices.is_some() {
            let kind = config::kind_of(prefix.scheme(), self.endpoint.as_deref());
            let profile = cost_table::profile(kind, self.speed.as_ref(), self.prices.as_ref());
            Some(profile.map_err(|(key, wanted)| ConfigError::Figure { table, key, wanted })?)
        } else {
            None
        };
        let settings = StoreSettings {
            endpoint: self.endpoint,
            region: self.region,
            account: self.account,
            path_style: self.path_style,
            anonymous: self.anonymous.unwrap_or(false),
            requester_pays: self.requester_pays.unwrap_or(false),
            credentials: self.credentials.map_or(Credentials::Environment, CredentialsEntry::into_credentials),
        };
        let rate = |limit: NonZeroU32| RequestRate::per_second(limit.get());
        let limits = RequestLimits {
            concurrent: self.max_concurrent_requests,
            gets: self.max_gets_per_second.map(rate),
            puts: self.max_puts_per_second.map(rate),
        };
        Ok(StoreProfile { prefix, access, settings, limits, cost })
    }

    fn check_settings(&self, table: usize, scheme: Scheme) -> Result<(), ConfigError> {
        use Scheme::{Azure, Gcs, Http, Https, S3};
        let given: [(&'static str, bool, &[Scheme]); 10] = [
            ("endpoint", self.endpoint.is_some(), &[S3, Gcs, Azure]),
            ("region", self.region.is_some(), &[S3]),
            ("account", self.account.is_some(), &[Azure]),
            ("path_style", self.path_style.is_some(), &[S3]),
            ("anonymous", self.anonymous.is_some(), &[S3, Gcs, Azure]),
            ("requester_pays", self.requester_pays.is_some(), &[S3]),
            (
                "credentials",
                self.credentials.is_some(),
                self.credentials.as_ref().map_or(&[], CredentialsEntry::schemes),
            ),
            ("max_concurrent_requests", self.max_concurrent_requests.is_some(), &[S3, Gcs, Azure, Http, Https]),
            ("max_gets_per_second", self.max_gets_per_second.is_some(), &[S3, Gcs, Azure, Http, Https]),
            ("max_puts_per_second", self.max_puts_per_second.is_some(), &[S3, Gcs, Azure]),
        ];
        match given.iter().find(|(_, is_given, schemes)| *is_given && !schemes.contains(&scheme)) {
            Some((key, ..)) => Err(ConfigError::NotForScheme { table, key, scheme }),
            None if scheme.read_only().is_some() && matches!(self.access, AccessName::ReadWrite) => {
                Err(ConfigError::ReadOnly { table, scheme })
            }
            None if self.anonymous == Some(true) && self.credentials.is_some() => {
                Err(ConfigError::AnonymousWithCredentials { table })
            }
            None => Ok(()),
        }
    }
}

impl CredentialsEntry {
    /// The stores whose credentials have this form.
    fn schemes(&self) -> &'static [Scheme] {
        match self {
            Self::Text(text) if text == "environment" => &[Scheme::S3, Scheme::Gcs, Scheme::Azure],
            Self::Text(_) | Self::File(FileEntry { profile: None, .. }) => &[Scheme::S3, Scheme::Gcs],
            Self::File(_) | Self::Variables(_) => &[Scheme::S3],
            Self::ConnectionString(_) | Self::AccountKey(_) | Self::SasToken(_) => &[Scheme::Azure],
        }
    }

    fn into_credentials(self) -> Credentials {
        match self {
            Self::Text(text) if text == "environment" => Credentials::Environment,
            Self::Text(path) => Credentials::File { path: path.into(), profile: None },
            Self::File(FileEntry { file, profile }) => Credentials::File { path: file, profile },
            Self::Variables(names) => Credentials::Variables {
                access_key_id: names.access_key_id,
                secret_access_key: names.secret_access_key,
                session_token: names.session_token,
            },
            Self::ConnectionString(ConnectionStringEntry { connection_string_env: variable }) => {
                Credentials::Azure { secret: AzureSecret::ConnectionString, variable }
            }
            Self::AccountKey(AccountKeyEntry { account_key_env: variable }) => {
                Credentials::Azure { secret: AzureSecret::AccountKey, variable }
            }
            Self::SasToken(SasTokenEntry { sas_token_env: variable }) => {
                Credentials::Azure { secret: AzureSecret::SasToken, variable }
            }
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
