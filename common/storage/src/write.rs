//! Writing and deleting: every object whole, nothing without asking the guard before each attempt.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, PutMode, PutOptions, PutPayload, path::Path as ObjectPath};

use crate::{
    classify::{Cause, classify, is_file_not_found, is_refused_creation},
    error::{ErrorClass, Fault, Operation, StorageError},
    guard::WriteGuard,
    local_directories, local_unfinished,
    observer::RequestKind,
    prefix::{Prefix, Request},
    upload::MAX_OBJECT_BYTES,
    url::Scheme,
};

/// Keys of one bulk deletion: S3 takes no more.
pub const MAX_KEYS_PER_DELETE: usize = 1000;

/// What became of a write that may not replace an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is written.
    Created,
    /// The store says that there is an object of that key.
    Exists,
}

impl Prefix {
    /// Writes an object, whole and at once: readers see the old object or the new one, never a part of it. `guard` is
    /// asked before each attempt. A payload of several pieces is collected from their `Bytes`. A large object goes to a
    /// store in parts; a local file is renamed into its place.
    pub async fn put(
        &self,
        key: &str,
        payload: impl Into<PutPayload> + Send,
        guard: &dyn WriteGuard,
    ) -> Result<(), StorageError> {
        match self.put_as(key, payload.into(), PutMode::Overwrite, guard).await? {
            Creation::Created | Creation::Exists => Ok(()),
        }
    }

    /// Writes an object, whole and at once, where none of that key is. Of two at once one wins.
    ///
    /// `Exists` may be the caller's own object, where an answer was lost on the way, and on S3 it may be neither there
    /// nor written: read it back.
    pub async fn create(
        &self,
        key: &str,
        payload: impl Into<PutPayload> + Send,
        guard: &dyn WriteGuard,
    ) -> Result<Creation, StorageError> {
        self.put_as(key, payload.into(), PutMode::Create, guard).await
    }

    async fn put_as(
        &self,
        key: &str,
        payload: PutPayload,
        mode: PutMode,
        guard: &dyn WriteGuard,
    ) -> Result<Creation, StorageError> {
        self.check_writable(key, Operation::Write)?;
        let path = self.path_of(key, Operation::Write)?;
        let url = self.url_of(key);
        let bytes = u64::try_from(payload.content_length()).unwrap_or(u64::MAX);
        if matches!(self.place.url.scheme(), Scheme::S3 | Scheme::Gcs) && bytes > MAX_OBJECT_BYTES {
            let message =
                format!("an object of {bytes} bytes is more than the {MAX_OBJECT_BYTES} that the store takes");
            return Err(StorageError::new(ErrorClass::Invalid, Operation::Write, url, message));
        }
        // What may not replace an object is small, and is written at once.
        let is_in_parts = bytes > self.place.upload_sizes.threshold && matches!(mode, PutMode::Overwrite);
        if let Some(uploads) = self.place.uploads.as_ref().filter(|_| is_in_parts) {
            self.put_in_parts(uploads, (path, url), &payload, guard).await?;
            return Ok(Creation::Created);
        }
        let request = Request {
            kind: RequestKind::Put,
            operation: Operation::Write,
            urls: std::slice::from_ref(&url),
            bytes,
            guard: Some(guard),
            first_attempt: 1,
        };
        self.send(&request, || async {
            let (prefix, path, payload) = (self.clone(), path.clone(), payload.clone());
            let is_creation = matches!(mode, PutMode::Create);
            let options = PutOptions::from(mode.clone());
            self.to_its_end(guard, async move {
                match prefix.place.client.put_opts(&path, payload, options).await {
                    Ok(_) => Ok(Creation::Created),
                    Err(error) if is_creation && is_refused_creation(&error) => Ok(Creation::Exists),
                    Err(error) => Err(prefix.write_fault(&error)),
                }
            })
            .await
        })
        .await
    }

    /// What a failed PUT means. A local file system says "not there" where a directory stands in the way.
    pub(crate) fn write_fault(&self, error: &StoreError) -> Fault {
        match (classify(error), self.place.url.scheme()) {
            // A directory on the way was removed meanwhile.
            (Cause::Absent, Scheme::File) if is_file_not_found(error) => {
                Fault::new(ErrorClass::TryAgain, "a directory vanished while the file was written")
            }
            (Cause::Absent, Scheme::File) => {
                Fault::new(ErrorClass::Invalid, "a file or directory of another object stands in the way")
            }
            (
                Cause::Absent,
                Scheme::S3
                | Scheme::Gcs
                | Scheme::Azure
                | Scheme::Http
                | Scheme::Https
                | Scheme::Memory
                | Scheme::Kerchunk,
            ) => Fault::new(ErrorClass::Missing, "there is no such bucket"),
            (Cause::Fault(fault), _) => fault,
        }
    }

    /// Deletes an object. That it is not there is no error.
    pub async fn delete(&self, key: &str, guard: &dyn WriteGuard) -> Result<(), StorageError> {
        self.delete_many(vec![key.to_owned()], guard).await.map(|_| ())
    }

