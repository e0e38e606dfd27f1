import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { diff, end, endDue, look, move, pause, type Wishes } from '../../src/move/command.ts';
import { createFollower, type Follower } from '../../src/move/follow.ts';
import { readRights } from '../../src/move/fence.ts';
import { keptUntil, openMove } from '../../src/move/journal.ts';
import type { Whereabouts } from '../../src/placement/placement.ts';
import type { Progress } from '../../src/move/running.ts';
import { closeSite, lookUntil, openSite, rows, type Site, withoutUser } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import { moduleUrl } from '../../src/setup/provision.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { makeEmpty, makePair, type Pair, type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000, expect: { poll: { timeout: 10_000 } } });

const APART = 'http://127.0.0.1:3';

let server: Server;
let pair: Pair;
const hosts: Follower[] = [];
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  pair = await makePair(server, server, 'coupon');
  host('http://127.0.0.1:2', MODULES);
  host(APART, ['coupon']);
  await lookUntil(30_000, async () => (await rows(pair.source, 'select from placement.hosts')).length === 2 || undefined);
});
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((follower) => follower.stop()));
  await endStream({ from: pair.source, to: pair.target });
  await endStream({ from: pair.target, to: pair.source });
  await pair.close();
});

/** A process that follows, and has no work. */
function host(address: string, modules: readonly string[], place: (held: boolean) => Promise<void> = async () => undefined): void {
  const follower = createFollower({ url: moduleUrl(pair.source.url, 'placement', TEST_SECRET), self: { address, modules, edge: false }, withRole: (url, module) => moduleUrl(url, module, TEST_SECRET), log: createLogger('warn') });
  hosts.push(follower);
  let [held, pause] = [0, 0];
  const follow = async (_module: string, whereabouts: Whereabouts) => {
    await place(whereabouts.held);
    if (whereabouts.held) [held, pause] = [held + 3, 7];
  };
  follower.follow(follow, undefined, () => ({ coupon: { held, again: 0, failed: 0, pause } }));
  follower.appear();
}

const wishing = (wishes: Partial<Wishes> = {}): Wishes => ({
  module: 'coupon',
  home: pair.source.url,
  here: pair.source.url,
  apart: pair.target.url,
  address: async () => APART,
  secret: TEST_SECRET,
  host: { end: () => true, refusal: async () => undefined },
  readiness: async () => ({ blockers: [], notes: [] }),
  signal: new AbortController().signal,
  say: () => undefined,
  ...wishes,
});

const write = (site: Site, id = randomUUID()) => rows(site, `insert into coupon.inbox values ($1, 'x')`, [id]);
/** As what came from somewhere else, which no stream carries on. */
async function unfollowed(site: Site, sql: string, id: string): Promise<void> {
  await rows(site, `select pg_replication_origin_create('elsewhere'), pg_replication_origin_session_setup('elsewhere')`);
  await rows(site, sql, [id]);
  await rows(site, 'select pg_replication_origin_session_reset()');
  await rows(site, `select pg_replication_origin_drop('elsewhere')`);
}
const killing = (behind: string) => ({ phase, over }: Progress) => {
  if (phase === behind && over) throw new Error('killed');
};
const written = async (site: Site) => (await rows(site, 'select from coupon.inbox')).length;

describe('a move that is not to begin', () => {
  it('says so of a module that is not ready, and of an address where it is not', async () => {
    const wishes = wishing({
      readiness: async (internal) => ({ blockers: [`Not by ${internal}.`], notes: ['Half seen.'] }),
      host: { end: () => true, refusal: async (address) => `Nobody at ${address}.` },
    });
    const blockers = ['Not by http://127.0.0.1:2.', `Nobody at ${APART}.`];
    expect(await look(wishes, 'extract')).toEqual({ blockers, notes: ['Half seen.', expect.stringMatching(/^Whether all 2 processes/)] });
    await expect(move(wishes, 'extract')).rejects.toThrow(blockers.join('\n'));
    expect(await openMove(pair.source, 'coupon')).toBeUndefined();
  });
});

