import { ConfigError } from '../../setup/config-error.ts';
import type { ModuleFacts } from '../map/module-facts.ts';
import type { Looked, SourceReading } from './readiness.ts';

/** Reads below `root` who leans on whose inside and who calls what, once for all modules; answers it for one. */
export async function readSourcesOf(modules: readonly ModuleFacts[], root: string): Promise<(module: string) => Looked<SourceReading>> {
  try {
    const [{ lintBoundaries }, { readSources }] = await Promise.all([import('../lint/lint.ts'), import('../map/source-facts.ts')]);
    const { violations } = await lintBoundaries(root);
    const { callSites } = readSources(modules, root);
    const calls = [...callSites].flatMap(([key, files]) => {
      const [to = '', method = ''] = key.split('.');
      return files.flatMap((file) => {
        const from = moduleOf(`src/${file}`);
        return from && from !== to ? [{ to, from, method, file: `src/${file}` }] : [];
      });
    });
    return (module) => ({
      facts: {
        violations: violations.filter(({ file, to }) => file.startsWith('src/') && crosses(module, moduleOf(file), to)),
        calls: calls.filter(({ to }) => to === module).map(({ from, method, file }) => ({ from, method, file })),
      },
    });
  } catch (error) {
    const notLooked = { notLooked: whyNot(error) };
    return () => notLooked;
  }
}

const moduleOf = (path: string): string | undefined => /^src\/modules\/([^/]+)\//.exec(path)?.[1];

/** Whether something in `from` that leans on `to` would be cut by moving the module. Of a cycle, `to` is the way around. */
function crosses(module: string, from: string | undefined, to: string): boolean {
  const inside = to.split(' → ').map((path) => moduleOf(path) === module);
  return from === module ? !inside.every(Boolean) : inside.some(Boolean);
}

function whyNot(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return 'the development packages are not installed here; ask again in a checkout.';
  throw error;
}
