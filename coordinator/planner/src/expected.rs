//! What a whole job is expected to take, from what its arrays are.

use rechunk_common::plan::{CostBasis, Estimate, Phase};

use crate::cost::{Outlay, barrier_seconds};

/// Arrays side by side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    all: Outlay,
    longest_seconds: f64,
}

impl Expected {
    /// One more array.
    pub(crate) fn add(&mut self, array: &Outlay) {
        self.all += *array;
        self.longest_seconds = self.longest_seconds.max(array.seconds);
    }

    /// With the phases around the copy. Arrays fill one another's gaps: together they take as long as the fleet is busy
    /// with them, and no less than the longest.
    pub(crate) fn of(&self, phases: &[Phase], basis: &CostBasis) -> Estimate {
        let stages = |phase: &Phase| phase.pipelines.pipelines.iter().map(|pipeline| pipeline.stages.len()).max();
        let around = phases.iter().filter(|phase| phase.name != COPY).filter_map(stages).sum::<usize>();
        let seconds = self.all.busy_seconds.max(self.longest_seconds) + around as f64 * barrier_seconds(basis);
        Outlay { seconds, ..self.all }.estimate()
    }
}

/// The phase whose stages have been counted with their arrays.
pub(crate) const COPY: &str = "copy";
