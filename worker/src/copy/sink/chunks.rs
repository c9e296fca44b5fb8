//! Chunks as targets: each is encoded and written when its last element has arrived.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::Region,
    layout::{ArrayLayout, ChunkKeys},
    plan::GapPolicy,
};
use rechunk_storage::{Access, Prefix};
use rechunk_zarr::{ChunkCodec, CodecError};

use super::{LeaveOut, TargetRoom, put};
use crate::{
    codec_time::encoding,
    context::TaskContext,
    copy::{cells::Cells, targets::Complete},
    failure::{bug, invalid, too_large, unfit_filter},
    memory::{Buffer, Reservation},
};

/// The chunks of a task's region.
#[derive(Debug)]
pub(crate) struct ChunkSink {
    prefix: Prefix,
    keys: ChunkKeys,
    cells: Cells,
    width: u64,
    codec: Arc<ChunkCodec>,
    leave_out: Arc<LeaveOut>,
    room: TargetRoom,
}

impl ChunkSink {
    /// The chunks of `layout`, an array of plain chunks with the chain `codecs`, inside `region`.
    pub(crate) fn open(
        cx: &TaskContext,
        layout: &ArrayLayout,
        codecs: &str,
        region: &Region,
        gaps: GapPolicy,
    ) -> Result<Self, TaskFailure> {
        let codec = ChunkCodec::new(codecs, &layout.element, layout.chunks.write_unit(), &layout.fill)
            .map_err(|error| invalid(format!("cannot encode {}: {error}", layout.url)))?;
        let buffer = usize::try_from(codec.decoded_bytes()).map_err(|_| too_large("a target chunk"))?;
        Ok(Self {
            prefix: cx.open(&layout.url, Access::ReadWrite)?,
            keys: layout.keys,
            cells: Cells::of_chunks(&layout.write_grid(), region)?,
            width: layout.element.width,
            codec: Arc::new(codec),
            leave_out: Arc::new(LeaveOut::new(layout, gaps)),
            room: TargetRoom { buffer, encoded: 0 },
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self) -> TargetRoom {
        self.room
    }

    pub(super) fn write_room(&self) -> u64 {
        if self.codec.is_identity() { 0 } else { self.codec.worst_encoded_bytes() }
    }

    pub(super) async fn finish(
        &self,
        cx: &TaskContext,
        target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        let place = self.cells.place(target.index);
        let key = self.keys.key(&self.cells.position(&place));
        let url = format!("{}/{key}", self.prefix.url());
        let valid = self.cells.valid_elements(&place).and_then(|elements| elements.checked_mul(self.width));
        let valid = valid.ok_or_else(|| too_large("a target chunk"))?;
        let clip = self.cells.valid_shape(&place).ok_or_else(|| too_large("a target chunk"))?;
        let (codec, leave_out) = (Arc::clone(&self.codec), Arc::clone(&self.leave_out));
        let encoded = cx
            .compute()
            .run(move || {
                let Some(buffer) = leave_out.kept(target) else { return Ok(None) };
                encode(&codec, &clip, buffer, room, &url).map(Some)
            })
            .await?;
        let Some(encoded) = encoded else {
            cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(());
        };
        put(cx, &self.prefix, &key, encoded, valid).await
    }
}

/// Encodes a chunk, of which the box `clip` lies in the array; its buffer is free again afterwards, and `room` is that
/// of the encoding.
pub(super) fn encode(
    codec: &ChunkCodec,
    clip: &[u64],
    buffer: Buffer,
    room: Reservation,
    url: &str,
) -> Result<Bytes, TaskFailure> {
    if codec.is_identity() {
        drop(room);
        return Ok(buffer.into_bytes());
    }
    Ok(room.attach(encoded(codec, clip, &buffer, url)?))
}

/// Encodes a chunk that is kept until others are there too: it takes no more room than its own length.
pub(super) fn encode_trimmed(
    codec: &ChunkCodec,
    clip: &[u64],
    buffer: Buffer,
    room: Reservation,
    url: &str,
) -> Result<Bytes, TaskFailure> {
    if codec.is_identity() {
        drop(room);
        return Ok(buffer.into_bytes());
    }
    // Encoders allocate for their worst case, and allocators round that up.
    let trimmed = Bytes::copy_from_slice(&encoded(codec, clip, &buffer, url)?);
    Ok(room.attach_trimmed(trimmed))
}

/// The encoding of what the buffer holds.
fn encoded(codec: &ChunkCodec, clip: &[u64], buffer: &Buffer, url: &str) -> Result<Bytes, TaskFailure> {
    encoding(|| codec.encode_clipped(Cow::Borrowed(buffer.as_slice()), clip)).map_err(|error| match error {
        CodecError::Changed { .. } => unfit_filter(url, error),
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
