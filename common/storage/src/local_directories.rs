//! Empty local directories: object stores have none, so what is deleted must leave none behind.

use std::path::Path;

/// Removes the empty directories below and at the absolute path `key` (without its leading slash). Best effort: a
/// directory that is not empty, or not ours to remove, stays.
pub(crate) async fn remove_empty(key: String) {
    let walk = tokio::task::spawn_blocking(move || remove_below(&Path::new("/").join(key)));
    if let Err(error) = walk.await {
        tracing::debug!(%error, "empty directories stay");
    }
}

/// Depth first, so that a directory of empty directories goes too. Symlinks are not followed.
fn remove_below(directory: &Path) {
    if let Ok(entries) = std::fs::read_dir(directory) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_below(&entry.path());
            }
        }
    }
    // Fails where something is in it, which is what we want.
    let _ = std::fs::remove_dir(directory);
}
