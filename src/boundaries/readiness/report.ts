import type { Readiness } from './readiness.ts';

/** For people: one module at length, or a line for each and what stands in the way. */
export function formatReadiness(results: readonly Readiness[]): string {
  const [only] = results;
  if (results.length === 1 && only) return formatModule(only);
  const width = Math.max(...results.map(({ module }) => module.length));
  const table = results.map(({ module, verdict, blockers }) => `${module.padEnd(width)}  ${verdict}${blockers.length > 0 ? ` (${blockers.length} in the way)` : ''}`);
  const details = results.filter(({ blockers }) => blockers.length > 0).map(({ module, blockers }) => `${module}:\n${formatBlockers(blockers)}`);
  const notLooked = [...new Set(results.flatMap((result) => result.notLooked))];
  return [table.join('\n'), ...details, ...section('Not looked at', notLooked), 'One module at length: kerf readiness <module>'].join('\n\n');
}

const formatModule = ({ module, verdict, blockers, notes, looked, notLooked }: Readiness) =>
  [
    verdict === 'not known' ? `Whether ${module} is ready is not known.` : `${module} is ${verdict}.`,
    ...(blockers.length > 0 ? [`In the way:\n${formatBlockers(blockers)}`] : []),
    ...section('Good to know', notes),
    ...section('Looked at', looked),
    ...section('Not looked at', notLooked),
  ].join('\n\n');

const formatBlockers = (blockers: Readiness['blockers']) =>
  blockers.map(({ what, where, todo }, index) => `  ${index + 1}. ${what}\n     where: ${where}\n     do:    ${todo}`).join('\n');

const section = (title: string, lines: readonly string[]) => (lines.length > 0 ? [`${title}:\n${lines.map((line) => `  - ${line}`).join('\n')}`] : []);
