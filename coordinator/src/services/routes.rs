//! What one listener serves: our services, and the standard ones that speak of just these.

use rechunk_common::limits::MAX_MESSAGE_BYTES;
use rechunk_proto::{
    FILE_DESCRIPTOR_SET, externalscaler::external_scaler_server::ExternalScalerServer,
    v1::rechunk_service_server::RechunkServiceServer, worker::v1::worker_service_server::WorkerServiceServer,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    server::NamedService,
    service::{Routes, RoutesBuilder, interceptor::InterceptedService},
};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tonic_reflection::server::Builder as Reflection;

use super::{rechunk::Rechunk, scaler::Scaler, security::Guard, worker::Worker};
use crate::coordinator::Coordinator;

/// What users reach: people with their programs, and what starts workers for them.
pub(super) struct ForUsers {
    rechunk: Rechunk,
    scaler: Scaler,
}

impl ForUsers {
    pub(super) fn new(coordinator: &Coordinator, shutdown: &CancellationToken) -> Self {
        let rechunk = Rechunk::new(coordinator.clone(), shutdown.clone());
        Self { rechunk, scaler: Scaler::new(coordinator.clone(), shutdown.clone()) }
    }
}

/// The given services, each behind its guard; health and reflection, which anybody may ask.
pub(super) async fn routes(
    users: Option<(ForUsers, Guard)>,
    worker: Option<(Worker, Guard)>,
) -> Result<Routes, tonic_reflection::server::Error> {
    let health = HealthReporter::new();
    let mut names = vec![HealthServer::<HealthService>::NAME];
    let mut routes = Routes::builder();
    if let Some((ForUsers { rechunk, scaler }, guard)) = users {
        let server = RechunkServiceServer::new(rechunk)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        health.set_serving::<RechunkServiceServer<Rechunk>>().await;
        names.push(RechunkServiceServer::<Rechunk>::NAME);
        routes.add_service(InterceptedService::new(server, guard));
        // Numbers only, for what has no token to show.
        health.set_serving::<ExternalScalerServer<Scaler>>().await;
        names.push(ExternalScalerServer::<Scaler>::NAME);
        routes.add_service(ExternalScalerServer::new(scaler));
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
