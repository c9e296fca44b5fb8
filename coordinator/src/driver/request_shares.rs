//! Who may ask the stores how much: the fleet's request rates, divided among the workers that are there.
//!
//! Pure. What all workers were told together never passes the rate of the fleet by more than a tenth, also while
//! workers come and go: a newcomer gets what the others were not told, until they have heard that they are more. Only
//! a fleet so large that a share is below a thousandth of a request a second passes it.

use std::collections::BTreeMap;

use rechunk_common::{
    ids::WorkerId,
    request_rate::{RequestBudget, RequestRate},
};

/// A newcomer is given this part of an equal share, that it may begin; together newcomers pass the rate by this part.
const LEAST_PART: u64 = 10;

/// The rates of the fleet, and what of them each worker was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestShares {
    limits: Vec<RequestBudget>,
    told: BTreeMap<WorkerId, Vec<RequestBudget>>,
    /// By limit, what all workers were told together.
    sums: Vec<Sum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    gets: u64,
    puts: u64,
}

impl RequestShares {
    pub(super) fn new(limits: Vec<RequestBudget>) -> Self {
        let sums = vec![Sum::default(); limits.len()];
        Self { limits, told: BTreeMap::new(), sums }
    }

    /// Whether there is nothing to share.
    pub(super) fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }

    /// How many workers have been told something.
    pub(super) fn workers(&self) -> usize {
        self.told.len()
    }

    /// Takes back what workers were told that are not there any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(&WorkerId) -> bool) {
        let left: Vec<WorkerId> = self.told.keys().filter(|worker| !is_there(worker)).cloned().collect();
        left.iter().for_each(|worker| self.take_back(worker));
    }

    /// The rates that `worker`, one of `workers`, keeps to from now on.
    pub(super) fn tell(&mut self, worker: &WorkerId, workers: usize) -> Vec<RequestBudget> {
        self.take_back(worker);
        let workers = u64::try_from(workers).unwrap_or(u64::MAX);
        let told: Vec<RequestBudget> = self
            .limits
            .iter()
            .zip(&self.sums)
            .map(|(limit, sum)| RequestBudget {
                prefix: limit.prefix.clone(),
                gets: share(limit.gets, sum.gets, workers),
                puts: share(limit.puts, sum.puts, workers),
            })
            .collect();
        for (sum, told) in self.sums.iter_mut().zip(&told) {
            sum.gets = sum.gets.saturating_add(amount(told.gets));
            sum.puts = sum.puts.saturating_add(amount(told.puts));
        }
        self.told.insert(worker.clone(), told.clone());
        told
    }

    fn take_back(&mut self, worker: &WorkerId) {
        for (sum, told) in self.sums.iter_mut().zip(self.told.remove(worker).unwrap_or_default()) {
            sum.gets = sum.gets.saturating_sub(amount(told.gets));
            sum.puts = sum.puts.saturating_sub(amount(told.puts));
        }
    }
}

/// An equal share, as far as the others left it.
fn share(limit: Option<RequestRate>, others: u64, workers: u64) -> Option<RequestRate> {
    let limit = limit?.in_1000_seconds();
    let equal = limit / workers.max(1);
    let most = limit.saturating_add(limit / LEAST_PART).saturating_sub(others);
    let share = equal.min(limit.saturating_sub(others)).max(most.min(equal / LEAST_PART)).max(1);
    RequestRate::per_1000_seconds(share)
}

fn amount(rate: Option<RequestRate>) -> u64 {
    rate.map_or(0, RequestRate::in_1000_seconds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn limits(gets: u32) -> Vec<RequestBudget> {
        let only_gets = RequestBudget { prefix: "s3://a".into(), gets: RequestRate::per_second(gets), puts: None };
        let both = RequestBudget { prefix: "s3://b".into(), puts: RequestRate::per_second(7), ..only_gets.clone() };
        vec![only_gets, both]
    }

    fn gets(told: &[RequestBudget]) -> u64 {
        amount(told[0].gets)
    }

    #[test]
    fn a_rate_is_divided_equally_once_everybody_has_heard() {
        let mut shares = RequestShares::new(limits(100));
        let (a, b) = ("a".into(), "b".into());
        assert_eq!(gets(&shares.tell(&a, 1)), 100_000);
        assert_eq!(gets(&shares.tell(&b, 2)), 5_000, "a tenth of its share, until the other one has heard");
        assert_eq!(gets(&shares.tell(&a, 2)), 50_000);
        let told = shares.tell(&b, 2);
        assert_eq!(gets(&told), 50_000);
        assert_eq!((told[0].puts, amount(told[1].puts), told[1].prefix.as_str()), (None, 3_500, "s3://b"));
    }

    #[test]
    fn what_a_lost_worker_was_told_goes_to_the_others() {
        let mut shares = RequestShares::new(limits(100));
        let [a, b]: [WorkerId; 2] = ["a".into(), "b".into()];
        shares.tell(&a, 2);
        shares.tell(&b, 2);
        shares.keep(|worker| *worker == b);
        assert_eq!(shares.workers(), 1);
        assert_eq!(gets(&shares.tell(&b, 1)), 100_000);
    }

    proptest! {
        #[test]
        fn the_workers_together_keep_to_the_rate_while_they_come_and_go(
            rate in 10_u32..10_000, steps in prop::collection::vec((0_u8..12, any::<bool>()), 1..200)
        ) {
            let mut shares = RequestShares::new(limits(rate));
            let mut there: BTreeSet<WorkerId> = BTreeSet::new();
            let name = |number: u8| WorkerId(format!("w{number}"));
            for (number, leaves) in steps {
                if leaves {
                    there.remove(&name(number));
                    shares.keep(|worker| there.contains(worker));
                } else {
                    there.insert(name(number));
                    shares.tell(&name(number), there.len());
                }
                let sum: u64 = shares.told.values().map(|told| gets(told)).sum();
                prop_assert_eq!(sum, shares.sums[0].gets);
                prop_assert!(sum <= u64::from(rate) * 1100 , "{} of {}", sum, rate);
            }
            // Twice around everybody has an equal share.
            for _ in 0..2 {
                there.iter().for_each(|worker| drop(shares.tell(worker, there.len())));
            }
            let equal = u64::from(rate) * 1000 / (there.len() as u64).max(1);
            prop_assert!(shares.told.values().all(|told| gets(told) == equal));
        }
    }
}
