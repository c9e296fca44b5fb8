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
    /// As the AWS command line finds them: `AWS_…` variables, then the profile in `~/.aws`, then the roles of
    /// containers and machines.
    #[default]
    Environment,
    /// A file in the form of `~/.aws/credentials`.
    File {
        /// The file.
        path: PathBuf,
        /// The section in it; `None`: `default`.
        profile: Option<String>,
    },
    /// A key pair in environment variables of these names.
    Variables {
        /// Holds the access key id.
        access_key_id: String,
        /// Holds the secret access key.
        secret_access_key: String,
        /// Holds the session token, for credentials that expire.
        session_token: Option<String>,
    },
}

/// One `[[stores]]` table: what holds for every URL at or below `prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProfile {
    /// Where it holds. The longest prefix that covers a URL wins.
    pub prefix: StoreUrl,
    /// What is allowed.
    pub access: Access,
    /// The settings of an S3 store.
    pub s3: S3Settings,
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
        Self { prefix, access, s3: S3Settings::default(), limits: RequestLimits::default(), cost: None }
    }
}

/// How an S3 store is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct S3Settings {
    /// Its URL; `None`: what the environment says, else Amazon's.
    pub endpoint: Option<String>,
    /// Its region; `None`: what the environment says, else `us-east-1`.
    pub region: Option<String>,
    /// Whether the bucket stands in the path; `None`: with an endpoint yes, at Amazon no.
    pub path_style: Option<bool>,
    /// Requests are not signed.
    pub anonymous: bool,
    /// The caller pays for requests.
    pub requester_pays: bool,
    /// Where the credentials come from.
    pub credentials: Credentials,
}
