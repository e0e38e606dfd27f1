import { once } from 'node:events';
import { connect } from 'node:net';
import { Client } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { neverBegan } from '../../src/placement/addresses.ts';
import { listen, type Listening } from '../../src/setup/listen.ts';
import { contractHash } from '../../src/shared/contract.ts';
import { CONTRACT_HEADER, LARGEST_ANSWER, LARGEST_REQUEST, pathOf } from '../../src/shared/seam/protocol.ts';
import { closeAll, lampAt, lampContract, lampServer, listenTo, tokens } from '../shared/seam/support.ts';

const where = { host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' };
let inside: Listening;
let hasty: Listening;
beforeAll(async () => {
  inside = await listen(where);
  hasty = await listen({ ...where, patience: { headers: 100, request: 200 } });
  for (const listening of [inside, hasty]) listening.serve(lampServer());
});
afterAll(() => Promise.all([inside.close(100), hasty.close(100)]));
afterEach(closeAll);

it('takes no call before it serves, and says so: the caller may ask elsewhere, whatever it asks for', async () => {
  const starting = await listen(where);
  const { service, refusal } = lampAt(starting.address);
  expect(await service.flicker({}).catch(neverBegan)).toBe(true);
  expect(refusal()).toBeUndefined();
  starting.serve(lampServer());
  await expect.poll(() => service.flicker({}).catch(() => undefined)).toEqual({ times: 3 });
  await starting.close(100, 0);
});

/** What a sender gets that says no more than this: the first line of the answer, once the connection has ended. */
async function answerTo(text: string): Promise<string> {
  const socket = connect(hasty.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.write(text);
  await once(socket, 'close');
  return answer.split('\r\n')[0]!;
}

describe('the internal port', () => {
  it('cuts who is slow to say what it wants', async () => {
    expect(await answerTo('POST /seam/v1/lamp/look HTTP/1.1\r\nhost: lamp\r\n')).toBe('HTTP/1.1 408 Request Timeout');
  });

  it('cuts who is slow with the rest', async () => {
    const authorization = `authorization: Bearer ${await tokens.tokenFor('order', 'lamp')}`;
    expect(await answerTo(`POST /seam/v1/lamp/look HTTP/1.1\r\nhost: lamp\r\n${authorization}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"id":`)).toBe('HTTP/1.1 408 Request Timeout');
  });

  it('refuses more than a mebibyte, and the connection is good for the next call', async () => {
    const sender = new Client(inside.address);
    const connections: string[] = [];
    sender.on('connect', () => connections.push('made'));
    const look = async (id: string) => {
      const headers = { authorization: `Bearer ${await tokens.tokenFor('order', 'lamp')}`, 'content-type': 'application/json' };
      const { statusCode, body } = await sender.request({ method: 'POST', path: pathOf('lamp', 'look'), headers, body: JSON.stringify({ id }) });
      return [statusCode, await body.json()];
    };
    expect(await look('x'.repeat(LARGEST_REQUEST))).toMatchObject([413, { code: 'protocol', reason: 'too_large' }]);
    expect(await look('lit')).toEqual([200, { lit: true }]);
    expect(connections).toEqual(['made']);
    await sender.close();
  });
});

describe('an answer', () => {
  const answering = async (length: number) => {
    const { address } = await listenTo((req, res) => {
      res.setHeader(CONTRACT_HEADER, contractHash(lampContract));
      if (req.method === 'GET') res.end(JSON.stringify({ hash: contractHash(lampContract) }));
      else res.end(`{"lit":true${' '.repeat(length - 12)}}`);
    });
    return lampAt(address, { retries: 0 }).service.look({ id: 'x' });
  };

  it('of sixteen mebibytes is read, and no more', async () => {
    expect(await answering(LARGEST_ANSWER)).toEqual({ lit: true });
    await expect(answering(LARGEST_ANSWER + 1)).rejects.toMatchObject({ reason: 'unavailable', why: 'The answer is larger than allowed.' });
  });
});
