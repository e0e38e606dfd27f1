import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** as it is written */
  specifier: string;
  /** where it is written: the place of its first letter in the text */
  at: number;
  /** the file it means, relative to the root */
  target: string;
}

/** The files of this checkout that a file imports, in whichever form: for types, by `import()`, by `require`, by an alias. */
export type ImportsOf = (path: string) => readonly Import[];

/** What an import means is decided by the compiler's own rules and configuration. */
export function readImports(root: string): ImportsOf {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: undefined, files: [] }, ts.sys, root);
  const resolutions = ts.createModuleResolutionCache(root, (name) => name, options);
  const known = new Map<string, Import[]>();

  const read = (path: string): Import[] => {
    const file = join(root, path);
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
    return importedFiles.flatMap(({ fileName: specifier, pos }) => {
      const { resolvedModule } = ts.resolveModuleName(specifier, file, options, ts.sys, resolutions, undefined, ts.ModuleKind.ESNext);
      if (!resolvedModule || resolvedModule.isExternalLibraryImport) return [];
      return [{ specifier, at: pos + 1, target: relative(root, resolvedModule.resolvedFileName) }];
    });
  };
  return (path) => {
    if (!/\.[cm]?[jt]sx?$/.test(path)) return [];
    const imports = known.get(path) ?? read(path);
    known.set(path, imports);
    return imports;
  };
}

/** The text of a file with its imports written for another place, where `placeOf` says where each file is now. */
export function relocate(text: string, imports: readonly Import[], place: string, placeOf: (path: string) => string): string {
  const written = imports.filter(({ specifier }) => specifier.startsWith('.')).toSorted((a, b) => b.at - a.at);
  return written.reduce((moved, { specifier, at, target }) => {
    const path = relative(dirname(place), placeOf(target));
    return moved.slice(0, at) + (path.startsWith('.') ? path : `./${path}`) + moved.slice(at + specifier.length);
  }, text);
}
