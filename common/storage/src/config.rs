//! Which stores a program may use: profiles by prefix, and the environment for a person's own programs.
//!
//! Opens nothing. Secrets stay where they are until a client is built.

use std::{fmt, sync::Arc, time::Duration};

use rechunk_common::{
    MicroUsd,
    cost_profile::{CostProfile, StoreKind, WORKER_HOUR},
    limits,
    request_rate::StoreRates,
};

use crate::{
    aws_environment::AwsEnvironment,
    error::{ErrorClass, Operation, StorageError},
    profile::{Access, RequestLimits, StoreProfile, StoreSettings},
    retry::{self, RetryPolicy},
    upload::UploadSizes,
    url::{Scheme, StoreUrl},
};

/// One attempt of a request other than a write, beside the time for the body that it reads: a second per megabyte.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Making a connection: a host that does not answer by then will not.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Draws numbers that are uniform over all `u32`.
pub(crate) type Chance = Arc<dyn Fn() -> u32 + Send + Sync>;

/// Reads environment variables.
pub(crate) type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Which stores may be used, and how.
#[derive(Clone)]
pub struct StoreConfig {
    profiles: Vec<StoreProfile>,
    /// For URLs that no profile covers; `None`: they are refused.
    open: Option<StoreSettings>,
    pub(crate) retry: RetryPolicy,
    /// What spreads retries.
    pub(crate) chance: Chance,
    pub(crate) request_timeout: Duration,
    pub(crate) put_timeout: Duration,
    pub(crate) upload_sizes: UploadSizes,
    /// Memory and local files are treated as a store far away is.
    pub(crate) is_traffic_everywhere: bool,
    /// Whether a local file is on the disk, its directory too, before its write is answered.
    pub(crate) is_synced: bool,
    worker_hour: MicroUsd,
    pub(crate) variables: Variables,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("profiles", &self.profiles)
            .field("open", &self.open)
            .field("retry", &self.retry)
            .field("request_timeout", &self.request_timeout)
            .field("put_timeout", &self.put_timeout)
            .field("is_synced", &self.is_synced)
            .finish_non_exhaustive()
    }
}

/// The settings that hold for a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    /// Which profile, by its place; `None`: the environment.
    pub(crate) profile: Option<usize>,
    pub(crate) settings: StoreSettings,
    pub(crate) limits: RequestLimits,
}

impl StoreConfig {
    /// What a person's own program may do: everything, with the environment's credentials.
    pub fn environment() -> Self {
        Self { open: Some(StoreSettings::default()), ..Self::closed() }
    }

    /// What a server may do: what its profiles say, and nothing else.
    pub fn of_profiles(profiles: Vec<StoreProfile>) -> Self {
        Self { profiles, ..Self::closed() }
    }

    fn closed() -> Self {
        Self {
            profiles: Vec::new(),
            open: None,
            retry: RetryPolicy::default(),
            chance: Arc::new(retry::random),
            request_timeout: REQUEST_TIMEOUT,
            put_timeout: limits::PUT_TIMEOUT,
            upload_sizes: UploadSizes::default(),
            is_traffic_everywhere: false,
            is_synced: false,
            worker_hour: WORKER_HOUR,
            variables: Arc::new(|name| std::env::var(name).ok()),
        }
    }

    /// Adds a profile; it wins over the environment and over shorter prefixes.
    #[must_use]
    pub fn with_profile(mut self, profile: StoreProfile) -> Self {
        self.profiles.retain(|other| other.prefix != profile.prefix);
        self.profiles.push(profile);
        self
    }

