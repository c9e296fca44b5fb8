//! How many tasks a lease gets: about `lease_work` of work, few at first and few at the end.

use std::time::Duration;

use rechunk_common::limits::MAX_TASKS_PER_LEASE;

use crate::track_record::TrackRecord;

/// Tasks after which older measurements count half.
const MEMORY_TASKS: u64 = 4096;

/// How long a task of the stage takes, measured from grant to report, lease by lease. A worker that runs several tasks
/// of a lease at a time makes it shorter, which is right: the size of a lease follows from its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Pace {
    ms: u64,
    tasks: u64,
}

impl Pace {
    /// `tasks` were done in `ms`.
    pub(crate) fn add(&mut self, tasks: u64, ms: u64) {
        self.ms = self.ms.saturating_add(ms);
        self.tasks = self.tasks.saturating_add(tasks);
        if self.tasks > MEMORY_TASKS {
            self.ms /= 2;
            self.tasks /= 2;
        }
    }

    /// Expected time of `tasks` tasks in milliseconds; `None` while nothing is measured.
    pub(crate) fn ms_for(self, tasks: u64) -> Option<u64> {
        (self.tasks > 0).then(|| self.ms.saturating_mul(tasks) / self.tasks)
    }

    /// Tasks that take about `work`; `None` while nothing is measured.
    fn tasks_in(self, work: Duration) -> Option<u64> {
        let work = u64::try_from(work.as_millis()).unwrap_or(u64::MAX);
        (self.tasks > 0).then(|| work.saturating_mul(self.tasks).checked_div(self.ms).unwrap_or(u64::MAX))
    }
}

/// Tasks of the next lease of a stage with `remaining` untouched tasks, for a worker with such a `record`, in a fleet of
/// `fleet_slots`.
///
/// One task while nothing is measured, then what that worker does in `lease_work`; towards the end at most
/// `remaining / (2 · fleet_slots)`, so that all slots finish together (guided self-scheduling), and a slow one less.
pub(crate) fn lease_size(
    pace: Pace,
    record: TrackRecord,
    remaining: u64,
    fleet_slots: u64,
    lease_work: Duration,
) -> u64 {
    let by_time = pace.tasks_in(lease_work).map_or(1, |tasks| record.share_of(tasks));
    let by_end = remaining.div_ceil(fleet_slots.max(1).saturating_mul(2));
    by_time.min(by_end).min(record.share_of(by_end)).clamp(1, MAX_TASKS_PER_LEASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Duration = Duration::from_secs(15);

    fn pace(tasks: u64, ms: u64) -> Pace {
        let mut pace = Pace::default();
        pace.add(tasks, ms);
        pace
    }

    #[test]
    fn the_first_lease_has_one_task() {
        assert_eq!(lease_size(Pace::default(), TrackRecord::default(), 1_000_000, 4, WORK), 1);
    }

    #[test]
    fn a_lease_in_the_middle_holds_the_work_that_was_asked_for() {
        assert_eq!(lease_size(pace(10, 5_000), TrackRecord::default(), 1_000_000, 4, WORK), 30);
    }

    #[test]
    fn leases_shrink_towards_the_end() {
        let size = |left| lease_size(pace(10, 50), TrackRecord::default(), left, 8, WORK);
        let sizes: Vec<u64> = [1_000, 100, 16, 3, 1].map(size).to_vec();
        assert_eq!(sizes, vec![63, 7, 1, 1, 1]);
    }

    #[test]
    fn a_slow_worker_gets_a_smaller_lease_in_the_middle_and_at_the_end() {
        let mut slow = TrackRecord::default();
        slow.note_done(Some(9_800), 29_800);
        assert_eq!(lease_size(pace(10, 5_000), slow, 1_000_000, 4, WORK), 10);
        assert_eq!(lease_size(pace(10, 5_000), slow, 48, 4, WORK), 2);
        let mut fast = TrackRecord::default();
        fast.note_done(Some(29_800), 9_800);
        assert_eq!(lease_size(pace(10, 5_000), fast, 1_000_000, 4, WORK), 90);
        assert_eq!(lease_size(pace(10, 5_000), fast, 48, 4, WORK), 6, "what is left is shared by all");
    }

    #[test]
    fn tasks_too_short_to_measure_get_the_largest_lease() {
        assert_eq!(lease_size(pace(10, 0), TrackRecord::default(), 1_000_000, 4, WORK), MAX_TASKS_PER_LEASE);
    }

    #[test]
    fn newer_measurements_outweigh_old_ones() {
        let mut pace = pace(4_000, 4_000_000);
        for _ in 0..20 {
            pace.add(1_000, 10_000);
        }
        assert!(pace.ms_for(1).expect("measured") < 100, "{pace:?}");
    }
}
