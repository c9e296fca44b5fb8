//! The loop: call, take the answer, start tasks, gather results, until the worker has left.

use std::{sync::Arc, time::Duration};

use rechunk_common::{
    ByteCount,
    ids::{Epoch, Incarnation, SyncSeq, WorkerId},
    limits::{MAX_LEASES_PER_WORKER, MAX_SYNC_WAIT},
    plan::FunctionId,
    request_rate::{RequestShares, StoreRates},
    session::{Capacity, SyncRequest, SyncResponse},
};
use rechunk_metrics::names::{WORKER_LEASES_LOST, WORKER_SYNCS};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Attempts, Clock, CoordinatorLink, LinkError, Surroundings,
    attempt::{Ended, Outcome},
    call::{Call, answer, pause_after},
    lease_table::LeaseTable,
    outbox::Outbox,
};
use crate::figures::Standing;

/// Who the worker is and what it has: the same in every call.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) worker: WorkerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) functions: Vec<FunctionId>,
    pub(crate) total: Capacity,
    pub(crate) version: String,
    /// Says the largest resident set so far.
    pub(crate) peak_rss: fn() -> Option<ByteCount>,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For held tasks, once the worker is asked to leave.
    pub(crate) grace: Duration,
}

/// Results are gathered for so long before they are reported, unless the worker has nothing else to do.
const GATHER: Duration = Duration::from_millis(200);

/// And so long when it has nothing else to do: tasks often end together.
const GATHER_IDLE: Duration = Duration::from_millis(5);

/// A coordinator that has heard of results but did not acknowledge them is writing them down: it is asked again so
/// soon.
const UNACKNOWLEDGED: Duration = Duration::from_millis(500);

/// The longest wait of a worker that was never answered: it should soon know that it is heard.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Between calls that were answered at once with nothing: a coordinator that does not hold calls is not flooded.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);

/// For the last reports, once the grace is over.
const FAREWELL: Duration = Duration::from_secs(5);

/// Farther than any deadline.
const NEVER: Duration = Duration::from_hours(24);

/// A worker and its coordinator talking.
pub(crate) struct Conversation {
    link: Arc<dyn CoordinatorLink>,
    clock: Arc<dyn Clock>,
    surroundings: Arc<dyn Surroundings>,
    identity: Identity,
    patience: Patience,
    attempts: Attempts,
    leases: LeaseTable,
    outbox: Outbox,
    running: JoinSet<Ended>,
    seq: u64,
    /// The last call that was answered.
    answered: u64,
    /// The last call that nobody answered.
    unanswered: u64,
    epoch: Epoch,
    call: Option<Call>,
    /// When there is no call under way: the next one.
    next_call: Instant,
    failures: u32,
    /// What this worker may ask of the stores; kept as long as no answer says otherwise.
    shares: Option<RequestShares>,
    /// Told where things stand, after everything that happens.
    standing: watch::Sender<Standing>,
    /// Since when there is something that the coordinator does not know.
    news_since: Option<Instant>,
    leaving: Leaving,
}

/// How far the worker is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// It stays.
    No,
    /// It finishes what it holds; calls after `since` say so.
    Draining { until: Instant, since: u64 },
    /// It holds nothing any more and reports; calls after `since` say so.
    Farewell { until: Instant, since: u64 },
}

impl Conversation {
    pub(crate) fn new(
        link: Arc<dyn CoordinatorLink>,
        (clock, surroundings): (Arc<dyn Clock>, Arc<dyn Surroundings>),
        identity: Identity,
        patience: Patience,
        attempts: Attempts,
    ) -> Self {
        Self {
            leases: LeaseTable::new(Arc::clone(&clock)),
            link,
            clock,
            surroundings,
            identity,
            patience,
            attempts,
            outbox: Outbox::new(),
            running: JoinSet::new(),
            seq: 0,
            answered: 0,
            unanswered: 0,
            epoch: Epoch(0),
            call: None,
            next_call: Instant::now(),
            failures: 0,
            shares: None,
            standing: watch::Sender::default(),
            news_since: None,
            leaving: Leaving::No,
        }
    }

    /// The same, which tells `standing` where things stand.
    pub(crate) fn telling(self, standing: watch::Sender<Standing>) -> Self {
        Self { standing, ..self }
    }

