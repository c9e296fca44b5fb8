//! The door, on stores in memory and in directories, with metadata written by hand.

mod appends;
mod bad_input;
mod groups;
mod listings;
mod memory;
mod places;
mod referred;
mod regions;
mod selection;
mod specs;
mod targets;
mod world;
