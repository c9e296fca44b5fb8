//! One block: shuffled and compressed in tiles that stay in a core's cache, or as it is where that does not make it
//! shorter. So a block is never longer than its elements and one byte, and neither side needs a second buffer of a whole
//! block. Elements of variable length are compressed as they are gathered from their heap, tile by tile.

use std::cell::RefCell;

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    plan::{BLOCK_HEADER_BYTES, BLOCK_LENGTH_BYTES, ExchangeCodec},
};
use rechunk_zarr::VariableChunk;

use super::{
    shuffle,
    values::{self, Values},
};
use crate::{copy::exchange::Presence, failure::bug};

/// In a block's first byte: an element of it is stored in the source.
const STORED: u8 = 1;
/// In a block's first byte: its elements are compressed.
const COMPRESSED: u8 = 2;

/// In a tile's length: its elements are as they are.
const RAW_TILE: u32 = 1 << 31;

/// Elements of a tile, in bytes. LZ4 looks back 64 KiB and has a smaller table for inputs below that.
const LZ4_TILE: usize = 63 << 10;
/// Zstandard gains from longer ones.
const ZSTD_TILE: usize = 252 << 10;

const ZSTD_LEVEL: i32 = 1;

/// Packs and unpacks the blocks of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packer {
    codec: ExchangeCodec,
    /// Bytes of one element.
    width: usize,
    /// Bytes of a tile: whole elements, one at least.
    tile: usize,
}

/// A block as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedBlock {
    /// Its bytes, in pieces.
    pub(crate) parts: Vec<Bytes>,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

impl PackedBlock {
    /// The header, and `parts` behind it.
    fn new(header: u8, mut parts: Vec<Bytes>) -> Self {
        parts.insert(0, Bytes::copy_from_slice(&[header]));
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
        Self { parts, length, crc }
    }

    /// A block whose elements are as they are.
    pub(crate) fn raw(elements: Bytes, presence: Presence) -> Self {
        Self::new(presence.byte() * STORED, vec![elements])
    }
}

/// A stored block without its header.
struct Opened {
    presence: Presence,
    is_compressed: bool,
    stored: Bytes,
}

/// `None` where it is no block.
fn opened(block: &Bytes) -> Option<Opened> {
    let header = *block.first()?;
    if header & !(STORED | COMPRESSED) != 0 {
        return None;
    }
    let presence = if header & STORED != 0 { Presence::Stored } else { Presence::Missing };
    let stored = block.slice(usize::try_from(BLOCK_HEADER_BYTES).ok()?..);
    Some(Opened { presence, is_compressed: header & COMPRESSED != 0, stored })
}

/// Bytes of the elements of variable length of a stored block, with their lengths; `None` where it does not say.
pub(crate) fn values_bytes(block: &[u8]) -> Option<u64> {
    let (_, stored) = block.split_first()?;
    if is_compressed(block) {
        stored.first_chunk::<4>().map(|length| u64::from(u32::from_le_bytes(*length)))
    } else {
        Some(stored.len() as u64)
    }
}

/// Whether the elements of a stored block are compressed.
pub(crate) fn is_compressed(block: &[u8]) -> bool {
    block.first().is_some_and(|header| header & COMPRESSED != 0)
}

/// What a thread keeps for the next block.
#[derive(Default)]
struct Scratch {
    tile: Vec<u8>,
    shuffled: Vec<u8>,
    encoded: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

/// Tiles that are packed one by one.
struct Tiles<'a> {
    packer: &'a Packer,
    scratch: &'a mut Scratch,
    parts: Vec<Bytes>,
    /// Of all parts.
    length: u64,
}

