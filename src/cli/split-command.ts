import { Command } from 'commander';
import { ownEnvironment, readConfig } from '../config.ts';
import { fail } from '../setup/fail.ts';
import { startSplit } from '../setup/split.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** `npm run start:split`. A terminal's Ctrl-C comes twice, by itself and through npm; one that comes seconds later means it. */
export const splitCommand = new Command('split')
  .description('start every module in a process of its own on this machine, each with its own database (what `npm run start:split` does)')
  .action(async () => {
    const split = await startSplit(readConfig(), { say, environment: ownEnvironment() });
    let since: number | undefined;
    const stop = (why: string) => {
      if (since !== undefined) {
        if (Date.now() - since > 2_000) split.kill();
        return;
      }
      since = Date.now();
      say(why);
      split.stop().then(() => process.exit(0), fail);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(`\n${signal}: stopping every process, the public API first.`));
    void split.ended.then((name) => stop(`The process ${name} has ended: stopping the others.`));
  });
