import { randomUUID } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { systemEnvironment } from './system-environment.ts';

/**
 * Makes this process the owner named in `file`. Answers undefined on success, otherwise the pid of the live process that owns it.
 * The file says the pid and when that process started, so that a pid in use again is not mistaken for the owner.
 */
export function takeOwnership(file: string): number | undefined {
  const mine = `${file}.${randomUUID()}`;
  writeFileSync(mine, `${process.pid}\n${processStart(process.pid)}\n`);
  try {
    for (;;) {
      if (linkIfAbsent(mine, file)) return undefined;
      const owner = readIfPresent(file);
      if (owner === undefined) continue;
      const pid = livePid(owner);
      if (pid !== undefined) return pid;
      removeDead(file, owner, mine);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Only who holds the turn may remove a dead owner's file: two starters at once could otherwise remove each other's. */
function removeDead(file: string, owner: string, mine: string): void {
  const turn = `${file}.turn`;
  if (linkIfAbsent(mine, turn)) {
    if (readIfPresent(file) === owner) rmSync(file);
    rmSync(turn);
    return;
  }
  const holder = readIfPresent(turn);
  if (holder !== undefined && livePid(holder) === undefined) rmSync(turn, { force: true });
}

/** Creates like O_EXCL does, but with the content already in it: nobody ever reads a half-written owner. */
function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function livePid(owner: string): number | undefined {
  const [pid, start] = owner.split('\n');
  return start !== '' && processStart(Number(pid)) === start ? Number(pid) : undefined;
}

/** When the process started, in words that no other process and no other boot shares; undefined when it is gone or a zombie. */
function processStart(pid: number): string | undefined {
  const stat = readIfPresent(`/proc/${pid}/stat`);
  if (stat !== undefined) {
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : `${fields[18]} ticks into boot ${readIfPresent('/proc/sys/kernel/random/boot_id')?.trim()}`;
  }
  if (process.platform === 'linux') return undefined;
  const answer = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: systemEnvironment });
  return answer.stdout?.trim() || undefined;
}

/** The command line of a running process, '' for a zombie or one that is gone. */
export function processCommand(pid: number): string {
  if (process.platform === 'linux') return readIfPresent(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ') ?? '';
  return spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

export function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
