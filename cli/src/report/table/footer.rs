//! What a plan says below its table: memory, temporary objects, what was assumed, the estimate, and why.

use std::fmt::Write as _;

use rechunk_common::plan::{ArrayPlan, PlanSummary};

use super::{
    super::{
        assumptions::stores,
        figure::{grouped, seconds},
        is_verified,
    },
    MAX_ARRAY_ROWS, largest,
};

/// The lines below the table.
pub(super) fn footer(summary: &PlanSummary) -> String {
    let mut text = String::new();
    let memory = &summary.memory;
    let _ = writeln!(
        text,
        "memory    {} a worker: {} reserved for the process, {} for tasks; the largest task holds {}",
        memory.max_mem, memory.reserve, memory.budget, summary.peak_memory,
    );
    if let Some(temp) = &summary.temp {
        let _ = writeln!(
            text,
            "temporary {} at a time ({} in all) under {temp}",
            summary.temp_bytes, summary.exchange_bytes,
        );
    }
    if summary.peak_scratch.0 > 0 {
        let _ = writeln!(text, "scratch   {} of local disk for the largest task", summary.peak_scratch);
    }
    text.push_str(&assumed(summary));
    let _ = writeln!(text, "{}", expected(summary));
    for (arrays, why) in reasons(summary) {
        let arrays = if summary.arrays.len() > 1 { format!("{}: ", named(&arrays)) } else { String::new() };
        let _ = writeln!(text, "why       {arrays}{why}");
    }
    // The largest array's: a line for each array would say the same many times.
    if let Some((array, runner_up)) = largest(summary).and_then(|array| Some((array, array.runner_up.as_ref()?))) {
        let what = if summary.arrays.len() > 1 { format!(" for {}", array.name) } else { String::new() };
        let shape = runner_up.shape_of_plan.as_str().replace('_', " ");
        let _ = writeln!(text, "runner-up {shape}{what}: {}", runner_up.reason);
    }
    if is_verified(summary) {
        let _ = writeln!(text, "verify    the target is read back and compared with the source before it is published");
    }
    for warning in &summary.warnings {
        let _ = writeln!(text, "warning   {warning}");
    }
    text
}

/// The estimate, and what it rests on.
fn expected(summary: &PlanSummary) -> String {
    let (estimate, basis) = (&summary.estimate, &summary.basis);
    let workers =
        if basis.workers == 1 { "1 worker".to_owned() } else { format!("{} workers", grouped(basis.workers)) };
    let mut text = format!(
        "estimate  about {}, {}, {} over the network; with {workers} at {} an hour each",
        seconds(estimate.duration.as_secs_f64()),
        estimate.usd,
        estimate.wire_bytes,
        basis.worker_hour,
    );
    for (places, store) in stores(basis, summary.temp.is_some()) {
        let _ = write!(
            text,
            "\n          {places} as {}: {:?} to the first byte, {} MB/s a worker, {} for 1,000 PUT, {} for 1,000 GET",
            store.kind.as_str().replace('_', " "),
            store.latency,
            grouped(store.bytes_per_second / 1_000_000),
            store.prices.per_1000_put,
            store.prices.per_1000_get,
        );
    }
    text
}

/// What was assumed of the source's chunks, where that is not simply that all of them were found.
fn assumed(summary: &PlanSummary) -> String {
    let is_open = |array: &&ArrayPlan| array.listed_objects.is_none() && array.source_objects > 0;
    let open = summary.arrays.iter().filter(is_open).count();
    let listed = summary.arrays.iter().filter_map(|array| Some((array.listed_objects?, array.source_objects)));
    let (found, all) =
        listed.fold((0_u64, 0_u64), |sum, next| (sum.0.saturating_add(next.0), sum.1.saturating_add(next.1)));
    let mut text = String::new();
    if found < all {
        let (found, all) = (grouped(found), grouped(all));
        let _ =
            writeln!(text, "listed    {found} of {all} source chunks or shards are there; others are never asked for");
    }
    match open {
        0 => {}
        _ if open == summary.arrays.len() => {
            let _ = writeln!(text, "assumed   dense: every source chunk is taken to be there");
        }
        _ => {
            let _ = writeln!(text, "assumed   dense: every source chunk of {open} arrays is taken to be there");
        }
    }
    text
}

/// Reasons in the order of their first array, each with its arrays.
fn reasons(summary: &PlanSummary) -> Vec<(Vec<&str>, String)> {
    let mut reasons: Vec<(Vec<&str>, String)> = Vec::new();
    for array in &summary.arrays {
        let shape = array.shape_of_plan.as_str().replace('_', " ");
        let why = format!("{shape}: {}", array.reason);
        match reasons.iter_mut().find(|(_, known)| *known == why) {
            Some((arrays, _)) => arrays.push(&array.name),
            None => reasons.push((vec![&array.name], why)),
        }
    }
    reasons.truncate(MAX_ARRAY_ROWS);
    reasons
}

/// `tas, pr, lat and 5 more`.
fn named(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
