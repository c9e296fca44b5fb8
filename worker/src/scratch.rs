//! The worker's local disk: a directory of this worker in the one that was named, and in it one for each attempt of a
//! task that needs it, removed when the attempt is over, whatever became of it. What a worker that died left behind goes
//! when the next one starts.
//!
//! Each worker holds a lock on a file beside its directory for as long as it lives: that tells the living from the dead
//! also where every process has the same number, as in containers.

use std::{
    fs::{self, File, TryLockError},
    hash::{BuildHasher, Hasher},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rechunk_common::ByteCount;
use rechunk_storage::{Access, StoreConfig, StoreProfile, StoreUrl, Stores};

/// What the names of our directories begin with, and those of their locks, which end in [`LOCK`].
const PREFIX: &str = "rechunk-scratch-";
const LOCK: &str = ".lock";

/// Of what is free on the disk a worker offers all but this part: file systems need room for themselves.
const PART_KEPT_FREE: u64 = 10;

/// Why a directory is of no use.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {} as scratch: {cause}", directory.display())]
pub struct ScratchError {
    directory: PathBuf,
    cause: String,
}

impl ScratchError {
    fn of(directory: &Path, cause: impl std::fmt::Display) -> Self {
        Self { directory: directory.to_path_buf(), cause: cause.to_string() }
    }
}

/// A worker's share of a local disk.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
    lock_path: PathBuf,
    /// Held while the worker lives.
    _lock: File,
    url: StoreUrl,
    stores: Stores,
    size: ByteCount,
    next: AtomicU64,
}

impl Scratch {
    /// What a worker may offer of the disk of `parent`, which need not be there yet: nine tenths of what is free,
    /// `limit` at the most.
    pub fn available(parent: &Path, limit: Option<ByteCount>) -> Result<ByteCount, ScratchError> {
        let parent = std::path::absolute(parent).map_err(|error| ScratchError::of(parent, error))?;
        let existing = parent.ancestors().find(|directory| directory.is_dir()).unwrap_or(&parent);
        let free = free_on(existing).map_err(|error| ScratchError::of(&parent, error))?;
        let offered = ByteCount(free.saturating_sub(free.div_ceil(PART_KEPT_FREE)));
        Ok(limit.map_or(offered, |limit| limit.min(offered)))
    }

    /// Takes a directory inside `parent`, which is made if it is not there, after removing those of workers that have
    /// died. Tasks may use `size` together.
    pub fn open(parent: &Path, size: ByteCount) -> Result<Self, ScratchError> {
        let told = |error: io::Error| ScratchError::of(parent, error);
        fs::create_dir_all(parent).map_err(told)?;
        remove_what_the_dead_left(parent).map_err(told)?;
        let name = format!("{PREFIX}{:016x}", std::hash::RandomState::new().build_hasher().finish());
        let (directory, lock_path) = (parent.join(&name), parent.join(format!("{name}{LOCK}")));
        let text = directory.to_str().ok_or_else(|| ScratchError::of(parent, "its name is not UTF-8"))?;
        let url = StoreUrl::parse(text).map_err(|error| ScratchError::of(parent, error))?;
        let lock = File::create_new(&lock_path).map_err(told)?;
        lock.lock().map_err(told)?;
        // Shows at once whether anything can be written.
        fs::create_dir(&directory).map_err(told)?;
        let profile = StoreProfile::new(url.clone(), Access::ReadWrite);
        let stores = Stores::new(StoreConfig::of_profiles(vec![profile]));
        Ok(Self { directory, lock_path, _lock: lock, url, stores, size, next: AtomicU64::new(0) })
    }

    /// What tasks may use together.
    pub fn size(&self) -> ByteCount {
        self.size
    }

