import type { Case, Fault } from './faults.ts';

const COLUMNS: readonly Fault[] = ['killed before', 'cut before', 'cut after', 'answer lost', 'killed after'];

/** The step that a point belongs to, however often a flow comes by. */
export const stepOf = (point: string): string => point.replaceAll(/ \(\d+\)/g, '');

const UNTRIED = 'not tried';

/** What a table says of each step and fault, by `cellOf`. */
export function readTable(table: string): ReadonlyMap<string, string> {
  const cells = new Map<string, string>();
  let place = '';
  for (const line of table.split('\n')) {
    place = /^\*\*(.+)\*\*$/.exec(line)?.[1] ?? place;
    const [, step = '', ...found] = line.split('|').map((cell) => cell.trim());
    if (line.startsWith('| ')) for (const [index, fault] of COLUMNS.entries()) cells.set(`${place} › ${step}: ${fault}`, found[index] ?? UNTRIED);
  }
  return cells;
}

const nameIn = (step: string) => step.split(' › ').slice(1).join(' › ') || 'all of it';

/** What a table calls the step and fault of a case. */
export const cellOf = ({ point, fault }: Case): string => `${placeOf(stepOf(point.name))} › ${nameIn(stepOf(point.name))}: ${fault}`;

/** Whether a case would fill a cell of which the table does not say yet that it holds. */
export const isNews = (one: Case, table: ReadonlyMap<string, string>): boolean => table.get(cellOf(one)) !== 'holds';

/** Steps × faults as Markdown: `holds` where it held in every flow and at every time that it was tried; what was not tried stays as it was. */
export function tableOf(cases: readonly Case[], { held, failed }: { held: ReadonlySet<Case>; failed: ReadonlySet<Case> }, before: ReadonlyMap<string, string>): string {
  const steps = Map.groupBy(cases, ({ point }) => stepOf(point.name));
  const places = Map.groupBy(steps.keys(), placeOf);
  const row = (step: string) => {
    const own = steps.get(step)!;
    const cell = (fault: Fault) => {
      const those = own.filter((one) => one.fault === fault);
      if (those.length === 0) return '–';
      if (those.some((one) => failed.has(one))) return 'FAILS';
      return those.some((one) => held.has(one)) ? 'holds' : (before.get(cellOf(those[0]!)) ?? UNTRIED);
    };
    return `| ${nameIn(step)} | ${COLUMNS.map(cell).join(' | ')} | ${[...new Set(own.map(({ flow }) => flow))].join(', ')} |`;
  };
  const heading = [`| step | ${COLUMNS.join(' | ')} | flows |`, `| --- | ${COLUMNS.map(() => '---').join(' | ')} | --- |`];
  return [...places.keys()].toSorted().map((place) => [`**${place}**`, '', ...heading, ...places.get(place)!.map(row)].join('\n')).join('\n\n');
}

const placeOf = (step: string) => step.split(' › ')[0]!;
