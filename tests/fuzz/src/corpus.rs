//! The inputs that are kept: one file each, in `corpus/<target>`.

use std::{fs, io, path::PathBuf};

use crate::Target;

/// Where the inputs of a target are kept.
pub fn directory(target: Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name())
}

/// The inputs of a target, in the order of their names.
pub fn inputs(target: Target) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(directory(target))? {
        let entry = entry?;
        inputs.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    inputs.sort();
    Ok(inputs)
}
