//! Which spec says what of which axis of which array. A spec with a name is about that array; one without goes by
//! dimension, to every array that has one of them, except coordinates; where an array has both, the named one wins as
//! a whole. `auto` alone is for every axis: of the array it names, or of all that are no coordinates.

use rechunk_common::Refusal;

use super::{
    spec::{self, Spec, Value},
    subject::{Subject, Subjects},
};

/// What is asked of one axis, and where the request says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// What is asked.
    pub(super) value: Value,
    /// The field of the request: `chunks[0]`.
    pub(super) field: String,
}

/// What is asked of one array: per axis; `None` where nothing is.
pub(super) type AskedOfArray = Vec<Option<Asked>>;

/// What was asked of every array, and what people should know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Per array, in their order; `None` for one that no spec is about.
    pub(super) arrays: Vec<Option<AskedOfArray>>,
    /// One sentence each.
    pub(super) warnings: Vec<String>,
}

/// Assigns specs, each with its field, to arrays.
pub(super) fn assign(specs: &[(String, &str)], subjects: Subjects<'_>) -> Result<Assignment, Refusal> {
    let mut named: Vec<Option<AskedOfArray>> = vec![None; subjects.arrays.len()];
    let mut unnamed: Vec<(String, Asked)> = Vec::new();
    let mut auto: Option<&str> = None;
    for (field, text) in specs {
        let (array, text_of_spec) = subjects.name_and_rest(text, field)?;
        let spec = spec::parse(text_of_spec, field)?;
        // In an array job a positional spec is about the one array.
        let array = match &spec {
            Spec::Positional(_) | Spec::Auto if array.is_none() && !subjects.is_group => Some(0),
            Spec::Positional(_) | Spec::Auto | Spec::ByDimension(_) => array,
        };
        match (array, spec) {
            (Some(index), spec) => {
                if let (Some(subject), Some(slot)) = (subjects.arrays.get(index), named.get_mut(index)) {
                    if slot.is_some() {
                        return Err(array_twice(subject, field));
                    }
                    *slot = Some(of_array(subject, spec, field)?);
                }
            }
            (None, Spec::ByDimension(values)) => add_unnamed(&mut unnamed, values, field)?,
            (None, Spec::Auto) if auto.is_some() => return Err(auto_and(text, field)),
            (None, Spec::Auto) => auto = Some(field),
            (None, Spec::Positional(_)) => return Err(name_needed(text, subjects, field)),
        }
    }
    if let (false, Some((_, asked)), Some(Some(_))) = (subjects.is_group, unnamed.first(), named.first()) {
        return Err(subjects
            .arrays
            .first()
            .map_or_else(|| name_needed("", subjects, &asked.field), |subject| array_twice(subject, &asked.field)));
    }
    if let (Some(_), Some((dimension, asked))) = (auto, unnamed.first()) {
        return Err(auto_and(&format!("{dimension}=…"), &asked.field));
    }
    let (by_dimension, warnings) = by_dimension(&unnamed, subjects)?;
    let of_auto = |subject: &Subject| {
        auto.filter(|_| !subject.is_coordinate()).map(|field| all_axes(subject, Value::Auto, field))
    };
    let unnamed =
        by_dimension.into_iter().zip(subjects.arrays).map(|(asked, subject)| asked.or_else(|| of_auto(subject)));
    let arrays = named.into_iter().zip(unnamed).map(|(named, unnamed)| named.or(unnamed)).collect();
    Ok(Assignment { arrays, warnings })
}

fn all_axes(subject: &Subject, value: Value, field: &str) -> AskedOfArray {
    vec![Some(Asked { value, field: field.to_owned() }); subject.shape.len()]
}

/// One spec about one array.
fn of_array(subject: &Subject, spec: Spec, field: &str) -> Result<AskedOfArray, Refusal> {
    let asked = |value| Asked { value, field: field.to_owned() };
    match spec {
        Spec::Auto => Ok(all_axes(subject, Value::Auto, field)),
        Spec::Positional(values) if values.len() == subject.shape.len() => {
            Ok(values.into_iter().map(|value| Some(asked(value))).collect())
        }
        Spec::Positional(values) => Err(Refusal::invalid(
            field,
            "RANK_MISMATCH",
            format!(
                "the spec has {} values, but {} has {} axes (shape {:?}); give one value per axis",
                values.len(),
                subject.called(),
                subject.shape.len(),
                subject.shape
            ),
        )),
        Spec::ByDimension(values) => {
            let mut of_array = vec![None; subject.shape.len()];
            for (dimension, value) in values {
                let axis = axis_of(subject, &dimension, field)?;
                if let Some(slot) = of_array.get_mut(axis) {
                    *slot = Some(asked(value));
                }
            }
            Ok(of_array)
        }
    }
}

