//! Random histories of one job against a reference that knows nothing of leases: it counts what went wrong, and says how
//! the job may end. After every step the invariants hold, what is recorded is true, and a replay of the journal makes
//! the same state; when the trouble is over, every job ends.

use std::time::Duration;

use crate::small_world::{Action, Scope, SmallWorld, Trouble};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use rechunk_common::{job::JobState, plan::StageEffect};

/// As much trouble as a history draws.
const ENOUGH: Trouble = Trouble {
    lost: u8::MAX,
    repeated: u8::MAX,
    crashes: u8::MAX,
    deaths: u8::MAX,
    delays: u8::MAX,
    failures: u8::MAX,
    lost_inputs: u8::MAX,
    cancels: u8::MAX,
    retries: u8::MAX,
};

/// What may happen, as the reference sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something that goes right.
    Go,
    Lose,
    Repeat,
    Crash,
    Die,
    Pass,
    Fail,
    MissInput,
    Cancel,
    Retry,
}

fn kind_of(action: Action) -> Kind {
    match action {
        Action::Deliver(_) | Action::Work(..) | Action::Record => Kind::Go,
        Action::Lose(_) => Kind::Lose,
        Action::Repeat(_) => Kind::Repeat,
        Action::Crash(_) => Kind::Crash,
        Action::Die(_) => Kind::Die,
        Action::Pass => Kind::Pass,
        Action::Fail(..) => Kind::Fail,
        Action::MissInput(..) => Kind::MissInput,
        Action::Cancel => Kind::Cancel,
        Action::Retry => Kind::Retry,
    }
}

/// One of the things of a kind that can happen then.
#[derive(Debug, Clone, Copy)]
struct Step {
    kind: Kind,
    which: usize,
}

/// The reference: what went wrong so far, and so how the job may end.
#[derive(Debug, Clone)]
struct Reference {
    scope: Scope,
    may_fail: bool,
    may_be_cancelled: bool,
    may_be_forgotten: bool,
}

impl Reference {
    fn allows(&self, end: Option<JobState>) -> bool {
        match end {
            Some(JobState::Succeeded) => true,
            Some(JobState::Cancelled) => self.may_be_cancelled,
            Some(JobState::Failed) => self.may_fail,
            Some(
                JobState::Accepted
                | JobState::Running
                | JobState::Succeeding
                | JobState::Failing
                | JobState::Cancelling,
            ) => false,
            // Its acceptance was not durable when the coordinator died.
            None => self.may_be_forgotten,
        }
    }
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let second = prop_oneof![
            Just(StageEffect::Writes),
            Just(StageEffect::Destroys),
            Just(StageEffect::Publishes),
            Just(StageEffect::Verifies),
        ];
        let late_after = prop_oneof![Just(Duration::from_secs(1)), Just(Duration::from_secs(15))];
        (1_usize..4, 1_u64..8, second, late_after)
            .prop_map(|(workers, tasks, second, late_after)| Self {
                scope: Scope { workers, tasks, second, late_after, trouble: ENOUGH },
                may_fail: false,
                may_be_cancelled: false,
                may_be_forgotten: false,
            })
            .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let kind = prop_oneof![
            60 => Just(Kind::Go),
            4 => Just(Kind::Lose),
            3 => Just(Kind::Repeat),
            1 => Just(Kind::Crash),
            1 => Just(Kind::Die),
            4 => Just(Kind::Pass),
            2 => Just(Kind::Fail),
            2 => Just(Kind::MissInput),
            1 => Just(Kind::Cancel),
            2 => Just(Kind::Retry),
        ];
        (kind, 0_usize..12).prop_map(|(kind, which)| Step { kind, which }).boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match step.kind {
            // Tasks that fail, die with their workers or miss their input too often fail the job; leases expire with time.
            Kind::Fail | Kind::MissInput | Kind::Die | Kind::Pass | Kind::Lose => state.may_fail = true,
            Kind::Cancel => state.may_be_cancelled = true,
            Kind::Crash => state.may_be_forgotten = true,
            Kind::Go | Kind::Repeat | Kind::Retry => {}
        }
        state
    }
}

struct History;

impl StateMachineTest for History {
    type SystemUnderTest = SmallWorld;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> SmallWorld {
        SmallWorld::begin(reference.scope)
    }

    fn apply(world: SmallWorld, _: &Reference, step: Step) -> SmallWorld {
        let all: Vec<Action> = world.actions().into_iter().filter(|action| kind_of(*action) == step.kind).collect();
        match step.which.checked_rem(all.len()) {
            Some(which) => world.after(all[which]),
            None => world,
        }
    }

    fn check_invariants(world: &SmallWorld, _: &Reference) {
        assert_eq!(world.broken, None);
        // Dearer than all the rest together.
        if world.records().is_multiple_of(4) {
            let mut world = world.clone();
            world.check_replay();
            assert_eq!(world.broken, None);
        }
    }

    fn teardown(world: SmallWorld, reference: Reference) {
        let world = world.calm_down();
        assert_eq!(world.broken, None);
        assert!(reference.allows(world.state()), "{:?} after {reference:?}", world.state());
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_job_ends_as_it_may(sequential 1..150 => History);
}
