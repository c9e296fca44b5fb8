//! Records of the journal and the objects that hold them.

use std::sync::Arc;

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    ids::{Epoch, Incarnation, JobId, JournalPosition, RunNumber, TaskIndex, WorkerId},
    job::JobState,
    plan::{MultiStagePipeline, ParallelPipelines, Phase, Plan, Stage},
    record::{AcceptedJob, Record, RecordFact},
    task_set::TaskRange,
};

use super::{
    basics::{bytes, counts, names, refusals, texts},
    functions::functions,
    plans::{request_ids, stages, summaries},
    sessions::addresses,
};
use crate::journal::{Content, JournalObject, Nonce, Piece, SnapshotPart};

/// Of any function, built in too, and with what the wire leaves out.
fn pipelines() -> impl Strategy<Value = ParallelPipelines> {
    let stage = (stages(), functions(), option::of(any::<u32>())).prop_map(|(stage, function, array)| Stage {
        function,
        array,
        ..stage
    });
    let pipeline = (texts(), vec(stage, 0..3), bytes()).prop_map(|(name, stages, temp_bytes)| MultiStagePipeline {
        name,
        stages,
        temp_bytes,
    });
    vec(pipeline, 0..3).prop_map(|pipelines| ParallelPipelines { pipelines })
}

fn plans() -> impl Strategy<Value = Plan> {
    let phase = (texts(), pipelines()).prop_map(|(name, pipelines)| Phase { name, pipelines });
    (vec(phase, 0..3), pipelines(), option::of(summaries())).prop_map(|(phases, cleanup, summary)| Plan {
        phases,
        cleanup,
        summary,
    })
}

fn accepted() -> impl Strategy<Value = AcceptedJob> {
    let shares = (option::of(bytes()), 1_u32.., option::of(any::<u64>()));
    (request_ids(), plans(), texts(), texts(), shares).prop_map(
        |(request_id, plan, source, target, (temp_limit, weight, max_parallel_tasks))| AcceptedJob {
            request_id,
            plan: Arc::new(plan),
            source,
            target,
            temp_limit,
            weight,
            max_parallel_tasks,
        },
    )
}

fn facts() -> impl Strategy<Value = RecordFact> {
    let job = || names().prop_map(JobId);
    let run = || any::<u32>().prop_map(RunNumber);
    let ending = select(vec![JobState::Succeeding, JobState::Failing, JobState::Cancelling]);
    let state = select(vec![JobState::Succeeded, JobState::Failed, JobState::Cancelled]);
    let tasks =
        (0_u64..500_000_000, 1_u64..500_000_000).prop_map(|(start, length)| TaskRange::new(start, start + length));
    prop_oneof![
        (job(), accepted()).prop_map(|(job, accepted)| RecordFact::JobAccepted { job, accepted: Box::new(accepted) }),
        (addresses(), tasks, counts()).prop_map(|(stage, tasks, counts)| RecordFact::TasksDone {
            stage,
            tasks,
            counts
        }),
        (addresses(), any::<u64>(), names(), any::<u64>()).prop_map(|(stage, task, worker, incarnation)| {
            let (task, incarnation) = (TaskIndex(task), Incarnation(incarnation));
            RecordFact::TaskDied { stage, task, worker: WorkerId(worker), incarnation }
        }),
        addresses().prop_map(|stage| RecordFact::BarrierPassed { stage }),
        (job(), run(), ending, option::of(refusals()))
            .prop_map(|(job, run, ending, failure)| RecordFact::EndingDecided { job, run, ending, failure }),
        (job(), run(), state).prop_map(|(job, run, state)| RecordFact::JobSettled { job, run, state }),
        (job(), run()).prop_map(|(job, run)| RecordFact::RetryStarted { job, run }),
        job().prop_map(|job| RecordFact::CleanupStarted { job }),
        job().prop_map(|job| RecordFact::CleanupDone { job }),
        job().prop_map(|job| RecordFact::JobDeleted { job }),
    ]
}

pub(crate) fn records() -> impl Strategy<Value = Record> {
    (any::<u64>(), any::<u64>(), facts()).prop_map(|(position, at_ms, fact)| Record {
        position: JournalPosition(position),
        at_ms,
        // Not written down.
        is_synchronous: false,
        fact,
    })
}

pub(crate) fn journal_objects() -> impl Strategy<Value = JournalObject> {
    let piece = (vec(any::<u8>(), 0..40), any::<bool>()).prop_map(|(record, continues)| Piece { record, continues });
    let pieces = vec(piece, 0..4);
    let part = (0_u32..5, 1_u32..5, any::<u64>(), any::<u64>(), pieces.clone()).prop_map(
        |(index, more, last, last_at_ms, pieces)| SnapshotPart {
            index,
            count: index + more,
            last: JournalPosition(last),
            last_at_ms,
            pieces,
        },
    );
    let content =
        prop_oneof![Just(Content::Claim), pieces.prop_map(Content::Batch), part.prop_map(Content::SnapshotPart)];
    (any::<u64>(), any::<u64>(), any::<u128>(), content).prop_map(|(epoch, seq, nonce, content)| JournalObject {
        epoch: Epoch(epoch),
        seq,
        nonce: Nonce(nonce),
        content,
    })
}
