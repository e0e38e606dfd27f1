-- Answers to requests with an Idempotency-Key, kept for 24 hours, and the counters of the strict rate limits.
create table idempotency_records (
  id uuid primary key,
  scope text not null,
  key text not null,
  fingerprint text not null,
  state text not null check (state in ('running', 'done')),
  lease_until timestamptz not null,
  status integer,
  body text,
  headers jsonb,
  created_at timestamptz not null,
  unique (scope, key),
  check ((state = 'done') = (status is not null))
);
create index idempotency_records_created_at on idempotency_records (created_at);

create table rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
create index rate_limits_expire on rate_limits (expire);
