"""KEDA's side of its external scalers, with the messages and calls that it publishes (kedacore/keda,
pkg/scalers/externalscaler/externalscaler.proto), and the arithmetic of the autoscaler that it drives."""

import math
import queue
import threading

import grpc
from messages import message_classes

PACKAGE = "externalscaler"
# Message: its fields.
MESSAGES = {
    "ScaledObjectRef": [("name", "string"), ("namespace", "string"), ("scalerMetadata", "map")],
    "IsActiveResponse": [("result", "bool")],
    "GetMetricSpecResponse": [("metricSpecs", "repeated MetricSpec")],
    "MetricSpec": [("metricName", "string"), ("targetSize", "int64"), ("targetSizeFloat", "double")],
    "GetMetricsRequest": [("scaledObjectRef", "ScaledObjectRef"), ("metricName", "string")],
    "GetMetricsResponse": [("metricValues", "repeated MetricValue")],
    "MetricValue": [("metricName", "string"), ("metricValue", "int64"), ("metricValueFloat", "double")],
}
CLASSES = message_classes(PACKAGE, MESSAGES)


class Keda:
    """A ScaledObject with the trigger `external-push`."""

    def __init__(self, address, slots_per_worker, most):
        self.most = most
        self.scaled = CLASSES["ScaledObjectRef"](name="workers", namespace="rechunk")
        self.scaled.scalerMetadata["slotsPerWorker"] = str(slots_per_worker)
        self.channel = grpc.insecure_channel(address)
        self.pushes = queue.Queue()
        self.is_active = None
        stream = self._call(self.channel.unary_stream, "StreamIsActive", "IsActiveResponse")(self.scaled)
        self.listener = threading.Thread(target=self._listen, args=[stream])
        self.listener.start()

    def _call(self, kind, method, response):
        return kind(f"/{PACKAGE}.ExternalScaler/{method}", request_serializer=lambda request: request.SerializeToString(),
                    response_deserializer=CLASSES[response].FromString)

    def _listen(self, stream):
        try:
            for answer in stream:
                self.pushes.put(answer.result)
        except grpc.RpcError:
            self.pushes.put(None)

    def next_push(self, seconds=60):
        """What is pushed next; `None` when the stream has ended."""
        self.is_active = self.pushes.get(timeout=seconds)
        return self.is_active

    def take_pushes(self):
        """Whether there is anything to do, by the latest that was pushed."""
        while not self.pushes.empty():
            self.next_push()
        return self.is_active

    def target(self):
        """The metric's name, and how much of it one worker takes care of."""
        call = self._call(self.channel.unary_unary, "GetMetricSpec", "GetMetricSpecResponse")
        [spec] = call(self.scaled, timeout=10).metricSpecs
        return spec.metricName, spec.targetSizeFloat

    def metric(self):
        """How much there is to do."""
        name, _ = self.target()
        call = self._call(self.channel.unary_unary, "GetMetrics", "GetMetricsResponse")
        [value] = call(CLASSES["GetMetricsRequest"](scaledObjectRef=self.scaled, metricName=name), timeout=10).metricValues
        assert value.metricName == name
        return value.metricValueFloat

    def replicas(self):
        """The workers that there should be: none while nothing is to be done, else as the HorizontalPodAutoscaler divides
        an average value; without the minutes that both wait before they take workers down."""
        if not self.take_pushes():
            return 0
        return min(max(math.ceil(self.metric() / self.target()[1]), 1), self.most)

    def close(self):
        self.channel.close()
        self.listener.join()
