import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { createServiceTokens, derivedKeys } from '../../src/shared/seam/service-token.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { type CouponProcess, startCoupon } from './coupon-process.ts';

describe('the coupon module in Python, on a connection,', () => {
  let python: CouponProcess;
  let running: boolean;
  beforeEach(async () => {
    python = await startCoupon();
    running = true;
  });
  afterEach(async () => {
    if (running) await python.stop();
  });

  it('does not wait longer than its caller for a body that trickles in', async () => {
    const { socket, received } = open(python);
    socket.write(await callWith({ 'content-length': 10_000, 'kerf-timeout': 300 }));
    const trickle = setInterval(() => socket.write('{'), 50);
    await expect.poll(received).toMatch(/^HTTP\/1.1 504 .*deadline_exceeded/s);
    clearInterval(trickle);
    socket.destroy();
  });

  it('asks for a body that is kept back until then', async () => {
    const { socket, received } = open(python);
    const body = JSON.stringify({ orderId: newId() });
    socket.write(await callWith({ 'content-length': body.length, expect: '100-continue' }));
    await expect.poll(received).toMatch(/^HTTP\/1.1 100 /);
    socket.write(body);
    await expect.poll(received).toContain('HTTP/1.1 200 ');
    socket.destroy();
  });

  it('leaves a socket to the one that answers on it', async () => {
    await expect(python.startBeside()).rejects.toThrow('Somebody answers on');
    const { socket, received } = open(python);
    socket.write(await callWith({ 'content-length': 0 }));
    await expect.poll(received).toMatch(/^HTTP\/1.1 422 /);
    socket.destroy();
  });

  it('answers what is under way when it is told to end', async () => {
    const body = JSON.stringify({ orderId: newId() });
    const call = (await callWith({ 'content-length': body.length })) + body;
    const calls = Array.from({ length: 30 }, () => open(python));
    await Promise.all(calls.map(({ socket }) => once(socket, 'connect')));
    for (const { socket } of calls) socket.write(call);
    await expect.poll(() => calls.some(({ received }) => received() !== ''), { interval: 1 }).toBe(true);
    await python.stop();
    running = false;
    await expect.poll(() => calls.map(({ received }) => received().slice(0, 12))).toEqual(calls.map(() => 'HTTP/1.1 200'));
  });
});

function open({ address }: CouponProcess): { socket: Socket; received: () => string } {
  const socket = connect(address.replace(/^unix:/, ''));
  let text = '';
  socket.on('data', (data) => (text += data.toString()));
  socket.on('error', () => undefined);
  return { socket, received: () => text };
}

const tokens = createServiceTokens(derivedKeys(TEST_SECRET, ['order']), () => new Date());

/** The head of a call of `coupon.release`. */
async function callWith(headers: Record<string, string | number>): Promise<string> {
  const all = { host: 'coupon', authorization: `Bearer ${await tokens.tokenFor('order', 'coupon')}`, 'content-type': 'application/json', ...headers };
  return `POST /seam/v1/coupon/release HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}
