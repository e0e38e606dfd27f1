import { dirname, join } from 'node:path/posix';
import ts from 'typescript';
import { accessed, isAccess, importedText, isReference, type Sighting, type Source } from './source.ts';

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
    const literal = importedText(node);
    const to = literal && foreign(literal);
    if (!to) return [];
    return (ts.isImportDeclaration(node) ? usesOf(nodes, node) : [literal]).map((use) => ({ to, ...placeOf(use) }));
  });
}

/** Where the names that this statement imports are used, other than for their `events`. */
function usesOf(nodes: readonly ts.Node[], { importClause }: ts.ImportDeclaration): ts.Node[] {
  const bindings = importClause?.namedBindings;
  if (!bindings || importClause.isTypeOnly) return [];
  if (ts.isNamespaceImport(bindings)) return [bindings];
  const names = bindings.elements.filter((element) => !element.isTypeOnly).map((element) => element.name.text);
  return nodes.filter((node) => ts.isIdentifier(node) && names.includes(node.text) && isReference(node) && !isOfEvents(node));
}

/** `contract.events`, or `const { events } = contract` */
function isOfEvents(node: ts.Node): boolean {
  const { parent } = node;
  if (isAccess(parent)) return accessed(parent) === 'events';
  if (!ts.isVariableDeclaration(parent) || !ts.isObjectBindingPattern(parent.name)) return false;
  return parent.name.elements.every(({ propertyName, name, dotDotDotToken }) => !dotDotDotToken && (propertyName ?? name).getText() === 'events');
}
