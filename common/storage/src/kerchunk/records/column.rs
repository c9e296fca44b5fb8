//! The values of a column: plain ones, and those that are numbers of a dictionary's values.

use super::{
    footer::{ColumnChunk, Physical},
    hybrid,
    pages::{Budget, Levels, Page, Pages},
    thrift::Cursor,
};

/// Stands for the number of a value where a row has none.
const NONE: u32 = u32::MAX;

/// The number of an encoding in the format.
const PLAIN: i64 = 0;
const PLAIN_DICTIONARY: i64 = 2;
const RLE_DICTIONARY: i64 = 8;

/// What is read of a column: its distinct values as far as they are known to be the same, and which one each row has.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Column<V> {
    pub(super) values: V,
    rows: Vec<u32>,
}

/// Values of one type.
pub(super) trait Values {
    /// How they are stored.
    const PHYSICAL: Physical;

    /// How many there are.
    fn count(&self) -> usize;

    /// Takes one more, unless it is the same as the last; returns whether it was.
    fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, String>;
}

/// Numbers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Numbers(Vec<i64>);

/// Bytes or text, one after the other.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Texts {
    data: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Values for Numbers {
    const PHYSICAL: Physical = Physical::Int64;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, String> {
        let number = i64::from_le_bytes(cursor.array()?);
        let is_last = self.0.last() == Some(&number);
        if !is_last {
            self.0.push(number);
        }
        Ok(is_last)
    }
}

impl Values for Texts {
    const PHYSICAL: Physical = Physical::Bytes;

    fn count(&self) -> usize {
        self.ends.len()
    }

    fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, String> {
        let length = u32::from_le_bytes(cursor.array()?);
        let text = cursor.take(length as usize)?;
        let is_last = self.ends.len().checked_sub(1).is_some_and(|last| self.get(last) == text);
        if !is_last {
            self.data.extend_from_slice(text);
            self.ends.push(self.data.len());
        }
        Ok(is_last)
    }
}

impl Numbers {
    pub(super) fn get(&self, number: usize) -> i64 {
        self.0.get(number).copied().unwrap_or_default()
    }
}

impl Texts {
    pub(super) fn get(&self, number: usize) -> &[u8] {
        self.data.get(self.place(number)).unwrap_or_default()
    }

    /// Where a text is in [`Self::into_data`].
    pub(super) fn place(&self, number: usize) -> std::ops::Range<usize> {
        let end = |number: usize| self.ends.get(number).copied().unwrap_or_default();
        number.checked_sub(1).map_or(0, end)..end(number)
    }

    pub(super) fn into_data(self) -> Vec<u8> {
        self.data
    }
}

impl<V: Values + Default> Column<V> {
    /// The number of the value that a row has.
    pub(super) fn at(&self, row: usize) -> Option<usize> {
        self.rows.get(row).filter(|number| **number != NONE).map(|number| *number as usize)
    }

    /// Adds the `rows` of one group. `physical` is how the values are stored: where it is another way than ours, no row
    /// may have one.
    pub(super) fn read(
        &mut self,
        file: &[u8],
        chunk: &ColumnChunk,
        (physical, is_optional): (Physical, bool),
        rows: u64,
        budget: &mut Budget,
    ) -> Result<(), String> {
        let rows = usize::try_from(rows).map_err(|_| "it has too many rows")?;
        let end = self.rows.len().checked_add(rows).ok_or("it has too many rows")?;
        let mut pages = Pages::new(file, chunk)?;
        // Where the values of this chunk's dictionary begin, and how many there are.
        let mut dictionary = None;
        while self.rows.len() < end {
            match pages.next(budget)?.ok_or("a column ends before its last row")? {
                Page::Dictionary { count, data } if physical == V::PHYSICAL => {
                    if dictionary.is_some() {
                        return Err("a column has two dictionaries".to_owned());
                    }
                    dictionary = Some(self.take_plain(&data, count)?);
                }
                Page::Dictionary { .. } => {}
                Page::Data { count, encoding, levels, data } => {
                    if count > end - self.rows.len() {
                        return Err("a column has more rows than its group".to_owned());
                    }
                    let (present, data) = present(&levels, &data, count, is_optional)?;
                    let values = present.iter().filter(|is_there| **is_there).count();
                    if values > 0 && physical != V::PHYSICAL {
                        return Err(format!("its values are {physical:?} instead of {:?}", V::PHYSICAL));
                    }
                    let numbers = self.numbers(encoding, data, values, dictionary.as_ref())?;
                    let mut numbers = numbers.into_iter();
                    self.rows.extend(
                        present.into_iter().map(
                            |is_there| {
                                if is_there { numbers.next().unwrap_or(NONE) } else { NONE }
                            },
                        ),
                    );
                }
            }
        }
        Ok(())
    }

    /// The numbers of the next `count` values, which are taken.
    fn take_plain(&mut self, data: &[u8], count: usize) -> Result<Vec<u32>, String> {
        let mut cursor = Cursor::new(data);
        let mut numbers = Vec::new();
        for _ in 0..count {
            self.values.take(&mut cursor)?;
            let last = self.values.count().checked_sub(1).and_then(|last| u32::try_from(last).ok());
            numbers.push(last.filter(|last| *last != NONE).ok_or("it has too many values")?);
        }
        Ok(numbers)
    }

    /// The numbers of the next `count` values, however they are encoded.
    fn numbers(
        &mut self,
        encoding: i64,
        data: &[u8],
        count: usize,
        dictionary: Option<&Vec<u32>>,
    ) -> Result<Vec<u32>, String> {
        match encoding {
            _ if count == 0 => Ok(Vec::new()),
            PLAIN => self.take_plain(data, count),
            PLAIN_DICTIONARY | RLE_DICTIONARY => {
                let dictionary = dictionary.ok_or("a column has no dictionary")?;
                let (width, data) = data.split_first().ok_or("a page ends early")?;
                let mut numbers = Vec::with_capacity(count);
                let mut is_within = true;
                hybrid::read(data, (*width).into(), count, |index| {
                    let number = dictionary.get(index as usize);
                    is_within &= number.is_some();
                    numbers.push(number.copied().unwrap_or(NONE));
                })?;
                if is_within { Ok(numbers) } else { Err("a value is beyond its dictionary".to_owned()) }
            }
            other => Err(format!("its values have the encoding {other}; plain ones and dictionaries are read")),
        }
    }
}

/// Which of the next `count` rows have a value, and what follows that in the page.
fn present<'a>(
    levels: &Levels<'_>,
    data: &'a [u8],
    count: usize,
    is_optional: bool,
) -> Result<(Vec<bool>, &'a [u8]), String> {
    if !is_optional {
        return Ok((vec![true; count], data));
    }
    let mut cursor = Cursor::new(data);
    let levels = match levels {
        Levels::Within => {
            let length = u32::from_le_bytes(cursor.array()?);
            cursor.take(length as usize)?
        }
        Levels::Apart(levels) => levels,
    };
    let mut present = Vec::with_capacity(count);
    hybrid::read(levels, 1, count, |level| present.push(level == 1))?;
    Ok((present, cursor.rest()))
}
