//! Refusals of the planner: what does not fit, how much would, and what else could be asked for.

use rechunk_common::{ByteCount, Refusal, RefusalCode};

use crate::{
    PlanInput,
    array::{Array, named},
    choice::Unfit,
    copy::Copier,
    smaller,
};

/// A limit of rechunk, named.
pub(crate) fn limit(reason: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::ResourceExhausted, reason, message)
}

/// A figure beyond 64 bits.
pub(crate) fn too_large() -> Refusal {
    limit("PLAN_TOO_LARGE", "a count or a size of this plan passes 2^64").at("chunks")
}

/// No shape has a task that fits.
pub(crate) fn nothing_fits(work: &Copier, unfit: &[Unfit]) -> Refusal {
    let (mut memory, mut temp, mut refused): (Option<u64>, Option<u64>, Option<&Refusal>) = (None, None, None);
    for unfit in unfit {
        match unfit {
            Unfit::Memory(Some(bytes)) => memory = Some(memory.map_or(*bytes, |least| least.min(*bytes))),
            Unfit::Memory(None) | Unfit::Scratch(_) => {}
            Unfit::Temp(bytes) => temp = Some(*bytes),
            Unfit::Refused(refusal) => refused = Some(refusal),
        }
    }
    if let Some(refusal) = refused {
        return refusal.clone();
    }
    let needed = memory.and_then(|bytes| max_mem_for(work.input, bytes));
    match temp {
        Some(bytes) => over_temp_limit(work, bytes, needed),
        None => over_memory(work, needed),
    }
}

fn over_temp_limit(work: &Copier, bytes: u64, needed: Option<ByteCount>) -> Refusal {
    let or = needed.map(|bytes| format!(", or max_mem of {bytes}")).unwrap_or_default();
    let limit = work.input.temp.limit.unwrap_or_default();
    let message = format!(
        "{}one group of chunks needs {} of temporary space and temp_limit is {limit}: raise it to {}{or}",
        named(work.array.spec),
        ByteCount(bytes),
        rounded_up(bytes)
    );
    Refusal::invalid("temp_limit", "TEMP_LIMIT_TOO_SMALL", message)
}

fn over_memory(work: &Copier, needed: Option<ByteCount>) -> Refusal {
    let (array, name) = (work.array, named(work.array.spec));
    let Some(needed) = needed else {
        return Refusal::invalid("max_mem", "MEMORY_TOO_SMALL", format!("{name}no memory would be enough"));
    };
    let (source, target) = array.chunk_bytes();
    let (side, bytes) = if source > target { ("source", source) } else { ("target", target) };
    let instead = if target_is_at_fault(array) { smaller::proposal(work) } else { None };
    let message = format!(
        "{name}{side} chunk of {} needs max_mem of at least {needed}, and it is {}{}",
        ByteCount(bytes),
        work.input.memory.max_mem,
        instead.map(|instead| format!("; or ask for {instead}")).unwrap_or_default()
    );
    Refusal::invalid("max_mem", "MEMORY_TOO_SMALL", message)
}

/// Whether the target has the larger objects: with others it might fit.
fn target_is_at_fault(array: &Array) -> bool {
    let bytes = |lengths: &[u64]| lengths.iter().fold(1_u64, |bytes, length| bytes.saturating_mul(*length));
    bytes(array.write_unit) >= bytes(array.source.unit)
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

/// Lengths as the command line takes them.
pub(crate) fn joined(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}
