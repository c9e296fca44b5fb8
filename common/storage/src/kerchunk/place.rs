//! The URLs of what an index of references has: `kerchunk+`, the index's own URL, and the key in it.
//!
//! The first segment that ends in `.json`, `.parq` or `.parquet` is the index. What follows is taken literally, also
//! behind a web server.

use crate::url::{StoreUrl, UrlError, segments_of};

/// Stands before the URL of the index.
pub(crate) const MARK: &str = "kerchunk+";

const JSON: &str = ".json";

/// How the directories of records are named.
const PARQUET: [&str; 2] = [".parq", ".parquet"];

/// Whether the index at `url` is a directory of records in Parquet.
pub(super) fn is_parquet(url: &StoreUrl) -> bool {
    url.file_name().is_some_and(is_parquet_name)
}

fn is_parquet_name(name: &str) -> bool {
    PARQUET.iter().any(|suffix| name.ends_with(suffix))
}

fn is_index_name(name: &str) -> bool {
    name.ends_with(JSON) || is_parquet_name(name)
}

/// What stands after the mark; `None` for another URL.
pub(crate) fn marked(text: &str) -> Option<&str> {
    let (mark, rest) = text.split_at_checked(MARK.len())?;
    mark.eq_ignore_ascii_case(MARK).then_some(rest)
}

/// Parses what stands after the mark of `url`.
pub(crate) fn parse(url: &str, rest: &str) -> Result<StoreUrl, UrlError> {
    let malformed = |reason| UrlError::Malformed { url: url.to_owned(), reason };
    if marked(rest).is_some() {
        return Err(malformed("an index of references lies in a store, not in another index"));
    }
    let end = match end_of_index(rest) {
        Ok(end) => end,
        // What is wrong with the URL itself comes first: it may carry what is not to be repeated.
        Err(reason) => return StoreUrl::parse(rest).and_then(|_| Err(malformed(reason))),
    };
    let (index, key) = rest.split_at(end);
    let index = StoreUrl::parse(index)?;
    // The links of local paths are resolved by now.
    let is_index = |segment: &String| is_index_name(segment);
    match index.segments().split_last() {
        Some((last, before)) if is_index(last) && !before.iter().any(is_index) => {}
        _ => {
            return Err(malformed(
                "its index is a link to what has no or two segments that end in .json, .parq or .parquet in its URL",
            ));
        }
    }
    let segments = segments_of(key.strip_prefix('/').unwrap_or(key)).map_err(malformed)?;
    Ok(StoreUrl::in_index(index, segments))
}

