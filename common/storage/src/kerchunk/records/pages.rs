//! The pages of a column, one at a time, decompressed within what a file may take.

use std::borrow::Cow;

use super::{
    footer::{Codec, ColumnChunk},
    thrift::{Cursor, Structure},
};

/// A header with the least and the greatest value of a page.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Bytes that the pages of one file may still be decompressed to.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) left: u64,
}

/// A page of values, or their dictionary.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page<'a> {
    Dictionary {
        count: usize,
        data: Cow<'a, [u8]>,
    },
    Data {
        /// Rows, also those without a value.
        count: usize,
        encoding: i64,
        levels: Levels<'a>,
        /// Behind the levels, where those are not apart.
        data: Cow<'a, [u8]>,
    },
}

/// Where a page says which rows have a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Levels<'a> {
    /// At the beginning of the data, behind their length.
    Within,
    /// Apart from it, never compressed.
    Apart(&'a [u8]),
}

/// The pages of one column in a group.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    cursor: Cursor<'a>,
    codec: Codec,
}

impl<'a> Pages<'a> {
    pub(super) fn new(file: &'a [u8], chunk: &ColumnChunk) -> Result<Self, String> {
        let place = |place: Option<u64>| place.and_then(|place| usize::try_from(place).ok());
        let (start, end) = (place(Some(chunk.start)), place(chunk.start.checked_add(chunk.length)));
        let data = start.zip(end).and_then(|(start, end)| file.get(start..end));
        let data = data.ok_or("a column lies beyond its end")?;
        Ok(Self { cursor: Cursor::new(data), codec: chunk.codec })
    }

    /// The next page; `None`: there are no more.
    pub(super) fn next(&mut self, budget: &mut Budget) -> Result<Option<Page<'a>>, String> {
        while !self.cursor.rest().is_empty() {
            let rest = self.cursor.rest();
            let mut header = Cursor::new(rest.get(..MAX_HEADER_BYTES).unwrap_or(rest));
            let before = header.rest().len();
            let fields = header.structure().map_err(|reason| format!("the header of a page: {reason}"))?;
            self.cursor.take(before - header.rest().len())?;
            let size = |number, name| usize::try_from(fields.count(number, name)?).map_err(|_| too_large());
            let (plain, stored) = (size(2, "size of a page")?, size(3, "stored size of a page")?);
            let body = self.cursor.take(stored).map_err(|_| "a page is longer than its column")?;
            match fields.integer(1) {
                Some(0) => return self.values(&fields, body, plain, budget).map(Some),
                // An index of pages.
                Some(1) => {}
                Some(2) => return self.dictionary(&fields, body, plain, budget).map(Some),
                Some(3) => return self.values_apart(&fields, body, plain, budget).map(Some),
                other => return Err(format!("a page is of the unknown kind {other:?}")),
            }
        }
        Ok(None)
    }

    fn values(
        &self,
        fields: &Structure<'_>,
        body: &'a [u8],
        plain: usize,
        budget: &mut Budget,
    ) -> Result<Page<'a>, String> {
        let header = fields.structure(5).ok_or("a page has no header of its kind")?;
        Ok(Page::Data {
            count: count(header, 1)?,
            encoding: header.integer(2).ok_or("a page has no encoding")?,
            levels: Levels::Within,
            data: decompressed(self.codec, body, plain, budget)?,
        })
    }

    fn values_apart(
        &self,
        fields: &Structure<'_>,
        body: &'a [u8],
        plain: usize,
        budget: &mut Budget,
    ) -> Result<Page<'a>, String> {
        let header = fields.structure(8).ok_or("a page has no header of its kind")?;
        let (levels, repetitions) = (count(header, 5)?, count(header, 6)?);
        if repetitions != 0 {
            return Err("a page has lists, as references have not".to_owned());
        }
        let (levels, data) = body.split_at_checked(levels).ok_or("the levels of a page are longer than it")?;
        let plain = plain.checked_sub(levels.len()).ok_or("the levels of a page are longer than it")?;
        let codec = if header.bool(7) == Some(false) { Codec::None } else { self.codec };
        Ok(Page::Data {
            count: count(header, 1)?,
            encoding: header.integer(4).ok_or("a page has no encoding")?,
            levels: Levels::Apart(levels),
            data: decompressed(codec, data, plain, budget)?,
        })
    }

    fn dictionary(
        &self,
        fields: &Structure<'_>,
        body: &'a [u8],
        plain: usize,
        budget: &mut Budget,
    ) -> Result<Page<'a>, String> {
        let header = fields.structure(7).ok_or("a page has no header of its kind")?;
        Ok(Page::Dictionary { count: count(header, 1)?, data: decompressed(self.codec, body, plain, budget)? })
    }
}

fn count(header: &Structure<'_>, number: i16) -> Result<usize, String> {
    usize::try_from(header.count(number, "number of values in a page")?).map_err(|_| too_large())
}

fn too_large() -> String {
    "a page is too large".to_owned()
}

/// The `plain` bytes of a page. Nothing is allocated for more than the budget has.
fn decompressed<'a>(codec: Codec, body: &'a [u8], plain: usize, budget: &mut Budget) -> Result<Cow<'a, [u8]>, String> {
    let left = u64::try_from(plain).ok().and_then(|plain| budget.left.checked_sub(plain));
    budget.left = left.ok_or("its pages are larger than what is read of a file")?;
    let wrong = || "a page has not as many bytes as it says".to_owned();
    let data = match codec {
        Codec::None => Cow::Borrowed(body),
        // An empty page may be stored as nothing at all.
        Codec::Snappy | Codec::Zstd if plain == 0 => Cow::Borrowed(&[][..]),
        Codec::Snappy => {
            if snap::raw::decompress_len(body).ok() != Some(plain) {
                return Err(wrong());
            }
            let mut data = vec![0; plain];
            let written = snap::raw::Decoder::new().decompress(body, &mut data);
            data.truncate(written.map_err(|error| format!("a page can't be decompressed: {error}"))?);
            Cow::Owned(data)
        }
        Codec::Zstd => {
            let data = zstd::bulk::decompress(body, plain);
            Cow::Owned(data.map_err(|error| format!("a page can't be decompressed: {error}"))?)
        }
    };
    if data.len() == plain { Ok(data) } else { Err(wrong()) }
}
