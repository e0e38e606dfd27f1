-- One payment per order. A row without terms is a tombstone: the order was cancelled before it asked for a payment.
create table payments (
  id uuid primary key,
  order_id uuid not null unique,
  provider text,
  amount bigint check (amount >= 0),
  currency text,
  capture text check (capture in ('automatic', 'manual')),
  state text not null check (state in ('processing', 'requires_action', 'authorized', 'captured', 'declined', 'cancelled')),
  closed_as text check (closed_as in ('declined', 'cancelled')),
  reference text,
  read_at timestamptz,
  next_action_url text,
  decline_reason text,
  authorized bigint not null default 0 check (authorized >= 0),
  captured bigint not null default 0 check (captured >= 0),
  refunded bigint not null default 0 check (refunded >= 0),
  refund_pending bigint not null default 0 check (refund_pending >= 0),
  sealed_token text,
  checks integer not null default 0,
  overdue_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  unique (provider, reference),
  check (num_nulls(provider, amount, currency, capture) in (0, 4)),
  check (amount is not null or closed_as = 'cancelled'),
  -- final states are final: once closed it is on its way there, or there
  check (closed_as is null or state in ('processing', closed_as)),
  check (closed_as is not null or state not in ('declined', 'cancelled')),
  check (state <> 'requires_action' or next_action_url is not null),
  -- we never ask for more back than was taken; what a provider did without us is recorded as it is
  check (refund_pending = 0 or refunded + refund_pending <= captured),
  -- the means of payment is kept only until the provider has it for sure
  check (sealed_token is null or (reference is null and state = 'processing'))
);
create index payments_by_state on payments (state, id);
create index payments_overdue on payments (overdue_at) where overdue_at is not null;

-- Facts about money: what was asked for, and what the provider says came of it.
create table money_events (
  id uuid primary key,
  payment_id uuid not null references payments (id),
  kind text not null check (kind in ('authorization', 'capture', 'void', 'refund')),
  outcome text not null check (outcome in ('pending', 'succeeded', 'failed')),
  amount bigint not null check (amount >= 0),
  reference text not null,
  operation_id text,
  reason text not null,
  at timestamptz not null,
  recorded_at timestamptz not null,
  unique (payment_id, kind, reference, outcome, amount, at),
  check (outcome <> 'pending' or operation_id is not null)
);
create unique index money_events_asked_once on money_events (payment_id, kind, operation_id) where outcome = 'pending';
revoke update, delete on money_events from kerf_payment;

create table webhook_events (
  provider text not null,
  event_id text not null,
  reference text not null,
  received_at timestamptz not null,
  processed_at timestamptz,
  primary key (provider, event_id)
);
create index webhook_events_processed on webhook_events (processed_at) where processed_at is not null;

create table inbox (
  event_id uuid not null,
  handler text not null,
  received_at timestamptz not null default now(),
  primary key (event_id, handler)
);
