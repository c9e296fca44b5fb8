"""A double of Google Cloud Storage: what rechunk uses of its XML interface, in memory, for one bucket and one token.

    python3 gcs.py BUCKET TOKEN

It has objects with generations, ranges, creation on condition, copies, uploads in parts, and listings in short pages.
No emulator that can be installed answers this interface as Google does.
"""

import http.server
import itertools
import sys
import threading
import urllib.parse
import uuid
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import life

# Short, so that a listing has several.
PAGE = 5
MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"


class Bucket:
    """Everything there is. Whoever looks holds the lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.objects = {}
        self.uploads = {}
        self.generations = itertools.count(1)

    def put(self, key, data):
        self.objects[key] = (data, next(self.generations))


class Refused(Exception):
    def __init__(self, status, code):
        self.status, self.code = status, code


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket_name = token = ""
    bucket = None

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        bucket, _, key = path.lstrip("/").partition("/")
        bucket, key = urllib.parse.unquote(bucket), urllib.parse.unquote(key)
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        try:
            if self.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refused(403 if self.headers.get("Authorization") else 401, "AccessDenied")
            if bucket != self.bucket_name:
                raise Refused(404, "NoSuchBucket")
            with self.bucket.lock:
                answer = self.decide(key, query, body)
        except Refused as refused:
            xml = f"<?xml version='1.0'?><Error><Code>{refused.code}</Code></Error>"
            answer = refused.status, xml.encode(), {}
        self.answer(*answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def decide(self, key, query, body):
        match self.command, key:
            case "GET", "":
                return self.list(query)
            case ("GET" | "HEAD"), _:
                return self.read(key)
            case "PUT", _ if "uploadId" in query:
                return self.put_part(key, query, body)
            case "PUT", _:
                return self.write(key, body)
            case "POST", _ if "uploads" in query:
                upload = uuid.uuid4().hex
                self.bucket.uploads[upload] = (key, {})
                return self.document("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
            case "POST", _:
                return self.complete(key, query, body.decode())
            case "DELETE", _ if "uploadId" in query:
                self.upload(key, query)
                del self.bucket.uploads[query["uploadId"]]
                return 204, b"", {}
            case "DELETE", _:
                self.object(key)
                del self.bucket.objects[key]
                return 204, b"", {}

    def object(self, key):
        if key not in self.bucket.objects:
            raise Refused(404, "NoSuchKey")
        return self.bucket.objects[key]

    def upload(self, key, query):
        known, parts = self.bucket.uploads.get(query["uploadId"], (None, None))
        if known != key:
            raise Refused(404, "NoSuchUpload")
        return parts

    def read(self, key):
        data, generation = self.object(key)
        headers = {"ETag": f'"{generation}"', "Last-Modified": MODIFIED, "x-goog-generation": str(generation)}
        part = life.requested_range(self.headers.get("Range"), len(data))
        if part is None:
            return 200, data, headers
        if not part:
            raise Refused(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
        return 206, data[part.start:part.stop], headers

    def write(self, key, body):
        condition = self.headers.get("x-goog-if-generation-match")
        if condition is not None and int(condition) != self.bucket.objects.get(key, (None, 0))[1]:
            raise Refused(412, "PreconditionFailed")
        source = self.headers.get("x-goog-copy-source")
        if source is not None:
            name, _, source = source.lstrip("/").partition("/")
            if urllib.parse.unquote(name) != self.bucket_name:
                raise Refused(404, "NoSuchBucket")
            body, _ = self.object(urllib.parse.unquote(source))
        self.bucket.put(key, body)
        return self.written(key)

    def written(self, key):
        generation = self.bucket.objects[key][1]
        return 200, b"", {"ETag": f'"{generation}"', "x-goog-generation": str(generation)}

    def put_part(self, key, query, body):
        number = int(query["partNumber"])
        self.upload(key, query)[number] = body
        return 200, b"", {"ETag": f'"part-{number}-{len(body)}"'}

    def complete(self, key, query, text):
        parts = self.upload(key, query)
        named = [{child.tag.rpartition("}")[2]: child.text for child in part} for part in ElementTree.fromstring(text)]
        chosen = [(int(part["PartNumber"]), part["ETag"].strip('"')) for part in named]
        if not chosen or any(etag != f"part-{n}-{len(parts.get(n, b''))}" for n, etag in chosen):
            raise Refused(400, "InvalidPart")
        if any(len(parts[number]) < 5 << 20 for number, _ in chosen[:-1]):
            raise Refused(400, "EntityTooSmall")
        self.bucket.put(key, b"".join(parts[number] for number, _ in chosen))
        del self.bucket.uploads[query["uploadId"]]
        _, _, headers = self.written(key)
        return self.document("CompleteMultipartUploadResult", f"<ETag>{headers['ETag']}</ETag>", headers)

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        contents, folded, last, is_cut = [], [], after, False
        for key in sorted(self.bucket.objects):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix):]
            folder = prefix + rest[:rest.index(delimiter) + 1] if delimiter and delimiter in rest else None
            name = folder or key
            if name <= after or (folder and folder in folded):
                continue
            if len(contents) + len(folded) == PAGE:
                is_cut = True
                break
            last = name
            if folder:
                folded.append(folder)
            else:
                contents.append(key)
        entry = ("<Contents><Key>{}</Key><Size>{}</Size><ETag>\"{}\"</ETag>"
                 "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>")
        inner = "".join(entry.format(escape(key), len(data), generation)
                        for key, (data, generation) in ((key, self.bucket.objects[key]) for key in contents))
        inner += "".join(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folded)
        if is_cut:
            inner += f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"
        return self.document("ListBucketResult", f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{inner}")

    @staticmethod
    def document(root, inner, headers=()):
        return 200, f"<?xml version='1.0' encoding='UTF-8'?><{root}>{inner}</{root}>".encode(), dict(headers)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


life.serve(Handler, bucket_name=sys.argv[1], token=sys.argv[2], bucket=Bucket())
