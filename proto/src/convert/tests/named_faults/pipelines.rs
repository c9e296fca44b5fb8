//! Pipelines that a caller planned.

use rechunk_common::{limits, request::PipelinesRequest};

use super::expect;
use crate::{Problem, v1};

fn stage() -> v1::Stage {
    v1::Stage {
        name: "count".into(),
        function: Some(v1::StageFunction {
            function: Some(v1::stage_function::Function::Custom(v1::CustomFunction {
                name: "count_words".into(),
                version: 1,
                parameters: vec![1, 2, 3],
            })),
        }),
        task_count: 10,
        task_memory_bytes: 1 << 20,
        task_scratch_bytes: 0,
        retry: None,
        effect: v1::StageEffect::Writes.into(),
        predicted: None,
    }
}

fn pipelines() -> v1::SubmitPipelinesRequest {
    let pipeline = v1::Pipeline { name: "p".into(), stages: vec![stage()], temp_bytes: 0 };
    v1::SubmitPipelinesRequest {
        phases: vec![v1::Phase { name: "only".into(), pipelines: vec![pipeline] }],
        ..Default::default()
    }
}

#[test]
fn wrong_pipelines_are_named() {
    let expect = |field: &str, problem, change: &dyn Fn(&mut v1::SubmitPipelinesRequest)| {
        expect::<_, PipelinesRequest>(pipelines(), field, problem, change);
    };
    let stage_of = |change: fn(&mut v1::Stage)| {
        move |request: &mut v1::SubmitPipelinesRequest| change(&mut request.phases[0].pipelines[0].stages[0])
    };
    let at = "phases[0].pipelines[0].stages[0]";
    expect("phases", Problem::Empty, &|request| request.phases.clear());
    expect(&format!("{at}.name"), Problem::Empty, &stage_of(|stage| stage.name.clear()));
    expect(&format!("{at}.effect"), Problem::Unspecified, &stage_of(|stage| stage.effect = 0));
    expect(&format!("{at}.function"), Problem::Missing, &stage_of(|stage| stage.function = None));
    expect(
        &format!("{at}.function"),
        Problem::NotCustom,
        &stage_of(|stage| {
            let clear = v1::ClearPrefix { prefixes: Vec::new(), part: v1::PrefixPart::Everything.into() };
            stage.function =
                Some(v1::StageFunction { function: Some(v1::stage_function::Function::ClearPrefix(clear)) });
        }),
    );
    expect(
        &format!("{at}.function.custom.name"),
        Problem::Reserved,
        &stage_of(|stage| {
            let custom = v1::CustomFunction { name: "clear_prefix".into(), ..Default::default() };
            stage.function = Some(v1::StageFunction { function: Some(v1::stage_function::Function::Custom(custom)) });
        }),
    );
    let many = limits::MAX_TASKS_PER_STAGE + 1;
    let problem = Problem::OverLimit { limit: "MAX_TASKS_PER_STAGE", most: limits::MAX_TASKS_PER_STAGE, found: many };
    expect(&format!("{at}.task_count"), problem, &stage_of(|stage| stage.task_count = 1_000_000_001));
    let retry = |change: fn(&mut v1::RetryPolicy)| {
        move |request: &mut v1::SubmitPipelinesRequest| {
            let wait = Some(prost_types::Duration { seconds: 1, nanos: 0 });
            let mut retry = v1::RetryPolicy { max_attempts: 2, first_wait: wait, longest_wait: wait };
            change(&mut retry);
            request.phases[0].pipelines[0].stages[0].retry = Some(retry);
        }
    };
    expect(&format!("{at}.retry.max_attempts"), Problem::Zero, &retry(|retry| retry.max_attempts = 0));
    expect(&format!("{at}.retry.first_wait"), Problem::Missing, &retry(|retry| retry.first_wait = None));
    expect(
        &format!("{at}.retry.longest_wait"),
        Problem::NotADuration,
        &retry(|retry| {
            retry.longest_wait = Some(prost_types::Duration { seconds: 0, nanos: 1_000_000_000 });
        }),
    );
    expect("weight", Problem::Zero, &|request| request.weight = Some(0));
    expect("max_parallel_tasks", Problem::Zero, &|request| request.max_parallel_tasks = Some(0));
    let labels = Problem::OverLimit { limit: "MAX_LABELS", most: limits::MAX_LABELS as u64, found: 65 };
    expect("labels", labels, &|request| {
        request.labels = (0..65).map(|label| (label.to_string(), String::new())).collect();
    });
    let stages = limits::MAX_STAGES_PER_PIPELINE;
    let limit = "MAX_STAGES_PER_PIPELINE";
    let problem = Problem::OverLimit { limit, most: stages as u64, found: stages as u64 + 1 };
    expect("phases[0].pipelines[0].stages", problem, &|request| {
        request.phases[0].pipelines[0].stages = vec![stage(); stages + 1];
    });
}
