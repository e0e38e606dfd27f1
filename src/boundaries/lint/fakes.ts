import ts from 'typescript';
import { importedText, type Sighting, type Source } from './source.ts';
import { moduleOf } from './tree.ts';

export const FAKE = /^src\/modules\/[^/]+\/fake\.ts$/;

/** Where a fake gives out what is inside its module: by a re-export, or by exporting a name that it imported. */
export function insideGivenOut({ file, nodes, placeOf }: Source, leadsTo: (text: string) => readonly string[]): Sighting[] {
  const insideOf = (node: ts.Node) => leadsTo(importedText(node)?.text ?? '').find((to) => moduleOf(to) === moduleOf(file) && !to.endsWith('/contract.ts'));
  const inside = new Map(nodes.flatMap((node) => (ts.isImportDeclaration(node) ? namesOf(node).map((name) => [name, insideOf(node)] as const) : [])));
  return nodes.flatMap((node) => {
    const to = ts.isExportDeclaration(node) ? insideOf(node) : ts.isIdentifier(node) && isGivenOut(node) ? inside.get(node.text) : undefined;
    return to ? [{ to, ...placeOf(node) }] : [];
  });
}

function namesOf({ importClause }: ts.ImportDeclaration): string[] {
  const { name, namedBindings } = importClause ?? {};
  const named = namedBindings && ts.isNamedImports(namedBindings) ? [...namedBindings.elements] : [namedBindings];
  return [name, ...named.map((one) => one?.name)].flatMap((one) => one?.text ?? []);
}

/** `export { it }`, `export default it`, `export const own = it`: also when it is a type. */
function isGivenOut(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isExportSpecifier(parent)) return !parent.parent.parent.moduleSpecifier && (parent.propertyName ?? parent.name) === node;
  if (ts.isVariableDeclaration(parent)) return parent.initializer === node && isExported(parent.parent.parent);
  return ts.isExportAssignment(parent);
}

const isExported = (node: ts.Node) => ts.canHaveModifiers(node) && Boolean(ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword));
