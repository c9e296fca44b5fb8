//! Reading back. Behind this door the boxes lie inside the array, and what was left out was left out of it.

use rechunk_common::{
    layout::ArrayLayout,
    plan::{ReadBackAs, Verify},
};

use super::{
    exchange::tasks,
    field::{choice, required, same_variants},
    function::inside,
    listed,
};
use crate::{fault::Fault, v1};

same_variants! {
    v1::ReadBackAs = ReadBackAs { Elements, EncodedChunks, EncodedInnerChunks }
}

impl From<Verify> for v1::Verify {
    fn from(verify: Verify) -> Self {
        let Verify { target, boxes, read_back_as, presence } = verify;
        Self {
            target: Some(target.into()),
            boxes: Some(boxes.into()),
            read_back_as: v1::ReadBackAs::from(read_back_as).into(),
            presence: presence.map(Into::into),
        }
    }
}

impl TryFrom<v1::Verify> for Verify {
    type Error = Fault;

    fn try_from(verify: v1::Verify) -> Result<Self, Fault> {
        let target: ArrayLayout = required(verify.target, "target")?;
        let boxes = tasks(verify.boxes, "boxes")?;
        inside(&boxes, &target, "boxes")?;
        let presence = listed::of_tasks(verify.presence, (&boxes, "boxes"), &target.element)?;
        let read_back_as = choice::<v1::ReadBackAs, _>(verify.read_back_as, "read_back_as")?;
        Ok(Self { target, boxes, read_back_as, presence })
    }
}
