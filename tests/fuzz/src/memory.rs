//! How much memory an input made its reader take.

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The peak is the process's: one reader at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `work`, which may hold `most` bytes at a time.
///
/// # Panics
///
/// If it holds more, or panics itself.
pub fn within(most: usize, work: impl FnOnce()) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    let held = MEMORY.peak_usage().saturating_sub(before);
    assert!(held <= most, "{held} bytes were held where {most} are warranted");
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::within;

    #[test]
    fn what_holds_too_much_is_found_and_what_gives_it_back_is_not() {
        let hold = |bytes: usize| drop(black_box(Vec::<u8>::with_capacity(bytes)));
        within(1 << 20, || (0..4).for_each(|_| hold(900 << 10)));
        assert!(std::panic::catch_unwind(|| within(1 << 20, || hold(2 << 20))).is_err());
    }
}
