//! Stories of a whole coordinator in one process: callers, workers that follow a script, plans and journals that wait.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, poll};
use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    ids::JobId,
    job::{JobState, JobView},
    limits::MAX_SYNC_WAIT,
    request::RechunkRequest,
    session::SyncRequest,
};
use rechunk_storage::{StoreConfig, Stores};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    coordinator::{Coordinator, CoordinatorError, CoordinatorTask},
    door::Prepared,
    driver::Prepare,
    journal::{JournalError, MemoryJournal},
    message::Outlook,
    page::PageRequest,
    settings::CoordinatorSettings,
    testing::{
        GatedJournal, GatedPlanner, NOON, PlanGate, ScriptedWorker, named, rechunk_to, start, start_with, two_stages,
    },
};

mod restarts;

fn start_gated() -> (Coordinator, CoordinatorTask, mpsc::UnboundedReceiver<PlanGate>) {
    let (planner, gates) = GatedPlanner::new();
    let (coordinator, task) = start_with(Arc::new(planner), Box::new(MemoryJournal::default()));
    (coordinator, task, gates)
}

/// Every message that was sent before is taken.
async fn settle(coordinator: &Coordinator) {
    coordinator.workers().await.expect("the coordinator answers");
}

async fn next(gates: &mut mpsc::UnboundedReceiver<PlanGate>) -> PlanGate {
    gates.recv().await.expect("a plan is begun")
}

async fn last_view(coordinator: &Coordinator, job: &JobId) -> JobView {
    let views: Vec<JobView> = coordinator.watch(job).await.expect("a known job").collect().await;
    views.last().cloned().expect("a view")
}

fn rechunk_named(target: &str, request_id: &str) -> RechunkRequest {
    RechunkRequest { request_id: Some(request_id.into()), ..rechunk_to(target) }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_custom_function_runs_to_success() {
    let (coordinator, _task) = start();
    let job = coordinator.submit_pipelines(two_stages()).await.expect("accepted");
    assert_eq!(job.as_str(), "job-000000000001");
    let accepted = coordinator.job(&job).await.expect("known");
    assert_eq!((accepted.state, accepted.accepted_at_ms, accepted.ended_at_ms), (JobState::Accepted, NOON, None));
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w1").work());
    let last = last_view(&coordinator, &job).await;
    assert_eq!(last.state, JobState::Succeeded);
    assert_eq!(last.ended_at_ms, Some(NOON));
    let done: Vec<(&str, u64, u64)> =
        last.stages.iter().map(|stage| (stage.name.as_str(), stage.tasks, stage.done)).collect();
    assert_eq!(done, [("first", 3, 3), ("second", 2, 2)]);
    let puts: Vec<u64> = last.stages.iter().map(|stage| stage.measured.put_requests).collect();
    assert_eq!(puts, [3, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_request_id_gives_one_job_also_after_its_end() {
    let (coordinator, _task) = start();
    let job = coordinator.submit_pipelines(named("mine")).await.expect("accepted");
    assert_eq!(coordinator.submit_pipelines(named("mine")).await, Ok(job.clone()));
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w1").work());
    assert_eq!(last_view(&coordinator, &job).await.state, JobState::Succeeded);
    assert_eq!(coordinator.submit_pipelines(named("mine")).await, Ok(job.clone()));
    assert_ne!(coordinator.submit_pipelines(named("other")).await, Ok(job));
}

#[tokio::test]
async fn one_request_id_is_planned_once_while_the_first_is_being_planned() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut first = Box::pin(coordinator.submit_rechunk(rechunk_named("memory://tests/a", "mine")));
    assert!(poll!(&mut first).is_pending());
    let gate = next(&mut gates).await;
    let mut second = Box::pin(coordinator.submit_rechunk(rechunk_named("memory://tests/a", "mine")));
    assert!(poll!(&mut second).is_pending());
    settle(&coordinator).await;
    gate.release.send(Ok(())).expect("it waits");
    let (first, second) = (first.await, second.await);
    assert_eq!(first.as_ref().map(JobId::as_str), Ok("job-000000000001"));
    assert_eq!(first, second);
    assert!(gates.try_recv().is_err(), "one plan only");
}

#[tokio::test]
async fn a_refused_plan_refuses_every_caller_and_frees_the_request_id() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut first = Box::pin(coordinator.submit_rechunk(rechunk_named("memory://tests/a", "mine")));
    assert!(poll!(&mut first).is_pending());
    let refusal = Refusal::invalid("chunks[0]", "RANK_MISMATCH", "two lengths for three axes");
    next(&mut gates).await.release.send(Err(refusal.clone())).expect("it waits");
    assert_eq!(first.await, Err(refusal));
    let mut again = Box::pin(coordinator.submit_rechunk(rechunk_named("memory://tests/a", "mine")));
    assert!(poll!(&mut again).is_pending());
    next(&mut gates).await.release.send(Ok(())).expect("it waits");
    assert!(again.await.is_ok());
}

#[tokio::test]
async fn of_two_submissions_to_one_target_the_second_is_refused_and_names_the_first() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut first = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/g/a")));
    let mut second = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/g")));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    // Both have looked at the target before either is accepted.
    let gates = [next(&mut gates).await, next(&mut gates).await];
    for gate in gates {
        gate.release.send(Ok(())).expect("it waits");
    }
    let first = first.await.expect("accepted");
    let refusal = second.await.expect_err("refused");
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::AlreadyExists, "LIVE_JOB"));
    assert_eq!(refusal.field.as_deref(), Some("target"));
    assert!(refusal.message.contains(first.as_str()), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_written_while_a_plan_was_made_is_refused() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut slow = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut slow).is_pending());
    let slow_gate = next(&mut gates).await;
    let mut quick = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut quick).is_pending());
    next(&mut gates).await.release.send(Ok(())).expect("it waits");
    let quick = quick.await.expect("accepted");
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w1").work());
    assert_eq!(last_view(&coordinator, &quick).await.state, JobState::Succeeded);
    // Its target was empty when the slow plan looked.
    slow_gate.release.send(Ok(())).expect("it waits");
    let refusal = slow.await.expect_err("refused");
    assert!(refusal.message.contains(quick.as_str()), "{refusal}");
    // A plan that is begun now sees what lies there; the place itself is free.
    let mut later = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut later).is_pending());
    next(&mut gates).await.release.send(Ok(())).expect("it waits");
    assert!(later.await.is_ok());
}

