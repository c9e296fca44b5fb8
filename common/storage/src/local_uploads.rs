//! Local files that are written in parts, in the way of stores that take objects so: the parts go to a file beside the
//! object's, each to its place, and in the end that file is renamed. Readers see the old object or the new one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use object_store::{
    Error, Extensions, MultipartId, PutPayload, PutResult, Result,
    multipart::{MultipartStore, PartId},
    path::Path as ObjectPath,
};

use crate::{
    local_copy::{fault, stage},
    local_reads::LocalReads,
};

/// Writes local files in parts of one length. The id of an upload is the path of its unfinished file.
pub(crate) struct LocalUploads {
    files: LocalReads,
    /// Bytes of a part, the last one excepted: says where a part belongs.
    part: u64,
    is_synced: bool,
}

impl LocalUploads {
    pub(crate) fn new(files: LocalReads, part: u64, is_synced: bool) -> Self {
        Self { files, part, is_synced }
    }
}

#[async_trait]
impl MultipartStore for LocalUploads {
    async fn create_multipart(&self, path: &ObjectPath) -> Result<MultipartId> {
        let place = self.files.file_of(path)?;
        blocking(move || {
            let (_file, unfinished) = stage(&place)?;
            unfinished.into_os_string().into_string().map_err(|_| ErrorKind::InvalidFilename.into())
        })
        .await
    }

    async fn put_part(&self, _path: &ObjectPath, id: &MultipartId, part: usize, data: PutPayload) -> Result<PartId> {
        let unfinished = PathBuf::from(id);
        let offset = u64::try_from(part).ok().and_then(|part| part.checked_mul(self.part));
        let mut at = offset.ok_or_else(|| fault(ErrorKind::FileTooLarge.into()))?;
        there(id, move || {
            let file = OpenOptions::new().write(true).open(unfinished)?;
            for bytes in &data {
                file.write_all_at(bytes, at)?;
                at = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            }
            Ok(PartId { content_id: part.to_string() })
        })
        .await
    }

    async fn complete_multipart(&self, path: &ObjectPath, id: &MultipartId, _parts: Vec<PartId>) -> Result<PutResult> {
        let (unfinished, place, is_synced) = (PathBuf::from(id), self.files.file_of(path)?, self.is_synced);
        there(id, move || {
            if is_synced {
                File::open(&unfinished)?.sync_all()?;
            }
            fs::rename(&unfinished, &place)?;
            if let Some(directory) = place.parent().filter(|_| is_synced) {
                File::open(directory)?.sync_all()?;
            }
            Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
        })
        .await
    }

    async fn abort_multipart(&self, _path: &ObjectPath, id: &MultipartId) -> Result<()> {
        let unfinished = PathBuf::from(id);
        there(id, move || fs::remove_file(unfinished)).await
    }
}

/// Does something with the unfinished file `id`. One that is not there is an upload that is over.
async fn there<T: Send + 'static>(id: &str, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let unfinished = PathBuf::from(id);
    let done = blocking(move || {
        let done = work();
        Ok((done, Path::new(&unfinished).exists()))
    });
    match done.await? {
        (Ok(done), _) => Ok(done),
        (Err(error), false) if error.kind() == ErrorKind::NotFound => {
            Err(Error::Generic { store: "local files", source: "MultipartUpload not found".into() })
        }
        (Err(error), _) => Err(fault(error)),
    }
}

/// Work for a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(fault)
}
