import { afterEach, describe, expect, it } from 'vitest';
import { HERE } from '../../src/placement/addresses.ts';
import { createPeers } from '../../src/placement/peers.ts';
import { LeftAlone, LostCall } from '../../src/shared/seam/resilience.ts';
import { closeAll, lampContract, lampServer, listenTo, log, tokens } from '../shared/seam/support.ts';

afterEach(closeAll);

describe('a module that has moved', () => {
  const open = () => createPeers({ tokens, log, policy: { failures: 1, pause: 60_000, retries: 0 } });

  it('is called at once where it is now, also when it was left alone where it was', async () => {
    const gone = 'http://127.0.0.1:9';
    const { address } = await listenTo(lampServer());
    const peers = open();
    const look = (place: string) => peers.to('order', lampContract, place).service.look({ id: 'lit' });
    await expect(look(gone)).rejects.toThrow(LostCall);
    await expect(look(gone)).rejects.toThrow(LeftAlone);
    expect(await look(address)).toEqual({ lit: true });
    await peers.close();
  });

  it('has certainly not heard what comes to the client of before once that is closed', async () => {
    const { address } = await listenTo(lampServer());
    const peers = open();
    const { service, close } = peers.to('order', lampContract, address);
    peers.forget('lamp', HERE);
    await close();
    await expect(service.look({ id: 'lit' })).rejects.toMatchObject({ reached: false });
  });
});
