import { parentPort, workerData } from 'node:worker_threads';
import { writeSnapshot } from '../../boundaries/contracts/contract-snapshots.ts';
import { mapFiles, staleFiles } from '../../boundaries/map/map-files.ts';
import { describeModules } from '../../boundaries/map/module-facts.ts';
import { readSources } from '../../boundaries/map/source-facts.ts';
import { modules } from '../../composition.ts';
import { ROOT } from '../../setup/paths.ts';

/* The worker of derivation.ts. */

const { contract } = modules.find((module) => module.contract.module === workerData)!;
await writeSnapshot(contract, ROOT);
const facts = await describeModules();
const files = await mapFiles(facts, readSources(facts), ROOT);
const stale = new Set(await staleFiles(files, ROOT));
parentPort!.postMessage(new Map([...files].filter(([path, content]) => stale.has(path) && content !== undefined)), []);
