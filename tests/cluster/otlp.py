"""A collector of traces, with the messages of OTLP that OpenTelemetry publishes (opentelemetry-proto, trace/v1): it keeps
what it is sent."""

import threading
from collections import namedtuple
from concurrent import futures

import grpc
from messages import message_classes

MESSAGES = {
    "ExportTraceServiceRequest": [("resource_spans", "repeated ResourceSpans")],
    "ExportTraceServiceResponse": [],
    "ResourceSpans": [("resource", "Resource"), ("scope_spans", "repeated ScopeSpans")],
    "Resource": [("attributes", "repeated KeyValue")],
    "ScopeSpans": [("spans", "repeated Span", 2)],
    "Span": [("trace_id", "bytes"), ("span_id", "bytes"), ("parent_span_id", "bytes", 4), ("name", "string"),
             ("kind", "int32"), ("start_time_unix_nano", "fixed64"), ("end_time_unix_nano", "fixed64"),
             ("attributes", "repeated KeyValue"), ("links", "repeated Link", 13), ("status", "Status", 15)],
    "Link": [("trace_id", "bytes"), ("span_id", "bytes")],
    "Status": [("message", "string", 2), ("code", "int32")],
    "KeyValue": [("key", "string"), ("value", "AnyValue")],
    "AnyValue": [("string_value", "string"), ("int_value", "int64", 3)],
}
CLASSES = message_classes("otlp", MESSAGES)

Span = namedtuple("Span", "service trace id parent name kind begun ended attributes links failure")


def attributes(pairs):
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}


class Collector(grpc.GenericRpcHandler):
    """Takes the spans of every program that sends some."""

    def __init__(self):
        self.lock, self.kept, self.metadata = threading.Lock(), [], []
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([self])
        self.endpoint = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def service(self, call):
        if call.method != "/opentelemetry.proto.collector.trace.v1.TraceService/Export":
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.take, CLASSES["ExportTraceServiceRequest"].FromString, lambda answer: answer.SerializeToString())

    def take(self, request, context):
        with self.lock:
            self.metadata.append(dict(context.invocation_metadata()))
            for of_program in request.resource_spans:
                service = attributes(of_program.resource.attributes)["service.name"]
                for scope in of_program.scope_spans:
                    self.kept += [self.span(service, span) for span in scope.spans]
        return CLASSES["ExportTraceServiceResponse"]()

    @staticmethod
    def span(service, span):
        return Span(service, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.kind,
                    span.start_time_unix_nano, span.end_time_unix_nano, attributes(span.attributes),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    span.status.message if span.status.code == 2 else None)

    def spans(self):
        with self.lock:
            return list(self.kept)

    def close(self):
        self.server.stop(None).wait()
