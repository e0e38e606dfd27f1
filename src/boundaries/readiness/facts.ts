import { modules } from '../../composition.ts';
import { ConfigError } from '../../setup/config-error.ts';
import type { Contract } from '../../shared/contract.ts';
import { type ContractState, contractState } from '../contracts/contract-snapshots.ts';
import { describeModules } from '../map/module-facts.ts';
import type { Looked, ReadinessFacts } from './readiness.ts';
import { type Databases, readDatabases } from './database.ts';
import { readObserved } from './observed.ts';
import { readSourcesOf } from './sources.ts';

/** Reads all that can be read about these modules. `internal`: address of a running Kerf's internal port. */
export async function gatherFacts(names: readonly string[], { internal, ...databases }: Databases & { internal: string }): Promise<ReadinessFacts[]> {
  const declared = await describeModules(databases.root);
  const [readings, observed] = await Promise.all([readDatabases(names, databases), readObserved(internal)]);
  // Reading sources keeps the process busy for seconds, in which every connection would run out of time.
  const sourcesOf = await readSourcesOf(declared, databases.root);
  const chosen = declared.filter(({ name }) => names.includes(name));
  return Promise.all(
    chosen.map(async (facts) => ({
      declared: facts,
      sources: sourcesOf(facts.name),
      database: readings.get(facts.name)!,
      observed,
      contract: await readContract(modules.find(({ contract }) => contract.module === facts.name)!.contract, databases.root),
    })),
  );
}

const readContract = (contract: Contract, root: string): Promise<Looked<ContractState>> =>
  contractState(contract, root).then(
    (facts) => ({ facts }),
    (error: unknown) => {
      if (error instanceof ConfigError) return { notLooked: error.message };
      throw error;
    },
  );
