//! Requests under way at a time: entered in the order of asking, left by dropping the permit, resized at any time.
//!
//! Knows nothing of why its limit changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// The door of a lane.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: Semaphore,
    size: Mutex<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    /// Permits that may be out.
    limit: usize,
    /// Permits that exist, inside and out; above the limit until enough of them came back.
    existing: usize,
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
}

impl Gate {
    pub(crate) fn new(limit: u32) -> Self {
        let limit = count(limit);
        Self { permits: Semaphore::new(limit), size: Mutex::new(Size { limit, existing: limit }) }
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    pub(crate) async fn enter(self: &Arc<Self>) -> Permit {
        // The semaphore is never closed; were it, nothing would be limited.
        match self.permits.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_closed) => self.size().existing += 1,
        }
        Permit { gate: Arc::clone(self) }
    }

    /// Takes a permit if there is one.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        self.permits.try_acquire().ok()?.forget();
        Some(Permit { gate: Arc::clone(self) })
    }

    /// Takes a permit, beyond the limit if there is none inside; the next ones that come back make up for it.
    pub(crate) fn exceed(self: &Arc<Self>) -> Permit {
        self.try_enter().unwrap_or_else(|| {
            self.size().existing += 1;
            Permit { gate: Arc::clone(self) }
        })
    }

    /// Whether all permits are out.
    pub(crate) fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// Allows `limit` permits from now on. Those that are out beyond it do not come in again.
    pub(crate) fn set_limit(&self, limit: u32) {
        let mut size = self.size();
        size.limit = count(limit);
        if size.existing < size.limit {
            self.permits.add_permits(size.limit - size.existing);
            size.existing = size.limit;
        } else {
            let surplus = size.existing - size.limit;
            size.existing -= self.permits.forget_permits(surplus);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut size = self.gate.size();
        if size.existing > size.limit {
            size.existing -= 1;
        } else {
            self.gate.permits.add_permits(1);
        }
    }
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn gate(limit: u32) -> Arc<Gate> {
        Arc::new(Gate::new(limit))
    }

    #[tokio::test]
    async fn requests_enter_in_the_order_of_asking() {
        let gate = gate(1);
        let inside = gate.enter().await;
        let (mut first, mut second) = (Box::pin(gate.enter()), Box::pin(gate.enter()));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(inside);
        assert!((&mut second).now_or_never().is_none(), "it came later");
        let inside = (&mut first).now_or_never().unwrap();
        drop(inside);
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_stops_waiting_takes_no_permit_away() {
        let gate = gate(1);
        let inside = gate.enter().await;
        let mut waiting = Box::pin(gate.enter());
        assert!((&mut waiting).now_or_never().is_none());
        drop(inside);
        drop(waiting);
        assert!(gate.try_enter().is_some());
    }

    #[tokio::test]
    async fn a_lower_limit_holds_as_soon_as_permits_come_back() {
        let gate = gate(3);
        let [a, b, c] = [gate.enter().await, gate.enter().await, gate.enter().await];
        gate.set_limit(1);
        drop(a);
        drop(b);
        assert!(gate.try_enter().is_none(), "one is still inside");
        drop(c);
        let d = gate.try_enter();
        assert!(d.is_some() && gate.try_enter().is_none());
        gate.set_limit(2);
        assert!(gate.try_enter().is_some(), "and a higher one at once");
    }

    #[tokio::test]
    async fn what_exceeds_the_limit_is_made_up_for() {
        let gate = gate(1);
        let inside = gate.enter().await;
        let beyond = gate.exceed();
        drop(inside);
        assert!(gate.try_enter().is_none(), "the one beyond is still inside");
        drop(beyond);
        let inside = gate.try_enter();
        assert!(inside.is_some() && gate.try_enter().is_none(), "the limit is what it was");
    }
}
