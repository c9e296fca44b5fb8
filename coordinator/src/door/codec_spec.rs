//! `--codec`: from specs to the codec choice of every array. A spec without a name is about every array; a named one
//! wins.

use rechunk_common::Refusal;
use rechunk_zarr::CodecChoice;

use super::subject::Subjects;

/// The codec choice of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// What was chosen.
    pub(super) codec: CodecChoice,
    /// The field of the request that says so.
    pub(super) field: String,
}

/// Reads the specs `codecs[0]…`. Per array, in their order; `None`: the source's codecs.
pub(super) fn choose(specs: &[String], subjects: Subjects<'_>) -> Result<Vec<Option<Chosen>>, Refusal> {
    let mut of_all: Option<Chosen> = None;
    let mut of_named: Vec<Option<Chosen>> = vec![None; subjects.arrays.len()];
    for (index, text) in specs.iter().enumerate() {
        let field = format!("codecs[{index}]");
        let (array, rest) =
            subjects.split_name(text).map_or((None, text.as_str()), |(array, rest)| (Some(array), rest));
        let codec = rest.trim().parse().map_err(|error: rechunk_zarr::MetadataError| {
            let hint = match array {
                None if subjects.is_group && rest.contains(':') => {
                    ", and no array of the source is named before a colon"
                }
                None | Some(_) => "",
            };
            Refusal::invalid(&field, error.reason(), format!("{error}{hint}"))
        })?;
        let slot = match array {
            Some(array) => of_named.get_mut(array),
            None => Some(&mut of_all),
        };
        match slot {
            Some(slot @ None) => *slot = Some(Chosen { codec, field }),
            Some(Some(earlier)) => {
                let message = format!("{text:?}: {} gives a codec already; give one per array", earlier.field);
                return Err(Refusal::invalid(&field, "DUPLICATE_ARRAY", message));
            }
            None => {}
        }
    }
    Ok(of_named.into_iter().map(|named| named.or_else(|| of_all.clone())).collect())
}
