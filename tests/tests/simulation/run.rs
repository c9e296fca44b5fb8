//! One run: a caller with a job, a director who makes trouble, and at the end a look at what is there.

use std::{collections::BTreeMap, time::Duration};

use rechunk_common::{
    ByteCount,
    ids::{JobId, RequestId},
    job::JobView,
    plan::ShapeOfPlan,
    request::{RechunkRequest, SourceListing},
};
use rechunk_storage::StoreUrl;
use rechunk_tests::{
    ArraySpec, Content, MadeArray, Place,
    faithful::{assert_equal, measured, planned, request},
};
use tokio::time::timeout;

use crate::{
    caller::{Caller, Ended},
    dice::Dice,
    director::Director,
    fleet::Workers,
    reigns::Reigns,
    trouble::Trouble,
    world::World,
};

/// No run takes so long by its own clock, unless its job hangs.
const STUCK: Duration = Duration::from_hours(12);

/// Memory of a task, so little that it takes an exchange.
const LITTLE: u64 = 12 << 10;

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
    let played = Box::pin(play(seed));
    runtime.block_on(async { timeout(STUCK, played).await }).unwrap_or_else(|_elapsed| Err("it hangs".to_owned()))
}

async fn play(seed: u64) -> Result<Outcome, String> {
    let world = World::of(seed);
    let dice = &world.dice;
    let place = Place::on("memory://simulation", world.depot.untroubled());
    let made = source(dice).make(&place, "source").await;
    let wanted = wanted(dice, &place).await;
    let journal = StoreUrl::parse(&place.url("journal")).map_err(|error| error.to_string())?;
    let mut reigns = Reigns::new(&world, journal);
    reigns.start();
    let crew = 2 + usize::try_from(dice.below(3)).expect("few");
    let mut workers = Workers::new(&world, crew, ByteCount(1 << 20));
    let cancel_after = (dice.below(5) == 0).then(|| dice.millis(500, 120_000));
    let calling = tokio::spawn(Caller { world: world.clone(), cancel_after }.follow(wanted));
    Director::new(&world, &mut reigns, &mut workers).direct(|| calling.is_finished()).await?;
    let ended = calling.await.map_err(|error| format!("the caller broke off: {error}"))??;
    workers.end().await?;
    reigns.end().await?;
    if let Some(problem) = world.minutes.problem() {
        return Err(problem);
    }
    look(&place, &made, &ended, &world.trouble).await?;
    let (trace, steps) = world.minutes.summary();
    Ok(Outcome { trace, steps, met: world.trouble.met() })
}

/// 128 KiB of maps, some of them missing.
fn source(dice: &Dice) -> ArraySpec {
    let mut spec = ArraySpec::new(&[128, 16, 16], &[1, 16, 16]).with_content(Content::Random(dice.number()));
    if dice.below(3) == 0 {
        spec.missing.extend((0..dice.below(40)).map(|_| vec![dice.below(128), 0, 0]));
    }
    spec
}

/// A request for series; in every fourth run something lies at the target that has to go.
async fn wanted(dice: &Dice, place: &Place) -> RechunkRequest {
    let overwrite = dice.below(4) == 0;
    if overwrite {
        ArraySpec::new(&[8, 16, 16], &[1, 8, 8]).make(place, "target").await;
    }
    RechunkRequest {
        max_mem: Some(ByteCount(dice.one_of(&[LITTLE, 1 << 20]))),
        request_id: Some(RequestId::from("the only one")),
        listing: dice.one_of(&[SourceListing::WhereFew, SourceListing::Never]),
        overwrite,
        verify: dice.below(3) == 0,
        ..request(place, "source", "target", "128,2,2")
    }
}

/// What is there is what should be.
async fn look(place: &Place, made: &MadeArray, ended: &Ended, trouble: &Trouble) -> Result<(), String> {
    let (job, view, known, what): (_, _, &[&str], _) = match ended {
        Ended::Succeeded(view) => {
            assert_equal(place, made, "target").await;
            count(view)?;
            (&view.id, Some(view), &["source", "journal", "target"], "jobs succeeded")
        }
        Ended::Cancelled(job, view) => (job, Some(view), &["source", "journal"], "jobs cancelled"),
        Ended::Deleted(job) => (job, None, &["source", "journal"], "jobs deleted"),
    };
    trouble.note(what);
    if let Some(view) = view {
        let arrays = view.plan.iter().flat_map(|plan| &plan.arrays);
        let exchanges = arrays.filter(|array| array.shape_of_plan == ShapeOfPlan::Exchange).count();
        trouble.note_times("jobs by exchange", exchanges as u64);
    }
    let strays = place.strays(known).await;
    let (unaccepted, strays): (Vec<_>, Vec<_>) = strays.into_iter().partition(|key| is_of_another(job, key));
    trouble.note_times("bitmaps of jobs that were never accepted", unaccepted.len() as u64);
    if strays.is_empty() { Ok(()) } else { Err(format!("left behind: {strays:?}")) }
}

/// A coordinator that dies between writing what a listing found and accepting the job leaves a bitmap; the caller's next
/// submission plans under another id. Nothing removes it yet.
fn is_of_another(job: &JobId, key: &str) -> bool {
    key.starts_with(".rechunk-job-") && key.contains("/presence/") && !key.contains(job.as_str())
}

/// Each task counts once, however often it ran.
fn count(view: &JobView) -> Result<(), String> {
    let (planned, measured) = (planned(view), measured(view));
    let counted = [
        ("reads", planned.get_requests, measured.get_requests),
        ("writes", planned.put_requests, measured.put_requests + measured.skipped_fill_chunks),
    ];
    for (what, planned, measured) in counted {
        if planned != measured {
            return Err(format!("each task counts once: {planned} {what} were planned, {measured} measured"));
        }
    }
    Ok(())
}
