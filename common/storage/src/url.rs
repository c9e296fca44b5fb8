//! Where things are: one normalised form for `s3://bucket/key`, local paths and `memory://name/path`, compared by
//! whole segments.
//!
//! What stands after the scheme is taken literally, as the AWS CLI and fsspec take it: nothing is percent-decoded, so
//! that `%20`, spaces, `?` and `#` name the same objects here as in zarr-python. Opens nothing; the only I/O is
//! resolving the symlinks of local paths.

use std::{fmt, str::FromStr};

use crate::local_path;

/// Which kind of store a URL points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Amazon S3, or anything that speaks its protocol.
    S3,
    /// The local file system.
    File,
    /// The memory of this process; for tests.
    Memory,
}

impl Scheme {
    /// As it stands before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::File => "file",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a place that we can read or write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing there.
    #[error("an empty URL names no place")]
    Empty,
    /// A scheme that will come.
    #[error("{scheme}:// is not supported yet; supported are s3://, file://, local paths and memory://")]
    NotSupportedYet {
        /// As written.
        scheme: String,
    },
    /// A scheme that nobody knows.
    #[error("{scheme}:// is not a known scheme; supported are s3://, file://, local paths and memory://")]
    UnknownScheme {
        /// As written.
        scheme: String,
    },
    /// A key or a password in the URL; not repeated here.
    #[error("the URL carries credentials; put them into a store profile or the environment")]
    Credentials,
    /// Something else is wrong.
    #[error("{url:?} is not a valid URL: {reason}")]
    Malformed {
        /// As written.
        url: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The working or home directory that a relative path needs can't be told, or is not UTF-8.
    #[error("cannot resolve the path {path:?}: {reason}")]
    Unresolvable {
        /// As written.
        path: String,
        /// Why.
        reason: String,
    },
}

/// A place in a store: a bucket or name, and the segments of the key under it.
///
/// `Display` writes the canonical text, which parses to an equal value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreUrl {
    scheme: Scheme,
    /// The bucket; the name of a memory store; empty for local files.
    container: String,
    segments: Vec<String>,
}

impl StoreUrl {
    /// Parses a URL or a local path. Relative paths start at the working directory, a leading `~/` is the home
    /// directory, and the symlinks of the longest part of a local path that exists are resolved.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        match split_scheme(text)? {
            None => local_path::resolve(text).map(Self::of_file),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "s3" | "s3a" => parse_bucket(text, rest, Scheme::S3),
                "memory" => parse_bucket(text, rest, Scheme::Memory),
                "file" => parse_file(text, rest),
                "gs" | "gcs" | "az" | "abfs" | "abfss" | "http" | "https" => {
                    Err(UrlError::NotSupportedYet { scheme: scheme.to_owned() })
                }
                _ => Err(UrlError::UnknownScheme { scheme: scheme.to_owned() }),
            },
        }
    }

    fn of_file(segments: Vec<String>) -> Self {
        Self { scheme: Scheme::File, container: String::new(), segments }
    }

    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket, or the name of a memory store; empty for local files.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// The segments of the key, none of them empty.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The key within the bucket, name or file system, without a leading slash; empty at the root.
    pub fn key(&self) -> String {
        self.segments.join("/")
    }

    /// The place `relative` below this one; empty and `.` segments are dropped. A `..` stays as it is, and such a
    /// place can be neither parsed nor opened: nothing leads out of a URL by joining.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        let mut joined = self.clone();
        joined.segments.extend(relative.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned));
        joined
    }

    /// The place that this one lies in; `None` at a bucket's root.
    pub fn parent(&self) -> Option<Self> {
        let (_, segments) = self.segments.split_last()?;
        Some(Self { scheme: self.scheme, container: self.container.clone(), segments: segments.to_vec() })
    }

    /// The last segment; `None` at a bucket's root.
    pub fn file_name(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }

    /// Whether this place is `other` or lies in it, by whole segments: `s3://b/ab` is not within `s3://b/a`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.container == other.container && self.segments.starts_with(&other.segments)
    }

    /// Whether one of the two is, contains or lies in the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.container)?;
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        if self.scheme == Scheme::File && self.segments.is_empty() { f.write_str("/") } else { Ok(()) }
    }
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

const KNOWN_SCHEMES: [&str; 12] =
    ["s3", "s3a", "file", "memory", "gs", "gcs", "az", "abfs", "abfss", "http", "https", "ftp"];

/// The scheme and what follows `://`; `None` for a local path.
fn split_scheme(text: &str) -> Result<Option<(&str, &str)>, UrlError> {
    let malformed = |reason| Err(UrlError::Malformed { url: text.to_owned(), reason });
    if let Some((scheme, rest)) = text.split_once("://") {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if is_scheme {
            return Ok(Some((scheme, rest)));
        }
        if scheme.is_empty() {
            return malformed("no scheme stands before ://");
        }
        if scheme.contains("::") {
            return malformed("chained URLs are not supported");
        }
    }
    let before_colon = text.split_once(':').map_or("", |(before, _)| before).to_ascii_lowercase();
    if KNOWN_SCHEMES.contains(&before_colon.as_str()) {
        return malformed("two slashes must follow the scheme; a local path of that name starts with ./");
    }
    Ok(None)
}

/// `bucket/key` after `s3://`, `name/path` after `memory://`.
fn parse_bucket(url: &str, rest: &str, scheme: Scheme) -> Result<StoreUrl, UrlError> {
    let malformed = |reason| UrlError::Malformed { url: url.to_owned(), reason };
    let (container, key) = rest.split_once('/').unwrap_or((rest, ""));
    if container.contains('@') {
        return Err(UrlError::Credentials);
    }
    if container.is_empty() {
        return Err(malformed("no bucket or name follows the scheme"));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !container.chars().all(is_name) || container.len() > 255 || container.starts_with('.') {
        return Err(malformed("the bucket or name may have letters, digits, dots, hyphens and underscores only"));
    }
    let mut segments = Vec::new();
    for part in key.trim_end_matches('/').split('/').filter(|_| !key.trim_end_matches('/').is_empty()) {
        match part {
            "" => return Err(malformed("two slashes in a row within the key")),
            "." => {}
            part => segments.push(checked_segment(part).map_err(malformed)?),
        }
    }
    Ok(StoreUrl { scheme, container: container.to_owned(), segments })
}

/// `/abs` after `file://`.
fn parse_file(url: &str, rest: &str) -> Result<StoreUrl, UrlError> {
    let malformed = |reason| UrlError::Malformed { url: url.to_owned(), reason };
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    if host.contains('@') {
        return Err(UrlError::Credentials);
    }
    let path = match host {
        "" => rest,
        "localhost" => rest.strip_prefix("localhost").unwrap_or(rest),
        _ => return Err(malformed("a file URL has three slashes and an absolute path: file:///data/a.zarr")),
    };
    if !path.starts_with('/') {
        return Err(malformed("a file URL has three slashes and an absolute path: file:///data/a.zarr"));
    }
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        checked_segment(part).map_err(malformed)?;
    }
    local_path::resolve(path).map(StoreUrl::of_file)
}

/// A segment that may stand in a key.
pub(crate) fn checked_segment(part: &str) -> Result<String, &'static str> {
    if part == ".." {
        return Err("`..` is not allowed in a URL");
    }
    if part.chars().any(|c| c.is_ascii_control()) {
        return Err("control characters are not allowed");
    }
    Ok(part.to_owned())
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
