//! An allocator that counts: how many bytes live, and how many lived at the most since [`start_peak`].
//!
//! For the program that installs it (`#[global_allocator]`); elsewhere the figures stay 0.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
#[derive(Debug, Default)]
pub struct Counting;

/// Bytes that live.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Bytes that lived at the most since the last [`start_peak`].
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// From now on the peak is counted anew; returns the bytes that live now.
pub fn start_peak() -> usize {
    let now = live();
    PEAK.store(now, Ordering::Relaxed);
    now
}

fn taken(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    PEAK.fetch_max(live, Ordering::Relaxed);
}

fn given_back(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "every call goes to the system's allocator unchanged; only counters are beside it")]
// SAFETY: layouts and pointers are handed through as they come, so the contract is the system allocator's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same here.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            taken(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, so from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) };
        given_back(layout.size());
    }
}
