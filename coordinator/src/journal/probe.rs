//! The probe at the start: a store whose second create of a name succeeds, or whose reads lag behind its writes, would
//! let two coordinators write the same number.

use rechunk_proto::journal::Nonce;
use rechunk_storage::{Creation, Prefix, Unguarded};

use super::{JournalError, object::unavailable};

/// Refuses a store that does not refuse a second create.
pub(super) async fn probe(prefix: &Prefix, nonce: Nonce) -> Result<(), JournalError> {
    let key = format!("probe/{:032x}", nonce.0);
    let verdict = try_twice(prefix, &key).await;
    let removed = prefix.delete(&key, &Unguarded).await;
    verdict?;
    removed.map_err(|error| unavailable(&error))
}

async fn try_twice(prefix: &Prefix, key: &str) -> Result<(), JournalError> {
    let create = |text: &'static str| prefix.create(key, text, &Unguarded);
    // A first answer that is lost makes this one say that the object exists: no matter.
    create("first").await.map_err(|error| unavailable(&error))?;
    let second = create("second").await.map_err(|error| unavailable(&error))?;
    let found = prefix.get(key).await.map_err(|error| unavailable(&error))?;
    match (second, found.as_deref()) {
        (Creation::Exists, Some(b"first")) => Ok(()),
        (Creation::Created, _) | (Creation::Exists, Some(_)) => Err(JournalError::Unsafe(format!(
            "{} replaces an object where it is asked to create a new one; use a store with conditional writes",
            prefix.url()
        ))),
        (Creation::Exists, None) => {
            Err(JournalError::Unsafe(format!("{} does not show an object that was just written", prefix.url())))
        }
    }
}
