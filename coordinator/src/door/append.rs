//! `--append`: what is new in the source along one dimension goes behind what the target has, in the target's own chunks.
//! Pure.
//!
//! What is written begins with the last chunk that has room; what that holds already is read on both sides before, and
//! compared. Metadata is written last, so that readers see the old length until all of the new elements are there, and the
//! old elements at any time.

use rechunk_common::{Refusal, layout::ArrayPart, plan::GapPolicy, request::RechunkRequest};
use rechunk_planner::{CopySpec, Held, Publish};
use rechunk_zarr::{ArrayDocument, MetadataError, NamedDocument, NodeDocument};

use super::{
    enclosing::EnclosingGroup,
    encoding, refusals,
    standing::{Standing, StandingArray},
    subject::{Subject, Subjects},
    survey::Survey,
    target::{self, Target},
};

/// The field of the request.
const FIELD: &str = "append";

/// Refuses what says something else of a target that stands already.
pub(super) fn refuse_beside(request: &RechunkRequest) -> Result<(), Refusal> {
    let given = [
        ("chunks", !request.chunks.is_empty()),
        ("shards", !request.shards.is_empty()),
        ("codecs", !request.codecs.is_empty()),
        ("region", !request.region.is_empty()),
        ("zarr_format", request.zarr_format.is_some()),
        ("overwrite", request.overwrite),
        ("consolidate", request.consolidate.is_some()),
    ];
    let Some((field, _)) = given.into_iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
    let message =
        format!("{field} does not go with append: the target stays as it is, but for its length; leave it out");
    Err(Refusal::invalid(field, "NOT_WITH_APPEND", message))
}

/// What becomes of a target that stands, where `dimension` of the source is longer.
pub(super) fn of(survey: &Survey, standing: &Standing, dimension: &str) -> Result<Target, Refusal> {
    let source = &survey.source;
    let arrays: Vec<Subject> = source
        .arrays
        .iter()
        .map(|(name, array)| target::subject(name, array, &source.url))
        .collect::<Result<_, _>>()?;
    let subjects = Subjects { arrays: &arrays, is_group: source.is_group };
    let growing = axes(dimension, subjects)?;
    let mut target =
        Target { copies: Vec::new(), publish: Publish::default(), pinned: Vec::new(), warnings: Vec::new() };
    let mut continued = Vec::new();
    for ((subject, axis), array) in arrays.iter().zip(growing).zip(source.arrays.values()) {
        let stands = standing.arrays.get(&subject.name);
        let (Some(axis), Some(stands)) = (axis, stands) else {
            if axis.is_some() {
                return Err(not_there(survey, subject));
            }
            if stands.is_none() {
                let text = format!(
                    "{} has no dimension {dimension:?} and is not in the target: it is left out",
                    subject.called()
                );
                target.warnings.push(text);
            }
            continue;
        };
        let growth = Growth { survey, subject, array, stands, axis };
        growth.refuse_unfit()?;
        let document = if growth.is_any() { growth.add_to(&mut target)? } else { stands.document.clone() };
        continued.push((subject.name.clone(), document));
    }
    if target.copies.is_empty() {
        target.warnings.push(format!("the target has all of the source along {dimension:?} already: nothing is new"));
    }
    reconsolidate(survey, standing, &continued, &mut target)?;
    reconsolidate_enclosing(survey, standing, &continued, &mut target)?;
    Ok(target)
}

/// By array: the axis along which it grows, if it does.
fn axes(dimension: &str, subjects: Subjects<'_>) -> Result<Vec<Option<usize>>, Refusal> {
    let mut axes = Vec::with_capacity(subjects.arrays.len());
    for subject in subjects.arrays {
        let named = |(axis, name): (usize, &Option<String>)| (name.as_deref() == Some(dimension)).then_some(axis);
        let mut found = subject.dimensions.iter().enumerate().filter_map(named);
        axes.push(found.next());
        if found.next().is_some() {
            let message = format!("append {dimension:?}: {} has that dimension on several axes", subject.called());
            return Err(Refusal::invalid(FIELD, "AMBIGUOUS_DIMENSION", message));
        }
    }
    if axes.iter().any(Option::is_some) {
        return Ok(axes);
    }
    if let ([subject], false, Ok(axis)) = (subjects.arrays, subjects.is_group, dimension.parse::<usize>())
        && axis < subject.shape.len()
    {
        return Ok(vec![Some(axis)]);
    }
    let message = format!(
        "append {dimension:?}: no array of the source has that dimension; the dimension names there are: {}",
        subjects.dimensions()
    );
    Err(Refusal::invalid(FIELD, "UNKNOWN_DIMENSION", message))
}

