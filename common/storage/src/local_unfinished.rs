//! Unfinished writes of local files: a write goes to a file beside its object, which is then renamed, and a process that
//! dies in between leaves that file behind. No listing shows it, so no deletion finds it either.

use std::path::Path;

/// Removes the unfinished writes below the absolute path `key` (without its leading slash). Best effort: what can't be
/// removed stays, and is no object.
pub(crate) async fn remove(key: String) {
    let walk = tokio::task::spawn_blocking(move || remove_below(&Path::new("/").join(key)));
    if let Err(error) = walk.await {
        tracing::debug!(%error, "unfinished writes stay");
    }
}

/// Symlinks are not followed.
fn remove_below(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_below(&path),
            Ok(kind) if kind.is_file() && name.to_str().is_some_and(is_unfinished) => {
                tracing::debug!(path = %path.display(), "an unfinished write is removed");
                // Its writer may have given it its name meanwhile.
                let _ = std::fs::remove_file(&path);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// Whether a file of this name is still being written, or never will be: `name#12`.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.split_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
