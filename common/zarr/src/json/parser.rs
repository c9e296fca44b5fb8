//! Reads JSON text into the tree. Total: any text gives a tree or a sentence.

use super::{Json, Object};

/// Nesting beyond this is refused: the tree is walked recursively.
const MAX_DEPTH: usize = 128;

/// The tree of `text`, or what is wrong and where.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.spaces();
    if parser.at == text.len() { Ok(value) } else { Err(parser.problem("text after the end")) }
}

/// The string that `raw` spells. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    let mut buffer = [0_u16; 2];
    while let Some(c) = chars.next() {
        let resolved = if c == '\\' {
            match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xFFFD));
                    continue;
                }
                Some(other) => other,
                None => break,
            }
        } else {
            c
        };
        units.extend_from_slice(resolved.encode_utf16(&mut buffer));
    }
    String::from_utf16_lossy(&units)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance(1);
        }
    }

    fn problem(&self, what: &str) -> String {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.chars().rev().take_while(|c| *c != '\n').count().saturating_add(1);
        format!("{what} at line {line} column {column}")
    }

    fn take(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        if found {
            self.advance(literal.len());
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > MAX_DEPTH {
            return Err(self.problem("nesting that is too deep"));
        }
        self.spaces();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => self.number(),
            Some(_) if self.take("null") => Ok(Json::Null),
            Some(_) if self.take("true") => Ok(Json::Bool(true)),
            Some(_) if self.take("false") => Ok(Json::Bool(false)),
            Some(_) => Err(self.problem("no JSON value")),
            None => Err(self.problem("the text ends")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.advance(1);
        let mut members = Vec::new();
        self.spaces();
        if self.take("}") {
            return Ok(Json::Object(Object { members }));
        }
        loop {
            self.spaces();
            if self.peek() != Some(b'"') {
                return Err(self.problem("no key"));
            }
            let key = self.string()?;
            self.spaces();
            if !self.take(":") {
                return Err(self.problem("no ':'"));
            }
            members.push((key, self.value(depth.saturating_add(1))?));
            self.spaces();
            if self.take("}") {
                return Ok(Json::Object(Object { members }));
            }
            if !self.take(",") {
                return Err(self.problem("neither ',' nor '}'"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.advance(1);
        let mut values = Vec::new();
        self.spaces();
        if self.take("]") {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth.saturating_add(1))?);
            self.spaces();
            if self.take("]") {
                return Ok(Json::List(values));
            }
            if !self.take(",") {
                return Err(self.problem("neither ',' nor ']'"));
            }
        }
    }

    /// The text between the quotes, escapes checked and kept.
    fn string(&mut self) -> Result<String, String> {
        self.advance(1);
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.advance(1);
                    match self.peek() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.advance(1),
                        Some(b'u') => {
                            let after = self.at.saturating_add(1);
                            let digits = self.text.as_bytes().get(after..after.saturating_add(4));
                            if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                                return Err(self.problem("a bad \\u escape"));
                            }
                            self.advance(5);
                        }
                        Some(_) | None => return Err(self.problem("a bad escape")),
                    }
                }
                Some(0..=0x1f) => return Err(self.problem("a control character in a string")),
                Some(_) => self.advance(1),
                None => return Err(self.problem("a string without an end")),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default().to_owned();
        self.advance(1);
        Ok(raw)
    }

    fn number(&mut self) -> Result<Json, String> {
        for literal in ["NaN", "Infinity", "-Infinity"] {
            if self.take(literal) {
                return Ok(Json::Number(literal.to_owned()));
            }
        }
        let start = self.at;
        self.take("-");
        if !self.take("0") && self.digits() == 0 {
            return Err(self.problem("a bad number"));
        }
        if self.take(".") && self.digits() == 0 {
            return Err(self.problem("a bad number"));
        }
        if self.take("e") || self.take("E") {
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() == 0 {
                return Err(self.problem("a bad number"));
            }
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default().to_owned()))
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.advance(count);
        count
    }
}
