//! What the program `floor` is asked for.

use rechunk_common::request::ZarrFormat;

/// How it is called.
const USAGE: &str = "floor SOURCE TARGET --chunks 1024,16,32 [--shards 1024,128,256] [--zarr-format 2|3] [--encoded] \
                         [--threads 2] [--requests 32]";

/// The arguments of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The source array: a directory, or an `s3://` URL with credentials and endpoint in the environment.
    pub source: String,
    /// The target array, in the same kind of place.
    pub target: String,
    /// Length of a target chunk per axis; of an inner chunk where there are shards.
    pub chunks: Vec<u64>,
    /// Length of a target shard per axis.
    pub shards: Option<Vec<u64>>,
    /// The target's format; `None`: the source's.
    pub format: Option<ZarrFormat>,
    /// Chunks are passed on as they are stored, without decoding.
    pub encoded: bool,
    /// Threads that decode, copy and encode.
    pub threads: usize,
    /// Requests in flight at a time, where the store takes requests.
    pub requests: usize,
}

impl Arguments {
    /// Reads them from words after the program's name.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut places = Vec::new();
        let mut found = Self {
            source: String::new(),
            target: String::new(),
            chunks: Vec::new(),
            shards: None,
            format: None,
            encoded: false,
            threads: 2,
            requests: 32,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                places.push(word);
                continue;
            }
            if word == "--encoded" {
                found.encoded = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} has no value; usage: {USAGE}"))?;
            match word.as_str() {
                "--chunks" => found.chunks = lengths(&value)?,
                "--shards" => found.shards = Some(lengths(&value)?),
                "--zarr-format" if value == "2" => found.format = Some(ZarrFormat::V2),
                "--zarr-format" if value == "3" => found.format = Some(ZarrFormat::V3),
                "--threads" => found.threads = count(&value)?,
                "--requests" => found.requests = count(&value)?,
                _ => return Err(format!("there is no {word} {value}; usage: {USAGE}")),
            }
        }
        let [source, target] = places.as_slice() else {
            return Err(format!("a source and a target are needed, found {places:?}; usage: {USAGE}"));
        };
        source.trim_end_matches('/').clone_into(&mut found.source);
        target.trim_end_matches('/').clone_into(&mut found.target);
        Ok(found)
    }
}

fn lengths(text: &str) -> Result<Vec<u64>, String> {
    let lengths = text.split(',').map(|length| length.trim().parse::<u64>().ok().filter(|length| *length > 0));
    lengths.collect::<Option<Vec<u64>>>().ok_or_else(|| format!("{text} is not a list of lengths"))
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("{text} is not a count"))
}
