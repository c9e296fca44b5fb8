//! Reading back what was written: one more stage of each pipeline, when all of its target is there and before anything
//! of it is deleted or published. Its boxes are those of the tasks that wrote the target, where what they hold fits.

use rechunk_common::{
    Counts, Refusal,
    geometry::BoxGrid,
    plan::{MultiStagePipeline, ReadBackAs, Stage, StageEffect, StageFunction, Verify},
};

use crate::{
    axis,
    copy::Copier,
    cost::{Outlay, Place, StageWork, Traffic},
    fit::Room,
    memory::{self, TaskMemory},
    prediction, refusal,
};

/// What a stage of a pipeline has written to the target.
struct Written<'a> {
    boxes: &'a BoxGrid,
    read_back_as: ReadBackAs,
    counts: &'a Counts,
}

impl Copier<'_> {
    /// Each pipeline reads back what it wrote, if that is asked for.
    pub(crate) fn verified(&self, pipelines: Vec<MultiStagePipeline>) -> Result<Vec<MultiStagePipeline>, Refusal> {
        if !self.array.spec.verify {
            return Ok(pipelines);
        }
        let with_stage = |mut pipeline: MultiStagePipeline| {
            let found = pipeline.stages.iter().enumerate().find_map(|(at, stage)| Some((at, written(stage)?)));
            if let Some((at, written)) = found {
                let stage = self.verify_stage(&written)?;
                pipeline.stages.insert(at.saturating_add(1), stage);
            }
            Ok(pipeline)
        };
        pipelines.into_iter().map(with_stage).collect()
    }

    fn verify_stage(&self, written: &Written) -> Result<Stage, Refusal> {
        let (function, memory) = self.function_that_fits(written).ok_or_else(refusal::too_large)?;
        let tasks = self.tasks(&function.boxes)?;
        let task_memory = self.declared(Some(memory), Room::Busy, tasks)?;
        let predicted = self.predicted(written).ok_or_else(refusal::too_large)?;
        let mut stage = self.stage("verify", StageFunction::Verify(function), tasks, task_memory, predicted);
        stage.effect = StageEffect::Verifies;
        Ok(stage)
    }

    /// Over the boxes of those who wrote; where these have more shards than there is room for their indexes, over single
    /// write units, which fit wherever they could be written.
    fn function_that_fits(&self, written: &Written) -> Option<(Verify, TaskMemory)> {
        let (spec, read_back_as) = (self.array.spec, written.read_back_as);
        let leaves_out = self.is_left_out(read_back_as);
        let presence = self.listed().and_then(|listed| listed.presence).filter(|_| leaves_out);
        let over = |lengths: &[u64]| {
            let boxes = spec.target.boxes_of_write_units(written.boxes.bounds().clone(), lengths.to_vec());
            let function = Verify { target: spec.target.clone(), boxes, read_back_as, presence: presence.clone() };
            let memory = memory::of_verify(&function, spec.target_encoding)?;
            Room::Least.fits(&memory, self.fleet.budget)?;
            Some((function, memory))
        };
        over(&self.of_whole_write_units(written.boxes.lengths())?).or_else(|| over(self.array.write_unit))
    }

    /// Lengths of boxes that are whole write units also where these begin before what is copied: one that is as long as the
    /// whole axis then reaches over both of its ends.
    fn of_whole_write_units(&self, lengths: &[u64]) -> Option<Vec<u64>> {
        let of_axis = |(axis, length): (usize, &u64)| {
            let (n, _, _, unit) = self.array.axis(axis)?;
            if !self.array.shifted.has(axis) {
                return Some(*length);
            }
            let most = axis::most_overlapped_anywhere(n, n, unit);
            Some(if *length >= n { most.checked_mul(unit)? } else { *length })
        };
        lengths.iter().enumerate().map(of_axis).collect()
    }

    fn predicted(&self, written: &Written) -> Option<Counts> {
        let target = &self.array.spec.target;
        let is_one_by_one = match written.read_back_as {
            ReadBackAs::Elements | ReadBackAs::EncodedInnerChunks => target.chunks.is_sharded(),
            ReadBackAs::EncodedChunks => false,
        };
        let chunks = match self.sparse(written.boxes.bounds()) {
            _ if !is_one_by_one => 0,
            Some(sparse) => sparse.chunks_within(target, self.is_left_out(written.read_back_as))?,
            None => prediction::chunks_within(target, written.boxes.bounds())?,
        };
        prediction::read_back(written.counts, chunks)
    }

    /// Whether what is missing in the source was left out of the target.
    fn is_left_out(&self, read_back_as: ReadBackAs) -> bool {
        match read_back_as {
            ReadBackAs::Elements => self.leaves_out_gaps(),
            ReadBackAs::EncodedChunks | ReadBackAs::EncodedInnerChunks => true,
        }
    }

    /// What it takes, over all pipelines.
    pub(crate) fn outlay_of_verification(&self, pipelines: &[MultiStagePipeline]) -> Outlay {
        let stages = || pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        let verifying = || stages().filter(|stage| stage.effect == StageEffect::Verifies);
        let Some(first) = verifying().next() else { return Outlay::default() };
        let (array, target) = (self.array, self.array.target_codec);
        let sum = |figure: fn(&Stage) -> u64| verifying().map(figure).fold(0, u64::saturating_add) as f64;
        let work = StageWork {
            tasks: sum(|stage| stage.task_count),
            reads: Traffic {
                place: Place::Target,
                requests: sum(|stage| stage.predicted.get_requests),
                bytes: array.bytes as f64 * target.stored_part(),
            },
            writes: Traffic { place: Place::Target, requests: 0.0, bytes: 0.0 },
            deletes: 0.0,
            decode_seconds: target.decode_seconds(sum(|stage| stage.predicted.bytes_decoded)),
            encode_seconds: 0.0,
        };
        work.outlay(self.fleet, self.fleet.residents(first.task_memory.0), f64::INFINITY)
    }
}

/// The boxes of the target that a stage writes; `None` for one that writes no target.
fn written(stage: &Stage) -> Option<Written<'_>> {
    let (boxes, read_back_as) = match &stage.function {
        StageFunction::CopyEncoded(copy) => match copy.shard_parts {
            None => (&copy.writers, ReadBackAs::EncodedChunks),
            // Where there was no room for a shard, there is none now.
            Some(_) => (&copy.writers, ReadBackAs::EncodedInnerChunks),
        },
        StageFunction::CopyReadToWrite(copy) => (&copy.writers, ReadBackAs::Elements),
        StageFunction::CopyExchangeToWrite(copy) => (&copy.writers, ReadBackAs::Elements),
        StageFunction::CopyThroughScratch(copy) => (&copy.groups, ReadBackAs::Elements),
        StageFunction::ClearPrefix(_)
        | StageFunction::CopyReadToExchange(_)
        | StageFunction::IndexExchange(_)
        | StageFunction::CopySmallArrays(_)
        | StageFunction::Verify(_)
        | StageFunction::DeleteExchange(_)
        | StageFunction::CheckSource(_)
        | StageFunction::PublishMetadata(_)
        | StageFunction::Custom(_) => return None,
    };
    Some(Written { boxes, read_back_as, counts: &stage.predicted })
}
