//! One copy: pieces are visited in order, fetched ahead, decoded on the compute threads, and their elements go once,
//! straight into the targets; a complete target is encoded and written while others are being filled. Small pieces
//! that are there at the same time go to the compute threads together: waking a thread costs as much as copying one.
//!
//! Memory decides how much is under way. A piece starts only when there is room for it, for the targets that it is
//! the first to touch, and, besides, for one target to be written; so whatever is under way can always finish, and
//! nothing that waits holds what another needs. A piece that turns out to need more than it has, because its elements are
//! of variable length, takes it where it is free, or gives everything back and comes again, alone.

mod pieces;
mod variable;

use std::{collections::VecDeque, sync::Arc};

use rechunk_common::{Presence, TaskFailure};
use tokio::task::{JoinError, JoinSet};

use self::pieces::{Again, Brought, Next, Starting};
use super::{
    cells::{Meeting, visits},
    content::Content,
    sink::Sink,
    source::{Fetched, PieceSource, Short},
    targets::{Complete, Fills, Targets},
};
use crate::{
    compute::of_panic,
    context::TaskContext,
    failure::{bug, of_storage},
    memory::{Opened, Reservation},
};

/// Pieces and writes that a task has under way at the most, where memory is to spare: enough to hide the latency of
/// an object store.
const MOST_IN_FLIGHT: usize = 32;

/// Pieces of less than this are copied together, this much at a time, and from local files read together too; more
/// than one piece per compute thread must stay, so that all of them have work.
const SMALL_PIECE_BYTES: u64 = 512 << 10;

/// Where so many batches of local files are under way, the next one waits until it has this part of a full one: room
/// comes back piece by piece, and a batch of one piece saves nothing.
const FEW_BATCHES: usize = 4;
const LEAST_BATCH_BYTES: u64 = SMALL_PIECE_BYTES / 4;

/// A copy that is about to run: what does not change while it does.
#[derive(Debug)]
pub(crate) struct Copy {
    cx: TaskContext,
    source: PieceSource,
    sink: Sink,
    targets: Targets,
    meeting: Meeting,
    /// By piece in C order: whether it is there. `None`: nothing is known to be absent.
    is_there: Option<Vec<bool>>,
    /// Sums what is moved, if that is asked for.
    content: Option<Content>,
}

/// What one of the tasks of a copy has done.
enum Step {
    /// A small piece is there.
    Fetched(Brought),
    /// Pieces are copied, but for those that come again; these targets are complete.
    Copied(Copied),
    /// A target is written, or left out.
    Finished,
}

/// What has become of pieces.
#[derive(Default)]
struct Copied {
    complete: Vec<Complete>,
    again: Vec<Again>,
}

impl Copy {
    /// A copy of all elements that pieces and targets share. Both sides' elements are `width` bytes.
    pub(crate) fn new(
        cx: TaskContext,
        source: PieceSource,
        sink: Sink,
        fills: Fills,
        width: u64,
    ) -> Result<Self, TaskFailure> {
        let meeting = Meeting::new(source.cells(), sink.cells(), width)?;
        let targets = Targets::new(sink.cells(), fills, width)?;
        Ok(Self { cx, source, sink, targets, meeting, is_there: None, content: None })
    }

    /// Sums the content of what is moved: each element once, by this task.
    pub(crate) fn summed(self, content: Option<Content>) -> Self {
        Self { content, ..self }
    }

    /// Leaves out pieces that `presence` says are absent, and targets that no object that is there shares an element with.
    /// Both sides' gaps must read the same.
    pub(crate) fn without_absent(mut self, presence: &Presence) -> Result<Self, TaskFailure> {
        let pieces = self.source.cells();
        let is_there = pieces.touched(presence);
        let is_wanted = self.sink.cells().touched(presence);
        let mut arriving = vec![0_u64; is_wanted.len()];
        for piece in (0..is_there.len()).filter(|piece| is_there.get(*piece) == Some(&true)) {
            self.meeting.shares(&pieces.place(piece), |share| {
                if let Some(arriving) = arriving.get_mut(share.target) {
                    *arriving = arriving.saturating_add(share.elements);
                }
                Ok::<(), TaskFailure>(())
            })?;
        }
        for (target, (is_wanted, arriving)) in is_wanted.into_iter().zip(arriving).enumerate() {
            if is_wanted {
                self.targets.expect(target, arriving)?;
            } else {
                self.targets.leave_out(target)?;
                self.sink.leave_out(target)?;
            }
        }
        self.is_there = Some(is_there);
        Ok(self)
    }

