//! Stories of coordinators on one journal, one after the other and two at once.

use super::*;
use crate::journal::JournalPlace;

/// A coordinator on the journal of that name; plans come from nowhere.
fn start_on(name: &str) -> (Coordinator, CoordinatorTask) {
    let place = JournalPlace::parse(&format!("memory://driver-{name}/journal")).expect("a place");
    let journal = place.open(&Stores::new(StoreConfig::environment())).expect("a journal");
    start_with(Arc::new(GatedPlanner::new().0), journal)
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_restarted_goes_on_where_the_journal_ends() {
    let (coordinator, task) = start_on("restart");
    let job = coordinator.submit_pipelines(named("mine")).await.expect("accepted");
    let mut worker = ScriptedWorker::new(&coordinator, "w1");
    let granted = worker.granted().await;
    let report = worker.done(&granted[0]);
    worker.sync(Vec::new(), vec![report]).await.expect("an answer");
    let before = coordinator.job(&job).await.expect("known");
    coordinator.shutdown();
    assert_eq!(task.join().await, Ok(()));

    let (coordinator, mut task) = start_on("restart");
    assert!(task.is_ready().await);
    assert_eq!(coordinator.submit_pipelines(named("mine")).await, Ok(job.clone()), "its request id is known");
    let after = coordinator.job(&job).await.expect("known");
    assert!(after.stages[0].done > 0);
    assert_eq!((after.stages[0].done, after.accepted_at_ms), (before.stages[0].done, before.accepted_at_ms));
    let page = coordinator.jobs(PageRequest::default()).await.expect("a page");
    assert_eq!(page.jobs.len(), 1);
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::new(&coordinator, "w2").work());
    assert_eq!(last_view(&coordinator, &job).await.state, JobState::Succeeded);
    let puts: Vec<u64> =
        coordinator.job(&job).await.expect("known").stages.iter().map(|row| row.measured.put_requests).collect();
    assert_eq!(puts, [3, 2], "each task counts once");
}

#[tokio::test(start_paused = true)]
async fn the_older_of_two_coordinators_ends_fenced_also_when_it_is_idle() {
    let (_older, mut older_task) = start_on("two");
    assert!(older_task.is_ready().await);
    let (newer, mut newer_task) = start_on("two");
    assert!(newer_task.is_ready().await);
    let ended = older_task.join().await.expect_err("fenced");
    assert!(matches!(ended, CoordinatorError::Journal(JournalError::Fenced(_))), "{ended}");
    newer.submit_pipelines(two_stages()).await.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_killed_writes_nothing_more_and_its_promises_are_kept() {
    let (coordinator, task) = start_on("killed");
    let job = coordinator.submit_pipelines(named("mine")).await.expect("accepted");
    let mut worker = ScriptedWorker::new(&coordinator, "w1");
    let granted = worker.granted().await;
    let report = worker.done(&granted[0]);
    worker.sync(Vec::new(), vec![report]).await.expect("an answer");
    assert!(coordinator.job(&job).await.expect("known").stages[0].done > 0);
    assert!(!task.has_ended());
    task.kill().await;
    assert_eq!(coordinator.job(&job).await.expect_err("it is gone").code, RefusalCode::Unavailable);

    let (coordinator, mut task) = start_on("killed");
    assert!(task.is_ready().await);
    assert_eq!(coordinator.submit_pipelines(named("mine")).await, Ok(job.clone()), "an accepted job is durable");
    assert_eq!(coordinator.job(&job).await.expect("known").stages[0].done, 0, "what waited for its record is not");
}
