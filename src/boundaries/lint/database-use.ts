import ts from 'typescript';
import { importedText, isImportCall, type Sighting, type Source } from './source.ts';

const DATABASE = 'src/shared/database.ts';
/** What whoever is no repository may do with the database. */
const TRANSACTIONS = ['transaction', 'insideTransaction'];
const HANDLES = ['db', 'trx'];
const EVERYTHING = '*';
type LeadsTo = (text: string) => readonly string[];

/** In a file that is no repository: values of the database other than transactions, and statements. */
export const queries = (source: Source, leadsTo: LeadsTo): Sighting[] => [
  ...takenFromDatabase(source, leadsTo, (name) => !TRANSACTIONS.includes(name)),
  ...source.nodes.filter(isStatement).map((node) => ({ to: DATABASE, ...source.placeOf(node) })),
];

/** Where a file takes what leads out of an open transaction. */
export const waysOutOfTransactions = (source: Source, leadsTo: LeadsTo): Sighting[] =>
  takenFromDatabase(source, leadsTo, (name) => ['outsideTransaction', EVERYTHING].includes(name));

const takenFromDatabase = ({ nodes, placeOf }: Source, leadsTo: LeadsTo, isForbidden: (name: string) => boolean): Sighting[] =>
  nodes
    .filter((node) => leadsTo(importedText(node)?.text ?? '').includes(DATABASE))
    .flatMap(valuesTaken)
    .filter(({ name }) => isForbidden(name))
    .map(({ node }) => ({ to: DATABASE, ...placeOf(node) }));

/** The values that an import or a re-export takes, by the names that they have where they come from. */
function valuesTaken(node: ts.Node): { name: string; node: ts.Node }[] {
  if (isImportCall(node)) return [{ name: EVERYTHING, node }];
  const clause = ts.isImportDeclaration(node) ? node.importClause : ts.isExportDeclaration(node) ? node : undefined;
  if (!clause || clause.isTypeOnly) return [];
  const names = ts.isExportDeclaration(clause) ? clause.exportClause : clause.namedBindings;
  if (!names || !('elements' in names)) return [{ name: EVERYTHING, node: names ?? clause }];
  return [...names.elements].filter(({ isTypeOnly }) => !isTypeOnly).map((element) => ({ name: (element.propertyName ?? element.name).text, node: element }));
}

/** `db('orders')`, `this.db('orders')`, `trx.select()`, and `.raw()` of anything */
function isStatement(node: ts.Node): boolean {
  if (!ts.isCallExpression(node)) return false;
  const { expression } = node;
  return isHandle(expression) || (ts.isPropertyAccessExpression(expression) && (expression.name.text === 'raw' || isHandle(expression.expression)));
}

const isHandle = (node: ts.Node): boolean =>
  ts.isPropertyAccessExpression(node) ? HANDLES.includes(node.name.text) : ts.isIdentifier(node) && HANDLES.includes(node.text);
