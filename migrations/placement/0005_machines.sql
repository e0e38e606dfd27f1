-- The machine that a process runs on: some addresses mean something only there.
alter table hosts add column machine text not null default '';