impl Tiles<'_> {
    fn add(&mut self, tile: &[u8]) -> Result<(), TaskFailure> {
        let encoded = self.packer.pack_tile(tile, self.scratch)?;
        self.length = self.length.saturating_add(encoded.len() as u64);
        self.parts.push(Bytes::copy_from_slice(encoded));
        Ok(())
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

impl Packer {
    /// For elements of `width` bytes, at least 1; of variable length that is 1.
    pub(crate) fn new(codec: ExchangeCodec, width: usize) -> Self {
        let width = width.max(1);
        let tile = match codec {
            ExchangeCodec::Lz4 | ExchangeCodec::None => LZ4_TILE,
            ExchangeCodec::Zstd => ZSTD_TILE,
        };
        Self { codec, width, tile: (tile / width).max(1) * width }
    }

    /// The block of `elements`; `None` where compression does not make them shorter.
    pub(crate) fn pack(&self, elements: &[u8], presence: Presence) -> Result<Option<PackedBlock>, TaskFailure> {
        if self.codec == ExchangeCodec::None {
            return Ok(None);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut parts = Vec::new();
            let mut length = 0_usize;
            for tile in elements.chunks(self.tile) {
                let encoded = self.pack_tile(tile, scratch)?;
                length += encoded.len();
                if length >= elements.len() {
                    return Ok(None);
                }
                parts.push(Bytes::copy_from_slice(encoded));
            }
            Ok(Some(PackedBlock::new((presence.byte() * STORED) | COMPRESSED, parts)))
        })
    }

    /// The block of elements of variable length; `None` where compression does not make them shorter.
    pub(crate) fn pack_values(&self, values: &Values, presence: Presence) -> Result<Option<PackedBlock>, TaskFailure> {
        if self.codec == ExchangeCodec::None {
            return Ok(None);
        }
        let whole = values.bytes()?;
        SCRATCH.with_borrow_mut(|scratch| {
            let mut tile = std::mem::take(&mut scratch.tile);
            tile.clear();
            let parts = vec![Bytes::copy_from_slice(&whole.to_le_bytes())];
            let mut tiles = Tiles { packer: self, scratch, parts, length: BLOCK_LENGTH_BYTES };
            values.for_each_run(|mut run| {
                while !run.is_empty() && tiles.length < u64::from(whole) {
                    let (now, later) = run.split_at(run.len().min(self.tile.saturating_sub(tile.len())));
                    tile.extend_from_slice(now);
                    run = later;
                    if tile.len() == self.tile {
                        tiles.add(&tile)?;
                        tile.clear();
                    }
                }
                Ok(())
            })?;
            if !tile.is_empty() {
                tiles.add(&tile)?;
            }
            let (length, parts) = (tiles.length, tiles.parts);
            scratch.tile = tile;
            let is_shorter = length < u64::from(whole);
            Ok(is_shorter.then(|| PackedBlock::new((presence.byte() * STORED) | COMPRESSED, parts)))
        })
    }

    /// A tile with its length in front.
    fn pack_tile<'s>(&self, tile: &[u8], scratch: &'s mut Scratch) -> Result<&'s [u8], TaskFailure> {
        let Scratch { shuffled, encoded, compressor, .. } = scratch;
        let plain = if shuffle::applies_to(self.width) {
            shuffled.resize(tile.len(), 0);
            shuffle::shuffle(tile, self.width, shuffled);
            &shuffled[..]
        } else {
            tile
        };
        let most = match self.codec {
            ExchangeCodec::Lz4 => lz4_flex::block::get_maximum_output_size(plain.len()),
            ExchangeCodec::Zstd => zstd::zstd_safe::compress_bound(plain.len()),
            ExchangeCodec::None => plain.len(),
        };
        encoded.resize(4 + most, 0);
        let (head, body) = encoded.split_at_mut(4);
        let refuse = |error: &dyn std::fmt::Display| bug(format!("cannot compress an exchange block: {error}"));
        let length = match self.codec {
            ExchangeCodec::Lz4 => lz4_flex::block::compress_into(plain, body).map_err(|error| refuse(&error))?,
            ExchangeCodec::Zstd => {
                let compressor = if let Some(compressor) = compressor {
                    compressor
                } else {
                    let new = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|error| refuse(&error))?;
                    compressor.insert(new)
                };
                compressor.compress_to_buffer(plain, body).map_err(|error| refuse(&error))?
            }
            // As it is.
            ExchangeCodec::None => tile.len(),
        };
        let (length, mark) = if length < tile.len() {
            (length, 0)
        } else {
            body.get_mut(..tile.len()).ok_or_else(|| bug("a compression bound is too small"))?.copy_from_slice(tile);
            (tile.len(), RAW_TILE)
        };
        let marked = u32::try_from(length).ok().filter(|length| *length < RAW_TILE);
        let marked = marked.ok_or_else(|| bug("a tile of an exchange block is too long"))? | mark;
        head.copy_from_slice(&marked.to_le_bytes());
        Ok(&encoded[..4 + length])
    }

    /// The `elements_bytes` bytes of elements of a stored block whose checksum was right, and whether any is stored in
    /// the source; `None` where it is no such block. Takes no memory but for those elements.
    pub(crate) fn unpack(&self, block: &Bytes, elements_bytes: usize) -> Option<(Bytes, Presence)> {
        let Opened { presence, is_compressed, stored } = opened(block)?;
        if !is_compressed {
            return (stored.len() == elements_bytes).then_some((stored, presence));
        }
        Some((Bytes::from(self.unpack_tiles(&stored, elements_bytes)?), presence))
    }

    /// The same of `elements` elements of variable length. Takes their descriptors and, where they are compressed, what they
    /// are then.
    pub(crate) fn unpack_values(&self, block: &Bytes, elements: u64) -> Option<(VariableChunk, Presence)> {
        let Opened { presence, is_compressed, stored } = opened(block)?;
        let chunk = if is_compressed {
            let bytes = usize::try_from(values_bytes(block)?).ok()?;
            let heap = self.unpack_tiles(stored.get(4..)?, bytes)?;
            values::in_heap(Bytes::from(heap), 0, elements)
        } else {
            values::in_heap(block.clone(), block.len().checked_sub(stored.len())?, elements)
        };
        Some((chunk?, presence))
    }

    /// The `bytes` bytes of elements that tiles hold.
    fn unpack_tiles(&self, stored: &[u8], bytes: usize) -> Option<Vec<u8>> {
        let mut elements = vec![0; bytes];
        let mut rest = stored;
        SCRATCH.with_borrow_mut(|scratch| {
            for tile in elements.chunks_mut(self.tile) {
                let (head, behind) = rest.split_first_chunk::<4>()?;
                let marked = u32::from_le_bytes(*head);
                let (encoded, behind) = behind.split_at_checked(usize::try_from(marked & !RAW_TILE).ok()?)?;
                rest = behind;
                if marked & RAW_TILE != 0 {
                    if encoded.len() != tile.len() {
                        return None;
                    }
                    tile.copy_from_slice(encoded);
                } else {
                    self.unpack_tile(encoded, tile, scratch)?;
                }
            }
            rest.is_empty().then_some(())
        })?;
        Some(elements)
    }

    /// Decoders write into a buffer of the tile's size, whatever the tile says of itself.
    fn unpack_tile(&self, encoded: &[u8], tile: &mut [u8], scratch: &mut Scratch) -> Option<()> {
        if !shuffle::applies_to(self.width) {
            let length = decompress(self.codec, encoded, tile, &mut scratch.decompressor)?;
            return (length == tile.len()).then_some(());
        }
        scratch.shuffled.resize(tile.len(), 0);
        let length = decompress(self.codec, encoded, &mut scratch.shuffled, &mut scratch.decompressor)?;
        if length != tile.len() {
            return None;
        }
        shuffle::unshuffle(&scratch.shuffled, self.width, tile);
        Some(())
    }
}

fn decompress(
    codec: ExchangeCodec,
    encoded: &[u8],
    to: &mut [u8],
    decompressor: &mut Option<zstd::bulk::Decompressor<'static>>,
) -> Option<usize> {
    match codec {
        ExchangeCodec::Lz4 => lz4_flex::block::decompress_into(encoded, to).ok(),
        ExchangeCodec::Zstd => {
            let decompressor = match decompressor {
                Some(decompressor) => decompressor,
                None => decompressor.insert(zstd::bulk::Decompressor::new().ok()?),
            };
            decompressor.decompress_to_buffer(encoded, to).ok()
        }
        ExchangeCodec::None => None,
    }
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
