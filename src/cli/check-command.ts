import { Command } from 'commander';
import { MODULES } from '../calls.ts';
import { modules } from '../composition.ts';
import { type Config, isPeerAddress, readConfig } from '../config.ts';
import { casesOf, hasSuite, subjectOf } from '../kit/kit.ts';
import { linesOf, summaryOf, unseenOf } from '../kit/report.ts';
import { answers, type Result, runCases } from '../kit/run.ts';
import type { Subject } from '../kit/wire.ts';
import { readServiceKeys } from '../placement/service-keys.ts';
import { ConfigError } from '../setup/config-error.ts';
import { fail } from '../setup/fail.ts';
import { contractHash } from '../shared/contract.ts';
import { derivedKeys } from '../shared/seam/service-token.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

interface Options {
  url: string;
  writes: boolean;
  only?: string;
  json: boolean;
}

/** Exit codes: 0 it does what its contract says, 1 it does not, 2 it could not be checked. */
export const checkCommand = new Command('check')
  .description('check an implementation of a module against its contract, over the wire')
  .argument('<module>', 'whose contract it is')
  .requiredOption('--url <address>', 'the internal address where it answers: http://host:port, https://host:port or unix:/path/to/socket')
  .option('--writes', 'check what the module does, too: writes test data into it, so never on an installation that somebody needs', false)
  .option('--only <text>', 'only the cases that have this in their name or in what they are about')
  .option('--json', 'print { module, address, contract, results: [{ about, name, milliseconds, failure? }] }', false)
  .addHelpText('after', `
Without --writes only what leaves no trace is tried: the handshake, who may call, and reads.
The keys are those of the environment, as for any process of Kerf: KERF_SECRET, or KERF_SERVICE_KEYS with the private keys of all.
Exit codes: 0 it does what its contract says, 1 it does not, 2 it could not be checked. More in docs/contract-kit.md.`)
  .action(async (name: string, { url, writes, only, json }: Options) => {
    const subject = subjectAt(url, name, readConfig());
    const known = casesOf(subject);
    const cases = known.filter((one) => (writes || !one.writes) && (!only || `${one.about}: ${one.name}`.includes(only)));
    if (cases.length === 0) throw new ConfigError(`There is no case with "${only}" in its name${writes ? '' : ' that leaves no trace; with --writes there may be one'}.`);
    const unseen = unseenOf(name, { suite: hasSuite(name), left: writes ? 0 : known.filter((one) => one.writes).length });
    if (!(await answers(subject))) throw new ConfigError(`Nobody answers at ${url}: start the implementation, or mend --url.`);
    if (!json) say(`${name} at ${url}, by the contract ${contractHash(subject.contract)}.${writes ? ' Test data is written into it.' : ''}${unseen}`);
    const results = await runCases(subject, cases, { report: json ? () => undefined : printing() });
    say(json ? JSON.stringify({ module: name, address: url, contract: contractHash(subject.contract), results }, undefined, 2) : `\n${summaryOf(results, unseen)}`);
    if (results.some(({ failure }) => failure)) process.exitCode = 1;
  });

/** Prints each result as it comes, under a heading for what it is about. */
function printing(): (result: Result) => void {
  let heading: string | undefined;
  return (result) => {
    if (result.about !== heading) say(`\n${result.about}`);
    heading = result.about;
    for (const line of linesOf(result)) say(line);
  };
}

function subjectAt(address: string, name: string, { secret, serviceKeys, placement: { tls } }: Config): Subject {
  if (!MODULES.includes(name)) throw new ConfigError(`There is no module "${name}": ${MODULES.join(', ')}.`);
  if (!isPeerAddress(address)) throw new ConfigError('--url must look like http://host:port, https://host:port or unix:/path/to/socket.');
  return subjectOf(modules, name, { address: address.replace(/\/$/, ''), keys: keysOf(secret, serviceKeys), tls });
}

/** The kit speaks for everybody, also for who may not call. */
function keysOf(secret: string | undefined, serviceKeys: string | undefined): Subject['keys'] {
  if (!serviceKeys && !secret) throw new ConfigError('KERF_SECRET must be set to the secret that the implementation has: its callers are known by it.');
  if (!serviceKeys) return derivedKeys(secret!, []);
  const { keys } = readServiceKeys(serviceKeys);
  const speakers = [...MODULES, 'edge'];
  try {
    for (const name of speakers) keys.privateKey(name);
  } catch (error) {
    throw new ConfigError(`KERF_SERVICE_KEYS must hold the private keys of all, for whom the kit speaks: "kerf keys service --for ${speakers.join(',')}" writes it.`, { cause: error });
  }
  return keys;
}

// For whoever writes an implementation: by itself it starts sooner than with all other commands.
if (import.meta.main) await checkCommand.parseAsync().catch(fail);
