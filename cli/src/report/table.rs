//! Plans and results as tables: arrays, the shape chosen and why, stages with tasks, memory, requests and bytes.

use std::fmt::Write as _;

use super::assumptions::stores;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use rechunk_common::{
    ByteCount, Counts,
    job::JobView,
    plan::{ArrayPlan, PlanSummary, ShapeOfPlan},
};

/// Arrays shown one by one; a group with more shows the largest of them.
const MAX_ARRAY_ROWS: usize = 20;

/// A plan.
pub(crate) fn plan(summary: &PlanSummary) -> String {
    let mut text = arrays(summary);
    let mut table = table_of(&["stage", "tasks", "per task", "GET", "PUT", "delete", "decoded", "encoded"]);
    for row in merge_by_name(summary.stages.iter().map(|s| (s.name.as_str(), s.tasks, s.task_memory, s.counts))) {
        table.add_row(stage_cells(&row.name, row.tasks, &size_or_dash(row.memory), &row.counts));
    }
    let tasks = summary.stages.iter().map(|stage| stage.tasks).sum();
    table.add_row(stage_cells("total", tasks, "", &summary.totals));
    let _ = write!(text, "\n{}\n\n{}", table.trim_fmt(), footer(summary));
    text
}

/// A job that has ended, measured beside planned; `max_mem` bounds the process whose peak was measured.
pub(crate) fn result(job: &JobView, wall_seconds: f64, max_mem: ByteCount) -> String {
    let mut text = String::new();
    let mut table =
        table_of(&["stage", "tasks", "per task", "GET", "planned", "PUT", "planned", "delete", "decoded", "encoded"]);
    let mut measured = Counts::default();
    for row in merge_results(job) {
        measured += row.measured;
        table.add_row(result_cells(&row));
    }
    let predicted = job.stages.iter().map(|stage| stage.predicted).sum();
    let done = job.stages.iter().map(|stage| stage.done).sum();
    table.add_row(result_cells(&ResultRow { name: "total".into(), done, measured, predicted }));
    let _ = writeln!(text, "{}\n", table.trim_fmt());
    let rate = measured.bytes_decoded as f64 / wall_seconds.max(1e-9);
    let _ = writeln!(
        text,
        "{} in {}: {} decoded ({}/s), peak memory {} of {}",
        job.state.as_str().to_lowercase(),
        seconds(wall_seconds),
        ByteCount(measured.bytes_decoded),
        ByteCount(whole(rate)),
        job.peak_rss,
        max_mem,
    );
    for (count, what) in [
        (measured.skipped_fill_chunks, "target chunks hold nothing but the fill value and were not written"),
        (measured.missing_source_chunks, "source chunks were missing"),
        (job.retries, "tasks were tried again"),
        (job.leases_expired, "leases ran out"),
        (measured.repeated_requests, "requests were repeated"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{} {what}", grouped(count));
        }
    }
    if measured.rate_wait_us > 0 {
        let waited = seconds(measured.rate_wait().as_secs_f64());
        let _ = writeln!(text, "{waited}, summed over requests, were waited for the request rates of stores");
    }
    text
}

fn arrays(summary: &PlanSummary) -> String {
    let mut table = table_of(&["array", "shape", "dtype", "chunks", "", "plan"]);
    for column in 1..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
    let mut shown: Vec<&ArrayPlan> = summary.arrays.iter().collect();
    if shown.len() > MAX_ARRAY_ROWS {
        shown.sort_by_key(|array| std::cmp::Reverse(array.shape.iter().fold(1_u64, |n, l| n.saturating_mul(*l))));
        shown.truncate(MAX_ARRAY_ROWS);
    }
    for array in &shown {
        table.add_row(vec![
            Cell::new(if array.name.is_empty() { "(array)" } else { &array.name }),
            Cell::new(lengths(&array.shape)),
            Cell::new(&array.dtype),
            Cell::new(grid(&array.source_chunks, array.source_shards.as_deref())),
            Cell::new(format!("→ {}", grid(&array.target_chunks, array.target_shards.as_deref()))),
            Cell::new(shape_name(array)),
        ]);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    let hidden = summary.arrays.len().saturating_sub(shown.len());
    if hidden > 0 {
        let _ = writeln!(text, "and {hidden} smaller arrays");
    }
    text
}

fn shape_name(array: &ArrayPlan) -> String {
    let name = match array.shape_of_plan {
        ShapeOfPlan::Empty => "empty",
        ShapeOfPlan::CopyEncoded => "pass-through",
        ShapeOfPlan::DirectSweep => "direct sweep",
        ShapeOfPlan::GroupLocal => "group by group, over local disk",
        ShapeOfPlan::Exchange => "exchange",
        ShapeOfPlan::SeveralExchanges => "several exchanges",
    };
    if array.pipelines > 1 { format!("{name}, {} groups", grouped(array.pipelines)) } else { name.to_owned() }
}

fn footer(summary: &PlanSummary) -> String {
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

/// The array with the most elements.
pub(crate) fn largest(summary: &PlanSummary) -> Option<&ArrayPlan> {
    summary.arrays.iter().max_by_key(|array| array.shape.iter().fold(1_u64, |n, length| n.saturating_mul(*length)))
}

/// A stage of the whole job, its arrays summed up.
struct StageRow {
    name: String,
    tasks: u64,
    memory: ByteCount,
    counts: Counts,
}

fn merge_by_name<'a>(stages: impl Iterator<Item = (&'a str, u64, ByteCount, Counts)>) -> Vec<StageRow> {
    let mut rows: Vec<StageRow> = Vec::new();
    for (name, tasks, memory, counts) in stages {
        if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
            row.tasks = row.tasks.saturating_add(tasks);
            row.memory = row.memory.max(memory);
            row.counts += counts;
        } else {
            rows.push(StageRow { name: name.to_owned(), tasks, memory, counts });
        }
    }
    rows
}

