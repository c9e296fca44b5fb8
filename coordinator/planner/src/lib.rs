//! From copy specs to a plan and its exact prediction.
//!
//! [`plan`] turns each array into candidates (a pass-through, a direct sweep, groups over local disk, an exchange), each the cheapest of its kind that fits the
//! memory, chooses between them by cost, and puts the result together as phases of pipelines: prepare, compare, copy, finish.
//! `cost` is the model of time and money behind the choice; it makes the estimates, never the counts.
//! [`memory`] is the model that says what a task holds; the worker enforces the same. [`prediction`] is the rule by
//! which requests are counted; where a listing found gaps in a source, `sparse` counts by the same rule over what is
//! there.
//!
//! Pure: the same input gives the same plan. Knows nothing of I/O, clocks, randomness, threads, protobuf or gRPC.

pub mod advice;
mod array;
mod axis;
mod choice;
mod classes;
mod codec;
mod comparison;
mod copy;
mod cost;
mod direct;
mod encoded;
mod exchange;
mod expected;
mod fit;
mod further;
mod group_local;
mod groups;
mod input;
mod lengths;
pub mod memory;
mod packing;
mod parted;
pub mod prediction;
mod refusal;
mod shifted;
mod small_copies;
mod smaller;
mod spans;
mod sparse;
mod summary;
mod surroundings;
mod sweep;
mod verdict;
mod verification;

pub use input::{ClearTarget, CopySpec, EncodedBound, Held, Listing, PartSizes, PlanInput, Publish, TempSpace};
use rechunk_common::{
    Refusal, limits,
    plan::{CostBasis, MultiStagePipeline, ParallelPipelines, Phase, Plan},
};

use crate::{array::Array, copy::Copier, cost::Fleet, expected::Expected};

/// The cheapest plan that fits the memory, or why there is none.
pub fn plan(input: &PlanInput) -> Result<Plan, Refusal> {
    if input.copies.len() > limits::MAX_ARRAYS {
        let message = format!("{} arrays, {} at the most in one job", input.copies.len(), limits::MAX_ARRAYS);
        return Err(refusal::limit("TOO_MANY_ARRAYS", message).at("source"));
    }
    let threads = input.threads_per_worker.max(1);
    let workers = input.worker_slots.max(1).div_ceil(threads);
    let basis = CostBasis { workers, ..input.basis };
    let (budget, scratch) = (input.memory.budget.0, input.worker_scratch.0);
    let fleet = Fleet { workers, threads, budget, scratch, basis };
    let most_groups = most_groups(input.copies.len());

    let mut arrays = Vec::with_capacity(input.copies.len());
    let mut comparisons: Vec<MultiStagePipeline> = Vec::new();
    let mut copies: Vec<MultiStagePipeline> = Vec::new();
    let mut expected = Expected::default();
    let mut warnings = Vec::new();
    for (index, spec) in (0_u32..).zip(&input.copies) {
        let Some(array) = Array::new(spec)? else {
            arrays.push(summary::array_plan(spec, None));
            continue;
        };
        let work = Copier { input, array: &array, fleet: &fleet, index };
        comparisons.extend(work.comparison()?);
        let mut choice = choice::choose(&work, most_groups)?;
        arrays.push(summary::array_plan(spec, Some(&choice)));
        let pipelines = work.verified(choice.pipelines)?;
        choice.outlay += work.outlay_of_verification(&pipelines);
        expected.add(&choice.outlay);
        warnings.append(&mut choice.warnings);
        copies.extend(pipelines);
    }

    let copies = small_copies::together(copies, &fleet);

    let has_bitmap =
        arrays.iter().any(|array| array.listed_objects.is_some_and(|listed| listed < array.source_objects));
    let had_temp = has_bitmap || copies.iter().any(|pipeline| pipeline.temp_bytes.0 > 0);
    let phases = [
        ("prepare", surroundings::prepare(input).into_iter().collect()),
        ("compare", comparisons),
        (expected::COPY, copies),
        ("finish", surroundings::finish(input, had_temp)?.into_iter().collect()),
    ]
    .into_iter()
    .filter(|(_, pipelines): &(_, Vec<_>)| !pipelines.is_empty())
    .map(|(name, pipelines)| Phase { name: name.to_owned(), pipelines: ParallelPipelines { pipelines } })
    .collect::<Vec<_>>();
    let count = phases.iter().fold(0_usize, |count, phase| count.saturating_add(phase.pipelines.pipelines.len()));
    if count > limits::MAX_PIPELINES {
        let message = format!("{count} pipelines, {} at the most in one plan", limits::MAX_PIPELINES);
        return Err(refusal::limit("TOO_MANY_PIPELINES", message).at("temp_limit"));
    }
    let mut summary = summary::summary(input, &fleet, arrays, &phases);
    summary.estimate = expected.of(&phases, &basis);
    summary.warnings.extend(warnings);
    Ok(Plan { phases, cleanup: surroundings::cleanup(input), summary: Some(summary) })
}

/// Pipelines that each of `arrays` may have, so that those of all stay within the limit.
fn most_groups(arrays: usize) -> u64 {
    let share = limits::MAX_PIPELINES.saturating_sub(2).checked_div(arrays).unwrap_or(limits::MAX_PIPELINES);
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
