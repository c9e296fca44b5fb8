//! Which shape an array's copy takes: candidates are enumerated, costed, and the cheapest is chosen; the one that came
//! second is named with the reason why it lost.

use rechunk_common::{
    ByteCount, Refusal,
    plan::{RunnerUp, ShapeOfPlan},
};

use crate::{
    PlanInput,
    array::Array,
    cost::Fleet,
    direct::{self, DirectSweep},
    encoded::{self, PassThrough},
    exchange::{self, ExchangeShape},
    fit::Room,
    groups::Groups,
    packing, refusal,
};

/// A shape with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Encoded(PassThrough),
    Direct(DirectSweep),
    Exchange(ExchangeShape),
}

/// The shape chosen for an array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) shape: Shape,
    pub(crate) reason: String,
    pub(crate) runner_up: Option<RunnerUp>,
}

/// Why a candidate is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its smallest task holds this many bytes; `None`: beyond 2^64.
    Memory(Option<u64>),
    /// Its smallest group needs this many temporary bytes.
    Temp(u64),
}

/// A candidate of one kind, or why there is none.
type Candidate = (ShapeOfPlan, Result<Shape, Unfit>);

impl Shape {
    fn cost(&self) -> f64 {
        match self {
            Self::Encoded(encoded) => encoded.cost,
            Self::Direct(direct) => direct.cost,
            Self::Exchange(exchange) => exchange.cost,
        }
    }

    pub(crate) fn kind(&self) -> ShapeOfPlan {
        match self {
            Self::Encoded(_) => ShapeOfPlan::CopyEncoded,
            Self::Direct(_) => ShapeOfPlan::DirectSweep,
            Self::Exchange(_) => ShapeOfPlan::Exchange,
        }
    }

    /// What speaks for it.
    fn merit(&self, array: &Array) -> String {
        match self {
            Self::Encoded(_) => "the chunks are the same: their bytes are passed on without decoding, what is missing \
                                 stays missing and what is stored stays stored"
                .to_owned(),
            Self::Direct(sweep) => {
                format!("it reads {} and needs no temporary objects", times_read(sweep, array))
            }
            Self::Exchange(exchange) => {
                let groups = exchange.groups.count(array).unwrap_or(1);
                let parts = if groups == 1 { String::new() } else { format!(", in {groups} independent groups") };
                let codec = exchange.codec.map(|codec| format!(", with blocks compressed by {}", codec.as_str()));
                let codec = codec.unwrap_or_default();
                format!("it reads every source chunk once, whatever the memory{parts}{codec}")
            }
        }
    }

    /// What speaks against it.
    fn demerit(&self, array: &Array) -> String {
        match self {
            Self::Encoded(_) => "would pass chunks on without decoding".to_owned(),
            Self::Direct(sweep) => format!("would read {}", times_read(sweep, array)),
            Self::Exchange(_) => format!("would write and read {} of temporary objects", ByteCount(array.bytes)),
        }
    }
}

fn times_read(sweep: &DirectSweep, array: &Array) -> String {
    let times = sweep.read_bytes / array.bytes.max(1) as f64;
    let tasks = if sweep.tasks > 1.0 { format!(" in {} tasks", sweep.tasks) } else { String::new() };
    // Floats: as exact as they are.
    if times < 1.0 + 1e-9 {
        format!("every source chunk once{tasks}")
    } else {
        format!("the source {times:.2} times{tasks}")
    }
}

impl Unfit {
    fn demerit(self) -> String {
        match self {
            Self::Memory(Some(bytes)) => format!("needs {} for its smallest task", ByteCount(bytes)),
            Self::Memory(None) => "needs more than 2^64 bytes for its smallest task".to_owned(),
            Self::Temp(bytes) => format!("needs {} of temporary space", ByteCount(bytes)),
        }
    }
}

