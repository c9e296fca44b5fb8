//! What a span is of. Its ids, its parent's and its trace's follow from that alone.

use std::fmt;

use rechunk_common::ids::{JobId, LeaseId, RunNumber, StageAddress, TaskIndex};

/// The beginning of every trace id: `rechunk` in ASCII.
const PREFIX: [u8; 7] = *b"rechunk";

/// Hexadecimal digits of a job id, which end its trace's id.
const JOB_DIGITS: usize = 12;

/// The id of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// The trace of a job: `72656368756e6b000000` and the 12 digits of the job's id, so that either is found by the
    /// other.
    pub fn of(job: &JobId) -> Self {
        let digits = job.as_str().strip_prefix("job-").filter(|digits| digits.len() == JOB_DIGITS);
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        // Of a name that is no id of ours.
        let number = number.unwrap_or_else(|| hash(job.as_str())).to_be_bytes();
        let mut id = [0; 16];
        for (byte, from) in id.iter_mut().zip(PREFIX) {
            *byte = from;
        }
        for (byte, from) in id.iter_mut().rev().zip(number.into_iter().rev()).take(JOB_DIGITS / 2) {
            *byte = from;
        }
        Self(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The id of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub u64);

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a span is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A run of a job, from its submission or its retry to its end.
    Job(JobId, RunNumber),
    /// The call that submitted it.
    Submission(JobId),
    /// Its planning.
    Plan(JobId),
    /// A stage, from its first lease to its barrier.
    Stage(StageAddress),
    /// A lease, as its worker holds it.
    Lease(StageAddress, LeaseId),
    /// A task under a lease.
    Task(StageAddress, LeaseId, TaskIndex),
    /// A request of such a task; each has a number.
    Request(StageAddress, LeaseId, TaskIndex, u64),
}

impl Place {
    /// The job that it belongs to.
    pub fn job(&self) -> &JobId {
        match self {
            Self::Job(job, _) | Self::Submission(job) | Self::Plan(job) => job,
            Self::Stage(stage) | Self::Lease(stage, _) | Self::Task(stage, ..) | Self::Request(stage, ..) => &stage.job,
        }
    }

    /// The trace that it belongs to.
    pub fn trace(&self) -> TraceId {
        TraceId::of(self.job())
    }

    /// The id of its span.
    pub fn span(&self) -> SpanId {
        // Zero is no id.
        SpanId(hash(&self.name()).max(1))
    }

    /// Whose child it is; a job is nobody's.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Job(..) => None,
            Self::Submission(job) | Self::Plan(job) => Some(Self::Job(job.clone(), RunNumber(1))),
            Self::Stage(stage) => Some(Self::Job(stage.job.clone(), stage.run)),
            Self::Lease(stage, _) => Some(Self::Stage(stage.clone())),
            Self::Task(stage, lease, _) => Some(Self::Lease(stage.clone(), *lease)),
            Self::Request(stage, lease, task, _) => Some(Self::Task(stage.clone(), *lease, *task)),
        }
    }

    /// No two places have the same.
    fn name(&self) -> String {
        match self {
            Self::Job(job, run) => format!("job {job}/{run}"),
            Self::Submission(job) => format!("submission {job}"),
            Self::Plan(job) => format!("plan {job}"),
            Self::Stage(stage) => format!("stage {stage}"),
            Self::Lease(stage, lease) => format!("lease {stage} {lease}"),
            Self::Task(stage, lease, task) => format!("task {stage} {lease} {task}"),
            Self::Request(stage, lease, task, number) => format!("request {stage} {lease} {task} {number}"),
        }
    }
}

/// FNV-1a, then the finish of SplitMix64: the same in every process and every version.
fn hash(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rechunk_common::ids::{Epoch, PhaseIndex, PipelineIndex, StageIndex};

    use super::*;

    fn stage(stage: u32) -> StageAddress {
        let (job, run) = (JobId::from("job-0123456789ab"), RunNumber(2));
        StageAddress { job, run, phase: PhaseIndex(0), pipeline: PipelineIndex(3), stage: StageIndex(stage) }
    }

    #[test]
    fn a_trace_is_found_by_its_jobs_id() {
        let of_job = TraceId::of(&JobId::from("job-0123456789ab"));
        assert_eq!(of_job.to_string(), "72656368756e6b0000000123456789ab");
        let of_another_name = TraceId::of(&JobId::from("night run"));
        assert!(of_another_name.to_string().starts_with("72656368756e6b000000"), "{of_another_name}");
        assert_ne!(of_another_name, TraceId::of(&JobId::from("day run")));
    }

    #[test]
    fn every_span_descends_from_its_job_and_has_an_id_of_its_own() {
        let lease = LeaseId { epoch: Epoch(1), counter: 7 };
        let job = stage(0).job;
        let mut places = vec![
            Place::Job(job.clone(), RunNumber(1)),
            Place::Job(job.clone(), RunNumber(2)),
            Place::Submission(job.clone()),
            Place::Plan(job),
        ];
        for number in 0..2 {
            places.push(Place::Stage(stage(number)));
            places.push(Place::Lease(stage(number), lease));
            for task in (0..100).map(TaskIndex) {
                places.push(Place::Task(stage(number), lease, task));
                places.extend((0..10).map(|request| Place::Request(stage(number), lease, task, request)));
            }
        }
        let ids: BTreeSet<SpanId> = places.iter().map(Place::span).collect();
        assert_eq!(ids.len(), places.len());
        for place in &places {
            let root = std::iter::successors(Some(place.clone()), Place::parent).last();
            assert!(matches!(root, Some(Place::Job(..))), "{place:?}");
            assert_eq!(place.trace(), TraceId::of(&stage(0).job));
        }
    }

    #[test]
    fn ids_are_the_same_in_every_version() {
        // Coordinator and workers of different versions write into one trace.
        assert_eq!(Place::Stage(stage(1)).span().to_string(), "adb1046c7fe267d7");
    }
}
