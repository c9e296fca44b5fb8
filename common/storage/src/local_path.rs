//! Local paths as a person writes them, made absolute: the working directory, `~/`, `..`, symlinks.
//!
//! The only part of URL parsing that looks at the machine.

use std::{
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use crate::url::{UrlError, checked_segment};

/// The segments of the absolute path that `text` means here.
pub(crate) fn resolve(text: &str) -> Result<Vec<String>, UrlError> {
    let cwd = if Path::new(text).is_absolute() || text == "~" || text.starts_with("~/") {
        PathBuf::from("/")
    } else {
        std::env::current_dir().map_err(|error| unresolvable(text, format!("the working directory: {error}")))?
    };
    resolve_in(text, &cwd, std::env::var_os("HOME").as_deref())
}

/// As [`resolve`], with the working and the home directory given.
pub(crate) fn resolve_in(text: &str, cwd: &Path, home: Option<&OsStr>) -> Result<Vec<String>, UrlError> {
    let expanded = match text.strip_prefix("~/").or((text == "~").then_some("")) {
        None => cwd.join(text),
        Some(rest) => {
            let home = home.filter(|home| !home.is_empty());
            let home = home.ok_or_else(|| unresolvable(text, "HOME is not set"))?;
            Path::new(home).join(rest)
        }
    };
    segments_of(text, &without_symlinks(&without_dots(&expanded)))
}

/// Drops `.` and lets `..` take the segment before it, by the text alone, as a shell does.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Resolves the symlinks of the longest part that exists; the rest stays as it is.
fn without_symlinks(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(existing) {
            return match path.strip_prefix(existing) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    path.to_path_buf()
}

fn segments_of(text: &str, path: &Path) -> Result<Vec<String>, UrlError> {
    let mut segments = Vec::new();
    for component in path.components() {
        if let Component::Normal(name) = component {
            let name = name.to_str().ok_or_else(|| unresolvable(text, "a name on the way to it is not UTF-8"))?;
            segments
                .push(checked_segment(name).map_err(|reason| UrlError::Malformed { url: text.to_owned(), reason })?);
        }
    }
    Ok(segments)
}

fn unresolvable(path: &str, reason: impl Into<String>) -> UrlError {
    UrlError::Unresolvable { path: path.to_owned(), reason: reason.into() }
}
