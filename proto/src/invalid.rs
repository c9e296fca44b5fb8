//! One error type per message that can be wrong, so that a caller's signature says what it was given.

use rechunk_common::Refusal;

use crate::fault::Fault;

macro_rules! invalid {
    ($($name:ident: $what:literal;)*) => {$(
        #[doc = concat!("The message is not a valid ", $what, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("invalid {what}: {0}", what = $what)]
        pub struct $name(pub Fault);

        impl From<Fault> for $name {
            fn from(fault: Fault) -> Self {
                Self(fault)
            }
        }

        impl From<$name> for Fault {
            fn from(invalid: $name) -> Self {
                invalid.0
            }
        }

        impl From<$name> for Refusal {
            fn from(invalid: $name) -> Self {
                let message = invalid.to_string();
                Self { message, ..Self::from(invalid.0) }
            }
        }
    )*};
}

invalid! {
    InvalidRegion: "region";
    InvalidGrid: "grid";
    InvalidLayout: "array layout";
    InvalidExchange: "exchange";
    InvalidFunction: "stage function";
    InvalidFunctionId: "function id";
    InvalidStage: "stage";
    InvalidPipelines: "pipelines request";
    InvalidPlan: "plan";
    InvalidRechunk: "rechunk request";
    InvalidRefusal: "refusal";
    InvalidJob: "job";
    InvalidJobId: "job id";
    InvalidWorker: "worker";
    InvalidLease: "lease";
    InvalidGrant: "grant";
    InvalidReport: "lease report";
    InvalidSyncRequest: "sync request";
    InvalidSyncResponse: "sync response";
    InvalidStoreRates: "store rates";
    InvalidRequestShares: "request shares";
    InvalidRecord: "journal record";
    InvalidJournalObject: "journal object";
}
