//! The text of an index of references, read: version 1 (`{"version": 1, "refs": {…}, "templates": {…}}`) and the older
//! one, which is the references alone.
//!
//! One reference at a time, so that memory follows what is kept, not what is written.

use std::{borrow::Cow, collections::HashMap, fmt, ops::Range, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rechunk_common::limits::{MAX_INDEX_BYTES, MAX_REFERENCES, MAX_URL_BYTES};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    index::{Entry, Index, bytes_of},
    store::is_local,
    templates::Templates,
};
use crate::{
    classify::one_line,
    url::{StoreUrl, check_segment},
};

/// Begins inline data that is no text.
const BASE64: &str = "base64:";

/// Longest part of a key or a URL in a message.
const MAX_SHOWN: usize = 100;

/// Why a text is no index that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IndexError {
    /// Of all of it.
    #[error("{0}")]
    Whole(String),
    /// Of one key.
    #[error("key {key:?}: {reason}")]
    Key {
        /// Its beginning.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl Index {
    /// Reads the text of an index.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, IndexError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_INDEX_BYTES.0 {
            return Err(IndexError::Whole(format!("it has {} bytes; at most {MAX_INDEX_BYTES} are read", text.len())));
        }
        let text = str::from_utf8(text).map_err(|_| IndexError::Whole("it is not UTF-8 text".to_owned()))?;
        let document: Document<'_> = serde_json::from_str(text).map_err(|error| whole(&error))?;
        let mut references = References::default();
        let templates = match document.version {
            // The keys are references.
            None if document.refs.is_some_and(is_object) => {
                return Err(IndexError::Whole(
                    "it has \"refs\" and no \"version\"; kerchunk writes 1 there".to_owned(),
                ));
            }
            None => {
                references.read(text)?;
                None
            }
            Some(version) if version.get() == "1" => {
                if document.generated.is_some_and(|generated| !is_empty(generated)) {
                    let reason = "its references are generated (\"gen\"), which is not supported; write each of them";
                    return Err(IndexError::Whole(reason.to_owned()));
                }
                let refs = document.refs.ok_or_else(|| IndexError::Whole("it has no \"refs\"".to_owned()))?;
                let templates = document.templates.map(|raw| Templates::parse(raw.get())).transpose();
                let templates = templates.map_err(IndexError::Whole)?.unwrap_or_default();
                references.read(refs.get())?;
                Some(templates)
            }
            Some(version) => {
                let version = beginning(version.get());
                return Err(IndexError::Whole(format!("its version is {version}; 1 is supported, and none for 0")));
            }
        };
        references.finish(templates.as_ref())
    }
}

fn whole(error: &serde_json::Error) -> IndexError {
    IndexError::Whole(format!("it is not the JSON of an index: {}", one_line(error)))
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// Whether nothing stands there: `null`, `[]`, `{}`.
fn is_empty(raw: &RawValue) -> bool {
    let is_inside = |c: char| !c.is_ascii_whitespace() && !matches!(c, '[' | ']' | '{' | '}');
    raw.get() == "null" || !raw.get().contains(is_inside)
}

/// The members of an index that are no references.
#[derive(Default)]
struct Document<'a> {
    version: Option<&'a RawValue>,
    refs: Option<&'a RawValue>,
    templates: Option<&'a RawValue>,
    generated: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<'de>, A::Error> {
                let mut document = Document::default();
                while let Some(Text(name)) = map.next_key()? {
                    let member = match name.as_ref() {
                        "version" => &mut document.version,
                        "refs" => &mut document.refs,
                        "templates" => &mut document.templates,
                        "gen" => &mut document.generated,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *member = Some(map.next_value()?);
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Text that is borrowed where nothing in it is escaped.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// `[url]` or `[url, offset, length]`.
struct Target<'a> {
    url: Text<'a>,
    part: Option<(u64, u64)>,
}

impl<'de> Deserialize<'de> for Target<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;

        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[url] or [url, offset, length]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Target<'de>, A::Error> {
                let wrong = |length| A::Error::invalid_length(length, &"[url] or [url, offset, length]");
                let url = seq.next_element()?.ok_or_else(|| wrong(0))?;
                let Some(offset) = seq.next_element()? else { return Ok(Target { url, part: None }) };
                let length = seq.next_element()?.ok_or_else(|| wrong(2))?;
                match seq.next_element::<IgnoredAny>()? {
                    None => Ok(Target { url, part: Some((offset, length)) }),
                    Some(_) => Err(wrong(4)),
                }
            }
        }

        deserializer.deserialize_seq(TargetVisitor)
    }
}

/// References as they come.
#[derive(Default)]
struct References {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    urls: Vec<Arc<str>>,
    /// Which of the URLs it is.
    numbers: HashMap<Arc<str>, u32>,
    /// Why reading ended early.
    refused: Option<IndexError>,
}

impl References {
    /// Reads an object of references.
    fn read(&mut self, text: &str) -> Result<(), IndexError> {
        let read = self.deserialize(&mut serde_json::Deserializer::from_str(text));
        match (self.refused.take(), read) {
            (Some(refused), _) => Err(refused),
            (None, Err(error)) => Err(whole(&error)),
            (None, Ok(())) => Ok(()),
        }
    }

