"""python3 -m coupon --socket /tmp/coupon.sock --database coupon.db"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import stat
import sys
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

from .seam import Seam
from .server import listen, listen_on_socket
from .service import Coupon
from .store import Store
from .tokens import Keys, Tokens, derived_keys, keys_of_set


def main() -> None:
    options = read_options()
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    contract = json.loads((Path(__file__).parent / "contract.json").read_text("utf-8"))
    zone = ZoneInfo(os.environ.get("KERF_TIME_ZONE") or "Asia/Seoul")
    seam = Seam(contract, Coupon(zone), Store(options.database), Tokens("coupon", read_keys()))
    if options.socket:
        make_room_for(options.socket)
        server, address = listen_on_socket(seam, options.socket)
    else:
        server, address = listen(seam, options.host, options.port)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"coupon answers on {address}", flush=True)
    server.serve_forever()
    server.drain()
    if options.socket:
        Path(options.socket).unlink(missing_ok=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m coupon", description="The coupon module of Kerf, on its own.")
    parser.add_argument("--database", required=True, help="SQLite file in which everything is kept")
    parser.add_argument("--socket", help="unix socket to answer on, in place of a port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    return parser.parse_args()


def read_keys() -> Keys:
    path, secret = os.environ.get("KERF_SERVICE_KEYS"), os.environ.get("KERF_SECRET")
    if path:
        return keys_of_set(json.loads(Path(path).read_text("utf-8")))
    if secret:
        return derived_keys(secret)
    sys.exit("Set KERF_SECRET to the shop's, or KERF_SERVICE_KEYS to a file of public keys: callers are known by them.")


def make_room_for(path: str) -> None:
    """A process that was killed leaves its socket behind; one that runs must keep it."""
    if not (os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(path) == 0:
            sys.exit(f"Somebody answers on {path} already: stop that process, or name another socket.")
    os.unlink(path)


if __name__ == "__main__":
    main()
