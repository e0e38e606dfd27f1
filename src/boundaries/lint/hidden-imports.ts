import ts from 'typescript';
import { excerpt, isImportCall, isReference, type Sighting, type Source } from './source.ts';

/** Imports whose path is not written down: a computed one, `require` under another name, code made from text. */
export const hiddenImports = ({ nodes, placeOf }: Source): Sighting[] =>
  nodes.filter(hidesImport).map((node) => ({ to: excerpt(node), ...placeOf(node) }));

const VITEST = ['mock', 'doMock', 'unmock', 'doUnmock', 'importActual', 'importMock'];

function hidesImport(node: ts.Node): boolean {
  if (ts.isIdentifier(node) && isReference(node)) {
    if (node.text === 'Function') return isCalled(node);
    return node.text === 'eval' || (node.text === 'require' && !(isCalled(node) && isWrittenDown(node.parent.arguments)));
  }
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'getBuiltinModule';
  if (ts.isNewExpression(node)) return isNamed(node.expression, 'URL') && isOfThisFile(node.arguments?.[1]) && !isWrittenDown(node.arguments);
  return ts.isCallExpression(node) && importsByCall(node) && !isWrittenDown(node.arguments);
}

function importsByCall(call: ts.CallExpression): boolean {
  const { expression } = call;
  if (isImportCall(call)) return true;
  if (!ts.isPropertyAccessExpression(expression)) return false;
  if (ts.isMetaProperty(expression.expression)) return true;
  return isNamed(expression.expression, 'vi') && VITEST.includes(expression.name.text) && !isImportCall(call.arguments[0]);
}

const isCalled = (node: ts.Node): node is ts.Node & { parent: ts.CallExpression | ts.NewExpression } =>
  (ts.isCallExpression(node.parent) || ts.isNewExpression(node.parent)) && node.parent.expression === node;

const isWrittenDown = (given: readonly ts.Expression[] | undefined) => Boolean(given?.[0] && ts.isStringLiteralLike(given[0]));
const isNamed = (node: ts.Node, text: string) => ts.isIdentifier(node) && node.text === text;

/** `import.meta.url` and its like */
const isOfThisFile = (node: ts.Node | undefined) => Boolean(node && ts.isPropertyAccessExpression(node) && ts.isMetaProperty(node.expression));