    fn add(&mut self, key: &str, value: &RawValue) -> Result<(), String> {
        if self.entries.len() >= MAX_REFERENCES {
            return Err(format!("there are more than {MAX_REFERENCES} references; write an index for each array"));
        }
        check_key(key)?;
        let place = self.keep(key.as_bytes())?;
        let raw = value.get();
        let entry = match raw.as_bytes().first() {
            // Metadata as JSON instead of as text.
            Some(b'{') => Entry::inline(&place, &self.keep(raw.as_bytes())?),
            Some(b'"') => {
                let Text(text) = serde_json::from_str(raw).map_err(|error| one_line(plain(&error)))?;
                let data = match text.strip_prefix(BASE64) {
                    Some(encoded) => {
                        let decoded = STANDARD.decode(encoded);
                        self.keep(&decoded.map_err(|error| format!("what follows base64: is not that: {error}"))?)?
                    }
                    None => self.keep(text.as_bytes())?,
                };
                Entry::inline(&place, &data)
            }
            _ => {
                let target: Target<'_> = serde_json::from_str(raw).map_err(|error| {
                    format!("it is neither data nor [url] nor [url, offset, length]: {}", one_line(plain(&error)))
                })?;
                if target.part.is_some_and(|(offset, length)| offset.checked_add(length).is_none()) {
                    return Err("the end of what it refers to is beyond 64 bits".to_owned());
                }
                Entry::to(&place, self.number(&target.url.0)?, target.part)
            }
        };
        self.entries.push(entry);
        Ok(())
    }

    /// Where `bytes` are in the arena from now on.
    fn keep(&mut self, bytes: &[u8]) -> Result<Range<u32>, String> {
        let place = |length: usize| u32::try_from(length).map_err(|_| "the index is too large".to_owned());
        let start = place(self.arena.len())?;
        self.arena.extend_from_slice(bytes);
        Ok(start..place(self.arena.len())?)
    }

    fn number(&mut self, url: &str) -> Result<u32, String> {
        // Neighbours often refer to one file.
        let last = self.entries.last().and_then(|entry| entry.url());
        let is_last = |number: &u32| self.urls.get(*number as usize).is_some_and(|last| last.as_ref() == url);
        if let Some(number) = last.filter(is_last).or_else(|| self.numbers.get(url).copied()) {
            return Ok(number);
        }
        let number = u32::try_from(self.urls.len()).map_err(|_| "there are too many URLs".to_owned())?;
        let url: Arc<str> = url.into();
        self.urls.push(Arc::clone(&url));
        self.numbers.insert(url, number);
        Ok(number)
    }

    /// The index, with what the URLs mean.
    fn finish(self, templates: Option<&Templates>) -> Result<Index, IndexError> {
        let Self { arena, entries, urls, numbers, .. } = self;
        drop(numbers);
        let mut meant: Vec<Box<str>> = Vec::with_capacity(urls.len());
        let mut total = 0_u64;
        for (number, url) in urls.into_iter().enumerate() {
            let text = whole_url(&url, templates);
            // Templates may make much of little.
            total = total.saturating_add(text.as_ref().map_or(0, |text| text.len()) as u64);
            let text = if total > MAX_INDEX_BYTES.0 {
                Err(format!("with this one the URLs have more than {MAX_INDEX_BYTES}"))
            } else {
                text
            };
            meant.push(text.map_err(|reason| {
                let number = u32::try_from(number).ok();
                let first = entries.iter().find(|entry| number.is_some() && entry.url() == number);
                let key = first.map(|entry| String::from_utf8_lossy(bytes_of(&arena, *entry)));
                IndexError::Key { key: beginning(&key.unwrap_or_default()), reason }
            })?);
        }
        Ok(Index::new(arena, entries, meant.into_boxed_slice()))
    }
}

impl<'de> DeserializeSeed<'de> for &mut References {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut References {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of references")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            if let Err(reason) = self.add(&key, value) {
                self.refused = Some(IndexError::Key { key: beginning(&key), reason });
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// The error of one value, whose line and column say nothing.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(plain, _)| plain.to_owned())
}

/// Nothing could ask for another key; to leave it out would be to lose it.
pub(super) fn check_key(key: &str) -> Result<(), &'static str> {
    for segment in key.split('/') {
        if matches!(segment, "" | ".") {
            return Err("a key has no empty or `.` segments");
        }
        check_segment(segment).map_err(|_| "a key has no `..` segments and no control characters")?;
    }
    Ok(())
}

/// The URL that is meant, if it is one that can be read.
pub(super) fn whole_url(written: &str, templates: Option<&Templates>) -> Result<Box<str>, String> {
    let url = match templates {
        Some(templates) => templates.apply(written)?,
        None => Cow::Borrowed(written),
    };
    if url.len() > MAX_URL_BYTES {
        return Err(format!("the URL has {} bytes; at most {MAX_URL_BYTES} are read", url.len()));
    }
    if !url.contains("://") && !url.starts_with('/') {
        let shown = beginning(&url);
        return Err(format!("it refers to {shown:?}, which is no whole URL; write whole URLs, as s3://bucket/key"));
    }
    // Links of local files are followed when they are read.
    if !is_local(&url) {
        let place = StoreUrl::parse(&url).map_err(|error| format!("it refers to no place: {error}"))?;
        if place.index().is_some() || place.segments().is_empty() {
            return Err(format!("it refers to {:?}, which names no object of a store", beginning(&url)));
        }
    }
    Ok(url.into())
}

pub(super) fn beginning(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
