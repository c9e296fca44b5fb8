//! Standing by: a coordinator that waits until the one that reigns is silent. It reads only.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::info;

use super::{
    JournalError,
    object::{HEARTBEAT, ObjectJournal, unavailable},
    tail::numbers,
};

/// Looks within one wait.
const LOOKS: u32 = 6;

/// What shows that somebody reigns: each of these changes while somebody does.
#[derive(PartialEq, Eq)]
struct Signs {
    heartbeat: Option<bytes::Bytes>,
    last: Option<u64>,
}

impl ObjectJournal {
    /// Waits until no sign of a reign has changed for `patience`; at once where there never was one.
    pub(super) async fn stand_by(&self, patience: Duration) -> Result<(), JournalError> {
        let mut seen = self.signs().await?;
        if seen.last.is_none() && seen.heartbeat.is_none() {
            return Ok(());
        }
        info!(journal = %self.prefix().url(), "standing by");
        let mut since = Instant::now();
        while since.elapsed() < patience {
            sleep(patience / LOOKS).await;
            let now = self.signs().await?;
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
        info!(journal = %self.prefix().url(), "nobody reigns");
        Ok(())
    }

    async fn signs(&self) -> Result<Signs, JournalError> {
        let heartbeat = self.prefix().get(HEARTBEAT).await.map_err(|error| unavailable(&error))?;
        let listed = numbers(self.prefix()).await?;
        Ok(Signs { heartbeat, last: listed.last().copied() })
    }
}
