-- What a sale costs beside the goods, per currency. The module `shipping` will take the fees over.
create table sales_terms (
  currency text primary key,
  shipping_fee bigint not null check (shipping_fee >= 0),
  -- merchandise after item discounts from which shipping costs nothing
  free_shipping_from bigint not null check (free_shipping_from >= 0),
  -- tax contained in every price and in the fee
  included_tax_basis_points integer not null check (included_tax_basis_points between 0 and 10000)
);
insert into sales_terms values ('KRW', 3000, 50000, 1000), ('USD', 800, 8000, 0);

create table carts (
  id uuid primary key,
  customer_id uuid,
  state text not null check (state in ('active', 'ordered', 'merged')),
  -- a guest's, once it is given: what codes with a limit per customer count by
  email text,
  currency text not null references sales_terms,
  version integer not null default 1,
  order_id uuid,
  merged_into uuid references carts,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((state = 'ordered') = (order_id is not null)),
  check ((state = 'merged') = (merged_into is not null))
);
create unique index one_active_cart_per_customer on carts (customer_id) where state = 'active';
create index carts_of_guests on carts (updated_at) where customer_id is null;
create index carts_merged_into on carts (merged_into) where merged_into is not null;

create table cart_lines (
  -- UUIDv7: by id is by time of adding
  id uuid primary key,
  cart_id uuid not null references carts on delete cascade,
  variant_id uuid not null,
  quantity integer not null check (quantity between 1 and 999),
  unique (cart_id, variant_id)
);

create table cart_codes (
  cart_id uuid not null references carts on delete cascade,
  -- NFKC, upper case: what it is compared by
  normalized text not null,
  entered text not null,
  position integer not null,
  primary key (cart_id, normalized)
);

-- Additions that were done, so that a repeat adds nothing.
create table cart_operations (
  id uuid primary key,
  cart_id uuid not null references carts on delete cascade,
  done_at timestamptz not null
);
create index cart_operations_cart on cart_operations (cart_id);
create index cart_operations_done_at on cart_operations (done_at);

create sequence order_numbers;

create table orders (
  id uuid primary key,
  number text not null unique,
  cart_id uuid references carts,
  customer_id uuid,
  email text not null,
  state text not null check (state in ('placing', 'pending', 'placed', 'completed', 'cancelled', 'expired', 'refused')),
  currency text not null,
  subtotal bigint not null check (subtotal >= 0),
  discount bigint not null,
  shipping bigint not null check (shipping >= 0),
  shipping_discount bigint not null check (shipping_discount between 0 and shipping),
  tax_included bigint not null,
  total bigint not null check (total >= 0),
  codes jsonb not null,
  shipping_address jsonb not null,
  -- what is known of the payment: sums only grow
  payment_progress text not null default 'none' check (payment_progress in ('none', 'processing', 'requires_action', 'declined')),
  authorized bigint not null default 0 check (authorized >= 0),
  captured bigint not null default 0 check (captured >= 0),
  refunded bigint not null default 0 check (refunded >= 0),
  next_action_url text,
  decline_reason text,
  reason text,
  -- the refusal that the shopper was answered, for a replay of the same key
  refusal jsonb,
  -- who is placing it, and until when nobody else may
  placing_token uuid,
  placing_until timestamptz,
  -- until when stock and coupon are held
  holds_until timestamptz not null,
  version integer not null default 1,
  created_at timestamptz not null,
  placed_at timestamptz,
  expires_at timestamptz,
  check (total = subtotal + shipping - discount),
  check (discount between shipping_discount and subtotal + shipping),
  check (tax_included between 0 and total),
  check ((state = 'placing') = (placing_token is not null)),
  check ((placing_token is null) = (placing_until is null)),
  check (state <> 'pending' or expires_at is not null),
  check (state not in ('placed', 'completed') or placed_at is not null),
  check (refusal is null or state = 'refused')
);
create unique index one_live_order_per_cart on orders (cart_id) where state not in ('refused', 'expired', 'cancelled');
create index orders_of_cart on orders (cart_id);
create index orders_of_customer on orders (customer_id, created_at desc, id desc);
create index orders_newest on orders (created_at desc, id desc);
create index orders_email on orders (lower(email));
create index orders_placing on orders (placing_until) where state = 'placing';
create index orders_pending on orders (expires_at) where state = 'pending';

alter table carts add constraint carts_order foreign key (order_id) references orders deferrable initially deferred;
create index carts_order on carts (order_id) where order_id is not null;

create table order_lines (
  id uuid primary key,
  order_id uuid not null references orders,
  position integer not null,
  variant_id uuid not null,
  product_id uuid not null,
  sku text not null,
  name jsonb not null,
  options jsonb not null,
  category_ids jsonb not null,
  quantity integer not null check (quantity between 1 and 999),
  unit_price bigint not null check (unit_price >= 0),
  discount bigint not null,
  total bigint not null check (total = unit_price * quantity - discount),
  tax_included bigint not null,
  check (discount between 0 and unit_price * quantity),
  check (tax_included between 0 and total),
  unique (order_id, position)
);

create table order_discounts (
  order_id uuid not null references orders,
  promotion_id uuid not null,
  position integer not null,
  name text not null,
  class text not null check (class in ('item', 'order', 'shipping')),
  code text,
  amount bigint not null check (amount >= 0),
  -- [{ lineId, amount }]: what each line bears, kept for refunds
  shares jsonb not null,
  primary key (order_id, promotion_id)
);

create table order_history (
  order_id uuid not null references orders,
  position integer not null,
  state text not null,
  at timestamptz not null,
  by text not null,
  reason text not null,
  primary key (order_id, position)
);
revoke update, delete on order_lines, order_discounts, order_history from kerf_order;

-- Idempotency-Keys of placements, kept for a day. Without an order the attempt was undone and the key may be used again.
create table idempotency_keys (
  scope text not null,
  key text not null,
  fingerprint text not null,
  order_id uuid references orders deferrable initially deferred,
  created_at timestamptz not null,
  primary key (scope, key)
);
create index idempotency_keys_order on idempotency_keys (order_id);
create index idempotency_keys_created_at on idempotency_keys (created_at);

create table inbox (
  event_id uuid not null,
  handler text not null,
  received_at timestamptz not null default now(),
  primary key (event_id, handler)
);
