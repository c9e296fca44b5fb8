//! Pieces of elements of variable length: how much they need shows when they are there. What a piece has not, it takes
//! where it is free. Where it is not, the piece is dropped and comes again when nothing else is under way, with all that
//! is free then; if that is too little, the task fails, and says what would help. So no piece ever waits while it holds
//! something, and what happens does not depend on which of them came first.

use std::sync::Arc;

use rechunk_common::{FailureClass, TaskFailure};

use super::{Again, Copy, Starting, Sweep};
use crate::{
    copy::{
        source::{Decoded, Fetched, Piece, Short},
        targets::{Admission, Arriving, Complete, bytes_of},
    },
    memory::Reservation,
};

impl Copy {
    /// What must stay free, so that any target can be written.
    pub(super) fn keep_free(&self) -> u64 {
        self.targets.with_largest(|values| self.sink.write_room(values))
    }

    pub(super) fn try_grow(&self, room: &mut Reservation, bytes: u64) -> bool {
        self.targets.with_largest(|values| room.try_grow(bytes, self.sink.write_room(values)))
    }

    /// Decodes a piece whose elements have their room in all of their targets; else it is as if it had never come.
    pub(super) fn admitted(
        &self,
        place: &[u64],
        fetched: Fetched,
        room: &mut Reservation,
    ) -> Result<Result<Piece, Short>, TaskFailure> {
        let Fetched::Encoded { url, .. } = &fetched else { return Ok(Ok(Piece::Missing)) };
        let url = url.clone();
        let grow = |room: &mut Reservation, bytes: u64| self.try_grow(room, bytes);
        let piece = match self.source.decode_variable(place, fetched, room, grow)? {
            Decoded::Piece(piece) => piece,
            Decoded::Short(short) => return Ok(Err(short)),
        };
        if let Piece::Elements { bytes, start, heap: Some(heap), .. } = &piece {
            let mut arriving = Vec::new();
            self.meeting.shares(place, |share| {
                let bytes = bytes_of(share, bytes, *start, self.meeting.width())?;
                arriving.push(Arriving { target: share.target, elements: share.elements, bytes });
                Ok::<(), TaskFailure>(())
            })?;
            let keep = self.source.descriptor_bytes(place)?.saturating_add(heap.len() as u64);
            if let Admission::Short { needed } = self.targets.admit(&arriving, room, keep, &self.sink)? {
                return Ok(Err(Short { needed, url }));
            }
        }
        self.source.count_decoded(&self.cx, place)?;
        Ok(Ok(piece))
    }

    /// Nothing is under way, and this target cannot be written.
    pub(super) fn no_room_to_write(&self, target: &Complete) -> Result<TaskFailure, TaskFailure> {
        let room = self.sink.write_room(target.values);
        if !self.source.is_variable() {
            return Ok(self.too_little(room));
        }
        Ok(self.too_long(&format!("write {}", self.sink.url_of(target.index)?), room))
    }

    /// Nothing is under way, and the next piece cannot start.
    pub(super) fn no_room_to_start(&self, needed: u64) -> TaskFailure {
        if !self.source.is_variable() {
            return self.too_little(needed);
        }
        self.too_long(&format!("read {} on", self.source.prefix().url()), needed)
    }

    fn too_long(&self, what: &str, needed: u64) -> TaskFailure {
        let memory = self.cx.memory();
        let reason = format!(
            "cannot {what}: with its elements of variable length that takes {needed} bytes or more, and of its task's {} \
             bytes {} are taken by what is being filled; give tasks more memory with --max-mem, or choose smaller chunks",
            memory.limit().0,
            memory.reserved(),
        );
        TaskFailure::new(FailureClass::GiveUpTask, reason)
    }
}

impl Sweep {
    /// Takes a piece back for which there was no room.
    pub(super) fn come_again(&mut self, again: Again) -> Result<(), TaskFailure> {
        if self.is_alone {
            // It had all that was free.
            return Err(self.copy.too_long(&format!("copy {}", again.short.url), again.short.needed));
        }
        self.again.push_back(again);
        Ok(())
    }

    /// Starts a piece that came again, with all that is free; whether there was one. Nothing is under way.
    pub(super) fn start_alone(&mut self) -> Result<bool, TaskFailure> {
        if !self.complete.is_empty() {
            return Ok(false);
        }
        let Some(Again { place, short }) = self.again.pop_front() else { return Ok(false) };
        let copy = &self.copy;
        let room = copy.targets.with_largest(|values| copy.cx.memory().reserve_rest(copy.sink.write_room(values)));
        if room.bytes() < short.needed {
            drop(room);
            return Err(copy.too_long(&format!("copy {}", short.url), short.needed));
        }
        self.is_alone = true;
        // Larger than any that is copied together with others.
        let starting = Starting { place, room, bytes: u64::MAX };
        self.running.spawn(Arc::clone(&self.copy).bring(starting));
        Ok(true)
    }
}
