//! Plans and results as tables: arrays, the shape chosen and why, stages with tasks, memory, requests and bytes.

mod footer;

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use rechunk_common::{
    ByteCount, Counts,
    job::{JobState, JobView},
    plan::{ArrayPlan, PlanSummary, ShapeOfPlan},
};

use self::footer::footer;
use super::{
    VERIFY,
    figure::{count_or_dash, grouped, seconds, size_or_dash, whole},
};

/// Arrays shown one by one; a group with more shows the largest of them.
const MAX_ARRAY_ROWS: usize = 20;

/// A plan.
pub fn plan(summary: &PlanSummary) -> String {
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
pub fn result(job: &JobView, wall_seconds: f64, max_mem: ByteCount) -> String {
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
    if let Some(verified) = verified(job) {
        let _ = writeln!(text, "{verified}");
    }
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

/// What was read back of the target, where that was asked for.
fn verified(job: &JobView) -> Option<String> {
    let stages = || job.stages.iter().filter(|stage| stage.name == VERIFY).map(|stage| stage.measured);
    let read: Counts = stages().sum();
    let is_verified = job.state == JobState::Succeeded && stages().next().is_some();
    is_verified.then(|| {
        format!(
            "verified: the target was read back ({} reads, {} decoded) and holds what was read of the source",
            grouped(read.get_requests),
            ByteCount(read.bytes_decoded)
        )
    })
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

/// The array with the most elements.
pub fn largest(summary: &PlanSummary) -> Option<&ArrayPlan> {
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
pub fn table_of(header: &[&str]) -> Table {
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

/// `1×2`, and the shards that these are in.
pub fn grid(chunks: &[u64], shards: Option<&[u64]>) -> String {
    match shards {
        Some(shards) => format!("{} in shards {}", lengths(chunks), lengths(shards)),
        None => lengths(chunks),
    }
}

/// `1024×16×32`, and `scalar` for a 0-d array.
pub fn lengths(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×")
}
