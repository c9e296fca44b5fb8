//! The working space of zstd, kept by each thread from one chunk to the next: to make it costs more than many chunks.
//!
//! A context gives the same bytes whether it is new or used. One that has failed, or that has grown large, is not kept.

use std::{cell::RefCell, io};

use zstd::bulk::{Compressor, Decompressor};

/// A thread keeps no larger context: what the highest levels take is made anew for each chunk.
const MOST_KEPT_BYTES: usize = 4 << 20;

struct Kept {
    level: i32,
    checksum: bool,
    compressor: Compressor<'static>,
}

thread_local! {
    static COMPRESSOR: RefCell<Option<Kept>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// One frame.
pub(super) fn compress(decoded: &[u8], level: i32, checksum: bool) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|place| {
        let fitting = place.take().filter(|kept| (kept.level, kept.checksum) == (level, checksum));
        let mut kept = if let Some(kept) = fitting {
            kept
        } else {
            let mut compressor = Compressor::new(level)?;
            compressor.include_checksum(checksum)?;
            Kept { level, checksum, compressor }
        };
        let encoded = kept.compressor.compress(decoded)?;
        if kept.compressor.context_mut().sizeof() <= MOST_KEPT_BYTES {
            *place = Some(kept);
        }
        Ok(encoded)
    })
}

/// What the frames decode to, at most `capacity` bytes.
pub(super) fn decompress(encoded: &[u8], capacity: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|place| {
        let mut decompressor = match place.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let decoded = decompressor.decompress(encoded, capacity)?;
        *place = Some(decompressor);
        Ok(decoded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_context_gives_the_bytes_of_a_new_one_and_survives_a_failure() {
        let chunks: Vec<Vec<u8>> =
            (0..4_u8).map(|n| (0..=255).cycle().take(3000).map(|b: u8| b / 3 * n).collect()).collect();
        for (level, checksum) in [(1, false), (1, false), (5, true), (1, true)] {
            for chunk in &chunks {
                let used = compress(chunk, level, checksum).expect("compressed");
                let new = std::thread::scope(|scope| {
                    scope.spawn(|| compress(chunk, level, checksum).expect("compressed")).join().expect("a thread")
                });
                assert_eq!(used, new);
                assert!(decompress(&used[..used.len() - 1], chunk.len()).is_err());
                assert!(decompress(&used, chunk.len() - 1).is_err());
                assert_eq!(&decompress(&used, chunk.len()).expect("decompressed"), chunk);
            }
        }
    }
}
