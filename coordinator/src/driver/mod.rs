//! The one task that owns the scheduler. It reads the clock, applies events, carries out commands in their order, and
//! sleeps until the next deadline. Everybody else sends messages.
//!
//! Knows nothing of gRPC, and of storage only that plans and journals take their time elsewhere.

mod calls;
mod conflict;
mod jobs;
mod perform;
mod planning;
mod planning_thread;
mod rate_shares;
mod recovery;
mod requests;
mod spans;
mod submissions;
mod views;
mod watchers;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use rechunk_common::ids::{JobId, JournalPosition};
use rechunk_scheduler::{Event, Scheduler, Timestamp};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

pub(crate) use self::planning::{OnThread, Planner, Prepare};
use self::{
    calls::Calls, jobs::JobTable, planning::Planning, rate_shares::RateShares, spans::JobSpans,
    submissions::Submissions, watchers::Watchers,
};
use crate::{
    journal::{Journal, JournalError, JournalLane, Written},
    message::{Answer, Message},
    settings::{CoordinatorSettings, FleetSettings},
    surroundings::{Surroundings, Witness},
};

/// How long the last records may take when the coordinator ends.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// The shortest sleep: a deadline that its tick did not move must not keep the driver spinning.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Owns the scheduler and everything beside it.
pub(crate) struct Driver {
    scheduler: Scheduler,
    started: Instant,
    // The scheduler's time when the driver started.
    started_at: Timestamp,
    lease: Duration,
    surroundings: Arc<dyn Surroundings>,
    witness: Option<Box<dyn Witness>>,
    fleet: FleetSettings,
    journal: JournalLane,
    inbox: mpsc::Receiver<Message>,
    planning: Planning,
    submissions: Submissions,
    jobs: JobTable,
    calls: Calls,
    shares: RateShares,
    // Callers of cancel and delete, oldest first.
    confirmations: BTreeMap<JobId, Vec<Answer<()>>>,
    // Jobs whose end or deletion waits for its record.
    ending: VecDeque<(JournalPosition, perform::Ending)>,
    watchers: Watchers,
    spans: JobSpans,
    // Whether a job is not over.
    activity: watch::Sender<bool>,
    last_tick: Option<Instant>,
}

/// What a driver is made of.
pub(crate) struct DriverParts {
    pub(crate) settings: CoordinatorSettings,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) planner: Planner,
    pub(crate) surroundings: Arc<dyn Surroundings>,
    pub(crate) witness: Option<Box<dyn Witness>>,
    pub(crate) inbox: mpsc::Receiver<Message>,
    /// Shown whether a job is not over.
    pub(crate) activity: watch::Sender<bool>,
    /// Told when the journal is read and the jobs go on.
    pub(crate) ready: oneshot::Sender<()>,
}

