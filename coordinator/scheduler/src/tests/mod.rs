//! Stories: given events, then commands. Each step of each story is checked against the invariants.

mod barriers;
mod endings;
mod failures;
mod fairness;
mod figures;
mod leases;
mod plans;
mod random;
mod recovery;
mod retries;
mod steps;
mod stragglers;
mod verification;
mod views;
mod world;
