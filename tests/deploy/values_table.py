"""The table of values in the chart's README, made from values.yaml and values.schema.json.

`tests/deploy/values_table.py` writes it; a test compares.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from chart import CHART, default_of, described, schema  # noqa: E402

README = CHART / "README.md"
BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"


def table():
    lines = ["| value | default | |", "|---|---|---|"]
    for path, description in described(schema()):
        if path != ("global",):
            default = json.dumps(default_of(path), ensure_ascii=False)
            lines.append(f"| `{'.'.join(path)}` | `{default}` | {description} |")
    return "\n".join(lines) + "\n"


def parts():
    """What stands before the table, the table, and what stands after it."""
    before, rest = README.read_text().split(BEGIN)
    written, after = rest.split(END)
    return before, written, after


if __name__ == "__main__":
    start, _, rest = parts()
    README.write_text(start + BEGIN + table() + END + rest)
