//! The templates of an index: names that stand for parts of URLs, as `{{name}}`.
//!
//! What needs more than putting text in the place of a name, jinja's expressions and arguments, is refused.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use super::parse::{Text, beginning};

/// What to do where templates are not enough.
const ADVICE: &str = "write the references without it";

/// Texts by their names.
#[derive(Debug, Default)]
pub(super) struct Templates(BTreeMap<String, String>);

impl Templates {
    /// Reads the member of an index.
    pub(super) fn parse(raw: &str) -> Result<Self, String> {
        if raw == "null" {
            return Ok(Self::default());
        }
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(raw).map_err(|_| "its \"templates\" are no object".to_owned())?;
        let mut templates = BTreeMap::new();
        for (name, value) in members {
            let Ok(Text(text)) = serde_json::from_str(value.get()) else {
                return Err(format!("its template {name:?} is no text"));
            };
            templates.insert(name, text.into_owned());
        }
        Ok(Self(templates))
    }

    /// The URL that `written` means.
    pub(super) fn apply<'a>(&self, written: &'a str) -> Result<Cow<'a, str>, String> {
        let mut rest = written;
        let mut url = String::new();
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                return Err(format!("a template in {:?} has no end", beginning(written)));
            };
            url.push_str(before);
            url.push_str(self.text(name.trim())?);
            rest = behind;
        }
        if rest.contains("{%") {
            let shown = beginning(written);
            return Err(format!("{shown:?} is a program of jinja, which is not supported; {ADVICE}"));
        }
        if rest.len() == written.len() {
            return Ok(Cow::Borrowed(written));
        }
        url.push_str(rest);
        Ok(Cow::Owned(url))
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        let shown = beginning(name);
        match self.0.get(name) {
            Some(text) if text.contains("{{") => {
                Err(format!("template {shown:?} has templates or arguments in it, which is not supported; {ADVICE}"))
            }
            Some(text) => Ok(text),
            None if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                Err(format!("there is no template {shown:?}; {ADVICE}"))
            }
            None => Err(format!("{shown:?} is an expression of jinja, which is not supported; {ADVICE}")),
        }
    }
}
