//! Shares of one worker and of many: told by hand, and by workers at random whose calls and answers get lost, come late
//! and come twice.

use proptest::prelude::*;
use rechunk_common::{
    ByteCount,
    ids::{Epoch, JobId, LeaseId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex},
    session::{Capacity, Lease},
    task_set::TaskRange,
};

use super::*;

const LEASE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_mins(1);

fn rates(gets: u32, puts: Option<u32>) -> Vec<StoreRates> {
    let rate = RequestRate::per_second;
    vec![StoreRates { prefix: "s3://b".to_owned(), gets: Some(rate(gets)), puts: puts.map(rate) }]
}

fn gets(rates: &[StoreRates]) -> RequestRate {
    rates.first().and_then(|rates| rates.gets).unwrap_or_default()
}

fn lease() -> Lease {
    Lease {
        id: LeaseId { epoch: Epoch(1), counter: 1 },
        stage: StageAddress {
            job: JobId::from("job"),
            run: RunNumber(1),
            phase: PhaseIndex(0),
            pipeline: PipelineIndex(0),
            stage: StageIndex(0),
        },
        tasks: TaskRange::new(0, 1),
        ttl: LEASE,
    }
}

/// A worker's process, and what it does with answers.
#[derive(Debug, Clone)]
struct Process {
    name: &'static str,
    incarnation: u64,
    slots: u32,
    seq: u64,
    keeps: Vec<StoreRates>,
    /// It holds leases until then, unless it is done before.
    works_until: Timestamp,
    /// The call that it waits for, when it was made, and its answer, which is on its way.
    call: Option<(SyncSeq, Timestamp)>,
    answer: Option<(SyncSeq, RequestShares, bool)>,
}

impl Process {
    fn new(name: &'static str, slots: u32) -> Self {
        let works_until = Timestamp::default();
        Self { name, incarnation: 1, slots, seq: 0, keeps: Vec::new(), works_until, call: None, answer: None }
    }

    fn is_working(&self, now: Timestamp) -> bool {
        now < self.works_until
    }

    fn call_of(&self, seq: SyncSeq) -> SyncCall {
        SyncCall { worker: self.name.into(), incarnation: Incarnation(self.incarnation), seq }
    }

    fn call(&mut self, now: Timestamp) -> SyncRequest {
        self.seq += 1;
        let total = Capacity { slots: self.slots, ..Capacity::default() };
        (self.call, self.answer) = (Some((SyncSeq(self.seq), now)), None);
        SyncRequest {
            worker: WorkerId::from(self.name),
            incarnation: Incarnation(self.incarnation),
            seq: SyncSeq(self.seq),
            functions: Vec::new(),
            free: total,
            total,
            draining: false,
            held: if self.is_working(now) { vec![lease()] } else { Vec::new() },
            reports: Vec::new(),
            wait: ROUND,
            version: String::new(),
            peak_rss: ByteCount(0),
            request_rates: self.keeps.clone(),
            progress: Vec::new(),
        }
    }

    /// The answer on its way comes, if it still answers the last call.
    fn take_answer(&mut self, now: Timestamp) {
        let Some((seq, shares, is_granted)) = self.answer.take() else { return };
        let Some((_, asked_at)) = self.call.take_if(|(asked, _)| *asked == seq) else { return };
        self.keeps = shares.rates;
        if is_granted || self.is_working(now) {
            self.works_until = self.works_until.max(asked_at.after(LEASE));
        }
    }
}

/// A call that is heard and answered, and the answer comes.
fn round(shares: &mut RateShares, process: &mut Process, now: Timestamp, is_granted: bool) -> RequestRate {
    let request = process.call(now);
    shares.hear(now, &request);
    let answer = shares.answer(&request.call(), is_granted).expect("there is a budget");
    process.answer = Some((request.seq, answer, is_granted));
    process.take_answer(now);
    gets(&process.keeps)
}

fn per_second(requests: u32) -> RequestRate {
    RequestRate::per_second(requests)
}

#[test]
fn where_nothing_is_limited_nothing_is_told() {
    let mut shares = RateShares::new(Vec::new(), PATIENCE);
    let mut worker = Process::new("a", 1);
    let request = worker.call(Timestamp(0));
    shares.hear(Timestamp(0), &request);
    assert_eq!(shares.answer(&request.call(), true), None);
}

#[test]
fn a_worker_alone_has_the_whole_budget_and_what_is_not_limited_stays_so() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let mut worker = Process::new("a", 3);
    assert_eq!(round(&mut shares, &mut worker, Timestamp(0), true), per_second(100));
    assert_eq!(worker.keeps, rates(100, None));
}

