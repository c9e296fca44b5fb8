//! One adapter over object stores: URLs, profiles, reads and whole-object writes whose errors keep their class.
//!
//! A [`StoreUrl`] names a place, a [`StoreConfig`] says what may be done there, [`Stores::open`] gives a [`Prefix`],
//! and every request goes through the prefix: observed, bounded in time, retried by our own loop, and, if it writes,
//! guarded by a lease. Knows nothing of Zarr, plans or gRPC.
//!
//! | store | create | copy | suffix | in parts | listing |
//! |---|---|---|---|---|---|
//! | S3 | `If-None-Match: *` | by the store | one GET | from 64 MiB, parts of at least 5 MiB | in order |
//! | GCS | generation 0 | by the store | one GET | as on S3 | in order |
//! | Azure | `If-None-Match: *` | never: it may end after its answer | HEAD, then a GET that is refused where the size changed | as blocks; what is not committed can't be deleted | in order |
//! | web server | – | – | one GET | – | none |
//! | local files | a hard link | by the operating system | one read | a file beside it, renamed | in no order |
//! | memory | under its lock | by the store | one read | under its lock | in order |
//! | an index of references | – | – | as the store that is referred to | – | of the index, in its order |
//!
//! `conformance` runs all of it against each.

mod aws_environment;
mod azure_client;
mod azure_container;
mod azure_environment;
mod classify;
mod client;
pub mod config;
pub mod config_file;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod copy;
mod cost_table;
mod deadline;
pub mod error;
pub mod faults;
mod gcs_client;
mod gcs_environment;
pub mod growing;
pub mod guard;
mod http;
mod http_client;
mod http_url;
mod kerchunk;
pub mod listing;
mod local_copy;
mod local_directories;
mod local_path;
mod local_reads;
mod local_unfinished;
mod local_uploads;
pub mod observer;
pub mod prefix;
pub mod profile;
pub mod ranges;
pub mod read;
pub mod retry;
pub mod stores;
mod traffic;
pub mod upload;
pub mod url;
pub mod write;

#[cfg(test)]
mod copy_tests;
#[cfg(test)]
mod local_tests;
#[cfg(test)]
mod prefix_tests;
#[cfg(test)]
mod request_rates_tests;
#[cfg(test)]
mod s3_tests;
#[cfg(test)]
mod traffic_tests;

pub use config::StoreConfig;
pub use config_file::ConfigError;
pub use error::{ErrorClass, Operation, StorageError};
pub use faults::{Effect, FaultRule, Faults};
pub use growing::{GrowingObject, SentPart};
pub use guard::{LeaseLost, Unguarded, WriteGuard, WriteUnderWay};
pub use kerchunk::{Referred, check_index, check_record};
pub use listing::{Directory, ObjectInfo};
pub use object_store::PutPayload;
pub use observer::{CountingObserver, ObservedRequest, Observer, RequestKind};
pub use prefix::Prefix;
pub use profile::{Access, AzureSecret, Credentials, StoreProfile, StoreSettings};
pub use read::SizedObject;
pub use retry::RetryPolicy;
pub use stores::Stores;
pub use traffic::{MOST_REQUESTS, START_REQUESTS};
pub use upload::UploadSizes;
pub use url::{Scheme, StoreUrl, UrlError};
pub use write::Creation;
