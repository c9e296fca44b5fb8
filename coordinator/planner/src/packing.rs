//! Whether exchange blocks are compressed: seconds of link against seconds of codec, for the kind of store that the
//! temporary space is in. And the boxes of the index that a packed exchange needs.

use rechunk_common::{cost_profile::StoreKind, layout::ChunkLayout, plan::ExchangeCodec, request::ExchangeCodecChoice};
use serde_json::Value;

use crate::{TempSpace, array::Array, axis, cost::Fleet, memory, shifted::Shifted};

/// What the index stage takes, its barrier included.
const INDEX_SECONDS: f64 = 2.0;

/// What an indexing task holds at the most if the budget allows more: a million entries, and then some.
const INDEX_BYTES: u64 = 64 << 20;

/// What a codec does on one thread, its shuffle included, and what is left of the bytes that it compresses.
struct Speed {
    codec: ExchangeCodec,
    pack_bytes_per_second: f64,
    unpack_bytes_per_second: f64,
    /// Of what the source compresses too: gridded data of one variable.
    ratio: f64,
}

const SPEEDS: [Speed; 2] = [
    Speed { codec: ExchangeCodec::Lz4, pack_bytes_per_second: 600e6, unpack_bytes_per_second: 1500e6, ratio: 0.5 },
    Speed { codec: ExchangeCodec::Zstd, pack_bytes_per_second: 300e6, unpack_bytes_per_second: 700e6, ratio: 0.45 },
];

/// Codecs that make nothing shorter.
const NOT_COMPRESSING: [&str; 9] =
    ["bytes", "vlen-utf8", "vlen-bytes", "transpose", "endian", "crc32c", "crc32", "adler32", "fletcher32"];

/// How blocks may be stored, the best first: what was asked for, or what is faster and else raw. Of a source with gaps
/// always raw: reading tasks that find nothing write no object, and an index takes one that is missing for lost. Blocks of
/// elements of variable length are always packed, compressed or not: then every object is written.
pub(crate) fn candidates(temp: &TempSpace, array: &Array, fleet: &Fleet) -> Vec<Option<ExchangeCodec>> {
    let fastest = || {
        let is_worth_it = is_behind_a_link(fleet) && is_compressed(&array.spec.source.chunks);
        if is_worth_it { fastest(array.bytes as f64, fleet) } else { None }
    };
    if array.is_variable {
        return vec![Some(match temp.codec {
            ExchangeCodecChoice::None => ExchangeCodec::None,
            ExchangeCodecChoice::Lz4 => ExchangeCodec::Lz4,
            ExchangeCodecChoice::Zstd => ExchangeCodec::Zstd,
            ExchangeCodecChoice::Auto => fastest().unwrap_or(ExchangeCodec::None),
        })];
    }
    if array.spec.has_gaps() {
        return vec![None];
    }
    match temp.codec {
        ExchangeCodecChoice::None => vec![None],
        ExchangeCodecChoice::Lz4 => vec![Some(ExchangeCodec::Lz4)],
        ExchangeCodecChoice::Zstd => vec![Some(ExchangeCodec::Zstd)],
        ExchangeCodecChoice::Auto => fastest().map(Some).into_iter().chain([None]).collect(),
    }
}

/// The codec by which both ways of `bytes` take the least time; `None` where that is none.
fn fastest(bytes: f64, fleet: &Fleet) -> Option<ExchangeCodec> {
    let share = bytes / fleet.workers.max(1) as f64;
    let threads = fleet.threads.max(1) as f64;
    let link = |ratio: f64| 2.0 * ratio * share / fleet.basis.temp.bytes_per_second.max(1) as f64;
    let seconds = |speed: &Speed| {
        let work = share / speed.pack_bytes_per_second + share / speed.unpack_bytes_per_second;
        link(speed.ratio) + work / threads + INDEX_SECONDS
    };
    let best = SPEEDS.iter().min_by(|a, b| seconds(a).total_cmp(&seconds(b)))?;
    (seconds(best) < link(1.0)).then_some(best.codec)
}

/// Whether a link stands between the workers and the temporary store, and not just a disk or memory.
fn is_behind_a_link(fleet: &Fleet) -> bool {
    fleet.basis.temp.kind != StoreKind::Local
}

/// What a codec does to the traffic of an exchange, and to the threads at both of its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effect {
    /// Stored bytes as a part of the elements' bytes.
    pub(crate) stored_part: f64,
    /// Seconds of one thread for a byte that is packed.
    pub(crate) pack_seconds_per_byte: f64,
    /// Seconds of one thread for a byte that is unpacked.
    pub(crate) unpack_seconds_per_byte: f64,
}

/// The effect of `codec`; raw blocks stay as they are.
pub(crate) fn effect(codec: Option<ExchangeCodec>) -> Effect {
    let speed = codec.and_then(|codec| SPEEDS.iter().find(|speed| speed.codec == codec));
    match speed {
        Some(speed) => Effect {
            stored_part: speed.ratio,
            pack_seconds_per_byte: 1.0 / speed.pack_bytes_per_second,
            unpack_seconds_per_byte: 1.0 / speed.unpack_bytes_per_second,
        },
        None => Effect { stored_part: 1.0, pack_seconds_per_byte: 0.0, unpack_seconds_per_byte: 0.0 },
    }
}

