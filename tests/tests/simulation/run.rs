//! One run: a caller with a job, a director who makes trouble, and at the end a look at what is there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rechunk_common::{
    ByteCount, RefusalCode,
    ids::{JobId, RequestId},
    job::{JobState, JobView},
    plan::ShapeOfPlan,
    request::RechunkRequest,
};
use rechunk_coordinator::Coordinator;
use rechunk_storage::StoreUrl;
use rechunk_tests::{
    ArraySpec, Content, MadeArray, Place,
    faithful::{assert_equal, request},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    calls::Network,
    dice::Dice,
    fleet::Workers,
    reigns::Reigns,
    store::stores,
    trouble::Trouble,
    witness::{Minutes, StoreWitness},
};

/// No run takes so long by its own clock, unless its job hangs.
const STUCK: Duration = Duration::from_hours(12);

/// Memory of a task, so little that it takes an exchange.
const LITTLE: u64 = 12 << 10;

/// Retries of one job by its caller.
const MOST_RETRIES: u32 = 100;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The history in one number.
    pub(crate) trace: u64,
    pub(crate) steps: u64,
    pub(crate) met: BTreeMap<&'static str, u64>,
}

/// Runs a seed to its end.
pub(crate) fn run(seed: u64) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async { timeout(STUCK, play(seed)).await.unwrap_or_else(|_elapsed| Err("it hangs".to_owned())) })
}

async fn play(seed: u64) -> Result<Outcome, String> {
    let place = Place::in_memory_at(&format!("simulation-{seed}"));
    place.clear().await;
    let outcome = play_at(&place, seed).await;
    place.clear().await;
    outcome
}

async fn play_at(place: &Place, seed: u64) -> Result<Outcome, String> {
    let dice = Dice::new(seed);
    let trouble = Trouble::draw(&dice);
    let minutes = Minutes::begin();
    let network = Network::new(&dice, &trouble);
    let made = source(&dice).make(place, "source").await;
    let journal = StoreUrl::parse(&place.url("journal")).map_err(|error| error.to_string())?;
    let reigns = Reigns::new((&dice, &trouble), &network, &minutes, stores(&dice, &trouble, None), journal);
    reigns.start();
    let watched = stores(&dice, &trouble, Some(Arc::new(StoreWitness(minutes.clone()))));
    let crew = (2 + usize::try_from(dice.below(3)).expect("few"), ByteCount(1 << 20));
    let mut workers = Workers::new((&dice, &trouble), &network, &minutes, watched, crew);
    let caller = Caller {
        network: network.clone(),
        dice: dice.clone(),
        minutes: minutes.clone(),
        cancel_after: (dice.below(5) == 0).then(|| dice.millis(500, 120_000)),
    };
    let little = dice.below(2) == 0;
    let wanted = RechunkRequest {
        max_mem: Some(ByteCount(if little { LITTLE } else { 1 << 20 })),
        request_id: Some(RequestId::from("the only one")),
        ..request(place, "source", "target", "128,2,2")
    };
    let calling = tokio::spawn(caller.follow(wanted));
    direct(&dice, &trouble, &network, &minutes, &reigns, &mut workers, &calling).await?;
    let ended = calling.await.map_err(|error| format!("the caller broke off: {error}"))??;
    workers.end().await?;
    reigns.end().await?;
    if let Some(problem) = minutes.problem() {
        return Err(problem);
    }
    look(place, &made, &ended, &trouble).await?;
    let (trace, steps) = minutes.summary();
    Ok(Outcome { trace, steps, met: trouble.met() })
}

/// 128 KiB of maps, some of them missing.
fn source(dice: &Dice) -> ArraySpec {
    let mut spec = ArraySpec::new(&[128, 16, 16], &[1, 16, 16]).with_content(Content::Random(dice.number()));
    if dice.below(3) == 0 {
        spec.missing.extend((0..dice.below(40)).map(|_| vec![dice.below(128), 0, 0]));
    }
    spec
}

