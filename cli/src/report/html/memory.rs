//! How the memory of a worker is shared out, as a bar.

use rechunk_common::{ByteCount, plan::PlanSummary};

use super::markup::Markup;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 34.0;

/// The bar and its legend.
pub(super) fn section(page: &mut Markup, summary: &PlanSummary) {
    let memory = &summary.memory;
    let whole = memory.max_mem.0.max(memory.reserve.0.saturating_add(memory.budget.0)).max(1);
    let pixels = |bytes: u64| WIDTH * (bytes as f64 / whole as f64).min(1.0);
    page.raw("<section>\n<h2>Memory of a worker</h2>\n<svg class=\"memory\" role=\"img\" aria-label=\"");
    page.text(format!(
        "Of {} a worker takes {} itself and gives {} to tasks; the largest task holds {}",
        memory.max_mem, memory.reserve, memory.budget, summary.peak_memory
    ));
    page.raw("\" viewBox=\"0 0 ").px(WIDTH).raw(" ").px(HEIGHT).raw("\" preserveAspectRatio=\"none\">\n");
    let reserve = pixels(memory.reserve.0);
    let budget = pixels(memory.budget.0).min(WIDTH - reserve);
    let peak = pixels(summary.peak_memory.0).min(WIDTH - reserve).max(2.0);
    for (class, from, width) in
        [("free", 0.0, WIDTH), ("reserve", 0.0, reserve), ("budget", reserve, budget), ("peak", reserve, peak)]
    {
        page.raw("<rect class=\"").raw(class).raw("\" x=\"").px(from).raw("\" y=\"0\" width=\"").px(width);
        page.raw("\" height=\"").px(HEIGHT).raw("\"/>\n");
    }
    page.raw("</svg>\n<ul class=\"keys\">\n");
    let spare = ByteCount(memory.max_mem.0.saturating_sub(memory.reserve.0).saturating_sub(memory.budget.0));
    for (class, size, what) in [
        ("reserve", memory.reserve, "the process itself"),
        ("peak", summary.peak_memory, "the largest task"),
        ("budget", memory.budget, "for all tasks of a worker together"),
        ("free", spare, "left free for what cannot be counted"),
    ] {
        page.raw("<li><span class=\"key ").raw(class).raw("\"></span><b>").text(size).raw("</b> ").raw(what);
        page.raw("</li>\n");
    }
    page.raw("</ul>\n</section>\n");
}
