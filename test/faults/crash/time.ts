/** What a shop believes the time to be: it was `is` when it was `at` here, and goes `pace` times as fast from there. */
export interface ShopTime {
  at: number;
  is: number;
  pace: number;
}

export const timeOf = ({ at, is, pace }: ShopTime, here = Date.now()): number => is + (here - at) * pace;

/** The same for the queue of a module. */
export const queueTimeOf = (module: string, { at, is, pace }: ShopTime): string =>
  `create or replace function ${module}_jobs.job_now() returns timestamptz as $$ select to_timestamp(${is / 1_000}) + (now() - to_timestamp(${at / 1_000})) * ${pace} $$ language sql stable`;
