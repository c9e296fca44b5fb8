//! What a listing said of a source. Behind this door a bitmap has a bit for each object of its grid, and that grid is the
//! one of the source it is about.

use rechunk_common::{
    ByteCount,
    geometry::BoxGrid,
    layout::ElementType,
    limits::MAX_LISTED_OBJECTS,
    plan::{ListedSource, PresenceBitmap},
};

use super::field::{optional, required, url, within};
use crate::{
    fault::{Fault, Problem},
    v1,
};

impl From<ListedSource> for v1::ListedSource {
    fn from(listed: ListedSource) -> Self {
        let ListedSource { longest, presence } = listed;
        Self { longest_bytes: longest.0, presence: presence.map(Into::into) }
    }
}

impl TryFrom<v1::ListedSource> for ListedSource {
    type Error = Fault;

    fn try_from(listed: v1::ListedSource) -> Result<Self, Fault> {
        Ok(Self { longest: ByteCount(listed.longest_bytes), presence: optional(listed.presence, "presence")? })
    }
}

impl From<PresenceBitmap> for v1::PresenceBitmap {
    fn from(bitmap: PresenceBitmap) -> Self {
        let PresenceBitmap { url, size, crc32c, objects, fill } = bitmap;
        Self { url, size_bytes: size.0, crc32c, objects: Some(objects.into()), fill }
    }
}

impl TryFrom<v1::PresenceBitmap> for PresenceBitmap {
    type Error = Fault;

    fn try_from(bitmap: v1::PresenceBitmap) -> Result<Self, Fault> {
        let objects: BoxGrid = required(bitmap.objects, "objects")?;
        within(objects.len(), MAX_LISTED_OBJECTS, "MAX_LISTED_OBJECTS", "objects")?;
        let mut starts = objects.bounds().start().iter().enumerate();
        if starts.any(|(axis, start)| *start > 0 && objects.ahead(axis) == 0) {
            return Err(Fault::at("objects", Problem::Outside));
        }
        if bitmap.size_bytes != objects.len().div_ceil(8) {
            return Err(Fault::at("size_bytes", Problem::Disagrees { other: "objects" }));
        }
        Ok(Self {
            url: url(bitmap.url, "url")?,
            size: ByteCount(bitmap.size_bytes),
            crc32c: bitmap.crc32c,
            objects,
            fill: bitmap.fill,
        })
    }
}

/// What was listed of the source whose objects are `objects`, of elements as `fill`.
pub(super) fn of_source(
    listed: Option<v1::ListedSource>,
    objects: &BoxGrid,
    fill: &[u8],
) -> Result<Option<ListedSource>, Fault> {
    let listed: Option<ListedSource> = optional(listed, "listed")?;
    if let Some(bitmap) = listed.as_ref().and_then(|listed| listed.presence.as_ref()) {
        let disagrees = |field: &str, other| Err(Fault::at(field, Problem::Disagrees { other }));
        if bitmap.objects != *objects {
            return disagrees("listed.presence.objects", "source");
        }
        if bitmap.fill != fill {
            return disagrees("listed.presence.fill", "source.fill");
        }
    }
    Ok(listed)
}

/// The presence of the source of what `tasks`, a grid and its field, write or read, of such elements.
pub(super) fn of_tasks(
    presence: Option<v1::PresenceBitmap>,
    (tasks, field): (&BoxGrid, &str),
    element: &ElementType,
) -> Result<Option<PresenceBitmap>, Fault> {
    let presence: Option<PresenceBitmap> = optional(presence, "presence")?;
    if let Some(bitmap) = &presence {
        let (expected, found) = (tasks.bounds().rank(), bitmap.objects.bounds().rank());
        if found != expected {
            return Err(Fault::at("presence.objects", Problem::RankMismatch { expected, found }));
        }
        if !bitmap.objects.bounds().contains(tasks.bounds()) {
            return Err(Fault::at(field, Problem::Outside));
        }
        if !element.holds(&bitmap.fill) {
            let found = u64::try_from(bitmap.fill.len()).unwrap_or(u64::MAX);
            return Err(Fault::at("presence.fill", Problem::WidthMismatch { expected: element.width, found }));
        }
    }
    Ok(presence)
}