    /// Talks until `shutdown` is asked for and everything held is done, reported and acknowledged, or the grace ends.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !self.has_left() {
            self.start_tasks();
            self.call_if_due();
            self.tell_standing();
            let wake = self.wake_at();
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if self.leaving == Leaving::No => self.start_draining(),
                Some(ended) = self.running.join_next() => match ended {
                    Ok(ended) => self.note_ended(ended),
                    Err(error) => tracing::error!(%error, "an attempt ended without an outcome"),
                },
                response = answer(&mut self.call) => self.note_answer(response),
                () = tokio::time::sleep_until(wake) => self.note_time(),
            }
        }
        self.leases.end_all();
        self.running.shutdown().await;
    }

    fn tell_standing(&self) {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let has_answer = self.answered > 0;
        let standing = Standing {
            epoch: has_answer.then_some(self.epoch),
            is_connected: has_answer && self.failures == 0,
            is_leaving: self.leaving != Leaving::No,
            leases: count(self.leases.len()),
            running: count(self.running.len()),
        };
        self.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
    }

    fn has_left(&self) -> bool {
        match self.leaving {
            Leaving::No => false,
            Leaving::Draining { since, .. } => {
                // Without anything to report, a coordinator that does not answer is not waited for.
                let has_said_so = self.answered.max(self.unanswered) > since;
                has_said_so && self.leases.is_empty() && self.running.is_empty() && self.outbox.is_empty()
            }
            Leaving::Farewell { until, since } => {
                let has_reported = self.answered > since && self.outbox.is_empty() && self.running.is_empty();
                has_reported || until <= Instant::now()
            }
        }
    }

    fn start_draining(&mut self) {
        tracing::info!(leases = self.leases.len(), "the worker takes no more leases and finishes those it has");
        let until = Instant::now() + self.patience.grace;
        self.leaving = Leaving::Draining { until, since: self.seq };
        self.note_news();
    }

    /// Starts tasks of held leases while there are slots; each waits for its memory by itself.
    fn start_tasks(&mut self) {
        let slots = usize::try_from(self.identity.total.slots).unwrap_or(usize::MAX);
        while self.running.len() < slots {
            let Some(next) = self.leases.take_next() else { return };
            self.running.spawn(self.attempts.clone().run(next));
        }
    }

    fn note_news(&mut self) {
        self.news_since.get_or_insert_with(Instant::now);
    }

    fn note_ended(&mut self, ended: Ended) {
        let Ended { lease, stage, task, outcome } = ended;
        let was_held = self.leases.note_ended(lease);
        match outcome {
            // A completion is a fact whoever reports it, also when the lease has ended.
            Outcome::Done(counts) => self.outbox.add_done(lease, &stage, task, counts),
            Outcome::Failed(failure, counts) if was_held => {
                self.outbox.add_failed(lease, &stage, task, failure, counts);
            }
            // Nothing to report, but that the lease's tasks have stopped is news: something may wait for it.
            Outcome::Failed(..) | Outcome::Stopped => {}
        }
        if let Leaving::Farewell { since, .. } = &mut self.leaving {
            *since = self.seq;
        }
        self.note_news();
    }

    /// Deadlines have come: leases end, the grace ends. A call that is due is made by the loop.
    fn note_time(&mut self) {
        for lease in self.leases.end_expired() {
            tracing::warn!(%lease, "a lease ended before it was renewed; its tasks are stopped");
            WORKER_LEASES_LOST.counter(&[]).increment(1);
            self.note_news();
        }
        if let Leaving::Draining { until, .. } = self.leaving
            && until <= Instant::now()
        {
            tracing::warn!(leases = self.leases.len(), "the grace is over; what is not done is given up");
            self.leases.end_all();
            self.leaving = Leaving::Farewell { until: Instant::now() + FAREWELL, since: self.seq };
            self.note_news();
        }
    }

    /// When something happens by itself.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let lease_end = self.leases.first_end_in().unwrap_or(NEVER);
        let leaving = match self.leaving {
            Leaving::No => now + NEVER,
            Leaving::Draining { until, .. } | Leaving::Farewell { until, .. } => until,
        };
        (now + lease_end).min(leaving).min(self.call_at().unwrap_or(now + NEVER))
    }

    /// When the next call is due; `None` while one is under way that must be answered first.
    fn call_at(&self) -> Option<Instant> {
        let news_at = self.news_since.map(|since| since + if self.is_idle() { GATHER_IDLE } else { GATHER });
        match &self.call {
            // It carries news itself: a newer one would only make the coordinator forget the answer.
            Some(call) if call.wait.is_zero() => None,
            // A long poll gives way to news.
            Some(_) => news_at,
            None => Some(news_at.map_or(self.next_call, |news| {
                if self.failures > 0 { self.next_call } else { news.min(self.next_call) }
            })),
        }
    }

    /// Whether a slot is empty and no task waits for it: then the coordinator should know at once.
    fn is_idle(&self) -> bool {
        let slots = usize::try_from(self.identity.total.slots).unwrap_or(usize::MAX);
        self.running.len() < slots && !self.leases.has_next()
    }

    fn call_if_due(&mut self) {
        if self.call_at().is_none_or(|at| at > Instant::now()) {
            return;
        }
        let asked_at = self.clock.now();
        let request = self.request();
        self.news_since = None;
        let link = Arc::clone(&self.link);
        let sent = request.clone();
        self.call = Some(Call::new(&request, asked_at, async move { link.sync(sent).await }));
    }

    fn request(&mut self) -> SyncRequest {
        self.seq = self.seq.saturating_add(1);
        let has_news = self.news_since.is_some() || self.outbox.has_unsent();
        let is_leaving = self.leaving != Leaving::No;
        let reports = self.outbox.take_up();
        let mut free = if is_leaving { Capacity::default() } else { self.leases.free(self.identity.total) };
        if self.leases.len() >= MAX_LEASES_PER_WORKER as usize {
            free = Capacity::default();
        }
        let wait = match (has_news, reports.is_empty()) {
            (true, _) => Duration::ZERO,
            (false, false) => UNACKNOWLEDGED.min(self.longest_wait()),
            (false, true) => self.longest_wait(),
        };
        SyncRequest {
            worker: self.identity.worker.clone(),
            incarnation: self.identity.incarnation,
            seq: SyncSeq(self.seq),
            functions: self.identity.functions.clone(),
            free,
            total: self.identity.total,
            draining: is_leaving,
            held: self.leases.held(),
            progress: self.leases.progress(),
            reports,
            wait,
            version: self.identity.version.clone(),
            peak_rss: (self.identity.peak_rss)().unwrap_or_default(),
            request_rates: self.shares.as_ref().map(|shares| shares.rates.clone()).unwrap_or_default(),
        }
    }

    /// A third of the shortest lease at the most: every answer renews, and two may be lost. Less where other workers wait
    /// for a part of what this one may ask of the stores.
    fn longest_wait(&self) -> Duration {
        let most = if self.answered == 0 { FIRST_WAIT } else { MAX_SYNC_WAIT };
        let wait = self.leases.shortest_ttl().map_or(most, |ttl| most.min(ttl / 3));
        self.shares.as_ref().map_or(wait, |shares| wait.min(shares.ask_within.max(SHORTEST_ROUND)))
    }

    fn note_answer(&mut self, response: Result<SyncResponse, LinkError>) {
        let Some(call) = self.call.take() else { return };
        WORKER_SYNCS.counter(&[if response.is_ok() { "answered" } else { "failed" }]).increment(1);
        match response {
            Ok(response) => self.take_answer(&call, response),
            Err(error) => {
                self.unanswered = call.seq.0;
                if self.failures == 0 {
                    tracing::warn!(%error, "the coordinator did not answer; held work goes on");
                }
                self.pause();
            }
        }
    }

    /// A call was in vain: what it carried is still news, but not at once.
    fn pause(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let random = u32::try_from(self.surroundings.draw() >> 32).unwrap_or(u32::MAX);
        self.next_call = Instant::now() + pause_after(self.failures, random);
        self.note_news();
    }

    fn take_answer(&mut self, call: &Call, response: SyncResponse) {
        if response.epoch < self.epoch {
            tracing::warn!(epoch = %response.epoch, newer = %self.epoch, "a fenced coordinator answered; ignored");
            self.pause();
            return;
        }
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the coordinator answers again");
        }
        self.failures = 0;
        self.next_call = next_round(call, response.next_sync_after);
        if response.epoch > self.epoch {
            tracing::info!(epoch = %response.epoch, "a coordinator's reign begins");
            self.epoch = response.epoch;
        }
        self.outbox.acknowledge(response.reports_accepted_through);
        for lease in response.revoked {
            if self.leases.end(lease) {
                tracing::info!(%lease, "a lease was revoked; its tasks are stopped");
                self.note_news();
            }
        }
        // What another call was answered with may count from another moment.
        if response.seq == call.seq {
            self.take_shares(response.request_shares);
            for lease in response.renewed {
                self.leases.renew(lease, call.asked_at);
            }
            let is_leaving = self.leaving != Leaving::No;
            for grant in response.granted.into_iter().filter(|_| !is_leaving) {
                tracing::debug!(lease = %grant.lease.id, stage = %grant.lease.stage, name = %grant.stage_name,
                    start = grant.lease.tasks.start, end = grant.lease.tasks.end, "a lease was granted");
                self.leases.grant(grant, call.asked_at);
            }
        }
        self.answered = call.seq.0;
        if self.leases.is_empty() && self.running.is_empty() {
            self.attempts.admission.pool().release_if_idle();
        }
    }

    /// Before any task that is granted beside them begins.
    fn take_shares(&mut self, shares: Option<RequestShares>) {
        let rates = shares.as_ref().map(|shares| shares.rates.as_slice()).unwrap_or_default();
        let before = self.shares.as_ref().map(|shares| shares.rates.as_slice()).unwrap_or_default();
        if rates != before {
            for StoreRates { prefix, gets, puts } in rates {
                let [gets, puts] = [gets, puts].map(|rate| rate.map(tracing::field::display));
                tracing::debug!(%prefix, gets, puts, "a share of a request rate");
            }
            self.attempts.stores.set_request_shares(rates);
        }
        self.shares = shares;
    }
}

/// When the next call is due after an answer.
fn next_round(call: &Call, latest: Duration) -> Instant {
    let now = Instant::now();
    let was_held = now.duration_since(call.started) >= SHORTEST_ROUND;
    let pause = if was_held || call.wait.is_zero() { Duration::ZERO } else { SHORTEST_ROUND };
    now + pause.min(latest.max(Duration::from_millis(1)))
}
