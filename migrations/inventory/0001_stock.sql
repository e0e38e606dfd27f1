-- What is there and what is held of each variant. The constraints hold whatever the code does.
create table stock_items (
  variant_id uuid primary key,
  on_hand bigint not null default 0,
  -- Σ quantity of the reservation_lines that are `held`
  reserved bigint not null default 0,
  backorder boolean not null default false,
  version integer not null default 0,
  constraint reserved_not_negative check (reserved >= 0),
  constraint on_hand_not_negative check (on_hand >= 0 or backorder),
  constraint reserved_within_on_hand check (reserved <= on_hand or backorder)
) with (fillfactor = 70);

-- The ledger: on_hand is the sum of all deltas. Rows never change.
create table stock_movements (
  id uuid primary key,
  variant_id uuid not null,
  kind text not null check (kind in ('received', 'correction', 'damaged', 'returned', 'sold', 'cancelled')),
  delta bigint not null,
  -- an order's id or an adjustment's
  cause_id text not null,
  note text not null,
  -- of the stock item, after this movement: the order of movements of one variant
  version integer not null,
  at timestamptz not null,
  -- 0 only for the sale of pieces that were not there
  constraint delta_fits_kind check (
    case
      when kind in ('received', 'returned', 'cancelled') then delta > 0
      when kind = 'damaged' then delta < 0
      when kind = 'sold' then delta <= 0
      else delta <> 0
    end
  ),
  constraint one_movement_per_cause unique (variant_id, kind, cause_id)
);
create index on stock_movements (variant_id, version, id);
revoke update, delete on stock_movements from kerf_inventory;

-- One row per adjustmentId: a repeat is known by it, and the same id for something else by the digest.
create table adjustments (
  adjustment_id text primary key,
  digest text not null,
  at timestamptz not null
);
revoke update, delete on adjustments from kerf_inventory;

-- One per order. `cancelled` is final: an order.placed that comes after it sells nothing.
create table reservations (
  order_id uuid primary key,
  state text not null check (state in ('held', 'committed', 'released', 'cancelled')),
  -- when a held one runs out, whether or not anybody has tidied it up since
  expires_at timestamptz,
  constraint only_held_runs_out check ((state = 'held') = (expires_at is not null))
);
create index on reservations (expires_at) where state = 'held';

create table reservation_lines (
  order_id uuid not null references reservations,
  variant_id uuid not null,
  quantity integer not null check (quantity > 0),
  -- counted in stock_items.reserved
  held boolean not null,
  -- pieces that left with the order; less than quantity in a committed one when they were not there any more
  sold integer not null default 0,
  primary key (order_id, variant_id),
  constraint sold_within_quantity check (sold between 0 and quantity),
  constraint held_or_sold check (not held or sold = 0)
);

create table inbox (
  event_id uuid not null,
  handler text not null,
  received_at timestamptz not null default now(),
  primary key (event_id, handler)
);
