/** How a long form is run. */
export interface LongRun {
  /** administrator's address of a Postgres with the template, see test/support/postgres.ts */
  server: string;
  /** folder in which Node keeps compiled code for the next process */
  compiled: string;
  /** of everything that is chosen at random: the same number, the same run */
  seed: number;
  /** the one case to repeat, as its failure named it */
  only: string | undefined;
  /** how much may run at a time */
  parallel: number;
  say(line: string): void;
  /** the time is over, or somebody has had enough: ends with what is done */
  signal: AbortSignal;
}

/** `failures`: a sentence for each thing that does not hold. */
export interface LongOutcome {
  /** that were tried */
  cases: number;
  /** that there are, where the time may have been too short for all */
  of?: number;
  failures: string[];
}

/** Faults in full, where `npm test` tries some. */
export type LongForm = (run: LongRun) => Promise<LongOutcome>;
