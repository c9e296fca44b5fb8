//! Small plans.

use rechunk_common::{
    ByteCount, Counts,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage,
        StageEffect, StageFunction,
    },
};

/// A stage of `tasks` tasks of function `copy@1`, 1 MiB each, tried three times with waits of 100, 200, … ms.
pub(super) fn stage(name: &str, tasks: u64) -> Stage {
    Stage {
        name: name.to_owned(),
        array: None,
        function: StageFunction::Custom(CustomFunction { id: FunctionId::new("copy", 1), parameters: Vec::new() }),
        task_count: tasks,
        task_memory: ByteCount(1 << 20),
        task_scratch: ByteCount(0),
        retry: RetryPolicy { max_attempts: 3, first_wait_ms: 100, longest_wait_ms: 1_000 },
        effect: StageEffect::Writes,
        predicted: Counts { put_requests: tasks, ..Counts::default() },
    }
}

pub(super) fn destroying(name: &str, tasks: u64) -> Stage {
    Stage { effect: StageEffect::Destroys, ..stage(name, tasks) }
}

pub(super) fn publishing(name: &str, tasks: u64) -> Stage {
    Stage { effect: StageEffect::Publishes, ..stage(name, tasks) }
}

pub(super) fn verifying(name: &str, tasks: u64) -> Stage {
    Stage { effect: StageEffect::Verifies, ..stage(name, tasks) }
}

pub(super) fn of_function(name: &str, stage: Stage) -> Stage {
    let id = FunctionId::new(name, 1);
    Stage { function: StageFunction::Custom(CustomFunction { id, parameters: Vec::new() }), ..stage }
}

pub(super) fn needing(memory: u64, stage: Stage) -> Stage {
    Stage { task_memory: ByteCount(memory), ..stage }
}

pub(super) fn on_disk(scratch: u64, stage: Stage) -> Stage {
    Stage { task_scratch: ByteCount(scratch), ..stage }
}

pub(super) fn pipeline(stages: Vec<Stage>) -> MultiStagePipeline {
    MultiStagePipeline { name: "pipeline".to_owned(), stages, temp_bytes: ByteCount(100) }
}

pub(super) fn phase(pipelines: Vec<MultiStagePipeline>) -> Phase {
    Phase { name: "phase".to_owned(), pipelines: ParallelPipelines { pipelines } }
}

/// Phases, and a cleanup of one deleting task.
pub(super) fn phases(phases: Vec<Phase>) -> Plan {
    let cleanup = ParallelPipelines { pipelines: vec![pipeline(vec![destroying("cleanup", 1)])] };
    Plan { phases, cleanup, summary: None }
}

/// One phase of one pipeline.
pub(super) fn stages(stages: Vec<Stage>) -> Plan {
    phases(vec![phase(vec![pipeline(stages)])])
}
