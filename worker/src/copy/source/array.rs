//! Read units of an array as pieces.

use std::ops::Range;

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::Region,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout},
    variable::{ASSUMED_BYTES, DESCRIPTOR_BYTES, LENGTH_BYTES},
};
use rechunk_storage::{Access, Prefix, SizedObject};
use rechunk_zarr::{ChunkCodec, CodecError, MetadataError, ShardEntry, VariableChunk};

use super::{Decoded, Fetched, Longer, Piece, Short, shard_index::ShardIndexes};
use crate::{
    codec_time::decoding,
    context::TaskContext,
    copy::{
        cells::Cells,
        codecs::{ChunkCodecs, InnerPlace, ShardCodecs},
    },
    failure::{corrupt_source, invalid, missing_chunk, of_storage, too_large},
    memory::Reservation,
    presence::Listed,
};

/// The read units that share an element with a task's region.
#[derive(Debug)]
pub(crate) struct ArraySource {
    prefix: Prefix,
    keys: ChunkKeys,
    cells: Cells,
    width: u64,
    objects: Objects,
    is_raw: bool,
    is_strict: bool,
    listed: Listed,
}

/// A chunk that was found and not read.
#[derive(Debug)]
pub(super) enum Unread {
    Object { object: Box<SizedObject>, key: String },
    Inner { key: String, entry: ShardEntry },
}

#[derive(Debug)]
enum Objects {
    Chunks(Box<ChunkCodecs>),
    Shards { codecs: Box<ShardCodecs>, indexes: ShardIndexes },
}

