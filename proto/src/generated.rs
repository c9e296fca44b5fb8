//! The messages and services as tonic generates them from the `.proto` files; their documentation is there.

/// Messages and the service of `rechunk.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::large_futures,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("rechunk.v1");
}

/// The side of the workers.
pub mod worker {
    /// Messages and the service of `rechunk.worker.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::wildcard_enum_match_arm,
        clippy::large_futures,
        reason = "generated"
    )]
    pub mod v1 {
        tonic::include_proto!("rechunk.worker.v1");
    }
}

/// What KEDA asks.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::large_futures,
    reason = "generated"
)]
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// What is persisted.
pub(crate) mod journal {
    /// Messages of `rechunk.journal.v1`.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::wildcard_enum_match_arm,
        clippy::large_futures,
        reason = "generated"
    )]
    pub(crate) mod v1 {
        tonic::include_proto!("rechunk.journal.v1");
    }
}

/// The encoded descriptors of the packages with services and of all they import, for the reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rechunk_descriptor.bin"));

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::{FileDescriptorProto, FileDescriptorSet};

    #[test]
    fn the_descriptors_hold_all_services_with_all_their_calls() {
        let set = FileDescriptorSet::decode(super::FILE_DESCRIPTOR_SET).expect("descriptors");
        let calls: BTreeSet<String> = set
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
            .flat_map(|(package, service)| {
                service.method.iter().map(move |method| format!("{package}.{}/{}", service.name(), method.name()))
            })
            .collect();
        let rechunk = [
            "PlanRechunk",
            "SubmitRechunk",
            "SubmitPipelines",
            "GetJob",
            "ListJobs",
            "WatchJob",
            "CancelJob",
            "RetryJob",
            "DeleteJob",
            "ListWorkers",
        ];
        let mut expected: BTreeSet<String> =
            rechunk.iter().map(|call| format!("rechunk.v1.RechunkService/{call}")).collect();
        expected.insert("rechunk.worker.v1.WorkerService/Sync".into());
        let scaler = ["IsActive", "StreamIsActive", "GetMetricSpec", "GetMetrics"];
        expected.extend(scaler.map(|call| format!("externalscaler.ExternalScaler/{call}")));
        assert_eq!(calls, expected);
    }

    #[test]
    fn the_scaler_has_the_names_and_numbers_that_keda_published() {
        let set = FileDescriptorSet::decode(super::FILE_DESCRIPTOR_SET).expect("descriptors");
        let file = set.file.iter().find(|file| file.package() == "externalscaler").expect("the scaler's file");
        let fields: BTreeSet<String> = file
            .message_type
            .iter()
            .flat_map(|message| message.field.iter().map(move |field| (message.name(), field)))
            .map(|(message, field)| format!("{message}.{} {} {:?}", field.name(), field.number(), field.r#type()))
            .collect();
        let expected = [
            "ScaledObjectRef.name 1 String",
            "ScaledObjectRef.namespace 2 String",
            "ScaledObjectRef.scalerMetadata 3 Message",
            "IsActiveResponse.result 1 Bool",
            "GetMetricSpecResponse.metricSpecs 1 Message",
            "MetricSpec.metricName 1 String",
            "MetricSpec.targetSize 2 Int64",
            "MetricSpec.targetSizeFloat 3 Double",
            "GetMetricsRequest.scaledObjectRef 1 Message",
            "GetMetricsRequest.metricName 2 String",
            "GetMetricsResponse.metricValues 1 Message",
            "MetricValue.metricName 1 String",
            "MetricValue.metricValue 2 Int64",
            "MetricValue.metricValueFloat 3 Double",
        ];
        assert_eq!(fields, expected.map(str::to_owned).into());
    }

    #[test]
    fn the_descriptors_hold_all_that_they_import() {
        let set = FileDescriptorSet::decode(super::FILE_DESCRIPTOR_SET).expect("descriptors");
        let names: BTreeSet<&str> = set.file.iter().map(FileDescriptorProto::name).collect();
        for file in &set.file {
            assert!(file.dependency.iter().all(|import| names.contains(import.as_str())), "{}", file.name());
        }
    }
}
