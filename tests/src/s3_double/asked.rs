//! What a request asks for, told by its line and headers, before anybody has understood it.

use hyper::{Method, http::request::Parts};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Reading an object or a part of it.
    Get,
    /// Asking for an object's size.
    Head,
    /// Writing an object.
    Put,
    /// Writing an object where none is.
    Create,
    /// Copying an object within the store.
    Copy,
    /// Deleting one object.
    Delete,
    /// Deleting several.
    DeleteMany,
    /// Listing keys.
    List,
    /// Beginning an upload in parts.
    Begin,
    /// Sending a part.
    Part,
    /// Making an object of parts.
    Complete,
    /// Giving an upload up.
    Abort,
    /// Listing uploads.
    ListUploads,
    /// Anything else.
    Other,
}

/// One request: what is asked of which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    /// As it is spelt in the URL; the query where the whole bucket is asked.
    pub(crate) key: String,
}

impl Asked {
    pub(crate) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_bucket, key)| key);
        let query = parts.uri.query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let has_header = |name: &str| parts.headers.contains_key(name);
        let operation = match (&parts.method, key.is_empty()) {
            (&Method::GET, true) if has("uploads") => Operation::ListUploads,
            (&Method::GET, true) => Operation::List,
            (&Method::GET, false) => Operation::Get,
            (&Method::HEAD, false) => Operation::Head,
            (&Method::PUT, false) if has_header("x-amz-copy-source") => Operation::Copy,
            (&Method::PUT, false) if has("partNumber") => Operation::Part,
            (&Method::PUT, false) if has_header("if-none-match") => Operation::Create,
            (&Method::PUT, false) => Operation::Put,
            (&Method::DELETE, false) if has("uploadId") => Operation::Abort,
            (&Method::DELETE, false) => Operation::Delete,
            (&Method::POST, true) if has("delete") => Operation::DeleteMany,
            (&Method::POST, false) if has("uploads") => Operation::Begin,
            (&Method::POST, false) if has("uploadId") => Operation::Complete,
            _ => Operation::Other,
        };
        Self { operation, key: if key.is_empty() { query.to_owned() } else { key.to_owned() } }
    }

    /// The same with the names of jobs left out, which differ from run to run: of a temporary space what lies below its
    /// directory and its job's.
    pub(crate) fn without_chance(&self) -> Self {
        let Some((before, space)) = self.key.split_once(".rechunk-") else { return self.clone() };
        let below = space.splitn(3, '/').nth(2).unwrap_or_default();
        Self { operation: self.operation, key: format!("{before}.rechunk-/{below}") }
    }
}

/// The key that a request is signed with.
pub(crate) fn signer(parts: &Parts) -> Option<&str> {
    let signed = parts.headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = signed.split_once("Credential=")?;
    credential.split_once('/').map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(method: &str, uri: &str, header: (&str, &str)) -> Parts {
        let request = Request::builder().method(method).uri(uri).header(header.0, header.1).body(());
        request.expect("a request").into_parts().0
    }

    #[test]
    fn requests_are_told_apart_by_their_lines_and_headers() {
        let none = ("x-nothing", "");
        for (method, uri, header, operation, key) in [
            ("GET", "/test/a/0", none, Operation::Get, "a/0"),
            ("GET", "/test?list-type=2&prefix=a%2F", none, Operation::List, "list-type=2&prefix=a%2F"),
            ("GET", "/test?uploads", none, Operation::ListUploads, "uploads"),
            ("HEAD", "/test/a", none, Operation::Head, "a"),
            ("PUT", "/test/a", none, Operation::Put, "a"),
            ("PUT", "/test/a", ("if-none-match", "*"), Operation::Create, "a"),
            ("PUT", "/test/a", ("x-amz-copy-source", "/test/b"), Operation::Copy, "a"),
            ("PUT", "/test/a?partNumber=1&uploadId=u", none, Operation::Part, "a"),
            ("POST", "/test/a?uploads", none, Operation::Begin, "a"),
            ("POST", "/test/a?uploadId=u", none, Operation::Complete, "a"),
            ("DELETE", "/test/a?uploadId=u", none, Operation::Abort, "a"),
            ("DELETE", "/test/a", none, Operation::Delete, "a"),
            ("POST", "/test?delete", none, Operation::DeleteMany, "delete"),
            ("POST", "/test/a?select", none, Operation::Other, "a"),
        ] {
            let expected = Asked { operation, key: key.to_owned() };
            assert_eq!(Asked::of(&parts(method, uri, header)), expected, "{method} {uri}");
        }
    }

    #[test]
    fn who_signed_is_told_and_the_names_of_jobs_are_left_out() {
        let signed = parts("GET", "/", ("authorization", "AWS4-HMAC-SHA256 Credential=key/2026/s3, Signature=0"));
        assert_eq!(signer(&signed), Some("key"));
        let asked = Asked { operation: Operation::Get, key: "at/.rechunk-job-1/job-1/0/a0/17".to_owned() };
        assert_eq!(asked.without_chance().key, "at/.rechunk-/0/a0/17");
    }
}