impl ArraySource {
    /// The read units of `layout` that a task of `region` reads. A missing one is an error where `is_strict`; what is
    /// `listed` as absent is never asked for.
    pub(crate) fn open(
        cx: &TaskContext,
        layout: &ArrayLayout,
        region: &Region,
        is_strict: bool,
        listed: Listed,
    ) -> Result<Self, TaskFailure> {
        let refuse = |error: MetadataError| invalid(format!("cannot decode {}: {error}", layout.url));
        let cells = Cells::of_chunks(&layout.read_grid(), region)?;
        let objects = match &layout.chunks {
            ChunkLayout::Plain { .. } => Objects::Chunks(Box::new(ChunkCodecs::new(layout).map_err(refuse)?)),
            ChunkLayout::Sharded { .. } => {
                let codecs = ShardCodecs::new(layout).map_err(refuse)?;
                let indexes = ShardIndexes::new(codecs.count_in(region));
                Objects::Shards { codecs: Box::new(codecs), indexes }
            }
        };
        let prefix = cx.open(&layout.url, Access::Read)?;
        let (width, is_raw) = (layout.element.width, layout.is_raw());
        Ok(Self { prefix, keys: layout.keys, cells, width, objects, is_raw, is_strict, listed })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// That of the longest read unit: no other has more bytes.
    fn codec(&self) -> &ChunkCodec {
        match &self.objects {
            Objects::Chunks(codecs) => codecs.longest(),
            Objects::Shards { codecs, .. } => codecs.longest().inner(),
        }
    }

    /// Calls `with` with that of the read unit at `place`.
    fn with_codec<T>(
        &self,
        place: &[u64],
        with: impl FnOnce(&ChunkCodec) -> Result<T, TaskFailure>,
    ) -> Result<T, TaskFailure> {
        match &self.objects {
            Objects::Chunks(codecs) => with(&*codecs.of(&self.cells.position(place))?),
            Objects::Shards { codecs, .. } => with(codecs.longest().inner()),
        }
    }

    /// Bytes of the read unit at `place`, decoded.
    fn decoded_bytes(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        self.with_codec(place, |codec| Ok(codec.decoded_bytes()))
    }

    pub(super) fn room(&self) -> Result<u64, TaskFailure> {
        let codec = self.codec();
        let longest = self.longest_object().unwrap_or_else(|| codec.worst_encoded_bytes());
        let encoded = if codec.is_identity() { 0 } else { longest };
        let beside = if codec.is_variable() { self.assumed() } else { 0 };
        let decoded = codec.decoded_bytes().checked_add(beside);
        decoded.and_then(|decoded| encoded.checked_add(decoded)).ok_or_else(|| too_large("a source chunk"))
    }

    pub(super) fn is_variable(&self) -> bool {
        self.codec().is_variable()
    }

    pub(super) fn descriptor_bytes(&self) -> u64 {
        self.codec().decoded_bytes()
    }

    /// What the elements of a chunk are assumed to take, with their lengths.
    fn assumed(&self) -> u64 {
        let elements = self.codec().decoded_bytes().checked_div(DESCRIPTOR_BYTES).unwrap_or_default();
        elements.saturating_mul(LENGTH_BYTES.saturating_add(ASSUMED_BYTES))
    }

    /// The longest that a chunk was when the chunks were listed; of shards' chunks nothing is known.
    fn longest_object(&self) -> Option<u64> {
        match &self.objects {
            Objects::Chunks(_) => self.listed.longest,
            Objects::Shards { .. } => None,
        }
    }

    /// Whether the object at `position` is known to be absent.
    fn is_absent(&self, position: &[u64]) -> bool {
        self.listed.presence.as_ref().is_some_and(|presence| !presence.contains(position))
    }

    pub(super) fn settled_room(&self, encoded: u64) -> u64 {
        let codec = self.codec();
        let decoded = if codec.is_identity() { 0 } else { codec.decoded_bytes() };
        encoded.saturating_add(decoded)
    }

    pub(super) fn standing_room(&self) -> Result<u64, TaskFailure> {
        match &self.objects {
            Objects::Chunks(_) => Ok(0),
            Objects::Shards { codecs, indexes } => {
                let bytes = indexes.shards().checked_mul(codecs.longest().index_bytes());
                bytes.ok_or_else(|| too_large("the source's shard indexes"))
            }
        }
    }

    pub(super) async fn fetch(&self, cx: &TaskContext, place: &[u64], room: u64) -> Result<Fetched, TaskFailure> {
        let position = self.cells.position(place);
        let (key, fetched) = match &self.objects {
            Objects::Chunks(_) => {
                if self.is_absent(&position) {
                    return Ok(Fetched::Missing);
                }
                let key = self.keys.key(&position);
                let fetched = self.fetch_chunk(cx, place, &key, room).await?;
                (key, fetched)
            }
            Objects::Shards { codecs, indexes } => {
                let InnerPlace { shard, codec, inner } = codecs.place(&position)?;
                if self.is_absent(&shard) {
                    return Ok(Fetched::Missing);
                }
                let key = self.keys.key(&shard);
                let index = indexes.get(cx, &self.prefix, &key, &shard, &codec).await?;
                let entry = index.and_then(|index| index.entry(inner));
                let fetched = match entry {
                    Some(entry) => self.fetch_inner(cx, &key, entry, room).await?,
                    None => Fetched::Missing,
                };
                (key, fetched)
            }
        };
        if matches!(fetched, Fetched::Missing) {
            if self.is_strict {
                return Err(missing_chunk(&self.url_of(&key)));
            }
            cx.tally().add(|counts| counts.missing_source_chunks += 1);
        }
        Ok(fetched)
    }

    fn url_of(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix.url())
    }

    /// Refuses what cannot be an encoding of the chunk before its body is read.
    fn check_length(&self, key: &str, length: u64) -> Result<(), TaskFailure> {
        if let Some(longest) = self.longest_object().filter(|longest| length > *longest) {
            let reason = format!(
                "it has {length} bytes, and no chunk had more than {longest} when the job was planned; the source was \
                 written since, submit the job again"
            );
            return Err(corrupt_source(&self.url_of(key), reason));
        }
        if self.codec().is_variable() {
            return Ok(());
        }
        let most = self.codec().worst_encoded_bytes();
        // Other encoders have other bounds, by a little; the process's reserve covers it.
        let most = most.saturating_add(most / 16).saturating_add(4096);
        if length <= most {
            return Ok(());
        }
        let reason = format!("it has {length} bytes, but no encoding of its chunk has more than {most}");
        Err(corrupt_source(&self.url_of(key), reason))
    }

