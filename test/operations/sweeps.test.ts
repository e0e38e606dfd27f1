import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { jobsCommand } from '../../src/cli/jobs-command.ts';
import { ConfigError } from '../../src/setup/config-error.ts';
import { internal } from '../../src/setup/internal.ts';
import { lateSeconds, sweep, type SweepStatus } from '../../src/shared/sweep.ts';
import { createLogger, createMetrics } from '../../src/shared/telemetry.ts';

const log = createLogger('silent');
const NOW = new Date('2026-03-02T03:00:00.000Z');
afterEach(() => vi.useRealTimers());

describe('a sweep', () => {
  /** Each run ends when the test says how. */
  function begin() {
    vi.useFakeTimers({ now: NOW });
    let run = Promise.withResolvers<void>();
    const sweeping = sweep('payment', { name: 'overdue payments', every: 5, run: () => (run = Promise.withResolvers<void>()).promise }, log);
    return { sweeping, end: () => run.resolve(), fail: (message: string) => run.reject(new Error(message)) };
  }

  it('tells when it comes, that it runs, how it went, and how often it failed in a row', async () => {
    const { sweeping, end, fail } = begin();
    const waits = { module: 'payment', name: 'overdue payments', every: 5, running: false, lastEndedAt: null, error: null, failedInARow: 0, nextAt: '2026-03-02T03:00:05.000Z' };
    expect(sweeping.status()).toEqual(waits);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sweeping.status()).toEqual({ ...waits, running: true });
    fail('no provider');
    await vi.advanceTimersByTimeAsync(5_000);
    fail('still none');
    await vi.advanceTimersByTimeAsync(0);
    expect(sweeping.status()).toEqual({ ...waits, lastEndedAt: '2026-03-02T03:00:10.000Z', error: 'still none', failedInARow: 2, nextAt: '2026-03-02T03:00:15.000Z' });
    await vi.advanceTimersByTimeAsync(5_000);
    end();
    await vi.advanceTimersByTimeAsync(0);
    expect(sweeping.status()).toMatchObject({ error: null, failedInARow: 0, nextAt: '2026-03-02T03:00:20.000Z' });
    await sweeping.stop();
  });

  it('is late when a run does not end, and metrics say so', async () => {
    const { sweeping, end } = begin();
    const metrics = createMetrics();
    metrics.sweeps(() => [sweeping.status()]);
    await vi.advanceTimersByTimeAsync(95_000);
    expect(lateSeconds(sweeping.status(), new Date())).toBe(90);
    const figures = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('kerf_sweep_'));
    expect(figures).toEqual(['kerf_sweep_failures{module="payment",sweep="overdue payments"} 0', 'kerf_sweep_late_seconds{module="payment",sweep="overdue payments"} 90']);
    end();
    await sweeping.stop();
  });
});

const exitCode = () => Number(process.exitCode ?? 0);

describe('kerf jobs sweeps', () => {
  const soon = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
  const waiting: SweepStatus = { module: 'order', name: 'expire unpaid orders', every: 10, running: false, lastEndedAt: null, error: null, failedInARow: 0, nextAt: soon(10) };

  async function kerf(sweeps: SweepStatus[], ...args: string[]): Promise<{ code: number; out: string }> {
    const server = createServer(internal({ kerf: {} as never, metrics: createMetrics(), sweeps: () => sweeps, ready: async () => undefined })).listen(0, '127.0.0.1');
    await vi.waitFor(() => expect(server.listening).toBe(true));
    let out = '';
    const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((out += String(text))));
    process.exitCode = undefined;
    try {
      await jobsCommand.parseAsync(['sweeps', ...args, '--internal', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'http://127.0.0.1:9'], { from: 'user' });
      return { code: exitCode(), out };
    } finally {
      written.mockRestore();
      process.exitCode = undefined;
      server.close();
    }
  }

  it('lists what is done again and again in the processes that answer', async () => {
    const { code, out } = await kerf([waiting, { ...waiting, module: 'coupon', name: 'lapsed reservations', lastEndedAt: soon(-1), running: true, nextAt: soon(-3) }]);
    expect(out.split('\n')).toEqual([
      expect.stringMatching(/^order {6}expire unpaid orders +every 10 s +has not run yet {2}next at 20/),
      expect.stringMatching(/^coupon {5}lapsed reservations +every 10 s +ok at 20\S+ {2}running for [34] s$/),
      'Not looked at: http://127.0.0.1:9.',
      '',
    ]);
    expect(code).toBe(0);
  });

  it.each<[string, Partial<SweepStatus>]>([
    ['failed', { lastEndedAt: soon(-1), error: 'no provider', failedInARow: 3 }],
    ['does not end', { running: true, nextAt: soon(-120) }],
    ['does not come', { nextAt: soon(-120) }],
  ])('ends with 1 when one %s', async (_, more) => {
    expect((await kerf([{ ...waiting, ...more }], '--json')).code).toBe(1);
  });

  it('refuses when nobody answers', async () => {
    await expect(jobsCommand.parseAsync(['sweeps', '--internal', 'http://127.0.0.1:9'], { from: 'user' })).rejects.toThrow(ConfigError);
  });
});