describe('the process apart', () => {
  it('is ended by a fold, also where the command that started it died before it could write that down', async () => {
    const ended: unknown[] = [];
    const hosting = { start: () => Promise.reject(new Error('It is there.')), end: (apart: unknown) => ended.push(apart) > 0, refusal: async () => undefined };
    await move(wishing({ host: hosting }), 'extract');
    await end(wishing(), 'complete');
    await move(wishing({ host: hosting }), 'fold');
    expect(ended).toEqual([{ pid: process.pid, machine: hostname() }]);
  });

  it('is not what has its number by now, which nobody ends', async () => {
    const told = vi.fn<() => boolean>();
    const hosting = { start: () => Promise.reject(new Error('It is there.')), end: told, refusal: async () => undefined };
    await move(wishing({ host: hosting }), 'extract');
    await rows(pair.source, `update placement.moves set detail = jsonb_set(detail, '{process,pid}', '1')`);
    await move(wishing({ host: hosting }), 'fold');
    expect(told).not.toHaveBeenCalled();
  });

  it('is not started here by a command that goes on with one which was to find it elsewhere', async () => {
    const elsewhere = { address: async () => 'http://127.0.0.1:4', host: { end: () => true, refusal: async () => undefined } };
    await expect(move(wishing(elsewhere), 'extract')).rejects.toThrow('No process with coupon shows itself at http://127.0.0.1:4: start it there');
    const start = vi.fn<() => Promise<never>>();
    await expect(move(wishing({ host: { ...elsewhere.host, start } }), 'extract')).rejects.toThrow('start it there');
    expect(start).not.toHaveBeenCalled();
  });

  it('is left alone by a fold where a person started it', async () => {
    const end = vi.fn<() => boolean>();
    const hosting = { end, refusal: async () => undefined };
    await move(wishing({ host: hosting }), 'extract');
    await move(wishing({ host: hosting }), 'fold');
    expect(end).not.toHaveBeenCalled();
  });
});

describe('administrators who are no superusers', () => {
  it('move a module and bring it back with the rights that are asked for', async () => {
    const role = `kerf_test_${randomUUID().slice(0, 8)}`;
    await rows(pair.source, `create role ${role} login password 'x'`);
    const asRole = ({ url }: Site) => Object.assign(new URL(url), { username: role, password: 'x' }).toString();
    const databases = [pair.source, pair.target].map(({ client }) => client.database!);
    for (const database of databases) await rows(pair.source, `grant connect on database ${database} to ${role}`);
    await rows(pair.source, `grant kerf_placement_owner to ${role}`);
    const wishes = () => wishing({ home: asRole(pair.source), here: asRole(pair.source), apart: asRole(pair.target) });
    const { blockers } = await look(wishes(), 'extract');
    const todo = blockers.map((sentence) => /^The administrator of the (source|target) .* "(.*)"\.$/.exec(sentence));
    expect(todo).not.toContain(null);
    for (const [, side, statement] of todo as RegExpExecArray[]) await rows(side === 'source' ? pair.source : pair.target, statement!);
    expect((await look(wishes(), 'extract')).blockers).toEqual([]);
    expect((await move(wishes(), 'extract')).phase).toBe('settle');
    expect((await move(wishes(), 'fold')).phase).toBe('settle');
    await end(wishes(), 'complete');
    for (const site of [pair.source, pair.target]) await rows(site, `drop owned by ${role}`);
    await rows(pair.source, `drop role ${role}`);
  });
});

describe('the way back', () => {
  it('is kept for the time that was said, and given up behind it by whoever asks then', async () => {
    const done = await move(wishing({ keepReverse: 3_600_000 }), 'extract');
    expect(done.detail.met).toEqual({ held: expect.any(Number), again: 0, failed: 0, pause: 7 });
    expect(done.detail.met!.held).toBeGreaterThan(0);
    expect(keptUntil(done)).toEqual(new Date(done.detail.settledAt! + 3_600_000));
    expect(await endDue(wishing())).toBeUndefined();
    expect((await move(wishing(), 'extract')).phase).toBe('settle');
    await rows(pair.source, `update placement.moves set detail = detail || '{"keepReverse": 1}'`);
    expect((await endDue(wishing()))?.phase).toBe('complete');
    expect(await endDue(wishing())).toBeUndefined();
    expect(await rows(pair.source, `select from pg_namespace where nspname = 'coupon'`)).toEqual([]);
  });

  it('is taken although its time is over, as long as the data is there', async () => {
    await write(pair.source);
    await move(wishing({ keepReverse: 3_600_000 }), 'extract');
    await rows(pair.source, `update placement.moves set detail = detail || '{"keepReverse": 1}'`);
    await write(pair.target);
    expect((await move(wishing(), 'fold')).phase).toBe('settle');
    expect(await written(pair.source)).toBe(2);
    const other = await makeEmpty(server);
    await expect(move(wishing({ apart: other.url }), 'extract')).rejects.toThrow(`The way back of coupon to ${withoutUser(pair.target.url)} is still there`);
    await expect(end(wishing({ here: other.url }), 'complete')).rejects.toThrow(`is one of ${withoutUser(pair.source.url)}`);
    await other.drop();
  });

  it('is not kept at all, also when the command was killed before it could give it up', async () => {
    const signal = AbortSignal.abort();
    await expect(move(wishing({ keepReverse: 0, signal }), 'extract')).rejects.toThrow('Stopped behind "preflight"');
    expect((await move(wishing(), 'extract')).phase).toBe('complete');
  });
});

