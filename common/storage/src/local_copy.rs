//! Copying a local file: a file of its own under a name that is taken for an unfinished write, then renamed, so that
//! readers see the old object or the new one. Never a hard link: a write in place to one would show in the other.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use object_store::Error as StoreError;

/// Copies `from` to `to` on a blocking thread; `false` where there is no such file.
pub(crate) async fn copy(from: PathBuf, to: PathBuf) -> Result<bool, StoreError> {
    let asked = Asked::default();
    let is_given_up = Arc::clone(&asked.is_given_up);
    let copied = tokio::task::spawn_blocking(move || copy_file(&from, &to, &is_given_up)).await;
    drop(asked);
    copied.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(fault)
}

/// Whoever waits for a copy. Dropped before its end, nothing appears under the copy's name any more.
#[derive(Default)]
struct Asked {
    is_given_up: Arc<AtomicBool>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

fn copy_file(from: &Path, to: &Path, is_given_up: &AtomicBool) -> io::Result<bool> {
    let mut source = match File::open(from) {
        Ok(source) if source.metadata()?.is_dir() => return Ok(false),
        Ok(source) => source,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let (mut staged, path) = stage(to)?;
    // Between files the standard library lets the kernel copy.
    let placed = io::copy(&mut source, &mut staged).and_then(|_| {
        if is_given_up.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the copy was given up"));
        }
        fs::rename(&path, to)
    });
    if placed.is_err() {
        // The first error says more.
        let _ = fs::remove_file(&path);
    }
    placed.map(|()| true)
}

/// A new file beside `to`, its directory made where there is none.
pub(crate) fn stage(to: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u64;
    let mut has_directory = false;
    loop {
        let mut name = OsString::from(to);
        name.push(format!("#{number}"));
        let path = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !has_directory => {
                has_directory = true;
                to.parent().map_or(Ok(()), fs::create_dir_all)?;
            }
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn fault(error: io::Error) -> StoreError {
    StoreError::Generic { store: "local files", source: Box::new(error) }
}
