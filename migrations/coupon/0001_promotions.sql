-- What staff offer. A promotion is never deleted: orders were placed with it.
create table promotions (
  id uuid primary key,
  name text not null,
  class text not null check (class in ('item', 'order', 'shipping')),
  benefit jsonb not null,
  currency text,
  scope jsonb not null,
  minimum_spend bigint not null check (minimum_spend >= 0),
  -- what staff typed (a day or an instant), and the instants it stands for: [starts_at, ends_at)
  starts_typed text,
  ends_typed text,
  starts_at timestamptz,
  ends_at timestamptz,
  total_limit integer check (total_limit > 0),
  per_customer_limit integer check (per_customer_limit > 0),
  combines_with text[] not null check (combines_with <@ array['item', 'order', 'shipping']),
  exclusive boolean not null,
  priority integer not null,
  -- has no codes and needs none
  automatic boolean not null,
  active boolean not null,
  version integer not null default 1,
  created_at timestamptz not null,
  constraint shipping_is_free_shipping check ((class = 'shipping') = (benefit ->> 'kind' = 'free_shipping')),
  constraint sums_have_a_currency check (
    currency is not null or (benefit ->> 'kind' <> 'fixed' and benefit ->> 'cap' is null and minimum_spend = 0)
  ),
  constraint starts_before_it_ends check (starts_at < ends_at)
);
create index on promotions (created_at desc, id desc);
create index promotions_at_work on promotions (id) where automatic and active;
revoke delete on promotions from kerf_coupon;

-- The live codes. One that staff drop from its promotion is free again.
create table promotion_codes (
  -- as codes are compared: NFKC, trimmed, upper case
  normalized text primary key,
  -- as it was created
  code text not null,
  promotion_id uuid not null references promotions,
  place integer not null,
  constraint one_code_per_place unique (promotion_id, place)
);

-- How often a promotion is used now: by everyone, and by each customer. Counts the redemptions that are `reserved`
-- (until somebody takes back what ran out) or `consumed`.
create table uses (
  promotion_id uuid not null references promotions,
  -- 'everyone' or a customer key
  counted_for text not null,
  used integer not null,
  -- the limit under which the last use was granted; null: none
  allowed integer,
  primary key (promotion_id, counted_for),
  constraint never_below_zero check (used >= 0),
  constraint never_over_the_limit check (used <= allowed)
) with (fillfactor = 70);
revoke delete on uses from kerf_coupon;

-- One use of a promotion by one order, with what it took off.
create table redemptions (
  order_id uuid not null,
  promotion_id uuid not null references promotions,
  -- an account's id, or guest: and an e-mail address; null when neither was known
  customer_key text,
  code text,
  amount bigint not null check (amount > 0),
  -- [{ lineId, amount }]: Σ = amount, empty for shipping
  lines jsonb not null,
  state text not null check (state in ('reserved', 'consumed', 'released', 'returned')),
  expires_at timestamptz not null,
  consumed_at timestamptz,
  released_at timestamptz,
  returned_at timestamptz,
  primary key (order_id, promotion_id),
  constraint consumed_once check ((state in ('consumed', 'returned')) = (consumed_at is not null)),
  constraint released_when_let_go check ((state = 'released') = (released_at is not null)),
  constraint returned_after_consumed check ((state = 'returned') = (returned_at is not null))
);
create index on redemptions (promotion_id, expires_at) where state = 'reserved';
create index on redemptions (expires_at) where state = 'reserved';
revoke delete on redemptions from kerf_coupon;

create table inbox (
  event_id uuid not null,
  handler text not null,
  received_at timestamptz not null default now(),
  primary key (event_id, handler)
);