    fn is_absent(&self, place: &[u64]) -> bool {
        let is_there = |is_there: &Vec<bool>| is_there.get(self.source.cells().index(place)) == Some(&true);
        !self.is_there.as_ref().is_none_or(is_there)
    }

    /// Runs it; pieces are visited with the axes of `order` from slowest to fastest.
    pub(crate) async fn run(self, order: &[usize]) -> Result<(), TaskFailure> {
        let places = visits(self.source.cells(), order)?;
        let standing = self.source.standing_room()?.saturating_add(self.sink.standing_room());
        let standing = self.cx.memory().try_reserve(standing).ok_or_else(|| self.no_room_to_start(standing))?;
        let copy = Arc::new(self);
        // What is left out is never opened.
        let is_opened = copy.targets.left_out();
        let mut sweep = Sweep {
            running: JoinSet::new(),
            starting: Vec::new(),
            starting_bytes: 0,
            batches: 0,
            fetched: Vec::new(),
            complete: VecDeque::new(),
            again: VecDeque::new(),
            is_alone: false,
            finished: is_opened.iter().filter(|is_left_out| **is_left_out).count(),
            is_opened,
            copy,
        };
        sweep.run(places).await?;
        drop(standing);
        Ok(())
    }

    fn too_little(&self, needed: u64) -> TaskFailure {
        let memory = self.cx.memory();
        bug(format!(
            "a copy needs {needed} bytes more of its memory of {} bytes, where {} are taken and nothing is under way",
            memory.limit().0,
            memory.reserved(),
        ))
    }

    /// Fetches a piece, and copies it unless it is small.
    async fn bring(self: Arc<Self>, piece: Starting) -> Result<Step, TaskFailure> {
        match self.fetch(piece).await? {
            Ok(piece) if piece.bytes < SMALL_PIECE_BYTES => Ok(Step::Fetched(piece)),
            Ok(piece) => self.copy(vec![piece], Copied::default()).await,
            Err(again) => Ok(Step::Copied(Copied { again: vec![again], ..Copied::default() })),
        }
    }

    /// Fetches small pieces of local files, one after the other, and copies them.
    async fn bring_together(self: Arc<Self>, pieces: Vec<Starting>) -> Result<Step, TaskFailure> {
        let copy = Arc::clone(&self);
        let pieces = self.source.prefix().carry(async move {
            let mut brought = Vec::with_capacity(pieces.len());
            let mut copied = Copied::default();
            for piece in pieces {
                match copy.fetch(piece).await? {
                    Ok(piece) => brought.push(piece),
                    Err(again) => copied.again.push(again),
                }
            }
            Ok((brought, copied))
        });
        let (pieces, copied) = Box::pin(pieces).await.map_err(|error| of_storage(&error))??;
        self.copy(pieces, copied).await
    }

    /// Asks for a piece; it comes again if it is longer than there is room for.
    async fn fetch(&self, piece: Starting) -> Result<Result<Brought, Again>, TaskFailure> {
        let Starting { place, mut room, bytes } = piece;
        let mut fetched = self.source.fetch(&self.cx, &place, room.bytes()).await?;
        if let Fetched::Longer(longer) = fetched {
            if !self.try_grow(&mut room, longer.needed) {
                return Ok(Err(Again { place, short: Short { needed: longer.needed, url: longer.url } }));
            }
            fetched = self.source.read(&self.cx, *longer).await?;
        }
        // What elements of variable length decode to is not known yet.
        if !self.source.is_variable() || matches!(fetched, Fetched::Missing) {
            room.settle(self.source.settled_room(&place, &fetched));
        }
        Ok(Ok(Brought { place, fetched, room, bytes }))
    }

    /// Copies pieces that are there, as a part of what is `copied`.
    async fn copy(self: Arc<Self>, pieces: Vec<Brought>, mut copied: Copied) -> Result<Step, TaskFailure> {
        let copy = Arc::clone(&self);
        let copied = self.cx.compute().run(move || {
            for piece in pieces {
                copy.take_in(piece, &mut copied)?;
            }
            Ok(copied)
        });
        copied.await.map(Step::Copied)
    }

