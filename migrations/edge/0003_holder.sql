-- Which run it is that has the operation: one that was taken over keeps no answer and no lease any more.
alter table idempotency_records add column holder uuid;
