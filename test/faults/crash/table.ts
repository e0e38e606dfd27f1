import type { Case, Fault } from './faults.ts';

const COLUMNS: readonly Fault[] = ['killed before', 'cut before', 'cut after', 'answer lost', 'killed after'];

/** The step that a point belongs to, however often a flow comes by. */
export const stepOf = (point: string): string => point.replaceAll(/ \(\d+\)/g, '');

/** Steps × faults as Markdown: `holds` where it held in every flow and at every time that it was tried. */
export function tableOf(cases: readonly Case[], { held, failed }: { held: ReadonlySet<Case>; failed: ReadonlySet<Case> }): string {
  const steps = Map.groupBy(cases, ({ point }) => stepOf(point.name));
  const places = Map.groupBy(steps.keys(), placeOf);
  const row = (step: string) => {
    const own = steps.get(step)!;
    const cell = (fault: Fault) => {
      const those = own.filter((one) => one.fault === fault);
      if (those.length === 0) return '–';
      if (those.some((one) => failed.has(one))) return 'FAILS';
      return those.some((one) => held.has(one)) ? 'holds' : 'not tried';
    };
    return `| ${step.split(' › ').slice(1).join(' › ') || 'all of it'} | ${COLUMNS.map(cell).join(' | ')} | ${[...new Set(own.map(({ flow }) => flow))].join(', ')} |`;
  };
  const heading = [`| step | ${COLUMNS.join(' | ')} | flows |`, `| --- | ${COLUMNS.map(() => '---').join(' | ')} | --- |`];
  return [...places.keys()].toSorted().map((place) => [`**${place}**`, '', ...heading, ...places.get(place)!.map(row)].join('\n')).join('\n\n');
}

const placeOf = (step: string) => step.split(' › ')[0]!;
