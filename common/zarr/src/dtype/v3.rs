//! Data types as a `zarr.json` spells them: the names of the core specification, and the extensions that zarr-python
//! writes for numpy's types.

use super::{DataType, Endian, Field, Kind, TimeUnit, Variable, unsupported};
use crate::{MetadataError, json::Json};

pub(super) fn parse(value: &Json) -> Result<DataType, MetadataError> {
    let malformed = || unsupported(value.compact(), "neither a name nor an object with a name");
    let (name, configuration) = match value {
        Json::Text(_) => (value.as_text().unwrap_or_default(), None),
        Json::Object(object) => {
            (object.get("name").and_then(Json::as_text).ok_or_else(malformed)?, object.get("configuration"))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) => return Err(malformed()),
    };
    let text = if matches!(value, Json::Text(_)) { name.clone() } else { value.compact() };
    let option = |key: &str| configuration.and_then(Json::as_object).and_then(|object| object.get(key));
    let missing = |key: &str| unsupported(&text, format!("its configuration has no valid {key}"));
    let length = || option("length_bytes").and_then(Json::as_u64).ok_or_else(|| missing("length_bytes"));
    let (kind, width) = match name.as_str() {
        "bool" => (Kind::Bool, 1),
        "int8" => (Kind::Int, 1),
        "int16" => (Kind::Int, 2),
        "int32" => (Kind::Int, 4),
        "int64" => (Kind::Int, 8),
        "uint8" => (Kind::UInt, 1),
        "uint16" => (Kind::UInt, 2),
        "uint32" => (Kind::UInt, 4),
        "uint64" => (Kind::UInt, 8),
        "float16" => (Kind::Float, 2),
        "float32" => (Kind::Float, 4),
        "float64" => (Kind::Float, 8),
        "bfloat16" => (Kind::BFloat, 2),
        "complex64" => (Kind::Complex, 8),
        "complex128" => (Kind::Complex, 16),
        "numpy.datetime64" | "numpy.timedelta64" => {
            let unit = option("unit").and_then(Json::as_text).ok_or_else(|| missing("unit"))?;
            let scale = match option("scale_factor") {
                None => 1,
                Some(scale) => scale.as_u64().ok_or_else(|| missing("scale_factor"))?,
            };
            let unit = TimeUnit { unit, scale };
            let kind = if name == "numpy.datetime64" { Kind::DateTime(unit) } else { Kind::TimeDelta(unit) };
            (kind, 8)
        }
        "fixed_length_utf32" => {
            let width = length()?;
            if !width.is_multiple_of(4) {
                return Err(missing("length_bytes, a multiple of 4"));
            }
            (Kind::Utf32, width)
        }
        "null_terminated_bytes" => (Kind::Bytes, length()?),
        "raw_bytes" => (Kind::Raw, length()?),
        "struct" | "structured" => {
            let fields = option("fields").and_then(Json::as_list).ok_or_else(|| missing("fields"))?;
            let fields = fields
                .iter()
                .map(|field| parse_field(field).unwrap_or_else(|| Err(missing("fields"))))
                .collect::<Result<Vec<_>, _>>()?;
            let width = fields
                .iter()
                .try_fold(0_u64, |width, field| width.checked_add(field.data_type.width))
                .ok_or_else(|| missing("fields"))?;
            (Kind::Struct(fields), width)
        }
        "string" => return Ok(DataType::variable(Variable::Text, text)),
        // The registry's name, and zarr-python's.
        "bytes" | "variable_length_bytes" => return Ok(DataType::variable(Variable::Bytes, text)),
        name => match name.strip_prefix('r').and_then(|bits| bits.parse::<u64>().ok()) {
            Some(bits) if bits.is_multiple_of(8) => (Kind::Raw, bits.checked_div(8).unwrap_or_default()),
            Some(_) | None => return Err(unsupported(text, "not a data type that rechunk knows")),
        },
    };
    DataType::new(kind, width, None, text)
}

/// `[name, type]` as zarr-python writes it, or `{"name": …, "data_type": …}`.
fn parse_field(field: &Json) -> Option<Result<Field, MetadataError>> {
    let (name, data_type) = match field {
        Json::List(parts) => match parts.as_slice() {
            [name, data_type] => (name, data_type),
            _ => return None,
        },
        Json::Object(object) => (object.get("name")?, object.get("data_type")?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => return None,
    };
    let name = name.as_text()?;
    Some(parse(data_type).and_then(|data_type| {
        if data_type.of_variable().is_some() {
            return Err(unsupported(data_type.text, "elements of variable length within a structure"));
        }
        Ok(Field { name, data_type, count: 1 })
    }))
}

pub(super) fn spell(data_type: &DataType) -> Result<Json, MetadataError> {
    let bits = data_type.width.saturating_mul(8);
    let named =
        |name: &str, configuration: Json| Json::object([("name", Json::text(name)), ("configuration", configuration)]);
    let of_length = |name: &str| named(name, Json::object([("length_bytes", Json::number(data_type.width))]));
    let of_unit = |name: &str, unit: &TimeUnit| {
        let configuration =
            Json::object([("unit", Json::text(&unit.unit)), ("scale_factor", Json::number(unit.scale))]);
        named(name, configuration)
    };
    Ok(match &data_type.kind {
        Kind::Bool => Json::text("bool"),
        Kind::Int => Json::text(&format!("int{bits}")),
        Kind::UInt => Json::text(&format!("uint{bits}")),
        Kind::Float => Json::text(&format!("float{bits}")),
        Kind::BFloat => Json::text("bfloat16"),
        Kind::Complex => Json::text(&format!("complex{bits}")),
        Kind::DateTime(unit) => of_unit("numpy.datetime64", unit),
        Kind::TimeDelta(unit) => of_unit("numpy.timedelta64", unit),
        Kind::Utf32 => of_length("fixed_length_utf32"),
        Kind::Bytes => of_length("null_terminated_bytes"),
        Kind::Raw => of_length("raw_bytes"),
        Kind::Variable(Variable::Text) => Json::text("string"),
        Kind::Variable(Variable::Bytes) => Json::text("variable_length_bytes"),
        Kind::Struct(fields) => {
            let mut spelt = Vec::with_capacity(fields.len());
            for field in fields {
                // A structure is opaque to the codecs: its fields can't be swapped, and v3 has no order per field.
                if field.count != 1 || field.data_type.endian == Some(Endian::Big) {
                    return Err(MetadataError::NoTwin { field: "dtype", name: data_type.text.clone(), format: 3 });
                }
                spelt.push(Json::List(vec![Json::text(&field.name), spell(&field.data_type)?]));
            }
            named("structured", Json::object([("fields", Json::List(spelt))]))
        }
    })
}