/// Claims the journal and drives until `stop` is cancelled or every handle is gone.
pub(crate) async fn drive(parts: DriverParts, stop: CancellationToken) -> Result<(), JournalError> {
    let settings = parts.settings.scheduler;
    let lease = settings.lease;
    let shares = RateShares::new(parts.settings.request_budget, lease + settings.margin);
    let opening = JournalLane::open(parts.journal, lease / 3);
    let (journal, loaded) = tokio::select! {
        biased;
        opened = opening => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    info!(epoch = loaded.epoch.0, "reign claimed");
    let started = Instant::now();
    // The clock of the day may have been set back since the last record.
    let started_at = Timestamp(parts.surroundings.unix_millis().max(loaded.last_at_ms));
    let (scheduler, jobs) = recovery::recover(loaded, settings, started_at)?;
    let mut driver = Driver {
        scheduler,
        started,
        started_at,
        lease,
        surroundings: parts.surroundings,
        witness: parts.witness,
        fleet: parts.settings.fleet,
        journal,
        inbox: parts.inbox,
        planning: Planning::new(parts.planner),
        submissions: Submissions::default(),
        jobs,
        calls: Calls::default(),
        shares,
        confirmations: BTreeMap::new(),
        ending: VecDeque::new(),
        watchers: Watchers::default(),
        spans: JobSpans::default(),
        activity: parts.activity,
        last_tick: None,
    };
    driver.apply(Event::Begin);
    driver.show_activity();
    let _nobody_waits = parts.ready.send(());
    driver.run(stop).await
}

/// What the driver woke up for.
enum Wake {
    Message(Message),
    NoHandleLeft,
    Planned(Box<planning::Planned>),
    Written(Result<Written, JournalError>),
    Deadline,
    Stop,
}

impl Driver {
    async fn run(mut self, stop: CancellationToken) -> Result<(), JournalError> {
        loop {
            match self.wake(&stop).await {
                Wake::Message(message) => self.on_message(message),
                Wake::Planned(planned) => self.on_planned(*planned),
                Wake::Written(written) => self.on_written(written?),
                Wake::Deadline => self.on_deadline(),
                Wake::Stop | Wake::NoHandleLeft => return self.finish().await,
            }
            self.journal.start_due(Instant::now());
        }
    }

    async fn wake(&mut self, stop: &CancellationToken) -> Wake {
        let deadline = self.next_deadline();
        let asleep = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // In this order, so that equal histories are equal: a deadline comes at most once a millisecond.
        tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            written = self.journal.written() => Wake::Written(written),
            planned = self.planning.ready() => Wake::Planned(Box::new(planned)),
            () = asleep => Wake::Deadline,
            // A journal that can't keep up holds back new work instead of filling the memory.
            message = self.inbox.recv(), if self.journal.has_room() => {
                message.map_or(Wake::NoHandleLeft, Wake::Message)
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let tick = self.scheduler.next_deadline().map(|at| {
            let at = self.started + Duration::from_millis(at.ms_since(self.started_at));
            self.last_tick.map_or(at, |last_tick| at.max(last_tick + SHORTEST_SLEEP))
        });
        [tick, self.journal.next_deadline(), self.watchers.next_deadline()].into_iter().flatten().min()
    }

    fn on_deadline(&mut self) {
        let now = self.now();
        if self.scheduler.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.last_tick = Some(Instant::now());
            self.apply(Event::Tick);
        }
        self.show_due_views();
    }

    fn on_written(&mut self, written: Written) {
        match written {
            Written::Through(position) => {
                self.apply(Event::RecordDurable { position });
                self.settle_endings(position);
                // A job comes, ends, or is to be removed only with a record.
                self.show_activity();
            }
            Written::Nothing => {}
        }
    }

    /// The scheduler's time: the time of day when the driver started, and what has passed since.
    fn now(&self) -> Timestamp {
        self.started_at.after(self.started.elapsed())
    }

    /// Tells the scheduler what happened and does what it asks for, in order.
    fn apply(&mut self, event: Event) {
        let now = self.now();
        let commands = match &mut self.witness {
            None => self.scheduler.apply(now, event),
            Some(witness) => {
                let told = event.clone();
                let commands = self.scheduler.apply(now, event);
                witness.saw(now, &told, &commands, &self.scheduler);
                commands
            }
        };
        for command in commands {
            self.perform(command);
        }
    }

    /// Writes what waits for the journal. Callers that still wait hear that the coordinator has ended when their way
    /// back is dropped.
    async fn finish(mut self) -> Result<(), JournalError> {
        self.calls = Calls::default();
        self.watchers = Watchers::default();
        let last = async {
            while !self.journal.is_idle() {
                let now = Instant::now();
                self.journal.hurry(now);
                self.journal.start_due(now);
                let written = self.journal.written().await?;
                self.on_written(written);
            }
            self.planning.discarded().await;
            Ok(())
        };
        let flushed = timeout(LAST_FLUSH, last).await;
        info!("coordinator ended");
        flushed.unwrap_or_else(|_elapsed| {
            Err(JournalError::Unavailable(format!("the last records took longer than {} s", LAST_FLUSH.as_secs())))
        })
    }
}

#[cfg(test)]
mod tests;