fn not_there(survey: &Survey, subject: &Subject) -> Refusal {
    let (target, called, name) = (&survey.target, subject.called(), &subject.name);
    let message = format!(
        "target {target} has no {called}, so there is nothing to append to; leave it out with --exclude {name:?}, or \
         rechunk it by itself"
    );
    Refusal::invalid("target", "NOT_IN_TARGET", message)
}

/// One array that may grow.
struct Growth<'a> {
    survey: &'a Survey,
    subject: &'a Subject,
    array: &'a ArrayDocument,
    stands: &'a StandingArray,
    axis: usize,
}

impl Growth<'_> {
    fn lengths(&self) -> (u64, u64) {
        let along = |document: &ArrayDocument| document.shape().get(self.axis).copied().unwrap_or(0);
        (along(&self.stands.document), along(self.array))
    }

    fn is_any(&self) -> bool {
        let (from, to) = self.lengths();
        from < to
    }

    fn url(&self) -> String {
        self.survey.target.join(&self.subject.name).to_string()
    }

    fn unfit(&self, reason: &str, problem: &str) -> Refusal {
        Refusal::invalid("target", reason, format!("target array {}: {problem}", self.url()))
    }

    /// Refuses a source whose elements do not continue those of the target, as far as metadata says.
    fn refuse_unfit(&self) -> Result<(), Refusal> {
        let (stands, array, axis) = (&self.stands.document, self.array, self.axis);
        let (own, others) = (stands.shape(), array.shape());
        let is_same = |at: usize| at == axis || own.get(at) == others.get(at);
        if own.len() != others.len() || !(0..own.len()).all(is_same) {
            let text = format!(
                "it has shape {own:?}, and the source {others:?}: they may differ on axis {axis} alone; append what has \
                 the same other lengths"
            );
            return Err(self.unfit("SHAPES_DIFFER", &text));
        }
        let (own, others) = (stands.dimension_names(), array.dimension_names());
        if let (Some(own), Some(others)) = (&own, &others)
            && own != others
        {
            let spelt = |names: &[Option<String>]| {
                names.iter().map(|name| name.as_deref().unwrap_or("?")).collect::<Vec<_>>().join(", ")
            };
            let text = format!("its dimensions are {}, those of the source {}", spelt(own), spelt(others));
            return Err(self.unfit("DIMENSIONS_DIFFER", &text));
        }
        let (from, to) = self.lengths();
        if from > to {
            let text = format!(
                "it has {from} elements on axis {axis}, and the source {to}; append a source that has all of the target's \
                 elements and more"
            );
            return Err(self.unfit("SOURCE_IS_SHORTER", &text));
        }
        stands.check_elements_of(array).map_err(|error| self.of_metadata(&error))?;
        if let Some((name, [own, others])) = stands.difference_of_meaning(array) {
            let text = |value: Option<String>| value.unwrap_or_else(|| "missing".to_owned());
            let text = format!(
                "its attribute {name} is {}, and that of the source {}: the same numbers would mean something else; write \
                 the source with the target's encoding",
                text(own),
                text(others)
            );
            return Err(self.unfit("ENCODINGS_DIFFER", &text));
        }
        Ok(())
    }

    /// Copies what is new; gives the array as it will be.
    fn add_to(&self, target: &mut Target) -> Result<ArrayDocument, Refusal> {
        let (copy, grown) = self.copy()?;
        let changed = changed(grown.documents(), &self.stands.document.documents());
        target.publish.arrays.extend(target::written(&self.survey.target.join(&self.subject.name), &changed)?);
        target.pinned.extend(self.stands.pins.iter().cloned());
        target.copies.push(copy);
        Ok(grown)
    }

    fn of_metadata(&self, error: &MetadataError) -> Refusal {
        refusals::of_metadata(error, "target", &format!("target array {}", self.url()))
    }

    /// What is copied, and the array as it will be.
    fn copy(&self) -> Result<(CopySpec, ArrayDocument), Refusal> {
        let Self { survey, subject, array, stands, axis } = *self;
        let (from, to) = (survey.source.url.join(&subject.name).to_string(), self.url());
        let of_source = |error: MetadataError| refusals::of_metadata(&error, "source", &format!("source array {from}"));
        if stands.document.edges().iter().any(Option::is_some) {
            let text = "its chunks differ in length, and what is appended goes into chunks of one length";
            return Err(self.unfit("UNEQUAL_CHUNKS", text));
        }
        let grown = stands.document.resized(array.shape()).map_err(|error| self.of_metadata(&error))?;
        let mut source = array.layout(&from).map_err(of_source)?;
        let mut target = grown.layout(&to).map_err(|error| self.of_metadata(&error))?;
        if source.fill != target.fill {
            let text = "its fill value is not that of the source: what is missing there would read as something else";
            return Err(self.unfit("FILL_VALUES_DIFFER", text));
        }
        let (old, _) = self.lengths();
        let unit = target.chunks.write_unit().get(axis).copied().unwrap_or(1);
        let shared = old.checked_rem(unit).unwrap_or(0);
        let edge = old.saturating_sub(shared);
        // The box from `edge` on, of so many elements along the axis.
        let part = |length: u64| {
            let at = |of: &[u64], here: u64| -> Vec<u64> {
                of.iter().enumerate().map(|(at, length)| if at == axis { here } else { *length }).collect()
            };
            let start = at(&vec![0; array.shape().len()], edge);
            (at(array.shape(), length), Some(ArrayPart { start: start.clone(), origin: start }))
        };
        let source_encoding = encoding::bound(&source).map_err(of_source)?;
        let mut held = Held { source: source.clone(), target: target.clone(), source_encoding };
        for layout in [&mut held.source, &mut held.target] {
            (layout.shape, layout.part) = part(shared);
        }
        for layout in [&mut source, &mut target] {
            (layout.shape, layout.part) = part(array.shape().get(axis).copied().unwrap_or(0).saturating_sub(edge));
        }
        let request = &survey.request;
        let copy = CopySpec {
            name: subject.name.clone(),
            dtype: array.dtype_text(),
            ends_inside_chunk: false,
            source_encoding,
            target_encoding: encoding::bound(&target).map_err(|error| self.of_metadata(&error))?,
            gaps: GapPolicy {
                strict: request.strict,
                write_empty_chunks: request.write_empty_chunks || (source.has_fill && !target.has_fill),
            },
            source,
            target,
            one_store: survey.one_store,
            listed: None,
            verify: request.verify,
            held: (shared > 0).then_some(held),
        };
        Ok((copy, grown))
    }
}

