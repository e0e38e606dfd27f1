import ts from 'typescript';
import { accessed, excerpt, isAccess, isGlobal, isGlobalName, isImportCall, type Sighting, type Source } from './source.ts';

/** Imports whose path is not written down: a computed one, `require` under another name, code made from text. */
export const hiddenImports = ({ nodes, placeOf }: Source): Sighting[] =>
  nodes.filter(hidesImport).map((node) => ({ to: excerpt(node), ...placeOf(node) }));

/** Whether the text is a part of such an import, which is told of as a whole. */
export const isInHiddenImport = (node: ts.Node): boolean =>
  !ts.isSourceFile(node) && ((ts.isCallExpression(node) && (hidesImport(node) || hidesImport(node.expression))) || isInHiddenImport(node.parent));

const VITEST = ['mock', 'doMock', 'unmock', 'doUnmock', 'importActual', 'importMock'];

function hidesImport(node: ts.Node): boolean {
  if (isGlobalName(node, 'Function')) return isCalled(node);
  if (isGlobalName(node, 'require')) return !(isCalled(node) && isWrittenDown(node.parent.arguments));
  if (isGlobalName(node, 'eval')) return true;
  if (isAccess(node)) return accessed(node) === 'getBuiltinModule' || (isGlobal(node.expression) && ['eval', 'Function', 'require'].includes(accessed(node) ?? ''));
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
