//! What a source in an index of references really reads: it must be open here, as it must be to the workers, and apart
//! from all that the job writes.

use rechunk_common::Refusal;
use rechunk_storage::{Access, StoreUrl, Stores};

use super::{discovery::Source, refusals};

/// An object that the arrays of `source` refer to, if they refer to any. `written` are the places that the job writes,
/// by the field of the request that says so.
pub(super) async fn example(
    stores: &Stores,
    source: &Source,
    written: [(&str, &StoreUrl); 2],
) -> Result<Option<StoreUrl>, Refusal> {
    if source.url.index().is_none() {
        return Ok(None);
    }
    let refuse = |error| refusals::of_storage(&error, "source");
    let prefix = stores.open(&source.url, Access::Read).map_err(refuse)?;
    let keys: Vec<&str> = source.arrays.keys().map(String::as_str).collect();
    let apart = written.iter().map(|(_, place)| (*place).clone()).collect();
    let referred = prefix.referred(&keys, apart).await.map_err(refuse)?;
    let Some((object, place)) = referred.overlap else { return Ok(referred.example) };
    let field = written.iter().find(|(_, written)| **written == place).map_or("target", |(field, _)| *field);
    let reason = if field == "temp" { "TEMP_OVERLAPS" } else { "TARGET_OVERLAPS_SOURCE" };
    let message = format!("{field} {place} overlaps {object}, which source {} refers to; choose another", source.url);
    Err(Refusal::invalid(field, reason, message))
}
