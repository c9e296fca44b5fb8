//! Pipelines of functions that workers registered by name, as the Python side spells them.

use pyo3::FromPyObject;
use rechunk_cli::failure::Failure;
use rechunk_common::{
    ByteCount, Counts, Refusal,
    ids::RequestId,
    limits::MAX_CUSTOM_PARAMETERS,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect,
        StageFunction,
    },
    request::PipelinesRequest,
};

use crate::machine::size;

/// Phases one after another.
#[derive(Debug, Clone, FromPyObject)]
pub(crate) struct Pipelines {
    name: String,
    phases: Vec<Vec<PipelineOf>>,
    cleanup: Vec<PipelineOf>,
    task_memory: String,
    retries: u32,
    max_parallel_tasks: Option<u64>,
    weight: Option<u32>,
    request_id: String,
}

/// Stages one after another.
#[derive(Debug, Clone, FromPyObject)]
struct PipelineOf {
    name: String,
    stages: Vec<StageOf>,
}

/// A function mapped over `tasks` inputs, which stand in its parameters.
#[derive(Debug, Clone, FromPyObject)]
struct StageOf {
    name: String,
    function: String,
    version: u32,
    parameters: Vec<u8>,
    tasks: u64,
}

impl TryFrom<Pipelines> for PipelinesRequest {
    type Error = Failure;

    fn try_from(given: Pipelines) -> Result<Self, Failure> {
        let memory = size("task_memory", Some(&given.task_memory))?.unwrap_or_default();
        let retry = RetryPolicy { max_attempts: given.retries.saturating_add(1), ..RetryPolicy::default() };
        let pipelines = |all: Vec<PipelineOf>| -> Result<ParallelPipelines, Failure> {
            let pipelines = all.into_iter().map(|one| pipeline(one, memory, retry)).collect::<Result<_, _>>()?;
            Ok(ParallelPipelines { pipelines })
        };
        let phases = given.phases.into_iter().enumerate().map(|(number, phase)| {
            Ok(Phase { name: format!("{}", number.saturating_add(1)), pipelines: pipelines(phase)? })
        });
        Ok(Self {
            name: given.name,
            phases: phases.collect::<Result<_, Failure>>()?,
            cleanup: pipelines(given.cleanup)?,
            weight: given.weight,
            max_parallel_tasks: given.max_parallel_tasks,
            request_id: Some(RequestId::from(given.request_id.as_str())),
            ..Self::default()
        })
    }
}

fn pipeline(given: PipelineOf, memory: ByteCount, retry: RetryPolicy) -> Result<MultiStagePipeline, Failure> {
    let stages = given.stages.into_iter().map(|one| stage(one, memory, retry)).collect::<Result<_, _>>()?;
    Ok(MultiStagePipeline { name: given.name, stages, temp_bytes: ByteCount(0) })
}

fn stage(given: StageOf, task_memory: ByteCount, retry: RetryPolicy) -> Result<Stage, Failure> {
    let StageOf { name, function, version, parameters, tasks } = given;
    if parameters.len() as u64 > MAX_CUSTOM_PARAMETERS.0 {
        let message = format!(
            "the inputs of stage {name:?} take {} as JSON, and the limit is {MAX_CUSTOM_PARAMETERS}; give range(n) and \
             let the function find input n",
            ByteCount(parameters.len() as u64)
        );
        return Err(Refusal::invalid("pipelines", "TOO_LARGE", message).into());
    }
    let function = CustomFunction { id: FunctionId::new(function, version), parameters };
    Ok(Stage {
        name,
        array: None,
        function: StageFunction::Custom(function),
        task_count: tasks,
        task_memory,
        task_scratch: ByteCount(0),
        retry,
        effect: StageEffect::Writes,
        predicted: Counts::default(),
    })
}
