//! Thrift's compact protocol, as far as Parquet's footers and page headers need it: a tree of values that borrow their
//! bytes, or why there is none.
//!
//! A value takes a byte at the least, so the tree is bounded by what is read.

/// Structures and lists in one another: the deepest that Parquet has is nine.
const MAX_DEPTH: usize = 24;

/// Bytes that are read from their beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// A value of a structure or a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Integer(i64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Structure(Structure<'a>),
    /// A number with a fraction, a map, a UUID: nothing that is asked for.
    Other,
}

/// Values by their field numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Structure<'a>(Vec<(i16, Value<'a>)>);

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it ends early")?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it ends early".to_owned())
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array().map(|[byte]| byte)
    }

    /// A number in groups of seven bits, the lowest first.
    pub(super) fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number is beyond 64 bits".to_owned())
    }

    /// The same with its sign in the lowest bit.
    fn zigzag(&mut self) -> Result<i64, String> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn length(&mut self) -> Result<usize, String> {
        usize::try_from(self.varint()?).map_err(|_| "a length is too large".to_owned())
    }

    /// A whole structure.
    pub(super) fn structure(&mut self) -> Result<Structure<'a>, String> {
        self.fields(MAX_DEPTH)
    }

    fn fields(&mut self, depth: usize) -> Result<Structure<'a>, String> {
        let depth = depth.checked_sub(1).ok_or("it is nested too deeply")?;
        let (mut fields, mut last) = (Vec::new(), 0_i16);
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(Structure(fields));
            }
            let number = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).ok(),
                step => last.checked_add(step.into()),
            };
            last = number.ok_or("a field's number is too large")?;
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((last, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Result<Value<'a>, String> {
        match kind {
            // In a list; a field has its own in its head.
            1 | 2 => Ok(Value::Bool(self.byte()? == 1)),
            3 => Ok(Value::Integer(self.byte()?.cast_signed().into())),
            4..=6 => self.zigzag().map(Value::Integer),
            7 => self.take(8).map(|_| Value::Other),
            8 => {
                let length = self.length()?;
                self.take(length).map(Value::Bytes)
            }
            9 | 10 => self.list(depth),
            11 => self.skip_map(depth),
            12 => self.fields(depth).map(Value::Structure),
            13 => self.take(16).map(|_| Value::Other),
            _ => Err(format!("it has a value of the unknown kind {kind}")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let depth = depth.checked_sub(1).ok_or("it is nested too deeply")?;
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.length()?,
            few => few.into(),
        };
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(self.value(head & 0x0f, depth)?);
        }
        Ok(Value::List(values))
    }

    fn skip_map(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let depth = depth.checked_sub(1).ok_or("it is nested too deeply")?;
        let length = self.length()?;
        let kinds = if length == 0 { 0 } else { self.byte()? };
        for _ in 0..length {
            self.value(kinds >> 4, depth)?;
            self.value(kinds & 0x0f, depth)?;
        }
        Ok(Value::Other)
    }
}

impl<'a> Structure<'a> {
    fn get(&self, number: i16) -> Option<&Value<'a>> {
        self.0.iter().find(|(own, _)| *own == number).map(|(_, value)| value)
    }

    /// The number in a field.
    pub(super) fn integer(&self, number: i16) -> Option<i64> {
        if let Value::Integer(value) = self.get(number)? { Some(*value) } else { None }
    }

    /// The number in a field that must have one, and none below zero.
    pub(super) fn count(&self, number: i16, name: &str) -> Result<u64, String> {
        let count = self.integer(number).and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| format!("its {name} is missing or below zero"))
    }

    /// The truth in a field.
    pub(super) fn bool(&self, number: i16) -> Option<bool> {
        if let Value::Bool(value) = self.get(number)? { Some(*value) } else { None }
    }

    /// The bytes in a field.
    pub(super) fn bytes(&self, number: i16) -> Option<&'a [u8]> {
        if let Value::Bytes(value) = self.get(number)? { Some(value) } else { None }
    }

    /// The structure in a field.
    pub(super) fn structure(&self, number: i16) -> Option<&Self> {
        if let Value::Structure(value) = self.get(number)? { Some(value) } else { None }
    }

    /// The structures of the list in a field.
    pub(super) fn structures<'s>(&'s self, number: i16, name: &str) -> Result<Vec<&'s Self>, String> {
        let Some(Value::List(values)) = self.get(number) else { return Err(format!("it has no {name}")) };
        let structure = |value: &'s Value<'a>| if let Value::Structure(value) = value { Some(value) } else { None };
        let all: Option<Vec<&'s Self>> = values.iter().map(structure).collect();
        all.ok_or_else(|| format!("its {name} are no structures"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(data: &[u8]) -> Result<Structure<'_>, String> {
        Cursor::new(data).structure()
    }

    #[test]
    fn a_structure_is_read_with_all_that_it_skips() {
        // 1: -3, 3: "ab", 4: [1, 2] of structures, 5: true, 6: a map, 20: a double, then what is not its own.
        let data = [
            0x15, 5, 0x28, 2, b'a', b'b', 0x19, 0x2c, 0x15, 2, 0, 0x15, 4, 0, 0x11, 0x1b, 1, 0x55, 2, 4, 0x07, 40, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 99,
        ];
        let mut cursor = Cursor::new(&data);
        let structure = cursor.structure().unwrap();
        assert_eq!(cursor.rest(), [99]);
        assert_eq!(
            (structure.integer(1), structure.bytes(3), structure.bool(5)),
            (Some(-3), Some(&b"ab"[..]), Some(true))
        );
        let numbers = structure.structures(4, "list").unwrap().into_iter().map(|one| one.integer(1));
        assert_eq!(numbers.collect::<Vec<_>>(), [Some(1), Some(2)]);
        assert_eq!((structure.get(6), structure.get(20)), (Some(&Value::Other), Some(&Value::Other)));
        assert!(structure.count(1, "n").unwrap_err().contains("below zero") && structure.integer(2).is_none());
    }

    #[test]
    fn what_is_no_structure_is_refused() {
        let deep = [0x1c; 100];
        for (data, reason) in [
            (&[][..], "ends early"),
            (&[0x15], "ends early"),
            (&[0x18, 9, b'a'], "ends early"),
            (&[0x1e, 0], "unknown kind"),
            (&[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0], "64 bits"),
            (&deep, "too deeply"),
            // A list of more values than there are bytes.
            (&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1], "ends early"),
            (&[0x05, 0xfe, 0xff, 0x7f, 1, 0], "too large"),
        ] {
            assert!(read(data).unwrap_err().contains(reason), "{data:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&data);
        }
    }
}
