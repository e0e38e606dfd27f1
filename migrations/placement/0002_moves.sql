-- How far each move of a module is, so that a command which was killed can be run again: docs/decisions/0014.
create table moves (
  id uuid primary key,
  module text not null,
  direction text not null check (direction in ('extract', 'fold')),
  -- postgres:// addresses without user and password
  from_database text not null,
  to_database text not null,
  -- where the process apart answers
  address text not null,
  -- the last phase that is over; what undoes or drops is written before it begins
  phase text not null,
  -- of the module's role at the source, read before they are taken away
  rights jsonb not null,
  -- of placement.modules, with the last change that this move made
  epoch bigint not null default 0,
  detail jsonb not null default '{}',
  -- why the last command ended early
  error text,
  started_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create unique index one_move_at_a_time on moves (module) where ended_at is null;

-- Processes may look; who moves a module is an administrator.
revoke insert, update, delete on moves from kerf_placement;
