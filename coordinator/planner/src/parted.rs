//! How shards are written: whole, or in parts while they are filled. A shard in parts takes little memory, and a request
//! for each part; so it is looked at where whole ones leave little room, and cost decides.

use rechunk_common::{ByteCount, limits::MAX_UPLOAD_PARTS, plan::ShardParts};

use crate::{array::Array, choice::Unfit, copy::Copier, fit::Room};

/// Parts that would be too many have whole multiples of this.
const PART_STEP_BYTES: u64 = 1 << 20;

/// Of whole shards as many should fit into the budget; where fewer do, parts are looked at too.
const FEW_SHARDS: u64 = 2;

/// Parts in which the target's shards may be written, the best first; none where they can only be written whole, or where
/// a part is no less.
fn ways(work: &Copier) -> Vec<ShardParts> {
    let array = work.array;
    if !ShardParts::can_write(&array.spec.target.chunks) {
        return Vec::new();
    }
    let Some(shard) = array.target.shard_bytes(array.shape) else { return Vec::new() };
    let encoding = array.target.encoding;
    let is_less = |parts: &ShardParts| {
        parts.filling_room(encoding.chunk.0, encoding.shard_index.0).is_some_and(|room| room < shard)
    };
    let sizes = [work.input.part_sizes.usual, work.input.part_sizes.least];
    let mut ways: Vec<ShardParts> = sizes.iter().map(|size| parts_of(size.0, shard)).filter(is_less).collect();
    ways.dedup();
    ways
}

/// Parts of `bytes`, longer where there would be too many.
fn parts_of(bytes: u64, shard: u64) -> ShardParts {
    let (least, bytes) = (shard.div_ceil(MAX_UPLOAD_PARTS), bytes.max(1));
    let bytes = if least <= bytes { bytes } else { least.next_multiple_of(PART_STEP_BYTES) };
    ShardParts { bytes: ByteCount(bytes) }
}

/// What `search` finds with shards held whole and with shards in parts, each with room to keep a link busy, else with the
/// least; nothing: what the smallest of all would hold.
pub(crate) fn in_every_way<T>(
    work: &Copier,
    search: impl Fn(&Array, Room) -> Vec<T>,
    least: impl Fn(&Array) -> Option<u64>,
) -> Result<Vec<T>, Unfit> {
    let (array, ways) = (work.array, ways(work));
    let rooms = [Room::Busy, Room::Least];
    let some = |found: &Vec<T>| !found.is_empty();
    let mut found = rooms.into_iter().map(|room| search(array, room)).find(some).unwrap_or_default();
    let shard = array.target.shard_bytes(array.shape).unwrap_or(u64::MAX);
    if found.is_empty() || shard.saturating_mul(FEW_SHARDS) > work.fleet.budget {
        let in_parts = |room: Room| ways.iter().map(move |parts| (room, *parts));
        let mut in_parts =
            rooms.into_iter().flat_map(in_parts).map(|(room, parts)| search(&array.written(parts), room));
        found.extend(in_parts.find(some).unwrap_or_default());
    }
    if found.is_empty() {
        let in_parts = ways.iter().filter_map(|parts| least(&array.written(*parts)));
        return Err(Unfit::Memory(in_parts.chain(least(array)).min()));
    }
    Ok(found)
}

/// Requests that write `objects` objects of the target, parts included: an upload is begun and ended too.
pub(crate) fn requests(array: &Array, objects: f64) -> f64 {
    let Some(parts) = array.target.parts else { return objects };
    let stored = array.bytes as f64 * array.target_codec.stored_part();
    objects * 2.0 + (stored / parts.bytes.0.max(1) as f64).max(objects)
}

/// Every order of `axes`.
pub(crate) fn permutations(axes: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for axis in axes {
        let with = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..=order.len())
                .map(|at| {
                    let mut longer = order.clone();
                    longer.insert(at, *axis);
                    longer
                })
                .collect()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_never_too_many() {
        let bytes = |part, shard| parts_of(part, shard).bytes.0;
        assert_eq!(bytes(5 << 20, 1 << 30), 5 << 20);
        let long = bytes(5 << 20, 1 << 40);
        assert!((1_u64 << 40).div_ceil(long) <= MAX_UPLOAD_PARTS && long.is_multiple_of(PART_STEP_BYTES), "{long}");
        assert_eq!(bytes(0, 10), 1);
    }

    #[test]
    fn axes_are_put_in_every_order_once() {
        let mut all = permutations(&[0, 2, 5]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert!(all.contains(&vec![2, 5, 0]));
        assert_eq!(permutations(&[]), [Vec::<usize>::new()]);
    }
}
