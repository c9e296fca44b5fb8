//! The footer of a Parquet file: which columns there are, and where they lie. Flat tables only.

use rechunk_common::limits::MAX_RECORD_ROWS;

use super::thrift::{Cursor, Structure};

/// Stands at both ends of a file.
const MAGIC: &[u8; 4] = b"PAR1";

/// At the end of a file whose footer is encrypted.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// A footer is read into a tree of up to forty times its bytes. Those of references have three thousand.
const MAX_FOOTER_BYTES: usize = 256 << 10;

/// What a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// In the order of the chunks in a group.
    pub(super) columns: Vec<ColumnSchema>,
    pub(super) groups: Vec<RowGroup>,
    pub(super) rows: u64,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnSchema {
    pub(super) name: String,
    pub(super) physical: Physical,
    /// Whether rows may have no value.
    pub(super) is_optional: bool,
}

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    Int64,
    Bytes,
    /// By its number in the format.
    Other(i64),
}

/// Rows that lie together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowGroup {
    pub(super) rows: u64,
    pub(super) chunks: Vec<ColumnChunk>,
}

/// The pages of one column in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnChunk {
    pub(super) codec: Codec,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Snappy,
    Zstd,
}

impl Footer {
    /// Reads the footer of a file.
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let data = bytes_of(file)?;
        let footer = Cursor::new(data).structure().map_err(|reason| format!("its footer: {reason}"))?;
        let rows = footer.count(3, "number of rows")?;
        if rows > MAX_RECORD_ROWS {
            return Err(format!("it has {rows} rows; at most {MAX_RECORD_ROWS} are read"));
        }
        let columns = columns(&footer.structures(2, "schema")?)?;
        let groups = footer.structures(4, "row groups")?.into_iter();
        let groups = groups.map(|group| RowGroup::of(group, columns.len())).collect::<Result<Vec<_>, _>>()?;
        let total = groups.iter().try_fold(0_u64, |total, group| total.checked_add(group.rows));
        if total != Some(rows) {
            return Err("its row groups have not as many rows as it says".to_owned());
        }
        Ok(Self { columns, groups, rows })
    }
}

/// The bytes of the footer itself.
fn bytes_of(file: &[u8]) -> Result<&[u8], String> {
    let not_parquet = || "it is no Parquet file".to_owned();
    let inside = file.strip_prefix(MAGIC).ok_or_else(not_parquet)?;
    if inside.ends_with(ENCRYPTED) {
        return Err("it is encrypted, which is not supported".to_owned());
    }
    let inside = inside.strip_suffix(MAGIC).ok_or_else(not_parquet)?;
    let (inside, length) = inside.split_last_chunk().ok_or_else(not_parquet)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_FOOTER_BYTES {
        return Err(format!("its footer has {length} bytes; at most {MAX_FOOTER_BYTES} are read"));
    }
    let start = inside.len().checked_sub(length).ok_or("its footer is longer than the file")?;
    Ok(inside.get(start..).unwrap_or_default())
}

fn columns(schema: &[&Structure<'_>]) -> Result<Vec<ColumnSchema>, String> {
    let leaves = schema.get(1..).ok_or("its schema is empty")?;
    leaves.iter().map(|leaf| ColumnSchema::of(leaf)).collect()
}

impl ColumnSchema {
    fn of(leaf: &Structure<'_>) -> Result<Self, String> {
        let name = leaf.bytes(4).map(String::from_utf8_lossy).ok_or("a column has no name")?.into_owned();
        if leaf.integer(5).is_some_and(|children| children != 0) {
            return Err(format!("its column {name:?} has columns in it, as references have not"));
        }
        let is_optional = match leaf.integer(3) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(format!("its column {name:?} has lists in it, as references have not")),
        };
        let physical = match leaf.integer(1).ok_or_else(|| format!("its column {name:?} has no type"))? {
            2 => Physical::Int64,
            6 => Physical::Bytes,
            other => Physical::Other(other),
        };
        Ok(Self { name, physical, is_optional })
    }
}

impl RowGroup {
    fn of(group: &Structure<'_>, columns: usize) -> Result<Self, String> {
        let rows = group.count(3, "number of rows in a group")?;
        let chunks = group.structures(1, "columns in a group")?;
        if chunks.len() != columns {
            return Err("a row group has not the columns of the schema".to_owned());
        }
        let chunks = chunks.into_iter().map(ColumnChunk::of).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rows, chunks })
    }
}

impl ColumnChunk {
    fn of(chunk: &Structure<'_>) -> Result<Self, String> {
        if chunk.bytes(1).is_some_and(|path| !path.is_empty()) {
            return Err("a column lies in another file, which is not supported".to_owned());
        }
        let metadata = chunk.structure(3).ok_or("a column has no metadata")?;
        let codec = match metadata.integer(4) {
            Some(0) => Codec::None,
            Some(1) => Codec::Snappy,
            Some(6) => Codec::Zstd,
            other => {
                return Err(format!("a column has the codec {}; zstd, snappy and none are read", codec_name(other)));
            }
        };
        let data = metadata.count(9, "place of a column")?;
        let dictionary = metadata.integer(11).and_then(|place| u64::try_from(place).ok());
        let start = dictionary.filter(|place| *place > 0).map_or(data, |place| place.min(data));
        Ok(Self { codec, start, length: metadata.count(7, "length of a column")? })
    }
}

fn codec_name(number: Option<i64>) -> String {
    let names = ["none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"];
    let name = number.and_then(|number| names.get(usize::try_from(number).ok()?));
    name.map_or_else(|| format!("{number:?}"), |name| (*name).to_owned())
}