    /// Decodes a piece and puts its elements where they belong; adds the targets that it completes.
    fn take_in(&self, piece: Brought, copied: &mut Copied) -> Result<(), TaskFailure> {
        let Brought { place, fetched, mut room, .. } = piece;
        let piece = if self.source.is_variable() {
            match self.admitted(&place, fetched, &mut room)? {
                Ok(piece) => piece,
                Err(short) => {
                    copied.again.push(Again { place, short });
                    return Ok(());
                }
            }
        } else {
            self.source.decode(&self.cx, &place, fetched)?
        };
        if let Some(content) = &self.content {
            let sum = content.of_piece(self.source.cells(), &place, &piece)?;
            self.cx.tally().add(|counts| counts.content += sum);
        }
        self.meeting.shares(&place, |share| {
            copied.complete.extend(self.targets.take_in(share, &piece)?);
            Ok(())
        })?;
        drop(piece);
        drop(room);
        Ok(())
    }

    async fn finish(self: Arc<Self>, target: Complete, room: Reservation) -> Result<Step, TaskFailure> {
        self.sink.finish(&self.cx, target, room).await.map(|()| Step::Finished)
    }
}

/// A copy under way.
struct Sweep {
    copy: Arc<Copy>,
    running: JoinSet<Result<Step, TaskFailure>>,
    /// Small pieces of local files that are fetched together.
    starting: Vec<Starting>,
    starting_bytes: u64,
    /// Batches of them that are under way.
    batches: usize,
    /// Small pieces that wait to be copied.
    fetched: Vec<Brought>,
    /// Targets that wait to be written.
    complete: VecDeque<Complete>,
    /// Pieces that come again.
    again: VecDeque<Again>,
    /// One of them is under way, and nothing else.
    is_alone: bool,
    is_opened: Vec<bool>,
    finished: usize,
}

impl Sweep {
    async fn run(&mut self, mut places: impl Iterator<Item = Vec<u64>>) -> Result<(), TaskFailure> {
        let memory = Arc::clone(self.copy.cx.memory());
        let mut next = self.next(&mut places)?;
        loop {
            self.start_writes();
            while self.running.len() < MOST_IN_FLIGHT && self.complete.is_empty() && self.again.is_empty() {
                let Some(piece) = next.take() else { break };
                match self.start_piece(piece)? {
                    None => next = self.next(&mut places)?,
                    Some(waiting) => {
                        next = Some(waiting);
                        break;
                    }
                }
            }
            if self.batches < FEW_BATCHES || self.starting_bytes >= LEAST_BATCH_BYTES {
                self.start_together();
            }
            if self.running.is_empty() && !self.start_alone()? {
                return self.at_rest(next);
            }
            tokio::select! {
                biased;
                ended = self.running.join_next() => {
                    let mut ended = ended;
                    while let Some(step) = ended {
                        self.note(step)?;
                        ended = self.running.try_join_next();
                    }
                    self.start_copies();
                }
                () = memory.freed().notified() => {}
            }
        }
    }

    /// Nothing is under way: either all is done, or what is next can never start.
    fn at_rest(&self, next: Option<Next>) -> Result<(), TaskFailure> {
        if let Some(complete) = self.complete.front() {
            return Err(self.copy.no_room_to_write(complete)?);
        }
        if let Some(next) = next {
            let buffers = next.buffers.iter().map(|length| *length as u64);
            let opened = buffers.chain(next.beside()).fold(next.room, u64::saturating_add);
            return Err(self.copy.no_room_to_start(opened.saturating_add(self.copy.keep_free())));
        }
        if self.finished == self.copy.targets.len() {
            Ok(())
        } else {
            Err(bug("a copy ended before its last target was complete"))
        }
    }

    fn note(&mut self, ended: Result<Result<Step, TaskFailure>, JoinError>) -> Result<(), TaskFailure> {
        match ended {
            Ok(Ok(Step::Fetched(piece))) => self.fetched.push(piece),
            Ok(Ok(Step::Copied(Copied { complete, again }))) => {
                self.batches = self.batches.saturating_sub(1);
                self.complete.extend(complete);
                for again in again {
                    self.come_again(again)?;
                }
                self.is_alone = false;
            }
            Ok(Ok(Step::Finished)) => self.finished = self.finished.saturating_add(1),
            Ok(Err(failure)) => return Err(failure),
            Err(error) if error.is_panic() => return Err(of_panic(error.into_panic().as_ref())),
            Err(_) => return Err(bug("a part of a copy was cancelled")),
        }
        Ok(())
    }