/// Makes trouble for a while, then sees to it that everything runs.
async fn direct(
    dice: &Dice,
    trouble: &Trouble,
    network: &Network,
    minutes: &Minutes,
    reigns: &Reigns,
    workers: &mut Workers,
    calling: &tokio::task::JoinHandle<Result<Ended, String>>,
) -> Result<(), String> {
    let calm_at = Instant::now() + dice.millis(5_000, 400_000);
    let mut reign_at = Instant::now();
    let mut later: Vec<(Instant, usize)> = Vec::new();
    while !calling.is_finished() {
        sleep(dice.millis(20, 4_000)).await;
        reigns.bury().await?;
        if let Some(problem) = minutes.problem() {
            return Err(problem);
        }
        let now = Instant::now();
        for (_, worker) in later.extract_if(.., |(at, _)| *at <= now) {
            network.restore(&Workers::name(worker));
            workers.start(worker);
        }
        if now >= calm_at {
            trouble.end();
            network.restore_all();
            (0..workers.len()).for_each(|worker| workers.start(worker));
        } else {
            let worker = usize::try_from(dice.below(workers.len() as u64)).expect("few");
            match dice.below(16) {
                0 => {
                    workers.kill(worker).await;
                    later.push((now + dice.millis(0, 60_000), worker));
                }
                1 => {
                    trouble.note("workers cut off");
                    network.cut(&Workers::name(worker));
                    later.push((now + dice.millis(1_000, 150_000), worker));
                }
                2 => {
                    workers.drain(worker);
                    later.push((now + dice.millis(0, 60_000), worker));
                }
                3 => {
                    trouble.note("coordinators killed");
                    reigns.kill_all().await;
                    reign_at = now + dice.millis(0, 90_000);
                }
                4 if !reigns.is_empty() => reigns.overtake(),
                _ => {}
            }
        }
        if reigns.is_empty() && (now >= reign_at || now >= calm_at) {
            reigns.start();
        }
    }
    trouble.end();
    network.restore_all();
    if reigns.is_empty() {
        reigns.start();
    }
    Ok(())
}

/// How the job ended, for its caller.
pub(crate) enum Ended {
    Succeeded(Box<JobView>),
    Cancelled(Box<JobView>),
    Deleted,
}

/// Submits the job and sees it through.
struct Caller {
    network: Network,
    dice: Dice,
    minutes: Minutes,
    cancel_after: Option<Duration>,
}

impl Caller {
    /// The newest coordinator, when there is one.
    async fn coordinator(&self) -> Coordinator {
        loop {
            sleep(self.dice.millis(100, 1_000)).await;
            if let Some(coordinator) = self.network.newest() {
                return coordinator;
            }
        }
    }

    async fn submit(&self, mut wanted: RechunkRequest) -> Result<JobId, String> {
        loop {
            let refusal = match self.coordinator().await.submit_rechunk(wanted.clone()).await {
                Ok(job) => return Ok(job),
                Err(refusal) => refusal,
            };
            self.minutes.note(&format!("submission: {refusal}"));
            match (refusal.code, refusal.reason.as_str()) {
                (RefusalCode::Unavailable, _) => {}
                (_, reason) if reason.contains("MEMORY") => {
                    wanted.max_mem = wanted.max_mem.map(|memory| ByteCount(memory.0 * 2));
                }
                _ => return Err(format!("the submission was refused: {} {refusal}", refusal.reason)),
            }
        }
    }

