//! Copies within one store, made by the store itself: no byte of the object passes through this process. Local files
//! are copied by the operating system, which shares their blocks where the file system can.

use std::sync::Arc;

use object_store::{CopyOptions, path::Path as ObjectPath};

use crate::{
    classify::{Cause, classify},
    error::{ErrorClass, Fault, Operation, StorageError},
    guard::WriteGuard,
    local_copy,
    observer::RequestKind,
    prefix::{Prefix, Request},
    url::Scheme,
};

impl Prefix {
    /// Whether [`Prefix::copy_from`] can copy objects of `source`: both lie in one store that is spoken to with the
    /// same settings, credentials included. Never on Azure: it may answer before the copy is made, and the object is
    /// empty for so long.
    pub fn shares_store_with(&self, source: &Self) -> bool {
        match (self.place.url.scheme(), source.place.url.scheme()) {
            (Scheme::File, Scheme::File) => true,
            (Scheme::Azure | Scheme::Http | Scheme::Https | Scheme::Kerchunk, _) => false,
            _ => Arc::ptr_eq(&self.place.client, &source.place.client),
        }
    }

    /// Lets the store make the object `key` a copy of the object `source_key` of `source`, whole and at once; `false`
    /// where that one is not there. Later writes to either don't show in the other. `guard` is asked before each
    /// attempt. Fails as [`ErrorClass::Unsupported`] where the store cannot do it, as S3 with more than 5 GiB: then
    /// the object can still be read and written.
    pub async fn copy_from(
        &self,
        key: &str,
        source: &Self,
        source_key: &str,
        guard: &dyn WriteGuard,
    ) -> Result<bool, StorageError> {
        self.check_writable(key, Operation::Write)?;
        let to = self.path_of(key, Operation::Write)?;
        let from = source.path_of(source_key, Operation::Read)?;
        let url = self.url_of(key);
        if !self.shares_store_with(source) {
            let message = format!("the store does not copy {} there", source.url_of(source_key));
            return Err(StorageError::new(ErrorClass::Unsupported, Operation::Write, url, message));
        }
        let request = Request {
            kind: RequestKind::Put,
            operation: Operation::Write,
            urls: std::slice::from_ref(&url),
            // Nothing is sent.
            bytes: 0,
            guard: Some(guard),
            first_attempt: 1,
        };
        self.send(&request, || async {
            let (prefix, from, to) = (self.clone(), from.clone(), to.clone());
            self.to_its_end(guard, async move { prefix.copy_once(&from, &to).await }).await
        })
        .await
    }

    async fn copy_once(&self, from: &ObjectPath, to: &ObjectPath) -> Result<bool, Fault> {
        if self.place.url.scheme() == Scheme::File {
            let file = |path: &ObjectPath| self.place.local_reads.file_of(path);
            let copied = match (file(from), file(to)) {
                (Ok(from), Ok(to)) => local_copy::copy(from, to).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            return copied.map_err(|error| self.write_fault(&error));
        }
        match self.place.client.copy_opts(from, to, CopyOptions::default()).await {
            Ok(()) => Ok(true),
            Err(error) => match classify(&error) {
                Cause::Absent => Ok(false),
                Cause::Fault(fault) => Err(fault),
            },
        }
    }
}
