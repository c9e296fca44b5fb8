//! The grammar of one chunk or shard spec: `1024,16,32` by position, `time=-1,lat=16` by dimension name. Knows nothing
//! of arrays: what a value means on an axis is decided where the axis is known.

use rechunk_common::{ByteCount, Refusal, geometry::Edges, limits::MAX_UNEQUAL_BOXES};

/// What is asked of one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A length in elements.
    Length {
        /// At least 1.
        elements: u64,
        /// Written with `!`: not clamped to the axis.
        exact: bool,
    },
    /// `31+28+31*2`: lengths that differ, one after another.
    Lengths(Edges),
    /// `-1`: the whole axis.
    Whole,
    /// `keep`: as the source has it.
    Keep,
    /// `auto`: as the planner advises.
    Auto,
    /// As many elements as fit into this many decoded bytes.
    Size(ByteCount),
}

/// One spec, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spec {
    /// One value per axis; none for a 0-d array.
    Positional(Vec<Value>),
    /// `auto` alone: every axis, however many there are.
    Auto,
    /// Values by dimension name, in the order they were written, each name once.
    ByDimension(Vec<(String, Value)>),
}

/// Parses the text of one spec; `field` is where it stands in the request.
pub(super) fn parse(text: &str, field: &str) -> Result<Spec, Refusal> {
    if text.trim().is_empty() {
        return Ok(Spec::Positional(Vec::new()));
    }
    if text.trim() == "auto" {
        return Ok(Spec::Auto);
    }
    let terms: Vec<&str> = text.split(',').map(str::trim).collect();
    let spec = if terms.iter().any(|term| term.contains('=')) {
        Spec::ByDimension(by_dimension(text, &terms, field)?)
    } else {
        Spec::Positional(terms.iter().map(|term| value(text, term, field)).collect::<Result<_, _>>()?)
    };
    refuse_second_size(text, &spec, field)?;
    Ok(spec)
}

fn by_dimension(text: &str, terms: &[&str], field: &str) -> Result<Vec<(String, Value)>, Refusal> {
    let mut values: Vec<(String, Value)> = Vec::with_capacity(terms.len());
    for term in terms {
        // A value never contains `=`, a dimension's name may.
        let Some((dimension, text_of_value)) = term.rsplit_once('=') else {
            return Err(Refusal::invalid(
                field,
                "INVALID_CHUNK_SPEC",
                format!("{term:?} in {text:?} has no dimension; name a dimension before every value or before none"),
            ));
        };
        let dimension = dimension.trim();
        if values.iter().any(|(known, _)| known == dimension) {
            return Err(Refusal::invalid(
                field,
                "DUPLICATE_DIMENSION",
                format!("dimension {dimension:?} is given twice in {text:?}; give it once"),
            ));
        }
        values.push((dimension.to_owned(), value(text, text_of_value.trim(), field)?));
    }
    Ok(values)
}

fn value(spec: &str, text: &str, field: &str) -> Result<Value, Refusal> {
    let not_positive = || {
        Refusal::invalid(
            field,
            "INVALID_CHUNK_LENGTH",
            format!("{text:?} in {spec:?} is not a length: write a number of at least 1, or -1 for the whole axis"),
        )
    };
    match text {
        "-1" => return Ok(Value::Whole),
        "keep" => return Ok(Value::Keep),
        "auto" => return Ok(Value::Auto),
        _ => {}
    }
    let (number, exact) = text.strip_suffix('!').map_or((text, false), |number| (number, true));
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        let elements = number.parse().ok().filter(|elements| *elements > 0).ok_or_else(not_positive)?;
        return Ok(Value::Length { elements, exact });
    }
    if number.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(not_positive());
    }
    if is_list(text) {
        return lengths(text).map(Value::Lengths).ok_or_else(|| {
            let message = format!(
                "{text:?} in {spec:?} is no list of lengths: write numbers of at least 1 joined by +, such as 31+28+31*2, \
                 at most {MAX_UNEQUAL_BOXES} of them"
            );
            Refusal::invalid(field, "INVALID_CHUNK_LENGTH", message)
        });
    }
    match text.parse() {
        Ok(ByteCount(0)) => Err(not_positive()),
        Ok(size) => Ok(Value::Size(size)),
        Err(_) => Err(Refusal::invalid(
            field,
            "INVALID_CHUNK_SPEC",
            format!(
                "{text:?} in {spec:?} is not a chunk length; write a number, -1, keep, auto, a size such as 100MB, or \
                 lengths that differ such as 31+28+31"
            ),
        )),
    }
}

/// Whether the text is meant for `31+28+31*2`.
fn is_list(text: &str) -> bool {
    text.contains(['+', '*']) && text.bytes().all(|byte| byte.is_ascii_digit() || b"+* ".contains(&byte))
}

/// Reads `31+28+31*2`; `None` where its numbers cannot be lengths.
fn lengths(text: &str) -> Option<Edges> {
    let run = |text: &str| {
        let (length, count) = text.split_once('*').unwrap_or((text, "1"));
        let count = count.trim().parse().ok().filter(|count: &u64| *count > 0)?;
        Some((length.trim().parse().ok()?, count))
    };
    let runs: Option<Vec<(u64, u64)>> = text.split('+').map(run).collect();
    Edges::of_runs(&runs?)
}

/// With two sizes there would be no telling how they share the chunk, and `auto` has a size of its own.
fn refuse_second_size(text: &str, spec: &Spec, field: &str) -> Result<(), Refusal> {
    let values: Vec<&Value> = match spec {
        Spec::Positional(values) => values.iter().collect(),
        Spec::ByDimension(values) => values.iter().map(|(_, value)| value).collect(),
        Spec::Auto => Vec::new(),
    };
    let sizes = values.iter().filter(|value| matches!(value, Value::Size(_))).count();
    let message = if sizes > 1 {
        format!("{text:?} gives a size on {sizes} axes; give it on one, and lengths on the others")
    } else if sizes == 1 && values.contains(&&Value::Auto) {
        format!("{text:?} gives a size and auto, which has a size of its own; write one of them")
    } else {
        return Ok(());
    };
    Err(Refusal::invalid(field, "INVALID_CHUNK_SPEC", message))
}
