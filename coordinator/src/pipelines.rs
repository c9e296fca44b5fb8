//! Pipelines that a caller planned: what they must keep to before they are taken on. Pure.

use rechunk_common::{
    Refusal, RefusalCode,
    limits::{MAX_CUSTOM_PARAMETERS, MAX_PIPELINES, MAX_TASKS_PER_STAGE},
    plan::{ParallelPipelines, Stage, StageFunction},
    request::PipelinesRequest,
};

/// Refuses pipelines that pass a limit, that have nothing to run, or that name functions of our own: those write where
/// their parameters say, and are planned here only.
pub(crate) fn check(request: &PipelinesRequest) -> Result<(), Refusal> {
    let phases = request.phases.iter().map(|phase| &phase.pipelines);
    let count = phases.chain([&request.cleanup]).map(|pipelines| pipelines.pipelines.len()).sum::<usize>();
    if count > MAX_PIPELINES {
        let message = format!("{count} pipelines are more than MAX_PIPELINES, {MAX_PIPELINES}; submit several jobs");
        return Err(Refusal::new(RefusalCode::ResourceExhausted, "LIMIT_EXCEEDED", message).at("phases"));
    }
    if request.phases.is_empty() {
        return Err(Refusal::invalid("phases", "NO_PHASES", "there is no phase, so nothing to run; give at least one"));
    }
    if request.weight == Some(0) {
        return Err(Refusal::invalid("weight", "ZERO_WEIGHT", "a job of weight 0 would never run; give at least 1"));
    }
    if request.max_parallel_tasks == Some(0) {
        let message = "a job with no task at a time would never run; give at least 1, or none for no limit";
        return Err(Refusal::invalid("max_parallel_tasks", "ZERO_PARALLEL_TASKS", message));
    }
    for (index, phase) in request.phases.iter().enumerate() {
        check_pipelines(&phase.pipelines, &format!("phases[{index}].pipelines"))?;
    }
    check_pipelines(&request.cleanup, "cleanup")
}

fn check_pipelines(pipelines: &ParallelPipelines, field: &str) -> Result<(), Refusal> {
    for (index, pipeline) in pipelines.pipelines.iter().enumerate() {
        for (number, stage) in pipeline.stages.iter().enumerate() {
            check_stage(stage).map_err(|refusal| {
                let inner = refusal.field.clone().unwrap_or_default();
                refusal.at(&format!("{field}[{index}].stages[{number}].{inner}"))
            })?;
        }
    }
    Ok(())
}

fn check_stage(stage: &Stage) -> Result<(), Refusal> {
    let name = &stage.name;
    if stage.task_count > MAX_TASKS_PER_STAGE {
        let message =
            format!("stage {name:?} has {} tasks; MAX_TASKS_PER_STAGE is {MAX_TASKS_PER_STAGE}", stage.task_count);
        return Err(Refusal::new(RefusalCode::ResourceExhausted, "LIMIT_EXCEEDED", message).at("task_count"));
    }
    if stage.retry.max_attempts == 0 {
        let message = format!("stage {name:?} allows no attempt, so no task could run; give at least 1");
        return Err(Refusal::invalid("retry.max_attempts", "NO_ATTEMPTS", message));
    }
    match &stage.function {
        StageFunction::Custom(custom) => {
            let bytes = custom.parameters.len();
            let limit = usize::try_from(MAX_CUSTOM_PARAMETERS.0).unwrap_or(usize::MAX);
            if bytes > limit {
                let message = format!(
                    "stage {name:?} has {bytes} bytes of parameters; MAX_CUSTOM_PARAMETERS is {MAX_CUSTOM_PARAMETERS}, \
                     so put them into an object and name it"
                );
                return Err(Refusal::new(RefusalCode::ResourceExhausted, "LIMIT_EXCEEDED", message)
                    .at("function.custom.parameters"));
            }
            if StageFunction::built_in().iter().any(|ours| ours.name == custom.id.name) {
                return Err(built_in(name, &custom.id.name, "NAME_RESERVED"));
            }
            Ok(())
        }
        StageFunction::ClearPrefix(_)
        | StageFunction::CopyEncoded(_)
        | StageFunction::CopyReadToWrite(_)
        | StageFunction::CopyReadToExchange(_)
        | StageFunction::IndexExchange(_)
        | StageFunction::CopyExchangeToWrite(_)
        | StageFunction::CopyThroughScratch(_)
        | StageFunction::CopySmallArrays(_)
        | StageFunction::Verify(_)
        | StageFunction::DeleteExchange(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_) => Err(built_in(name, &stage.function.id().name, "FUNCTION_NOT_CUSTOM")),
    }
}

fn built_in(stage: &str, function: &str, reason: &str) -> Refusal {
    let message = format!(
        "stage {stage:?} asks for {function}, which is a function of rechunk itself; submit a rechunk request, or \
         register a function of your own under another name"
    );
    Refusal::invalid("function", reason, message)
}

#[cfg(test)]
mod tests;
