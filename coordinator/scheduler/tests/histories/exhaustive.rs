//! Every history of a small job, by a search over the real scheduler: two workers, two stages, and trouble
//! in measured doses. `as_ordered` searches farther than the tests do.

use std::time::{Duration, Instant};

use crate::small_world::{Action, Scope, SmallWorld, Trouble};
use rechunk_common::{job::JobState, plan::StageEffect};
use stateright::{Checker, Expectation, Model, Property};

/// Something that a search must meet, or it shows nothing.
type Sight = fn() -> Property<Search>;

/// The search.
#[derive(Clone)]
struct Search {
    scope: Scope,
    must_see: &'static [Sight],
}

impl Model for Search {
    type State = SmallWorld;
    type Action = Action;

    fn init_states(&self) -> Vec<SmallWorld> {
        vec![SmallWorld::begin(self.scope)]
    }

    fn actions(&self, state: &SmallWorld, actions: &mut Vec<Action>) {
        actions.extend(state.actions());
    }

    fn next_state(&self, last: &SmallWorld, action: Action) -> Option<SmallWorld> {
        Some(last.clone().after(action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let rules = Property::always("every rule holds", |_, world: &SmallWorld| world.broken.is_none());
        std::iter::once(rules).chain(self.must_see.iter().map(|sight| sight())).collect()
    }
}

fn succeeded() -> Property<Search> {
    Property::sometimes("a job succeeds", |_, world: &SmallWorld| world.state() == Some(JobState::Succeeded))
}

fn cancelled() -> Property<Search> {
    Property::sometimes("a job is cancelled", |_, world: &SmallWorld| world.state() == Some(JobState::Cancelled))
}

fn failed() -> Property<Search> {
    Property::sometimes("a job fails", |_, world: &SmallWorld| world.state() == Some(JobState::Failed))
}

fn overtaken() -> Property<Search> {
    Property::sometimes("a call overtakes an older one", |_, world: &SmallWorld| world.seen.was_overtaken)
}

fn expired() -> Property<Search> {
    Property::sometimes("a lease expires", |_, world: &SmallWorld| world.seen.expired)
}

fn adopted() -> Property<Search> {
    Property::sometimes("a lease of an older reign is adopted", |_, world: &SmallWorld| world.seen.adopted)
}

fn backed_up() -> Property<Search> {
    Property::sometimes("a late lease gets a backup", |_, world: &SmallWorld| world.seen.backed_up)
}

fn ran_twice() -> Property<Search> {
    Property::sometimes("a task runs twice", |_, world: &SmallWorld| world.seen.ran_twice)
}

/// A lease is late before anything else is due.
const SOON: Duration = Duration::from_secs(1);

/// A search ends then, complete or not.
const LONGEST: Duration = Duration::from_hours(1);

/// Searches all of it and says how large it was.
fn search(name: &str, scope: Scope, must_see: &'static [Sight]) {
    let begun = Instant::now();
    let checker = Search { scope, must_see }.checker().threads(2).timeout(LONGEST).spawn_dfs().join();
    for (property, path) in checker.discoveries() {
        let is_rule = checker.model().property(property).expectation == Expectation::Always;
        if is_rule {
            let broken = path.last_state().broken.clone();
            let actions: Vec<String> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
            panic!("{}\nafter {}", broken.unwrap_or_default(), actions.join(", "));
        }
    }
    for sight in must_see {
        assert!(checker.discovery(sight().name).is_some(), "{name}: the search never saw that {}", sight().name);
    }
    assert!(
        begun.elapsed() < LONGEST,
        "{name}: {} states and not all; order less trouble",
        checker.unique_state_count()
    );
    let (states, steps, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
    println!("{name}: {states} states, {steps} steps, at most {depth} after another");
}

#[test]
fn with_a_message_lost_and_others_reordered() {
    let trouble = Trouble { lost: 1, ..Trouble::default() };
    search("lost", Scope { tasks: 2, trouble, ..Scope::calm() }, &[succeeded]);
}

#[test]
fn with_a_message_lost_and_one_repeated() {
    let trouble = Trouble { lost: 1, repeated: 1, ..Trouble::default() };
    search("repeated", Scope { tasks: 1, trouble, ..Scope::calm() }, &[succeeded, overtaken]);
}

#[test]
fn with_a_coordinator_that_dies_and_a_message_lost_before_a_stage_destroys() {
    let trouble = Trouble { lost: 1, crashes: 1, ..Trouble::default() };
    let scope = Scope { tasks: 1, second: StageEffect::Destroys, trouble, ..Scope::calm() };
    search("crash", scope, &[succeeded, adopted, ran_twice]);
}

#[test]
fn with_a_worker_that_dies() {
    let trouble = Trouble { deaths: 1, ..Trouble::default() };
    search("death", Scope { tasks: 1, trouble, ..Scope::calm() }, &[succeeded, expired, ran_twice]);
}

#[test]
fn with_workers_that_are_late_before_a_stage_publishes() {
    let trouble = Trouble { delays: 1, ..Trouble::default() };
    let scope = Scope { tasks: 1, second: StageEffect::Publishes, trouble, ..Scope::calm() };
    search("delay", scope, &[succeeded]);
}

#[test]
#[ignore = "takes minutes; the random histories meet backups in seconds"]
fn with_a_late_lease_that_gets_a_backup() {
    let trouble = Trouble { delays: 1, ..Trouble::default() };
    let scope = Scope { tasks: 2, late_after: SOON, trouble, ..Scope::calm() };
    search("backup", scope, &[succeeded, backed_up, ran_twice]);
}

#[test]
#[ignore = "takes minutes; the random histories meet backups in seconds"]
fn with_a_late_lease_that_gets_a_backup_before_a_stage_destroys() {
    let trouble = Trouble { delays: 1, ..Trouble::default() };
    let scope = Scope { tasks: 2, late_after: SOON, second: StageEffect::Destroys, trouble, ..Scope::calm() };
    search("late", scope, &[succeeded, backed_up, ran_twice]);
}

#[test]
fn with_tasks_that_fail_and_inputs_that_are_lost() {
    let trouble = Trouble { failures: 1, lost_inputs: 1, ..Trouble::default() };
    search("failures", Scope { tasks: 1, trouble, ..Scope::calm() }, &[succeeded, ran_twice]);
}

#[test]
fn with_a_cancel_and_a_coordinator_that_dies() {
    let trouble = Trouble { cancels: 1, crashes: 1, ..Trouble::default() };
    search("cancel", Scope { tasks: 1, trouble, ..Scope::calm() }, &[succeeded, cancelled]);
}

#[test]
fn with_a_task_that_fails_too_often_and_a_caller_who_retries() {
    let trouble = Trouble { failures: 4, retries: 1, ..Trouble::default() };
    search("retry", Scope { tasks: 1, trouble, ..Scope::calm() }, &[failed, succeeded]);
}

/// What `RECHUNK_MODEL` orders: `tasks=3,lost=1,crashes=1,second=destroys`.
#[test]
#[ignore = "as large as it is ordered to be"]
fn as_ordered() {
    let order = std::env::var("RECHUNK_MODEL").unwrap_or_else(|_| "tasks=3,lost=1,repeated=1,crashes=1".to_owned());
    let mut scope = Scope::calm();
    for (name, value) in order.split(',').filter_map(|part| part.split_once('=')) {
        let trouble = &mut scope.trouble;
        let count = || value.parse().expect("a number");
        match name {
            "workers" => scope.workers = value.parse().expect("a number"),
            "tasks" => scope.tasks = value.parse().expect("a number"),
            "second" => {
                scope.second = match value {
                    "destroys" => StageEffect::Destroys,
                    "publishes" => StageEffect::Publishes,
                    "verifies" => StageEffect::Verifies,
                    _ => StageEffect::Writes,
                }
            }
            "late_after" => scope.late_after = Duration::from_secs(value.parse().expect("seconds")),
            "lost" => trouble.lost = count(),
            "repeated" => trouble.repeated = count(),
            "crashes" => trouble.crashes = count(),
            "deaths" => trouble.deaths = count(),
            "delays" => trouble.delays = count(),
            "failures" => trouble.failures = count(),
            "lost_inputs" => trouble.lost_inputs = count(),
            "cancels" => trouble.cancels = count(),
            "retries" => trouble.retries = count(),
            other => panic!("RECHUNK_MODEL has no {other}"),
        }
    }
    search(&order, scope, &[succeeded]);
}
