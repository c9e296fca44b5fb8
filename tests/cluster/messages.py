"""Protobuf messages of other projects, made of what those publish of their fields."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KINDS = descriptor_pb2.FieldDescriptorProto
SCALARS = {"string": KINDS.TYPE_STRING, "bool": KINDS.TYPE_BOOL, "int64": KINDS.TYPE_INT64, "double": KINDS.TYPE_DOUBLE,
           "bytes": KINDS.TYPE_BYTES, "int32": KINDS.TYPE_INT32, "fixed64": KINDS.TYPE_FIXED64}


def message_classes(package, messages):
    """A class for each message: {message: [(field, kind) or (field, kind, number), ...]}. A field without a number has
    the one after its predecessor's, the first has 1; `map` is one of strings to strings."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        number = 0
        for field, kind, *numbered in fields:
            number = numbered[0] if numbered else number + 1
            repeated = kind == "map" or kind.startswith("repeated ")
            label = KINDS.LABEL_REPEATED if repeated else KINDS.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            kind = kind.removeprefix("repeated ")
            if kind == "map":
                entry = message.nested_type.add(name=field[0].upper() + field[1:] + "Entry")
                entry.options.map_entry = True
                for key_number, key in enumerate(["key", "value"], 1):
                    entry.field.add(
                        name=key, number=key_number, label=KINDS.LABEL_OPTIONAL, type=KINDS.TYPE_STRING)
                added.type, added.type_name = KINDS.TYPE_MESSAGE, f".{package}.{name}.{entry.name}"
            elif kind in SCALARS:
                added.type = SCALARS[kind]
            else:
                added.type, added.type_name = KINDS.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}