#[tokio::test]
async fn a_submission_whose_caller_has_gone_is_not_accepted() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut gone = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut gone).is_pending());
    let gate = next(&mut gates).await;
    drop(gone);
    gate.release.send(Ok(())).expect("it waits");
    let mut next_one = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut next_one).is_pending());
    let gate = next(&mut gates).await;
    let expected = gate.job.clone();
    gate.release.send(Ok(())).expect("it waits");
    assert_eq!(next_one.await, Ok(expected.clone()));
    let page = coordinator.jobs(PageRequest::default()).await.expect("a page");
    assert_eq!(page.jobs.into_iter().map(|job| job.id).collect::<Vec<_>>(), [expected]);
}

#[tokio::test]
async fn a_job_is_answered_and_shown_once_its_acceptance_is_durable() {
    let (journal, mut appends) = GatedJournal::new();
    let (coordinator, _task) = start_with(Arc::new(GatedPlanner::new().0), Box::new(journal));
    let mut submission = Box::pin(coordinator.submit_pipelines(two_stages()));
    assert!(poll!(&mut submission).is_pending());
    let append = appends.recv().await.expect("the acceptance is recorded");
    assert!(poll!(&mut submission).is_pending(), "not durable, so not answered");
    let page = coordinator.jobs(PageRequest::default()).await.expect("a page");
    assert!(page.jobs.is_empty(), "not durable, so not shown");
    append.release.send(Ok(())).expect("it waits");
    let job = submission.await.expect("accepted");
    assert!(coordinator.job(&job).await.is_ok());
}

#[tokio::test]
async fn a_coordinator_that_lost_its_journal_ends_and_says_so_to_every_caller() {
    let (journal, mut appends) = GatedJournal::new();
    let (coordinator, task) = start_with(Arc::new(GatedPlanner::new().0), Box::new(journal));
    let mut submission = Box::pin(coordinator.submit_pipelines(two_stages()));
    assert!(poll!(&mut submission).is_pending());
    let lost = JournalError::Unavailable("no such bucket".to_owned());
    let append = appends.recv().await.expect("the acceptance is recorded");
    append.release.send(Err(lost.clone())).expect("it waits");
    assert_eq!(task.join().await, Err(CoordinatorError::Journal(lost)));
    assert_eq!(submission.await.expect_err("refused").code, RefusalCode::Unavailable);
    assert_eq!(coordinator.workers().await.expect_err("refused").reason, "COORDINATOR_ENDING");
}

