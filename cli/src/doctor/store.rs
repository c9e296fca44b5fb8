//! Asks one store for everything that jobs ask of it, with an object of its own that is gone afterwards.

use futures::TryStreamExt;
use rechunk_storage::{Access, Creation, Prefix, StorageError, StoreUrl, Stores, Unguarded};

use super::Finding;

/// The object that is written, below a directory of a name that nobody has.
const KEY: &str = "probe";

const FIRST: &[u8] = b"first";

/// Lists, reads and, if `may_write`, creates, replaces nothing, and deletes at `url`; `unique` is a name of this call alone.
pub(crate) async fn examine(stores: &Stores, url: &StoreUrl, may_write: bool, unique: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let place = match stores.open(url, Access::Read) {
        Ok(place) => place,
        Err(error) => return vec![Finding::refused(format!("open {url}"), &error)],
    };
    let is_empty = if place.can_list() { Some(place.is_empty().await) } else { None };
    findings.push(judge_listing(is_empty, url));
    let absent = format!(".rechunk-doctor-{unique}");
    findings.push(match place.get(&format!("{absent}/{KEY}")).await {
        Ok(None) => Finding::good(format!("read {url}"), "what is not there is said to be missing"),
        Ok(Some(_)) => Finding::warning(format!("read {url}"), "an object that nobody wrote is there"),
        Err(error) => Finding::refused(format!("read {url}"), &error),
    });
    let check = format!("write {url}");
    if !may_write {
        findings.push(Finding::warning(check, "not tried"));
        return findings;
    }
    match stores.open(&url.join(&absent), Access::ReadWrite) {
        Ok(place) => findings.extend(write(&place, url).await),
        Err(error) => findings.push(Finding::warning(check, format!("not tried: {error}"))),
    }
    findings
}

/// What a listing showed, if there is any.
pub(super) fn judge_listing(is_empty: Option<Result<bool, StorageError>>, url: &StoreUrl) -> Finding {
    let check = format!("list {url}");
    match is_empty {
        Some(Ok(true)) => Finding::good(check, "nothing is there"),
        Some(Ok(false)) => Finding::good(check, "something is there"),
        Some(Err(error)) => Finding::refused(check, &error),
        None => Finding::warning(check, "a web server lists nothing: a group there needs consolidated metadata"),
    }
}

/// Creates an object twice, looks for it, and deletes it whatever came of that.
async fn write(place: &Prefix, url: &StoreUrl) -> Vec<Finding> {
    let mut findings = match create_twice(place).await {
        Ok(seen) => judge(seen, url),
        Err(error) => vec![Finding::refused(format!("write {url}"), &error)],
    };
    let deleted = place.delete(KEY, &Unguarded).await;
    findings.push(match deleted {
        Ok(()) => Finding::good(format!("delete {url}"), "the probe is gone"),
        Err(error) => Finding::refused(format!("delete {url}"), &error),
    });
    // Best effort, on local files only.
    let _left = place.remove_empty_directories().await;
    findings
}

/// What a store showed of an object that was created twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) refused_second: bool,
    pub(super) kept_first: bool,
    pub(super) is_listed: bool,
}

async fn create_twice(place: &Prefix) -> Result<Seen, StorageError> {
    place.create(KEY, FIRST, &Unguarded).await?;
    let second = place.create(KEY, &b"second"[..], &Unguarded).await?;
    let found = place.get(KEY).await?;
    let listed: Vec<_> = place.list("").try_collect().await?;
    Ok(Seen {
        refused_second: second == Creation::Exists,
        kept_first: found.as_deref() == Some(FIRST),
        is_listed: listed.iter().any(|object| object.key == KEY),
    })
}

/// What follows for jobs, and for a journal.
pub(super) fn judge(seen: Seen, url: &StoreUrl) -> Vec<Finding> {
    let check = format!("create-if-absent {url}");
    let created = if seen.refused_second && seen.kept_first {
        Finding::good(check, "a second create is refused: it may hold a journal")
    } else {
        let message =
            "a second create replaces the first: no coordinator may keep its --journal here; jobs are not touched";
        Finding::warning(check, message)
    };
    let written = if seen.is_listed {
        Finding::good(format!("write {url}"), "what is written is listed at once")
    } else {
        let message = "an object that was just written is not listed: use a store whose listings follow its writes";
        Finding::bad(format!("write {url}"), message)
    };
    vec![written, created]
}
