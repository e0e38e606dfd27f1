import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFollower, type Follower } from '../../src/move/follow.ts';
import { connectHome } from '../../src/move/home-connection.ts';
import type { Whereabouts } from '../../src/placement/placement.ts';
import { newId } from '../../src/shared/ids.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { openTestDatabase } from '../support/database.ts';

type Opened = Awaited<ReturnType<typeof openTestDatabase>>;

let home: Opened;
const open: Follower[] = [];
beforeEach(async () => {
  home = await openTestDatabase();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((follower) => follower.stop()));
  await home.close();
});

function createTestFollower(url = home.database.url('placement')): Follower {
  const follower = createFollower({ url, self: { address: 'http://127.0.0.1:1', modules: ['coupon'], edge: false }, withRole: (to) => to, log: createLogger('silent') });
  open.push(follower);
  return follower;
}

const place = (held: boolean) =>
  home.admin.query(`insert into placement.modules (module, epoch, held) values ('coupon', 1, $1) on conflict (module) do update set epoch = modules.epoch + 1, held = $1`, [held]);
const hosts = async () => (await home.admin.query<{ followed: { coupon?: { epoch: number } } }>('select followed from placement.hosts')).rows.map(({ followed }) => followed.coupon?.epoch ?? null);
const reached = async () => (await home.admin.query<{ followed: { coupon?: { reaches: string | null } } }>('select followed from placement.hosts')).rows.map(({ followed }) => followed.coupon?.reaches);
const connections = async () => (await home.admin.query(`select 1 from pg_stat_activity where application_name = 'kerf placement' and datname = current_database()`)).rowCount;