/// Whether the chunks are compressed, which says that it is worth while.
fn is_compressed(chunks: &ChunkLayout) -> bool {
    let (ChunkLayout::Plain { codecs, .. } | ChunkLayout::Sharded { codecs, .. }) = chunks;
    let Ok(Value::Array(chain)) = serde_json::from_str::<Value>(codecs) else { return false };
    let name = |codec: &Value| codec.get("name").and_then(Value::as_str).map(str::to_owned);
    chain.iter().filter_map(name).any(|name| {
        let plain = name.rsplit('.').next().unwrap_or(&name);
        !NOT_COMPRESSING.contains(&plain)
    })
}

/// Lengths of the boxes that have an index object each: as few as the memory of a task allows. They are slabs, cut along
/// the slowest axes first, so that what one of them needs of an exchange object's table is one run. `None` where even the
/// row of one writing task does not fit.
pub(crate) fn indexers(
    extents: &[u64],
    readers: &[u64],
    writers: &[u64],
    budget: u64,
    shifted: Shifted,
) -> Option<Vec<u64>> {
    let fits = |lengths: &[u64], most: u64| {
        let memory = memory::index_exchange(extents, readers, writers, lengths, shifted)?;
        memory.total(memory.least_pieces).filter(|total| *total <= most)
    };
    let mut lengths: Vec<u64> = extents
        .iter()
        .zip(writers)
        .enumerate()
        .map(|(at, (n, writer))| {
            // A slab is whole along the faster axes, wherever its writers begin.
            let boxes = if shifted.has(at) {
                axis::most_overlapped_anywhere(*n, *n, *writer)
            } else {
                axis::boxes(*n, *writer)
            };
            boxes.checked_mul(*writer)
        })
        .collect::<Option<_>>()?;
    for at in 0..lengths.len() {
        let writer = *writers.get(at)?;
        while fits(&lengths, budget.min(INDEX_BYTES)).is_none() {
            let length = lengths.get_mut(at)?;
            let boxes = length.checked_div(writer)?;
            if boxes <= 1 {
                break;
            }
            *length = boxes.div_ceil(2).checked_mul(writer)?;
        }
    }
    fits(&lengths, budget).map(|_| lengths)
}

#[cfg(test)]
mod tests {
    use rechunk_common::plan::CostBasis;

    use super::*;

    fn fleet(workers: u64, threads: u64) -> Fleet {
        let basis = CostBasis { workers, ..crate::tests::basis(StoreKind::S3) };
        Fleet { workers, threads, budget: 1 << 30, scratch: 0, basis }
    }

    #[test]
    fn a_link_is_worth_a_codec_where_there_is_much_to_move() {
        assert_eq!(fastest(1e12, &fleet(8, 4)), Some(ExchangeCodec::Lz4));
        assert_eq!(fastest(1e8, &fleet(1, 4)), None, "the index takes longer than what it saves");
        assert_eq!(fastest(1e12, &fleet(100_000, 4)), None, "each has little to move");
    }

    #[test]
    fn the_sources_codecs_say_whether_its_elements_compress() {
        let chunks = |codecs: &str| ChunkLayout::Plain { chunk_shape: vec![1], codecs: codecs.to_owned() };
        for (codecs, expected) in [
            ("[]", false),
            ("nonsense", false),
            (r#"[{"name":"bytes"}]"#, false),
            (r#"[{"name":"transpose"},{"name":"bytes"},{"name":"crc32c"}]"#, false),
            (r#"[{"name":"bytes"},{"name":"zstd","configuration":{}}]"#, true),
            (r#"[{"name":"bytes"},{"name":"numcodecs.zlib"}]"#, true),
            (r#"[{"name":"bytes"},{"name":"numcodecs.fletcher32"}]"#, false),
            (r#"[{"name":"vlen-utf8"}]"#, false),
            (r#"[{"name":"vlen-utf8"},{"name":"zstd","configuration":{}}]"#, true),
        ] {
            assert_eq!(is_compressed(&chunks(codecs)), expected, "{codecs}");
        }
    }

    #[test]
    fn an_index_is_cut_along_the_slowest_axes_and_no_more_than_needed() {
        let (extents, readers, writers) = ([100, 40, 7], [10, 40, 7], [100, 2, 1]);
        assert_eq!(indexers(&extents, &readers, &writers, u64::MAX, Shifted::default()), Some(vec![100, 40, 7]));
        let one_row = indexers(&extents, &readers, &writers, 700, Shifted::default()).expect("a row fits");
        assert_eq!(one_row, [100, 2, 1]);
        let some = indexers(&extents, &readers, &writers, 9_000, Shifted::default()).expect("some rows fit");
        assert_eq!((some[0], some[2]), (100, 7), "{some:?}");
        assert!((2..40).contains(&some[1]) && some[1].is_multiple_of(2), "{some:?}");
        assert_eq!(indexers(&extents, &readers, &writers, 300, Shifted::default()), None);
    }
}
