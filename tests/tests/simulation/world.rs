//! What all processes of a run share.

use std::time::Duration;

use rechunk_common::ids::JobId;
use tokio::time::Instant;

use crate::{calls::Network, dice::Dice, store::Depot, trouble::Trouble, witness::Minutes};

/// The time of day when a run begins.
const NOON: Duration = Duration::from_secs(1_700_000_000);

/// Clones share everything.
#[derive(Clone)]
pub(crate) struct World {
    begun: Instant,
    pub(crate) dice: Dice,
    pub(crate) trouble: Trouble,
    pub(crate) minutes: Minutes,
    pub(crate) network: Network,
    pub(crate) depot: Depot,
}

impl World {
    /// The world of a seed, in which nothing has happened yet.
    pub(crate) fn of(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let trouble = Trouble::draw(&dice);
        let minutes = Minutes::begin();
        let network = Network::new(&dice, &trouble);
        let depot = Depot::new(&dice, &trouble, &minutes);
        Self { begun: Instant::now(), dice, trouble, minutes, network, depot }
    }
}

/// The machine that a process runs on: its time of day may differ from others' by some seconds.
pub(crate) struct Machine {
    pub(crate) world: World,
    pub(crate) ahead: Duration,
}

impl Machine {
    fn time_of_day(&self) -> Duration {
        NOON + self.ahead + self.world.begun.elapsed()
    }
}

impl rechunk_worker::Surroundings for Machine {
    fn time_of_day(&self) -> Duration {
        self.time_of_day()
    }

    fn draw(&self) -> u64 {
        self.world.dice.number()
    }
}

impl rechunk_coordinator::surroundings::Surroundings for Machine {
    fn unix_millis(&self) -> u64 {
        u64::try_from(self.time_of_day().as_millis()).expect("a short run")
    }

    fn new_job_id(&self) -> JobId {
        JobId(format!("job-{:012x}", self.world.dice.number() >> 16))
    }

    fn has_threads(&self) -> bool {
        false
    }
}
