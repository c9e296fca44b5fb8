//! Both sides of a `Sync`.

use rechunk_common::{
    limits,
    session::{SyncRequest, SyncResponse},
};

use super::expect;
use crate::{Problem, v1, worker::v1 as worker};

fn sync() -> worker::SyncRequest {
    let address = worker::StageAddress { job_id: "job-0".into(), ..Default::default() };
    let tasks = worker::TaskRange { start: 5, end: 9 };
    let id = worker::LeaseId { epoch: 1, counter: 2 };
    worker::SyncRequest {
        worker_id: "w".into(),
        free: Some(v1::Capacity::default()),
        total: Some(v1::Capacity::default()),
        held: vec![worker::Lease {
            id: Some(id),
            stage: Some(address.clone()),
            tasks: Some(tasks),
            ttl: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
        }],
        reports: vec![worker::LeaseReport {
            lease: Some(id),
            stage: Some(address),
            number: 1,
            done: vec![worker::DoneTasks { tasks: Some(tasks), counts: None }],
            failed: vec![worker::FailedTask {
                task: 9,
                failure_class: worker::FailureClass::TryAgain.into(),
                ..Default::default()
            }],
        }],
        progress: vec![worker::LeaseProgress { lease: Some(id), count: 7 }],
        wait: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    }
}

#[test]
fn a_wrong_sync_is_named() {
    let expect = |field: &str, problem, change: fn(&mut worker::SyncRequest)| {
        expect::<_, SyncRequest>(sync(), field, problem, change);
    };
    expect("worker_id", Problem::Empty, |request| request.worker_id.clear());
    expect("free", Problem::Missing, |request| request.free = None);
    expect("wait", Problem::Missing, |request| request.wait = None);
    expect("wait", Problem::NotADuration, |request| request.wait.as_mut().expect("there").seconds = -1);
    expect("held[0].ttl", Problem::NotADuration, |request| {
        request.held[0].ttl.as_mut().expect("there").seconds = i64::MAX;
    });
    expect("progress[0].lease", Problem::Missing, |request| request.progress[0].lease = None);
    expect("held[0].id", Problem::Missing, |request| request.held[0].id = None);
    expect("held[0].stage.job_id", Problem::Empty, |request| {
        request.held[0].stage.as_mut().expect("there").job_id.clear();
    });
    expect("held[0].tasks.end", Problem::Reversed, |request| request.held[0].tasks.as_mut().expect("there").end = 4);
    expect("held[0].tasks", Problem::Empty, |request| request.held[0].tasks.as_mut().expect("there").end = 5);
    let most = limits::MAX_TASKS_PER_LEASE;
    let problem = Problem::OverLimit { limit: "MAX_TASKS_PER_LEASE", most, found: most + 1 };
    expect("held[0].tasks", problem, |request| request.held[0].tasks.as_mut().expect("there").end = 1006);
    let most = u64::from(limits::MAX_LEASES_PER_WORKER);
    let problem = Problem::OverLimit { limit: "MAX_LEASES_PER_WORKER", most, found: 257 };
    expect("held", problem, |request| request.held = vec![request.held[0].clone(); 257]);
    expect("reports[0].done[0].counts.content_first", Problem::Disagrees { other: "tasks" }, |request| {
        request.reports[0].done[0].counts = Some(v1::Counts { content_second: 1, ..Default::default() });
    });
    expect("reports[0].done[0].tasks", Problem::Missing, |request| request.reports[0].done[0].tasks = None);
    let failed = |rest: &str| format!("reports[0].failed[0].{rest}");
    expect(&failed("failure_class"), Problem::Unspecified, |request| request.reports[0].failed[0].failure_class = 0);
    expect(&failed("lost_task"), Problem::Disagrees { other: "failure_class" }, |request| {
        request.reports[0].failed[0].lost_task = Some(1);
    });
    expect(&failed("lost_task"), Problem::Missing, |request| {
        request.reports[0].failed[0].failure_class = worker::FailureClass::InputLost.into();
    });
    expect(&failed("lost_stages_back"), Problem::Zero, |request| {
        let failed = &mut request.reports[0].failed[0];
        failed.failure_class = worker::FailureClass::InputLost.into();
        (failed.lost_task, failed.lost_stages_back) = (Some(1), Some(0));
    });
    expect(&failed("lost_stages_back"), Problem::Disagrees { other: "lost_task" }, |request| {
        request.reports[0].failed[0].lost_stages_back = Some(1);
    });
}

#[test]
fn wrong_request_rates_are_named() {
    let rates = worker::StoreRates { prefix: "s3://b".into(), gets_per_million_seconds: Some(0), ..Default::default() };
    let limit = "MAX_STORE_TABLES";
    let problem = Problem::OverLimit { limit, most: limits::MAX_STORE_TABLES as u64, found: 1001 };
    let many = vec![rates.clone(); 1001];
    expect::<_, SyncRequest>(sync(), "request_rates", problem.clone(), |request| request.request_rates = many.clone());

    let wait = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let shares = worker::RequestShares { rates: vec![rates], ask_within: wait };
    let answer = worker::SyncResponse { next_sync_after: wait, request_shares: Some(shares), ..Default::default() };
    let expect = |field: &str, problem, change: &dyn Fn(&mut worker::RequestShares)| {
        let field = format!("request_shares.{field}");
        expect::<_, SyncResponse>(answer.clone(), &field, problem, |answer| {
            change(answer.request_shares.as_mut().expect("there"));
        });
    };
    expect("rates", problem, &|shares| shares.rates = many.clone());
    expect("rates[0].prefix", Problem::Empty, &|shares| shares.rates[0].prefix.clear());
    expect("ask_within", Problem::Missing, &|shares| shares.ask_within = None);
    expect("ask_within", Problem::Zero, &|shares| shares.ask_within = Some(prost_types::Duration::default()));
}
