//! What is wrong with a reference, in the form in which `object_store` hands errors on.

use crate::{
    classify::classify,
    error::{ErrorClass, Fault, StorageError},
};

/// A fault that keeps its class on the way through `object_store`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub(crate) struct ReferenceFault(pub(crate) Fault);

impl ReferenceFault {
    pub(super) fn of(class: ErrorClass, message: impl Into<String>) -> object_store::Error {
        Self(Fault::new(class, message)).into()
    }

    /// Of a request to what is at `url`. A reference to what is not there is no missing key: nothing stands for it.
    pub(super) fn at(url: &str, error: &object_store::Error) -> object_store::Error {
        let fault = Fault::from(classify(error));
        let message = format!("it refers to {url}: {}", fault.message);
        Self(Fault { message, ..fault }).into()
    }

    /// What is at `url` can't be opened.
    pub(super) fn unopened(url: &str, error: &StorageError) -> object_store::Error {
        Self::of(error.class, format!("it refers to {url}: {}", error.message))
    }

    /// The index itself can't be read.
    pub(super) fn of_index(error: &StorageError) -> object_store::Error {
        Self::of(error.class, error.to_string())
    }
}

impl From<ReferenceFault> for object_store::Error {
    fn from(fault: ReferenceFault) -> Self {
        Self::Generic { store: "kerchunk", source: Box::new(fault) }
    }
}