#[tokio::test(start_paused = true)]
async fn a_watch_starts_with_the_job_as_it_stands_and_ends_with_its_end() {
    let (coordinator, _task) = start();
    let job = coordinator.submit_pipelines(two_stages()).await.expect("accepted");
    let mut views = coordinator.watch(&job).await.expect("known");
    assert_eq!(views.next().await.map(|view| view.state), Some(JobState::Accepted));
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w1").work());
    let states: Vec<JobState> = views.map(|view| view.state).collect().await;
    assert_eq!(states.last(), Some(&JobState::Succeeded));
    assert_eq!(states.iter().filter(|state| state.is_terminal()).count(), 1, "{states:?}");
    let late: Vec<JobView> = coordinator.watch(&job).await.expect("known").collect().await;
    assert_eq!(late.len(), 1, "a watch of a job that has ended shows its end");
    assert_eq!(late[0].plan, None);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_takes_its_leases_back_cleans_up_and_ends() {
    let (coordinator, _task, mut gates) = start_gated();
    let mut submission = Box::pin(coordinator.submit_rechunk(rechunk_to("memory://tests/a")));
    assert!(poll!(&mut submission).is_pending());
    next(&mut gates).await.release.send(Ok(())).expect("it waits");
    let job = submission.await.expect("accepted");
    let mut worker = ScriptedWorker::new(&coordinator, "w1");
    let grants = worker.granted().await;
    assert!(grants.iter().all(|grant| grant.stage_name == "first"));
    coordinator.cancel(&job).await.expect("confirmed");
    let held = grants.iter().map(|grant| grant.lease.clone()).collect();
    let answer = worker.sync(held, Vec::new()).await.expect("an answer");
    assert_eq!(answer.revoked, grants.iter().map(|grant| grant.lease.id).collect::<Vec<_>>());
    let mut workers = JoinSet::new();
    workers.spawn(worker.work());
    let last = last_view(&coordinator, &job).await;
    assert_eq!(last.state, JobState::Cancelled);
    assert_eq!(last.ended_at_ms, Some(NOON));
    let again = coordinator.cancel(&job).await.expect_err("refused");
    assert_eq!(again.code, RefusalCode::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_job_is_forgotten_with_its_request_id() {
    let (coordinator, _task) = start();
    let job = coordinator.submit_pipelines(named("mine")).await.expect("accepted");
    let live = coordinator.delete(&job).await.expect_err("it is not terminal");
    assert_eq!(live.code, RefusalCode::FailedPrecondition);
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w1").work());
    last_view(&coordinator, &job).await;
    coordinator.delete(&job).await.expect("deleted");
    assert_eq!(coordinator.job(&job).await.expect_err("forgotten").reason, "UNKNOWN_JOB");
    assert_ne!(coordinator.submit_pipelines(named("mine")).await, Ok(job));
}

#[tokio::test]
async fn an_unknown_job_is_not_found() {
    let (coordinator, _task) = start();
    let job = JobId::from("job-0123456789ab");
    let refusals = [
        coordinator.job(&job).await.map(|_| ()),
        coordinator.watch(&job).await.map(|_| ()),
        coordinator.cancel(&job).await,
        coordinator.delete(&job).await,
    ];
    for refusal in refusals {
        let refusal = refusal.expect_err("refused");
        assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::NotFound, Some("job_id")));
        assert!(refusal.message.contains(job.as_str()), "{refusal}");
    }
}

#[tokio::test]
async fn jobs_come_in_pages_newest_first() {
    let (coordinator, _task) = start();
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.insert(0, coordinator.submit_pipelines(two_stages()).await.expect("accepted"));
    }
    let ids = |page: &crate::page::JobsPage| page.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>();
    let first = coordinator.jobs(PageRequest { size: 2, token: String::new() }).await.expect("a page");
    assert_eq!(ids(&first), jobs[..2]);
    let second = coordinator.jobs(PageRequest { size: 2, token: first.next_token }).await.expect("a page");
    assert_eq!(ids(&second), jobs[2..]);
    assert_eq!(second.next_token, "", "there are no more");
    let refusal = coordinator.jobs(PageRequest { size: 2, token: "x".to_owned() }).await.expect_err("refused");
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidArgument, Some("page_token")));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_granted_to_a_call_whose_caller_has_gone() {
    let (coordinator, _task) = start();
    let mut gone = ScriptedWorker::new(&coordinator, "gone");
    let mut call = Box::pin(gone.sync(Vec::new(), Vec::new()));
    assert!(poll!(&mut call).is_pending());
    settle(&coordinator).await;
    drop(call);
    coordinator.submit_pipelines(two_stages()).await.expect("accepted");
    // One call, which waits for less time than a lease takes to run out.
    let answer = ScriptedWorker::new(&coordinator, "here").sync(Vec::new(), Vec::new()).await.expect("an answer");
    let tasks = answer.granted.iter().map(|grant| grant.lease.tasks.len()).sum::<u64>();
    assert_eq!(tasks, 3, "the whole first stage");
}

