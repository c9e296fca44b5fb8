//! What a candidate costs: time that passes and work that is paid for, both in seconds. An estimate to compare plans
//! by; the exact figures of a plan are its counts.

/// What a store and a worker are assumed to do. One profile for now.
#[derive(Debug, Clone, Copy)]
struct Profile {
    /// Decoded bytes that one worker reads or writes in a second, codec included.
    bytes_per_second: f64,
    /// From a request to its first byte, in seconds.
    request_seconds: f64,
    /// Requests that one worker has in flight.
    requests_in_flight: f64,
    /// From a task's start to its first full pipe, and the round that reports it, in seconds.
    task_seconds: f64,
    /// Between two losses of one worker, in seconds: half of a task's work is lost with it.
    loss_seconds: f64,
    /// From the end of one stage to the work of the next, in seconds.
    barrier_seconds: f64,
    /// What a second of one worker's work weighs against a second of waiting.
    work_weight: f64,
    /// What a stage's time grows by where a task has its worker to itself and reads and writes in turn: with two on a
    /// worker, one reads while the other writes.
    alone: f64,
}

/// As S3 from a machine of the same region; requests of 230 kB take as long to ask for as to move.
const S3: Profile = Profile {
    bytes_per_second: 250e6,
    request_seconds: 0.030,
    requests_in_flight: 32.0,
    task_seconds: 0.020,
    loss_seconds: 3600.0,
    barrier_seconds: 1.0,
    work_weight: 0.75,
    alone: 1.1,
};

/// Waves of tasks from which on the last one matters little.
const FEW_WAVES: f64 = 4.0;

/// Who does the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    /// Workers, at least 1.
    pub(crate) workers: u64,
    /// Threads of each.
    pub(crate) threads: u64,
    /// What tasks of one worker may hold together, in bytes.
    pub(crate) budget: u64,
    /// Local disk that tasks of one worker may use together, in bytes; 0 where there is none.
    pub(crate) scratch: u64,
}

impl Fleet {
    /// Tasks of `memory` bytes that share one worker.
    pub(crate) fn residents(&self, memory: u64) -> u64 {
        self.budget.checked_div(memory).unwrap_or(u64::MAX).min(self.threads).max(1)
    }
}

/// What one stage does, over all pipelines. Floats: the exact figures come later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StageWork {
    pub(crate) tasks: f64,
    pub(crate) requests: f64,
    pub(crate) bytes: f64,
    /// Whether a task reads and writes in turn, so that two of them on one worker gain.
    pub(crate) in_turn: bool,
}

impl StageWork {
    /// Seconds on one worker, with what is expected to be done again.
    fn seconds(&self) -> f64 {
        let work = self.bytes / S3.bytes_per_second
            + self.requests * S3.request_seconds / S3.requests_in_flight
            + self.tasks * S3.task_seconds;
        let task = work / self.tasks.max(1.0);
        work * (1.0 + 0.5 * task / S3.loss_seconds)
    }

    /// Elapsed and worked seconds in one figure. The last wave of tasks leaves workers idle: half a task on the
    /// average, and all but the busy ones where tasks are few; with more, task times differ too much to count waves.
    pub(crate) fn cost(&self, fleet: &Fleet, residents: u64) -> f64 {
        let work = self.seconds();
        let workers = fleet.workers as f64;
        let task = work / self.tasks.max(1.0);
        let waves = if self.tasks < FEW_WAVES * workers { (self.tasks / workers).ceil() * task } else { 0.0 };
        let idle = 0.5 * (1.0 - 1.0 / workers) * task;
        let alone = if self.in_turn && (residents == 1 || self.tasks < 2.0) { S3.alone } else { 1.0 };
        waves.max(work / workers + idle) * alone + S3.barrier_seconds + S3.work_weight * work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(tasks: f64, bytes: f64, workers: u64) -> f64 {
        let fleet = Fleet { workers, threads: 1, budget: 1, scratch: 0 };
        StageWork { tasks, requests: 0.0, bytes, in_turn: false }.cost(&fleet, 1)
    }

    #[test]
    fn many_tasks_use_a_fleet() {
        assert!(cost(32.0, 1e12, 8) < cost(8.0, 1e12, 8));
        assert!(cost(8.0, 1e12, 8) < cost(1.0, 1e12, 8));
    }

    #[test]
    fn one_worker_prefers_tasks_that_are_neither_tiny_nor_endless() {
        assert!(cost(300.0, 1e12, 1) < cost(1.0, 1e12, 1));
        assert!(cost(300.0, 1e12, 1) < cost(1e6, 1e12, 1));
    }

    #[test]
    fn reading_twice_costs_more_than_once() {
        for workers in [1, 2, 8, 100] {
            assert!(cost(8.0, 2e12, workers) > cost(8.0, 1e12, workers));
        }
    }
}