describe('a target that falls behind', () => {
  /** Nothing that is written to this table at the source arrives there. */
  async function blocked(): Promise<() => Promise<void>> {
    const locking = await openSite(pair.target.url, 'coupon');
    await locking.client.query('begin; lock table coupon.inbox in share row exclusive mode');
    return () => closeSite(locking);
  }
  const stoppedBehindCompare = async () => {
    const stop = new AbortController();
    await expect(move(wishing({ signal: stop.signal, say: ({ phase, over }) => void (phase === 'compare' && over && stop.abort()) }), 'extract')).rejects.toThrow('Stopped behind "compare"');
  };

  it('in the hold is let go of, and tried again', async () => {
    await stoppedBehindCompare();
    const release = await blocked();
    let wasHeld = false;
    let mayWrite: number | undefined;
    host('http://127.0.0.1:4', [], async (held) => {
      wasHeld ||= held;
      if (held || !wasHeld || mayWrite !== undefined) return;
      mayWrite = (await readRights(pair.source)).length;
      await release();
    });
    await rows(pair.source, `create function late() returns trigger language plpgsql as $$ begin
      if (select held from placement.modules where module = 'coupon') then insert into coupon.inbox values (gen_random_uuid(), 'late'); end if;
      return new;
    end $$`);
    await rows(pair.source, 'create trigger late after insert on coupon_jobs.kerf_mark for each row execute function late()');
    const { detail } = await move(wishing(), 'extract');
    expect(detail.tries).toBeGreaterThan(1);
    expect(mayWrite).toBeGreaterThan(0);
    expect(await written(pair.target)).toBe(await written(pair.source));
    expect(await written(pair.target)).toBe(detail.tries);
  });

  it('before it is not waited for by shoppers, and a person may stop the waiting', async () => {
    await stoppedBehindCompare();
    const release = await blocked();
    await write(pair.source);
    const stop = new AbortController();
    const lags: Progress[] = [];
    const say = (progress: Progress) => void (progress.phase === 'hold' && lags.push(progress) && stop.abort());
    await expect(move(wishing({ signal: stop.signal, say }), 'extract')).rejects.toThrow('Stopped behind "shadow"');
    expect(lags).toEqual([{ module: 'coupon', phase: 'hold', over: false, lag: expect.any(Number) }]);
    expect(await rows(pair.source, 'select held from placement.modules')).toEqual([{ held: false }]);
    await release();
    await move(wishing(), 'extract');
    expect(await written(pair.target)).toBe(1);
  });
});

