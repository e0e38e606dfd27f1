import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A place in a file, both counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/** A text that is known without running the file: a literal, or literals put together. */
export interface Text extends Place {
  text: string;
  node: ts.Node;
  /** what kind of import names it, when one does that dependency-cruiser reads itself */
  importing?: 'type-only' | 'value';
  /** it may name a library: the file makes a `require` of its own, and this is what something is called with */
  required?: boolean;
}

/** A parsed file. */
export interface Source {
  file: string;
  /** every node, a parent before its children */
  nodes: readonly ts.Node[];
  placeOf(node: ts.Node): Place;
}

/** Parses a file of code, whatever its extension. */
export function parse(root: string, file: string, content = readFileSync(join(root, file), 'utf8')): Source {
  const kind = /\.[cm]?[jt]sx?$/.test(file) ? undefined : ts.ScriptKind.JS;
  const source = ts.createSourceFile(file, content, ts.ScriptTarget.Latest, true, kind);
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  return {
    file,
    nodes,
    placeOf(node) {
      const { line, character } = source.getLineAndCharacterOfPosition(node.getStart(source));
      return { line: line + 1, column: character + 1 };
    },
  };
}

/** Every text in the file that is known without running it, also the pieces of those that are not. */
export function textsOf({ nodes, placeOf }: Source): Text[] {
  const requires = nodes.some((node) => ts.isIdentifier(node) && node.text === 'createRequire');
  return nodes.flatMap((node): Text[] => {
    if (ts.isCallExpression(node)) return joinedArguments(node).map((text) => ({ text, node, ...placeOf(node) }));
    if (ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) return [{ text: node.text, node, ...placeOf(node) }];
    if (!ts.isStringLiteralLike(node) && !ts.isBinaryExpression(node) && !ts.isTemplateExpression(node)) return [];
    const text = knownText(node);
    const importing = importOf(node);
    const required = requires && ts.isCallExpression(node.parent) && node.parent.arguments[0] === node;
    return text === undefined || isMereDots(text, node.parent) ? [] : [{ text, node, required, ...placeOf(node), ...(importing && { importing }) }];
  });
}

/** A lone `..` is a path only to what puts paths together; else it is what a path is looked through for. */
const isMereDots = (text: string, parent: ts.Node) =>
  /^\.\.?$/.test(text) && !((ts.isCallExpression(parent) || ts.isNewExpression(parent)) && /\b(join|resolve|URL)$/.test(parent.expression.getText()));

/** The text that this expression has for certain. */
export function knownText(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) return knownText(node.expression);
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) return together([knownText(node.left), knownText(node.right)], '');
  if (!ts.isTemplateExpression(node)) return undefined;
  return together([node.head.text, ...node.templateSpans.flatMap(({ expression, literal }) => [knownText(expression), literal.text])], '');
}

const together = (parts: readonly (string | undefined)[], separator: string) => (parts.includes(undefined) ? undefined : parts.join(separator));

/** `join(root, '..', 'order')` names `../order`: each run of two or more known arguments, put together as a path. */
function joinedArguments({ arguments: given }: ts.CallExpression): string[] {
  const runs: string[][] = [[]];
  for (const argument of given) {
    const text = knownText(argument);
    if (text === undefined) runs.push([]);
    else runs.at(-1)!.push(text);
  }
  return runs.filter(({ length }) => length > 1).map((run) => run.join('/'));
}

/** Which of the imports that dependency-cruiser reads names this text. */
function importOf(node: ts.Node): Text['importing'] {
  const { parent } = node;
  if (ts.isImportDeclaration(parent)) return isTypeOnly(parent.importClause, parent.importClause?.namedBindings) ? 'type-only' : 'value';
  if (ts.isExportDeclaration(parent)) return isTypeOnly(parent, parent.exportClause) ? 'type-only' : 'value';
  if (ts.isExternalModuleReference(parent) || (ts.isLiteralTypeNode(parent) && ts.isImportTypeNode(parent.parent))) return 'value';
  if (!ts.isCallExpression(parent) || parent.arguments[0] !== node || !ts.isStringLiteralLike(node)) return undefined;
  const { expression } = parent;
  return expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require') ? 'value' : undefined;
}

/** `import type { A }`, and `import { type A, type B }`, too. */
function isTypeOnly(clause: { isTypeOnly?: boolean } | undefined, names: ts.NamedImportBindings | ts.NamedExportBindings | undefined): boolean {
  if (clause?.isTypeOnly) return true;
  return Boolean(names && 'elements' in names && names.elements.length > 0 && names.elements.every((name) => name.isTypeOnly));
}

/** Something in a file that breaks a rule without being an import of a file. */
export interface Sighting extends Place {
  /** what the file leans on */
  to: string;
}

/** Whether this identifier stands for a value, rather than naming a property, a declaration or a type. */
export function isReference(node: ts.Identifier): boolean {
  const { parent } = node as { parent: ts.Node & { name?: ts.Node; propertyName?: ts.Node } };
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isExportSpecifier(parent)) {
    const { moduleSpecifier, isTypeOnly } = parent.parent.parent;
    return !moduleSpecifier && !isTypeOnly && !parent.isTypeOnly && (parent.propertyName ?? parent.name) === node;
  }
  return parent.name !== node && parent.propertyName !== node && !ts.isQualifiedName(parent) && !ts.isTypeReferenceNode(parent) && !ts.isTypeQueryNode(parent);
}

/** Whether this is a value of the world's, not of a variable or parameter that has the same name. */
export const isGlobalName = (node: ts.Node, ...names: readonly string[]): boolean =>
  ts.isIdentifier(node) && names.includes(node.text) && isReference(node) && !isDeclaredAround(node, node.text);

export const isGlobal = (node: ts.Node): boolean => isGlobalName(node, 'globalThis', 'global');

const isDeclaredAround = ({ parent }: ts.Node, name: string): boolean => declares(parent, name) || (!ts.isSourceFile(parent) && isDeclaredAround(parent, name));

function declares(scope: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(scope)) return scope.parameters.some((parameter) => binds(parameter.name, name));
  if (!ts.isBlock(scope) && !ts.isSourceFile(scope)) return false;
  return scope.statements.some((statement) => ts.isVariableStatement(statement) && isOfTheFile(statement) && statement.declarationList.declarations.some((one) => binds(one.name, name)));
}

/** Neither `declare`, which makes nothing, nor `var`, which in CommonJS may be the world's all the same. */
const isOfTheFile = ({ declarationList, modifiers }: ts.VariableStatement): boolean =>
  (declarationList.flags & ts.NodeFlags.BlockScoped) !== 0 && !modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);

const binds = (bound: ts.BindingName, name: string): boolean =>
  ts.isIdentifier(bound) ? bound.text === name : bound.elements.some((element) => ts.isBindingElement(element) && binds(element.name, name));

export const isAccess = (node: ts.Node): node is ts.AccessExpression => ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);

/** The name of the property, when it is written down. */
export function accessed(node: ts.AccessExpression): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  return knownText(node.argumentExpression);
}

export const isImportCall = (node: ts.Node | undefined): node is ts.ImportCall =>
  Boolean(node && ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword);

/** The source of a node on one line, for messages. */
export function excerpt(node: ts.Node): string {
  const text = node.getText().replace(/\s+/g, ' ');
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** The text by which an import or a re-export names a file. */
export function importedText(node: ts.Node): ts.StringLiteralLike | undefined {
  const named = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : isImportCall(node) ? node.arguments[0] : undefined;
  return named && ts.isStringLiteralLike(named) ? named : undefined;
}
