//! Exchanges whose objects are lost between their stages, raw and compressed: written again under a repair lease, at most
//! twice, and found wherever the repair wrote them. Every test also shows that its fault fired.

#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use rechunk_common::{
    ByteCount,
    job::{JobState, JobView},
    plan::{Exchange, ShapeOfPlan},
    request::{ExchangeCodecChoice, RechunkRequest},
};
use rechunk_storage::{Effect, ErrorClass, FaultRule, RequestKind};
use rechunk_tests::{
    ArraySpec, Cluster, Content, Place,
    faithful::{assert_equal, assert_no_chunk_at_coordinator, assert_succeeded, measured, planned, request},
};
use tokio::sync::Semaphore;

/// Lets everything through a gate that a fault holds requests at.
const ALL: usize = Semaphore::MAX_PERMITS / 2;

/// What becomes of an object.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Vanishes,
    IsCorrupted,
    IsCutShort,
}

const HARMS: [Harm; 3] = [Harm::Vanishes, Harm::IsCorrupted, Harm::IsCutShort];

/// The job: its maps wanted as series, with so little memory that it takes an exchange.
fn maps_to_series(place: &Place, codec: ExchangeCodecChoice) -> RechunkRequest {
    RechunkRequest {
        max_mem: Some(ByteCount(48 << 10)),
        exchange_codec: codec,
        ..request(place, "source", "target", "256,2,2")
    }
}

/// 1 MiB of maps that compress.
fn maps() -> ArraySpec {
    ArraySpec::new(&[256, 32, 32], &[1, 32, 32]).with_content(Content::Index)
}

fn is_done(view: &JobView, name: &str) -> bool {
    view.stages.iter().any(|stage| stage.name == name && stage.tasks > 0 && stage.done == stage.tasks)
}

/// A job that stands at a barrier: the requests of the next stage wait at a gate.
struct Story {
    place: Place,
    cluster: Cluster,
    gate: Arc<Semaphore>,
    job: rechunk_common::ids::JobId,
    made: rechunk_tests::MadeArray,
}

impl Story {
    /// Runs until `stage` is done; GETs whose URL contains `held` wait.
    async fn until(codec: ExchangeCodecChoice, stage: &str, held: &str) -> Self {
        let place = Place::in_memory();
        let made = maps().make(&place, "source").await;
        let cluster = Cluster::at(&place).await;
        let gate = Arc::new(Semaphore::new(0));
        cluster.faults().add(FaultRule::every(RequestKind::Get, Effect::Hold(gate.clone())).on(held));
        let job = cluster.submit(maps_to_series(&place, codec)).await;
        cluster.wait_until(&job, "the barrier", |view| is_done(view, stage)).await;
        Self { place, cluster, gate, job, made }
    }

    /// The key of one of the objects in the temporary space that `is_wanted`.
    async fn object(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut objects = self.place.strays(&["source", "target"]).await;
        objects.retain(|key| is_wanted(key));
        objects.get(objects.len() / 2).expect("objects of the exchange").clone()
    }

    async fn harm(&self, key: &str, harm: Harm) {
        let mut body = self.place.get(key).await.expect("an object");
        match harm {
            Harm::Vanishes => return self.place.delete(key).await,
            Harm::IsCorrupted => body.iter_mut().step_by(7).for_each(|byte| *byte ^= 0x10),
            Harm::IsCutShort => body.truncate(body.len() / 3),
        }
        self.place.put(key, body).await;
    }

    fn puts_of(&self, part: &str) -> usize {
        let puts = self.cluster.worker_requests.of_kind(RequestKind::Put);
        puts.iter().filter(|put| put.url.contains(part)).count()
    }

