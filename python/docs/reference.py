"""The API reference, made from the package's signatures and docstrings.

`python python/docs/reference.py` writes reference.md with the package that is installed; a test compares.
"""

import inspect
import pathlib
import re

REFERENCE = pathlib.Path(__file__).resolve().parent / "reference.md"
BEGIN = """# API reference

Made from the docstrings by `python python/docs/reference.py`. Sizes are bytes, or a text as `"2GiB"`.
"""
# Where names of the same kind stand, in this order.
KINDS = ["Functions", "Classes", "Errors", "Coroutines"]


def reference(package):
    """The page for `package`."""
    kinds = {kind: [] for kind in KINDS}
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isfunction(value):
            kinds["Functions"].append(of_function(f"rechunk.{name}", value))
        elif inspect.isclass(value) and issubclass(value, BaseException):
            kinds["Errors"].append(of_error(name, value))
        elif inspect.isclass(value):
            kinds["Classes"].append(of_class(f"rechunk.{name}", value))
        elif inspect.ismodule(value):
            kinds["Coroutines"] += of_module(f"rechunk.{name}", value)
    parts = [BEGIN]
    for kind, entries in kinds.items():
        parts += [f"## {kind}\n", *entries]
    return "\n".join(parts)


def of_function(name, function, level=3):
    return f"{'#' * level} `{name}`\n\n```python\n{signature(name, function)}\n```\n\n{text(function)}\n"


def signature(name, function):
    """The call, on as many lines as it needs."""
    of = inspect.signature(function)
    listed, is_named = [], False
    for parameter in of.parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_named:
            listed.append("*")
        is_named |= parameter.kind in {parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL}
        listed.append(of_parameter(parameter))
    arrow = "" if of.return_annotation is of.empty else f" -> {spelt(of.return_annotation)}"
    short = name.rpartition(".")[2]
    line = f"{short}({', '.join(listed)}){arrow}"
    if len(line) <= 116:
        return line
    return f"{short}(\n" + "".join(f"    {parameter},\n" for parameter in listed) + f"){arrow}"


def of_parameter(parameter):
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    of_type = "" if parameter.annotation is parameter.empty else f": {spelt(parameter.annotation)}"
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{stars}{parameter.name}{of_type}{default}"


def spelt(annotation):
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def of_class(name, cls):
    call = f"```python\n{signature(name, cls.__init__)}\n```\n\n" if "__init__" in vars(cls) else ""
    parts = [f"### `{name}`\n\n{call}{text(cls)}\n"]
    for member, value in vars(cls).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            parts.append(f"- `.{member}`: {' '.join(text(value.fget).split())}")
        elif inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
            function = inspect.unwrap(value) if inspect.isfunction(value) else value.__func__
            parts.append(of_function(member, function, 4))
    return "\n".join(parts) + "\n"


def of_error(name, error):
    also = [base.__name__ for base in error.__mro__[1:] if base.__module__ == "builtins" and base not in {object, BaseException, Exception}]
    of = f" (a `{also[0]}`)" if also else ""
    return f"- `rechunk.{name}`{of}: {' '.join(text(error).split())}"


def of_module(name, module):
    functions = [(member, value) for member, value in vars(module).items()
                 if not member.startswith("_") and getattr(value, "__module__", None) == module.__name__]
    entries = [f"{text(module)}\n"]
    for member, value in functions:
        entries.append(of_class(f"{name}.{member}", value) if inspect.isclass(value) else of_function(f"{name}.{member}", value))
    return entries


def text(value):
    """The docstring; everything that is public has one."""
    found = inspect.getdoc(value)
    if not found:
        raise ValueError(f"{value!r} has no docstring")
    # `name: what it is`, with more of it on indented lines, is an entry of a list.
    return re.sub(r"^(\w+(?:, \w+)*): ", r"- `\1`: ", found, flags=re.M)


if __name__ == "__main__":
    import rechunk

    REFERENCE.write_text(reference(rechunk))