#[tokio::test(start_paused = true)]
async fn a_call_with_nothing_to_say_is_answered_within_its_wait() {
    let (coordinator, _task) = start();
    let mut worker = ScriptedWorker::new(&coordinator, "w1");
    let mut request = worker.request(Vec::new(), Vec::new());
    request.wait = Duration::from_hours(1);
    let asked = tokio::time::Instant::now();
    let answer = coordinator.sync(request).await.expect("an answer");
    assert!(answer.granted.is_empty());
    assert!(asked.elapsed() <= MAX_SYNC_WAIT + Duration::from_millis(10), "{:?}", asked.elapsed());
    let workers = coordinator.workers().await.expect("workers");
    assert_eq!(workers.iter().map(|worker| worker.id.as_str()).collect::<Vec<_>>(), ["w1"]);
}

#[tokio::test]
async fn a_shutdown_answers_open_calls_and_ends_watches() {
    let (coordinator, task) = start();
    let job = coordinator.submit_pipelines(two_stages()).await.expect("accepted");
    let watch = coordinator.watch(&job).await.expect("known");
    // A worker that can run nothing waits for ever.
    let idle = SyncRequest { functions: Vec::new(), ..ScriptedWorker::new(&coordinator, "w1").request(vec![], vec![]) };
    let mut call = Box::pin(coordinator.sync(idle));
    assert!(poll!(&mut call).is_pending());
    settle(&coordinator).await;
    coordinator.shutdown();
    let refusal = call.await.expect_err("answered, with nothing granted");
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::Unavailable, "COORDINATOR_ENDING"));
    let states: Vec<JobState> = watch.map(|view| view.state).collect().await;
    assert!(states.iter().all(|state| !state.is_terminal()), "{states:?}");
    assert_eq!(task.join().await, Ok(()));
}

#[tokio::test]
async fn a_server_without_store_profiles_refuses_every_rechunk_and_says_what_is_missing() {
    let stores = Stores::new(StoreConfig::of_profiles(Vec::new()));
    let (coordinator, _task) = Coordinator::start(CoordinatorSettings::default(), stores);
    let request = RechunkRequest { max_mem: Some(ByteCount(1 << 30)), ..rechunk_to("memory://tests/closed") };
    let planned = coordinator.plan(request.clone()).await.expect_err("refused");
    let submitted = coordinator.submit_rechunk(request).await.expect_err("refused");
    for refusal in [planned, submitted] {
        assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::PermissionDenied, Some("source")));
        assert!(refusal.message.contains("[[stores]]"), "{refusal}");
    }
}

#[tokio::test]
async fn a_plan_that_panics_is_that_submissions_refusal() {
    struct Broken;
    #[async_trait::async_trait]
    impl Prepare for Broken {
        async fn prepare(&self, _: &RechunkRequest, _: &JobId, _: &Outlook) -> Result<Prepared, Refusal> {
            panic!("a fault of the planner")
        }
    }
    let (coordinator, _task) = start_with(Arc::new(Broken), Box::new(MemoryJournal::default()));
    let refusal = coordinator.submit_rechunk(rechunk_to("memory://tests/a")).await.expect_err("refused");
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::Internal, "PLANNER_FAILED"));
    assert!(coordinator.submit_pipelines(two_stages()).await.is_ok(), "the coordinator goes on");
}