/// The cheapest shape for `array`, which may have `most_groups` pipelines.
pub(crate) fn choose(input: &PlanInput, array: &Array, fleet: &Fleet, most_groups: u64) -> Result<Choice, Refusal> {
    let mut candidates = Vec::new();
    if encoded::is_eligible(array.spec) {
        match encoded_candidate(array, fleet) {
            Ok(shape) => return Ok(passed_on(array, fleet, shape)),
            Err(unfit) => candidates.push((ShapeOfPlan::CopyEncoded, Err(unfit))),
        }
    }
    candidates.push((ShapeOfPlan::DirectSweep, direct_candidate(array, fleet)));
    candidates.push((ShapeOfPlan::Exchange, exchange_candidate(input, array, fleet, most_groups)));
    decide(array, candidates).map_err(|unfit| refusal::nothing_fits(input, array, &unfit))
}

/// A pass-through beats whatever decodes: it moves each encoded byte once, and no shape moves less.
fn passed_on(array: &Array, fleet: &Fleet, shape: Shape) -> Choice {
    let reason = match direct_candidate(array, fleet) {
        Ok(_) => "would decode and encode every chunk".to_owned(),
        Err(unfit) => unfit.demerit(),
    };
    let runner_up = RunnerUp { shape_of_plan: ShapeOfPlan::DirectSweep, reason };
    Choice { reason: shape.merit(array), shape, runner_up: Some(runner_up) }
}

/// With room to keep a link busy, else with the least.
fn with_most_room<T>(search: impl Fn(Room) -> Option<T>) -> Option<T> {
    search(Room::Busy).or_else(|| search(Room::Least))
}

fn encoded_candidate(array: &Array, fleet: &Fleet) -> Result<Shape, Unfit> {
    with_most_room(|room| encoded::search(array, fleet, room))
        .map(Shape::Encoded)
        .ok_or_else(|| Unfit::Memory(encoded::least_memory(array)))
}

fn direct_candidate(array: &Array, fleet: &Fleet) -> Result<Shape, Unfit> {
    with_most_room(|room| direct::search(array, fleet, room))
        .map(Shape::Direct)
        .ok_or_else(|| Unfit::Memory(direct::least_memory(array)))
}

fn exchange_candidate(input: &PlanInput, array: &Array, fleet: &Fleet, most_groups: u64) -> Result<Shape, Unfit> {
    let limit = input.temp.limit.map(|limit| limit.0);
    let groups = Groups::of(array, fleet.budget, limit, most_groups).ok_or(Unfit::Memory(None))?;
    if limit.is_some_and(|limit| groups.bytes > limit) {
        return Err(Unfit::Temp(groups.bytes));
    }
    let codecs = packing::candidates(&input.temp, array, fleet);
    let is_packed = !codecs.contains(&None);
    let found = codecs
        .into_iter()
        .find_map(|codec| with_most_room(|room| exchange::search(array, &groups, fleet, codec, room)))
        .ok_or_else(|| Unfit::Memory(exchange::least_memory(array, &groups, is_packed)))?;
    // Checksums of blocks are known only with the boxes.
    match found.largest_group_bytes(array) {
        Some(bytes) if limit.is_none_or(|limit| bytes <= limit) => Ok(Shape::Exchange(found)),
        bytes => Err(Unfit::Temp(bytes.unwrap_or(u64::MAX))),
    }
}

/// The cheapest of those that fit, and why the next did not win; all reasons if none fits.
fn decide(array: &Array, candidates: Vec<Candidate>) -> Result<Choice, Vec<Unfit>> {
    let mut fit: Vec<Shape> = Vec::new();
    let mut unfit: Vec<(ShapeOfPlan, Unfit)> = Vec::new();
    for (kind, candidate) in candidates {
        match candidate {
            Ok(shape) => fit.push(shape),
            Err(reason) => unfit.push((kind, reason)),
        }
    }
    fit.sort_by(|a, b| a.cost().total_cmp(&b.cost()));
    let mut fit = fit.into_iter();
    let Some(shape) = fit.next() else { return Err(unfit.into_iter().map(|(_, reason)| reason).collect()) };
    let runner_up = match fit.next() {
        Some(second) => Some(RunnerUp { shape_of_plan: second.kind(), reason: second.demerit(array) }),
        None => unfit.first().map(|(kind, reason)| RunnerUp { shape_of_plan: *kind, reason: reason.demerit() }),
    };
    Ok(Choice { reason: shape.merit(array), shape, runner_up })
}
