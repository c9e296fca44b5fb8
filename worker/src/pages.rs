//! The size of memory pages that suits what a process may hold, and how soon freed ones go back to the system.

use rechunk_common::ByteCount;

/// Below this limit huge pages are off. They save faults, but round each of an allocator's areas up to 2 MiB: some 30 MiB
/// in all, whatever the limit.
const HUGE_FROM: ByteCount = ByteCount(512 << 20);

/// The allocator's option that says how many milliseconds freed pages are kept: `mi_option_purge_delay` of mimalloc 2 and 3.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Below the limit, in milliseconds. The allocator's own second keeps the buffers of one stage while the next has its own
/// already: an exchange into shards passed 256 MiB by 10 to 50 MiB. Less costs faults: none at all, 1.7 times the time.
const SMALL_PURGE_DELAY: std::ffi::c_long = 50;

/// Keeps the process to small pages, and freed ones for a short time only, where `memory`, its limit, is small. Where the
/// machine does not let it, nothing changes but how close the resident set comes to the limit. Called as a program begins.
pub fn suit_pages_to(memory: ByteCount) {
    if memory >= HUGE_FROM {
        return;
    }
    set_purge_delay(SMALL_PURGE_DELAY);
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay on");
    }
}

#[allow(unsafe_code, reason = "the allocator has no other way to set an option")]
fn set_purge_delay(milliseconds: std::ffi::c_long) {
    // SAFETY: writes one aligned word of the allocator's table of options, which exists from the start and is read anew at
    // each use; programs call it once, before any task runs, and no memory that is in use depends on its value.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, milliseconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(unsafe_code, reason = "the allocator has no other way to ask for an option")]
    fn purge_delay() -> std::ffi::c_long {
        // SAFETY: reads one word of the allocator's table of options.
        unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }
    }

    #[test]
    fn a_small_process_keeps_to_small_pages() {
        assert_eq!(purge_delay(), 1_000, "the option of that number, before anybody sets it");
        suit_pages_to(ByteCount(256 << 20));
        assert_eq!(purge_delay(), SMALL_PURGE_DELAY);
        assert!(rustix::thread::transparent_huge_pages_are_disabled().expect("Linux says so"));
    }
}
