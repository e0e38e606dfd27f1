import { afterEach, describe, expect, it } from 'vitest';
import { createPeers } from '../../src/placement/peers.ts';
import { LeftAlone, LostCall } from '../../src/shared/seam/resilience.ts';
import { closeAll, lampContract, lampServer, listenTo, log, tokens } from '../shared/seam/support.ts';

afterEach(closeAll);

describe('a module that is left alone where it was', () => {
  it('is called at once where it is now', async () => {
    const gone = 'http://127.0.0.1:9';
    const { address } = await listenTo(lampServer());
    const peers = createPeers({ tokens, log, policy: { failures: 1, pause: 60_000, retries: 0 } });
    const look = (place: string) => peers.to('order', lampContract, place).service.look({ id: 'lit' });
    await expect(look(gone)).rejects.toThrow(LostCall);
    await expect(look(gone)).rejects.toThrow(LeftAlone);
    expect(await look(address)).toEqual({ lit: true });
    await peers.close();
  });
});
