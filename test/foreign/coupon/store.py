"""What is kept, in one SQLite file. Every call of the module is one transaction here."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Iterable, Iterator, Sequence

from .errors import unavailable
from .promotion import Draft, Terms, Window
from .quote import Basket, Candidate, customer_key
from .redemption import Redemption
from .text import DAY, normal_code

TABLES = """
create table if not exists promotions (
  id text primary key,
  -- as staff wrote it, in JSON
  draft text not null,
  starts_at integer,
  ends_at integer,
  -- takes part without a code
  automatic integer not null,
  version integer not null,
  created_at integer not null
);
create index if not exists promotions_newest on promotions (created_at, id);
create index if not exists promotions_automatic on promotions (id) where automatic;
create table if not exists codes (
  normal text primary key,
  promotion_id text not null references promotions
);
create index if not exists codes_of_promotion on codes (promotion_id);
create table if not exists redemptions (
  order_id text not null,
  promotion_id text not null references promotions,
  customer_key text,
  code text,
  amount integer not null check (amount > 0),
  lines text not null,
  state text not null check (state in ('reserved', 'consumed', 'released', 'returned')),
  expires_at integer not null,
  consumed_at integer check ((state in ('consumed', 'returned')) = (consumed_at is not null)),
  released_at integer check ((state = 'released') = (released_at is not null)),
  returned_at integer check ((state = 'returned') = (returned_at is not null)),
  primary key (order_id, promotion_id)
);
create index if not exists redemptions_counted on redemptions (promotion_id, state, expires_at, customer_key);
create table if not exists inbox (
  event_id text primary key,
  received_at integer not null
);
"""

#: counts towards the limits at an instant: consumed, or reserved and not run out
COUNTED = "(state = 'consumed' or (state = 'reserved' and expires_at > :now))"

REMEMBERED = 30 * DAY


class Store:
    def __init__(self, path: str):
        self._path = path
        self._local = threading.local()
        self._writer = threading.Lock()
        self._connection().executescript(TABLES)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        with self._transaction("begin") as db:
            yield db

    @contextmanager
    def write(self, patience: float) -> Iterator[sqlite3.Connection]:
        """One writer at a time, so a limit that was looked at stands still until the use is taken. `patience` in seconds."""
        if not self._writer.acquire(timeout=max(0.0, patience)):
            raise unavailable()
        try:
            with self._transaction("begin immediate") as db:
                yield db
        finally:
            self._writer.release()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute(begin)
        try:
            yield db
            db.execute("commit")
        except BaseException:
            db.execute("rollback")
            raise

    def _connection(self) -> sqlite3.Connection:
        """Each thread's own. What is committed survives a crash of the machine, too (`synchronous`)."""
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self._path, timeout=2, isolation_level=None)
            self._local.db.row_factory = sqlite3.Row
            for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
                self._local.db.execute(f"pragma {pragma}")
        return self._local.db


def find_candidates(db: sqlite3.Connection, basket: Basket, now: int, order_id: str | None = None) -> list[Candidate]:
    """The promotions of the basket's codes, and the automatic ones. What the order itself has reserved stands in nobody's way."""
    entered = {normal_code(code) for code in basket["codes"]}
    rows = db.execute(
        f"""select * from promotions where id in (select promotion_id from codes where normal in ({', '.join('?' * len(entered))}))
            union all select * from promotions where automatic and (ends_at is null or ends_at > ?)""",
        [*entered, now],
    )
    candidates = []
    for terms in map(_terms, rows.fetchall()):
        codes = [code for code in terms.draft["codes"] if normal_code(code) in entered]
        used, by_customer = _uses(db, terms, now, order_id, customer_key(basket))
        candidates.append(Candidate(terms, codes, used, by_customer))
    return candidates


def _uses(db: sqlite3.Connection, terms: Terms, now: int, order_id: str | None, customer: str | None) -> tuple[int, int]:
    """By anybody and by this customer; not counted where nothing is limited."""
    if terms.draft["totalLimit"] is None and terms.draft["perCustomerLimit"] is None:
        return 0, 0
    return tuple(
        db.execute(
            f"""select count(*), coalesce(sum(customer_key = :customer), 0) from redemptions
                where promotion_id = :id and {COUNTED} and order_id is not :order_id""",
            {"id": terms.id, "now": now, "order_id": order_id, "customer": customer},
        ).fetchone()
    )


def _terms(row: sqlite3.Row) -> Terms:
    return Terms(row["id"], json.loads(row["draft"]), Window(row["starts_at"], row["ends_at"]))


