"""Takes webhooks: any POST is answered 204 at once, GET tells how many came.

    receiver.py        prints "listening PORT"
"""

import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        said = b"%d" % self.server.taken
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken += 1
        self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    taken = 0


server = Server(("127.0.0.1", 0), Handler)
print("listening %d" % server.server_address[1], flush=True)
server.serve_forever()
