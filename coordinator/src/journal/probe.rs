//! The probe at the start: a store whose second create of a name succeeds, or whose reads lag behind its writes, would
//! let two coordinators write the same number.

use rechunk_proto::journal::Nonce;
use rechunk_storage::{Creation, Prefix, Unguarded};
use tokio::time::sleep;

use super::{
    JournalError,
    object::{CONFLICT_PAUSE, MOST_CONFLICTS, unavailable},
};

/// Refuses a store that does not refuse a second create.
pub(super) async fn probe(prefix: &Prefix, nonce: Nonce) -> Result<(), JournalError> {
    let key = format!("probe/{:032x}", nonce.0);
    let verdict = try_twice(prefix, &key).await;
    let removed = prefix.delete(&key, &Unguarded).await;
    verdict?;
    removed.map_err(|error| unavailable(&error))
}

async fn try_twice(prefix: &Prefix, key: &str) -> Result<(), JournalError> {
    create_first(prefix, key).await?;
    let second = prefix.create(key, "second", &Unguarded).await.map_err(|error| unavailable(&error))?;
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

/// Creates the object, once; what is said to exist is looked for, because an answer may have been lost, and because S3
/// says so too where two requests met and nothing was written.
async fn create_first(prefix: &Prefix, key: &str) -> Result<(), JournalError> {
    for _ in 0..MOST_CONFLICTS {
        let creation = prefix.create(key, "first", &Unguarded).await.map_err(|error| unavailable(&error))?;
        let is_there = match creation {
            Creation::Created => true,
            Creation::Exists => prefix.get(key).await.map_err(|error| unavailable(&error))?.is_some(),
        };
        if is_there {
            return Ok(());
        }
        sleep(CONFLICT_PAUSE).await;
    }
    Err(JournalError::Unavailable(format!("{key} is said to exist and is not there, {MOST_CONFLICTS} times")))
}