PROMOTIONS = f"""
  select id, draft, version, created_at,
    (select count(*) from redemptions where promotion_id = promotions.id and {COUNTED}) as used
  from promotions"""


def find_promotion(db: sqlite3.Connection, promotion_id: str, now: int) -> sqlite3.Row | None:
    return db.execute(f"{PROMOTIONS} where id = :id", {"id": promotion_id, "now": now}).fetchone()


def list_promotions(
    db: sqlite3.Connection, code: str | None, after: tuple[int, str] | None, limit: int, now: int
) -> list[sqlite3.Row]:
    """Newest first, those after `(created_at, id)`."""
    created_at, last_id = after or (None, None)
    return db.execute(
        f"""{PROMOTIONS}
            where (:code is null or id = (select promotion_id from codes where normal = :code))
              and (:created_at is null or (created_at, id) < (:created_at, :last_id))
            order by created_at desc, id desc limit :limit""",
        {
            "code": None if code is None else normal_code(code),
            "created_at": created_at,
            "last_id": last_id,
            "limit": limit,
            "now": now,
        },
    ).fetchall()


def save_promotion(db: sqlite3.Connection, terms: Terms, version: int, now: int) -> list[str]:
    """A new promotion, or what takes the place of the old one. Answers those of its codes that belong to another."""
    draft, window = terms.draft, terms.window
    db.execute(
        """insert into promotions (id, draft, starts_at, ends_at, automatic, version, created_at) values (?, ?, ?, ?, ?, ?, ?)
           on conflict (id) do update set draft = excluded.draft, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
             automatic = excluded.automatic, version = excluded.version""",
        (terms.id, json.dumps(draft), window.starts_at, window.ends_at, draft["active"] and not draft["codes"], version, now),
    )
    db.execute("delete from codes where promotion_id = ?", (terms.id,))
    return [code for code in draft["codes"] if not _add_code(db, code, terms.id)]


def _add_code(db: sqlite3.Connection, code: str, promotion_id: str) -> bool:
    added = db.execute("insert into codes (normal, promotion_id) values (?, ?) on conflict do nothing", (normal_code(code), promotion_id))
    return added.rowcount > 0


def redemptions_of(db: sqlite3.Connection, order_id: str) -> list[Redemption]:
    rows = db.execute(
        """select redemptions.*, ends_at from redemptions join promotions on promotions.id = promotion_id
           where order_id = ? order by promotion_id""",
        (order_id,),
    )
    return [Redemption(**{**dict(row), "lines": json.loads(row["lines"])}) for row in rows.fetchall()]


def save_redemptions(db: sqlite3.Connection, redemptions: Iterable[Redemption]) -> None:
    db.executemany(
        """insert or replace into redemptions
             (order_id, promotion_id, customer_key, code, amount, lines, state, expires_at, consumed_at, released_at, returned_at)
           values (:order_id, :promotion_id, :customer_key, :code, :amount, :lines, :state, :expires_at, :consumed_at, :released_at,
             :returned_at)""",
        [{**asdict(redemption), "lines": json.dumps(redemption.lines)} for redemption in redemptions],
    )


def find_redemptions(db: sqlite3.Connection, first: str | None, orders: int) -> list[sqlite3.Row]:
    """All redemptions of so many orders, from this one on, in order of order and promotion."""
    return db.execute(
        """select * from redemptions where order_id in (
             select distinct order_id from redemptions where order_id >= ? order by order_id limit ?
           ) order by order_id, promotion_id""",
        (first or "", orders),
    ).fetchall()


def find_contradictions(db: sqlite3.Connection, most: int) -> list[tuple[str, str, str]]:
    """Invariant, order, and what does not agree: what the tables themselves do not refuse."""
    return db.execute(
        """select 'coupon', order_id, printf('The shares of promotion %s do not come to the %d that it takes off.', promotion_id, amount)
             from redemptions where lines <> '[]' and amount <> (select sum(json_extract(value, '$.amount')) from json_each(lines))
           union all
           select 'history', order_id, printf('The use of promotion %s was returned before it was consumed.', promotion_id)
             from redemptions where returned_at < consumed_at
           limit ?""",
        (most,),
    ).fetchall()


def is_new_event(db: sqlite3.Connection, event_id: str, now: int) -> bool:
    """Remembers the event together with its effect, and forgets those of which no delivery comes any more."""
    db.execute("delete from inbox where received_at < ?", (now - REMEMBERED,))
    return db.execute("insert into inbox values (?, ?) on conflict do nothing", (event_id, now)).rowcount > 0
