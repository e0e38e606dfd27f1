-- What the sandbox provider, a simulated company, keeps for itself. Nothing of the payments' own refers to it.
create table sandbox_charges (
  reference text primary key,
  idempotency_key text not null unique,
  payment_id uuid not null,
  operation_id text not null,
  amount bigint not null check (amount > 0),
  currency text not null,
  capture boolean not null,
  -- null while it waits for the shopper; a decision in the future is one that comes late
  verdict text check (verdict in ('approved', 'declined')),
  reason text not null,
  decided_at timestamptz,
  created_at timestamptz not null,
  check ((verdict is null) = (decided_at is null))
);
create index sandbox_charges_by_payment on sandbox_charges (payment_id);

create table sandbox_operations (
  reference text primary key,
  idempotency_key text not null unique,
  charge text not null references sandbox_charges (reference),
  kind text not null check (kind in ('capture', 'void', 'refund')),
  operation_id text not null,
  outcome text not null check (outcome in ('succeeded', 'failed')),
  amount bigint not null check (amount >= 0),
  reason text not null,
  at timestamptz not null
);
create index sandbox_operations_by_charge on sandbox_operations (charge);
