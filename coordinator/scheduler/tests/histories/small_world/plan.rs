//! The one job: two stages of a few tasks and a cleanup.

use std::time::Duration;

use rechunk_common::{
    ByteCount, Counts,
    ids::StageAddress,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage,
        StageEffect, StageFunction,
    },
};
use rechunk_scheduler::{Event, Settings};

use super::Trouble;

pub(crate) const JOB: &str = "job";

/// How large the world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) workers: usize,
    /// Of each of the two stages.
    pub(crate) tasks: u64,
    /// What the second stage does.
    pub(crate) second: StageEffect,
    /// A lease is late after that.
    pub(crate) late_after: Duration,
    pub(crate) trouble: Trouble,
}

impl Scope {
    /// No lease is late before its worker has stopped.
    pub(crate) const FAR_OFF: Duration = Duration::from_mins(10);

    /// Two workers, three tasks, two stages, no trouble.
    pub(crate) fn calm() -> Self {
        Self {
            workers: 2,
            tasks: 3,
            second: StageEffect::Writes,
            late_after: Self::FAR_OFF,
            trouble: Trouble::default(),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            lease: Duration::from_secs(30),
            margin: Duration::from_secs(10),
            lease_work: self.late_after,
            retry_window: Duration::from_hours(1_000),
            ..Settings::default()
        }
    }

    pub(super) fn function() -> FunctionId {
        FunctionId::new("copy", 1)
    }

    /// Whether the stage reads what one before it wrote.
    pub(super) fn reads(&self, stage: &StageAddress) -> bool {
        stage.phase.0 == 0 && stage.stage.0 > 0 && self.second == StageEffect::Writes
    }

    pub(super) fn tasks_of(&self, phase: u32) -> u64 {
        if phase == 0 { self.tasks } else { 1 }
    }

    fn stage(name: &str, task_count: u64, effect: StageEffect) -> Stage {
        Stage {
            name: name.to_owned(),
            array: None,
            function: StageFunction::Custom(CustomFunction { id: Self::function(), parameters: Vec::new() }),
            task_count,
            task_memory: ByteCount(1),
            task_scratch: ByteCount(0),
            retry: RetryPolicy { max_attempts: 3, first_wait_ms: 100, longest_wait_ms: 1_000 },
            effect,
            predicted: Counts { put_requests: task_count, ..Counts::default() },
        }
    }

    pub(super) fn submit(&self) -> Event {
        let pipelines = |stages| ParallelPipelines {
            pipelines: vec![MultiStagePipeline { name: "pipeline".to_owned(), stages, temp_bytes: ByteCount(1) }],
        };
        let stages =
            vec![Self::stage("first", self.tasks, StageEffect::Writes), Self::stage("second", self.tasks, self.second)];
        let plan = Plan {
            phases: vec![Phase { name: "copy".to_owned(), pipelines: pipelines(stages) }],
            cleanup: pipelines(vec![Self::stage("cleanup", 1, StageEffect::Destroys)]),
            summary: None,
        };
        Event::Submit {
            job: JOB.into(),
            request_id: None,
            plan: Box::new(plan),
            source: "s3://b/source".to_owned(),
            target: "s3://b/target".to_owned(),
            temp_limit: None,
            weight: 1,
            max_parallel_tasks: None,
        }
    }
}