describe('a follower', () => {
  it('is told of a change again until it could follow it', async () => {
    const told: Whereabouts[] = [];
    const follower = createTestFollower();
    follower.follow(async (_, whereabouts) => {
      told.push(whereabouts);
      if (told.length === 1) throw new Error('Not now.');
    });
    follower.appear();
    await place(true);
    await expect.poll(hosts, { timeout: 15_000 }).toEqual([1]);
    expect(told).toEqual([{ held: true }, { held: true }]);
  });

  it('tries again to reach the database that a module is to go to', async () => {
    const there = new URL(home.database.adminUrl);
    const relay = createServer((socket) => {
      const server = connect(Number(there.port), '127.0.0.1');
      socket.pipe(server).pipe(socket);
      for (const end of [socket, server]) end.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const { port } = relay.address() as AddressInfo;
    await new Promise((resolve) => void relay.close(resolve));
    const next = home.database.adminUrl.replace(there.port, `${port}`);
    const follower = createTestFollower();
    follower.follow(async () => undefined);
    follower.appear();
    await home.admin.query(`insert into placement.modules (module, epoch, held, next_url) values ('coupon', 1, false, $1)`, [next]);
    await expect.poll(hosts, { timeout: 15_000 }).toEqual([1]);
    expect(await reached()).toEqual([null]);
    relay.listen(port, '127.0.0.1');
    await expect.poll(reached, { timeout: 15_000 }).toEqual([next]);
    relay.close();
  });

  it('is there once it serves, with all it follows, and again when somebody took it for gone', async () => {
    const follower = createTestFollower();
    follower.follow(async () => undefined);
    await place(false);
    await follower.look();
    expect(await hosts()).toEqual([]);
    follower.appear();
    await expect.poll(hosts, { timeout: 15_000 }).toEqual([1]);
    await home.admin.query('delete from placement.hosts');
    await expect.poll(hosts, { timeout: 15_000 }).toEqual([1]);
  });

  it('knows who else has a module by an address that leads there from here', async () => {
    const follower = createTestFollower();
    const shown = ([id, address, machine, modules]: [string, string, string, string[]]) => home.admin.query('insert into placement.hosts (id, address, machine, modules, edge) values ($1, $2, $3, $4, false)', [id, address, machine, modules]);
    const [here, elsewhere] = [hostname(), 'another-machine'];
    await shown([newId(), 'http://127.0.0.1:2', here, ['coupon']]);
    await shown([newId(), 'http://127.0.0.1:3', elsewhere, ['coupon']]);
    await shown([newId(), 'unix:/run/kerf.sock', elsewhere, ['coupon']]);
    await shown([newId(), 'http://0.0.0.0:4', elsewhere, ['coupon']]);
    await shown([newId(), 'http://10.0.0.5:3001', elsewhere, ['coupon', 'order']]);
    await shown([newId(), 'http://10.0.0.6:3001', elsewhere, ['order']]);
    await home.admin.query(`update placement.hosts set seen_at = clock_timestamp() - interval '10 seconds' where address = 'http://127.0.0.1:2'`);
    await follower.look();
    expect(follower.hosts('coupon')).toEqual(['http://10.0.0.5:3001', 'http://127.0.0.1:2']);
  });

  it('passes over an address that nobody can read', async () => {
    const follower = createTestFollower();
    for (const address of ['http://::1:3921', 'http://[fe80::1%eth0]:3921', 'http://10.0.0.5:3001']) {
      await home.admin.query(`insert into placement.hosts (id, address, machine, modules, edge) values ($1, $2, 'another-machine', '{coupon}', false)`, [newId(), address]);
    }
    await follower.look();
    expect(follower.hosts('coupon')).toEqual(['http://10.0.0.5:3001']);
  });

  it('follows where it cannot show itself', async () => {
    await home.admin.query(`revoke insert on placement.hosts from ${new URL(home.database.url('placement')).username}`);
    await place(true);
    const told: Whereabouts[] = [];
    const follower = createTestFollower();
    follower.appear();
    follower.follow(async (_, whereabouts) => void told.push(whereabouts));
    await expect.poll(() => told, { timeout: 15_000 }).toContainEqual({ held: true });
  });

  it('does not say that it has followed an earlier change once it has followed a later one', async () => {
    const earlier = Promise.withResolvers<void>();
    const follower = createTestFollower();
    follower.follow((_, { held }) => (held ? earlier.promise : Promise.resolve()));
    follower.appear();
    await expect.poll(async () => (await hosts()).length, { timeout: 15_000 }).toBe(1);
    await place(true);
    await follower.look();
    await place(false);
    await expect.poll(hosts, { timeout: 15_000 }).toEqual([2]);
    earlier.resolve();
    await follower.look();
    expect(await hosts()).toEqual([2]);
  });

  it('looks for all who ask, over one connection', async () => {
    const follower = createTestFollower();
    await Promise.all(Array.from({ length: 50 }, () => follower.look()));
    expect(await connections()).toBe(1);
  });

  it('lets go of a connection that is lost, and of no other that was made since', async () => {
    const connection = connectHome(home.database.url('placement'), () => undefined);
    const waiting = connection.ask('select pg_sleep(60)').catch(() => connection.ask('select'));
    const asking = `from pg_stat_activity where query = 'select pg_sleep(60)' and datname = current_database()`;
    await expect.poll(async () => (await home.admin.query(`select pg_terminate_backend(pid) ${asking}`)).rowCount).toBe(1);
    await waiting;
    await connection.ask('select');
    expect(await connections()).toBe(1);
    await connection.end();
    await expect.poll(connections).toBe(0);
  });

  it('waits for no database that has gone quiet, neither to look nor to end', async () => {
    const sockets: Socket[] = [];
    const relay = createServer((socket) => {
      const there = connect(Number(new URL(home.database.adminUrl).port), '127.0.0.1');
      sockets.push(socket, there);
      socket.pipe(there).pipe(socket);
      for (const end of [socket, there]) end.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const url = new URL(home.database.url('placement'));
    url.port = String((relay.address() as AddressInfo).port);
    const follower = createTestFollower(url.toString());
    await follower.look();
    for (const socket of sockets) socket.unpipe().pause();
    await expect(follower.look()).rejects.toThrow('timeout');
    await follower.stop();
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
});
