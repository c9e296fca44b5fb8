"""A web server for the files of a directory: GET and HEAD, with ranges; it lists nothing and takes nothing.

    python3 web.py DIRECTORY [--no-ranges]
"""

import http.server
import pathlib
import sys
import urllib.parse

import life


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = pathlib.Path()
    has_ranges = True

    def do_GET(self):
        path = self.root / urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/")
        if not path.is_file():
            return self.answer(404, b"not found")
        data = path.read_bytes()
        part = life.requested_range(self.headers.get("Range"), len(data)) if self.has_ranges else None
        if part is None:
            return self.answer(200, data)
        if not part:
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        return self.answer(206, data[part.start:part.stop],
                           {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{len(data)}"})

    do_HEAD = do_GET

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


life.serve(Handler, root=pathlib.Path(sys.argv[1]), has_ranges="--no-ranges" not in sys.argv)