#[test]
fn workers_that_begin_together_begin_with_their_parts_by_slots() {
    let mut shares = RateShares::new(rates(100, Some(10)), PATIENCE);
    let [mut a, mut b] = [Process::new("a", 1), Process::new("b", 4)];
    for worker in [&mut a, &mut b] {
        round(&mut shares, worker, Timestamp(0), false);
    }
    let now = Timestamp(5);
    assert_eq!(round(&mut shares, &mut a, now, true), per_second(20));
    assert_eq!(round(&mut shares, &mut b, now, true), per_second(80));
    assert_eq!(b.keeps, rates(80, Some(8)));
}

#[test]
fn a_newcomer_waits_until_the_others_are_known_to_have_given_up_its_part() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let [mut a, mut b] = [Process::new("a", 1), Process::new("b", 1)];
    let now = Timestamp(0);
    round(&mut shares, &mut a, now, true);
    assert_eq!(round(&mut shares, &mut b, now, true), RequestRate::NONE);
    assert_eq!(round(&mut shares, &mut a, now, false), per_second(50));
    assert_eq!(round(&mut shares, &mut b, now, false), RequestRate::NONE, "the answer to a may be lost");
    assert_eq!(round(&mut shares, &mut a, now, false), per_second(50));
    assert_eq!(round(&mut shares, &mut b, now, false), per_second(50));
}

#[test]
fn what_a_worker_without_leases_had_goes_to_those_that_have_some() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let [mut a, mut b, mut c] = [Process::new("a", 1), Process::new("b", 1), Process::new("c", 2)];
    for worker in [&mut a, &mut b, &mut c] {
        round(&mut shares, worker, Timestamp(0), false);
    }
    assert_eq!(round(&mut shares, &mut a, Timestamp(0), true), per_second(25), "all are there");
    assert_eq!(round(&mut shares, &mut b, Timestamp(0), true), per_second(25));
    assert_eq!(round(&mut shares, &mut a, Timestamp(0), false), per_second(50), "two have work");
    assert_eq!(round(&mut shares, &mut b, Timestamp(0), false), per_second(50));
    b.works_until = Timestamp(0);
    round(&mut shares, &mut b, Timestamp(1), false);
    assert_eq!(round(&mut shares, &mut a, Timestamp(1), false), per_second(100));
}

#[test]
fn a_silent_worker_keeps_its_share_until_its_leases_are_over() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let [mut a, mut b] = [Process::new("a", 1), Process::new("b", 1)];
    for worker in [&mut a, &mut b] {
        round(&mut shares, worker, Timestamp(0), false);
    }
    let begun = Timestamp(0);
    round(&mut shares, &mut a, begun, true);
    round(&mut shares, &mut b, begun, true);
    let late = begun.after(Duration::from_secs(59));
    a.works_until = late.after(LEASE);
    assert_eq!(round(&mut shares, &mut a, late, false), per_second(50));
    assert_eq!(round(&mut shares, &mut a, begun.after(PATIENCE), false), per_second(100));
}

#[test]
fn a_coordinator_that_begins_counts_what_workers_keep_to() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let [mut a, mut b] = [Process::new("a", 1), Process::new("b", 1)];
    (a.keeps, a.works_until) = (rates(70, None), Timestamp(1000));
    let now = Timestamp(0);
    shares.hear(now, &a.call(now));
    assert_eq!(round(&mut shares, &mut b, now, true), per_second(30), "less than its half");
    assert_eq!(round(&mut shares, &mut a, now, false), per_second(50));
}

#[test]
fn large_fleets_are_asked_to_call_less_often() {
    let mut shares = RateShares::new(rates(100, None), PATIENCE);
    let mut ask_within = |workers: u64| {
        let mut call = None;
        for incarnation in 1..=workers {
            let mut worker = Process { incarnation, ..Process::new("a", 1) };
            let request = worker.call(Timestamp(0));
            shares.hear(Timestamp(0), &request);
            call = Some(request.call());
        }
        shares.answer(&call.expect("a worker"), false).map(|shares| shares.ask_within)
    };
    assert_eq!(ask_within(1), Some(Duration::from_secs(1)));
    assert_eq!(ask_within(5_000), Some(Duration::from_secs(10)));
    assert_eq!(ask_within(15_000), Some(MAX_SYNC_WAIT));
}

/// What happens in a world of workers.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A call is made; it is heard at once, or it gets lost, or comes later.
    Call { worker: usize, is_heard: bool },
    /// A call that came not is heard now.
    HearLate { which: usize },
    /// The last call that was heard is answered.
    Answer { worker: usize, is_granted: bool },
    /// An answer comes.
    Arrive { worker: usize },
    /// All is done that the worker held.
    Finish { worker: usize },
    /// Another process of the same name begins; the earlier one may work on until its leases end.
    Restart { worker: usize },
    /// Time goes by.
    Pass { ms: u64 },
}

