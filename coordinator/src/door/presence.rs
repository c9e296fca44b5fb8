//! What a plan is told of the listed sources, and the bitmaps that stages will read: they are made here and written
//! when a job is submitted, before it is accepted. A plan alone writes nothing.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    plan::{ListedSource, PresenceBitmap},
};
use rechunk_planner::{CopySpec, Listing};
use rechunk_storage::{Access, StorageError, StoreUrl, Stores, Unguarded};

use super::{
    listing::{Found, Listings},
    refusals,
};

/// Bitmaps that are written at a time.
const CONCURRENT_WRITES: usize = 8;

/// Objects that must lie in a job's temporary space before the job is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TempObjects {
    /// The job's temporary space: nothing else lies there yet.
    pub space: String,
    /// Each object's URL and content.
    pub objects: Vec<(String, Vec<u8>)>,
}

impl TempObjects {
    /// Writes them all; what was written is removed where one cannot be.
    pub(super) async fn write(&self, stores: &Stores) -> Result<(), Refusal> {
        let writes: Vec<_> = self.objects.iter().map(|(url, body)| write(stores, url, body)).collect();
        let written = stream::iter(writes).buffer_unordered(CONCURRENT_WRITES).try_collect::<Vec<()>>().await;
        if let Err(error) = written {
            remove(stores, &self.space).await;
            let mut refusal = refusals::of_storage(&error, "temp");
            refusal.message.push_str(", or choose another place with --temp");
            return Err(refusal);
        }
        Ok(())
    }
}

/// Removes what lies in the temporary space of a job that was not accepted. Best effort: nobody waits for it.
pub(super) async fn remove(stores: &Stores, space: &str) {
    let removed = async {
        let Ok(url) = StoreUrl::parse(space) else { return Ok(()) };
        let prefix = stores.open(&url, Access::ReadWrite)?;
        prefix.delete_all("", &Unguarded).await?;
        prefix.remove_empty_directories().await
    };
    if let Err(error) = removed.await {
        tracing::warn!(space, %error, "what was written for a job that was not accepted stays");
    }
}

async fn write(stores: &Stores, url: &str, body: &[u8]) -> Result<(), StorageError> {
    let place = StoreUrl::parse(url).ok().and_then(|url| Some((url.parent()?, url.file_name()?.to_owned())));
    let Some((directory, name)) = place else { return Ok(()) };
    stores.open(&directory, Access::ReadWrite)?.put(&name, body.to_vec(), &Unguarded).await
}

/// Tells `copies` what was listed, and gives the bitmaps of those that have gaps, to be written below `generation`.
/// Refuses gaps where the request is strict.
pub(super) fn tell(
    copies: &mut [CopySpec],
    listings: Listings,
    generation: &StoreUrl,
) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let directory = generation.join(PresenceBitmap::DIRECTORY);
    let mut bitmaps = Vec::new();
    for (index, (copy, found)) in copies.iter_mut().zip(listings.arrays).enumerate() {
        let Some(Found { presence, longest }) = found else { continue };
        if let (true, Some(position)) = (copy.gaps.strict, presence.first_absent()) {
            return Err(missing(copy, &position));
        }
        if !copy.source.chunks.is_sharded() {
            copy.source_encoding.chunk = longest;
        }
        let bitmap = (!presence.is_complete()).then(|| {
            let url = directory.join(&index.to_string()).to_string();
            let bits = presence.bits();
            bitmaps.push((url.clone(), bits.to_vec()));
            PresenceBitmap {
                url,
                size: ByteCount(bits.len().try_into().unwrap_or(u64::MAX)),
                crc32c: crc32c::crc32c(bits),
                objects: presence.objects().clone(),
                fill: copy.source.fill.clone(),
            }
        });
        copy.listed = Some(Listing { presence, source: ListedSource { longest, presence: bitmap } });
    }
    Ok(bitmaps)
}

fn missing(copy: &CopySpec, position: &[u64]) -> Refusal {
    let key = copy.source.keys.key(position);
    let what = if copy.source.chunks.is_sharded() { "shard" } else { "chunk" };
    let message = format!(
        "source {what} {}/{key} is missing, and --strict makes that an error; restore it, or leave --strict out",
        copy.source.url
    );
    Refusal::new(RefusalCode::FailedPrecondition, "SOURCE_CHUNK_MISSING", message).at("strict")
}
