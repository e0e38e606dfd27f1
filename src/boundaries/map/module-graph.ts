import type { ModuleFacts } from './module-facts.ts';

/** Modules (callers first), who calls whom, and whose events go where: what is drawn. */
export interface ModuleGraph {
  modules: readonly Pick<ModuleFacts, 'name' | 'owns'>[];
  calls: readonly { from: string; to: string }[];
  /** one entry per pair; `events` without the publisher's name, like `placed` */
  events: readonly { from: string; to: string; events: readonly string[] }[];
}

export function graphOf(facts: readonly ModuleFacts[]): ModuleGraph {
  return {
    modules: facts.toSorted((a, b) => b.calls.length - a.calls.length).map(({ name, owns }) => ({ name, owns })),
    calls: facts.flatMap(({ name, calls }) => calls.map((to) => ({ from: name, to }))),
    events: facts.flatMap(({ name: from, emits }) =>
      facts.flatMap(({ name: to }) => {
        const events = emits.filter(({ subscribers }) => subscribers.includes(to)).map(({ type }) => type.replace(`${from}.`, ''));
        return events.length > 0 ? [{ from, to, events }] : [];
      }),
    ),
  };
}

/** The graph as Mermaid. Solid lines are calls, dotted ones events. */
export function toMermaid({ modules, calls, events }: ModuleGraph): string {
  return [
    'flowchart TB',
    '  clients([clients]) -->|REST /v1| edge --> modules',
    '  subgraph modules [" "]',
    ...modules.map(({ name, owns }) => `    ${name}["<b>${name}</b><br/>${mermaidText(owns)}"]`),
    ...calls.map(({ from, to }) => `    ${from} --> ${to}`),
    ...events.map(({ from, to, events: names }) => `    ${from} -. "${names.join('<br/>')}" .-> ${to}`),
    '  end',
    '',
  ].join('\n');
}

const mermaidText = (text: string) => text.replaceAll('&', '#amp;').replaceAll('"', '#quot;').replaceAll('<', '#lt;').replaceAll('>', '#gt;');
