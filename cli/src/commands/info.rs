//! `rechunk info`: what lies at a URL.

use rechunk_common::ByteCount;
use rechunk_coordinator::door::{ArrayInfo, Door, SourceInfo};
use rechunk_storage::Stores;
use serde_json::Value;

use crate::{
    args::{InfoArgs, OutputArgs, OutputFormat},
    console::{say, say_text},
    failure::Failure,
    machine::store_config,
    report::{
        figure::grouped,
        table::{grid, lengths, table_of},
    },
    request::place,
};

/// The arrays at a URL.
pub(crate) async fn run(args: &InfoArgs, output: &OutputArgs) -> Result<(), Failure> {
    let url = place("source", &args.url)?;
    let stores = Stores::new(store_config(&args.stores)?);
    let info = Door::new(stores).info(&url).await?;
    match output.output {
        OutputFormat::Json => say!("{:#}", json(&info)?),
        OutputFormat::Text => say_text!("{}", text(&info)),
    }
    Ok(())
}

/// The documents' own JSON as JSON, as far as it is standard (NaN is not).
fn json(info: &SourceInfo) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(info).map_err(|error| Failure::internal(error.to_string()))?;
    for array in value["arrays"].as_array_mut().into_iter().flatten() {
        for field in ["codecs", "fill_value"] {
            if let Some(parsed) = array[field].as_str().and_then(|text| serde_json::from_str(text).ok()) {
                array[field] = parsed;
            }
        }
    }
    Ok(value)
}

fn text(info: &SourceInfo) -> String {
    let kind = if info.is_group { "group" } else { "array" };
    let mut parts = vec![format!("Zarr v{} {kind} {}", info.zarr_format, info.url)];
    if !info.arrays.is_empty() {
        let mut table = table_of(&["array", "dtype", "shape", "chunks", "codecs", "stored", "bytes", "of decoded"]);
        for array in &info.arrays {
            table.add_row(row(array));
        }
        parts.push(table.trim_fmt());
    }
    parts.extend(info.warnings.iter().map(|warning| format!("warning: {warning}")));
    let refused = |array: &ArrayInfo| Some(format!("warning: {}: {}", named(array), array.unsupported.as_ref()?));
    parts.extend(info.arrays.iter().filter_map(refused));
    parts.join("\n\n") + "\n"
}

fn row(array: &ArrayInfo) -> [String; 8] {
    let dash = || "–".to_owned();
    let of = array.grid.map_or_else(dash, |grid| grouped(grid.objects));
    let more = |has_more| if has_more { "more than " } else { "" };
    let (objects, bytes) = array.stored.map_or_else(
        || (format!("? of {of}"), dash()),
        |stored| {
            let objects = format!("{}{} of {of}", more(stored.has_more), grouped(stored.objects));
            (objects, format!("{}{}", more(stored.has_more), ByteCount(stored.bytes)))
        },
    );
    [
        named(array).to_owned(),
        array.dtype.clone(),
        shape(array),
        grid_of(array),
        codecs(&array.codecs),
        objects,
        bytes,
        array.grid.map_or_else(dash, |grid| ByteCount(grid.decoded_bytes).to_string()),
    ]
}

/// `≤31×12` where chunks differ in length along the first axis.
fn grid_of(array: &ArrayInfo) -> String {
    if array.object_lengths.is_empty() {
        return grid(&array.chunks, array.shards.as_deref());
    }
    let objects = array.shards.as_ref().unwrap_or(&array.chunks).iter().zip(&array.object_lengths);
    let along = |(length, all): (&u64, &Option<Vec<u64>>)| format!("{}{length}", if all.is_some() { "≤" } else { "" });
    let objects = objects.map(along).collect::<Vec<_>>().join("×");
    if array.shards.is_some() { format!("{} in shards {objects}", lengths(&array.chunks)) } else { objects }
}

fn named(array: &ArrayInfo) -> &str {
    if array.name.is_empty() { "(the array)" } else { &array.name }
}

/// `time=365×lat=720`, and lengths alone where axes have no names.
fn shape(array: &ArrayInfo) -> String {
    if array.dimensions.iter().all(Option::is_none) {
        return lengths(&array.shape);
    }
    let axis = |(length, name): (&u64, &Option<String>)| match name {
        Some(name) => format!("{name}={length}"),
        None => length.to_string(),
    };
    array.shape.iter().zip(&array.dimensions).map(axis).collect::<Vec<_>>().join("×")
}

/// The names of the codecs: `transpose bytes zstd`; of v2 its filters and its compressor.
fn codecs(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let entries = if value.is_array() {
        list(&value)
    } else {
        list(&value["filters"]).into_iter().chain([value["compressor"].clone()]).collect()
    };
    let name = |entry: &Value| {
        let name = entry["name"].as_str().or(entry["id"].as_str()).or(entry.as_str())?.to_owned();
        let inner = entry["configuration"]["cname"].as_str().or(entry["cname"].as_str());
        Some(inner.map_or(name.clone(), |inner| format!("{name}:{inner}")))
    };
    let names: Vec<String> = entries.iter().filter_map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::codecs;

    #[test]
    fn codecs_of_both_formats_are_named() {
        for (text, expected) in [
            (r#"[{"name":"bytes"},{"name":"blosc","configuration":{"cname":"lz4"}}]"#, "bytes blosc:lz4"),
            (r#"["bytes",{"name":"zstd"}]"#, "bytes zstd"),
            (r#"{"filters":[{"id":"shuffle"}],"compressor":{"id":"blosc","cname":"zstd"}}"#, "shuffle blosc:zstd"),
            (r#"{"filters":null,"compressor":null}"#, "none"),
        ] {
            assert_eq!(codecs(text), expected);
        }
    }
}
