import ts from 'typescript';
import { accessed, excerpt, isAccess, isGlobal, isGlobalName, type Sighting, type Source } from './source.ts';

/**
 * Reads of the environment: `process.env` under any of its names. What a bare `process` or `globalThis` is used for cannot
 * be told, so both count; `process.pid` and its like do not.
 */
export const environmentReads = ({ nodes, placeOf }: Source): Sighting[] =>
  nodes.filter(readsEnvironment).map((node) => ({ to: excerpt(node.parent), ...placeOf(node) }));

function readsEnvironment(node: ts.Node): boolean {
  const { parent } = node;
  const access = isAccess(parent) && parent.expression === node ? parent : undefined;
  if (ts.isMetaProperty(node)) return Boolean(access && accessed(access) === 'env');
  if (isGlobal(node)) return !access || accessed(access) === undefined;
  if (!isProcess(node)) return false;
  return !access || [undefined, 'env', 'loadEnvFile', 'report'].includes(accessed(access));
}

const isProcess = (node: ts.Node) =>
  ts.isIdentifier(node) ? isGlobalName(node, 'process') : isAccess(node) && isGlobal(node.expression) && accessed(node) === 'process';