    /// Lets the next stage go on; the result is as if nothing had happened.
    async fn goes_on_and_succeeds(self, lost: &str) {
        assert_eq!(self.puts_of(lost), 1, "{lost} is written once so far");
        self.gate.add_permits(ALL);
        let view = self.cluster.ended(&self.job).await;
        assert_succeeded(&view);
        assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
        assert_eq!(self.puts_of(lost), 2, "a repair lease wrote {lost} again, once");
        assert!(view.retries > 0, "its readers waited");
        let (measured, planned) = (measured(&view), planned(&view));
        assert_eq!(measured.get_requests, planned.get_requests, "what was done again is counted apart");
        assert_eq!(measured.delete_requests, planned.delete_requests);
        assert_equal(&self.place, &self.made, "target").await;
        assert_eq!(self.place.strays(&["source", "target"]).await, [""; 0], "nothing is left");
        assert_no_chunk_at_coordinator(&self.cluster, &self.place, "target");
        self.cluster.shutdown().await;
    }

    /// Lets the next stage go on, whatever it reads of `lost` is gone: the job fails and names it.
    async fn goes_on_and_fails(self, lost: &str) {
        self.cluster.faults().clear();
        self.cluster.faults().add(FaultRule::every(RequestKind::Get, Effect::Fail(ErrorClass::Corrupt)).on(lost));
        self.gate.add_permits(ALL);
        let view = self.cluster.ended(&self.job).await;
        assert_eq!(view.state, JobState::Failed);
        let failure = view.failure.as_ref().expect("a reason");
        assert_eq!(failure.reason, "INPUT_LOST");
        assert!(failure.message.contains(lost), "{failure} does not name {lost}");
        assert_eq!(self.puts_of(lost), 3, "written, and repaired twice");
        assert_eq!(self.place.get("target/zarr.json").await, None, "nothing is published");
        self.cluster.shutdown().await;
    }
}

fn is_packed_object(key: &str) -> bool {
    packed_part(key).is_some()
}

/// What the keys of all objects of the same reading task have in common.
fn packed_part(key: &str) -> Option<String> {
    let mut parts = key.rsplitn(3, '/');
    let (name, directory) = (parts.next()?, parts.next()?);
    let (task, _) = Exchange::parse_packed_key(&format!("{directory}/{name}"))?;
    Some(format!("{directory}/{task}-"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_lost_before_the_index_is_written_again() {
    for harm in HARMS {
        let story = Story::until(ExchangeCodecChoice::Lz4, "copy_read_to_exchange", ".rechunk-").await;
        let victim = story.object(is_packed_object).await;
        story.harm(&victim, harm).await;
        Box::pin(story.goes_on_and_succeeds(&packed_part(&victim).expect("packed"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_lost_after_the_index_is_written_again_and_found_beside_it() {
    for harm in HARMS {
        let story = Story::until(ExchangeCodecChoice::Zstd, "index_exchange", "/index/").await;
        let victim = story.object(is_packed_object).await;
        story.harm(&victim, harm).await;
        Box::pin(story.goes_on_and_succeeds(&packed_part(&victim).expect("packed"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_lost_is_written_again() {
    for harm in HARMS {
        let story = Story::until(ExchangeCodecChoice::Lz4, "index_exchange", "/index/").await;
        let victim = story.object(|key| key.contains("/index/")).await;
        story.harm(&victim, harm).await;
        let url = story.place.url(&victim);
        Box::pin(story.goes_on_and_succeeds(&url)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_lost_again_after_two_repairs_fails_the_job_and_is_named() {
    let packed = Story::until(ExchangeCodecChoice::Lz4, "index_exchange", "/index/").await;
    let victim = packed_part(&packed.object(is_packed_object).await).expect("packed");
    packed.goes_on_and_fails(&victim).await;
    let raw = Story::until(ExchangeCodecChoice::None, "copy_read_to_exchange", ".rechunk-").await;
    let victim = raw.object(|_| true).await;
    raw.harm(&victim, Harm::Vanishes).await;
    let url = raw.place.url(&victim);
    raw.goes_on_and_fails(&url).await;
}
