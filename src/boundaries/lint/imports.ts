import { join } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import ts from 'typescript';
import { ConfigError } from '../../setup/config-error.ts';
import type { Tree } from './tree.ts';

/** One file leaning on another file, a library or one of Node's own modules. */
export interface Edge {
  from: string;
  /** relative to the root; for a library its path with node_modules, for what leads nowhere the text itself */
  to: string;
  /** how the source names it, without `node:` and the like */
  specifier: string;
  /** dependency-cruiser's words, like `type-only` */
  types: readonly string[];
  unresolved: boolean;
}

/** What was read of a tree. */
export interface ImportGraph {
  files: ReadonlySet<string>;
  edges: readonly Edge[];
}

/** Reads every import of a tree with dependency-cruiser. It judges none: that is `createJudge`, for these and for other edges. */
export async function readImports({ root, rooms, files, links }: Tree, options: ICruiseOptions): Promise<ImportGraph> {
  if (!('createSourceFile' in ts)) {
    throw new ConfigError(`The package typescript (${(ts as { version: string }).version}) has no JavaScript interface, so nothing could be read: install version 6 under that name.`);
  }
  // Folders, so that files it leaves out are noticed; but it follows links, which may go round and round.
  const places = links.length > 0 ? [...files] : [...rooms, ...[...files].filter((file) => !/\.[^/]*$/.test(file))];
  const config = join(root, 'tsconfig.json');
  const { tsConfig: _, ...rest } = options;
  // Looking for aliases makes each import cost a millisecond, so only where there are some.
  const settings = { ...rest, baseDir: root, validate: false, ...(hasAliases(config) && { tsConfig: { fileName: config } }) };
  const { output } = await cruise(places, settings).catch((error: unknown) => {
    throw new ConfigError(`The imports in ${root} cannot be read: ${error instanceof Error ? error.message.trim() : String(error)}`);
  });
  const { modules } = output as ICruiseResult;
  return {
    files: new Set(modules.map(({ source }) => source).filter((source) => files.has(source))),
    edges: modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved, module, dependencyTypes, couldNotResolve }) => ({
        from: source,
        to: resolved,
        specifier: module,
        types: dependencyTypes,
        unresolved: couldNotResolve,
      })),
    ),
  };
}

function hasAliases(config: string): boolean {
  const { config: content, error } = ts.readConfigFile(config, ts.sys.readFile);
  if (error) throw new ConfigError(`${config} cannot be read: ${ts.flattenDiagnosticMessageText(error.messageText, ' ')}`);
  const host: ts.ParseConfigHost = { ...ts.sys, readDirectory: () => [] };
  const { options } = ts.parseJsonConfigFileContent(content, host, join(config, '..'));
  return Boolean(options.paths ?? options.baseUrl);
}
