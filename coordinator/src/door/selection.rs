//! Which arrays of a group a request is about: those that `--include` and `--exclude` leave, and the coordinates of
//! those. Pure.

use std::collections::BTreeSet;

use glob::{MatchOptions, Pattern};
use rechunk_common::{Refusal, request::RechunkRequest};
use rechunk_zarr::ArrayDocument;

use super::{discovery::Source, subject::listed};

/// Attributes in which CF conventions name variables that belong to one.
const NAMING_ATTRIBUTES: [&str; 3] = ["coordinates", "grid_mapping", "bounds"];

/// `*` stays within one part of a path, `**` does not.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// One pattern over paths of arrays, and where the request says so.
struct Asked {
    field: String,
    pattern: Pattern,
}

impl Asked {
    fn matches(&self, path: &str) -> bool {
        self.pattern.matches_with(path, MATCHING)
    }
}

/// The part of `source` that the request is about: without a pattern all of it.
pub(super) fn select(source: Source, request: &RechunkRequest) -> Result<Source, Refusal> {
    let included = patterns(&request.include, "include")?;
    let excluded = patterns(&request.exclude, "exclude")?;
    let Some(first) = included.first().or(excluded.first()) else { return Ok(source) };
    if !source.is_group {
        let message = format!("source {} is one array; patterns choose arrays of a group", source.url);
        return Err(Refusal::invalid(&first.field, "SOURCE_IS_AN_ARRAY", message));
    }
    for asked in included.iter().chain(&excluded) {
        if !source.arrays.keys().any(|path| asked.matches(path)) {
            let arrays = listed(source.arrays.keys().map(String::as_str));
            let message =
                format!("no array of the source matches {:?}; its arrays are: {arrays}", asked.pattern.as_str());
            return Err(Refusal::invalid(&asked.field, "UNKNOWN_ARRAY", message));
        }
    }
    let is_excluded = |path: &str| excluded.iter().any(|asked| asked.matches(path));
    let is_included = |path: &str| included.is_empty() || included.iter().any(|asked| asked.matches(path));
    let chosen = source.arrays.keys().filter(|path| is_included(path) && !is_excluded(path)).cloned().collect();
    let mut chosen = with_coordinates(&source, chosen);
    chosen.retain(|path| !is_excluded(path));
    if chosen.is_empty() {
        let message = "no array is left; include more, or exclude less".to_owned();
        return Err(Refusal::invalid(&first.field, "NO_ARRAY_LEFT", message));
    }
    Ok(narrowed(source, &chosen))
}

fn patterns(texts: &[String], name: &str) -> Result<Vec<Asked>, Refusal> {
    let parse = |(index, text): (usize, &String)| {
        let field = format!("{name}[{index}]");
        match Pattern::new(text.trim_matches('/')) {
            Ok(pattern) => Ok(Asked { field, pattern }),
            Err(error) => {
                let message =
                    format!("{text:?} is no pattern: {} at {}; write names with * ? [a-z] **", error.msg, error.pos);
                Err(Refusal::invalid(&field, "INVALID_PATTERN", message))
            }
        }
    };
    texts.iter().enumerate().map(parse).collect()
}

/// The chosen arrays, what they name as theirs, what that names, and so on.
fn with_coordinates(source: &Source, chosen: BTreeSet<String>) -> BTreeSet<String> {
    let mut unseen: Vec<String> = chosen.iter().cloned().collect();
    let mut found = chosen;
    while let Some(path) = unseen.pop() {
        let Some(array) = source.arrays.get(&path) else { continue };
        for coordinate in names_in(array).iter().filter_map(|name| nearest(source, &path, name)) {
            if found.insert(coordinate.clone()) {
                unseen.push(coordinate);
            }
        }
    }
    found
}

/// The names of an array's dimensions, and those in its attributes.
fn names_in(array: &ArrayDocument) -> Vec<String> {
    let mut names: Vec<String> = array.dimension_names().into_iter().flatten().flatten().collect();
    for attribute in NAMING_ATTRIBUTES {
        let text = array.attribute(attribute).and_then(|json| serde_json::from_str::<String>(&json).ok());
        // A grid mapping may be written `crs: x y`.
        let words = text.iter().flat_map(|text| text.split_whitespace());
        names.extend(words.map(|word| word.trim_end_matches(':').to_owned()));
    }
    names
}

/// The array of this name in the group of `path`, or in the nearest group above that has one.
fn nearest(source: &Source, path: &str, name: &str) -> Option<String> {
    let mut group = path;
    while let Some((above, _)) = group.rsplit_once('/') {
        let candidate = format!("{above}/{name}");
        if source.arrays.contains_key(&candidate) {
            return Some(candidate);
        }
        group = above;
    }
    source.arrays.contains_key(name).then(|| name.to_owned())
}

/// The source with the chosen arrays alone, the groups that they lie in, and the root; of other nodes a change is no
/// concern of the job.
fn narrowed(mut source: Source, chosen: &BTreeSet<String>) -> Source {
    source.arrays.retain(|path, _| chosen.contains(path));
    source.groups.retain(|path, _| path.is_empty() || chosen.iter().any(|array| is_below(array, path)));
    let nodes: BTreeSet<String> =
        source.arrays.keys().chain(source.groups.keys()).map(|path| source.url.join(path).to_string()).collect();
    let is_of_node = |url: &str| url.rsplit_once('/').is_some_and(|(node, _)| nodes.contains(node));
    source.pins.retain(|pin| is_of_node(&pin.url));
    source
}

fn is_below(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}
