import { Command, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../setup/config-error.ts';
import { countEntries, drop, type EntryFilter, type EntryState, findEntries, MENDABLE, type QueueOf, statesOf, tryAgain } from '../shared/queue-view.ts';
import type { QueueName } from '../shared/queue.ts';
import { readable, withModuleDatabases } from './module-databases.ts';
import { formatEntries, formatEntry, masked } from './queue-report.ts';

/** What a queue's entries are called, one and several. */
export const WORDS = { events: ['delivery', 'deliveries'], jobs: ['job', 'jobs'] } as const;

interface Wishes {
  module?: string;
  type?: string;
  to?: string;
  state?: EntryState;
  limit: number;
  all: boolean;
  dryRun: boolean;
  reveal: boolean;
  json: boolean;
}

const say = (text: string) => void process.stdout.write(`${text}\n`);

const positive = (text: string) => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
};

/**
 * Lists, shows and mends one queue of every module. Exit codes: 0 done, and nothing is dead; 1 something is, or what was
 * named is not there; 2 it could not be looked at.
 */
export function queueCommand(queue: QueueName, { mend, type }: { mend: string; type: string }): Command {
  const [one, several] = WORDS[queue];
  const states = statesOf(queue);
  const command = new Command(queue);
  const withFilter = (leaf: Command) => {
    leaf.option('--module <module>', 'only those of this module').option(`--${type} <${type}>`, `only those of this ${type}`);
    return queue === 'events' ? leaf.option('--to <module>', 'only those for this listener') : leaf;
  };
  const filterOf = (wishes: Wishes & { name?: string }): EntryFilter => ({ type: wishes.type ?? wishes.name, to: wishes.to });
  const open = <T>(module: string | undefined, work: (sources: QueueOf[], elsewhere: string[]) => Promise<T>) =>
    withModuleDatabases(module, ({ looked, elsewhere }) => work(looked.map((source) => ({ ...source, queue })), elsewhere));
  const fromEach = async <T>(sources: QueueOf[], ask: (source: QueueOf) => Promise<T>): Promise<T[]> => Promise.all(sources.map((source) => readable(source.module, ask(source))));

  withFilter(command.command('list').description(`list ${several} that are not done: dead ones first, then the oldest`))
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--limit <number>', 'most of each module', positive, 50)
    .option('--json', `print { ${queue}, more, notLooked }`, false)
    .action((wishes: Wishes) =>
      open(wishes.module, async (sources, notLooked) => {
        const wanted = wishes.state ? [wishes.state] : states.filter((state) => !['delivered', 'done', 'dropped'].includes(state));
        const found = await fromEach(sources, (source) => findEntries(source, { ...filterOf(wishes), states: wanted }, wishes.limit + 1));
        const more = found.some((entries) => entries.length > wishes.limit);
        const entries = found.flatMap((some) => some.slice(0, wishes.limit)).toSorted((a, b) => urgency(b.state) - urgency(a.state) || a.addedAt.getTime() - b.addedAt.getTime());
        if (wishes.json) say(JSON.stringify({ [queue]: entries.map((entry) => ({ ...entry, data: undefined, failure: undefined })), more, notLooked }, undefined, 2));
        else say(formatEntries(entries, { several, more, looked: sources.map(({ module }) => module), notLooked, now: new Date() }));
        if (entries.some(({ state }) => state === 'dead')) process.exitCode = 1;
      }),
    );

  command
    .command('show <id>')
    .description(`show all that is known of one ${one}${queue === 'events' ? ', or of one event and all its deliveries' : ''}`)
    .option('--reveal', 'do not mask e-mail addresses', false)
    .option('--json', `print { ${queue} }`, false)
    .action((id: string, { reveal, json }: Wishes) =>
      open(undefined, async (sources, notLooked) => {
        const found = (await fromEach(sources, (source) => findEntries(source, { ids: [id] }, 50))).flat();
        const entries = reveal ? found : masked(found);
        if (json) say(JSON.stringify({ [queue]: entries }, undefined, 2));
        else say(entries.map((entry) => formatEntry(entry, new Date())).join('\n\n') || absent(id, notLooked));
        if (entries.length === 0) process.exitCode = 1;
      }),
    );

  withFilter(command.command(`${mend} [ids...]`).description(`have dead ${several}, and those that wait for their next try, tried at once; a repeat is harmless`))
    .option('--all', 'every one that the other options leave', false)
    .option('--dry-run', 'only say how many', false)
    .action((ids: string[], wishes: Wishes) => {
      if ((ids.length > 0) === wishes.all) throw new ConfigError(`Say which: the ids of ${several}, or --all.`);
      const filter = { ...filterOf(wishes), ...(ids.length > 0 && { ids }) };
      return open(wishes.module, async (sources, notLooked) => {
        const run = wishes.dryRun ? (source: QueueOf) => countEntries(source, { ...filter, states: MENDABLE }) : (source: QueueOf) => tryAgain(source, filter);
        sayHowMany(await fromEach(sources, run), sources, wishes.dryRun ? 'would be tried at once' : 'will be tried at once');
        await sayAbsent(ids, sources, notLooked);
      });
    });

  command
    .command('drop <ids...>')
    .description(`give up on ${several} that are dead or tried again and again${queue === 'events' ? ', so that the later ones of the aggregate go on' : ''}; they stay listed as dropped`)
    .action((ids: string[]) =>
      open(undefined, async (sources, notLooked) => {
        sayHowMany(await fromEach(sources, (source) => drop(source, { ids })), sources, 'dropped');
        await sayAbsent(ids, sources, notLooked);
      }),
    );

  const sayHowMany = (counts: number[], sources: QueueOf[], what: string) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const parts = sources.flatMap(({ module }, index) => (counts[index] ? [`${module} ${counts[index]}`] : []));
    say(`${total} ${total === 1 ? one : several} ${what}${parts.length > 1 ? ` (${parts.join(', ')})` : ''}.`);
  };
  const absent = (id: string, notLooked: string[]) => `There is no ${one} ${id}${notLooked.length > 0 ? ` here; not looked at: ${notLooked.join(', ')}` : ''}.`;
  const sayAbsent = async (ids: string[], sources: QueueOf[], notLooked: string[]) => {
    for (const id of ids) {
      const counts = await fromEach(sources, (source) => countEntries(source, { ids: [id] }));
      if (counts.some((count) => count > 0)) continue;
      say(absent(id, notLooked));
      process.exitCode = 1;
    }
  };
  return command;
}

const urgency = (state: EntryState) => ['retrying', 'dead'].indexOf(state);
