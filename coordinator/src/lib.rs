//! The coordinator: takes requests, plans them, leases their tasks to workers, and says how they stand.
//!
//! [`coordinator::Coordinator`] is the handle that everything goes through: the gRPC services, and the programs that
//! run a coordinator in their own process. Behind it one task, the driver, owns the scheduler. Never touches chunk
//! bytes: at submission it reads array metadata and lists keys.

pub mod coordinator;
pub mod door;
mod driver;
pub mod exposition;
pub mod journal;
mod message;
pub mod page;
mod pipelines;
mod scaling;
pub mod services;
pub mod settings;
pub mod surroundings;
mod sync_guard;
#[cfg(test)]
mod testing;

pub use coordinator::{Coordinator, CoordinatorError, CoordinatorParts, CoordinatorTask};
pub use message::CoordinatorFigures;
pub use page::{JobsPage, PageRequest};
pub use services::{ListenerSettings, Security, ServeError, Serving, serve};
pub use settings::{CoordinatorSettings, FleetSettings};
