"""Azurite, Microsoft's emulator of Azure Blob Storage, in memory, with one account and one container.

    python3 azurite.py PROGRAM ACCOUNT KEY CONTAINER

The URL that it says is that of the account.
"""

import base64
import email.utils
import hashlib
import hmac
import http.client
import os
import subprocess
import sys
import threading



VERSION = "2023-11-03"


def make_container(port, account, key, container):
    """No client of object stores makes containers: the request is signed here."""
    date = email.utils.formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:{VERSION}\n"
    to_sign = "PUT" + "\n" * 12 + headers + f"/{account}/{account}/{container}\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(key), to_sign.encode(), hashlib.sha256)).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("PUT", f"/{account}/{container}?restype=container", headers={
        "x-ms-date": date, "x-ms-version": VERSION, "Content-Length": "0",
        "Authorization": f"SharedKey {account}:{signature}"})
    answer = connection.getresponse()
    assert answer.status == 201, (answer.status, answer.read())


def main(program, account, key, container):
    process = subprocess.Popen(
        [program, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck",
         "--disableTelemetry"],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        text=True)
    try:
        for line in process.stdout:
            if " listens on http://127.0.0.1:" in line:
                port = int(line.rsplit(":", 1)[1])
                break
        else:
            raise SystemExit(f"Azurite ended with {process.wait()}")
        # Nobody reads what it says from here on.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        make_container(port, account, key, container)
        print(f"http://127.0.0.1:{port}/{account}", flush=True)
        while sys.stdin.read(1 << 16):
            pass
    finally:
        process.kill()
        process.wait()


main(*sys.argv[1:])
