//! The question that is asked before every attempt to write: may this still be written? And the answer to another:
//! is anything still being written?
//!
//! Knows nothing of leases beyond their end.

use std::any::Any;

/// The lease that allowed the write has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease has ended")]
pub struct LeaseLost;

/// Asked before every attempt to write or delete, so that no write starts after a lease has ended.
pub trait WriteGuard: Send + Sync {
    /// Whether a write may start now.
    fn check(&self) -> Result<(), LeaseLost>;

    /// Taken before a write is sent and dropped when the write is over: answered, failed or timed out. A write that is
    /// under way goes on when its caller stops waiting, because a store may take it all the same; so whoever counts
    /// these knows when nothing more can come.
    fn begin_write(&self) -> WriteUnderWay {
        WriteUnderWay::default()
    }
}

/// Held while a write is under way; [`WriteGuard::begin_write`].
#[derive(Default)]
pub struct WriteUnderWay(Option<Box<dyn Any + Send>>);

impl WriteUnderWay {
    /// Holds `token` until the write is over.
    pub fn holding(token: impl Any + Send) -> Self {
        Self(Some(Box::new(token)))
    }
}

impl std::fmt::Debug for WriteUnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WriteUnderWay").field(&self.0.is_some()).finish()
    }
}

/// Always yes: for clients and tests, where no lease stands behind a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unguarded;

impl WriteGuard for Unguarded {
    fn check(&self) -> Result<(), LeaseLost> {
        Ok(())
    }
}

impl<G: WriteGuard + ?Sized> WriteGuard for std::sync::Arc<G> {
    fn check(&self) -> Result<(), LeaseLost> {
        (**self).check()
    }

    fn begin_write(&self) -> WriteUnderWay {
        (**self).begin_write()
    }
}
