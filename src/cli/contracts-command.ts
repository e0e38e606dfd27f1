import { Command } from 'commander';
import type { Change } from '../boundaries/contracts/contract-changes.ts';
import { contractState, type ContractState, contractStates, hasSnapshot, snapshotPath, writeSnapshot } from '../boundaries/contracts/contract-snapshots.ts';
import { modules } from '../composition.ts';
import { ConfigError } from '../setup/config-error.ts';
import { ROOT } from '../setup/paths.ts';
import { type Contract, contractHash, describeContract } from '../shared/contract.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** `kerf contracts …` */
export const contractsCommand = new Command('contracts').description('what modules promise each other').helpCommand(false);

contractsCommand
  .command('check', { isDefault: true })
  .description('compare each contract with the one last accepted; breaking changes fail, compatible ones are listed')
  .option('--accepted', 'fail for compatible changes, too, until they are accepted', false)
  .option('--json', 'print what was found as JSON', false)
  .action(async ({ accepted, json }: { accepted: boolean; json: boolean }) => {
    const states = await contractStates(allContracts, ROOT);
    if (json) say(JSON.stringify({ contracts: states }, undefined, 2));
    else report(states, accepted);
    if (states.some(({ state }) => state === 'unusable')) process.exitCode = 2;
    else if (states.some(({ state }) => state !== 'accepted' && (accepted || state !== 'compatible'))) process.exitCode = 1;
  });

contractsCommand
  .command('accept [modules...]')
  .description('make the contracts as they are the accepted ones: those named, or all')
  .option('--breaking', 'accept breaking changes, too', false)
  .action(async (names: string[], { breaking }: { breaking: boolean }) => {
    const contracts = names.length === 0 ? allContracts : await Promise.all(names.map(contractToAccept));
    const states = await Promise.all(contracts.map((contract) => contractState(contract, ROOT)));
    for (const one of states.filter(({ state }) => state !== 'accepted')) {
      say(`${one.module}: ${countOf(one)}`);
      sayChanges(one.changes);
    }
    if (states.some(isBreaking) && !breaking) return refuse(states);
    for (const contract of contracts.filter((_, index) => states[index]?.state !== 'accepted')) {
      await writeSnapshot(contract, ROOT);
      say(`${snapshotPath(contract.module)} is written.`);
    }
    if (states.every(({ state }) => state === 'accepted')) say('There is nothing to accept.');
    for (const { module } of states.filter(isBreaking)) say(orderOfDeployment(module));
  });

contractsCommand
  .command('show <module>')
  .description('print a contract as it is: the hash that processes compare, its methods and events with their schemas')
  .action((name: string) => {
    const contract = contractOf(name);
    say(JSON.stringify({ hash: contractHash(contract), ...describeContract(contract) }, undefined, 2));
  });

const allContracts = modules.map(({ contract }) => contract);

function contractOf(name: string): Contract {
  const found = allContracts.find(({ module }) => module === name);
  if (!found) throw new ConfigError(`There is no module "${name}": ${allContracts.map(({ module }) => module).join(', ')}.`);
  return found;
}

async function contractToAccept(name: string): Promise<Contract> {
  if (allContracts.some(({ module }) => module === name) || !(await hasSnapshot(name, ROOT))) return contractOf(name);
  throw new ConfigError(`${name} cannot be accepted: ${GONE}`);
}

const GONE = 'no such module is composed any more. Put it back into src/composition.ts, or delete its folder with the snapshot when nobody calls it.';

const isBreaking = ({ state }: ContractState) => state === 'breaking' || state === 'gone';

function report(states: ContractState[], accepted: boolean): void {
  for (const one of states) {
    say(`${one.module}: ${countOf(one)}`);
    sayChanges(one.changes);
  }
  const named = (which: ContractState['state']) => states.filter(({ state }) => state === which).map(({ module }) => module);
  const [unprotected, compatible, breaking] = [named('new'), named('compatible'), named('breaking')];
  say(`${states.length} ${states.length === 1 ? 'contract was' : 'contracts were'} compared with the ones last accepted.`);
  if (unprotected.length > 0) say(`Without its contract.json every change passes; take it back from version control, or accept the contract as it is: npx kerf contracts accept ${unprotected.join(' ')}`);
  if (compatible.length > 0) say(`What is compatible ${accepted ? 'has to be accepted, so that later changes are measured' : 'passes; to measure later changes'} against it: npx kerf contracts accept ${compatible.join(' ')}`);
  if (breaking.length > 0) say(`Take the breaking changes back, or accept them knowing whom they break: npx kerf contracts accept ${breaking.join(' ')} --breaking`);
}

function countOf({ state, changes, problem }: ContractState): string {
  if (state === 'accepted') return 'as accepted';
  if (state === 'new') return 'a contract that was never accepted';
  if (state === 'gone') return `breaking: ${GONE}`;
  if (state === 'unusable') return `not compared: ${problem}`;
  if (changes.length === 0) return 'the same contract written differently, not yet accepted';
  const breaking = changes.filter((change) => change.breaking).length;
  const compatible = changes.length - breaking;
  const counts = [breaking && `${breaking} breaking`, compatible && `${compatible} compatible`].filter(Boolean).join(' and ');
  return `${counts} ${(compatible || breaking) === 1 ? 'change' : 'changes'}, not yet accepted`;
}

/** A type that several methods share changes in many places: what is said of all of them is said once. */
function sayChanges(changes: Change[]): void {
  const alike = Map.groupBy(changes, ({ breaking, part, field, change, why }) => JSON.stringify([breaking, part && part !== 'input', lastOf(field), change, why]));
  const groups = [...alike.values()].sort(([a], [b]) => Number(b?.breaking) - Number(a?.breaking));
  for (const [first, ...others] of groups) {
    if (!first) continue;
    say(`  ${first.breaking ? 'breaking  ' : 'compatible'} ${placeOf(first)} ${first.change}`);
    for (const other of others) say(`             ${placeOf(other)} likewise`);
    if (first.breaking) say(`             ${first.why} Instead: ${first.instead}`);
  }
}

const lastOf = (field = '') => field.slice(field.lastIndexOf('.') + 1);

function placeOf({ method, event, part, field }: Change): string {
  return `${[method ?? event, part, field].filter(Boolean).join(' ')}:`;
}

function refuse(states: ContractState[]): void {
  say(`Nothing is accepted: ${states.filter(isBreaking).map(({ module }) => module).join(', ')} would break whom the changes name. With --breaking they are accepted all the same.`);
  process.exitCode = 1;
}

const orderOfDeployment = (module: string) =>
  `Old and new run side by side while you deploy: first every caller and subscriber named above, ready for both forms, and only then ${module}.`;
