-- By module: what statements and transactions of this process met in moves so far; docs/moving-a-module.md says what counts.
alter table hosts add met jsonb not null default '{}';
-- So that a command can end a process that it started and died before it could write that down.
alter table hosts add pid integer;
