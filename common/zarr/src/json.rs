//! A JSON tree that keeps the spelling of what it does not understand: numbers (big integers, `1.0` against `1`),
//! escapes in strings, key order, and the bare `NaN`, `Infinity` and `-Infinity` that Python writes.
//!
//! Knows nothing of Zarr. Layout (indentation, spaces) is not kept.

mod parser;
mod printer;
#[cfg(test)]
mod tests;

use crate::MetadataError;

/// A JSON value; leaves are their source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number's text; also `NaN`, `Infinity`, `-Infinity`.
    Number(String),
    /// A string's text between the quotes, escapes and all.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(Object),
}

/// The members of an object in their order; keys are their text between the quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Object {
    members: Vec<(String, Json)>,
}

impl Json {
    /// Parses a document; `name` is what an error calls it.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, MetadataError> {
        parser::parse(text).map_err(|problem| MetadataError::corrupt(name, problem))
    }

    /// A string value.
    pub(crate) fn text(value: &str) -> Self {
        Self::Text(printer::escape(value))
    }

    /// A number value.
    pub(crate) fn number(value: impl Into<i128>) -> Self {
        Self::Number(value.into().to_string())
    }

    /// A list of numbers.
    pub(crate) fn numbers(values: &[u64]) -> Self {
        Self::List(values.iter().copied().map(Self::number).collect())
    }

    /// An object of the members.
    pub(crate) fn object<const N: usize>(members: [(&str, Json); N]) -> Self {
        let members = members.into_iter().map(|(key, value)| (printer::escape(key), value)).collect();
        Self::Object(Object { members })
    }

    /// The string, escapes resolved.
    pub(crate) fn as_text(&self) -> Option<String> {
        if let Self::Text(raw) = self { Some(parser::unescape(raw)) } else { None }
    }

    /// A whole number without sign, fraction or exponent.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        self.as_number()?.parse().ok()
    }

    /// A whole number.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        self.as_number()?.parse().ok()
    }

    /// The text of a number.
    pub(crate) fn as_number(&self) -> Option<&str> {
        if let Self::Number(raw) = self { Some(raw) } else { None }
    }

    /// The members of a list.
    pub(crate) fn as_list(&self) -> Option<&[Json]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The members of an object.
    pub(crate) fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The boolean.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Whether this is `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// On one line, without spaces.
    pub(crate) fn compact(&self) -> String {
        printer::compact(self)
    }

    /// Indented as Python's `json.dumps(…, indent=2)`.
    pub(crate) fn pretty(&self) -> String {
        printer::pretty(self)
    }
}

impl Object {
    /// The value of `key`; the last one where the key is repeated, as Python reads it.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.members.iter().rev().find(|(raw, _)| is_key(raw, key)).map(|(_, value)| value)
    }

    /// Replaces the value of `key` in its place, or adds it at the end.
    pub(crate) fn set(&mut self, key: &str, value: Json) {
        if let Some(first) = self.members.iter().position(|(raw, _)| is_key(raw, key)) {
            let mut at = 0_usize;
            self.members.retain(|(raw, _)| {
                let keep = at <= first || !is_key(raw, key);
                at = at.saturating_add(1);
                keep
            });
            if let Some(member) = self.members.get_mut(first) {
                member.1 = value;
            }
        } else {
            self.members.push((printer::escape(key), value));
        }
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Json> {
        let value = self.get(key).cloned();
        self.members.retain(|(raw, _)| !is_key(raw, key));
        value
    }

    /// Keys (escapes resolved) and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &Json)> {
        self.members.iter().map(|(raw, value)| (parser::unescape(raw), value))
    }

    /// Whether there are no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

fn is_key(raw: &str, key: &str) -> bool {
    if raw.contains('\\') { parser::unescape(raw) == key } else { raw == key }
}