describe('while hosts hold', () => {
  const stand = async () => {
    const rights = await Promise.all([readRights(pair.source), readRights(pair.target)]);
    return { held: (await openMove(pair.source, 'coupon'))!.held, rights: rights.map(({ length }) => length > 0) };
  };

  it('a command that is told to stop behind the flip first opens the target', async () => {
    const stop = new AbortController();
    await expect(move(wishing({ signal: stop.signal, say: ({ phase, over }) => void (phase === 'flip' && over && stop.abort()) }), 'extract')).rejects.toThrow('Stopped behind "open"');
    expect(await stand()).toEqual({ held: false, rights: [false, true] });
  });

  it('a command that is too late and told to stop has let go, its pause is the longest, and one that was killed before that is shown to hold', async () => {
    await rows(pair.source, `create function never() returns trigger language plpgsql as $$ begin
      return case when (select held from placement.modules where module = 'coupon') then null else new end;
    end $$`);
    const stop = new AbortController();
    const told: string[] = [];
    const say = ({ phase, over }: Progress) => {
      if (over) told.push(phase);
      if (phase === 'compare' && over) void rows(pair.source, 'create trigger never before insert on coupon_jobs.kerf_mark for each row execute function never()');
      if (phase === 'shadow' && told.includes('fence')) stop.abort();
    };
    await expect(move(wishing({ signal: stop.signal, say }), 'extract')).rejects.toThrow('Stopped behind "shadow"');
    expect(await stand()).toEqual({ held: false, rights: [true, false] });
    expect((await openMove(pair.source, 'coupon'))!.detail.pause).toBeGreaterThan(0);
    told.length = 0;
    const killed = ({ phase, over }: Progress) => {
      if (over) told.push(phase);
      if (phase === 'shadow' && told.includes('fence')) throw Object.assign(new Error('killed'), vi.spyOn(Client.prototype, 'query').mockImplementation(() => Promise.reject(new Error('killed')) as never));
    };
    await expect(move(wishing({ say: killed }), 'extract')).rejects.toThrow('killed');
    vi.restoreAllMocks();
    expect(await stand()).toEqual({ held: true, rights: [false, false] });
    await expect(end(wishing({ apart: 'postgres://127.0.0.1:1/gone' }), 'cancel')).rejects.toThrow('does not let this command in');
    expect(await stand()).toEqual({ held: false, rights: [true, false] });
    expect((await openMove(pair.source, 'coupon'))!.phase).toBe('cancelling');
  });

  it('a target that answers no more is not waited for, and the source is open again', async () => {
    const { database } = pair.target.client;
    const query = Client.prototype.query;
    const say = ({ phase, over }: Progress) => {
      if (phase !== 'hold' || !over) return;
      vi.spyOn(Client.prototype, 'query').mockImplementation(function (this: Client, ...given: unknown[]) {
        return (this.database === database ? new Promise(() => undefined) : query.apply(this, given as never)) as never;
      });
    };
    await expect(move(wishing({ say }), 'extract')).rejects.toThrow(/did not answer within \d+ ms/);
    vi.restoreAllMocks();
    expect(await stand()).toEqual({ held: false, rights: [true, false] });
  });
});

describe('a command that is killed at each of its statements, and run again', () => {
  /** Ends the n-th try at its n-th statement, as a kill would: nothing is said to either server any more. */
  async function killedAgainAndAgain(work: () => Promise<unknown>): Promise<number> {
    for (let statements = 1; ; statements += 1) {
      let left = statements;
      const query = Client.prototype.query;
      const spy = vi.spyOn(Client.prototype, 'query').mockImplementation(function (this: Client, ...given: unknown[]) {
        if (isOfAMover(this) && (left -= 1) < 0) return Promise.reject(new Error('killed')) as never;
        return query.apply(this, given as never) as never;
      });
      const isOver = await work().then(
        () => true,
        (error: Error) => {
          expect(error.message).toBe('killed');
          return false;
        },
      );
      spy.mockRestore();
      if (isOver) return statements;
    }
  }

  const isOfAMover = (client: Client) => ![pair.source.client, pair.target.client].includes(client) && (client as unknown as { connectionParameters: { application_name: string } }).connectionParameters.application_name === 'kerf move';

  it('takes a move back all the same', async () => {
    await expect(move(wishing({ say: killing('hold') }), 'extract')).rejects.toThrow('killed');
    const rights = await readRights(pair.source);
    await expect(end(wishing({ say: killing('cancelling') }), 'cancel')).rejects.toThrow('killed');
    expect(await killedAgainAndAgain(async () => expect((await move(wishing(), 'extract')).phase).toBe('cancelled'))).toBeGreaterThan(10);
    expect(await readRights(pair.source)).toEqual(rights);
    expect(await rows(pair.target, `select from pg_namespace where nspname like 'coupon%'`)).toEqual([]);
    expect(await rows(pair.source, `select held, database_url, next_url from placement.modules`)).toEqual([{ held: false, database_url: null, next_url: null }]);
    expect(await rows(pair.source, `select from pg_replication_slots where database in ($1, $2)`, [pair.source.client.database, pair.target.client.database])).toEqual([]);
  });

  it('gives up the way back all the same', async () => {
    await write(pair.source);
    await move(wishing(), 'extract');
    await expect(end(wishing({ say: killing('completing') }), 'complete')).rejects.toThrow('killed');
    await expect(move(wishing(), 'fold')).rejects.toThrow('coupon is on its way: run "kerf extract coupon" again');
    expect(await killedAgainAndAgain(() => end(wishing(), 'complete'))).toBeGreaterThan(5);
    expect(await rows(pair.source, `select from pg_namespace where nspname like 'coupon%'`)).toEqual([]);
    expect(await written(pair.target)).toBe(1);
    expect(await rows(pair.source, `select from pg_replication_slots where database in ($1, $2)`, [pair.source.client.database, pair.target.client.database])).toEqual([]);
  });
});

