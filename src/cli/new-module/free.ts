import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MODULES } from '../../calls.ts';
import { compose } from '../../composition.ts';
import { Environment } from '../../config.ts';
import { createOpenApiDocument } from '../../edge/openapi.ts';
import { ConfigError } from '../../setup/config-error.ts';
import { ROOT } from '../../setup/paths.ts';
import { createLogger } from '../../shared/telemetry.ts';
import { capitalized, type Names, pluralOf } from './names.ts';

/** Refuses the name of a module when this tree has it already, or one that would be taken for it. */
export function assertNewModule(module: string): void {
  if (MODULES.includes(module)) throw new ConfigError(`There is a module ${module} already.`);
  const alike = MODULES.find((other) => pluralOf(other) === module || pluralOf(module) === other);
  if (alike) throw new ConfigError(`"${module}" would be taken for the module ${alike}: choose another name.`);
  const folder = ['src/modules', 'test/modules', 'migrations'].map((parent) => `${parent}/${module}`).find((path) => existsSync(join(ROOT, path)));
  if (folder) throw new ConfigError(`${folder} is there already: remove it or choose another name.`);
  const variables = [`${module.toUpperCase()}_DATABASE_URL`, `KERF_${module.toUpperCase()}_URL`];
  const variable = variables.find((name) => name in Environment.shape);
  if (variable) throw new ConfigError(`The variable ${variable} means something else already: choose another name than "${module}".`);
}

/** The same for the name of what it keeps. `words`: what the code of every module says itself. */
export async function assertNewEntry(names: Names, words: ReadonlySet<string>): Promise<void> {
  const { entry, entries } = names;
  const word = [entry, entries, capitalized(entry), capitalized(entries)].find((form) => words.has(form));
  if (word) throw new ConfigError(`"${word}" has a meaning of its own in the code of every module: say with --of what one of them is called instead.`);
  const [taken] = await takenInApi(names);
  if (taken) throw new ConfigError(`The public API has ${taken} already: say with --of what one of them is called instead of "${entry}".`);
}

/** What of the public API has the names: of the API as it is composed now, of which nothing touches a database. */
async function takenInApi({ entry, entries }: Names): Promise<string[]> {
  const { routes, stop } = compose({
    settings: {
      publicUrl: 'http://localhost', secret: '', timeZone: 'UTC', paymentWindowMinutes: 1, sandboxPayments: true, sendMail: async () => undefined,
    },
    log: createLogger('silent'),
    databaseUrl: () => 'postgres://localhost',
    poolSize: 1,
  });
  const { components } = createOpenApiDocument(routes);
  await stop();
  const schemas = Object.keys(components?.schemas ?? {});
  return [
    ...routes.filter(({ path }) => `${path}/`.startsWith(`/admin/${entries}/`)).map(({ path }) => `the route /v1${path}`),
    ...schemas.filter((name) => new RegExp(`^${entry}(Draft|State)?(Input|Output)?$`, 'i').test(name)).map((name) => `the schema ${name}`),
    ...routes.filter(({ operationId }) => new RegExp(`^(create|get|list|archive)(${entry}|${entries})$`, 'i').test(operationId)).map(({ operationId }) => `the operation ${operationId}`),
  ];
}
