//! Before objects of the target that hold elements already are written anew with more behind these: what both sides have
//! of those elements is read and summed on either, and must be the same. So a target keeps its elements, whatever the
//! source has become since they were copied.

use rechunk_common::{
    ByteCount, Counts, Refusal,
    geometry::BoxGrid,
    layout::ArrayLayout,
    plan::{MultiStagePipeline, ReadBackAs, Stage, StageEffect, StageFunction, Verify},
};

use crate::{
    EncodedBound, axis,
    choice::Unfit,
    copy::Copier,
    fit::Room,
    memory::{self, TaskMemory},
    prediction, refusal,
};

/// Decoded bytes that a task reads, where its objects are smaller: some seconds of work.
const TASK_BYTES: u64 = 256 << 20;

impl Copier<'_> {
    /// The stages that compare what both sides have; `None` where nothing is written anew.
    pub(crate) fn comparison(&self) -> Result<Option<MultiStagePipeline>, Refusal> {
        let spec = self.array.spec;
        let Some(held) = &spec.held else { return Ok(None) };
        let mut stages = vec![
            self.summing("read_source_edge", &held.source, held.source_encoding)?,
            self.summing("compare_edge", &held.target, spec.target_encoding)?,
        ];
        if let Some(last) = stages.last_mut() {
            last.effect = StageEffect::Verifies;
        }
        Ok(Some(MultiStagePipeline { name: spec.name.clone(), stages, temp_bytes: ByteCount(0) }))
    }

    fn summing(&self, name: &str, layout: &ArrayLayout, encoding: EncodedBound) -> Result<Stage, Refusal> {
        let over = |lengths: Vec<u64>| {
            let boxes = layout.boxes_of_write_units(layout.bounds(), lengths);
            let function = Verify { target: layout.clone(), boxes, read_back_as: ReadBackAs::Elements, presence: None };
            let memory = memory::of_verify(&function, encoding)?;
            Some((function, memory))
        };
        let fits = |memory: &TaskMemory| Room::Least.fits(memory, self.fleet.budget).is_some();
        let wide = task_lengths(layout).and_then(over).filter(|(_, memory)| fits(memory));
        let least = || over(layout.chunks.write_unit().to_vec());
        let (function, memory) = wide.or_else(least).ok_or_else(refusal::too_large)?;
        if !fits(&memory) {
            return Err(refusal::nothing_fits(self, &[Unfit::Memory(memory.total(memory.least_pieces))]));
        }
        let tasks = self.tasks(&function.boxes)?;
        let task_memory = self.declared(Some(memory), Room::Busy, tasks)?;
        let predicted = reads(layout, &function.boxes).ok_or_else(refusal::too_large)?;
        Ok(self.stage(name, StageFunction::Verify(function), tasks, task_memory, predicted))
    }
}

/// Lengths of boxes of about [`TASK_BYTES`], whole write units, the last axes first; `None` beyond 2^64.
fn task_lengths(layout: &ArrayLayout) -> Option<Vec<u64>> {
    let mut lengths = layout.chunks.write_unit().to_vec();
    let mut bytes = lengths.iter().try_fold(layout.element.width, |bytes, length| bytes.checked_mul(*length))?;
    for (length, n) in lengths.iter_mut().zip(&layout.shape).rev() {
        // One more where the first begins before the part.
        let most = axis::boxes(*n, *length).checked_add(1)?;
        let units = TASK_BYTES.checked_div(bytes)?.clamp(1, most);
        *length = length.checked_mul(units)?;
        bytes = bytes.checked_mul(units)?;
    }
    Some(lengths)
}

fn reads(layout: &ArrayLayout, boxes: &BoxGrid) -> Option<Counts> {
    let Counts { get_requests, bytes_decoded, .. } = prediction::read_to_exchange(layout, boxes)?;
    Some(Counts { get_requests, bytes_decoded, ..Counts::default() })
}
