//! Records as the writers of Parquet write them, and as none does.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "what tests write is small")]

/// What a row refers to.
#[derive(Debug, Clone)]
pub(in super::super) enum Row {
    Missing,
    Inline(&'static [u8]),
    Whole(String),
    Part(String, i64, i64),
}

/// One column, and how it is to be written.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) physical: i64,
    pub(super) cells: Vec<Option<Vec<u8>>>,
    pub(super) is_optional: bool,
    pub(super) has_dictionary: bool,
    /// Pages whose levels lie apart.
    pub(super) is_second: bool,
    pub(super) codec: i64,
    pub(super) rows_of_page: usize,
}

pub(super) const INT64: i64 = 2;
pub(super) const BYTES: i64 = 6;

/// A structure of Thrift's, by its fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
    fn field(&mut self, kind: u8, number: i16) {
        self.0.push(kind);
        varint(&mut self.0, u64::from(number.cast_unsigned()) << 1);
    }

    pub(super) fn integer(mut self, number: i16, value: i64) -> Self {
        self.field(6, number);
        varint(&mut self.0, (value << 1 ^ value >> 63).cast_unsigned());
        self
    }

    pub(super) fn bool(mut self, number: i16, value: bool) -> Self {
        self.field(if value { 1 } else { 2 }, number);
        self
    }

    pub(super) fn bytes(mut self, number: i16, value: &[u8]) -> Self {
        self.field(8, number);
        varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn structure(mut self, number: i16, value: Self) -> Self {
        self.field(12, number);
        self.0.extend(value.end());
        self
    }

    pub(super) fn structures(mut self, number: i16, values: impl IntoIterator<Item = Self>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        self.field(9, number);
        self.0.push(0xfc);
        varint(&mut self.0, values.len() as u64);
        for value in values {
            self.0.extend(value.end());
        }
        self
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.push(0);
        self.0
    }
}

fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Packed in groups of eight.
fn packed(numbers: &[u32], width: u32) -> Vec<u8> {
    let mut data = Vec::new();
    varint(&mut data, (numbers.len().div_ceil(8) as u64) << 1 | 1);
    let mut bytes = vec![0; numbers.len().div_ceil(8) * width as usize];
    for (place, number) in numbers.iter().enumerate() {
        for bit in 0..width as usize {
            let at = place * width as usize + bit;
            bytes[at / 8] |= ((number >> bit & 1) as u8) << (at % 8);
        }
    }
    data.extend(bytes);
    data
}

pub(super) fn compressed(codec: i64, plain: &[u8]) -> Vec<u8> {
    match codec {
        0 => plain.to_vec(),
        1 => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
        6 => zstd::bulk::compress(plain, 1).unwrap(),
        other => panic!("{other}"),
    }
}

impl Column {
    pub(super) fn texts(name: &'static str, cells: Vec<Option<Vec<u8>>>) -> Self {
        let (is_optional, has_dictionary, is_second) = (true, false, false);
        Self { name, physical: BYTES, cells, is_optional, has_dictionary, is_second, codec: 6, rows_of_page: 1000 }
    }

    pub(super) fn numbers(name: &'static str, cells: &[i64]) -> Self {
        let cells = cells.iter().map(|cell| Some(cell.to_le_bytes().to_vec())).collect();
        Self { physical: INT64, is_optional: false, ..Self::texts(name, cells) }
    }

    fn plain(&self, cell: &[u8]) -> Vec<u8> {
        let length = u32::try_from(cell.len()).unwrap().to_le_bytes();
        let length: &[u8] = if self.physical == BYTES { &length } else { &[] };
        [length, cell].concat()
    }