    /// Requests that no profile covers are not signed.
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        if let Some(open) = &mut self.open {
            open.anonymous = anonymous;
        }
        self
    }

    /// The caller pays for requests that no profile covers.
    #[must_use]
    pub fn requester_pays(mut self, requester_pays: bool) -> Self {
        if let Some(open) = &mut self.open {
            open.requester_pays = requester_pays;
        }
        self
    }

    /// When failed requests are sent again.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Spreads retries by numbers from `chance`, uniform over all `u32`, instead of the process's own.
    #[must_use]
    pub fn with_chance(mut self, chance: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.chance = Arc::new(chance);
        self
    }

    /// The time for one attempt of a request other than a write, beside the time for the body that it reads.
    #[must_use]
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// The time for one attempt of a write.
    #[must_use]
    pub fn with_put_timeout(mut self, timeout: Duration) -> Self {
        self.put_timeout = timeout;
        self
    }

    /// From which size on objects are written in parts, and of which size those are.
    #[must_use]
    pub fn with_upload_sizes(mut self, sizes: UploadSizes) -> Self {
        self.upload_sizes = sizes;
        self
    }

    /// From which size on objects are written in parts, and of which size those are.
    pub fn upload_sizes(&self) -> UploadSizes {
        self.upload_sizes
    }

    /// Requests to memory and local files are limited, hedged and budgeted as those to S3 are; for tests.
    #[must_use]
    pub fn with_traffic_everywhere(mut self) -> Self {
        self.is_traffic_everywhere = true;
        self
    }

    /// Reads environment variables through `variables` instead of the process's own.
    #[must_use]
    pub fn with_variables(mut self, variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Arc::new(variables);
        self
    }

    /// The same stores for what the program itself must not lose: URLs that no profile covers are opened with the
    /// environment's settings, and a local file is on the disk before its write is answered.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.open.get_or_insert_default();
        self.is_synced = true;
        self
    }

    /// What an hour of a machine for one worker costs.
    #[must_use]
    pub fn with_worker_hour(mut self, worker_hour: MicroUsd) -> Self {
        self.worker_hour = worker_hour;
        self
    }

    /// What an hour of a machine for one worker costs.
    pub fn worker_hour(&self) -> MicroUsd {
        self.worker_hour
    }

    /// What the store of `url` is assumed to do and to charge, and no faster than its request rate allows. Whether it may
    /// be used is another question.
    pub fn cost_profile(&self, url: &StoreUrl) -> CostProfile {
        let url = url.index().unwrap_or(url);
        let profile = self.covering(url).map(|(_, profile)| profile);
        let cost = profile.and_then(|profile| profile.cost).unwrap_or_else(|| self.assumed_cost(url, profile));
        profile.map_or(cost, |profile| profile.limits.bound(cost))
    }

    /// The figures of the kind of store that `url` lies in.
    fn assumed_cost(&self, url: &StoreUrl, profile: Option<&StoreProfile>) -> CostProfile {
        let of_environment = || {
            let read = |name: &str| (self.variables)(name).filter(|value| !value.is_empty());
            AwsEnvironment::read(&read).ok()?.endpoint
        };
        let endpoint = match url.scheme() {
            Scheme::S3 => profile.and_then(|profile| profile.settings.endpoint.clone()).or_else(of_environment),
            Scheme::Gcs
            | Scheme::Azure
            | Scheme::Http
            | Scheme::Https
            | Scheme::File
            | Scheme::Memory
            | Scheme::Kerchunk => None,
        };
        kind_of(url.scheme(), endpoint.as_deref()).profile()
    }

    /// The profile with the longest prefix that covers `url`, and its place.
    fn covering(&self, url: &StoreUrl) -> Option<(usize, &StoreProfile)> {
        let covers = self.profiles.iter().enumerate().filter(|(_, profile)| url.is_within(&profile.prefix));
        covers.max_by_key(|(_, profile)| profile.prefix.segments().len())
    }

    /// The request rates that tables state: the whole fleet's where a coordinator shares them out, else this program's.
    pub fn request_rates(&self) -> Vec<StoreRates> {
        let rates = self.profiles.iter().map(|profile| StoreRates {
            prefix: profile.prefix.to_string(),
            gets: profile.limits.gets,
            puts: profile.limits.puts,
        });
        rates.filter(|rates| rates.gets.is_some() || rates.puts.is_some()).collect()
    }

    /// The profiles.
    pub fn profiles(&self) -> &[StoreProfile] {
        &self.profiles
    }

    /// The settings that hold for `url`, or why it may not be used so.
    pub(crate) fn grant(&self, url: &StoreUrl, access: Access) -> Result<Granted, StorageError> {
        let denied = |message: String| Err(StorageError::new(ErrorClass::Denied, Operation::Open, url, message));
        let covering = self.covering(url);
        if access == Access::ReadWrite {
            // Keys below `url` are reached without asking again, so a tighter rule below it must hold here.
            let writes = |profile: &&StoreProfile| profile.access == Access::Read && profile.prefix.may_be_within(url);
            if let Some(tighter) = self.profiles.iter().find(writes) {
                return denied(format!("the store profile of {} allows reading only", tighter.prefix));
            }
        }
        match (covering, &self.open) {
            (Some((_, profile)), _) if profile.access < access => {
                denied(format!("the store profile of {} allows reading only", profile.prefix))
            }
            (Some((index, profile)), _) => {
                Ok(Granted { profile: Some(index), settings: profile.settings.clone(), limits: profile.limits })
            }
            (None, Some(open)) => {
                Ok(Granted { profile: None, settings: open.clone(), limits: RequestLimits::default() })
            }
            (None, None) => denied("no store profile covers it; add a [[stores]] table with this prefix".to_owned()),
        }
    }
}

/// The kind of a store, as far as its scheme and its endpoint tell.
pub(crate) fn kind_of(scheme: Scheme, endpoint: Option<&str>) -> StoreKind {
    match scheme {
        Scheme::S3 => match endpoint {
            Some(endpoint) if !endpoint.contains(".amazonaws.com") => StoreKind::S3Compatible,
            Some(_) | None => StoreKind::S3,
        },
        Scheme::Gcs => StoreKind::Gcs,
        Scheme::Azure => StoreKind::Azure,
        // Another server, which bills nothing. The memory is used by tests only, in the place of one.
        Scheme::Http | Scheme::Https | Scheme::Memory | Scheme::Kerchunk => StoreKind::S3Compatible,
        Scheme::File => StoreKind::Local,
    }
}
