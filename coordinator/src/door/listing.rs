//! Which chunks (or shards) of the source there are: one listing per array, as far as the request asks for it, before
//! the plan is made. Reads keys and lengths, never a chunk.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{
    ByteCount, Presence, Refusal,
    limits::{LISTED_BY_DEFAULT, MAX_LISTED_OBJECTS},
    request::SourceListing,
};
use rechunk_planner::CopySpec;
use rechunk_storage::{Access, ErrorClass, StorageError, StoreUrl, Stores};

use super::refusals;

/// Arrays of a group that are listed at a time.
const CONCURRENT_LISTINGS: usize = 8;

/// What a listing said of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Which objects there are.
    pub(super) presence: Presence,
    /// Bytes of the longest of them.
    pub(super) longest: ByteCount,
}

/// What was found of all arrays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listings {
    /// By array, in the order of the copies; `None`: every object is taken to be there.
    pub(super) arrays: Vec<Option<Found>>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// What became of one listing.
enum Outcome {
    Found(Found),
    NotAsked,
    Denied(StorageError),
}

/// Lists the sources of `copies`.
pub(super) async fn list(stores: &Stores, copies: &[CopySpec], listing: SourceListing) -> Result<Listings, Refusal> {
    let asked: Vec<_> = copies.iter().map(|copy| list_array(stores, copy, listing)).collect();
    let mut outcomes = stream::iter(asked).buffered(CONCURRENT_LISTINGS);
    let mut listings = Listings::default();
    let mut denied: Option<StorageError> = None;
    while let Some(outcome) = outcomes.try_next().await? {
        listings.arrays.push(match outcome {
            Outcome::Found(found) => Some(found),
            Outcome::NotAsked => None,
            Outcome::Denied(error) => {
                denied.get_or_insert(error);
                None
            }
        });
    }
    listings.warnings.extend(
        denied.map(|error| format!("the source's chunks are not listed, so every one is taken to be there: {error}")),
    );
    Ok(listings)
}

async fn list_array(stores: &Stores, copy: &CopySpec, listing: SourceListing) -> Result<Outcome, Refusal> {
    let most = match listing {
        SourceListing::WhereFew => LISTED_BY_DEFAULT,
        SourceListing::Always => MAX_LISTED_OBJECTS,
        SourceListing::Never => return Ok(Outcome::NotAsked),
    };
    let source = &copy.source;
    if source.shape.contains(&0) {
        return Ok(Outcome::NotAsked);
    }
    let beyond = || match listing {
        SourceListing::Always => Err(too_many(&source.url)),
        SourceListing::WhereFew | SourceListing::Never => Ok(Outcome::NotAsked),
    };
    let Some(mut presence) = Presence::none(source.write_grid()) else { return beyond() };
    let refuse = |error: StorageError| match (listing, error.class) {
        // Reading needs no right to list, nor a store that can; a plan for a dense source will do.
        (SourceListing::WhereFew, ErrorClass::Denied | ErrorClass::Unsupported) => Ok(Outcome::Denied(error)),
        (SourceListing::WhereFew | SourceListing::Always | SourceListing::Never, _) => {
            Err(refusals::of_storage(&error, "source"))
        }
    };
    let url = StoreUrl::parse(&source.url).map_err(|error| {
        Refusal::invalid("source", "MALFORMED_URL", format!("source array {}: {error}", source.url))
    })?;
    let mut objects = match stores.open(&url, Access::Read) {
        Ok(prefix) => prefix.list(""),
        Err(error) => return refuse(error),
    };
    let (mut listed, mut longest) = (0_u64, 0);
    while let Some(object) = objects.next().await {
        let object = match object {
            Ok(object) => object,
            Err(error) => return refuse(error),
        };
        listed = listed.saturating_add(1);
        if listed > most {
            return beyond();
        }
        // Foreign keys, and chunks beyond the array's edge, are none of its objects.
        let position = source.keys.position(&object.key, source.shape.len());
        if let Some(position) = position.filter(|position| presence.objects().index(position).is_some()) {
            presence.insert(&position);
            longest = longest.max(object.size);
        }
    }
    Ok(Outcome::Found(Found { presence, longest: ByteCount(longest) }))
}

fn too_many(url: &str) -> Refusal {
    let message = format!(
        "source array {url} has more objects than the {MAX_LISTED_OBJECTS} that can be listed; leave --list always out"
    );
    refusals::over_limit("listing", "MAX_LISTED_OBJECTS", message)
}
