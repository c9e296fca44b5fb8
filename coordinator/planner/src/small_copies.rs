//! Many small arrays: their copies are put together, so that a group of thousands is some hundred tasks, each of which has
//! enough under way to hide what a store takes to answer.

use rechunk_common::{
    ByteCount, Counts,
    plan::{ArrayCopy, CopySmallArrays, MultiStagePipeline, RetryPolicy, SmallCopy, Stage, StageEffect, StageFunction},
};

use crate::cost::Fleet;

/// Where there are fewer, each is a task of its own, with a row of its own.
const MANY: usize = 64;

/// A small array takes no more than this.
const MOST_REQUESTS: u64 = 64;
const MOST_BYTES: u64 = 4 << 20;

/// Arrays of one task.
const MOST_TOGETHER: usize = 64;

/// Tasks that must be there for every slot, so that the last ones leave none idle for long.
const TASKS_PER_SLOT: u64 = 4;

/// The same copies, those of small arrays together where there are many of these.
pub(crate) fn together(pipelines: Vec<MultiStagePipeline>, fleet: &Fleet) -> Vec<MultiStagePipeline> {
    let room = fleet.budget.checked_div(fleet.threads).unwrap_or(0);
    if pipelines.iter().filter(|pipeline| is_small(pipeline, room)).count() < MANY {
        return pipelines;
    }
    let (small, mut others): (Vec<_>, Vec<_>) = pipelines.into_iter().partition(|pipeline| is_small(pipeline, room));
    let tasks = fleet.workers.saturating_mul(fleet.threads).saturating_mul(TASKS_PER_SLOT);
    let most = small.len().div_ceil(usize::try_from(tasks).unwrap_or(usize::MAX).max(1)).clamp(1, MOST_TOGETHER);
    let mut batch = Batch::default();
    for pipeline in small {
        let memory = pipeline.stages.first().map_or(0, |stage| stage.task_memory.0);
        if batch.copies.len() >= most || batch.memory.saturating_add(memory) > room {
            others.extend(std::mem::take(&mut batch).pipeline());
        }
        batch.add(pipeline);
    }
    others.extend(batch.pipeline());
    others
}

/// Whether a pipeline copies one small array by one task that fits `room`.
fn is_small(pipeline: &MultiStagePipeline, room: u64) -> bool {
    let [stage] = pipeline.stages.as_slice() else { return false };
    let is_copy = matches!(stage.function, StageFunction::CopyEncoded(_) | StageFunction::CopyReadToWrite(_));
    let Counts { get_requests, put_requests, bytes_decoded, bytes_encoded, .. } = stage.predicted;
    is_copy
        && stage.task_count == 1
        && stage.task_memory.0 <= room
        && get_requests.saturating_add(put_requests) <= MOST_REQUESTS
        && bytes_decoded.max(bytes_encoded).max(stage.task_memory.0) <= MOST_BYTES
}

/// Copies of one task.
#[derive(Default)]
struct Batch {
    /// Of the first array.
    name: String,
    copies: Vec<SmallCopy>,
    memory: u64,
    predicted: Counts,
}

impl Batch {
    fn add(&mut self, pipeline: MultiStagePipeline) {
        if self.copies.is_empty() {
            self.name = pipeline.name;
        }
        for Stage { function, task_memory: memory, predicted, .. } in pipeline.stages {
            let Some(copy) = ArrayCopy::of(function) else { continue };
            self.copies.push(SmallCopy { copy, memory });
            self.memory = self.memory.saturating_add(memory.0);
            self.predicted += predicted;
        }
    }

    fn pipeline(self) -> Option<MultiStagePipeline> {
        let others = self.copies.len().checked_sub(1)?;
        let name = if others == 0 { self.name } else { format!("{} and {others} more", self.name) };
        let stage = Stage {
            name: "copy_small_arrays".to_owned(),
            array: None,
            function: StageFunction::CopySmallArrays(CopySmallArrays { copies: self.copies }),
            task_count: 1,
            task_memory: ByteCount(self.memory),
            task_scratch: ByteCount(0),
            retry: RetryPolicy::default(),
            effect: StageEffect::Writes,
            predicted: self.predicted,
        };
        Some(MultiStagePipeline { name, stages: vec![stage], temp_bytes: ByteCount(0) })
    }
}
