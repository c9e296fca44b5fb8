//! The arrays of a plan: both grids, what one task of each stage does, and the shapes of a plan that were weighed.

use std::collections::BTreeMap;

use rechunk_common::plan::{ArrayPlan, CostBasis, Document, Plan, PlanSummary, Stage, StageFunction};

use super::{
    super::figure::grouped,
    candidates::{self, name_of},
    counted,
    drawing::{Block, Drawing, Role},
    elements, lengths,
    markup::Markup,
    sample,
    scene::Scene,
};

/// Arrays that are drawn; a group with more shows the largest.
const MOST_DRAWN: usize = 12;

/// Arrays that are listed beside those drawn.
const MOST_LISTED: usize = 200;

/// Everything about every array.
pub(super) fn section(page: &mut Markup, plan: &Plan, summary: &PlanSummary) {
    let mut arrays: Vec<(u32, &ArrayPlan)> = (0_u32..).zip(&summary.arrays).collect();
    arrays.sort_by_key(|(index, array)| (std::cmp::Reverse(elements(&array.shape)), *index));
    let rest = arrays.split_off(arrays.len().min(MOST_DRAWN));
    let names = dimension_names(plan);
    for (index, array) in arrays {
        let stages: Vec<&Stage> = distinct(plan, index);
        let url = stages.iter().find_map(|stage| sample::target_of(stage)).map(|layout| layout.url.as_str());
        let names = axis_names(array, url.and_then(|url| names.get(url)));
        one(page, array, &stages, &names, &summary.basis);
    }
    if !rest.is_empty() {
        others(page, &rest);
    }
}

fn one(page: &mut Markup, array: &ArrayPlan, stages: &[&Stage], names: &[String], basis: &CostBasis) {
    page.raw("<section class=\"array\">\n<h2>");
    if array.name.is_empty() {
        page.raw("The array")
    } else {
        page.raw("<code>").text(&array.name).raw("</code>")
    };
    page.raw("</h2>\n<p class=\"facts\">").text(lengths(&array.shape)).raw(" elements of <code>").text(&array.dtype);
    page.raw("</code></p>\n");
    let scene = Scene::of(&array.shape, &array.source_chunks, &array.target_chunks);
    if array.shape.contains(&0) {
        page.raw("<p>It has no elements: only its metadata is written.</p>\n");
    } else {
        grids(page, array, &scene, names);
        tasks(page, array, stages, &scene, names);
    }
    candidates::section(page, array, basis);
    page.raw("</section>\n");
}

/// Source and target side by side.
fn grids(page: &mut Markup, array: &ArrayPlan, scene: &Scene, names: &[String]) {
    page.raw("<div class=\"grids\">\n");
    for (role, title, chunks, shards) in [
        (Role::Source, "Source", &array.source_chunks, array.source_shards.as_deref()),
        (Role::Target, "Target", &array.target_chunks, array.target_shards.as_deref()),
    ] {
        let end: Vec<u64> = chunks.iter().zip(&array.shape).map(|(chunk, length)| *chunk.min(length)).collect();
        let first = Block { role, start: vec![0; end.len()], end, cut_by: None };
        let label = format!("{title}: {} cut into chunks of {}", lengths(&array.shape), lengths(chunks));
        let drawing = Drawing { scene, names, role, grid: chunks, shards, blocks: vec![first], label };
        let (svg, notes) = drawing.svg();
        page.raw("<figure>\n").add(&svg).raw("<figcaption><b class=\"").raw(if role == Role::Source {
            "source"
        } else {
            "target"
        });
        page.raw("\">").raw(title).raw("</b> ").text(grid_in_words(array, chunks, shards));
        small(page, &notes);
        page.raw("</figcaption>\n</figure>\n");
    }
    page.raw(
        "</div>\n<p class=\"legend\">The filled block is one chunk. Along each axis chunks are to scale; the axes \
              are not to scale with each other.",
    );
    if !scene.hidden.is_empty() {
        let hidden = scene.hidden.iter().filter_map(|axis| {
            let boxes = |grid: &[u64]| Some(array.shape.get(*axis)?.div_ceil(*grid.get(*axis)?.max(&1)));
            let (source, target) = (boxes(&array.source_chunks)?, boxes(&array.target_chunks)?);
            Some(format!("{} ({} → {} chunks)", names.get(*axis)?, grouped(source), grouped(target)))
        });
        page.raw(" Not drawn: ").text(hidden.collect::<Vec<_>>().join(", ")).raw(".");
    }
    page.raw("</p>\n");
}

