import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calls } from '../../calls.ts';
import { modules } from '../../composition.ts';
import { topologyOf } from '../../placement/topology.ts';
import { ROOT } from '../../setup/paths.ts';
import { contractHash, type Method } from '../../shared/contract.ts';
import type { Module } from '../../shared/module.ts';
import { readTables, type Table } from './migration-tables.ts';

/** What is declared about one module. Plain data: printed by `kerf map --json`, drawn in docs/map.md. */
export interface ModuleFacts {
  name: string;
  /** the first sentence of its README; empty when there is none */
  owns: string;
  /** modules that it may call, by src/calls.ts */
  calls: readonly string[];
  /** modules that may call it */
  calledBy: readonly string[];
  methods: readonly MethodFacts[];
  emits: readonly EventFacts[];
  listens: readonly { type: string; from: string }[];
  /** what its migrations leave in its schema */
  tables: readonly Table[];
  contractHash: string;
}

export interface MethodFacts extends Pick<Method, 'kind' | 'reasons' | 'idempotentBy'> {
  name: string;
}

export interface EventFacts {
  /** its key in the contract, like `placed` */
  name: string;
  /** as it travels, like `order.placed` */
  type: string;
  orderedBy: string;
  /** modules that listen to it */
  subscribers: readonly string[];
}

const topology = topologyOf(modules);

/** Every module of src/composition.ts, in that order; READMEs and migrations are read below `root`. */
export async function describeModules(root = ROOT): Promise<ModuleFacts[]> {
  return Promise.all(modules.map((module) => describe(module, root)));
}

async function describe({ contract, listens }: Module, root: string): Promise<ModuleFacts> {
  const name = contract.module;
  const readme = await readFile(join(root, 'src/modules', name, 'README.md'), 'utf8').catch(() => '');
  return {
    name,
    owns: firstSentence(readme),
    calls: calls[name] ?? [],
    calledBy: topology.callers(name),
    methods: Object.entries(contract.methods).map(([method, { kind, reasons, idempotentBy }]) => ({
      name: method,
      kind,
      reasons: [...reasons],
      ...(idempotentBy && { idempotentBy }),
    })),
    emits: Object.entries(contract.events).map(([event, { type, orderedBy }]) => ({ name: event, type, orderedBy, subscribers: topology.listeners(type) })),
    listens: listens.map(({ type }) => ({ type, from: topology.publisher(type) })),
    tables: await readTables(join(root, 'migrations', name)),
    contractHash: contractHash(contract),
  };
}

/** The first sentence below the title of a Markdown page, as plain text without its full stop. */
export function firstSentence(markdown: string): string {
  const [, paragraph = ''] = /^# .*\n+([^#|<`\s-][\s\S]*?)(?:\n\n|\n*$)/.exec(markdown) ?? [];
  const [sentence = ''] = paragraph.replace(/\s+/g, ' ').split(/\.(?=\s|$)/, 1);
  return sentence.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '').trim();
}
