//! Unfinished writes of local files: a write goes to a file beside its object, which is then renamed, and a process that
//! dies in between leaves that file behind. No listing shows it, so no deletion finds it either.

use std::path::Path;

/// Removes the unfinished writes below the absolute path `key` (without its leading slash) of those objects, by their
/// keys below it, that are `wanted`. Best effort: what can't be removed stays, and is no object.
pub(crate) async fn remove(key: String, wanted: impl Fn(&str) -> bool + Send + 'static) {
    let walk = tokio::task::spawn_blocking(move || {
        let root = Path::new("/").join(key);
        remove_below(&root, &root, &wanted);
    });
    if let Err(error) = walk.await {
        tracing::debug!(%error, "unfinished writes stay");
    }
}

/// Symlinks are not followed.
fn remove_below(root: &Path, directory: &Path, wanted: &dyn Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => remove_below(root, &path, wanted),
            Ok(kind) if kind.is_file() && object_of(root, &path).is_some_and(wanted) => {
                tracing::debug!(path = %path.display(), "an unfinished write is removed");
                // Its writer may have given it its name meanwhile.
                let _ = std::fs::remove_file(&path);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// The key below `root` of the object whose unfinished write the file at `path` is; `None` if it is none.
fn object_of<'a>(root: &Path, path: &'a Path) -> Option<&'a str> {
    let key = path.strip_prefix(root).ok()?.to_str()?;
    let name = path.file_name()?.to_str()?;
    is_unfinished(name).then(|| key.rsplit_once('#').map_or(key, |(object, _)| object))
}

/// Whether a file of this name is still being written, or never will be: `name#12`.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.split_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
