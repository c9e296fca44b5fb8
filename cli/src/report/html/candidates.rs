//! The ways to copy an array that were weighed, as a table with their figures, and why one was taken.

use rechunk_common::{
    ByteCount,
    plan::{ArrayPlan, Candidate, CandidateFigures, CostBasis, ShapeOfPlan, Verdict},
};

use super::{
    super::figure::{grouped, seconds},
    counted,
    markup::Markup,
};

/// What was weighed for one array.
pub(super) fn section(page: &mut Markup, array: &ArrayPlan, basis: &CostBasis) {
    page.raw("<h3>Why this way</h3>\n<p>").raw(explained(array.shape_of_plan)).raw("</p>\n");
    if array.candidates.is_empty() {
        return;
    }
    page.raw(
        "<div class=\"wide\"><table class=\"candidates\">\n<thead><tr><th>way</th><th class=\"n\">takes about</th>\
         <th class=\"n\">costs about</th><th class=\"n\">weighs</th><th class=\"n\">GET</th><th class=\"n\">PUT</th>\
         <th class=\"n\">decoded</th><th class=\"n\">sent</th><th class=\"n\">memory of a task</th></tr></thead>\n\
         <tbody>\n",
    );
    for candidate in &array.candidates {
        row(page, array, candidate);
    }
    page.raw("</tbody>\n</table></div>\n<p class=\"legend\">Times and prices are estimates for ");
    page.text(counted(basis.workers, "worker")).raw("; requests, decoded bytes and memory are exact. ");
    page.raw("The way that weighs least is taken: its seconds and its dollars, each counted as ");
    page.text(seconds(basis.prefer.seconds_per_usd())).raw(", because <code>--prefer ").raw(basis.prefer.as_str());
    page.raw("</code> was asked for.</p>\n");
}

fn row(page: &mut Markup, array: &ArrayPlan, candidate: &Candidate) {
    let is_chosen = candidate.verdict == Verdict::Chosen;
    page.raw(if is_chosen { "<tr class=\"chosen\"><td><b>" } else { "<tr><td><b>" });
    page.raw(name_of(candidate.shape_of_plan)).raw("</b>, ").raw(match candidate.verdict {
        Verdict::Chosen => "chosen",
        Verdict::Dearer => "weighs more",
        Verdict::DoesNotFit => "does not fit",
        Verdict::NotExecuted => "not executed",
    });
    if is_chosen && array.pipelines > 1 {
        page.raw(", ").text(counted(array.pipelines, "group")).raw(" side by side");
    }
    page.raw("<small>").text(&candidate.reason).raw("</small></td>");
    match &candidate.figures {
        Some(figures) => cells(page, figures),
        None => {
            for _ in 0..8 {
                page.raw("<td class=\"n\">–</td>");
            }
        }
    }
    page.raw("</tr>\n");
}

fn cells(page: &mut Markup, figures: &CandidateFigures) {
    let CandidateFigures { cost, estimate, counts, peak_memory, tasks: _, exchange_bytes: _ } = figures;
    for text in [
        seconds(estimate.duration.as_secs_f64()),
        estimate.usd.to_string(),
        seconds(cost.as_secs_f64()),
        grouped(counts.get_requests),
        grouped(counts.put_requests),
        ByteCount(counts.bytes_decoded).to_string(),
        estimate.wire_bytes.to_string(),
        peak_memory.to_string(),
    ] {
        page.raw("<td class=\"n\">").text(text).raw("</td>");
    }
}

/// A shape in a word or two.
pub(super) fn name_of(shape: ShapeOfPlan) -> &'static str {
    match shape {
        ShapeOfPlan::Empty => "metadata only",
        ShapeOfPlan::CopyEncoded => "copy as stored",
        ShapeOfPlan::DirectSweep => "direct sweep",
        ShapeOfPlan::GroupLocal => "group by group",
        ShapeOfPlan::Exchange => "exchange",
        ShapeOfPlan::SeveralExchanges => "several exchanges",
    }
}

fn explained(shape: ShapeOfPlan) -> &'static str {
    match shape {
        ShapeOfPlan::Empty => "There is nothing to copy.",
        ShapeOfPlan::CopyEncoded => {
            "Source and target have the same chunks, stored by the same codecs: they are copied as they are, and \
             nothing is decoded."
        }
        ShapeOfPlan::DirectSweep => {
            "Each task fills a box of target chunks straight from the source, and walks through it so that only a few \
             chunks are in memory at a time."
        }
        ShapeOfPlan::GroupLocal => {
            "The chunks of both sides fall into groups that have nothing to do with one another. Each task copies one \
             group: it reads the group's source chunks once, sorts their elements on the local disk of its worker, and \
             writes the group's target chunks. Nothing temporary goes to the store."
        }
        ShapeOfPlan::Exchange | ShapeOfPlan::SeveralExchanges => {
            "The data goes through temporary objects. First every source chunk is read once, and its elements are \
             sorted by the target chunks they belong to; then every target chunk is put together from ranges of the \
             temporary objects. So the memory stays small, and nothing is read again and again."
        }
    }
}
