//! Wall and processor time, by phase of the whole process and by step of its threads.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a run took.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order in which they ran; the clock stands between them.
    pub phases: Vec<Timed>,
    /// What the threads did inside the phases, all threads together.
    pub steps: Vec<(&'static str, Duration)>,
    /// Objects, and bytes as stored.
    pub traffic: Traffic,
}

/// Objects read and written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Objects read.
    pub gets: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Objects written.
    pub puts: u64,
    /// Their bytes.
    pub bytes_written: u64,
}

impl Traffic {
    pub(super) fn read(&mut self, bytes: usize) {
        self.gets += 1;
        self.bytes_read += bytes as u64;
    }

    pub(super) fn written(&mut self, bytes: usize) {
        self.puts += 1;
        self.bytes_written += bytes as u64;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.gets += other.gets;
        self.bytes_read += other.bytes_read;
        self.puts += other.puts;
        self.bytes_written += other.bytes_written;
    }
}

/// One phase and what it took.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// Its name.
    pub name: &'static str,
    /// By the clock on the wall.
    pub wall: Duration,
    /// User and system time of the whole process.
    pub cpu: Duration,
}

impl Report {
    /// Runs a phase and notes what it took.
    pub(super) fn phase<T>(&mut self, phase: Phase<impl FnOnce() -> Result<T, String>>) -> Result<T, String> {
        let begun = Moment::now();
        let done = (phase.work)()?;
        self.phases.push(begun.until_now(phase.name));
        Ok(done)
    }

    /// Adds what a thread did in a step.
    pub(super) fn step(&mut self, name: &'static str, spent: Duration) {
        match self.steps.iter_mut().find(|(known, _)| *known == name) {
            Some((_, total)) => *total += spent,
            None => self.steps.push((name, spent)),
        }
    }

    /// One JSON object.
    pub fn json(&self) -> serde_json::Value {
        let total = |part: fn(&Timed) -> Duration| self.phases.iter().map(part).sum::<Duration>().as_secs_f64();
        let phases = self.phases.iter().map(|timed| {
            let (wall, cpu) = (timed.wall.as_secs_f64(), timed.cpu.as_secs_f64());
            serde_json::json!({"name": timed.name, "wall_seconds": wall, "cpu_seconds": cpu})
        });
        let steps = self.steps.iter().map(|(name, spent)| ((*name).to_owned(), spent.as_secs_f64().into()));
        serde_json::json!({
            "wall_seconds": total(|timed| timed.wall),
            "cpu_seconds": total(|timed| timed.cpu),
            "phases": phases.collect::<Vec<_>>(),
            "thread_seconds": steps.collect::<serde_json::Map<_, _>>(),
            "get_requests": self.traffic.gets,
            "put_requests": self.traffic.puts,
            "bytes_read": self.traffic.bytes_read,
            "bytes_written": self.traffic.bytes_written,
        })
    }
}

/// A phase that is about to run.
pub(super) struct Phase<F> {
    name: &'static str,
    work: F,
}

impl<F> Phase<F> {
    pub(super) fn named(name: &'static str, work: F) -> Self {
        Self { name, work }
    }
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    wall: Instant,
    cpu: Duration,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { wall: Instant::now(), cpu: process_time() }
    }

    pub(super) fn until_now(self, name: &'static str) -> Timed {
        Timed { name, wall: self.wall.elapsed(), cpu: process_time().saturating_sub(self.cpu) }
    }
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The steps of one thread: time goes to the step that ends.
pub(super) struct StepWatch {
    last: Instant,
}

impl StepWatch {
    pub(super) fn start() -> Self {
        Self { last: Instant::now() }
    }

    pub(super) fn lap(&mut self, total: &mut Duration) {
        let now = Instant::now();
        *total += now.duration_since(self.last);
        self.last = now;
    }
}
