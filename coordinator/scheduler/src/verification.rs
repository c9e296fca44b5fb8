//! What a stage that verifies finds: the content that it read back is that of the stages before it in its pipeline, or the
//! job fails. A task counts once, when it turns done; attempts whose result was there already add nothing.
//!
//! Knows nothing of what a content is: sums of one kind add up.

use rechunk_common::{
    ContentSum, Refusal, RefusalCode,
    plan::{StageEffect, StageFunction},
};

use crate::{job::Job, stage::StagePlace};

/// The reason by which callers know that the target is not what was copied.
pub(crate) const REASON: &str = "VERIFICATION_FAILED";
/// The reason by which they know that it was not what they took it for.
pub(crate) const TARGET_DIFFERS: &str = "TARGET_DIFFERS";

impl Job {
    /// Whether the stage at `place` has read everything back and found something else than was written. One without tasks
    /// reads nothing.
    pub(crate) fn has_mismatch(&self, place: StagePlace) -> bool {
        let effect = |place| self.stage_plan(place).map(|stage| stage.effect);
        let Some(stage) = self.stage(place).filter(|_| effect(place) == Some(StageEffect::Verifies)) else {
            return false;
        };
        let before = std::iter::successors(place.before(), |place| place.before());
        let written = before.filter(|place| effect(*place) == Some(StageEffect::Writes));
        let written: ContentSum = written.filter_map(|place| Some(self.stage(place)?.content)).sum();
        stage.task_count > 0 && stage.is_done() && written != stage.content
    }

    /// The first open stage that found something else than was written.
    pub(crate) fn first_mismatch(&self) -> Option<StagePlace> {
        self.open_places().into_iter().find(|place| self.has_mismatch(*place))
    }

    /// Whether the stages before the one at `place` only read, too: then it compared what lay there before the job.
    fn has_only_read(&self, place: StagePlace) -> bool {
        let mut before = std::iter::successors(place.before(), |place| place.before());
        before
            .all(|place| self.stage_plan(place).is_some_and(|stage| matches!(stage.function, StageFunction::Verify(_))))
    }

    /// Why the job fails, named by the pipeline: the array, and the group in it.
    pub(crate) fn mismatch(&self, place: StagePlace) -> Refusal {
        let name = self.pipeline_plan(place.phase, place.pipeline).map(|pipeline| pipeline.name.as_str());
        let what = name.filter(|name| !name.is_empty()).map(|name| format!("{name} of ")).unwrap_or_default();
        if self.has_only_read(place) {
            let message = format!(
                "{what}{} is not continued by the source: what they both have of its last chunks is not the same; nothing \
                 was written; append what continues it, or rechunk all of the source anew",
                self.target
            );
            return Refusal::new(RefusalCode::FailedPrecondition, TARGET_DIFFERS, message);
        }
        let message = format!(
            "{what}{} does not hold what was copied: the sum over what was read back differs from the sum over what was \
             read from the source; nothing of it is published; submit the job again, with overwrite",
            self.target
        );
        Refusal::new(RefusalCode::FailedPrecondition, REASON, message)
    }
}
