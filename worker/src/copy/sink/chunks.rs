//! Chunks as targets: each is encoded and written when its last element has arrived.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::Region,
    layout::{ArrayLayout, ChunkKeys, ElementType},
    plan::GapPolicy,
};
use rechunk_storage::{Access, Prefix};
use rechunk_zarr::{ChunkCodec, CodecError};

use super::{Kept, LeaveOut, TargetRoom, put};
use crate::{
    codec_time::encoding,
    context::TaskContext,
    copy::{cells::Cells, codecs::ChunkCodecs, targets::Complete},
    failure::{bug, invalid, too_large, unfit_filter},
    memory::Reservation,
};

/// The chunks of a task's region.
#[derive(Debug)]
pub(crate) struct ChunkSink {
    prefix: Prefix,
    keys: ChunkKeys,
    cells: Cells,
    element: ElementType,
    codecs: Box<ChunkCodecs>,
    leave_out: Arc<LeaveOut>,
    heap_start: u64,
}

impl ChunkSink {
    /// The chunks of `layout`, an array of plain chunks, inside `region`. Heaps begin with `heap_start` bytes.
    pub(crate) fn open(
        cx: &TaskContext,
        layout: &ArrayLayout,
        region: &Region,
        gaps: GapPolicy,
        heap_start: u64,
    ) -> Result<Self, TaskFailure> {
        let codecs =
            ChunkCodecs::new(layout).map_err(|error| invalid(format!("cannot encode {}: {error}", layout.url)))?;
        Ok(Self {
            prefix: cx.open(&layout.url, Access::ReadWrite)?,
            keys: layout.keys,
            cells: Cells::of_chunks(&layout.write_grid(), region)?,
            element: layout.element.clone(),
            codecs: Box::new(codecs),
            leave_out: Arc::new(LeaveOut::new(layout, gaps)),
            heap_start,
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self, index: usize) -> Result<TargetRoom, TaskFailure> {
        let codec = self.codecs.of(&self.cells.position(&self.cells.place(index)))?;
        target_room(&codec, &self.element, self.heap_start)
    }

    pub(super) fn write_room(&self, values: u64) -> u64 {
        encoding_room(self.codecs.longest(), values)
    }

    pub(super) fn url_of(&self, index: usize) -> String {
        let key = self.keys.key(&self.cells.position(&self.cells.place(index)));
        format!("{}/{key}", self.prefix.url())
    }

    pub(super) async fn finish(
        &self,
        cx: &TaskContext,
        target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        let place = self.cells.place(target.index);
        let position = self.cells.position(&place);
        let (key, codec) = (self.keys.key(&position), self.codecs.of(&position)?);
        let url = format!("{}/{key}", self.prefix.url());
        let valid = self.cells.valid_elements(&place).and_then(|elements| elements.checked_mul(self.element.width));
        let valid = valid.ok_or_else(|| too_large("a target chunk"))?;
        let clip = self.cells.valid_shape(&place).ok_or_else(|| too_large("a target chunk"))?;
        let leave_out = Arc::clone(&self.leave_out);
        let encoded = cx
            .compute()
            .run(move || {
                let Some(kept) = leave_out.kept(target) else { return Ok(None) };
                encode(&codec, &clip, kept, room, &url).map(Some)
            })
            .await?;
        let Some(encoded) = encoded else {
            cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(());
        };
        put(cx, &self.prefix, &key, encoded, valid).await
    }
}

/// What a target chunk takes when it is opened, whose heap begins with `heap_start` bytes.
pub(super) fn target_room(
    codec: &ChunkCodec,
    element: &ElementType,
    heap_start: u64,
) -> Result<TargetRoom, TaskFailure> {
    let buffer = usize::try_from(codec.decoded_bytes()).map_err(|_| too_large("a target chunk"))?;
    let beside = element.held_bytes().saturating_sub(element.width);
    let elements = codec.decoded_bytes().checked_div(element.width).unwrap_or_default();
    let heap = if element.is_variable() { elements.saturating_mul(beside).saturating_add(heap_start) } else { 0 };
    Ok(TargetRoom { buffer, encoded: 0, heap })
}

/// What encoding a chunk takes, of elements of variable length one of `values` bytes.
pub(super) fn encoding_room(codec: &ChunkCodec, values: u64) -> u64 {
    if codec.is_variable() {
        codec.variable_encoding_room(values)
    } else if codec.is_identity() {
        0
    } else {
        codec.worst_encoded_bytes()
    }
}

/// Encodes a chunk, of which the box `clip` lies in the array; its buffer is free again afterwards, and `room` is that
/// of the encoding.
pub(super) fn encode(
    codec: &ChunkCodec,
    clip: &[u64],
    kept: Kept,
    room: Reservation,
    url: &str,
) -> Result<Bytes, TaskFailure> {
    if codec.is_identity() {
        drop(room);
        return Ok(kept.buffer.into_bytes());
    }
    if codec.is_variable() && !codec.is_heap_stored() {
        // Most of the room was for the chunk that was encoded.
        return encode_trimmed(codec, clip, kept, room, url);
    }
    Ok(room.attach(encoded(codec, clip, &kept, url)?))
}

/// Encodes a chunk that is kept until others are there too: it takes no more room than its own length.
pub(super) fn encode_trimmed(
    codec: &ChunkCodec,
    clip: &[u64],
    kept: Kept,
    room: Reservation,
    url: &str,
) -> Result<Bytes, TaskFailure> {
    if codec.is_identity() {
        drop(room);
        return Ok(kept.buffer.into_bytes());
    }
    // Encoders allocate for their worst case, and allocators round that up.
    let trimmed = Bytes::copy_from_slice(&encoded(codec, clip, &kept, url)?);
    Ok(room.attach_trimmed(trimmed))
}

/// The encoding of what is kept.
fn encoded(codec: &ChunkCodec, clip: &[u64], kept: &Kept, url: &str) -> Result<Bytes, TaskFailure> {
    let elements = kept.buffer.as_slice();
    let encoded = encoding(|| match &kept.heap {
        Some(heap) => codec.encode_variable(elements, |descriptor| heap.get(descriptor)),
        None => codec.encode_clipped(Cow::Borrowed(elements), clip),
    });
    encoded.map_err(|error| match error {
        CodecError::Changed { .. } => unfit_filter(url, error),
        // A chunk of elements of variable length is as long as they are.
        CodecError::BufferLimit { .. } | CodecError::Encode { .. } if codec.is_variable() => {
            invalid(format!("cannot encode {url}: {error}"))
        }
        CodecError::DeclaredSize { .. }
        | CodecError::DecodedSize { .. }
        | CodecError::Checksum { .. }
        | CodecError::Corrupt { .. }
        | CodecError::BufferLimit { .. }
        | CodecError::OverRoom { .. }
        | CodecError::Encode { .. }
        | CodecError::ShardEntry { .. } => bug(format!("cannot encode {url}: {error}")),
    })
}
