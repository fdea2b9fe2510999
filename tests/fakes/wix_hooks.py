"""The webhooks of a fake Wix: tokens signed by RS256 around three layers of JSON, sent to one address, again after a failure,
twice, out of order, late, or spoilt in any way that a stranger could think of."""
import base64
import hashlib
import hmac
import http.client
import json
import random
import subprocess
import threading
import time
import urllib.parse
import uuid

EVENT_TYPE = "wix.events.v3.ticket_definition_"
ORDER_TYPE = "wix.events.ticketing.events.OrderConfirmed"
# as Wix: 1 min, 10 min, 1 h, 2 h ...; a hundredth of a thousandth of it
AGAIN_S = [0.06, 0.6, 3.6, 7.2]
ANSWER_S = 1.25


def make_key(path, bits=2048):
    """A private key at `path`, its public half beside it."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits, "-out", path],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", path + ".pub"], check=True, capture_output=True)
    return path


def letters(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def sign(key, claims, how=""):
    """`how`: "" as Wix, or what is wrong with it."""
    header = {"kid": "pk9Lx2", "alg": {"none": "none", "hs256": "HS256"}.get(how, "RS256")}
    if how == "crit":
        header["crit"] = ["exp"]
    signed = letters(compact(header).encode()) + "." + letters(compact(claims).encode())
    if how == "none":
        return signed + "."
    if how in ("hs256", "hs256-as-rs256"):
        with open(key + ".pub", "rb") as file:
            return signed + "." + letters(hmac.new(file.read(), signed.encode(), hashlib.sha256).digest())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=signed.encode(), check=True, capture_output=True)
    token = signed + "." + letters(done.stdout)
    return {"tail": token + ".e30", "padded": token + "=", "line": token + "\n"}.get(how, token)


def wrap(event, event_type, instance_id, layers="strings", life_s=3600):
    """The claims. `layers`: "strings" as Wix, or "objects" as its documentation prints them."""
    text = compact if layers == "strings" else lambda value: value
    envelope = {"data": text(event), "instanceId": instance_id, "eventType": event_type,
                "identity": text({"identityType": "WIX_USER", "wixUserId": "6b2d9f04-8e73-4c1a-a5f6-d03c7b1e8492"})}
    return {"data": text(envelope), "iat": int(time.time()), "exp": int(time.time()) + life_s}


def domain_event(slug, item, sequence, as_json=False):
    suffix = "AsJson" if as_json else ""
    inside = json.dumps(item) if as_json else item
    bodies = {"created": {"createdEvent": {"entity" + suffix: inside}},
              "updated": {"updatedEvent": {"currentEntity" + suffix: inside, "modifiedFields": {}}},
              "deleted": {"deletedEvent": {}},
              "sale_started": {"actionEvent": {"body" + suffix: json.dumps({"ticketDefinition": item}) if as_json else
                                              {"ticketDefinition": item}}},
              "sale_period_updated": {"actionEvent": {"body": {"afterUpdate": item.get("salePeriod")}}}}
    return dict({"id": str(uuid.uuid4()), "entityFqdn": "wix.events.ticketdef.v3.ticket_definition", "slug": slug,
                 "entityId": item["id"], "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
                 "triggeredByAnonymizeRequest": False, "entityEventSequence": str(sequence)}, **bodies[slug])


def order_event(event_id, definitions, number):
    return {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.512Z", time.gmtime()), "eventId": event_id, "orderNumber": number,
            "email": "aino.virtanen@mail.example", "firstName": "Aino", "status": "PAID",
            "tickets": [{"ticketNumber": "%s%02d" % (number, i), "ticketDefinitionId": one, "email": "aino.virtanen@mail.example"}
                        for i, one in enumerate(definitions)]}


class Sender:
    """Sends what changes, in the order of its sequence numbers unless told otherwise."""

    def __init__(self, url, key, instance_id, lose=0.0, twice=False, shuffle=False, late_ms=0, as_json=False, layers="strings"):
        self.url, self.key, self.instance_id = urllib.parse.urlsplit(url), key, instance_id
        self.lose, self.twice, self.shuffle, self.late_ms = lose, twice, shuffle, late_ms
        self.as_json, self.layers = as_json, layers
        self.sequences, self.log, self.lock = {}, [], threading.Lock()
        self.rng = random.Random(1)

    def changed(self, slug, item):
        with self.lock:
            number = self.sequences[item["id"]] = self.sequences.get(item["id"], 0) + 1
        slim = {name: value for name, value in item.items() if name not in ("salesDetails", "eventDetails")}
        self.tell(domain_event(slug, slim, number, self.as_json), EVENT_TYPE + slug)

    def tell(self, event, event_type, how=""):
        if self.rng.random() < self.lose:
            return
        token = sign(self.key, wrap(event, event_type, self.instance_id, self.layers), how)
        delay = self.late_ms / 1000 + (self.rng.random() if self.shuffle else 0)
        for _ in range(2 if self.twice else 1):
            threading.Thread(target=self.deliver, args=(token, delay), daemon=True).start()

    def deliver(self, token, delay):
        time.sleep(delay)
        for wait in [*AGAIN_S, None]:
            if self.post(token) == 200 or wait is None:
                return
            time.sleep(wait)

    def post(self, token):
        """The status; 0: no answer in time."""
        began, status = time.monotonic(), 0
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=ANSWER_S)
        try:
            connection.request("POST", self.url.path, token, {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except OSError:
            pass
        finally:
            connection.close()
        with self.lock:
            self.log.append({"status": status, "ms": round((time.monotonic() - began) * 1000, 2)})
        return status

