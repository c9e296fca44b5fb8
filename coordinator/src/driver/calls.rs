//! The `Sync` calls that wait for an answer. Decides nothing: the scheduler says who is answered, and when.

use std::collections::BTreeMap;

use rechunk_common::session::{SyncCall, SyncResponse};
use tokio::sync::oneshot;

/// Open calls.
#[derive(Default)]
pub(super) struct Calls {
    open: BTreeMap<SyncCall, oneshot::Sender<SyncResponse>>,
}

impl Calls {
    /// A call waits. An equal one that still waits ends without an answer.
    pub(super) fn open(&mut self, call: SyncCall, caller: oneshot::Sender<SyncResponse>) {
        self.open.insert(call, caller);
    }

    /// Whether a new call may wait beside the `limit` others.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.open.len() < limit
    }

    /// The caller has gone; answers whether its call was still waiting.
    pub(super) fn drop_call(&mut self, call: &SyncCall) -> bool {
        self.open.remove(call).is_some()
    }

    /// Answers a call. An answer that nobody takes costs a round: at its next call the worker does not hold what was
    /// granted here, and the scheduler takes it back.
    pub(super) fn answer(&mut self, call: &SyncCall, response: SyncResponse) {
        if let Some(caller) = self.open.remove(call) {
            let _gone = caller.send(response);
        }
    }
}
