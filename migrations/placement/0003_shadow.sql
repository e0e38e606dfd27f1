-- Reads of a module that is about to move are answered twice: docs/decisions/0014, `shadow`.
-- { id, percent, database, address }: so many of a hundred by the process at this address too, from the database it moves to; null: none
alter table modules add shadow jsonb;
-- by module: what this process found by it so far; names of methods and fields, and counts
alter table hosts add shadowed jsonb not null default '{}';
