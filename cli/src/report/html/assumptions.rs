//! What the estimates rest on, as a table of stores.

use rechunk_common::{cost_profile::CostProfile, plan::PlanSummary};

use super::{
    super::{assumptions::stores, figure::grouped},
    counted,
    markup::Markup,
};

/// The table and the sentence about machines.
pub(super) fn section(page: &mut Markup, summary: &PlanSummary) {
    let basis = &summary.basis;
    page.raw("<section>\n<h2>What the estimates assume</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>store</th>");
    page.raw(
        "<th class=\"n\">first byte after</th><th class=\"n\">a worker moves</th><th class=\"n\">requests at a time</th>\
         <th class=\"n\">GET, PUT a second</th><th class=\"n\">1,000 GET</th><th class=\"n\">1,000 PUT</th>\
         <th class=\"n\">GB out</th><th class=\"n\">GB a month</th></tr></thead>\n<tbody>\n",
    );
    for (places, profile) in stores(basis, summary.temp.is_some()) {
        page.raw("<tr><td>").text(places).raw("<small>").raw(profile.kind.as_str()).raw("</small></td>");
        for text in cells(profile) {
            page.raw("<td class=\"n\">").text(text).raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n</table></div>\n<p class=\"legend\">A machine for one worker costs ").text(basis.worker_hour);
    page.raw(" an hour, and ").text(counted(basis.workers, "worker"));
    page.raw(" run this. The configuration's <code>[[stores]]</code> tables say otherwise where they must.</p>\n");
    page.raw("</section>\n");
}

fn cells(profile: &CostProfile) -> [String; 8] {
    let limit = |limit: Option<u64>| limit.map_or_else(|| "any".to_owned(), grouped);
    [
        format!("{:?}", profile.latency),
        format!("{} MB/s", grouped(profile.bytes_per_second / 1_000_000)),
        grouped(profile.requests_in_flight),
        format!("{}, {}", limit(profile.gets_per_second), limit(profile.puts_per_second)),
        profile.prices.per_1000_get.to_string(),
        profile.prices.per_1000_put.to_string(),
        profile.prices.per_gb_out.to_string(),
        profile.prices.per_gb_month.to_string(),
    ]
}
