"""A small site over a database: it serves what a release of it would, and says which one it is.

It listens on a socket that it puts in place by one rename, once it has answered itself; what came to the one before is still
answered by that. Told to end, it answers what waits, and ends.
"""

import http.client
import http.server
import json
import os
import signal
import socket
import socketserver
import sqlite3
import sys
import threading
from pathlib import Path

HERE = Path(os.path.realpath(__file__)).parent
VERSION = (HERE / "VERSION").read_text().strip()
COLUMN = (HERE / "COLUMN").read_text().strip()  # what this release reads of the database


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with sqlite3.connect(sys.argv[2]) as database:
            rows = [row[0] for row in database.execute(f"select {COLUMN} from pages")]
        body = json.dumps({"version": VERSION, "rows": rows, "python": sys.prefix}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "-"

    def log_message(self, *_):
        """It has nobody to tell."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 128
    daemon_threads = False


def ask(place):
    connection = http.client.HTTPConnection("site")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(place)
    connection.request("GET", "/")
    return connection.getresponse()


def main():
    place = sys.argv[1]
    aside = f"{place}.{os.getpid()}"
    server = Server(aside, Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    if ask(aside).status != 200:
        os.unlink(aside)
        sys.exit(1)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    Path(f"{aside}.pid").write_text(str(os.getpid()))
    os.rename(aside, place)
    ended.wait()
    while True:  # what has come before the socket was replaced
        server.socket.settimeout(0.3)
        try:
            server.process_request(*server.socket.accept())
        except OSError:
            break
    server.shutdown()
    server.server_close()


main()
