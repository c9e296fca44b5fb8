//! What one listener serves: our services, and the standard ones that speak of just these.

use rechunk_common::limits::MAX_MESSAGE_BYTES;
use rechunk_proto::{
    FILE_DESCRIPTOR_SET, v1::rechunk_service_server::RechunkServiceServer,
    worker::v1::worker_service_server::WorkerServiceServer,
};
use tonic::{
    server::NamedService,
    service::{Routes, RoutesBuilder, interceptor::InterceptedService},
};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tonic_reflection::server::Builder as Reflection;

use super::{rechunk::Rechunk, security::Guard, worker::Worker};

/// The given services, each behind its guard; health and reflection, which anybody may ask.
pub(super) async fn routes(
    rechunk: Option<(Rechunk, Guard)>,
    worker: Option<(Worker, Guard)>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let health = HealthReporter::new();
    let mut names = vec![HealthServer::<HealthService>::NAME];
    let mut routes = Routes::builder();
    if let Some((rechunk, guard)) = rechunk {
        let server = RechunkServiceServer::new(rechunk)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        health.set_serving::<RechunkServiceServer<Rechunk>>().await;
        names.push(RechunkServiceServer::<Rechunk>::NAME);
        routes.add_service(InterceptedService::new(server, guard));
    }
    if let Some((worker, guard)) = worker {
        let server = WorkerServiceServer::new(worker)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        health.set_serving::<WorkerServiceServer<Worker>>().await;
        names.push(WorkerServiceServer::<Worker>::NAME);
        routes.add_service(InterceptedService::new(server, guard));
    }
    routes.add_service(HealthServer::new(HealthService::from_health_reporter(health)));
    add_reflection(&mut routes, &names)?;
    Ok(routes.routes())
}

/// Reflection in both versions: older tools know the alpha only.
fn add_reflection(routes: &mut RoutesBuilder, names: &[&str]) -> Result<(), tonic_reflection::server::Error> {
    let describe = || {
        let reflection = Reflection::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        names.iter().fold(reflection, |reflection, name| reflection.with_service_name(*name))
    };
    routes.add_service(describe().with_service_name("grpc.reflection.v1.ServerReflection").build_v1()?);
    routes.add_service(describe().with_service_name("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?);
    Ok(())
}
