//! A store in memory whose requests take time, fail, or lose their answers.

use std::{sync::Arc, time::Duration};

use rechunk_storage::{Effect, ErrorClass, Faults, Observer, StoreConfig, Stores};

use crate::{dice::Dice, trouble::Trouble};

/// What the processes of a run use.
pub(crate) fn stores(dice: &Dice, trouble: &Trouble, observer: Option<Arc<dyn Observer>>) -> Stores {
    let chance = dice.clone();
    let random = move || u32::try_from(chance.number() >> 32).unwrap_or(u32::MAX);
    let stores =
        Stores::new(StoreConfig::environment().with_chance(random)).with_faults(Arc::new(faults(dice, trouble)));
    match observer {
        Some(observer) => stores.with_observer(observer),
        None => stores,
    }
}

fn faults(dice: &Dice, trouble: &Trouble) -> Faults {
    let (dice, trouble) = (dice.clone(), trouble.clone());
    Faults::by(move |_kind, _url| {
        let odds = trouble.odds();
        if dice.once_in(odds.request_fails) {
            trouble.note("requests failed");
            return Some(match dice.below(3) {
                0 => Effect::Throttle(Some(dice.millis(0, 3_000))),
                1 => Effect::Throttle(None),
                _ => Effect::Fail(ErrorClass::TryAgain),
            });
        }
        if dice.once_in(odds.store_answer_lost) {
            trouble.note("answers of the store lost");
            return Some(Effect::LoseAnswer);
        }
        if dice.once_in(odds.request_slow) {
            trouble.note("requests slow");
            // Some longer than a write may take.
            return Some(Effect::Slow(dice.millis(100, 40_000)));
        }
        // Every request takes its time, or all would end in the order in which they begin.
        Some(Effect::Slow(Duration::from_millis(1) + dice.millis(0, 30)))
    })
}
