import { MODULES } from '../../src/calls.ts';
import { modules } from '../../src/composition.ts';
import { subjectOf } from '../../src/kit/kit.ts';
import type { Result } from '../../src/kit/run.ts';
import type { Subject } from '../../src/kit/wire.ts';
import { derivedKeys } from '../../src/shared/seam/service-token.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';

export const subjectAt = (module: string, address: string): Subject => subjectOf(modules, module, { address, keys: derivedKeys(TEST_SECRET, []) });

/** Every module behind an address of its own. */
export async function startApart(): Promise<TestKerf & { address(module: string): string }> {
  const addresses = new Map<string, string>();
  const through = async (module: string, address: string) => {
    addresses.set(module, address);
    return address;
  };
  const kerf = await startTestKerf({ apart: MODULES.map((name) => [name]), through });
  return { ...kerf, address: (module) => addresses.get(module)! };
}

/** The names of the cases that failed, with why. */
export const failuresOf = (results: readonly Result[]) => results.filter(({ failure }) => failure).map(({ about, name, failure }) => [`${about}: ${name}`, failure!.sentence]);
