//! Makes trouble with the processes for a while, then sees to it that all of them run and nothing hinders them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{fleet::Workers, reigns::Reigns, world::World};

/// How long trouble lasts at the least and at the most, in milliseconds.
const TROUBLE_MS: (u64, u64) = (5_000, 1_500_000);

/// The longest pause between two events, in milliseconds: in some runs nothing gets anywhere, in others much is done.
const PACES_MS: [u64; 3] = [2_000, 10_000, 40_000];

/// What was taken from a process comes back.
enum Back {
    Worker(usize),
    Reigns,
}

/// Of one run.
pub(crate) struct Director<'a> {
    world: &'a World,
    reigns: &'a mut Reigns,
    workers: &'a mut Workers,
    later: Vec<(Instant, Back)>,
    /// Not before this does a coordinator start where there is none.
    reign_at: Instant,
}

impl<'a> Director<'a> {
    pub(crate) fn new(world: &'a World, reigns: &'a mut Reigns, workers: &'a mut Workers) -> Self {
        Self { world, reigns, workers, later: Vec::new(), reign_at: Instant::now() }
    }

    /// Directs until `is_over`.
    pub(crate) async fn direct(mut self, is_over: impl Fn() -> bool) -> Result<(), String> {
        let dice = &self.world.dice;
        let calm_at = Instant::now() + dice.millis(TROUBLE_MS.0, TROUBLE_MS.1);
        let pace = dice.one_of(&PACES_MS);
        while !is_over() {
            sleep(dice.millis(20, pace)).await;
            self.reigns.bury().await?;
            self.workers.bury().await?;
            if let Some(problem) = self.world.minutes.problem() {
                return Err(problem);
            }
            let now = Instant::now();
            let due: Vec<_> = self.later.extract_if(.., |(at, _)| *at <= now).collect();
            for (_, back) in due {
                self.give_back(&back);
            }
            if now >= calm_at {
                self.calm();
            } else {
                self.trouble(now).await;
            }
            if self.reigns.is_empty() && now >= self.reign_at.min(calm_at) {
                self.reigns.start();
            }
        }
        self.calm();
        if self.reigns.is_empty() {
            self.reigns.start();
        }
        Ok(())
    }

    fn give_back(&mut self, back: &Back) {
        match back {
            Back::Worker(worker) => self.workers.restore(*worker),
            Back::Reigns => self.reigns.restore(),
        }
    }

    fn calm(&mut self) {
        self.world.trouble.end();
        self.world.network.restore_all();
        self.reigns.restore();
        (0..self.workers.len()).for_each(|worker| self.workers.restore(worker));
    }

    fn back_after(&mut self, time: Duration, back: Back) {
        self.later.push((Instant::now() + time, back));
    }

    async fn trouble(&mut self, now: Instant) {
        let World { dice, trouble, network, .. } = self.world;
        let worker = usize::try_from(dice.below(self.workers.len() as u64)).expect("few");
        match dice.below(16) {
            0 | 1 => {
                self.workers.kill(worker).await;
                self.back_after(dice.millis(0, 60_000), Back::Worker(worker));
            }
            2 | 3 => {
                trouble.note("workers cut off");
                network.cut(&Workers::name(worker));
                self.back_after(dice.millis(1_000, 150_000), Back::Worker(worker));
            }
            4 | 5 => {
                self.workers.pause(worker);
                self.back_after(dice.millis(1_000, 300_000), Back::Worker(worker));
            }
            6 => {
                self.workers.drain(worker);
                self.back_after(dice.millis(0, 60_000), Back::Worker(worker));
            }
            7 => {
                self.reigns.kill_all().await;
                self.reign_at = now + dice.millis(0, 90_000);
            }
            8 => {
                self.reigns.kill_newest().await;
                self.reign_at = now + dice.millis(0, 90_000);
            }
            9 if !self.reigns.is_empty() => self.reigns.overtake(),
            10 => {
                self.reigns.hold_newest();
                self.back_after(dice.millis(1_000, 150_000), Back::Reigns);
            }
            11 if !self.reigns.is_empty() => {
                let loyal: Vec<_> = (0..self.workers.len()).filter(|_| dice.below(2) == 0).collect();
                self.reigns.split(loyal.iter().copied().map(Workers::name));
                let time = dice.millis(20_000, 300_000);
                self.back_after(time, Back::Reigns);
                for worker in loyal {
                    self.back_after(time, Back::Worker(worker));
                }
            }
            _ => {}
        }
    }
}