fn grid_in_words(array: &ArrayPlan, chunks: &[u64], shards: Option<&[u64]>) -> String {
    let boxes = |grid: &[u64]| {
        let counts = array.shape.iter().zip(grid).map(|(length, chunk)| length.div_ceil((*chunk).max(1)));
        counts.fold(1_u64, u64::saturating_mul)
    };
    let of_chunks = format!("{} of {}", counted(boxes(chunks), "chunk"), lengths(chunks));
    match shards {
        None => format!("{of_chunks}, each an object"),
        Some(shards) => {
            format!("{of_chunks}, in {} of {}, each an object", counted(boxes(shards), "shard"), lengths(shards))
        }
    }
}

fn small(page: &mut Markup, notes: &[String]) {
    if !notes.is_empty() {
        page.raw("<small>").text(notes.join("; ")).raw("</small>");
    }
}

/// One task of each stage that moves elements.
fn tasks(page: &mut Markup, array: &ArrayPlan, stages: &[&Stage], scene: &Scene, names: &[String]) {
    let samples: Vec<_> = stages.iter().filter_map(|stage| Some((*stage, sample::first_task(stage, names)?))).collect();
    if samples.is_empty() {
        return;
    }
    page.raw("<h3>One task of each stage</h3>\n<div class=\"grids tasks\">\n");
    let steps = samples.len();
    for (step, (stage, sample)) in (1_usize..).zip(samples) {
        let chunks = if sample.role == Role::Source { &array.source_chunks } else { &array.target_chunks };
        let label = format!("The first task of {}", stage.name);
        let drawing =
            Drawing { scene, names, role: sample.role, grid: chunks, shards: None, blocks: sample.blocks, label };
        page.raw("<figure>\n").add(&drawing.svg().0).raw("<figcaption><b>");
        if steps > 1 {
            page.text(step).raw(". ");
        }
        page.raw("<code>").text(&stage.name).raw("</code></b> ").text(&sample.sentence);
        page.raw("<small>It holds ").text(stage.task_memory).raw(" at the most.</small></figcaption>\n</figure>\n");
    }
    page.raw("</div>\n");
}

/// The arrays that are not drawn.
fn others(page: &mut Markup, rest: &[(u32, &ArrayPlan)]) {
    page.raw("<section>\n<h2>").text(counted(rest.len() as u64, "smaller array")).raw(
        "</h2>\n<div class=\"wide\">\
              <table>\n<thead><tr><th>array</th><th>shape</th><th>dtype</th><th>chunks</th><th>become</th><th>way</th>\
              </tr></thead>\n<tbody>\n",
    );
    for (_, array) in rest.iter().take(MOST_LISTED) {
        page.raw("<tr><td><code>").text(&array.name).raw("</code></td>");
        for lengths in
            [lengths(&array.shape), array.dtype.clone(), lengths(&array.source_chunks), lengths(&array.target_chunks)]
        {
            page.raw("<td>").text(lengths).raw("</td>");
        }
        page.raw("<td>").raw(name_of(array.shape_of_plan)).raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table></div>\n");
    if let Some(more) = rest.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        page.raw("<p>And ").text(grouped(more as u64)).raw(" more.</p>\n");
    }
    page.raw("</section>\n");
}

/// The first stage of every name that an array has.
fn distinct(plan: &Plan, array: u32) -> Vec<&Stage> {
    let mut stages: Vec<&Stage> = Vec::new();
    for stage in plan.stages().filter(|stage| stage.array == Some(array) && stage.task_count > 0) {
        if !stages.iter().any(|known| known.name == stage.name) {
            stages.push(stage);
        }
    }
    stages
}

/// Dimension names by the URL of the array's node, as the target's documents will have them.
fn dimension_names(plan: &Plan) -> BTreeMap<String, Vec<Option<String>>> {
    let mut names = BTreeMap::new();
    for stage in plan.stages() {
        let StageFunction::PublishMetadata(publish) = &stage.function else { continue };
        for document in &publish.documents {
            let Document::Write { url, body } = document else { continue };
            let Some((node, file)) = url.rsplit_once('/') else { continue };
            let path = match file {
                "zarr.json" => "/dimension_names",
                ".zattrs" => "/_ARRAY_DIMENSIONS",
                _ => continue,
            };
            // An attribute such as NaN makes a document that is no JSON; then axes go by number.
            let Ok(document) = serde_json::from_str::<serde_json::Value>(body) else { continue };
            if let Some(list) = document.pointer(path).and_then(serde_json::Value::as_array) {
                let list = list.iter().map(|name| name.as_str().map(str::to_owned)).collect();
                names.insert(node.to_owned(), list);
            }
        }
    }
    names
}

/// What each axis is called: by its dimension, else by its number.
fn axis_names(array: &ArrayPlan, known: Option<&Vec<Option<String>>>) -> Vec<String> {
    let name = |axis: usize| known.and_then(|names| names.get(axis)).cloned().flatten().filter(|name| !name.is_empty());
    (0..array.shape.len()).map(|axis| name(axis).unwrap_or_else(|| format!("axis {axis}"))).collect()
}
