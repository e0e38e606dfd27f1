import type { EventFacts, MethodFacts, ModuleFacts } from './module-facts.ts';
import { graphOf, toMermaid } from './module-graph.ts';
import type { SourceFacts } from './source-facts.ts';

/** How a page links to another module's page. */
type Link = (module: string) => string;

/** The canvas of one module, docs/modules/<name>.md: everything that others may know of it. */
export function toCanvas(module: ModuleFacts, sources: SourceFacts): string {
  const { name, owns, methods, emits, tables, contractHash } = module;
  const folder = `../../src/modules/${name}`;
  const effect = (key: string) => sources.effects.get(`${name}.${key}`) ?? '';
  return [
    `# ${name}`,
    '',
    `Rules and reasons are in its [README](${folder}/README.md), the whole of its contract in [contract.ts](${folder}/contract.ts); [the map](../map.md) shows it among the others.`,
    '',
    ...table(['', ''], [['owns', owns], ...cardRows(module, sources, (other) => `[${other}](${other}.md)`)]),
    '',
    '## Contract',
    `Hash \`${contractHash}\`.`,
    '',
    ...table(
      ['method', 'kind', 'effect', 'refuses with', 'repeatable', 'called by'],
      methods.map((method) => [code(method.name), method.kind, effect(method.name), codes(method.reasons), repeatable(method), callersOf(name, method, sources).join(', ')]),
    ),
    ...(emits.length > 0
      ? ['', '## Events', ...table(['event', 'what happened', 'in order of', 'to'], emits.map((event) => [code(event.type), effect(event.name), code(event.orderedBy), event.subscribers.join(', ') || 'nobody yet']))]
      : []),
    '',
    '## Tables',
    ...table(['table', ''], tables.map((one) => [code(one.name), one.comment])),
    '',
  ].join('\n');
}

/** The table below the first paragraph of a module's README. */
export const toCard = (module: ModuleFacts, sources: SourceFacts): string =>
  ['', ...table(['', ''], cardRows(module, sources, (other) => `[${other}](../${other}/README.md)`)), '', ''].join('\n');

/** The page of the whole map, docs/map.md. */
export function toMapPage(facts: readonly ModuleFacts[], { effects }: SourceFacts): string {
  const link: Link = (name) => `[${name}](modules/${name}.md)`;
  const links = (names: readonly string[]) => names.map(link).join(', ') || 'nobody';
  const events = facts.flatMap(({ name, emits }) => emits.map((event) => ({ from: name, ...event })));
  return [
    '# The map',
    '',
    'Solid lines are calls, by [src/calls.ts](../src/calls.ts): what the answer depends on. Dotted ones are events, delivered',
    'afterwards. [The same as a picture](map.svg); each module links to its canvas.',
    '',
    '```mermaid',
    toMermaid(graphOf(facts)).trimEnd(),
    '```',
    '',
    '## Modules',
    ...table(['module', 'owns', 'calls', 'called by', 'tables'], facts.map(({ name, owns, calls, calledBy, tables }) => [link(name), owns, links(calls), links(calledBy), String(tables.length)])),
    '',
    '## Events',
    ...table(['event', 'from', 'to', 'what happened'], events.map(({ type, from, name, subscribers }) => [code(type), link(from), subscribers.map(link).join(', ') || 'nobody yet', effects.get(`${from}.${name}`) ?? ''])),
    '',
  ].join('\n');
}

function cardRows(module: ModuleFacts, sources: SourceFacts, link: Link): [string, string][] {
  const { name, calls, emits, listens, tables } = module;
  return [
    ['calls', calls.map((callee) => named(link(callee), methodsUsed(sources, callee, name))).join(' · ') || 'nobody'],
    ['called by', callers(module, sources, link).join(' · ') || 'nobody'],
    ['emits', emits.map((event) => `${code(event.type)} ${audience(event, link)}`).join(' · ') || 'nothing'],
    ['listens', codes(listens.map(({ type }) => type)) || 'nothing'],
    ['tables', codes(tables.map((table) => table.name)) || 'none'],
  ];
}

const audience = ({ subscribers }: EventFacts, link: Link) => (subscribers.length > 0 ? `→ ${subscribers.map(link).join(', ')}` : '(nobody listens yet)');

/** Modules that may call it, then whoever else does, each with the methods. */
function callers({ name, calledBy, methods }: ModuleFacts, sources: SourceFacts, link: Link): string[] {
  const others = methods.flatMap((method) => callersOf(name, method, sources)).filter((caller) => caller !== ROUTES && !calledBy.includes(caller));
  return [
    ...calledBy.map((caller) => named(link(caller), methodsUsed(sources, name, caller))),
    ...[...new Set(others)].toSorted().map((caller) => named(caller, methods.filter((method) => callersOf(name, method, sources).includes(caller)).map((method) => method.name))),
  ];
}

const ROUTES = 'its routes';
const PLACES: Readonly<Record<string, string>> = { edge: 'the edge', setup: 'setup', cli: 'the `kerf` command' };

/** Who calls the method: modules by name, and places outside of modules. */
function callersOf(module: string, { name }: MethodFacts, { callSites }: SourceFacts): string[] {
  const callers = (callSites.get(`${module}.${name}`) ?? []).map((path) => {
    const [place = '', inside = ''] = path.split('/');
    if (place === 'modules') return inside === module ? ROUTES : inside;
    return PLACES[place] ?? code(path);
  });
  return [...new Set(callers)];
}

const methodsUsed = ({ callSites }: SourceFacts, callee: string, caller: string) =>
  [...callSites].filter(([key, paths]) => key.startsWith(`${callee}.`) && paths.some((path) => path.startsWith(`modules/${caller}/`))).map(([key]) => key.replace(/^.*\./, '')).toSorted();

const repeatable = ({ kind, idempotentBy }: MethodFacts) => (kind === 'read' ? 'yes' : idempotentBy ? `by ${code(idempotentBy)}` : 'no');

const named = (who: string, methods: readonly string[]) => (methods.length > 0 ? `${who} (${codes(methods)})` : who);
const code = (text: string) => `\`${text}\``;
const codes = (texts: readonly string[]) => texts.map(code).join(' ');

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
