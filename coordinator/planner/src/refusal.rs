//! Refusals of the planner: what does not fit, how much would, and what else could be asked for.

use rechunk_common::{ByteCount, Refusal, RefusalCode};

use crate::{
    EncodedBound, PlanInput,
    array::{Array, named},
    axis::{self, product},
    choice::Unfit,
    direct,
    memory::TargetSide,
};

/// Inner chunks that a proposal of shards aims at: small enough to be buffered by the dozen.
const PROPOSED_CHUNK_BYTES: u64 = 4 << 20;

/// A limit of rechunk, named.
pub(crate) fn limit(reason: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::ResourceExhausted, reason, message)
}

/// A figure beyond 64 bits.
pub(crate) fn too_large() -> Refusal {
    limit("PLAN_TOO_LARGE", "a count or a size of this plan passes 2^64").at("chunks")
}

/// Neither shape has a task that fits.
pub(crate) fn nothing_fits(input: &PlanInput, array: &Array, unfit: &[Unfit]) -> Refusal {
    let memory = unfit.iter().filter_map(|unfit| match unfit {
        Unfit::Memory(bytes) => *bytes,
        Unfit::Temp(_) | Unfit::Scratch(_) => None,
    });
    let temp = unfit.iter().find_map(|unfit| match unfit {
        Unfit::Temp(bytes) => Some(*bytes),
        Unfit::Memory(_) | Unfit::Scratch(_) => None,
    });
    let needed = memory.min().and_then(|bytes| max_mem_for(input, bytes));
    let name = named(array.spec);
    if let Some(bytes) = temp {
        let or = needed.map(|bytes| format!(", or max_mem of {bytes}")).unwrap_or_default();
        let limit = input.temp.limit.unwrap_or_default();
        let message = format!(
            "{name}one group of chunks needs {} of temporary space and temp_limit is {limit}: raise it to {0}{or}",
            rounded_up(bytes)
        );
        return Refusal::invalid("temp_limit", "TEMP_LIMIT_TOO_SMALL", message);
    }
    let (source, target) = array.chunk_bytes();
    let (side, bytes) = if source > target { ("source", source) } else { ("target", target) };
    let Some(needed) = needed else {
        return Refusal::invalid("max_mem", "MEMORY_TOO_SMALL", format!("{name}no memory would be enough"));
    };
    let instead = if side == "target" { proposal(input, array) } else { None }.unwrap_or_default();
    let message = format!(
        "{name}{side} chunk of {} needs max_mem of at least {needed}, and it is {}{instead}",
        ByteCount(bytes),
        input.memory.max_mem
    );
    Refusal::invalid("max_mem", "MEMORY_TOO_SMALL", message)
}

/// The `max_mem` that gives a task `bytes`: with the reserve, and with the share of it that budgets leave unused.
fn max_mem_for(input: &PlanInput, bytes: u64) -> Option<ByteCount> {
    let memory = &input.memory;
    let used = u128::from(memory.budget.0).checked_add(u128::from(memory.reserve.0))?.max(1);
    let whole = u128::from(memory.max_mem.0).max(used);
    let wanted = u128::from(bytes).checked_add(u128::from(memory.reserve.0))?;
    let scaled = wanted.checked_mul(whole)?.div_ceil(used);
    Some(rounded_up(u64::try_from(scaled).ok()?))
}

/// Up to the next number that reads back as enough when it is printed: tenths of its unit.
fn rounded_up(bytes: u64) -> ByteCount {
    let unit = [60_u32, 50, 40, 30, 20, 10].into_iter().map(|shift| 1_u128 << shift);
    let unit = unit.into_iter().find(|unit| u128::from(bytes) >= *unit).unwrap_or(1);
    let tenths = u128::from(bytes).saturating_mul(10).div_ceil(unit);
    let enough = tenths.saturating_mul(unit).checked_div(10).and_then(|enough| u64::try_from(enough).ok());
    ByteCount(enough.unwrap_or(u64::MAX))
}

/// The target's chunk as a shard of smaller chunks, if that fits.
fn proposal(input: &PlanInput, array: &Array) -> Option<String> {
    if array.target.shard.is_some() {
        return None;
    }
    let shard = array.target.chunk.to_vec();
    let mut chunk = shard.clone();
    let bytes = |chunk: &[u64]| product(chunk.iter().copied())?.checked_mul(array.target.width);
    while bytes(&chunk)? > PROPOSED_CHUNK_BYTES {
        let longest = chunk.iter_mut().max_by_key(|length| **length)?;
        let factor = (2..1000).find(|factor| longest.checked_rem(*factor) == Some(0))?;
        *longest = longest.checked_div(factor)?;
    }
    if chunk == shard {
        return None;
    }
    // The encoded bound of a part in proportion, and 16 bytes of index for each.
    let parts = axis::over_axes(chunk.len(), |axis| shard.get(axis)?.checked_div(*chunk.get(axis)?))?;
    let encoding = EncodedBound {
        chunk: ByteCount(array.target.encoding.chunk.0.div_ceil(parts)),
        shard_index: ByteCount(parts.checked_mul(16)?.checked_add(4)?),
    };
    let target = TargetSide { chunk: &chunk, shard: Some(&shard), width: array.target.width, encoding };
    let sharded = Array { target, ..*array };
    let fits = direct::least_memory(&sharded)? <= input.memory.budget.0;
    fits.then(|| format!("; or write shards {} of chunks {}", joined(&shard), joined(&chunk)))
}

/// Lengths as the command line takes them.
pub(crate) fn joined(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
