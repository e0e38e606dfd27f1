import type { BoundaryReport, Violation } from './lint.ts';

/** The report for people: rule by rule what to do instead, and each place in a form that terminals open. */
export function formatReport({ modules, files, edges, milliseconds, violations }: BoundaryReport): string {
  const read = `${count(modules, 'module')}, ${count(files, 'file')} and ${count(edges, 'import')} in ${(milliseconds / 1_000).toFixed(1)} s`;
  if (violations.length === 0) return `Read ${read}: nobody leans on what is not theirs.`;
  const byRule = Map.groupBy(violations, ({ rule }) => rule);
  const summary = `${count(violations.length, 'violation')} of ${count(byRule.size, 'rule')}; read ${read}.`;
  return [...[...byRule].map(([rule, ofRule]) => formatRule(rule, ofRule)), summary].join('\n\n');
}

const formatRule = (rule: string, violations: readonly Violation[]) =>
  [`${rule}: ${violations[0]?.advice}`, ...violations.map(({ file, line, column, to }) => `  ${file}:${line}:${column}${to && ` leans on ${to}`}`)].join('\n');

const count = (number: number, what: string) => `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
