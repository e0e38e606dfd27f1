import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { misfits } from '../../src/boundaries/contracts/contract-changes.ts';
import { couponSuite } from '../../src/kit/coupon-suite.ts';
import { protocolCases } from '../../src/kit/protocol-cases.ts';
import { runCases } from '../../src/kit/run.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { serviceKeySet } from '../../src/placement/service-keys.ts';
import { newTraceparent, withTrace } from '../../src/shared/context.ts';
import { type ContractDescription, describeContract } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { failuresOf, subjectAt } from '../kit/support.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { askPython, callerOf, type CouponProcess, startCoupon } from './coupon-process.ts';

describe('the coupon module in Python', () => {
  let python: CouponProcess;
  beforeAll(async () => {
    python = await startCoupon();
  });
  afterAll(() => python.stop());

  it('serves a contract that callers with ours can talk to', () => {
    const served = JSON.parse(readFileSync(join(import.meta.dirname, 'coupon/contract.json'), 'utf8')) as ContractDescription;
    const sentences = misfits(describeContract(couponContract), served).map(({ method, field, change }) => [method, field, change].filter(Boolean).join(' '));
    expect(sentences, 'Write what is missing in test/foreign/coupon, and put src/modules/coupon/contract.json in the place of its contract.json').toEqual([]);
  });

  it('passes the contract kit', async () => {
    const subject = subjectAt('coupon', python.address);
    const results = await runCases(subject, [...protocolCases(subject), ...couponSuite], { report: () => undefined });
    expect(failuresOf(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(100);
  }, 60_000);

  it('writes the trace of a call into its log', async () => {
    const order = callerOf(python);
    const traceparent = newTraceparent();
    await withTrace(traceparent, () => order.service.release({ orderId: newId() }));
    const [, trace] = traceparent.split('-');
    await expect.poll(() => python.log()).toMatch(new RegExp(`${trace}.*POST /seam/v1/coupon/release 200`));
    await order.close();
  });
});

it('knows its callers by their public keys alone, where it is given no secret', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'kerf-foreign-'));
  const file = join(directory, 'keys.json');
  writeFileSync(file, JSON.stringify(serviceKeySet(TEST_SECRET, { hosts: [], everybody: ['order'] })));
  const python = await startCoupon({ KERF_SERVICE_KEYS: file });
  const [order, edge] = [callerOf(python, 'order'), callerOf(python, 'edge')];
  expect(await order.service.release({ orderId: newId() })).toEqual({});
  await expect(edge.service.release({ orderId: newId() })).rejects.toMatchObject({ reason: 'unavailable' });
  await Promise.all([order.close(), edge.close()]);
  await python.stop();
  rmSync(directory, { recursive: true });
  expect(python.log()).toContain('caller_unknown');
});

describe('its Ed25519', () => {
  const VERIFY = `
import json, sys
from coupon.ed25519 import public_key, verify
hexed = bytes.fromhex
signed = lambda one: verify(hexed(one["key"]), hexed(one["message"]), hexed(one["signature"]))
print(json.dumps([[public_key(hexed(one["seed"])).hex() if "seed" in one else None, signed(one)] for one in json.load(sys.stdin)]))`;
  interface Signed {
    seed?: string;
    key: string;
    message: string;
    signature: string;
  }
  const verified = (signatures: readonly Signed[]) => askPython<[string | null, boolean][]>(VERIFY, signatures);

  it('agrees with the test vectors of RFC 8032, 7.1', async () => {
    expect(await verified(RFC_8032)).toEqual(RFC_8032.map(({ key }) => [key, true]));
  });

  it("takes signatures of others, and none that was changed anywhere or was made for another key", async () => {
    const signatures = Array.from({ length: 20 }, (_, index): Signed => {
      const { privateKey } = generateKeyPairSync('ed25519');
      const message = Buffer.alloc(index * 7, index);
      const key = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x!, 'base64url');
      return { key: key.toString('hex'), message: message.toString('hex'), signature: sign(null, message, privateKey).toString('hex') };
    });
    const flipped = (hex: string, bit: number) => {
      const bytes = Buffer.from(hex, 'hex');
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return bytes.toString('hex');
    };
    const forged = signatures.flatMap(({ key, message, signature }, index): Signed[] => [
      { key, message: `${message}00`, signature },
      { key, message, signature: flipped(signature, index * 25) },
      { key: flipped(key, index * 12), message, signature },
      { key: signatures[(index + 1) % 20]!.key, message, signature },
      { key, message, signature: withOrderAdded(signature) },
      { key, message, signature: signature.slice(2) },
    ]);
    const outcomes = await verified([...signatures, ...forged]);
    expect(outcomes.map(([, good]) => good)).toEqual([...signatures.map(() => true), ...forged.map(() => false)]);
  });
});

/** The same signature written in another way, which RFC 8032 forbids: S + L in place of S. */
function withOrderAdded(signature: string): string {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const scalar = BigInt(`0x${Buffer.from(signature.slice(64), 'hex').reverse().toString('hex')}`) + order;
  return signature.slice(0, 64) + Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');
}

const RFC_8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature: 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature: '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature: '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message:
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature: 'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
];
