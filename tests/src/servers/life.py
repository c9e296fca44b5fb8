"""How the servers of this directory are started and ended: the first line of their output is their URL, and they end
when their input does, also when whoever started them was killed."""

import http.server
import os
import sys
import threading


def serve(handler, **state):
    """Serves on a free port of the loopback until the input ends."""
    # Head and body go out together: apart, the second waits for the first to be acknowledged.
    quick = {"wbufsize": 1 << 16, "disable_nagle_algorithm": True}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {**quick, **state}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    announce(f"http://127.0.0.1:{server.server_port}")


def announce(url):
    """Says where the server is, and returns never: the process ends with its input."""
    print(url, flush=True)
    while sys.stdin.read(1 << 16):
        pass
    os._exit(0)


def requested_range(header, size):
    """The part that a Range header asks for: None without one, an empty one where the object ends before it."""
    if not header:
        return None
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return range(max(size - int(last), 0), size)
    end = min(int(last) + 1, size) if last else size
    return range(int(first), max(end, int(first)) if int(first) < size else int(first))
