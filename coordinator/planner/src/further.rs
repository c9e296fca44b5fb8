//! More than one exchange, as a formula. Blocks of one exchange are as many as pairs of tasks; with `k` of them, each
//! task passes blocks on to only the k-th root of as many others. That is worth another copy of the array, written and
//! read, only where requests cost more than bytes: below about 200 kB a block. Nothing runs it.

use crate::{
    array::Array,
    axis, codec,
    cost::{Fleet, Outlay, Place, StageWork, Traffic, whole},
    exchange::ExchangeShape,
};

use rechunk_common::Counts;

/// Exchanges that are looked at, at the most: each further one saves less.
const MOST_EXCHANGES: i32 = 3;

/// Several exchanges one after another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FurtherExchanges {
    pub(crate) exchanges: u64,
    pub(crate) outlay: Outlay,
    /// About: no boxes were searched.
    pub(crate) counts: Counts,
    pub(crate) tasks: u64,
    /// Mean length of a block of the one exchange, in bytes.
    pub(crate) block_bytes: u64,
}

/// The cheapest number of exchanges instead of the one that is given, by the fleet's preference.
pub(crate) fn instead_of(one: &ExchangeShape, array: &Array, fleet: &Fleet) -> Option<FurtherExchanges> {
    let cost = |further: &FurtherExchanges| further.outlay.cost(fleet.basis.prefer);
    (2..=MOST_EXCHANGES)
        .map(|exchanges| several(exchanges, one, array, fleet))
        .min_by(|one, other| cost(one).total_cmp(&cost(other)))
}

fn several(exchanges: i32, one: &ExchangeShape, array: &Array, fleet: &Fleet) -> FurtherExchanges {
    let bytes = array.bytes as f64;
    let number =
        |units: &[u64]| -> f64 { array.shape.iter().zip(units).map(|(n, l)| axis::boxes(*n, *l) as f64).product() };
    let (units, written) = (array.read_unit_count(), number(array.write_unit));
    let tasks = one.tasks.0.max(one.tasks.1).max(1.0);
    let blocks = tasks * (one.blocks / tasks).max(1.0).powf(1.0 / f64::from(exchanges));
    let (from, to) = (array.source_codec, array.target_codec);
    let through = |place, requests| Traffic { place, requests, bytes };
    let stage = |reads, writes, is_last| StageWork {
        tasks,
        reads,
        writes,
        deletes: if is_last { 0.0 } else { tasks },
        decode_seconds: codec::copy_seconds(bytes),
        encode_seconds: 0.0,
    };
    let source = Traffic { place: Place::Source, requests: units, bytes: bytes * from.stored_part() };
    let target = Traffic { place: Place::Target, requests: written, bytes: bytes * to.stored_part() };
    let mut first = stage(source, through(Place::Temp, tasks), false);
    first.decode_seconds += from.decode_seconds(bytes);
    let between = stage(through(Place::Temp, blocks), through(Place::Temp, tasks), false);
    let mut last = stage(through(Place::Temp, blocks), target, true);
    last.encode_seconds = to.encode_seconds(bytes);
    let mut outlay = first.least_outlay(fleet);
    for _ in 1..exchanges {
        outlay += between.least_outlay(fleet);
    }
    outlay += last.least_outlay(fleet);
    let passes = f64::from(exchanges);
    FurtherExchanges {
        exchanges: u64::from(exchanges.unsigned_abs()),
        outlay: outlay.with_standing(bytes, fleet),
        counts: Counts {
            get_requests: whole(units + passes * blocks),
            put_requests: whole(written + passes * tasks),
            delete_requests: whole(passes * tasks),
            bytes_decoded: whole((passes + 1.0) * bytes),
            bytes_encoded: whole((passes + 1.0) * bytes),
            ..Counts::default()
        },
        tasks: whole((passes + 1.0) * tasks),
        block_bytes: whole(bytes / one.blocks.max(1.0)),
    }
}
