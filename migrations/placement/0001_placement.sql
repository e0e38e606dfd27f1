-- Where modules are once they have been moved, and the processes that follow it: docs/decisions/0014.
-- A module without a row is where the configuration says.
create table modules (
  module text primary key,
  -- grows with every change, so that a process knows whether it has heard of it
  epoch bigint not null,
  -- on its way: nobody may use its database
  held boolean not null,
  -- postgres:// address without user and password; null: what the configuration says
  database_url text,
  -- where its process answers; null: in the processes whose configuration has it
  address text,
  -- a database that every process is to try, before the module goes there
  next_url text
);

create table hosts (
  id uuid primary key,
  -- where it answers other processes
  address text not null,
  modules text[] not null,
  edge boolean not null,
  -- by module: the epoch it has followed, and the database it could reach
  followed jsonb not null default '{}',
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);

create function tell() returns trigger language plpgsql as $$ begin
  perform pg_notify('kerf_placement', new.module);
  return new;
end $$;
create trigger tell after insert or update on modules for each row execute function tell();

-- Processes follow; who moves a module is an administrator.
revoke insert, update, delete on modules from kerf_placement;
