//! What may be done under a URL prefix, and with which endpoint and credentials.
//!
//! Holds names of secrets (a file, environment variables), never a secret.

use std::{num::NonZeroU32, path::PathBuf};

use rechunk_common::{
    cost_profile::{CostProfile, StoreKind},
    request_rate::RequestRate,
};

use crate::url::StoreUrl;

/// What a prefix is opened for, and what a profile allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Access {
    /// Reading and listing.
    #[default]
    Read,
    /// Writing and deleting too.
    ReadWrite,
}

/// Where the credentials of a store come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Credentials {
    /// As the command line of the store's kind finds them: variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`), then files in
    /// the home directory, then the identities of containers and machines.
    #[default]
    Environment,
    /// On S3 a file in the form of `~/.aws/credentials`, on GCS one as `gcloud` writes it: the key of a service
    /// account, or application default credentials.
    File {
        /// The file.
        path: PathBuf,
        /// The section in it, on S3; `None`: `default`.
        profile: Option<String>,
    },
    /// A secret of an Azure storage account in an environment variable.
    Azure {
        /// What the variable holds.
        secret: AzureSecret,
        /// Its name.
        variable: String,
    },
    /// A key pair of S3 in environment variables of these names.
    Variables {
        /// Holds the access key id.
        access_key_id: String,
        /// Holds the secret access key.
        secret_access_key: String,
        /// Holds the session token, for credentials that expire.
        session_token: Option<String>,
    },
}

/// What gives access to an Azure storage account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AzureSecret {
    /// The account's name, its key or a shared access signature, and perhaps its endpoint, in one text.
    ConnectionString,
    /// One of the account's two keys.
    AccountKey,
    /// A shared access signature: a query string.
    SasToken,
}

/// One `[[stores]]` table: what holds for every URL at or below `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProfile {
    /// Where it holds. The longest prefix that covers a URL wins.
    pub prefix: StoreUrl,
    /// What is allowed.
    pub access: Access,
    /// How the store is spoken to.
    pub settings: StoreSettings,
    /// How much may be asked of it.
    pub limits: RequestLimits,
    /// What it is assumed to do and to charge; `None`: as for its kind.
    pub cost: Option<CostProfile>,
}

/// How much may be asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestLimits {
    /// Requests of one process at a time, reads and writes each; `None`: [`crate::MOST_REQUESTS`].
    pub concurrent: Option<NonZeroU32>,
    /// Requests a second that read, ask or list, of all processes together that share them out, else of each;
    /// `None`: any number.
    pub gets: Option<RequestRate>,
    /// Requests a second that write or delete, likewise.
    pub puts: Option<RequestRate>,
}

impl RequestLimits {
    /// The figures of a store that is asked no more than this.
    pub(crate) fn bound(&self, cost: CostProfile) -> CostProfile {
        // A profile can be divided by: no rate is zero in it.
        let lower = |figure: Option<u64>, limit: Option<RequestRate>| match (figure, limit) {
            (figure, None) => figure,
            (figure, Some(limit)) => {
                let limit = limit.whole_per_second().max(1);
                Some(figure.map_or(limit, |figure| figure.min(limit)))
            }
        };
        let gets_per_second = lower(cost.gets_per_second, self.gets);
        let puts_per_second = lower(cost.puts_per_second, self.puts);
        let is_bound = (gets_per_second, puts_per_second) != (cost.gets_per_second, cost.puts_per_second);
        let kind = if is_bound { StoreKind::Custom } else { cost.kind };
        CostProfile { kind, gets_per_second, puts_per_second, ..cost }
    }
}

impl StoreProfile {
    /// A profile with the environment's settings.
    pub fn new(prefix: StoreUrl, access: Access) -> Self {
        Self { prefix, access, settings: StoreSettings::default(), limits: RequestLimits::default(), cost: None }
    }
}

/// How a store far away is spoken to. What its kind of store does not have is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct StoreSettings {
    /// Its URL, on Azure with the account's name where that stands in the path; `None`: what the environment says, else
    /// that of Amazon, Google or Microsoft.
    pub endpoint: Option<String>,
    /// The region of S3; `None`: what the environment says, else `us-east-1`.
    pub region: Option<String>,
    /// The storage account of Azure, where the URL names none; `None`: what the environment says.
    pub account: Option<String>,
    /// Whether the bucket of S3 stands in the path; `None`: with an endpoint yes, at Amazon no.
    pub path_style: Option<bool>,
    /// Requests are not signed.
    pub anonymous: bool,
    /// The caller pays for requests to S3.
    pub requester_pays: bool,
    /// Where the credentials come from.
    pub credentials: Credentials,
}