    /// Deletes objects, up to 1000 by one message where the store can. That one is not there is no error. Returns how
    /// many keys were given.
    pub async fn delete_many(&self, keys: Vec<String>, guard: &dyn WriteGuard) -> Result<u64, StorageError> {
        let mut deleted = 0;
        for batch in keys.chunks(MAX_KEYS_PER_DELETE) {
            deleted += self.delete_batch(batch, guard).await?;
        }
        Ok(deleted)
    }

    /// Deletes every object below `subprefix` (empty: below the prefix) as a listing finds it; returns how many.
    pub async fn delete_all(&self, subprefix: &str, guard: &dyn WriteGuard) -> Result<u64, StorageError> {
        let mut batches = self.list(subprefix).map_ok(|info| info.key).try_chunks(MAX_KEYS_PER_DELETE);
        let mut deleted = 0;
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(keys) => deleted += self.delete_batch(&keys, guard).await?,
                Err(stopped) => return Err(stopped.1),
            }
        }
        Ok(deleted)
    }

    /// Removes the directories that deletions left empty, the prefix's own too. Only local files have directories;
    /// elsewhere, and where an object appears meanwhile, nothing happens.
    pub async fn remove_empty_directories(&self) -> Result<(), StorageError> {
        self.check_writable("", Operation::Delete)?;
        if self.place.url.scheme() != Scheme::File {
            return Ok(());
        }
        local_directories::remove_empty(self.place.url.key()).await;
        Ok(())
    }

    /// Removes what is left of writes whose process died in mid-write, of the objects, by their keys, that are `wanted`:
    /// those that nobody writes any more, because one that does has to begin again. Only local files keep such a rest
    /// where it can be found; elsewhere nothing happens.
    pub async fn remove_unfinished_writes(
        &self,
        guard: &dyn WriteGuard,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<(), StorageError> {
        self.check_writable("", Operation::Delete)?;
        if self.place.url.scheme() != Scheme::File {
            return Ok(());
        }
        guard.check().map_err(|lost| {
            StorageError::new(ErrorClass::LeaseLost, Operation::Delete, self.url_of(""), lost.to_string())
        })?;
        local_unfinished::remove(self.place.url.key(), wanted).await;
        Ok(())
    }

    async fn delete_batch(&self, keys: &[String], guard: &dyn WriteGuard) -> Result<u64, StorageError> {
        let Some(first) = keys.first() else { return Ok(0) };
        self.check_writable(first, Operation::Delete)?;
        let paths: Vec<ObjectPath> =
            keys.iter().map(|key| self.path_of(key, Operation::Delete)).collect::<Result<_, _>>()?;
        let urls: Vec<String> = keys.iter().map(|key| self.url_of(key)).collect();
        let request = Request {
            kind: RequestKind::Delete,
            operation: Operation::Delete,
            urls: &urls,
            bytes: 0,
            guard: Some(guard),
            first_attempt: 1,
        };
        self.send(&request, || async {
            // `object_store` panics where the answer names a key that was not asked for.
            let (prefix, paths) = (self.clone(), paths.clone());
            self.to_its_end(guard, async move {
                let answer = AssertUnwindSafe(prefix.delete_paths(paths)).catch_unwind().await;
                answer.unwrap_or_else(|_| Err(Fault::new(ErrorClass::Other, "the store answered about other keys")))
            })
            .await
        })
        .await?;
        Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
    }

    /// Sends a write that goes on when the caller stops waiting: a store may take it all the same, and `guard` must
    /// know of it for so long.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        guard: &dyn WriteGuard,
        write: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let limit = self.place.put_timeout;
        let under_way = guard.begin_write();
        // Asked once more: whoever ended the lease before this write was counted does not wait for it.
        guard.check().map_err(|lost| Fault::new(ErrorClass::LeaseLost, lost.to_string()))?;
        let write = tokio::spawn(async move {
            let answer = tokio::time::timeout(limit, write).await;
            drop(under_way);
            answer
        });
        match write.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_late)) => Err(Fault::new(ErrorClass::TryAgain, format!("no answer within {limit:?}"))),
            Err(error) => Err(Fault::new(ErrorClass::Other, format!("the request broke off: {error}"))),
        }
    }

    async fn delete_paths(&self, paths: Vec<ObjectPath>) -> Result<(), Fault> {
        let mut answers = self.place.client.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut worst: Option<Fault> = None;
        while let Some(answer) = answers.next().await {
            if let Err(error) = answer
                && let Cause::Fault(fault) = classify(&error)
            {
                // What can't succeed decides; the rest is worth another attempt.
                let is_passing = |fault: &Fault| fault.class == ErrorClass::TryAgain;
                worst = Some(worst.filter(|worst| !is_passing(worst)).unwrap_or(fault));
            }
        }
        worst.map_or(Ok(()), Err)
    }
}
