//! The question that is asked before every attempt to write: may this still be written?
//!
//! Knows nothing of leases beyond their end.

/// The lease that allowed the write has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease has ended")]
pub struct LeaseLost;

/// Asked before every attempt to write or delete, so that no write starts after a lease has ended.
pub trait WriteGuard: Send + Sync {
    /// Whether a write may start now.
    fn check(&self) -> Result<(), LeaseLost>;
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
}
