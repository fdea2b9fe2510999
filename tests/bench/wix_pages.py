"""A large Wix site that answers at once: pages are made beforehand. Query whole, since an instant and by ids, and Get; no
limits, no faults (tests/fakes/wix.py has those); who is asked about by id has a sale status by the clock. POST /_control {"change": [ids],
"move": [ids]} gives these another price, or has them open a minute later; either way another revision.

    wix_pages.py DEFINITIONS.json        prints "listening PORT"
"""

import datetime
import email.utils
import http.server
import json
import sys
import time

PAGE = 100


class World:
    def __init__(self, items):
        self.items = {item["id"]: item for item in items}
        self.order = [item["id"] for item in items]
        self.made = {}

    def page(self, at):
        if at not in self.made:
            ids = self.order[at:at + PAGE]
            metadata = {"count": len(ids)}
            if at + PAGE < len(self.order):
                metadata["cursors"] = {"next": str(at + PAGE)}
            self.made[at] = json.dumps({"ticketDefinitions": [self.items[i] for i in ids], "metadata": metadata}).encode()
        return self.made[at]

    def now(self, ident):
        item, now = dict(self.items[ident]), time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime(time.time()))
        item["saleStatus"] = "SALE_STARTED" if item["salePeriod"]["startDate"] <= now else "SALE_SCHEDULED"
        return item

    def query(self, query):
        condition = query.get("filter") or {}
        if "id" in condition:
            found = [self.now(i) for i in condition["id"]["$in"] if i in self.items]
        elif "updatedDate" in condition:
            found = [i for i in self.items.values() if i["updatedDate"] > condition["updatedDate"]["$gt"]][:PAGE]
        else:
            return self.page(int(query["cursorPaging"].get("cursor", 0)))
        return json.dumps({"ticketDefinitions": found, "metadata": {"count": len(found)}}).encode()

    def change(self, ident, later_s=0):
        item = dict(self.items[ident])
        item["revision"] = str(int(item["revision"]) + 1)
        item["updatedDate"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        if later_s:
            opens = datetime.datetime.fromisoformat(item["salePeriod"]["startDate"]) + datetime.timedelta(seconds=later_s)
            item["salePeriod"] = dict(item["salePeriod"], startDate=opens.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        else:
            item["pricingMethod"] = {"fixedPrice": {"value": item["revision"], "currency": "EUR"}, "free": False}
        self.items[ident] = item
        self.made.pop(self.order.index(ident) // PAGE * PAGE, None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args):
        pass

    def answer(self, body, status=200):
        self.wfile.write(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n" % (
            status, email.utils.formatdate(usegmt=True).encode(), len(body)) + body)

    def do_GET(self):
        world, ident = self.server.world, self.path.split("?")[0].rsplit("/", 1)[1]
        if ident in world.items:
            self.answer(json.dumps({"ticketDefinition": world.now(ident)}).encode())
        else:
            self.answer(b'{"message":"not found"}', 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/_control":
            for ident in body.get("change", []):
                self.server.world.change(ident)
            for ident in body.get("move", []):
                self.server.world.change(ident, 60)
            self.answer(b"{}")
        else:
            self.answer(self.server.world.query(body["query"]))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
with open(sys.argv[1], encoding="utf-8") as file:
    server.world = World(json.load(file)["ticketDefinitions"])
for first in range(0, len(server.world.order), PAGE):
    server.world.page(first)
print("listening %d" % server.server_address[1], flush=True)
server.serve_forever()
