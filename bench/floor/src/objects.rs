//! Where objects come from and go to while codecs run: files, or memory.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// Objects by key.
pub(super) type Held = BTreeMap<String, Bytes>;

/// Where objects are read.
pub(super) enum Source {
    /// Files of a directory.
    Files(PathBuf),
    /// Memory.
    Held(Held),
}

impl Source {
    /// The object; `None` where there is none.
    pub(super) fn read(&self, key: &str) -> Result<Option<Bytes>, String> {
        match self {
            Self::Held(objects) => Ok(objects.get(key).cloned()),
            Self::Files(root) => {
                let path = root.join(key);
                match fs::read(&path) {
                    Ok(body) => Ok(Some(body.into())),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(format!("cannot read {}: {error}", path.display())),
                }
            }
        }
    }
}

/// Where objects are written.
pub(super) enum Sink {
    /// Files of a directory.
    Files(PathBuf),
    /// Memory.
    Held(Mutex<Held>),
}

impl Sink {
    pub(super) fn held() -> Self {
        Self::Held(Mutex::default())
    }

    /// Writes an object whose bytes somebody else keeps.
    pub(super) fn write(&self, key: &str, body: &[u8]) -> Result<(), String> {
        match self {
            Self::Files(root) => write_file(&root.join(key), body),
            Self::Held(_) => self.keep(key, Bytes::copy_from_slice(body)),
        }
    }

    /// Writes an object; memory keeps it as it is.
    pub(super) fn keep(&self, key: &str, body: Bytes) -> Result<(), String> {
        match self {
            Self::Files(_) => self.write(key, &body),
            Self::Held(objects) => {
                objects.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), body);
                Ok(())
            }
        }
    }

    pub(super) fn into_held(self) -> Held {
        match self {
            Self::Files(_) => Held::new(),
            Self::Held(objects) => objects.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The directory is made only where it is missing: most objects find it there.
fn write_file(path: &PathBuf, body: &[u8]) -> Result<(), String> {
    let written = match fs::write(path, body) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, body))
        }
        written => written,
    };
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