describe('both sides of a move', () => {
  it('are compared while they are written to, before the flip and behind it, and what is not alike is named', async () => {
    const stop = new AbortController();
    await expect(move(wishing({ signal: stop.signal, say: ({ phase, over }) => void (phase === 'copy' && over && stop.abort()) }), 'extract')).rejects.toThrow('Stopped behind "copy"');
    const different = async () => (await diff(wishing())).tables.flatMap((table) => table.different.map((key) => [table.name, ...key]));
    const [id, other] = [randomUUID(), randomUUID()];
    await write(pair.source, id);
    expect(await different()).toEqual([]);
    await unfollowed(pair.target, `insert into coupon.inbox values ($1, 'x')`, other);
    expect(await different()).toEqual([['coupon.inbox', other, 'x']]);
    await unfollowed(pair.target, 'delete from coupon.inbox where event_id = $1', other);
    await move(wishing(), 'extract');
    await write(pair.target);
    expect(await different()).toEqual([]);
    await unfollowed(pair.source, 'delete from coupon.inbox where event_id = $1', id);
    const inbox = { name: 'coupon.inbox', rows: 2, after: null, done: true, different: [] };
    for (const stale of [{ phase: 'copy', at: Date.now() }, { phase: 'settle', at: Date.now() - 4_000_000 }]) {
      await rows(pair.source, 'update placement.moves set detail = detail || $1', [{ diff: { ...stale, tables: [inbox], rows: 2, milliseconds: 1, done: false } }]);
      expect(await different()).toEqual([['coupon.inbox', id, 'x']]);
    }
    await end(wishing(), 'complete');
    await expect(diff(wishing())).rejects.toThrow('There are no two sides of coupon to compare');
  });
});

describe('a move that is paused', () => {
  it('stops while it copies, follows on, and goes on when it is told to move again', async () => {
    await write(pair.source);
    const pausing = Promise.withResolvers<unknown>();
    const say = ({ phase, over }: Progress) => void (phase === 'copy' && !over && pausing.resolve(pause(pair.source.url, 'coupon')));
    await expect(move(wishing({ say }), 'extract')).rejects.toThrow(/^Paused behind "\w+": "kerf extract coupon" goes on from there, and "kerf move cancel coupon" takes it back\.$/);
    expect(await pausing.promise).toMatchObject({ detail: { paused: true } });
    await write(pair.source);
    await expect.poll(() => written(pair.target)).toBe(2);
    expect((await move(wishing(), 'extract')).phase).toBe('settle');
    await expect(pause(pair.source.url, 'coupon')).rejects.toThrow('No move of coupon can be paused');
  });

  it('stays so when nobody was at it', async () => {
    await expect(move(wishing({ signal: AbortSignal.abort() }), 'extract')).rejects.toThrow('Stopped');
    await expect(move(wishing(), 'fold')).rejects.toThrow('"kerf move cancel coupon"');
    expect((await pause(pair.source.url, 'coupon')).phase).toBe('preflight');
    // As of an earlier "kerf migrate", before which nothing was prepared.
    await rows(pair.target, 'create schema coupon; create table coupon.there (); grant select on coupon.there to kerf_coupon');
    expect((await openMove(pair.source, 'coupon'))?.detail.paused).toBe(true);
    expect((await end(wishing(), 'cancel')).phase).toBe('cancelled');
    expect(await readRights(pair.target)).toHaveLength(1);
  });
});
