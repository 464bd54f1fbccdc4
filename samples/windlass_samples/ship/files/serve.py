"""Serves the model beside this file: GET /healthz, and POST /predict with {"values": [thirteen numbers]}."""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bayes import predict

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text())
WIDTH = len(MODEL["measurements"])


class Wines(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, {"release": HERE.name, "growers": list(MODEL["growers"])})
        else:
            self.answer(404, {"error": "there are /healthz and /predict"})

    def do_POST(self):
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            values = [float(value) for value in json.loads(body)["values"]]
            if len(values) != WIDTH:
                raise ValueError(f"{len(values)} values, not {WIDTH}")
        except (ValueError, KeyError, TypeError) as error:
            self.answer(400, {"error": f'send {{"values": [{WIDTH} numbers]}}: {error}'})
            return
        self.answer(200, {"grower": predict(MODEL["growers"], values), "release": HERE.name})

    def answer(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=8080, help="0: any that is free")
options = parser.parse_args()
server = ThreadingHTTPServer(("127.0.0.1", options.port), Wines)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
