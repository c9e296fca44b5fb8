//! What is on the way. Nothing arrives in order: any message may be next.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use rechunk_common::session::{SyncRequest, SyncResponse};

use super::print::print_of_debug;

/// What a message says.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Request(Arc<SyncRequest>),
    Answer(Arc<SyncResponse>),
}

/// A message from or to a worker.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) worker: usize,
    pub(super) incarnation: u64,
    pub(super) seq: u64,
    pub(super) body: Body,
    print: u64,
}

/// All messages, in an order that does not depend on when they were sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Network(Vec<Message>);

impl Hash for Network {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|message| message.print.hash(state));
    }
}

impl Network {
    pub(super) fn send(&mut self, worker: usize, incarnation: u64, seq: u64, body: Body) {
        let print = print_of_debug(&(worker, incarnation, &body));
        let at = self.0.partition_point(|other| other.print < print);
        self.0.insert(at, Message { worker, incarnation, seq, body, print });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> &Message {
        &self.0[index]
    }

    /// An answer that is on its way.
    pub(super) fn first_answer(&self) -> Option<usize> {
        self.0.iter().position(|message| matches!(message.body, Body::Answer(_)))
    }

    /// Drops answers that nobody waits for.
    pub(super) fn keep_answers(&mut self, is_awaited: impl Fn(&Message) -> bool) {
        self.0.retain(|message| matches!(message.body, Body::Request(_)) || is_awaited(message));
    }

    pub(super) fn take(&mut self, index: usize) -> Message {
        self.0.remove(index)
    }

    /// Whether an older call of the same worker is still on its way: it will have been overtaken.
    pub(super) fn has_earlier_request(&self, message: &Message) -> bool {
        let is_request = |other: &&Message| matches!(other.body, Body::Request(_));
        let of_same = |other: &&Message| other.worker == message.worker && other.incarnation == message.incarnation;
        self.0.iter().filter(is_request).filter(of_same).any(|other| other.seq < message.seq)
    }
}
