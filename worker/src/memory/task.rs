//! What one task may hold, and what it holds now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rechunk_common::ByteCount;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::{
    Buffer,
    pool::{BufferPool, Kept},
};

/// The memory of one task. Every buffer of the task is reserved here first.
#[derive(Debug)]
pub struct TaskMemory {
    limit: u64,
    state: Mutex<State>,
    freed: Notify,
    pool: Arc<BufferPool>,
    /// Where it comes from is free again when the last buffer of the task is gone.
    _grant: Grant,
}

/// Where a task's memory comes from.
#[derive(Debug)]
enum Grant {
    /// The worker's budget; `None`: nobody else asks for that.
    Budget { _permit: Option<OwnedSemaphorePermit> },
    /// That of a task, of which it is a part.
    Task { _room: Reservation },
}

#[derive(Debug, Default)]
struct State {
    reserved: u64,
    kept: Kept,
    peak: u64,
    peak_reserved: u64,
}

impl State {
    fn note_peak(&mut self) {
        self.peak = self.peak.max(self.reserved.saturating_add(self.kept.bytes()));
        self.peak_reserved = self.peak_reserved.max(self.reserved);
    }
}

/// Room that was taken for a piece and for the targets that it opens.
#[derive(Debug)]
pub(crate) struct Opened {
    /// For the piece.
    pub(crate) piece: Reservation,
    /// For the targets, in the order in which they were asked for.
    pub(crate) targets: Vec<Buffer>,
}

impl TaskMemory {
    /// A task's memory of `limit` bytes; buffers come from `pool` and go back to it.
    pub fn new(limit: ByteCount, pool: Arc<BufferPool>, grant: Option<OwnedSemaphorePermit>) -> Arc<Self> {
        let kept = pool.lend(limit.0);
        let state = State { peak: kept.bytes(), kept, ..State::default() };
        let grant = Grant::Budget { _permit: grant };
        Arc::new(Self { limit: limit.0, state: Mutex::new(state), freed: Notify::new(), pool, _grant: grant })
    }

    /// `limit` bytes of it for a part of the task's work that must not wait for the others; `None` where they are not free.
    pub(crate) fn part(self: &Arc<Self>, limit: ByteCount) -> Option<Arc<Self>> {
        let room = self.try_reserve(limit.0)?;
        // What is kept for later tasks stays with the whole.
        let pool = Arc::new(BufferPool::new(limit));
        let (state, grant) = (Mutex::default(), Grant::Task { _room: room });
        Some(Arc::new(Self { limit: limit.0, state, freed: Notify::new(), pool, _grant: grant }))
    }

    /// All that the task may hold.
    pub fn limit(&self) -> ByteCount {
        ByteCount(self.limit)
    }

    /// The most that the task has held so far, kept buffers included.
    pub fn peak(&self) -> ByteCount {
        ByteCount(self.state().peak)
    }

    /// The most that the task has reserved so far: what it needed itself, without the buffers kept for what comes.
    pub fn peak_reserved(&self) -> ByteCount {
        ByteCount(self.state().peak_reserved)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is reserved now.
    pub(crate) fn reserved(&self) -> u64 {
        self.state().reserved
    }

    /// Woken whenever room was freed.
    pub(crate) fn freed(&self) -> &Notify {
        &self.freed
    }

    /// Takes `bytes` if they are free.
    pub(crate) fn try_reserve(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        self.try_open(bytes, 0, &[]).map(|opened| opened.piece)
    }

    /// Takes `piece` bytes and a buffer for each of `targets` (lengths), all or nothing, so that `keep_free` bytes
    /// stay free beside them.
    pub(crate) fn try_open(self: &Arc<Self>, piece: u64, keep_free: u64, targets: &[usize]) -> Option<Opened> {
        let mut state = self.state();
        let opened = targets.iter().fold(piece, |sum, length| sum.saturating_add(*length as u64));
        let reserved = state.reserved.saturating_add(opened);
        if reserved.saturating_add(keep_free) > self.limit {
            return None;
        }
        let kept: Vec<Option<Vec<u8>>> = targets.iter().map(|length| state.kept.take(*length)).collect();
        state.kept.shrink_to(self.limit.saturating_sub(reserved));
        state.reserved = reserved;
        state.note_peak();
        drop(state);
        let buffer = |(length, kept): (&usize, Option<Vec<u8>>)| Buffer::new(Arc::clone(self), *length, kept);
        Some(Opened {
            piece: Reservation { memory: Arc::clone(self), bytes: piece },
            targets: targets.iter().zip(kept).map(buffer).collect(),
        })
    }

    /// Takes all that is free but for `keep_free` bytes.
    pub(crate) fn reserve_rest(self: &Arc<Self>, keep_free: u64) -> Reservation {
        let mut state = self.state();
        let bytes = self.limit.saturating_sub(state.reserved).saturating_sub(keep_free);
        state.reserved = state.reserved.saturating_add(bytes);
        let rest = self.limit.saturating_sub(state.reserved);
        state.kept.shrink_to(rest);
        state.note_peak();
        drop(state);
        Reservation { memory: Arc::clone(self), bytes }
    }

    fn grow(&self, bytes: u64) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_add(bytes);
        let rest = self.limit.saturating_sub(state.reserved);
        state.kept.shrink_to(rest);
        state.note_peak();
    }

    fn free(&self, bytes: u64) {
        if bytes > 0 {
            let mut state = self.state();
            state.reserved = state.reserved.saturating_sub(bytes);
            drop(state);
            self.freed.notify_one();
        }
    }

    /// A buffer of `length` bytes is gone; its memory is kept if there is any.
    pub(super) fn free_buffer(&self, length: usize, memory: Vec<u8>) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(length as u64);
        if state.reserved.saturating_add(state.kept.bytes()).saturating_add(memory.len() as u64) <= self.limit {
            state.kept.put(memory);
        }
        drop(state);
        self.freed.notify_one();
    }
}

impl Drop for TaskMemory {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.pool.give_back(self.limit, std::mem::take(&mut state.kept));
    }
}

/// Room that is taken; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Arc<TaskMemory>,
    bytes: u64,
}

impl Reservation {
    /// How much it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Splits `bytes` off; less where there is less.
    pub(crate) fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        Self { memory: Arc::clone(&self.memory), bytes }
    }

    /// Takes over the room of another.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
    }

    /// Grows to `bytes` where there is room for that; whether it is as large, and `keep_free` bytes are free beside.
    pub(crate) fn try_grow(&mut self, bytes: u64, keep_free: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        match self.memory.try_open(more, keep_free, &[]) {
            Some(opened) => {
                self.absorb(opened.piece);
                true
            }
            None => false,
        }
    }

    /// Says what is really held: less is given back, more is counted, so that the peak tells the truth.
    pub(crate) fn settle(&mut self, held: u64) {
        if held > self.bytes {
            self.memory.grow(held.saturating_sub(self.bytes));
        } else {
            self.memory.free(self.bytes.saturating_sub(held));
        }
        self.bytes = held;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.free(self.bytes);
    }
}
