//! The TOML file that says which stores a program may use.

use std::{
    io,
    path::{Path, PathBuf},
};

use rechunk_storage::{ConfigError, StoreConfig};

/// The file says nothing that can be used.
#[derive(Debug)]
pub struct BadConfiguration {
    file: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Unreadable(io::Error),
    Wrong(ConfigError),
}

impl std::fmt::Display for BadConfiguration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.display();
        match &self.reason {
            Reason::Unreadable(error) => write!(f, "{file} cannot be read: {error}"),
            Reason::Wrong(error) => write!(f, "{file}: {error}"),
        }
    }
}

impl std::error::Error for BadConfiguration {}

/// Reads the configuration `file`. Called once, before a program does anything else: it may block.
pub fn read_configuration(file: &Path) -> Result<StoreConfig, BadConfiguration> {
    let bad = |reason| BadConfiguration { file: file.to_owned(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| bad(Reason::Unreadable(error)))?;
    StoreConfig::from_toml(&text).map_err(|error| bad(Reason::Wrong(error)))
}
