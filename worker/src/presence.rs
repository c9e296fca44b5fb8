//! What a listing told of a source, as a task uses it. The bitmap of which objects there are is read once by a worker
//! process, whoever needs it first, and kept within bounds; they are part of the process's reserve.

use std::sync::{Arc, Mutex, PoisonError};

use rechunk_common::{
    FailureClass, Presence, TaskFailure,
    geometry::Region,
    layout::ArrayLayout,
    plan::{ListedSource, PresenceBitmap},
};
use rechunk_storage::Access;
use tokio::sync::OnceCell;

use crate::{context::TaskContext, failure::of_storage, metadata::object_at};

#[cfg(test)]
mod tests;

/// Bytes of bitmaps that are kept: eight of the largest.
const MOST_BYTES: u64 = 4 << 20;

/// What is known of a source before anything is asked of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// Bytes of the longest object; `None`: nothing is known of lengths.
    pub(crate) longest: Option<u64>,
    /// Which objects there are; `None`: nothing is known to be absent.
    pub(crate) presence: Option<Arc<Presence>>,
}

impl Listed {
    /// Reads what `listed` names.
    pub(crate) async fn of(cx: &TaskContext, listed: Option<&ListedSource>) -> Result<Self, TaskFailure> {
        let Some(ListedSource { longest, presence }) = listed else { return Ok(Self::default()) };
        Ok(Self { longest: Some(longest.0), presence: presence_of(cx, presence.as_ref()).await? })
    }
}

/// Reads the bitmap that `bitmap` names.
pub(crate) async fn presence_of(
    cx: &TaskContext,
    bitmap: Option<&PresenceBitmap>,
) -> Result<Option<Arc<Presence>>, TaskFailure> {
    match bitmap {
        Some(bitmap) => cx.presences().get(cx, bitmap).await.map(Some),
        None => Ok(None),
    }
}

/// By object of `layout` at `objects` (positions, half-open), in C order: whether one that is there shares an element
/// with it.
pub(crate) fn touched_objects(presence: &Presence, layout: &ArrayLayout, objects: &Region) -> Vec<bool> {
    let grid = layout.write_grid();
    let mut axes = Vec::with_capacity(objects.rank());
    for (axis, (first, end)) in objects.start().iter().zip(objects.end()).enumerate() {
        let bounds = (grid.bounds().start().get(axis), grid.bounds().end().get(axis));
        let (from, to) = (bounds.0.copied().unwrap_or(0), bounds.1.copied().unwrap_or(0));
        let of_object = |at: u64| {
            let span = grid.span(axis, at);
            presence.along(axis, span.start.max(from), span.end.min(to))
        };
        axes.push((*first..*end).map(of_object).collect::<Vec<_>>());
    }
    presence.touched(&axes)
}

type Known = Arc<OnceCell<Arc<Presence>>>;

#[derive(Debug)]
struct Entry {
    url: String,
    crc32c: u32,
    bytes: u64,
    known: Known,
}

/// The bitmaps of a worker process.
#[derive(Debug, Default)]
pub(crate) struct PresenceCache {
    /// The one that was used last comes last.
    entries: Mutex<Vec<Entry>>,
}

impl PresenceCache {
    /// The presence that `bitmap` stands for; read by `cx` if nobody has.
    async fn get(&self, cx: &TaskContext, bitmap: &PresenceBitmap) -> Result<Arc<Presence>, TaskFailure> {
        let known = self.entry(bitmap);
        known.get_or_try_init(|| read(cx, bitmap)).await.cloned()
    }

    fn entry(&self, bitmap: &PresenceBitmap) -> Known {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |entry: &Entry| entry.url == bitmap.url && entry.crc32c == bitmap.crc32c;
        let entry = match entries.iter().position(is_it) {
            Some(at) => entries.remove(at),
            None => {
                Entry { url: bitmap.url.clone(), crc32c: bitmap.crc32c, bytes: bitmap.size.0, known: Known::default() }
            }
        };
        let known = Arc::clone(&entry.known);
        entries.push(entry);
        let bytes = |entries: &[Entry]| entries.iter().fold(0_u64, |bytes, entry| bytes.saturating_add(entry.bytes));
        while entries.len() > 1 && bytes(&entries) > MOST_BYTES {
            entries.remove(0);
        }
        known
    }
}

async fn read(cx: &TaskContext, bitmap: &PresenceBitmap) -> Result<Arc<Presence>, TaskFailure> {
    let (directory, name) = object_at(&bitmap.url)?;
    let prefix = cx.open(&directory, Access::Read)?;
    cx.tally().add(|counts| counts.metadata_requests += 1);
    let object = prefix.get_sized(&name).await.map_err(|error| of_storage(&error))?;
    let object = object.ok_or_else(|| unusable(bitmap, "it is not there"))?;
    if object.content_length() != bitmap.size.0 {
        let reason = format!("it has {} bytes instead of {}", object.content_length(), bitmap.size.0);
        return Err(unusable(bitmap, &reason));
    }
    let bits = object.bytes().await.map_err(|error| of_storage(&error))?;
    let bits = bits.ok_or_else(|| unusable(bitmap, "it was deleted while it was read"))?;
    if crc32c::crc32c(&bits) != bitmap.crc32c {
        return Err(unusable(bitmap, "its checksum does not match"));
    }
    let presence = Presence::of_bits(bitmap.objects.clone(), bits.to_vec());
    presence.map(Arc::new).ok_or_else(|| unusable(bitmap, "it has other bits than the source has objects"))
}

fn unusable(bitmap: &PresenceBitmap, reason: &str) -> TaskFailure {
    let message = format!("cannot read {}, which says what the source has: {reason}; submit the job again", bitmap.url);
    TaskFailure::new(FailureClass::GiveUpTask, message)
}
