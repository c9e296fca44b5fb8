//! The stages of a plan as a table: what each asks of the stores, the same figures as in the JSON.

use rechunk_common::{
    ByteCount, Counts,
    plan::{PlanSummary, StageSummary},
};

use super::{super::figure::grouped, markup::Markup};

/// Rows from which on the stages of all arrays are added up by name.
const MOST_ROWS: usize = 60;

/// The table.
pub(super) fn section(page: &mut Markup, summary: &PlanSummary) {
    let is_merged = summary.stages.len() > MOST_ROWS;
    let rows = if is_merged { merged(&summary.stages) } else { summary.stages.clone() };
    let has_names = rows.iter().any(|row| !row.array.is_empty());
    page.raw("<section>\n<h2>What each stage does</h2>\n<div class=\"wide\"><table id=\"stages\">\n<thead><tr>");
    if has_names {
        page.raw("<th>array</th>");
    }
    page.raw(
        "<th>stage</th><th class=\"n\">tasks</th><th class=\"n\">memory of a task</th><th class=\"n\">GET</th>\
              <th class=\"n\">PUT</th><th class=\"n\">delete</th><th class=\"n\">decoded</th>\
              <th class=\"n\">encoded</th></tr></thead>\n<tbody>\n",
    );
    for row in &rows {
        page.raw("<tr>");
        if has_names {
            page.raw("<td>").text(&row.array).raw("</td>");
        }
        page.raw("<td><code>").text(&row.name).raw("</code><small>").raw(purpose(&row.name)).raw("</small></td>");
        cells(page, row.tasks, Some(row.task_memory), &row.counts);
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n<tfoot><tr>");
    if has_names {
        page.raw("<td></td>");
    }
    page.raw("<td>total</td>");
    let tasks = summary.stages.iter().map(|stage| stage.tasks).fold(0, u64::saturating_add);
    cells(page, tasks, None, &summary.totals);
    page.raw("</tr></tfoot>\n</table></div>\n");
    if is_merged {
        page.raw("<p class=\"legend\">The stages of all arrays are added up by name.</p>\n");
    }
    page.raw("</section>\n");
}

fn cells(page: &mut Markup, tasks: u64, memory: Option<ByteCount>, counts: &Counts) {
    count(page, tasks);
    size(page, memory.unwrap_or_default());
    for requests in [counts.get_requests, counts.put_requests, counts.delete_requests] {
        count(page, requests);
    }
    size(page, ByteCount(counts.bytes_decoded));
    size(page, ByteCount(counts.bytes_encoded));
}

fn count(page: &mut Markup, count: u64) {
    let text = if count == 0 { "–".to_owned() } else { grouped(count) };
    page.raw("<td class=\"n\">").text(text).raw("</td>");
}

/// A size for people; the exact number is shown when it is pointed at.
fn size(page: &mut Markup, size: ByteCount) {
    if size.0 == 0 {
        page.raw("<td class=\"n\">–</td>");
        return;
    }
    page.raw("<td class=\"n\" title=\"").text(grouped(size.0)).raw(" bytes\">").text(size).raw("</td>");
}

fn merged(stages: &[StageSummary]) -> Vec<StageSummary> {
    let mut rows: Vec<StageSummary> = Vec::new();
    for stage in stages {
        if let Some(row) = rows.iter_mut().find(|row| row.name == stage.name) {
            row.tasks = row.tasks.saturating_add(stage.tasks);
            row.task_memory = row.task_memory.max(stage.task_memory);
            row.counts += stage.counts;
        } else {
            rows.push(StageSummary { array: String::new(), ..stage.clone() });
        }
    }
    rows
}

/// What a stage of ours is for; nothing for one that this program does not know.
fn purpose(stage: &str) -> &'static str {
    match stage {
        "clear_metadata" => "removes the old metadata first, so that nobody reads a half-deleted array",
        "clear_target" => "removes what lay at the target",
        "copy_encoded" => "copies stored chunks as they are",
        "copy_read_to_write" => "reads source chunks, writes target chunks",
        "copy_small_arrays" => "copies many small arrays at once",
        "copy_through_scratch" => "reads source chunks, sorts them on local disk, writes target chunks",
        "copy_read_to_exchange" => "reads source chunks, writes temporary objects",
        "copy_exchange_to_write" => "reads ranges of temporary objects, writes target chunks",
        "verify" => "reads the target back and compares it with what was read of the source",
        "delete_exchange" | "clear_temp" => "removes temporary objects",
        "check_source" => "makes sure that the source's metadata is still the same",
        "publish_arrays" | "publish_groups" => "writes metadata: from now on the target can be read",
        _ => "",
    }
}