    async fn fetch_chunk(&self, cx: &TaskContext, place: &[u64], key: &str, room: u64) -> Result<Fetched, TaskFailure> {
        cx.tally().add(|counts| counts.get_requests += 1);
        if self.is_raw
            && let Some(part) = self.used_part(place)
            && (part.len() as u64) < self.decoded_bytes(place)?
        {
            return self.fetch_elements(key, part, self.decoded_bytes(place)?).await;
        }
        let Some(object) = self.prefix.get_sized(key).await.map_err(|error| of_storage(&error))? else {
            return Ok(Fetched::Missing);
        };
        self.check_length(key, object.content_length())?;
        if let Some(needed) = self.beyond(object.content_length(), room) {
            let unread = Unread::Object { object: Box::new(object), key: key.to_owned() };
            return Ok(Fetched::Longer(Box::new(Longer { needed, url: self.url_of(key), unread })));
        }
        let bytes = object.bytes().await.map_err(|error| of_storage(&error))?;
        Ok(bytes.map_or(Fetched::Missing, |bytes| Fetched::Encoded { bytes, url: self.url_of(key) }))
    }

    /// The elements `part` of a chunk of `size` bytes that is stored as its elements are.
    async fn fetch_elements(&self, key: &str, part: Range<usize>, size: u64) -> Result<Fetched, TaskFailure> {
        let range = part.start as u64..part.end as u64;
        let bytes = self.prefix.get_range_of(key, range, size).await.map_err(|error| of_storage(&error))?;
        Ok(bytes.map_or(Fetched::Missing, |bytes| Fetched::Elements { bytes, start: part.start }))
    }

    /// What a chunk of `length` bytes needs at the least, if its elements are of variable length and that is more than
    /// `room`.
    fn beyond(&self, length: u64, room: u64) -> Option<u64> {
        let needed = self.settled_room(length);
        (self.codec().is_variable() && needed > room).then_some(needed)
    }

    /// Reads a chunk that was found to be longer, now that there is room for it.
    pub(super) async fn read(&self, cx: &TaskContext, longer: Longer) -> Result<Fetched, TaskFailure> {
        match longer.unread {
            Unread::Object { object, key } => {
                let bytes = object.bytes().await.map_err(|error| of_storage(&error))?;
                Ok(bytes.map_or(Fetched::Missing, |bytes| Fetched::Encoded { bytes, url: self.url_of(&key) }))
            }
            Unread::Inner { key, entry } => self.fetch_inner(cx, &key, entry, u64::MAX).await,
        }
    }

    async fn fetch_inner(
        &self,
        cx: &TaskContext,
        key: &str,
        entry: ShardEntry,
        room: u64,
    ) -> Result<Fetched, TaskFailure> {
        self.check_length(key, entry.length)?;
        if let Some(needed) = self.beyond(entry.length, room) {
            let unread = Unread::Inner { key: key.to_owned(), entry };
            return Ok(Fetched::Longer(Box::new(Longer { needed, url: self.url_of(key), unread })));
        }
        let end = entry.offset.checked_add(entry.length);
        let end = end.ok_or_else(|| corrupt_source(&self.url_of(key), "its index points past every end"))?;
        cx.tally().add(|counts| counts.get_requests += 1);
        let bytes = self.prefix.get_range(key, entry.offset..end).await.map_err(|error| of_storage(&error))?;
        let url = self.url_of(key);
        match bytes {
            Some(bytes) => Ok(Fetched::Encoded { bytes, url }),
            None => Err(corrupt_source(&url, "the shard was deleted while it was read")),
        }
    }

    pub(super) fn decode(
        &self,
        cx: &TaskContext,
        place: &[u64],
        bytes: Bytes,
        url: &str,
    ) -> Result<Piece, TaskFailure> {
        let (bytes, start) = self.decode_used(place, bytes, url)?;
        self.count_decoded(cx, place)?;
        Ok(Piece::Elements { bytes, start, is_stored: true, heap: None })
    }

    /// The elements of a chunk whose elements are of variable length: as much as there is room for is tried, then more.
    pub(super) fn decode_variable(
        &self,
        place: &[u64],
        (bytes, url): (&Bytes, String),
        room: &mut Reservation,
        grow: impl Fn(&mut Reservation, u64) -> bool,
    ) -> Result<Decoded, TaskFailure> {
        self.with_codec(place, |codec| decode_variable(codec, bytes, url, room, grow))
    }