/// The axis that has this name.
fn axis_of(subject: &Subject, dimension: &str, field: &str) -> Result<usize, Refusal> {
    let mut found = subject.dimensions.iter().enumerate().filter(|(_, name)| name.as_deref() == Some(dimension));
    match (found.next(), found.next()) {
        (Some((axis, _)), None) => Ok(axis),
        (Some(_), Some(_)) => Err(Refusal::invalid(
            field,
            "AMBIGUOUS_DIMENSION",
            format!("{} has more than one dimension {dimension:?}; give its chunks by position", subject.called()),
        )),
        (None, _) => {
            let one = std::slice::from_ref(subject);
            Err(unknown_dimension(&subject.called(), dimension, Subjects { arrays: one, is_group: false }, field))
        }
    }
}

fn add_unnamed(unnamed: &mut Vec<(String, Asked)>, values: Vec<(String, Value)>, field: &str) -> Result<(), Refusal> {
    for (dimension, value) in values {
        if let Some((_, earlier)) = unnamed.iter().find(|(known, _)| *known == dimension) {
            return Err(Refusal::invalid(
                field,
                "DUPLICATE_DIMENSION",
                format!("dimension {dimension:?} is given in {} already; give it once", earlier.field),
            ));
        }
        unnamed.push((dimension, Asked { value, field: field.to_owned() }));
    }
    Ok(())
}

/// What the specs without a name ask of each array, and a warning for each dimension that changes none.
fn by_dimension(
    unnamed: &[(String, Asked)],
    subjects: Subjects<'_>,
) -> Result<(Vec<Option<AskedOfArray>>, Vec<String>), Refusal> {
    let mut arrays: Vec<Option<AskedOfArray>> = vec![None; subjects.arrays.len()];
    let mut warnings = Vec::new();
    for (dimension, asked) in unnamed {
        let has = |subject: &&Subject| subject.has_dimension(dimension);
        if !subjects.arrays.iter().any(|subject| has(&subject)) {
            let whose = if subjects.is_group { "no array of the source" } else { "the array" };
            return Err(unknown_dimension(whose, dimension, subjects, &asked.field));
        }
        let mut is_used = false;
        for (subject, slot) in subjects.arrays.iter().zip(&mut arrays) {
            if !subject.has_dimension(dimension) || (subjects.is_group && subject.is_coordinate()) {
                continue;
            }
            is_used = true;
            let axis = axis_of(subject, dimension, &asked.field)?;
            let of_array = slot.get_or_insert_with(|| vec![None; subject.shape.len()]);
            if let Some(slot) = of_array.get_mut(axis) {
                *slot = Some(asked.clone());
            }
        }
        if !is_used {
            warnings
                .push(format!("{}: only coordinates have dimension {dimension:?}, and they stay whole", asked.field));
        }
    }
    Ok((arrays, warnings))
}

fn array_twice(subject: &Subject, field: &str) -> Refusal {
    let message = format!("{} has a spec already; give one per array", subject.called());
    Refusal::invalid(field, "DUPLICATE_ARRAY", message)
}

fn auto_and(text: &str, field: &str) -> Refusal {
    let message = format!(
        "{text:?} beside auto, which is for every axis of every array already; write auto on single axes, as \
         time=auto, or NAME:SPEC for one array"
    );
    Refusal::invalid(field, "DUPLICATE_ARRAY", message)
}

fn name_needed(text: &str, subjects: Subjects<'_>, field: &str) -> Refusal {
    let message = format!(
        "{text:?} goes by position, but the source is a group: write NAME:{text} with one of {}, or name dimensions",
        subjects.names()
    );
    Refusal::invalid(field, "ARRAY_NAME_NEEDED", message)
}

/// `whose` has no such dimension.
fn unknown_dimension(whose: &str, dimension: &str, subjects: Subjects<'_>, field: &str) -> Refusal {
    let known = subjects.dimensions();
    let verb = if whose.starts_with("no ") { "has" } else { "has no" };
    Refusal::invalid(
        field,
        "UNKNOWN_DIMENSION",
        format!("{whose} {verb} dimension {dimension:?}; the dimension names there are: {known}"),
    )
}
