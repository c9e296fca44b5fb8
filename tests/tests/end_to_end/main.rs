//! Jobs from the request to the published target: a coordinator and workers in one process, over real gRPC, on memory,
//! local files, a real S3 server, a double of one and others. One program, because linking is most of what each costs.

mod copy_encoded;
mod faults;
mod foreign_function;
mod group_local;
mod journal;
mod limits_and_bad_input;
mod main_job;
mod other_stores;
mod packed_exchange;
mod parted_shards;
mod request_rates;
mod s3;
mod sparse;
mod two_submissions;
mod verification;
mod wire_faults;