    /// The run of elements that was fetched of a read unit that is stored as its elements are.
    pub(super) fn elements(
        &self,
        cx: &TaskContext,
        place: &[u64],
        bytes: Bytes,
        start: usize,
    ) -> Result<Piece, TaskFailure> {
        self.count_decoded(cx, place)?;
        Ok(Piece::Elements { bytes, start, is_stored: true, heap: None })
    }

    /// A read unit counts whole, also where blocks of it that nobody needs were passed over; of elements that are stored
    /// as they are those count that the task moves.
    pub(super) fn count_decoded(&self, cx: &TaskContext, place: &[u64]) -> Result<(), TaskFailure> {
        let elements = if self.is_raw { self.cells.used_elements(place) } else { self.cells.valid_elements(place) };
        let bytes = elements.and_then(|elements| elements.checked_mul(self.width));
        let bytes = bytes.ok_or_else(|| too_large("a source chunk"))?;
        cx.tally().add(|counts| counts.bytes_decoded = counts.bytes_decoded.saturating_add(bytes));
        Ok(())
    }

    /// The elements of a read unit, or where that is less work the part of them that the task moves; and where they
    /// begin.
    fn decode_used(&self, place: &[u64], bytes: Bytes, url: &str) -> Result<(Bytes, usize), TaskFailure> {
        let corrupt = |error: CodecError| corrupt_source(url, error);
        self.with_codec(place, |codec| {
            if let Some(part) = self.small_part(place, codec)
                && let Some(part_bytes) = decoding(|| codec.decode_part(&bytes, part.clone())).map_err(corrupt)?
            {
                return Ok((part_bytes, part.start));
            }
            let bytes = decoding(|| codec.decode(bytes)).map_err(corrupt)?;
            if bytes.len() as u64 != codec.decoded_bytes() {
                let reason = format!("it decodes to {} bytes instead of {}", bytes.len(), codec.decoded_bytes());
                return Err(corrupt_source(url, reason));
            }
            Ok((bytes, 0))
        })
    }

    /// From the first to past the last byte of a decoded read unit that the task moves.
    fn used_part(&self, place: &[u64]) -> Option<Range<usize>> {
        let span = self.cells.used_span(place)?;
        let byte = |element: u64| usize::try_from(element.checked_mul(self.width)?).ok();
        Some(byte(span.start)?..byte(span.end)?)
    }

    /// The bytes of a read unit that the task moves, if they are a part that is worth decoding alone.
    fn small_part(&self, place: &[u64], codec: &ChunkCodec) -> Option<Range<usize>> {
        let part = self.used_part(place)?;
        let most = codec.decoded_bytes() / 2;
        (part.len() as u64 <= most).then_some(part)
    }
}

/// As [`ArraySource::decode_variable`], of one chunk.
fn decode_variable(
    codec: &ChunkCodec,
    bytes: &Bytes,
    url: String,
    room: &mut Reservation,
    grow: impl Fn(&mut Reservation, u64) -> bool,
) -> Result<Decoded, TaskFailure> {
    let length = bytes.len() as u64;
    let beside = length.saturating_add(codec.decoded_bytes());
    loop {
        let most = if codec.is_heap_stored() { length } else { room.bytes().saturating_sub(beside) };
        match decoding(|| codec.decode_variable(bytes.clone(), most)) {
            Ok(VariableChunk { descriptors, heap }) => {
                let piece = Piece::Elements { bytes: descriptors, start: 0, is_stored: true, heap: Some(heap) };
                return Ok(Decoded::Piece(piece));
            }
            Err(CodecError::OverRoom { bytes: found, .. }) => {
                // Some chunks say how long they are; others only that they go on.
                let wanted = if found > most.saturating_add(1) { found } else { most.max(length).saturating_mul(2) };
                let needed = beside.saturating_add(wanted);
                if !grow(room, needed) {
                    return Ok(Decoded::Short(Short { needed, url }));
                }
            }
            Err(error) => return Err(corrupt_source(&url, error)),
        }
    }
}
