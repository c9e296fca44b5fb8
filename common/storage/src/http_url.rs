//! The URLs of web servers. Unlike those of stores they are percent-encoded: `%20` is a space.
//!
//! Keys are put behind the path, so a URL that has more behind it, a query, names no place.

use std::fmt::Display;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::url::{Scheme, StoreUrl, UrlError, segments_of};

/// What a segment of a path can't hold as it is.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Parses what stands after `http://` or `https://`.
pub(crate) fn parse(url: &str, rest: &str, scheme: Scheme) -> Result<StoreUrl, UrlError> {
    let malformed = |reason| UrlError::Malformed { url: url.to_owned(), reason };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(UrlError::Credentials);
    }
    if let Some((before, _)) = url.split_once('?') {
        // A query may be a signature: it is not repeated.
        let reason = "a query can't be kept when keys are put behind the path";
        return Err(UrlError::Malformed { url: format!("{before}?…"), reason });
    }
    if path.contains('#') {
        return Err(malformed("a fragment names no place; write # as %23"));
    }
    let container = checked_authority(scheme, authority).map_err(malformed)?;
    let mut segments = Vec::new();
    for segment in segments_of(path.trim_start_matches('/')).map_err(malformed)? {
        let decoded = percent_decode_str(&segment).decode_utf8();
        let decoded = decoded.map_err(|_| malformed("what is percent-encoded in it is not UTF-8"))?;
        if decoded.contains('/') || decoded == "." {
            return Err(malformed("an encoded slash or dot in the path names no place of its own"));
        }
        segments.push(crate::url::checked_segment(&decoded).map_err(malformed)?);
    }
    Ok(StoreUrl::of_parts(scheme, container, segments))
}

/// Host and port in their one form: small letters, no port that goes without saying.
fn checked_authority(scheme: Scheme, authority: &str) -> Result<String, &'static str> {
    let parsed = Url::parse(&format!("{scheme}://{authority}/")).map_err(|_| "no host follows the scheme")?;
    match (parsed.host_str(), parsed.port()) {
        (None | Some(""), _) => Err("no host follows the scheme"),
        (Some(host), None) => Ok(host.to_owned()),
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
    }
}

/// A segment as it stands in a URL.
pub(crate) fn encoded(segment: &str) -> impl Display + '_ {
    utf8_percent_encode(segment, RESERVED)
}
