import { afterEach, describe, expect, it } from 'vitest';
import { watchPeers } from '../../src/setup/peer-watch.ts';
import { createServiceTokens, derivedKeys } from '../../src/shared/seam/service-token.ts';
import { closeAll, lampAt, lampServer, listenTo } from '../shared/seam/support.ts';

afterEach(closeAll);

describe('a module elsewhere', () => {
  it('that takes this process for a stranger is told from one that is not there, once', async () => {
    const said: string[] = [];
    let turns = 0;
    const lamp = lampServer();
    const { address } = await listenTo((...http) => ((turns += 1), lamp(...http)));
    const tokens = createServiceTokens(derivedKeys('another secret than the lamp has', []), () => new Date());
    const remote = lampAt(address, {}, 'order', { tokens });
    const { stop, away } = await watchPeers(() => [remote], { say: (sentence) => said.push(sentence), patience: 50 });
    await expect.poll(() => said.at(-1), { timeout: 10_000 }).toMatch(/^The module lamp at .* does not know this process: KERF_SECRET/);
    const before = turns;
    await expect.poll(() => turns, { timeout: 10_000 }).toBeGreaterThan(before + 1);
    stop();
    expect(away()).toEqual(['lamp']);
    expect(said.filter((sentence) => sentence.includes('does not know this process')).length).toBe(1);
  });

  it('that is not there is said to be so', async () => {
    const said: string[] = [];
    const remote = lampAt('http://127.0.0.1:9');
    const { stop } = await watchPeers(() => [remote], { say: (sentence) => said.push(sentence), patience: 50 });
    stop();
    expect(said.at(-1)).toMatch(/^The module lamp does not answer/);
  });
});
