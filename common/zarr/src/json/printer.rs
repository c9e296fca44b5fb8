//! Writes the tree as text.

use std::fmt::Write as _;

use super::Json;

/// The text of a string between its quotes.
pub(super) fn escape(value: &str) -> String {
    let mut raw = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' => raw.push_str("\\\""),
            '\\' => raw.push_str("\\\\"),
            '\n' => raw.push_str("\\n"),
            '\t' => raw.push_str("\\t"),
            '\r' => raw.push_str("\\r"),
            c if u32::from(c) < 0x20 => {
                // Writing to a String does not fail.
                let _ = write!(raw, "\\u{:04x}", u32::from(c));
            }
            c => raw.push(c),
        }
    }
    raw
}

pub(super) fn compact(value: &Json) -> String {
    let mut out = String::new();
    print(value, None, 0, &mut out);
    out
}

pub(super) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    print(value, Some(2), 0, &mut out);
    out
}

fn print(value: &Json, indent: Option<usize>, depth: usize, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(raw) => out.push_str(raw),
        Json::Text(raw) => quote(raw, out),
        Json::List(values) if values.is_empty() => out.push_str("[]"),
        Json::Object(object) if object.is_empty() => out.push_str("{}"),
        Json::List(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                separate(index, indent, depth.saturating_add(1), out);
                print(value, indent, depth.saturating_add(1), out);
            }
            new_line(indent, depth, out);
            out.push(']');
        }
        Json::Object(object) => {
            out.push('{');
            for (index, (key, value)) in object.members.iter().enumerate() {
                separate(index, indent, depth.saturating_add(1), out);
                quote(key, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                print(value, indent, depth.saturating_add(1), out);
            }
            new_line(indent, depth, out);
            out.push('}');
        }
    }
}

fn quote(raw: &str, out: &mut String) {
    out.push('"');
    out.push_str(raw);
    out.push('"');
}

fn separate(index: usize, indent: Option<usize>, depth: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
    new_line(indent, depth, out);
}

fn new_line(indent: Option<usize>, depth: usize, out: &mut String) {
    if let Some(width) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', width.saturating_mul(depth)));
    }
}
