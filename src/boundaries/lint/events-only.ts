import { dirname, join } from 'node:path/posix';
import ts from 'typescript';
import { isImportCall, isReference, type Sighting, type Source } from './source.ts';

/** The files of a module that may import any contract, because they listen to its events. */
export const LISTENS = /^src\/modules\/([^/]+)\/(module|[^/]+-subscriptions)\.ts$/;

/**
 * In a file that listens: uses of the contracts of modules that its own may not call, other than of their `events`. Types
 * are free.
 */
export function usesBeyondEvents({ file, nodes, placeOf }: Source, mayUse: readonly string[]): Sighting[] {
  const foreign = ({ text }: { text: string }) => {
    const [to, name = ''] = /^src\/modules\/([^/]+)\/contract\.ts$/.exec(join(dirname(file), text)) ?? [];
    return mayUse.includes(name) ? undefined : to;
  };
  return nodes.flatMap((node): Sighting[] => {
    const literal = importedBy(node);
    const to = literal && foreign(literal);
    if (!to) return [];
    return (ts.isImportDeclaration(node) ? usesOf(nodes, node) : [literal]).map((use) => ({ to, ...placeOf(use) }));
  });
}

function importedBy(node: ts.Node): ts.StringLiteralLike | undefined {
  const named = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : isImportCall(node) ? node.arguments[0] : undefined;
  return named && ts.isStringLiteralLike(named) ? named : undefined;
}

/** Where the names that this statement imports are used, other than for their `events`. */
function usesOf(nodes: readonly ts.Node[], { importClause }: ts.ImportDeclaration): ts.Node[] {
  const bindings = importClause?.namedBindings;
  if (!bindings || importClause.isTypeOnly) return [];
  if (ts.isNamespaceImport(bindings)) return [bindings];
  const names = bindings.elements.filter((element) => !element.isTypeOnly).map((element) => element.name.text);
  return nodes.filter((node) => ts.isIdentifier(node) && names.includes(node.text) && isReference(node) && !isOfEvents(node.parent));
}

const isOfEvents = (node: ts.Node) => ts.isPropertyAccessExpression(node) && node.name.text === 'events';