/// Where the URL of the index ends in `rest`.
fn end_of_index(rest: &str) -> Result<usize, &'static str> {
    // No bucket or host is the index.
    let mut start = match rest.split_once("://") {
        Some((scheme, after)) => scheme.len() + 3 + after.find('/').unwrap_or(after.len()),
        None => 0,
    };
    for segment in rest.get(start..).unwrap_or_default().split('/') {
        let end = start + segment.len();
        if is_index_name(segment) {
            return Ok(end);
        }
        start = end + 1;
    }
    Err("no segment ends in .json, .parq or .parquet, as that of an index of references does")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scheme;

    fn url(text: &str) -> StoreUrl {
        StoreUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_first_segment_that_is_named_so_is_the_index() {
        for (text, canonical, index, key) in [
            ("kerchunk+s3://b/d/refs.json", "kerchunk+s3://b/d/refs.json", "s3://b/d/refs.json", ""),
            ("Kerchunk+S3A://b/r.json/g//".trim_end_matches('/'), "kerchunk+s3://b/r.json/g", "s3://b/r.json", "g"),
            ("kerchunk+s3://b/r.json/zarr.json", "kerchunk+s3://b/r.json/zarr.json", "s3://b/r.json", "zarr.json"),
            ("kerchunk+gs://r.json/r.json/a", "kerchunk+gs://r.json/r.json/a", "gs://r.json/r.json", "a"),
            (
                "kerchunk+az://box@lab/r.json/a",
                "kerchunk+abfs://box@lab.dfs.core.windows.net/r.json/a",
                "abfs://box@lab.dfs.core.windows.net/r.json",
                "a",
            ),
            (
                "kerchunk+https://H:443/a%20b/r.json/c%20d",
                "kerchunk+https://h/a%20b/r.json/c%20d",
                "https://h/a%20b/r.json",
                "c%20d",
            ),
            (
                "kerchunk+/no-such-dir/./r.json/a/b",
                "kerchunk+file:///no-such-dir/r.json/a/b",
                "file:///no-such-dir/r.json",
                "a/b",
            ),
            (
                "kerchunk+file:///no-such-dir/r.json",
                "kerchunk+file:///no-such-dir/r.json",
                "file:///no-such-dir/r.json",
                "",
            ),
            ("kerchunk+s3://b/d/refs.parq/g/tas", "kerchunk+s3://b/d/refs.parq/g/tas", "s3://b/d/refs.parq", "g/tas"),
            ("kerchunk+s3://b/refs.parquet/", "kerchunk+s3://b/refs.parquet", "s3://b/refs.parquet", ""),
            ("kerchunk+s3://b/r.parq/a.json", "kerchunk+s3://b/r.parq/a.json", "s3://b/r.parq", "a.json"),
            (
                "kerchunk+memory://m/r.json/.zgroup",
                "kerchunk+memory://m/r.json/.zgroup",
                "memory://m/r.json",
                ".zgroup",
            ),
        ] {
            let parsed = url(text);
            assert_eq!(parsed.to_string(), canonical, "{text}");
            assert_eq!(url(canonical), parsed, "{text}");
            assert_eq!(parsed.scheme(), Scheme::Kerchunk);
            assert_eq!((parsed.index().map(ToString::to_string).as_deref(), parsed.key().as_str()), (Some(index), key));
        }
    }

    #[test]
    fn a_relative_path_to_an_index_starts_at_the_working_directory() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(url("kerchunk+r.json/a").to_string(), format!("kerchunk+file://{}/r.json/a", here.display()));
    }

    #[test]
    fn what_names_no_index_is_refused_with_its_reason() {
        for (text, reason) in [
            ("kerchunk+", "empty"),
            ("kerchunk+s3://b/refs", "ends in .json"),
            ("kerchunk+s3://refs.json", "ends in .json"),
            ("kerchunk+s3://b/refs.json.gz", "ends in .json"),
            ("kerchunk+s3://refs.parq/a", "or .parquet"),
            ("kerchunk+kerchunk+s3://b/r.json", "another index"),
            ("kerchunk+s3://b/r.json//a", "two slashes"),
            ("kerchunk+s3://b/r.json/../a", "`..`"),
            ("kerchunk+s3://key:secret@b/r.json", "credentials"),
            ("kerchunk+https://h/r.json?sig=secret", "query"),
            ("kerchunk+hdfs://h/r.json", "not a known scheme"),
        ] {
            let error = StoreUrl::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_local_index_is_the_file_that_it_links_to_whose_name_must_say_so() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::write(root.join("real.json"), "{}").unwrap();
        std::fs::write(root.join("blob"), "{}").unwrap();
        std::fs::create_dir(root.join("real.parq")).unwrap();
        for (from, to) in [("link.json", "real.json"), ("link.parq", "real.parq"), ("other.json", "blob")] {
            std::os::unix::fs::symlink(root.join(to), root.join(from)).unwrap();
        }
        let at = |name: &str| StoreUrl::parse(&format!("kerchunk+{}/{name}", root.display()));
        assert_eq!(at("link.json/a/b"), at("real.json/a/b"));
        assert_eq!(at("link.parq/a/b"), at("real.parq/a/b"));
        let kinds = ["link.json/a", "link.parq/a"].map(|name| is_parquet(at(name).unwrap().index().unwrap()));
        assert_eq!(kinds, [false, true]);
        assert!(at("other.json/a").unwrap_err().to_string().contains("link"));
    }

    #[test]
    fn places_in_an_index_are_compared_with_those_of_the_same_one() {
        let (a, b) = (url("kerchunk+s3://b/r.json/a"), url("kerchunk+s3://b/s.json/a"));
        assert!(a.is_within(&url("kerchunk+s3://b/r.json")) && !a.overlaps(&b));
        assert!(!a.overlaps(&url("s3://b/r.json")) && !a.overlaps(&url("s3://b")));
        assert_eq!(a.parent(), Some(url("kerchunk+s3://b/r.json")));
        assert_eq!(a.parent().and_then(|root| root.parent()), None);
        assert_eq!(a.parent().map(|root| root.join("a")), Some(a));
    }
}