    /// Copies the small pieces that are there, many by one piece of work.
    fn start_copies(&mut self) {
        let mut together = Vec::new();
        let mut bytes = 0_u64;
        for piece in std::mem::take(&mut self.fetched) {
            bytes = bytes.saturating_add(piece.bytes);
            together.push(piece);
            if bytes >= SMALL_PIECE_BYTES {
                self.running.spawn(Arc::clone(&self.copy).copy(std::mem::take(&mut together), Copied::default()));
                bytes = 0;
            }
        }
        if !together.is_empty() {
            self.running.spawn(Arc::clone(&self.copy).copy(together, Copied::default()));
        }
    }

    /// Starts writing what is complete, as far as there is room.
    fn start_writes(&mut self) {
        while self.running.len() < MOST_IN_FLIGHT {
            let Some(target) = self.complete.pop_front() else { return };
            let room = self.copy.sink.write_room(target.values);
            let Some(room) = self.copy.cx.memory().try_reserve(room) else {
                self.complete.push_front(target);
                return;
            };
            self.running.spawn(Arc::clone(&self.copy).finish(target, room));
        }
    }

    /// What the piece after this one needs.
    fn next(&self, places: &mut impl Iterator<Item = Vec<u64>>) -> Result<Option<Next>, TaskFailure> {
        let Some(place) = places.find(|place| !self.copy.is_absent(place)) else { return Ok(None) };
        let room = self.copy.source.room(&place)?;
        let mut next = Next::new(place, room);
        let Next { place, opens, .. } = &mut next;
        self.copy.meeting.shares(place, |share| {
            if self.is_opened.get(share.target).is_some_and(|is_opened| !is_opened) {
                opens.push(share.target);
            }
            Ok::<(), TaskFailure>(())
        })?;
        for target in &next.opens {
            let room = self.copy.sink.target_room(*target)?;
            next.buffers.push(room.buffer);
            next.encoded.push(room.encoded);
            next.heaps.push(room.heap);
        }
        Ok(Some(next))
    }

    /// Starts a piece if there is room; gives it back if not.
    fn start_piece(&mut self, piece: Next) -> Result<Option<Next>, TaskFailure> {
        let room = piece.beside().fold(piece.room, u64::saturating_add);
        let opened = self.copy.targets.with_largest(|values| {
            let keep_free = self.copy.sink.write_room(values);
            self.copy.cx.memory().try_open(room, keep_free, &piece.buffers)
        });
        let Some(Opened { piece: mut room, targets }) = opened else { return Ok(Some(piece)) };
        let beside = piece.encoded.iter().zip(&piece.heaps);
        for ((target, buffer), (encoded, heap)) in piece.opens.iter().zip(targets).zip(beside) {
            let beside = (room.split(*encoded), room.split(*heap));
            self.copy.targets.open(*target, buffer, beside)?;
            if let Some(is_opened) = self.is_opened.get_mut(*target) {
                *is_opened = true;
            }
        }
        let starting = Starting { place: piece.place, room, bytes: piece.room };
        // A reading thread that has allocated large buffers keeps memory that nobody accounts for.
        if starting.bytes < SMALL_PIECE_BYTES && self.copy.source.is_local() {
            self.starting_bytes = self.starting_bytes.saturating_add(starting.bytes);
            self.starting.push(starting);
            if self.starting_bytes >= SMALL_PIECE_BYTES {
                self.start_together();
            }
        } else {
            self.running.spawn(Arc::clone(&self.copy).bring(starting));
        }
        Ok(None)
    }

    /// Fetches the pieces that were put together.
    fn start_together(&mut self) {
        if !self.starting.is_empty() {
            self.starting_bytes = 0;
            self.batches = self.batches.saturating_add(1);
            let pieces = std::mem::take(&mut self.starting);
            self.running.spawn(Arc::clone(&self.copy).bring_together(pieces));
        }
    }
}
