use rechunk_common::plan::{ClearPrefix, FunctionId, PrefixPart};

use super::*;
use crate::testing::two_stages;

/// What is said of a request whose second stage was changed.
fn refused(change: impl FnOnce(&mut Stage)) -> Refusal {
    let mut request = two_stages();
    change(&mut request.phases[0].pipelines.pipelines[0].stages[1]);
    check(&request).expect_err("refused")
}

#[test]
fn good_pipelines_pass() {
    assert_eq!(check(&two_stages()), Ok(()));
}

#[test]
fn a_function_of_ours_is_refused_wherever_it_stands() {
    let clear = StageFunction::ClearPrefix(ClearPrefix {
        prefixes: vec!["s3://bucket/everything".to_owned()],
        part: PrefixPart::Everything,
    });
    let refusal = refused(|stage| stage.function = clear.clone());
    assert_eq!(refusal.reason, "FUNCTION_NOT_CUSTOM");
    assert_eq!(refusal.field.as_deref(), Some("phases[0].pipelines[0].stages[1].function"));
    let mut request = two_stages();
    request.cleanup = request.phases[0].pipelines.clone();
    request.cleanup.pipelines[0].stages[0].function = clear;
    let refusal = check(&request).expect_err("refused");
    assert_eq!(refusal.field.as_deref(), Some("cleanup[0].stages[0].function"));
    let disguised = refused(|stage| {
        if let StageFunction::Custom(custom) = &mut stage.function {
            custom.id = FunctionId::new("clear_prefix", 99);
        }
    });
    assert_eq!(disguised.reason, "NAME_RESERVED");
}

#[test]
fn limits_are_named() {
    let tasks = refused(|stage| stage.task_count = MAX_TASKS_PER_STAGE + 1);
    assert_eq!(tasks.code, RefusalCode::ResourceExhausted);
    assert!(tasks.message.contains("MAX_TASKS_PER_STAGE"), "{tasks}");
    let parameters = refused(|stage| {
        if let StageFunction::Custom(custom) = &mut stage.function {
            custom.parameters = vec![0; (1 << 20) + 1];
        }
    });
    assert!(parameters.message.contains("MAX_CUSTOM_PARAMETERS"), "{parameters}");
}

#[test]
fn a_job_that_could_never_run_is_refused() {
    assert_eq!(refused(|stage| stage.retry.max_attempts = 0).reason, "NO_ATTEMPTS");
    let nothing = PipelinesRequest::default();
    assert_eq!(check(&nothing).expect_err("refused").reason, "NO_PHASES");
    let weightless = PipelinesRequest { weight: Some(0), ..two_stages() };
    assert_eq!(check(&weightless).expect_err("refused").reason, "ZERO_WEIGHT");
    let stuck = PipelinesRequest { max_parallel_tasks: Some(0), ..two_stages() };
    assert_eq!(check(&stuck).expect_err("refused").reason, "ZERO_PARALLEL_TASKS");
}
