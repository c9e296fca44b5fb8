//! When records are written.

use rechunk_common::{
    ids::{Epoch, JobId, RunNumber},
    job::JobState,
};
use rechunk_scheduler::RecordFact;
use tokio::time::advance;

use super::*;
use crate::journal::MemoryJournal;
use crate::testing::{AppendGate, GatedJournal};

fn record(position: u64, is_synchronous: bool) -> Record {
    let fact = RecordFact::JobSettled { job: JobId::from("job-1"), run: RunNumber(1), state: JobState::Succeeded };
    Record { position: JournalPosition(position), at_ms: 0, is_synchronous, fact }
}

async fn open() -> (JournalLane, mpsc::UnboundedReceiver<AppendGate>) {
    let (journal, gates) = GatedJournal::new();
    let (lane, loaded) = JournalLane::open(Box::new(journal), Duration::from_hours(1)).await.expect("a lane");
    assert_eq!(loaded.epoch, Epoch(7));
    (lane, gates)
}

fn positions(gate: &AppendGate) -> Vec<u64> {
    gate.records.iter().map(|record| record.position.0).collect()
}

#[tokio::test(start_paused = true)]
async fn completions_wait_a_second_for_company() {
    let (mut lane, mut gates) = open().await;
    lane.push(record(1, false), Instant::now());
    lane.start_due(Instant::now());
    assert!(!lane.is_idle() && gates.try_recv().is_err(), "nothing is written at once");
    advance(Duration::from_millis(600)).await;
    lane.push(record(2, false), Instant::now());
    let due = lane.next_deadline().expect("something waits");
    assert_eq!(due.duration_since(Instant::now()), Duration::from_millis(400));
    advance(Duration::from_millis(400)).await;
    lane.start_due(Instant::now());
    let gate = gates.recv().await.expect("an append");
    assert_eq!(positions(&gate), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_fact_is_written_at_once_and_takes_along_what_came_before_it() {
    let (mut lane, mut gates) = open().await;
    lane.push(record(1, false), Instant::now());
    lane.push(record(2, true), Instant::now());
    lane.start_due(Instant::now());
    let gate = gates.recv().await.expect("an append");
    assert_eq!(positions(&gate), [1, 2]);
    gate.release.send(Ok(())).expect("it waits");
    assert_eq!(lane.written().await, Ok(Written::Through(JournalPosition(2))));
    assert!(lane.is_idle());
}

#[tokio::test(start_paused = true)]
async fn one_append_is_in_flight_at_a_time() {
    let (mut lane, mut gates) = open().await;
    lane.push(record(1, true), Instant::now());
    lane.start_due(Instant::now());
    let first = gates.recv().await.expect("an append");
    lane.push(record(2, true), Instant::now());
    lane.start_due(Instant::now());
    assert_eq!(lane.next_deadline(), None, "nothing is due while one is in flight");
    first.release.send(Ok(())).expect("it waits");
    assert_eq!(lane.written().await, Ok(Written::Through(JournalPosition(1))));
    lane.start_due(Instant::now());
    assert_eq!(positions(&gates.recv().await.expect("the next append")), [2]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_lane_confirms_and_a_lost_reign_shows() {
    struct Fenced;
    #[async_trait::async_trait]
    impl Journal for Fenced {
        async fn load(&mut self) -> Result<super::super::Loaded, JournalError> {
            MemoryJournal::default().load().await
        }
        async fn append(&mut self, _records: &[Record]) -> Result<JournalPosition, JournalError> {
            Err(JournalError::Unavailable("not asked for".to_owned()))
        }
        async fn confirm(&mut self) -> Result<(), JournalError> {
            Err(JournalError::Fenced(Epoch(2)))
        }
    }
    let (mut lane, _) = JournalLane::open(Box::new(Fenced), Duration::from_secs(10)).await.expect("a lane");
    assert_eq!(lane.written().await, Err(JournalError::Fenced(Epoch(2))));
}

#[tokio::test(start_paused = true)]
async fn a_reign_that_is_not_confirmed_for_one_lease_time_may_not_grant() {
    let lease = Duration::from_secs(30);
    let (journal, mut gates) = GatedJournal::new();
    let (mut lane, _) = JournalLane::open(Box::new(journal), Duration::from_secs(10)).await.expect("a lane");
    assert!(lane.is_confirmed(Instant::now(), lease));
    assert_eq!(lane.written().await, Ok(Written::Nothing), "an idle one confirms");
    lane.push(record(1, true), Instant::now());
    lane.start_due(Instant::now());
    let gate = gates.recv().await.expect("an append");
    advance(Duration::from_secs(29)).await;
    assert!(lane.is_confirmed(Instant::now(), lease));
    advance(Duration::from_secs(1)).await;
    assert!(!lane.is_confirmed(Instant::now(), lease), "a journal that hangs may be another's by now");
    gate.release.send(Ok(())).expect("it waits");
    assert_eq!(lane.written().await, Ok(Written::Through(JournalPosition(1))));
    assert!(!lane.is_confirmed(Instant::now(), lease), "it counts from when it was asked");
    assert_eq!(lane.written().await, Ok(Written::Nothing));
    assert!(lane.is_confirmed(Instant::now(), lease));
}