    /// A place for one attempt; nothing lies there yet.
    pub(crate) fn attempt(&self) -> AttemptScratch {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let place = ScratchPlace { url: self.url.join(&name).to_string(), stores: self.stores.clone() };
        AttemptScratch { directory: self.directory.join(name), place: Arc::new(place) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.directory);
        // The lock goes with the file's last handle; the next worker would remove what stays.
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Where one attempt may write: a place in a store of local files that nothing observes or counts.
#[derive(Debug)]
pub(crate) struct ScratchPlace {
    pub(crate) url: String,
    pub(crate) stores: Stores,
}

/// The directory of one attempt. Dropped, it is removed with all that is in it.
#[derive(Debug)]
pub(crate) struct AttemptScratch {
    directory: PathBuf,
    place: Arc<ScratchPlace>,
}

impl AttemptScratch {
    pub(crate) fn place(&self) -> Arc<ScratchPlace> {
        Arc::clone(&self.place)
    }

    #[cfg(test)]
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes it, away from the async threads. None of the attempt's writes may be under way.
    pub(crate) async fn remove(self) {
        if let Err(error) = tokio::task::spawn_blocking(move || drop(self)).await {
            tracing::warn!(%error, "a scratch directory was not removed");
        }
    }
}

impl Drop for AttemptScratch {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

fn remove(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(directory = %directory.display(), %error, "a scratch directory was not removed");
        }
        Ok(()) | Err(_) => {}
    }
}

/// Removes the directories of workers whose lock nobody holds any more.
fn remove_what_the_dead_left(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock_path = entry?.path();
        let name = lock_path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(LOCK)).filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let Ok(lock) = File::open(&lock_path) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                tracing::info!(directory = name, "what a worker that died left behind is removed");
                remove(&parent.join(name));
                // Another worker that starts now may have done it already.
                let _ = fs::remove_file(&lock_path);
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// What is free on the disk of `directory`.
fn free_on(directory: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    #[test]
    fn a_worker_leaves_nothing_and_offers_no_more_than_it_may() {
        let parent = tempfile::tempdir().expect("a directory");
        let parent = parent.path().join("made/if/needed");
        let offered = |limit| Scratch::available(&parent, limit).expect("a disk");
        assert_eq!(offered(Some(ByteCount(1000))), ByteCount(1000));
        let free = free_on(parent.ancestors().nth(3).expect("the directory")).expect("free");
        assert!(offered(None) > ByteCount(0) && offered(Some(ByteCount(u64::MAX))).0 < free * 2);
        assert!(!parent.exists(), "nothing is made for an answer");
        let scratch = Scratch::open(&parent, ByteCount(1000)).expect("opened");
        let attempt = scratch.attempt();
        let other = scratch.attempt();
        assert_ne!(attempt.directory, other.directory);
        fs::create_dir_all(attempt.directory.join("ab")).expect("made");
        fs::write(attempt.directory.join("ab/0"), "elements").expect("written");
        drop(attempt);
        assert_eq!(names(&scratch.directory), [""; 0]);
        drop(other);
        drop(scratch);
        assert_eq!(names(&parent), [""; 0]);
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_have_stays() {
        let parent = tempfile::tempdir().expect("a directory");
        let living = Scratch::open(parent.path(), ByteCount(1)).expect("opened");
        fs::write(living.directory.join("0"), "needed").expect("written");
        let dead = parent.path().join("rechunk-scratch-dead");
        fs::create_dir_all(dead.join("7/ab")).expect("made");
        fs::write(parent.path().join("rechunk-scratch-dead.lock"), "").expect("written");
        fs::write(parent.path().join("somebody-else.lock"), "").expect("written");
        let next = Scratch::open(parent.path(), ByteCount(1)).expect("opened");
        assert!(!dead.exists() && !parent.path().join("rechunk-scratch-dead.lock").exists());
        assert!(living.directory.join("0").exists() && parent.path().join("somebody-else.lock").exists());
        drop((living, next));
        assert_eq!(names(parent.path()), ["somebody-else.lock"]);
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_named() {
        let parent = tempfile::tempdir().expect("a directory");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("written");
        let error = Scratch::open(&file, ByteCount(1)).expect_err("a file").to_string();
        assert!(error.starts_with("cannot use ") && error.contains("/file as scratch"), "{error}");
    }
}
