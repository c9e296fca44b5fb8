//! The order of things: phases, the pipelines in them, and the stages of each, as chips in a row.

use rechunk_common::plan::{MultiStagePipeline, Plan};

use super::{super::figure::grouped, counted, markup::Markup};

/// Kinds of pipelines that one phase shows.
const MOST_KINDS: usize = 6;

/// Pipelines that have the same stages.
struct Kind<'a> {
    first: &'a MultiStagePipeline,
    pipelines: u64,
    /// Tasks per stage, over all of them.
    tasks: Vec<u64>,
}

/// The phases of a plan.
pub(super) fn section(page: &mut Markup, plan: &Plan) {
    page.raw("<section>\n<h2>In which order</h2>\n<ol class=\"phases\">\n");
    for phase in &plan.phases {
        page.raw("<li><h3>").text(&phase.name).raw("</h3>\n");
        let mut kinds = kinds(&phase.pipelines.pipelines);
        let hidden = kinds.split_off(kinds.len().min(MOST_KINDS));
        for kind in &kinds {
            one(page, kind);
        }
        let more = hidden.iter().map(|kind| kind.pipelines).fold(0, u64::saturating_add);
        if more > 0 {
            page.raw("<p class=\"note\">and ").text(counted(more, "pipeline")).raw(" of other kinds</p>\n");
        }
        page.raw("</li>\n");
    }
    page.raw(
        "</ol>\n<p class=\"legend\">Phases run one after another. Inside a phase pipelines run side by side. A bar \
              <span class=\"barrier\"></span> between two stages is a barrier: every task before it is done and its \
              result is safe before one after it starts.</p>\n</section>\n",
    );
}

fn one(page: &mut Markup, kind: &Kind<'_>) {
    page.raw("<div class=\"pipeline\">");
    if kind.pipelines > 1 {
        page.raw("<span class=\"times\">").text(grouped(kind.pipelines)).raw(" ×</span>");
    }
    for (at, (stage, tasks)) in kind.first.stages.iter().zip(&kind.tasks).enumerate() {
        if at > 0 {
            page.raw("<span class=\"barrier\"></span>");
        }
        page.raw("<span class=\"stage\"><code>").text(&stage.name).raw("</code><small>");
        page.text(counted(*tasks, "task")).raw(if kind.pipelines > 1 { " in all" } else { "" });
        page.raw("</small></span>");
    }
    page.raw("</div>\n");
}

fn kinds(pipelines: &[MultiStagePipeline]) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    for pipeline in pipelines {
        let names = |pipeline: &MultiStagePipeline| -> Vec<String> {
            pipeline.stages.iter().map(|stage| stage.name.clone()).collect()
        };
        let tasks = pipeline.stages.iter().map(|stage| stage.task_count);
        match kinds.iter_mut().find(|kind| names(kind.first) == names(pipeline)) {
            Some(kind) => {
                kind.pipelines = kind.pipelines.saturating_add(1);
                for (sum, tasks) in kind.tasks.iter_mut().zip(tasks) {
                    *sum = sum.saturating_add(tasks);
                }
            }
            None => kinds.push(Kind { first: pipeline, pipelines: 1, tasks: tasks.collect() }),
        }
    }
    kinds
}