    /// The pages; where the first of values begins.
    fn pages(&self) -> (Vec<u8>, usize) {
        let mut data = Vec::new();
        let mut distinct: Vec<&Vec<u8>> = Vec::new();
        for cell in self.cells.iter().flatten() {
            if !distinct.contains(&cell) {
                distinct.push(cell);
            }
        }
        if self.has_dictionary {
            let plain: Vec<u8> = distinct.iter().flat_map(|cell| self.plain(cell)).collect();
            let own = Fields::default().integer(1, distinct.len() as i64).integer(2, 0);
            data.extend(page(2, plain.len(), &compressed(self.codec, &plain), 7, own));
        }
        let start = data.len();
        for cells in self.cells.chunks(self.rows_of_page) {
            let present: Vec<u32> = cells.iter().map(|cell| u32::from(cell.is_some())).collect();
            let levels = if self.is_optional { packed(&present, 1) } else { Vec::new() };
            let values: Vec<u8> = if self.has_dictionary {
                let place = |cell| distinct.iter().position(|other| *other == cell).unwrap() as u32;
                let numbers: Vec<u32> = cells.iter().flatten().map(place).collect();
                [vec![7], packed(&numbers, 7)].concat()
            } else {
                cells.iter().flatten().flat_map(|cell| self.plain(cell)).collect()
            };
            let encoding = if self.has_dictionary { 8 } else { 0 };
            if self.is_second {
                let own = Fields::default().integer(1, cells.len() as i64).integer(2, 0).integer(3, cells.len() as i64);
                let own =
                    own.integer(4, encoding).integer(5, levels.len() as i64).integer(6, 0).bool(7, self.codec != 0);
                let body = [levels.clone(), compressed(self.codec, &values)].concat();
                data.extend(page(3, levels.len() + values.len(), &body, 8, own));
            } else {
                let length = u32::try_from(levels.len()).unwrap().to_le_bytes();
                let before = if self.is_optional { [&length[..], &levels].concat() } else { Vec::new() };
                let plain = [before, values].concat();
                let own =
                    Fields::default().integer(1, cells.len() as i64).integer(2, encoding).integer(3, 3).integer(4, 3);
                data.extend(page(0, plain.len(), &compressed(self.codec, &plain), 5, own));
            }
        }
        (data, start)
    }
}

/// A page, of whatever its header says.
pub(super) fn page(kind: i64, plain: usize, body: &[u8], number: i16, own: Fields) -> Vec<u8> {
    let header = Fields::default().integer(1, kind).integer(2, plain as i64).integer(3, body.len() as i64);
    [header.structure(number, own).end(), body.to_vec()].concat()
}

/// A file of these columns, in groups of so many rows.
pub(super) fn file(columns: &[Column], rows_of_group: usize) -> Vec<u8> {
    let mut data = b"PAR1".to_vec();
    let rows = columns[0].cells.len();
    let mut groups = Vec::new();
    for start in (0..rows).step_by(rows_of_group) {
        let end = rows.min(start + rows_of_group);
        let chunks: Vec<Fields> = columns
            .iter()
            .map(|column| {
                let column = Column { cells: column.cells[start..end].to_vec(), ..column.clone() };
                let ((pages, values), at) = (column.pages(), data.len());
                data.extend(&pages);
                let own = Fields::default()
                    .integer(1, column.physical)
                    .integer(4, column.codec)
                    .integer(7, pages.len() as i64);
                let own = own.integer(9, (at + values) as i64);
                let own = if column.has_dictionary { own.integer(11, at as i64) } else { own };
                Fields::default().integer(2, 0).structure(3, own)
            })
            .collect();
        groups.push(Fields::default().structures(1, chunks).integer(3, (end - start) as i64));
    }
    let leaf = |column: &Column| {
        let leaf = Fields::default().integer(1, column.physical).integer(3, column.is_optional.into());
        leaf.bytes(4, column.name.as_bytes())
    };
    let root = Fields::default().bytes(4, b"schema").integer(5, columns.len() as i64);
    let schema = std::iter::once(root).chain(columns.iter().map(leaf));
    with_footer(
        data,
        Fields::default().integer(1, 1).structures(2, schema).integer(3, rows as i64).structures(4, groups),
    )
}

pub(super) fn with_footer(mut data: Vec<u8>, footer: Fields) -> Vec<u8> {
    let footer = footer.end();
    data.extend(&footer);
    data.extend(u32::try_from(footer.len()).unwrap().to_le_bytes());
    data.extend(b"PAR1");
    data
}

/// The columns of these rows, as fsspec has them.
pub(super) fn columns(rows: &[Row]) -> Vec<Column> {
    let path = |row: &Row| match row {
        Row::Whole(url) | Row::Part(url, ..) => Some(url.clone().into_bytes()),
        Row::Missing | Row::Inline(_) => None,
    };
    let raw = |row: &Row| if let Row::Inline(data) = row { Some(data.to_vec()) } else { None };
    let part = |row: &Row| if let Row::Part(_, offset, size) = row { (*offset, *size) } else { (0, 0) };
    vec![
        Column::texts("path", rows.iter().map(path).collect()),
        Column::numbers("offset", &rows.iter().map(|row| part(row).0).collect::<Vec<_>>()),
        Column::numbers("size", &rows.iter().map(|row| part(row).1).collect::<Vec<_>>()),
        Column::texts("raw", rows.iter().map(raw).collect()),
    ]
}

/// A record of these rows, as fsspec writes it.
pub(in super::super) fn record(rows: &[Row]) -> Vec<u8> {
    file(&columns(rows), rows.len())
}
