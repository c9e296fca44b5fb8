//! The size of memory pages that suits what a process may hold.

use rechunk_common::ByteCount;

/// Below this limit huge pages are off. They save faults, but round each of an allocator's areas up to 2 MiB: some 30 MiB
/// in all, whatever the limit.
const HUGE_FROM: ByteCount = ByteCount(512 << 20);

/// Keeps the process to small pages where `memory`, its limit, is small. Where the machine does not let it, nothing
/// changes but how close the resident set comes to the limit.
pub fn suit_pages_to(memory: ByteCount) {
    if memory >= HUGE_FROM {
        return;
    }
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_process_keeps_to_small_pages() {
        suit_pages_to(ByteCount(256 << 20));
        assert!(rustix::thread::transparent_huge_pages_are_disabled().expect("Linux says so"));
    }
}