/// Those of `documents` that are not as they were `before`.
fn changed(documents: Vec<NamedDocument>, before: &[NamedDocument]) -> Vec<NamedDocument> {
    documents.into_iter().filter(|document| !before.contains(document)).collect()
}

/// The consolidated metadata of the target's own groups learns of new lengths: also of those that an append has published
/// that broke off before it came to the groups.
fn reconsolidate(
    survey: &Survey,
    standing: &Standing,
    continued: &[(String, ArrayDocument)],
    target: &mut Target,
) -> Result<(), Refusal> {
    for (path, group) in standing.groups.iter().rev() {
        let url = survey.target.join(path);
        let refuse = |error: MetadataError| {
            refusals::of_metadata(&error, "target", &format!("consolidated metadata of target group {url}"))
        };
        let mut consolidated = group.consolidated.clone();
        for (node, array) in continued {
            let Some(below) = target::below(path, node) else { continue };
            let listed = consolidated.nodes().get(below).map(|documents| NodeDocument::parse(documents));
            if !matches!(listed, Some(Ok(NodeDocument::Array(listed))) if listed.shape() == array.shape()) {
                consolidated.insert(below, array.documents()).map_err(refuse)?;
            }
        }
        if consolidated != group.consolidated {
            let documents = group.document.documents_with(&consolidated).map_err(refuse)?;
            let changed = changed(documents, &group.document.documents());
            target.publish.groups.extend(target::written(&url, &changed)?);
            target.pinned.extend(group.pins.iter().cloned());
        }
    }
    Ok(())
}

/// That of the groups around an array does the same.
fn reconsolidate_enclosing(
    survey: &Survey,
    standing: &Standing,
    continued: &[(String, ArrayDocument)],
    target: &mut Target,
) -> Result<(), Refusal> {
    let [(name, array)] = continued else { return Ok(()) };
    let is_behind = |group: &EnclosingGroup| {
        group.is_consolidated
            && group.format == standing.format
            && group.shape_of_target.as_deref() != Some(array.shape())
    };
    if survey.source.is_group || !survey.enclosing.groups.iter().any(is_behind) {
        return Ok(());
    }
    target::refresh_enclosing(survey, standing.format, &vec![(name.clone(), array.documents())], target)
}
