//! Where things are: one normalised form for `s3://bucket/key`, its like at other clouds, web servers, local paths and
//! `memory://name/path`, compared by whole segments.
//!
//! What stands after the scheme is taken literally, as the AWS CLI and fsspec take it: nothing is percent-decoded, so
//! that `%20`, spaces, `?` and `#` name the same objects here as in zarr-python. Only the URLs of web servers are
//! percent-encoded, as everywhere (`http_url`). What an index of references has is a place in that index
//! (`kerchunk::place`). Opens nothing; the only I/O is resolving the symlinks of local paths.

use std::{fmt, str::FromStr};

use crate::{azure_container, http_url, kerchunk::place, local_path};

/// Which kind of store a URL points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Amazon S3, or anything that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage, also under its names as a data lake.
    Azure,
    /// A web server without TLS: to be read only.
    Http,
    /// A web server: to be read only.
    Https,
    /// The local file system.
    File,
    /// The memory of this process; for tests.
    Memory,
    /// What an index of kerchunk refers to: to be read only.
    Kerchunk,
}

impl Scheme {
    /// As it stands before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
            Self::Http => "http",
            Self::Https => "https",
            Self::File => "file",
            Self::Memory => "memory",
            Self::Kerchunk => "kerchunk",
        }
    }

    /// Whether it is a web server, which can be read and neither written nor listed.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Why nothing can be written there; `None`: it can.
    pub fn read_only(self) -> Option<&'static str> {
        match self {
            Self::Http | Self::Https => Some("a web server can only be read"),
            Self::Kerchunk => Some("what an index of references has can only be read"),
            Self::S3 | Self::Gcs | Self::Azure | Self::File | Self::Memory => None,
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
    /// A scheme that nobody knows.
    #[error(
        "{scheme}:// is not a known scheme; supported are s3://, gs://, az://, abfs://, http(s)://, file://, local paths and memory://, and kerchunk+ before one of them"
    )]
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
    /// The bucket; on Azure the container, and `@` and the account's host where the URL names them; a web server's
    /// authority; the name of a memory store; empty for local files and in an index.
    container: String,
    /// The index of references that the place is in.
    index: Option<Box<Self>>,
    segments: Vec<String>,
}

