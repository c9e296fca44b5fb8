//! The floor: the least that a rechunk can take. Every source object is read and decoded, each element is copied once,
//! straight into the target chunk that it belongs to, every target chunk is encoded and written. The whole target is
//! held in memory that was touched before the clock starts; no limit, no plan, no retries, no leases.
//!
//! Shares the metadata and the codecs with the product, and nothing of its planning and copying.

mod arguments;
mod clock;
mod codec_leg;
mod encoded_leg;
mod meeting;
mod objects;
mod requests;
mod sides;
mod strided;

pub use arguments::Arguments;
use clock::Phase;
pub use clock::Report;
use objects::{Sink, Source};
use rechunk_zarr::NamedDocument;
use sides::Sides;

/// Runs it as `arguments` say.
pub fn run(arguments: &Arguments) -> Result<Report, String> {
    if arguments.source.starts_with("s3://") { on_s3(arguments) } else { on_files(arguments) }
}

fn on_files(arguments: &Arguments) -> Result<Report, String> {
    let source = Source::Files(arguments.source.clone().into());
    let sink = Sink::Files(arguments.target.clone().into());
    let sides = Sides::new(arguments, |name| source.read(name))?;
    let mut report = Report::default();
    compute(arguments, &sides, &source, &sink, &mut report)?;
    report.phase(Phase::named("publish", || write_documents(&sink, &sides.documents)))?;
    Ok(report)
}

/// The same raw requests with object_store alone, and between them the codecs, from memory to memory.
fn on_s3(arguments: &Arguments) -> Result<Report, String> {
    let legs = requests::Legs::new(arguments)?;
    let sides = Sides::new(arguments, |name| legs.get(name))?;
    let mut report = Report::default();
    let keys = sides.source_keys();
    let held = report.phase(Phase::named("get", || legs.get_all(&keys)))?;
    let (source, sink) = (Source::Held(held), Sink::held());
    compute(arguments, &sides, &source, &sink, &mut report)?;
    let objects = sink.into_held();
    report.phase(Phase::named("put", || legs.put_all(objects)))?;
    report.phase(Phase::named("publish", || legs.put_all(as_objects(&sides.documents))))?;
    Ok(report)
}

fn compute(
    arguments: &Arguments,
    sides: &Sides,
    source: &Source,
    sink: &Sink,
    report: &mut Report,
) -> Result<(), String> {
    if arguments.encoded {
        encoded_leg::run(arguments.threads, sides, source, sink, report)
    } else {
        codec_leg::run(arguments.threads, sides, source, sink, report)
    }
}

fn write_documents(sink: &Sink, documents: &[NamedDocument]) -> Result<(), String> {
    as_objects(documents).into_iter().try_for_each(|(name, body)| sink.write(&name, &body))
}

fn as_objects(documents: &[NamedDocument]) -> objects::Held {
    documents.iter().map(|(name, body)| (name.clone(), body.clone().into())).collect()
}
