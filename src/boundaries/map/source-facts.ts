import { join, relative } from 'node:path';
import ts from 'typescript';
import { ROOT } from '../../setup/paths.ts';
import type { ModuleFacts } from './module-facts.ts';

/** What only the source text tells. Keys are `coupon.reserve` for methods and `order.placed`, the key in the contract, for events. */
export interface SourceFacts {
  /** the doc comment in the contract, a line for each paragraph or list item */
  comments: ReadonlyMap<string, string>;
  /** its first sentence, without the full stop */
  effects: ReadonlyMap<string, string>;
  /** files outside the module's own services that use the method, relative to src */
  callSites: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads every file below `src` with the TypeScript compiler: a development dependency, so import this file only where one
 * may be missing. A call is found by the type of what it is called on, so it does not matter how the service came there.
 * Libraries are not read: one second instead of eight, and no library's type carries a service.
 */
export function readSources(modules: readonly Pick<ModuleFacts, 'methods'>[], root = ROOT): SourceFacts {
  const source = join(root, 'src');
  const program = createProgram(source);
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(`${source}/`));
  const comments = new Map(files.filter(({ fileName }) => CONTRACT.test(fileName)).flatMap((file) => commentsOf(file)));
  const effects = new Map([...comments].map(([key, comment]) => [key, comment.split(/\.(?=\s|$)|\n/, 1)[0]!]));
  const names = new Set(modules.flatMap(({ methods }) => methods.map(({ name }) => name)));
  const checker = program.getTypeChecker();
  const callSites = new Map<string, string[]>();
  for (const file of files) {
    const path = relative(source, file.fileName);
    for (const key of new Set(usesOf(checker, file, names))) {
      if (isForeignUse(key, path)) callSites.set(key, [...(callSites.get(key) ?? []), path].toSorted());
    }
  }
  return { comments, effects, callSites };
}

const CONTRACT = /\/src\/modules\/([^/]+)\/contract\.ts$/;

/** A module's routes use its service as anybody would; its other files are the service, and the fake is for tests. */
const isForeignUse = (key: string, path: string) => {
  const own = path.startsWith(`modules/${key.replace(/\..*$/, '')}/`);
  return own ? path.endsWith('-routes.ts') : !path.endsWith('/fake.ts');
};

function createProgram(source: string): ts.Program {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    types: [],
  };
  const host = ts.createCompilerHost(options, true);
  host.resolveModuleNameLiterals = (literals, containing) =>
    literals.map(({ text }) => ({
      resolvedModule: text.startsWith('.') ? { resolvedFileName: join(containing, '..', text), extension: ts.Extension.Ts } : undefined,
    }));
  return ts.createProgram({ rootNames: ts.sys.readDirectory(source, ['.ts']), options, host });
}

/** The methods and events that a contract defines, each with its doc comment. */
function commentsOf(file: ts.SourceFile): [string, string][] {
  const [, module = ''] = CONTRACT.exec(file.fileName) ?? [];
  const found: [string, string][] = [];
  const visit = (node: ts.Node): void => {
    if (definesMember(node)) found.push([`${module}.${node.name.getText()}`, commentOf(node)]);
    else ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** `name: read({…})` below `methods` or `events`. */
function definesMember(node: ts.Node): node is ts.PropertyAssignment {
  const section = node.parent?.parent;
  return ts.isPropertyAssignment(node) && !!section && ts.isPropertyAssignment(section) && /^(methods|events)$/.test(section.name.getText());
}

function commentOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node);
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? '';
  return text.replace(/\n(?!\s*(\n|- ))/g, ' ').replace(/[^\S\n]+/g, ' ').replace(/\s*\n\s*/g, '\n').trim();
}

/** `coupon.reserve` for each place in the file that takes that method out of a service. */
function* usesOf(checker: ts.TypeChecker, node: ts.Node, names: ReadonlySet<string>): Iterable<string> {
  for (const declaration of takenOut(checker, node, names)?.declarations ?? []) {
    const [, module] = CONTRACT.exec(declaration.getSourceFile().fileName) ?? [];
    if (module && definesMember(declaration)) yield `${module}.${declaration.name.getText()}`;
  }
  for (const child of childrenOf(node)) yield* usesOf(checker, child, names);
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

/** The property that `users.login`, `users['login']` or `const { login } = users` names, if it may be one of a contract. */
function takenOut(checker: ts.TypeChecker, node: ts.Node, names: ReadonlySet<string>): ts.Symbol | undefined {
  if (ts.isPropertyAccessExpression(node)) return names.has(node.name.text) ? checker.getSymbolAtLocation(node.name) : undefined;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteral(node.argumentExpression)) {
    return names.has(node.argumentExpression.text) ? checker.getSymbolAtLocation(node.argumentExpression) : undefined;
  }
  if (!ts.isBindingElement(node) || !ts.isObjectBindingPattern(node.parent)) return undefined;
  const name = (node.propertyName ?? node.name).getText();
  return names.has(name) ? checker.getTypeAtLocation(node.parent).getProperty(name) : undefined;
}
