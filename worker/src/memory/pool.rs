//! The buffers that a worker keeps between tasks. What is kept and what tasks were granted stay together within the
//! worker's budget.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rechunk_common::ByteCount;

/// Buffers by their length.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    by_length: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: u64,
}

impl Kept {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a buffer of exactly `length` bytes, its content whatever it was.
    pub(crate) fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let buffers = self.by_length.get_mut(&length)?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.by_length.remove(&length);
        }
        if buffer.is_some() {
            self.bytes = self.bytes.saturating_sub(length as u64);
        }
        buffer
    }

    pub(crate) fn put(&mut self, buffer: Vec<u8>) {
        if !buffer.is_empty() {
            self.bytes = self.bytes.saturating_add(buffer.len() as u64);
            self.by_length.entry(buffer.len()).or_default().push(buffer);
        }
    }

    /// Takes one of the largest.
    pub(crate) fn take_largest(&mut self) -> Option<Vec<u8>> {
        let length = *self.by_length.last_key_value()?.0;
        self.take(length)
    }

    /// Frees buffers until at most `bytes` are left.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        while self.bytes > bytes && self.take_largest().is_some() {}
    }
}

#[derive(Debug, Default)]
struct State {
    kept: Kept,
    granted: u64,
}

/// The buffers of a worker.
#[derive(Debug)]
pub struct BufferPool {
    budget: u64,
    state: Mutex<State>,
}

impl BufferPool {
    /// A pool within `budget`.
    pub fn new(budget: ByteCount) -> Self {
        Self { budget: budget.0, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task is granted `limit`: it takes over what is kept, as far as that goes.
    pub(crate) fn lend(&self, limit: u64) -> Kept {
        let mut state = self.state();
        state.granted = state.granted.saturating_add(limit);
        let mut lent = Kept::default();
        while let Some(buffer) = state.kept.take_largest() {
            if lent.bytes.saturating_add(buffer.len() as u64) > limit {
                state.kept.put(buffer);
                break;
            }
            lent.put(buffer);
        }
        let rest = self.budget.saturating_sub(state.granted);
        state.kept.shrink_to(rest);
        lent
    }

    /// A task gives its grant back, and the buffers that it kept.
    pub(crate) fn give_back(&self, limit: u64, mut kept: Kept) {
        let mut state = self.state();
        state.granted = state.granted.saturating_sub(limit);
        while let Some(buffer) = kept.take_largest() {
            state.kept.put(buffer);
        }
        let rest = self.budget.saturating_sub(state.granted);
        state.kept.shrink_to(rest);
    }

    /// What is kept for the next tasks.
    pub(crate) fn kept(&self) -> ByteCount {
        ByteCount(self.state().kept.bytes())
    }

    /// Frees what is kept where no task runs: an idle worker holds nothing.
    pub fn release_if_idle(&self) {
        let mut state = self.state();
        if state.granted == 0 {
            state.kept.shrink_to(0);
        }
    }
}
