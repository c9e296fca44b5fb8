//! Reading a target back by its elements: every read unit of a task's box is fetched, decoded and summed, as many at a
//! time as there is room for. Nothing is kept.

use std::sync::Arc;

use rechunk_common::{
    FailureClass, TaskFailure,
    ids::TaskIndex,
    plan::{ReadBackAs, Verify},
};
use tokio::task::{JoinError, JoinSet};

use super::{
    box_of,
    cells::visits,
    content::Content,
    source::{ArraySource, Decoded, Fetched, Piece, PieceSource, Short},
};
use crate::{
    compute::of_panic,
    context::TaskContext,
    failure::bug,
    memory::Reservation,
    presence::{Listed, presence_of},
};

/// Read units under way at the most, where memory is to spare: enough to hide the latency of an object store.
const MOST_IN_FLIGHT: usize = 32;

/// A read unit that is longer than there was room for.
type Longer = (Vec<u64>, Short);

/// What does not change while a box is read.
#[derive(Debug)]
struct ReadBack {
    cx: TaskContext,
    source: PieceSource,
    content: Content,
}

/// Sums the elements of box `task`.
pub(crate) async fn read_back(cx: &TaskContext, function: &Verify, task: TaskIndex) -> Result<(), TaskFailure> {
    let Verify { target, boxes, read_back_as, presence } = function;
    if *read_back_as != ReadBackAs::Elements {
        return Err(bug("encoded chunks are not read back by their elements"));
    }
    let region = box_of(boxes, task)?;
    let presence = presence_of(cx, presence.as_ref()).await?;
    let source = PieceSource::Array(ArraySource::open(cx, target, &region, false, Listed::default())?);
    let is_written = presence.map(|presence| source.cells().touched(&presence));
    let order: Vec<usize> = (0..region.rank()).collect();
    let (places, cells) = (visits(source.cells(), &order)?, source.cells().clone());
    let is_written = move |place: &Vec<u64>| {
        is_written.as_ref().is_none_or(|written| written.get(cells.index(place)) == Some(&true))
    };
    let content = Content::new(&target.shape, &target.element, &target.fill, &target.fill);
    Arc::new(ReadBack { cx: cx.clone(), source, content }).run(places.filter(is_written)).await
}

impl ReadBack {
    async fn run(self: Arc<Self>, mut places: impl Iterator<Item = Vec<u64>>) -> Result<(), TaskFailure> {
        let memory = Arc::clone(self.cx.memory());
        let standing = self.source.standing_room()?;
        let standing = memory.try_reserve(standing).ok_or_else(|| self.too_little(standing))?;
        let mut running = JoinSet::new();
        let mut next = places.next();
        // What turned out to be longer than there was room for comes again, alone.
        let (mut again, mut is_alone): (Vec<Longer>, bool) = (Vec::new(), false);
        loop {
            while running.len() < MOST_IN_FLIGHT && again.is_empty() {
                let Some(place) = next.take() else { break };
                let Some(room) = memory.try_reserve(self.source.room(&place)?) else {
                    next = Some(place);
                    break;
                };
                running.spawn(Arc::clone(&self).sum(place, room));
                next = places.next();
            }
            if running.is_empty() {
                let Some((place, short)) = again.pop() else { break };
                let room = memory.reserve_rest(0);
                if room.bytes() < short.needed {
                    drop(room);
                    return Err(self.too_long(&short));
                }
                is_alone = true;
                running.spawn(Arc::clone(&self).sum(place, room));
            }
            tokio::select! {
                biased;
                ended = running.join_next() => {
                    let longer = note(ended)?;
                    let was_alone = std::mem::take(&mut is_alone);
                    match longer {
                        Some((_, short)) if was_alone => return Err(self.too_long(&short)),
                        longer => again.extend(longer),
                    }
                }
                () = memory.freed().notified() => {}
            }
        }
        drop(standing);
        match next {
            None => Ok(()),
            Some(place) => Err(self.too_little(self.source.room(&place)?)),
        }
    }

    /// Sums one read unit; gives it back if it is longer than there is room for.
    async fn sum(self: Arc<Self>, place: Vec<u64>, mut room: Reservation) -> Result<Option<Longer>, TaskFailure> {
        let mut fetched = self.source.fetch(&self.cx, &place, room.bytes()).await?;
        if let Fetched::Longer(longer) = fetched {
            if !room.try_grow(longer.needed, 0) {
                return Ok(Some((place, Short { needed: longer.needed, url: longer.url })));
            }
            fetched = self.source.read(&self.cx, *longer).await?;
        }
        if !self.source.is_variable() || matches!(fetched, Fetched::Missing) {
            room.settle(self.source.settled_room(&place, &fetched));
        }
        let read_back = Arc::clone(&self);
        let summed = self.cx.compute().run(move || {
            let piece = match read_back.decoded(&place, fetched, &mut room)? {
                Decoded::Piece(piece) => piece,
                Decoded::Short(short) => return Ok(Err((place, short))),
            };
            let sum = read_back.content.of_piece(read_back.source.cells(), &place, &piece)?;
            drop(piece);
            drop(room);
            Ok(Ok(sum))
        });
        match summed.await? {
            Ok(sum) => {
                self.cx.tally().add(|counts| counts.content += sum);
                Ok(None)
            }
            Err(longer) => Ok(Some(longer)),
        }
    }

    fn decoded(&self, place: &[u64], fetched: Fetched, room: &mut Reservation) -> Result<Decoded, TaskFailure> {
        if !self.source.is_variable() {
            return self.source.decode(&self.cx, place, fetched).map(Decoded::Piece);
        }
        let decoded = self.source.decode_variable(place, fetched, room, |room, bytes| room.try_grow(bytes, 0))?;
        if matches!(decoded, Decoded::Piece(Piece::Elements { .. })) {
            self.source.count_decoded(&self.cx, place)?;
        }
        Ok(decoded)
    }

    fn too_long(&self, short: &Short) -> TaskFailure {
        let reason = format!(
            "cannot read {}: with its elements of variable length that takes {} bytes or more of its task's {}; give \
             tasks more memory with --max-mem",
            short.url,
            short.needed,
            self.cx.memory().limit().0,
        );
        TaskFailure::new(FailureClass::GiveUpTask, reason)
    }

    fn too_little(&self, needed: u64) -> TaskFailure {
        let memory = self.cx.memory();
        bug(format!(
            "reading back needs {needed} bytes more of its memory of {} bytes, where {} are taken and nothing is under way",
            memory.limit().0,
            memory.reserved(),
        ))
    }
}

fn note(ended: Option<Result<Result<Option<Longer>, TaskFailure>, JoinError>>) -> Result<Option<Longer>, TaskFailure> {
    match ended {
        None => Ok(None),
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) if error.is_panic() => Err(of_panic(error.into_panic().as_ref())),
        Some(Err(_)) => Err(bug("a part of reading back was cancelled")),
    }
}