fn steps() -> impl Strategy<Value = Step> {
    let worker = 0..4_usize;
    prop_oneof![
        6 => (worker.clone(), prop::bool::weighted(0.8)).prop_map(|(worker, is_heard)| Step::Call { worker, is_heard }),
        1 => any::<usize>().prop_map(|which| Step::HearLate { which }),
        6 => (worker.clone(), any::<bool>()).prop_map(|(worker, is_granted)| Step::Answer { worker, is_granted }),
        6 => worker.clone().prop_map(|worker| Step::Arrive { worker }),
        1 => worker.clone().prop_map(|worker| Step::Finish { worker }),
        1 => worker.prop_map(|worker| Step::Restart { worker }),
        2 => (0_u64..20_000).prop_map(|ms| Step::Pass { ms }),
    ]
}

struct World {
    shares: RateShares,
    now: Timestamp,
    workers: Vec<Process>,
    /// Earlier processes.
    ghosts: Vec<Process>,
    /// Calls that were not heard.
    lost: Vec<SyncRequest>,
    /// The last call that was heard, of each worker.
    heard: Vec<Option<SyncSeq>>,
}

impl World {
    fn new(budget: u32) -> Self {
        let workers = ["a", "b", "c", "d"].into_iter().zip(1..).map(|(name, slots)| Process::new(name, slots));
        Self {
            shares: RateShares::new(rates(budget, Some(budget)), PATIENCE),
            now: Timestamp(1_000_000),
            workers: workers.collect(),
            ghosts: Vec::new(),
            lost: Vec::new(),
            heard: vec![None; 4],
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Call { worker, is_heard } => {
                let request = self.workers[worker].call(self.now);
                if is_heard {
                    self.shares.hear(self.now, &request);
                    self.heard[worker] = Some(request.seq);
                } else {
                    self.lost.push(request);
                }
            }
            Step::HearLate { which } if !self.lost.is_empty() => {
                let request = self.lost.swap_remove(which % self.lost.len());
                self.shares.hear(self.now, &request);
            }
            Step::Answer { worker, is_granted } => {
                let process = &mut self.workers[worker];
                let Some(seq) = self.heard[worker] else { return };
                let answer = self.shares.answer(&process.call_of(seq), is_granted).expect("there is a budget");
                process.answer = Some((seq, answer, is_granted));
            }
            Step::Arrive { worker } => self.workers[worker].take_answer(self.now),
            Step::Finish { worker } => self.workers[worker].works_until = self.now,
            Step::Restart { worker } => {
                let old = &mut self.workers[worker];
                let new = Process { incarnation: old.incarnation + 1, ..Process::new(old.name, old.slots) };
                self.ghosts.push(std::mem::replace(old, new));
                self.heard[worker] = None;
            }
            Step::Pass { ms } => self.now = self.now.after_ms(ms),
            Step::HearLate { .. } => {}
        }
    }

    /// What all processes with leases may be asking for.
    fn asked(&self) -> u64 {
        let working = self.workers.iter().chain(&self.ghosts).filter(|process| process.is_working(self.now));
        working.map(|process| gets(&process.keeps).0).sum()
    }

    fn assert_totals(&self) {
        let mut totals = Totals { used: vec![Pair::default(); 1], ..Totals::default() };
        self.shares.members.values().for_each(|member| totals.add(member));
        assert_eq!(totals, self.shares.totals);
    }
}

proptest! {
    #[test]
    fn workers_together_never_ask_for_more_than_the_budget_and_share_all_of_it_when_all_is_quiet(
        budget in 1_u32..100_000, steps in prop::collection::vec(steps(), 1..300)
    ) {
        let mut world = World::new(budget);
        let whole = RequestRate::per_second(budget).0;
        for step in steps {
            world.take(step);
            prop_assert!(world.asked() <= whole, "{} of {whole}", world.asked());
            world.assert_totals();
        }
        // Whoever is still there has work, and is heard and answered.
        world.now = world.now.after(PATIENCE).after(SWEEP);
        for _ in 0..3 {
            for worker in &mut world.workers {
                worker.works_until = world.now.after(LEASE);
                round(&mut world.shares, worker, world.now, false);
            }
        }
        for worker in &world.workers {
            // One, two, three and four of ten slots.
            prop_assert_eq!(gets(&worker.keeps).0, whole * u64::from(worker.slots) / 10);
        }
        world.assert_totals();
    }
}
