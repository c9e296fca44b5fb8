//! Text of HTML and SVG under construction. Only text of this program enters as it is; everything else is escaped.

use std::fmt::{Display, Write as _};

/// HTML under construction.
#[derive(Debug, Clone, Default)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// Markup of this program: the lifetime keeps texts of others out.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Text, escaped for elements and for quoted attributes.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        for character in text.to_string().chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                // Control characters are not allowed in HTML, and hide text in a terminal.
                character if character.is_control() && character != '\n' => self.text.push('\u{fffd}'),
                character => self.text.push(character),
            }
        }
        self
    }

    /// A coordinate, to a tenth of a pixel.
    pub(super) fn px(&mut self, pixels: f64) -> &mut Self {
        let rounded = (pixels * 10.0).round() / 10.0;
        let _ = write!(self.text, "{}", if rounded == 0.0 { 0.0 } else { rounded });
        self
    }

    /// A point of a path: `12.5 7`.
    pub(super) fn point(&mut self, (x, y): (f64, f64)) -> &mut Self {
        self.px(x).raw(" ").px(y)
    }

    /// Markup that was made apart.
    pub(super) fn add(&mut self, other: &Self) -> &mut Self {
        self.text.push_str(&other.text);
        self
    }

    /// The finished text.
    pub(super) fn into_string(self) -> String {
        self.text
    }
}
