import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../../setup/config-error.ts';
import { ContractError } from '../../shared/contract-schema.ts';
import { type Contract, type ContractDescription, contractHash, describeContract, descriptionHash, type JsonSchema } from '../../shared/contract.ts';
import { type Change, contractChanges } from './contract-changes.ts';

/** A module's contract beside its snapshot: the contract that was last accepted. */
export interface ContractState {
  module: string;
  /**
   * `accepted`: nothing changed. `new`: there is no snapshot. `compatible`, `breaking`: it changed since. `gone`: there is
   * a snapshot and no such module any more. `unusable`: the contract or its snapshot cannot be read, as `problem` says
   */
  state: 'accepted' | 'new' | 'compatible' | 'breaking' | 'gone' | 'unusable';
  /** the hash of the contract as it is; absent when there is none */
  hash?: string;
  problem?: string;
  changes: Change[];
}

const FILE = 'contract.json';
export const snapshotPath = (module: string): string => join('src/modules', module, FILE);

/** How each contract stands to its snapshot below this root, and which snapshots have no module any more. */
export async function contractStates(contracts: readonly Contract[], root: string): Promise<ContractState[]> {
  const states = await Promise.all(contracts.map((contract) => contractState(contract, root).catch((error: unknown) => unusable(contract, error))));
  const known = contracts.map(({ module }) => module);
  const folders = (await readdir(join(root, 'src/modules'))).filter((folder) => !known.includes(folder));
  const left = await Promise.all(folders.map(async (folder) => ((await hasSnapshot(folder, root)) ? [folder] : [])));
  return [...states, ...left.flat().map((module): ContractState => ({ module, state: 'gone', changes: [] }))];
}

function unusable({ module }: Contract, error: unknown): ContractState {
  if (!(error instanceof ConfigError || error instanceof ContractError)) throw error;
  return { module, state: 'unusable', problem: error.message, changes: [] };
}

export async function contractState(contract: Contract, root: string): Promise<ContractState> {
  const [accepted, hash] = [await readSnapshot(contract.module, root), contractHash(contract)];
  if (!accepted) return { module: contract.module, state: 'new', hash, changes: [] };
  if (descriptionHash(accepted) === hash) return { module: contract.module, state: 'accepted', hash, changes: [] };
  const changes = contractChanges(accepted, describeContract(contract));
  return { module: contract.module, state: changes.some(({ breaking }) => breaking) ? 'breaking' : 'compatible', hash, changes };
}

/** Makes the contract as it is the accepted one. */
export async function writeSnapshot(contract: Contract, root: string): Promise<void> {
  const { module, methods, events, $defs } = describeContract(contract);
  const snapshot = { module, hash: contractHash(contract), methods, events, $defs };
  await writeFile(join(root, snapshotPath(module)), `${JSON.stringify(snapshot, undefined, 2)}\n`).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError(`${snapshotPath(module)} cannot be written (${error.code}).`);
  });
}

const Schema = z.custom<JsonSchema>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const Snapshot = z.strictObject({
  module: z.string(),
  hash: z.string(),
  methods: z.record(
    z.string(),
    z.strictObject({ kind: z.enum(['read', 'write']), reasons: z.array(z.string()), idempotentBy: z.string().optional(), input: Schema, output: Schema }),
  ),
  events: z.record(z.string(), z.strictObject({ orderedBy: z.string(), data: Schema })),
  $defs: z.strictObject({ input: z.record(z.string(), Schema), output: z.record(z.string(), Schema) }),
});

async function readSnapshot(module: string, root: string): Promise<ContractDescription | undefined> {
  const unusable = (why: string, todo = 'Take it back from version control') =>
    new ConfigError(`${snapshotPath(module)} is not a snapshot of the contract of ${module}: ${why}. ${todo}, and accept what changed since.`);
  const text = await readFile(join(root, snapshotPath(module)), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unusable(`it cannot be read (${error.code})`);
  });
  if (text === undefined) return undefined;
  if (/^(<{7}|>{7})/m.test(text)) throw unusable('it has a merge conflict in it', 'Take one of its sides whole (git checkout --theirs or --ours)');
  const parsed = Snapshot.safeParse(parseJson(text));
  if (!parsed.success) throw unusable('it was not written by this version of Kerf, or not to its end');
  const { hash, ...description } = parsed.data as ContractDescription & { hash: string };
  if (description.module !== module) throw unusable(`it is that of ${description.module}`);
  if (descriptionHash(description) !== hash) throw unusable('its hash is not that of what is in it, so it was changed by hand or by a merge');
  return description;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const hasSnapshot = (module: string, root: string): Promise<boolean> =>
  access(join(root, snapshotPath(module))).then(
    () => true,
    () => false,
  );
