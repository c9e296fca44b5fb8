//! A plan as one page that needs nothing else: no script, no font, no image from elsewhere. For people who never saw
//! the program: what is there, what will be there, and the way from one to the other, drawn and in figures. The figures
//! are those of the JSON.
//!
//! Every text that comes from a request or a store passes [`markup::Markup::text`], which escapes it; all else is part
//! of this program.

mod arrays;
mod assumptions;
mod candidates;
mod drawing;
mod flow;
mod markup;
mod memory;
mod sample;
mod scene;
mod stages;
#[cfg(test)]
mod tests;

use rechunk_common::{
    ByteCount,
    plan::{Assumed, Plan, PlanSummary},
    request::RechunkRequest,
};

use self::markup::Markup;
use super::figure::{grouped, seconds};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<style>\n";

const GUIDE: &str = include_str!("html/guide.html");

/// The page of a plan; `summary` is the plan's.
pub fn page(request: &RechunkRequest, plan: &Plan, summary: &PlanSummary) -> String {
    let mut page = Markup::default();
    page.raw(HEAD).raw(include_str!("html/style.css")).raw("</style>\n<title>rechunk plan: ");
    page.text(last_name(&request.source)).raw(" → ").text(last_name(&request.target));
    page.raw("</title>\n</head>\n<body>\n<main>\n");
    header(&mut page, request, summary);
    figures(&mut page, summary);
    warnings(&mut page, &summary.warnings);
    arrays::section(&mut page, plan, summary);
    flow::section(&mut page, plan);
    stages::section(&mut page, summary);
    memory::section(&mut page, summary);
    assumptions::section(&mut page, summary);
    page.raw(GUIDE).raw("<footer>rechunk ").raw(env!("CARGO_PKG_VERSION"));
    page.raw(". The counts are exact for ").raw(match summary.assumed {
        Assumed::Dense => "a source that has every chunk",
        Assumed::Listed => "the source chunks that a listing found",
    });
    page.raw("; a run reports what it measured beside them.</footer>\n</main>\n</body>\n</html>\n");
    page.into_string()
}

fn header(page: &mut Markup, request: &RechunkRequest, summary: &PlanSummary) {
    page.raw("<header>\n<p class=\"eyebrow\">rechunk plan · nothing has been written yet</p>\n<h1>");
    page.text(last_name(&request.source)).raw(" <span class=\"arrow\">→</span> ").text(last_name(&request.target));
    page.raw("</h1>\n<dl class=\"places\"><dt>from</dt><dd><code>").text(&request.source);
    page.raw("</code></dd><dt>to</dt><dd><code>").text(&request.target).raw("</code></dd></dl>\n<p class=\"lead\">");
    let arrays = summary.arrays.len();
    let elements: u64 = summary.arrays.iter().map(|array| elements(&array.shape)).fold(0, u64::saturating_add);
    let whole = if arrays == 1 { "An array".to_owned() } else { format!("{} arrays", grouped(arrays as u64)) };
    let verb = if arrays == 1 { "is" } else { "are" };
    page.text(format!(
        "{whole} of {} elements {verb} copied into another chunk grid, element for element. The source stays as it is; \
         the target can be read once everything is there.",
        grouped(elements)
    ));
    page.raw("</p>\n</header>\n");
}

/// The job in six figures.
fn figures(page: &mut Markup, summary: &PlanSummary) {
    let totals = &summary.totals;
    let tasks = summary.stages.iter().map(|stage| stage.tasks).fold(0, u64::saturating_add);
    page.raw("<section class=\"cards\" aria-label=\"The job in figures\">\n");
    let mut card = |value: &str, what: &'static str, note: &str| {
        page.raw("<div class=\"card\"><b>").text(value).raw("</b><span>").raw(what).raw("</span><small>");
        page.text(note).raw("</small></div>\n");
    };
    card(&grouped(totals.get_requests), "read requests", &format!("{} decoded", ByteCount(totals.bytes_decoded)));
    card(&grouped(totals.put_requests), "objects written", &format!("{} encoded", ByteCount(totals.bytes_encoded)));
    card(&grouped(tasks), "tasks", "each is tried again if it fails");
    if summary.temp.is_some() {
        let note = format!("{} in all, removed at the end", summary.exchange_bytes);
        card(&summary.temp_bytes.to_string(), "temporary space", &note);
    } else {
        card("none", "temporary space", "no object is written but the target's");
    }
    let note = format!("of {} that a worker may use", summary.memory.max_mem);
    card(&summary.peak_memory.to_string(), "memory of a task", &note);
    let estimate = &summary.estimate;
    let note = format!("and {}, on {}: an estimate", estimate.usd, counted(summary.basis.workers, "worker"));
    card(&format!("≈ {}", seconds(estimate.duration.as_secs_f64())), "of time", &note);
    page.raw("</section>\n");
}

fn warnings(page: &mut Markup, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    page.raw("<section class=\"warnings\">\n<h2>Before you run it</h2>\n<ul>\n");
    for warning in warnings {
        page.raw("<li>").text(warning).raw("</li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// The last part of a URL's path.
fn last_name(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

/// Number of elements, saturating.
fn elements(shape: &[u64]) -> u64 {
    shape.iter().fold(1, |product, length| product.saturating_mul(*length))
}

/// `1,024 × 16 × 32`, and `scalar` for a 0-d array.
fn lengths(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(|length| grouped(*length)).collect::<Vec<_>>().join(" × ")
}

/// `1 chunk`, `2 chunks`.
fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}