impl StoreUrl {
    /// Parses a URL or a local path. Relative paths start at the working directory, a leading `~/` is the home
    /// directory, and the symlinks of the longest part of a local path that exists are resolved.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if let Some(rest) = place::marked(text) {
            return place::parse(text, rest);
        }
        match split_scheme(text)? {
            None => local_path::resolve(text).map(Self::of_file),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "s3" | "s3a" => parse_bucket(text, rest, Scheme::S3),
                "gs" | "gcs" => parse_bucket(text, rest, Scheme::Gcs),
                "az" | "azure" | "abfs" | "abfss" => parse_bucket(text, rest, Scheme::Azure),
                "memory" => parse_bucket(text, rest, Scheme::Memory),
                "http" => http_url::parse(text, rest, Scheme::Http),
                "https" => http_url::parse(text, rest, Scheme::Https),
                "file" => parse_file(text, rest),
                _ => Err(UrlError::UnknownScheme { scheme: scheme.to_owned() }),
            },
        }
    }

    fn of_file(segments: Vec<String>) -> Self {
        Self::of_parts(Scheme::File, String::new(), segments)
    }

    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A place of these parts, which have been checked.
    pub(crate) fn of_parts(scheme: Scheme, container: String, segments: Vec<String>) -> Self {
        Self { scheme, container, index: None, segments }
    }

    /// The key of these segments in the index at `index`.
    pub(crate) fn in_index(index: Self, segments: Vec<String>) -> Self {
        Self { scheme: Scheme::Kerchunk, container: String::new(), index: Some(Box::new(index)), segments }
    }

    /// The index of references that this place is in, which lies in a store.
    pub fn index(&self) -> Option<&Self> {
        self.index.as_deref()
    }

    /// The bucket or its like; the authority of a web server; the name of a memory store; empty for local files. On
    /// Azure `@` and the host of the account follow where the URL names them.
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
        let (container, index) = (self.container.clone(), self.index.clone());
        Some(Self { scheme: self.scheme, container, index, segments: segments.to_vec() })
    }

    /// The last segment; `None` at a bucket's root.
    pub fn file_name(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }

    /// Whether this place is `other` or lies in it, by whole segments: `s3://b/ab` is not within `s3://b/a`.
    pub fn is_within(&self, other: &Self) -> bool {
        let is_one = self.container == other.container && self.index == other.index;
        self.scheme == other.scheme && is_one && self.segments.starts_with(&other.segments)
    }

    /// Whether this place is `other` or lies in it, or may do so: the URL of an Azure container need not name its
    /// account, which the environment says.
    pub fn may_be_within(&self, other: &Self) -> bool {
        let is_one = self.container == other.container
            || (self.scheme == Scheme::Azure && azure_container::may_be_one(&self.container, &other.container));
        let is_one = is_one && self.index == other.index;
        self.scheme == other.scheme && is_one && self.segments.starts_with(&other.segments)
    }

    /// Whether one of the two is, contains or lies in the other, or may do so.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.may_be_within(other) || other.may_be_within(self)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The form that names the account is known by this scheme.
        let is_named = self.scheme == Scheme::Azure && self.container.contains('@');
        let scheme = if is_named { "abfs" } else { self.scheme.as_str() };
        match &self.index {
            Some(index) => write!(f, "{}{index}", place::MARK)?,
            None => write!(f, "{scheme}://{}", self.container)?,
        }
        for segment in &self.segments {
            if self.scheme.is_web() {
                write!(f, "/{}", http_url::encoded(segment))?;
            } else {
                write!(f, "/{segment}")?;
            }
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

const KNOWN_SCHEMES: [&str; 13] =
    ["s3", "s3a", "file", "memory", "gs", "gcs", "az", "azure", "abfs", "abfss", "http", "https", "ftp"];

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
    let (container, host) = match (container.split_once('@'), scheme) {
        (Some((container, host)), Scheme::Azure) if !container.contains(':') => {
            (container, Some(azure_container::host(host).map_err(malformed)?))
        }
        (Some(_), _) => return Err(UrlError::Credentials),
        (None, _) => (container, None),
    };
    if container.is_empty() {
        return Err(malformed("no bucket or name follows the scheme"));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !container.chars().all(is_name) || container.len() > 255 || container.starts_with('.') {
        return Err(malformed("the bucket or name may have letters, digits, dots, hyphens and underscores only"));
    }
    // A signature that came along with the URL of a blob; not repeated.
    if scheme == Scheme::Azure && key.split_once('?').is_some_and(|(_, query)| query.contains("sig=")) {
        return Err(UrlError::Credentials);
    }
    let segments = segments_of(key).map_err(malformed)?;
    let container = host.map_or_else(|| container.to_owned(), |host| format!("{container}@{host}"));
    Ok(StoreUrl::of_parts(scheme, container, segments))
}

/// The segments of a key, as it is written.
pub(crate) fn segments_of(key: &str) -> Result<Vec<String>, &'static str> {
    let mut segments = Vec::new();
    for part in key.trim_end_matches('/').split('/').filter(|_| !key.trim_end_matches('/').is_empty()) {
        match part {
            "" => return Err("two slashes in a row within the key"),
            "." => {}
            part => segments.push(checked_segment(part)?),
        }
    }
    Ok(segments)
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
    check_segment(part).map(|()| part.to_owned())
}

/// Whether a segment may stand in a key.
pub(crate) fn check_segment(part: &str) -> Result<(), &'static str> {
    if part == ".." {
        return Err("`..` is not allowed in a URL");
    }
    if part.chars().any(|c| c.is_ascii_control()) {
        return Err("control characters are not allowed");
    }
    Ok(())
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