    async fn follow(self, wanted: RechunkRequest) -> Result<Ended, String> {
        let job = self.submit(wanted).await?;
        self.minutes.note(&format!("{job} is accepted"));
        let accepted_at = Instant::now();
        let (mut is_cancelled, mut wants_cancel, mut retries) = (false, self.cancel_after.is_some(), 0);
        loop {
            let coordinator = self.coordinator().await;
            let view = match coordinator.job(&job).await {
                Ok(view) => view,
                Err(refusal) if refusal.code == RefusalCode::Unavailable => continue,
                Err(refusal) => return Err(format!("an accepted job is kept: {refusal}")),
            };
            match view.state {
                JobState::Succeeded if is_cancelled => return Err("a confirmed cancel is kept".to_owned()),
                JobState::Succeeded => return Ok(Ended::Succeeded(Box::new(view))),
                JobState::Cancelled => return Ok(Ended::Cancelled(Box::new(view))),
                JobState::Failed if is_cancelled => {
                    if self.has_deleted(&coordinator, &job).await? {
                        return Ok(Ended::Deleted);
                    }
                }
                JobState::Failed => {
                    retries += 1;
                    self.retry(&coordinator, &job, &view, retries).await?;
                }
                JobState::Accepted
                | JobState::Running
                | JobState::Succeeding
                | JobState::Failing
                | JobState::Cancelling => {}
            }
            let is_due = self.cancel_after.is_some_and(|after| accepted_at.elapsed() >= after);
            if wants_cancel && is_due && !is_cancelled {
                match coordinator.cancel(&job).await {
                    Ok(()) => is_cancelled = true,
                    Err(refusal) if refusal.code == RefusalCode::Unavailable => {}
                    Err(refusal) if refusal.code == RefusalCode::FailedPrecondition => wants_cancel = false,
                    Err(refusal) => return Err(format!("a cancel was refused: {refusal}")),
                }
            }
        }
    }

    async fn retry(&self, coordinator: &Coordinator, job: &JobId, view: &JobView, count: u32) -> Result<(), String> {
        let failure = view.failure.clone().ok_or("a failed job says why")?;
        self.minutes.note(&format!("retry after {failure}"));
        if failure.code == RefusalCode::Internal || count > MOST_RETRIES {
            return Err(format!("the job failed: {failure}"));
        }
        match coordinator.retry(job).await {
            Ok(()) => Ok(()),
            Err(refusal) if refusal.code == RefusalCode::Unavailable || refusal.reason == "JOB_NOT_FAILED" => Ok(()),
            Err(refusal) => Err(format!("a retry was refused: {refusal}")),
        }
    }

    /// A cancelled job whose removal broke off is deleted.
    async fn has_deleted(&self, coordinator: &Coordinator, job: &JobId) -> Result<bool, String> {
        match coordinator.delete(job).await {
            Ok(()) => Ok(true),
            Err(refusal) if refusal.code == RefusalCode::NotFound => Ok(true),
            Err(refusal) => {
                self.minutes.note(&format!("deletion: {refusal}"));
                Ok(false)
            }
        }
    }
}

/// What is there is what should be.
async fn look(place: &Place, made: &MadeArray, ended: &Ended, trouble: &Trouble) -> Result<(), String> {
    let (view, known, what): (_, &[&str], _) = match ended {
        Ended::Succeeded(view) => {
            assert_equal(place, made, "target").await;
            (Some(view), &["source", "journal", "target"], "jobs succeeded")
        }
        Ended::Cancelled(view) => (Some(view), &["source", "journal"], "jobs cancelled"),
        Ended::Deleted => (None, &["source", "journal"], "jobs deleted"),
    };
    trouble.note(what);
    if let Some(view) = view {
        trouble.note_times("leases expired", view.leases_expired);
        trouble.note_times("tasks run again", view.retries);
        let arrays = view.plan.iter().flat_map(|plan| &plan.arrays);
        let exchanges = arrays.filter(|array| array.shape_of_plan == ShapeOfPlan::Exchange).count();
        trouble.note_times("jobs by exchange", exchanges as u64);
    }
    let strays = place.strays(known).await;
    if strays.is_empty() { Ok(()) } else { Err(format!("left behind: {strays:?}")) }
}
