//! The harness of the end-to-end tests: arrays made and read by plain code, a coordinator with workers in this process,
//! a real S3 server and a double of one.
//!
//! - [`made_array`] and [`whole_array`] are the oracle: they write and read arrays chunk by chunk and place elements one
//!   by one. They share metadata and codecs with the product, and nothing of planning or copying.
//! - [`cluster`] runs a coordinator behind real gRPC with workers that each have a link of their own ([`link`]).
//! - [`traffic`] says what observed requests were for; [`faithful`] says what must hold after every job.
//! - [`seaweedfs`] is a real S3 server, [`s3_double`] one whose wire breaks by a plan; [`servers`] are Google's, Azure's
//!   and the web's.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what goes wrong in a harness fails the test that uses it"
)]

pub mod cluster;
pub mod faithful;
pub mod link;
pub mod made_array;
pub mod place;
pub mod s3_double;
mod s3_profile;
pub mod seaweedfs;
pub mod servers;
pub mod traffic;
pub mod whole_array;

pub use cluster::{Cluster, ClusterOptions, Wire};
pub use link::{LinkSwitch, SwitchableLink};
pub use made_array::{ArraySpec, Content, MadeArray};
pub use place::Place;
pub use s3_double::S3Double;
pub use seaweedfs::SeaweedFs;
pub use servers::{Azurite, GcsDouble, WebServer};
pub use traffic::Traffic;
pub use whole_array::WholeArray;
