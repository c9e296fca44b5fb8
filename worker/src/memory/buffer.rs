//! A buffer of a fixed length whose room is reserved from the start and whose memory comes when it is first used.

use std::sync::Arc;

use bytes::Bytes;

use super::{Reservation, TaskMemory};

/// A buffer; its memory goes back to the task's when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Arc<TaskMemory>,
    length: usize,
    /// Empty until first used; else of `length`.
    bytes: Vec<u8>,
    is_zeroed: bool,
}

impl Buffer {
    /// The room is reserved already. `kept` is an older buffer of this length.
    pub(super) fn new(memory: Arc<TaskMemory>, length: usize, kept: Option<Vec<u8>>) -> Self {
        Self { memory, length, bytes: kept.unwrap_or_default(), is_zeroed: false }
    }

    /// The bytes; their content is undefined (zeros, or those of an earlier use) until written.
    pub(crate) fn allocate(&mut self) -> &mut [u8] {
        if self.bytes.len() != self.length {
            self.bytes = vec![0; self.length];
            self.is_zeroed = true;
        }
        &mut self.bytes
    }

    /// Whether nothing but zeros stood in it when it was allocated.
    pub(crate) fn is_zeroed(&self) -> bool {
        self.is_zeroed
    }

    /// As it is now.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The same memory as shared bytes; it goes back to the task when the last of them is dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.free_buffer(self.length, std::mem::take(&mut self.bytes));
    }
}

/// Shared bytes and the room that they take, freed together.
#[derive(Debug)]
struct Accounted {
    bytes: Bytes,
    _room: Reservation,
}

impl AsRef<[u8]> for Accounted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reservation {
    /// Ties `bytes` to this room, all of it: it is given back when the last clone of the bytes is dropped. Encoders
    /// allocate for their worst case, and with huge pages that is what an encoding takes, however short it is.
    pub(crate) fn attach(mut self, bytes: Bytes) -> Bytes {
        let held = self.bytes().max(bytes.len() as u64);
        self.settle(held);
        Bytes::from_owner(Accounted { bytes, _room: self })
    }

    /// Ties `bytes`, which were allocated at their length, to as much of this room; the rest is given back.
    pub(crate) fn attach_trimmed(mut self, bytes: Bytes) -> Bytes {
        self.settle(bytes.len() as u64);
        Bytes::from_owner(Accounted { bytes, _room: self })
    }
}
