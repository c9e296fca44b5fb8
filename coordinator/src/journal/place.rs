//! Where the journal is, as a flag says it.

use rechunk_proto::journal::Nonce;
use rechunk_storage::{StoreUrl, Stores};

use super::{Journal, JournalError, MemoryJournal, ObjectJournal};

/// The journal of a coordinator that is told of none: a directory where it is started.
pub const DEFAULT_JOURNAL: &str = "rechunk-journal";

/// The journal that lasts as long as the process.
const MEMORY: &str = "memory:";

/// Where a journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalPlace {
    /// In this process; it forgets the jobs when the coordinator ends.
    Memory,
    /// In an object store, or in a local directory.
    Objects(StoreUrl),
}

impl JournalPlace {
    /// `memory:`, a path, or a URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == MEMORY {
            return Ok(Self::Memory);
        }
        StoreUrl::parse(text).map(Self::Objects).map_err(|error| error.to_string())
    }

    /// Opens the journal; nothing is sent yet. A URL that no profile of `stores` covers is reached with the
    /// environment's settings.
    pub fn open(&self, stores: &Stores) -> Result<Box<dyn Journal>, JournalError> {
        Ok(match self {
            Self::Memory => Box::new(MemoryJournal::default()),
            Self::Objects(url) => Box::new(Self::objects(url, stores)?),
        })
    }

    /// Waits until nobody reigns: at once where the journal is new or in memory.
    pub async fn stand_by(&self, stores: &Stores, patience: std::time::Duration) -> Result<(), JournalError> {
        match self {
            Self::Memory => Ok(()),
            Self::Objects(url) => Self::objects(url, stores)?.stand_by(patience).await,
        }
    }

    fn objects(url: &StoreUrl, stores: &Stores) -> Result<ObjectJournal, JournalError> {
        let stores = Stores::new(stores.config().clone().durable());
        ObjectJournal::open(&stores, url, Nonce(uuid::Uuid::new_v4().as_u128()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_in_memory_in_a_directory_or_in_a_store() {
        assert_eq!(JournalPlace::parse("memory:"), Ok(JournalPlace::Memory));
        for url in ["s3://bucket/journal", "/var/lib/rechunk", DEFAULT_JOURNAL] {
            assert!(matches!(JournalPlace::parse(url), Ok(JournalPlace::Objects(_))), "{url}");
        }
        assert!(JournalPlace::parse("gopher://x").is_err());
    }
}
