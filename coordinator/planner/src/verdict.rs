//! Candidates in words: what speaks for the one that is chosen, and by how much each of the others lost.

use rechunk_common::{ByteCount, cost_profile::Prefer, plan::ExchangeCodec};

use crate::{
    array::Array,
    choice::{Shape, Unfit},
    cost::Outlay,
    direct::DirectSweep,
    further::FurtherExchanges,
};

/// What speaks for a shape.
pub(crate) fn merit(shape: &Shape, array: &Array) -> String {
    let parts = shape.parts().map(|parts| format!("; shards are written in parts of {} as they fill", parts.bytes));
    format!("{}{}", merit_of_shape(shape, array), parts.unwrap_or_default())
}

fn merit_of_shape(shape: &Shape, array: &Array) -> String {
    match shape {
        Shape::Encoded(encoded) => {
            let how = if encoded.by_store {
                "the store itself copies their objects, unread"
            } else {
                "their bytes are passed on without decoding"
            };
            format!("the chunks are the same: {how}, what is missing stays missing and what is stored stays stored")
        }
        Shape::Direct(sweep) => format!("it reads {} and needs no temporary objects", times_read(sweep, array)),
        Shape::GroupLocal(local) => {
            let groups = local.groups.count(array).unwrap_or(1);
            let groups = if groups == 1 { "one group".to_owned() } else { format!("{groups} groups") };
            format!(
                "it reads every source chunk once, in {groups} that are each sorted on {} of local disk instead of in \
                 the store",
                ByteCount(local.scratch)
            )
        }
        Shape::Exchange(exchange) => {
            let groups = exchange.groups.count(array).unwrap_or(1);
            let parts = if groups == 1 { String::new() } else { format!(", in {groups} independent groups") };
            let codec = exchange.codec.filter(|codec| *codec != ExchangeCodec::None);
            let codec = codec.map(|codec| format!(", with blocks compressed by {}", codec.as_str()));
            // Tasks have one length, and cut chunks that differ in theirs.
            let once =
                if array.spec.source.has_equal_chunks() { "once" } else { "once, or twice at the edge of a task" };
            format!("it reads every source chunk {once}, whatever the memory{parts}{}", codec.unwrap_or_default())
        }
    }
}

/// Why a shape lost against the one that was chosen.
pub(crate) fn demerit(shape: &Shape, array: &Array, chosen: &Shape, prefer: Prefer) -> String {
    if matches!((shape, chosen), (Shape::Direct(_), Shape::Encoded(_))) {
        return "would decode and encode every chunk".to_owned();
    }
    let fact = match shape {
        Shape::Encoded(_) => "passes chunks on without decoding".to_owned(),
        Shape::Direct(sweep) => format!("reads {}", times_read(sweep, array)),
        Shape::GroupLocal(local) => {
            let groups = local.groups.count(array).unwrap_or(1);
            let tasks = if groups == 1 { "task" } else { "tasks" };
            format!("has {groups} {tasks}, each with {} on local disk", ByteCount(local.scratch))
        }
        Shape::Exchange(exchange) => format!(
            "writes and reads {} of temporary objects in {} requests",
            ByteCount(array.bytes),
            exchange.tasks.0 + exchange.blocks
        ),
    };
    format!("{}: {fact}", lost_by(shape.outlay(), chosen.outlay(), prefer))
}

/// Why a candidate is none.
pub(crate) fn unfit(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Memory(Some(bytes)) => format!("needs {} for its smallest task", ByteCount(*bytes)),
        Unfit::Memory(None) => "needs more than 2^64 bytes for its smallest task".to_owned(),
        Unfit::Temp(bytes) => format!("needs {} of temporary space", ByteCount(*bytes)),
        Unfit::Scratch(bytes) => format!("needs {} of local disk for a group", ByteCount(*bytes)),
        Unfit::Refused(refusal) => refusal.message.clone(),
    }
}

/// Several exchanges that would be better than what is chosen.
pub(crate) fn further(further: &FurtherExchanges, chosen: &Outlay, prefer: Prefer) -> String {
    format!(
        "one exchange has blocks of {}: {} of them one after another would cut larger ones and {}, but only one is \
         executed",
        ByteCount(further.block_bytes),
        further.exchanges,
        won_by(&further.outlay, chosen, prefer)
    )
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

/// By time or by money, whichever made the greater difference.
fn lost_by(outlay: &Outlay, chosen: &Outlay, prefer: Prefer) -> String {
    let time = outlay.seconds - chosen.seconds;
    let money = (outlay.usd - chosen.usd) * prefer.seconds_per_usd();
    let (ratio, unit, little) = if time >= money {
        (outlay.seconds / chosen.seconds, "would take", "would take a little longer")
    } else {
        (outlay.usd / chosen.usd, "would cost", "would cost a little more")
    };
    let like = if time >= money { "long" } else { "much" };
    match ratio {
        10.0.. => format!("{unit} {ratio:.0} × as {like}"),
        1.05..10.0 => format!("{unit} {ratio:.1} × as {like}"),
        _ => little.to_owned(),
    }
}

fn won_by(outlay: &Outlay, chosen: &Outlay, prefer: Prefer) -> String {
    let time = chosen.seconds - outlay.seconds;
    let money = (chosen.usd - outlay.usd) * prefer.seconds_per_usd();
    if time >= money {
        format!("take {:.2} × as long", outlay.seconds / chosen.seconds)
    } else {
        format!("cost {:.2} × as much", outlay.usd / chosen.usd)
    }
}
