import type { Try } from '../support/ledger.ts';
import type { Ended } from './moving-shop.ts';

/** How one move went, as the command, the shop's clients and whoever watched the databases saw it. Milliseconds. */
export interface Journey {
  direction: 'extract' | 'fold';
  seconds: number;
  rows: number;
  tries: number;
  /** transactions that the fence ended */
  ended: number;
  /** by the command: from the hold to the end of it */
  pause: number;
  /** by the clients: the longest time without an answer to a small question of the module, of which there is always another */
  gap: number;
  gapBefore: number;
  /** by the processes: what waited for the end of the hold, and what was run again elsewhere */
  held: number;
  again: number;
  /** requests of everybody, and those that failed */
  requests: number;
  failed: number;
  /** of all requests that are not small questions */
  p99: number;
  p99Before: number;
}

export function journeyOf(direction: Journey['direction'], { said, report }: Ended, { tries, probes }: { tries: readonly Try[]; probes: readonly Try[] }, quiet: { from: number; to: number }): Journey {
  const [start, end] = [said[0]!.at, said.at(-1)!.at];
  const during = (one: Try) => one.at + one.milliseconds > start && one.at < end;
  const before = (one: Try) => one.at > quiet.from && one.at + one.milliseconds < quiet.to;
  const all = [...tries, ...probes].filter(during);
  return {
    direction,
    seconds: Math.round((end - start) / 1_000),
    rows: Number(report.rows),
    tries: Number(report.tries),
    ended: Number(report.ended),
    pause: Number(report.pause),
    gap: longestGap(probes.filter(during)),
    gapBefore: longestGap(probes.filter(before)),
    held: report.met?.held ?? 0,
    again: report.met?.again ?? 0,
    requests: all.length,
    failed: all.filter(({ status }) => status === undefined || status >= 500).length,
    p99: percentile(tries.filter(during)),
    p99Before: percentile(tries.filter(before)),
  };
}

function longestGap(answered: readonly Try[]): number {
  const ends = answered.filter(({ status = 500 }) => status < 500).map(({ at, milliseconds }) => at + milliseconds).toSorted((one, other) => one - other);
  return Math.round(Math.max(0, ...ends.slice(1).map((at, index) => at - ends[index]!)));
}

function percentile(requests: readonly Try[]): number {
  const sorted = requests.map(({ milliseconds }) => milliseconds).toSorted((one, other) => one - other);
  return Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0);
}
