//! Plans and results as people and programs read them. The same shape before and after a run.

mod assumptions;
pub(crate) mod figure;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod table;
