-- Which operation was answered: `kerf verify` reads back what its answer told of.
alter table idempotency_records add column operation text;
create index idempotency_records_told on idempotency_records (created_at) where operation is not null and status between 200 and 299;