struct ResultRow {
    name: String,
    done: u64,
    measured: Counts,
    predicted: Counts,
}

fn merge_results(job: &JobView) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = Vec::new();
    for stage in &job.stages {
        if let Some(row) = rows.iter_mut().find(|row| row.name == stage.name) {
            row.done = row.done.saturating_add(stage.done);
            row.measured += stage.measured;
            row.predicted += stage.predicted;
        } else {
            rows.push(ResultRow {
                name: stage.name.clone(),
                done: stage.done,
                measured: stage.measured,
                predicted: stage.predicted,
            });
        }
    }
    rows
}

fn result_cells(row: &ResultRow) -> Vec<Cell> {
    vec![
        Cell::new(&row.name),
        Cell::new(grouped(row.done)),
        Cell::new(size_or_dash(ByteCount(row.measured.peak_task_memory))),
        Cell::new(count_or_dash(row.measured.get_requests)),
        Cell::new(count_or_dash(row.predicted.get_requests)),
        Cell::new(count_or_dash(row.measured.put_requests)),
        Cell::new(count_or_dash(row.predicted.put_requests)),
        Cell::new(count_or_dash(row.measured.delete_requests)),
        Cell::new(size_or_dash(ByteCount(row.measured.bytes_decoded))),
        Cell::new(size_or_dash(ByteCount(row.measured.bytes_encoded))),
    ]
}

fn stage_cells(name: &str, tasks: u64, memory: &str, counts: &Counts) -> Vec<Cell> {
    vec![
        Cell::new(name),
        Cell::new(grouped(tasks)),
        Cell::new(memory),
        Cell::new(count_or_dash(counts.get_requests)),
        Cell::new(count_or_dash(counts.put_requests)),
        Cell::new(count_or_dash(counts.delete_requests)),
        Cell::new(size_or_dash(ByteCount(counts.bytes_decoded))),
        Cell::new(size_or_dash(ByteCount(counts.bytes_encoded))),
    ]
}

/// A table with a first column of names and further columns of figures, set right.
pub(crate) fn table_of(header: &[&str]) -> Table {
    let mut table = Table::new();
    // Never wrapped: a figure that is broken in two is none, and a terminal that is too narrow does better.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn grid(chunks: &[u64], shards: Option<&[u64]>) -> String {
    match shards {
        Some(shards) => format!("{} in shards {}", lengths(chunks), lengths(shards)),
        None => lengths(chunks),
    }
}

/// `1024×16×32`, and `scalar` for a 0-d array.
fn lengths(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×")
}

fn count_or_dash(count: u64) -> String {
    if count == 0 { "–".to_owned() } else { grouped(count) }
}

fn size_or_dash(size: ByteCount) -> String {
    if size.0 == 0 { "–".to_owned() } else { size.to_string() }
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure for people, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and durations are small and positive"
)]
fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

/// `0.8 s`, `42 s`, `3 min 20 s`, `7 h 5 min`, `12 days`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7_200.0 {
        let whole = whole(seconds);
        format!("{} min {} s", whole / 60, whole % 60)
    } else if seconds < 172_800.0 {
        let minutes = whole(seconds / 60.0);
        format!("{} h {} min", minutes / 60, minutes % 60)
    } else {
        format!("{} days", grouped(whole(seconds / 86_400.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(96_432_017), "96,432,017");
    }

    #[test]
    fn seconds_read_as_a_person_says_them() {
        assert_eq!(seconds(0.84), "0.8 s");
        assert_eq!(seconds(42.4), "42 s");
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(seconds(25_500.0), "7 h 5 min");
        assert_eq!(seconds(1_000_000.0), "12 days");
    }
}
