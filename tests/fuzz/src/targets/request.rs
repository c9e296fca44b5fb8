//! Requests at the door.

use rechunk_common::{
    request::{PipelinesRequest, RechunkRequest},
    session::SyncRequest,
};
use rechunk_proto::{v1, worker::v1 as worker};

use super::lease::read_message;

/// The first byte says which request the others are.
pub(super) fn read(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 3 {
        0 => drop(read_message::<v1::SubmitRechunkRequest, RechunkRequest>(bytes)),
        1 => drop(read_message::<v1::SubmitPipelinesRequest, PipelinesRequest>(bytes)),
        _ => drop(read_message::<worker::SyncRequest, SyncRequest>(bytes)),
    }
}
