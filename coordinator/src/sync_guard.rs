//! Tells the driver that the caller of a `Sync` has gone, so that nothing is granted to nobody.

use rechunk_common::session::{SyncCall, SyncRequest};
use tokio::sync::mpsc;

use crate::message::Message;

/// Lives as long as a call; dropped early, it says so.
pub(crate) struct SyncGuard {
    inbox: mpsc::Sender<Message>,
    call: Option<SyncCall>,
}

impl SyncGuard {
    pub(crate) fn new(inbox: mpsc::Sender<Message>, request: &SyncRequest) -> Self {
        Self { inbox, call: Some(request.call()) }
    }

    /// The call has its answer.
    pub(crate) fn disarm(&mut self) {
        self.call = None;
    }
}

impl Drop for SyncGuard {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            // Where the inbox is full the call is answered into nothing, which costs its worker a round.
            let _full = self.inbox.try_send(Message::SyncDropped { call });
        }
    }
}
